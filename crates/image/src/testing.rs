//! Makes ELF files: good ones, and bad ones of every kind.

use alloc::vec;
use alloc::vec::Vec;

/// A part of the file that a `PT_LOAD` header describes.
#[derive(Clone, Debug)]
pub struct Load {
    /// Its physical address.
    pub address: u64,
    /// Its bytes in the file.
    pub bytes: Vec<u8>,
    /// Its size in memory.
    pub memory_size: u64,
}

/// How an ELF file is to be made.
#[derive(Clone, Debug)]
pub struct Elf {
    /// ELF64; else ELF32.
    pub wide: bool,
    /// `e_type` and `e_machine`.
    pub kind: (u16, u16),
    /// The segments, in the order of their headers.
    pub loads: Vec<Load>,
    /// The notes, as they lie in the file.
    pub notes: Vec<u8>,
    /// The alignment that their header states.
    pub notes_align: u64,
    /// The program headers stand at the file's end.
    pub headers_last: bool,
    /// Bytes between the parts of the file.
    pub gap: usize,
}

impl Elf {
    /// A PVH kernel of one segment at 1 MiB: `bytes`, then zeroes up to `memory_size`. It starts at its first byte.
    #[must_use]
    pub fn pvh(bytes: &[u8], memory_size: u64) -> Self {
        const BASE: u32 = 0x10_0000;
        Elf {
            wide: true,
            kind: (2, 62),
            loads: vec![Load { address: u64::from(BASE), bytes: bytes.to_vec(), memory_size }],
            notes: note(b"Xen\0", 18, &BASE.to_le_bytes(), 4),
            notes_align: 4,
            headers_last: false,
            gap: 0,
        }
    }

    /// The file.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let (header_len, entry_len) = if self.wide { (64, 56) } else { (52, 32) };
        let count = self.loads.len() + 1;
        let table_len = count * entry_len;
        let mut body = Vec::new();
        let body_at = header_len + if self.headers_last { 0 } else { table_len };
        let mut place = |bytes: &[u8]| {
            body.resize(body.len() + self.gap, 0xee);
            let at = body_at + body.len();
            body.extend_from_slice(bytes);
            at as u64
        };
        let notes_at = place(&self.notes);
        let mut table =
            self.program(4, notes_at, 0, self.notes.len() as u64, self.notes.len() as u64, self.notes_align);
        for load in &self.loads {
            let at = place(&load.bytes);
            table.extend(self.program(1, at, load.address, load.bytes.len() as u64, load.memory_size, 4096));
        }
        let table_at = if self.headers_last { body_at + body.len() } else { header_len };
        let mut file = self.header(table_at as u64, entry_len as u16, count as u16);
        if self.headers_last {
            file.extend(body);
            file.extend(table);
        } else {
            file.extend(table);
            file.extend(body);
        }
        file
    }

    fn header(&self, table_at: u64, entry_len: u16, count: u16) -> Vec<u8> {
        let mut out = vec![0x7f, b'E', b'L', b'F', if self.wide { 2 } else { 1 }, 1, 1];
        out.resize(16, 0);
        out.extend(self.kind.0.to_le_bytes());
        out.extend(self.kind.1.to_le_bytes());
        out.extend(1u32.to_le_bytes());
        self.word(&mut out, 0); // the entry for other boot protocols
        self.word(&mut out, table_at);
        self.word(&mut out, 0); // section headers
        out.extend(0u32.to_le_bytes());
        for half in [if self.wide { 64 } else { 52 }, entry_len, count, 0, 0, 0] {
            out.extend(half.to_le_bytes());
        }
        out
    }

    fn program(&self, kind: u32, at: u64, address: u64, file: u64, memory: u64, align: u64) -> Vec<u8> {
        let mut out = Vec::from(kind.to_le_bytes());
        if self.wide {
            out.extend(5u32.to_le_bytes());
        }
        // A virtual address that is not the physical one: nobody may mistake it.
        for word in [at, address ^ 0x4000_0000, address, file, memory] {
            self.word(&mut out, word);
        }
        if !self.wide {
            out.extend(5u32.to_le_bytes());
        }
        self.word(&mut out, align);
        out
    }

    fn word(&self, out: &mut Vec<u8>, value: u64) {
        if self.wide { out.extend(value.to_le_bytes()) } else { out.extend((value as u32).to_le_bytes()) }
    }
}

/// A note, padded to `align`.
#[must_use]
pub fn note(name: &[u8], kind: u32, value: &[u8], align: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [name.len() as u32, value.len() as u32, kind] {
        out.extend(word.to_le_bytes());
    }
    for part in [name, value] {
        out.extend_from_slice(part);
        out.resize(out.len().next_multiple_of(align), 0);
    }
    out
}
