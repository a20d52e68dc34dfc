//! What kernels' headers ask for, and which kernels are refused.

use image::testing::{Elf, Load, note};
use image::{KernelError, KernelHeaders, Segment};
use proptest::prelude::*;

const BASE: u64 = 0x10_0000;

fn parse(elf: &Elf) -> Result<KernelHeaders, KernelError> {
    KernelHeaders::parse(&mut &elf.build()[..])
}

fn load(address: u64, len: usize, memory_size: u64) -> Load {
    Load { address, bytes: vec![7; len], memory_size }
}

fn kernel() -> Elf {
    Elf::pvh(&[1, 2, 3, 4, 5], 0x1000)
}

#[test]
fn every_layout_that_the_format_permits_is_read() {
    for wide in [false, true] {
        for machine in [3, 62] {
            for headers_last in [false, true] {
                for gap in [0, 1, 4096] {
                    let elf = Elf { wide, kind: (2, machine), headers_last, gap, ..kernel() };
                    let headers = parse(&elf).unwrap();
                    assert_eq!(headers.entry(), BASE as u32);
                    let [Segment { offset, file_size: 5, address: BASE, memory_size: 0x1000 }] =
                        *headers.segments()
                    else {
                        panic!("{headers:?}")
                    };
                    assert_eq!(elf.build()[offset as usize..][..5], [1, 2, 3, 4, 5]);
                }
            }
        }
    }
}

#[test]
fn segments_are_sorted_empty_ones_left_out_and_holes_allowed() {
    let mut elf = kernel();
    elf.loads.insert(0, load(0x50_0000, 10, 0x2000));
    elf.loads.push(load(0x30_0000, 0, 0));
    elf.loads.push(load(0x8_0000, 0, 0x1000));
    let headers = parse(&elf).unwrap();
    let addresses: Vec<u64> = headers.segments().iter().map(|segment| segment.address).collect();
    assert_eq!(addresses, [0x8_0000, BASE, 0x50_0000]);
    assert_eq!((headers.start(), headers.end()), (0x8_0000, 0x50_2000));
}

#[test]
fn segments_may_touch_and_share_a_page() {
    let mut elf = kernel();
    elf.loads.push(load(BASE + 0x1000, 1, 0x801));
    elf.loads.push(load(BASE + 0x1801, 1, 1));
    assert_eq!(parse(&elf).unwrap().segments().len(), 3);
}

#[test]
fn the_note_is_found_among_others_in_both_alignments_and_widths() {
    for align in [4, 8] {
        for wide_value in [false, true] {
            let value = BASE.to_le_bytes();
            let value = if wide_value { &value[..] } else { &value[..4] };
            let notes = [
                note(b"GNU\0", 18, &[9; 5], align),
                note(b"Xen\0", 6, b"linux\0", align),
                note(b"Xen\0", 18, value, align),
                note(b"Xen\0", 1, &[1; 8], align),
            ];
            let elf = Elf { notes: notes.concat(), notes_align: align as u64, ..kernel() };
            assert_eq!(parse(&elf).unwrap().entry(), BASE as u32, "{align} {wide_value}");
        }
    }
}

#[test]
fn each_bad_kernel_has_its_own_error() {
    use KernelError::*;
    let good = kernel().build();
    let bytes = |bytes: &[u8]| KernelHeaders::parse(&mut &bytes[..]).unwrap_err();
    assert_eq!(bytes(b""), NotElf);
    assert_eq!(bytes(b"#!/bin/sh\nexec true"), NotElf);
    assert_eq!(bytes(&good[..40]), Truncated { expected: 64, found: 40 });
    assert_eq!(bytes(&good[..100]), Truncated { expected: 120, found: 100 });
    let len = good.len() as u64;
    assert_eq!(bytes(&good[..good.len() - 1]), Truncated { expected: len, found: len - 1 });

    let refused = |elf: Elf| parse(&elf).unwrap_err();
    assert_eq!(refused(Elf { kind: (2, 183), ..kernel() }), WrongElf, "another machine");
    assert_eq!(refused(Elf { kind: (1, 62), ..kernel() }), WrongElf, "an object file");
    let mut big_endian = good.clone();
    big_endian[5] = 2;
    assert_eq!(bytes(&big_endian), WrongElf);
    assert_eq!(refused(Elf { notes: vec![], ..kernel() }), NotPvh);
    assert_eq!(refused(Elf { notes: note(b"Xen\0", 18, &[0; 2], 4), ..kernel() }), NotPvh);
    assert_eq!(refused(Elf { notes: note(b"Sun\0", 18, &[0; 4], 4), ..kernel() }), NotPvh);

    let entry = |value: u64| refused(Elf { notes: note(b"Xen\0", 18, &value.to_le_bytes(), 4), ..kernel() });
    assert_eq!(entry(0x20_0000), BadSegment { address: 0x20_0000, size: 0 }, "an entry outside");
    assert_eq!(entry(1 << 40), BadSegment { address: 1 << 40, size: 0 });

    let with = |extra: Load| {
        let mut elf = kernel();
        elf.loads.push(extra);
        refused(elf)
    };
    assert_eq!(with(load(BASE + 0xfff, 0, 1)), BadSegment { address: BASE + 0xfff, size: 1 }, "overlapping");
    assert_eq!(with(load(0x20_0000, 9, 8)), BadSegment { address: 0x20_0000, size: 8 }, "file over memory");
    assert_eq!(with(load(0xffff_f000, 0, 0x1001)), BadSegment { address: 0xffff_f000, size: 0x1001 });
    assert_eq!(with(load(u64::MAX, 0, 2)), BadSegment { address: u64::MAX, size: 2 });
    let many = (0..200).map(|n| load(0x20_0000 + n * 16, 0, 1)).collect();
    assert_eq!(refused(Elf { loads: many, ..kernel() }), TooManySegments);
}

proptest! {
    #[test]
    fn hostile_files_never_panic_and_what_is_accepted_is_sound(
        wide: bool,
        headers_last: bool,
        cut in 0usize..2000,
        changes in prop::collection::vec((0usize..400, any::<u8>()), 0..12),
    ) {
        let mut elf = Elf { wide, headers_last, ..kernel() };
        elf.loads.push(load(0x50_0000, 100, 0x2000));
        let mut file = elf.build();
        file.truncate(cut);
        for (at, byte) in changes {
            if let Some(there) = file.get_mut(at) {
                *there = byte;
            }
        }
        if let Ok(headers) = KernelHeaders::parse(&mut &file[..]) {
            let mut end = 0;
            for segment in headers.segments() {
                prop_assert!(segment.address >= end && segment.memory_size > 0);
                prop_assert!(segment.file_size <= segment.memory_size);
                prop_assert!(segment.file_size == 0 || segment.offset + segment.file_size <= file.len() as u64);
                end = segment.end();
            }
            prop_assert!(end <= 1 << 32);
        }
    }

    #[test]
    fn hostile_notes_never_panic(notes in prop::collection::vec(any::<u8>(), 0..300), align: u64) {
        let _ = parse(&Elf { notes, notes_align: align, ..kernel() });
    }
}

/// Counts how often an image is read.
struct Counted<'a>(&'a [u8], usize);

impl image::ReadAt for Counted<'_> {
    fn plain_len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> Result<(), image::ReadError> {
        self.1 += 1;
        self.0.read_at(offset, out)
    }
}

/// Each read may unpack a block: tens of thousands of headers for notes, or as many notes, would keep the control domain
/// busy for hours.
#[test]
fn a_file_that_is_all_headers_and_notes_costs_little() {
    let empty_note = note(b"GNU\0", 1, b"", 4);
    let mut file = Elf { notes: empty_note.repeat(4000), ..kernel() }.build();
    let header = file[64..64 + 56].to_vec();
    let many = |file: &mut Vec<u8>, count: u16| {
        let table_at = file.len() as u64;
        file[32..40].copy_from_slice(&table_at.to_le_bytes());
        file[56..58].copy_from_slice(&count.to_le_bytes());
        file.extend(header.repeat(usize::from(count)));
    };
    let mut few = file.clone();
    many(&mut few, 100);
    let mut counted = Counted(&few, 0);
    assert_eq!(KernelHeaders::parse(&mut counted), Err(KernelError::NotPvh));
    assert!(counted.1 < 2000, "{} reads", counted.1);

    many(&mut file, u16::MAX);
    let mut counted = Counted(&file, 0);
    assert_eq!(KernelHeaders::parse(&mut counted), Err(KernelError::TooManySegments));
    assert!(counted.1 < 5, "{} reads", counted.1);
}
