//! The file: what independent readers find in it.

use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, elf};
use stream::core_file::{CoreFile, PAGES_AT, XenVersion};
use stream::{PAGE, REGISTERS};

type Elf = elf::FileHeader64<Endianness>;
const LE: Endianness = Endianness::Little;

fn xen() -> XenVersion<'static> {
    XenVersion {
        major: 4,
        minor: 17,
        extra: ".6-pre",
        compiler: "gcc",
        compile_by: "me",
        compile_domain: "here",
        compile_date: "today",
        capabilities: "hvm-3.0-x86_64 ",
        changeset: "abc",
        virt_start: 0xffff_8000_0000_0000,
    }
}

/// Registers of which every word tells its place.
fn registers() -> [u8; REGISTERS] {
    let mut registers = [0; REGISTERS];
    for (n, word) in registers.chunks_exact_mut(8).enumerate() {
        word.copy_from_slice(&(0x1_0000 * n as u64).to_le_bytes());
    }
    registers
}

/// A core of two vCPUs with these frames; each page says which it is.
fn core(frames: &[(u64, u64)]) -> Vec<u8> {
    let mut core = CoreFile::new();
    core.add_vcpu(0, &registers());
    core.add_vcpu(2, &[0; REGISTERS]);
    let mut file = Vec::new();
    for &(first, count) in frames {
        let at = core.add_frames(first, count) as usize;
        file.resize(at + count as usize * PAGE, 0);
        for (n, page) in file[at..].chunks_exact_mut(PAGE).enumerate() {
            page[..8].copy_from_slice(&(first + n as u64).to_le_bytes());
        }
    }
    let tail = core.finish(&xen());
    let len = tail.file_len() as usize;
    file.resize(len, 0);
    let mut last = u64::MAX;
    for piece in tail {
        assert!(piece.bytes.len() <= 100 << 10, "a piece of {} bytes", piece.bytes.len());
        file[piece.offset as usize..][..piece.bytes.len()].copy_from_slice(&piece.bytes);
        last = piece.offset;
    }
    assert_eq!(last, 0, "the header comes last");
    file
}

fn section<'f>(file: &'f [u8], name: &str) -> &'f [u8] {
    let header = Elf::parse(file).unwrap();
    let sections = header.sections(LE, file).unwrap();
    let (_, found) = sections.section_by_name(LE, name.as_bytes()).unwrap_or_else(|| panic!("no {name}"));
    found.data(LE, file).unwrap()
}

#[test]
fn the_headers_are_these_bytes() {
    let file = core(&[(1, 1)]);
    let (programs, sections) = (0x5098u64, 0x5150u64);
    let mut expected =
        b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0\x3e\0\x01\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    expected.extend(programs.to_le_bytes());
    expected.extend(sections.to_le_bytes());
    expected.extend(b"\0\0\0\0\x40\0\x38\0\x02\0\x40\0\x07\0\x01\0");
    assert_eq!(file[..64], expected[..]);
    let load = &file[programs as usize + 56..][..56];
    assert_eq!(load[..8], *b"\x01\0\0\0\x07\0\0\0");
    let words: Vec<u64> =
        load[8..].chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
    assert_eq!(words, [PAGES_AT, 0x1000, 0x1000, 0x1000, 0x1000, 0x1000]);
    let notes = section(&file, ".note.Xen");
    assert_eq!(notes[..16], *b"\x04\0\0\0\0\0\0\0\0\0\0\x02Xen\0", "first of all nothing");
    assert_eq!(notes[16..32], *b"\x04\0\0\0\x20\0\0\0\x01\0\0\x02Xen\0");
    assert_eq!(
        notes[32..64],
        *b"\xee\xeb\x0f\xf0\0\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0",
        "HVM, two vCPUs, one page, of 4096 bytes"
    );
    assert_eq!(notes.len(), 16 + (16 + 32) + (16 + 1280) + (16 + 8));
    assert_eq!(notes[notes.len() - 8..], *b"\x01\0\0\0\0\0\0\0", "version 0.1");
}

#[test]
fn xens_tools_find_registers_frames_and_pages_by_their_sections() {
    let file = core(&[(0, 3), (0x10_0000, 2)]);
    let frames: Vec<u64> = section(&file, ".xen_pfn")
        .chunks_exact(8)
        .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
        .collect();
    assert_eq!(frames, [0, 1, 2, 0x10_0000, 0x10_0001]);
    let pages = section(&file, ".xen_pages");
    assert_eq!(pages.len(), frames.len() * PAGE);
    for (page, frame) in pages.chunks(PAGE).zip(frames) {
        assert_eq!(page[..8], frame.to_le_bytes());
    }
    let contexts = section(&file, ".xen_prstatus");
    assert_eq!(contexts.len(), 2 * REGISTERS);
    assert_eq!(contexts[..REGISTERS], registers());
    let version = &section(&file, ".note.Xen")[64 + 16..];
    assert_eq!(version[..16], [4u64, 17].map(u64::to_le_bytes).concat()[..]);
    assert_eq!(&version[16..23], b".6-pre\0");
    assert_eq!(&version[32..36], b"gcc\0");
}

#[test]
fn a_debugger_finds_memory_by_its_address_and_a_thread_for_each_vcpu() {
    let file = core(&[(0, 3), (0x10_0000, 2)]);
    let header = Elf::parse(&file[..]).unwrap();
    let programs = header.program_headers(LE, &file[..]).unwrap();
    let loads: Vec<_> = programs.iter().filter(|p| p.p_type(LE) == elf::PT_LOAD).collect();
    let at =
        |load: &&elf::ProgramHeader64<Endianness>| (load.p_vaddr(LE), load.p_paddr(LE), load.p_memsz(LE));
    assert_eq!(
        loads.iter().map(at).collect::<Vec<_>>(),
        [(0, 0, 0x3000), (0x1_0000_0000, 0x1_0000_0000, 0x2000)]
    );
    let high = loads[1].data(LE, &file[..]).unwrap();
    assert_eq!(high[PAGE..PAGE + 8], 0x10_0001u64.to_le_bytes());

    let notes = programs.iter().find(|p| p.p_type(LE) == elf::PT_NOTE).unwrap();
    let mut notes = notes.notes(LE, &file[..]).unwrap().unwrap();
    let mut threads = Vec::new();
    let mut of_xen = 0;
    while let Some(note) = notes.next().unwrap() {
        match note.name() {
            b"CORE" => threads.push((note.n_type(LE), note.desc().to_vec())),
            _ => of_xen += 1,
        }
    }
    assert_eq!((of_xen, threads.len()), (4, 2));
    let (kind, first) = &threads[0];
    assert_eq!((*kind, first.len()), (elf::NT_PRSTATUS, 336));
    assert_eq!(first[32..36], 1u32.to_le_bytes());
    assert_eq!(threads[1].1[32..36], 3u32.to_le_bytes(), "vCPU 2");
    let register = |n: usize| u64::from_le_bytes(first[112 + n * 8..][..8].try_into().unwrap());
    // Where user_regs has them: 520 bytes from the start, in words.
    let word = |n: u64| 0x1_0000 * (65 + n);
    assert_eq!(register(0), word(0), "r15");
    assert_eq!(register(10), word(10), "rax");
    assert_eq!(register(16), word(16), "rip");
    assert_eq!(register(17), word(17) & 0xffff, "cs");
    assert_eq!(register(18), word(18), "rflags");
    assert_eq!(register(19), word(19), "rsp");
    assert_eq!(register(21), 0x1_0000 * 643, "the base of fs");
}

#[test]
fn more_stretches_than_a_header_counts_are_counted_in_the_first_section() {
    let frames: Vec<(u64, u64)> = (0..0x1_0001).map(|n| (n * 2, 1)).collect();
    let mut core = CoreFile::new();
    for (first, count) in frames {
        core.add_frames(first, count);
    }
    assert_eq!(core.pages(), 0x1_0001);
    // Pages are a hole; the readers see headers alone.
    let tail = core.finish(&xen());
    let mut file = vec![0; tail.file_len() as usize];
    for piece in tail {
        file[piece.offset as usize..][..piece.bytes.len()].copy_from_slice(&piece.bytes);
    }
    let header = Elf::parse(&file[..]).unwrap();
    let programs = header.program_headers(LE, &file[..]).unwrap();
    assert_eq!(programs.len(), 0x1_0002);
    assert_eq!(programs.last().unwrap().p_paddr(LE), 0x2_0000 << 12);
    assert_eq!(section(&file, ".xen_pfn").len(), 0x1_0001 * 8);
}

#[test]
fn a_domain_without_anything_is_a_core_too() {
    let tail = CoreFile::new().finish(&XenVersion::default());
    let mut file = vec![0; tail.file_len() as usize];
    for piece in tail {
        file[piece.offset as usize..][..piece.bytes.len()].copy_from_slice(&piece.bytes);
    }
    assert!(Elf::parse(&file[..]).unwrap().program_headers(LE, &file[..]).unwrap().len() == 1);
    assert_eq!(section(&file, ".xen_pages"), b"");
}
