//! The ELF header and the program headers, of both classes.

use super::{KernelError, REACH, Segment};
use crate::source::ReadAt;

pub(super) const PT_LOAD: u32 = 1;
pub(super) const PT_NOTE: u32 = 4;

const ELF_MAGIC: [u8; 4] = *b"\x7fELF";
const LITTLE_ENDIAN: u8 = 1;
const EXECUTABLE: u16 = 2;
const SHARED: u16 = 3;
const I386: u16 = 3;
const X86_64: u16 = 62;

/// The largest program header: that of ELF64.
const PROGRAM_ROOM: usize = 56;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Elf32,
    Elf64,
}

/// Where the program headers are.
pub(super) struct Header {
    class: Class,
    table: u64,
    entry_size: u16,
    pub(super) count: u16,
}

/// A program header.
pub(super) struct Program {
    pub(super) kind: u32,
    pub(super) offset: u64,
    pub(super) file_size: u64,
    pub(super) memory_size: u64,
    pub(super) align: u64,
    address: u64,
}

impl Header {
    pub(super) fn read(image: &mut impl ReadAt) -> Result<Self, KernelError> {
        let len = image.plain_len();
        let mut start = [0; 6];
        if len < start.len() as u64 {
            return Err(KernelError::NotElf);
        }
        image.read_at(0, &mut start)?;
        let [magic @ .., class, data] = start;
        if magic != ELF_MAGIC {
            return Err(KernelError::NotElf);
        }
        let class = match (class, data) {
            (1, LITTLE_ENDIAN) => Class::Elf32,
            (2, LITTLE_ENDIAN) => Class::Elf64,
            _ => return Err(KernelError::WrongElf),
        };
        let mut room = [0; 64];
        let header = &mut room[..if class == Class::Elf32 { 52 } else { 64 }];
        image.read_at(0, header)?;
        let fits =
            matches!(u16_at(header, 16), EXECUTABLE | SHARED) && matches!(u16_at(header, 18), I386 | X86_64);
        if !fits {
            return Err(KernelError::WrongElf);
        }
        let (table, sizes) = match class {
            Class::Elf32 => (u64::from(u32_at(header, 28)), 42),
            Class::Elf64 => (u64_at(header, 32), 54),
        };
        let header =
            Header { class, table, entry_size: u16_at(header, sizes), count: u16_at(header, sizes + 2) };
        if header.count > 0 && usize::from(header.entry_size) < header.program_size() {
            return Err(KernelError::WrongElf);
        }
        Ok(header)
    }

    fn program_size(&self) -> usize {
        if self.class == Class::Elf32 { 32 } else { PROGRAM_ROOM }
    }

    pub(super) fn program(&self, image: &mut impl ReadAt, index: u16) -> Result<Program, KernelError> {
        let mut room = [0; PROGRAM_ROOM];
        let bytes = &mut room[..self.program_size()];
        let distance = u64::from(index) * u64::from(self.entry_size);
        image.read_at(self.table.saturating_add(distance), bytes)?;
        let kind = u32_at(bytes, 0);
        Ok(match self.class {
            Class::Elf32 => {
                let word = |at| u64::from(u32_at(bytes, at));
                Program {
                    kind,
                    offset: word(4),
                    address: word(12),
                    file_size: word(16),
                    memory_size: word(20),
                    align: word(28),
                }
            }
            Class::Elf64 => Program {
                kind,
                offset: u64_at(bytes, 8),
                address: u64_at(bytes, 24),
                file_size: u64_at(bytes, 32),
                memory_size: u64_at(bytes, 40),
                align: u64_at(bytes, 48),
            },
        })
    }
}

impl Program {
    /// The segment that it describes, if it is possible in a file of `len` bytes.
    pub(super) fn segment(&self, len: u64) -> Result<Segment, KernelError> {
        let bad = KernelError::BadSegment { address: self.address, size: self.memory_size };
        let end = self.address.checked_add(self.memory_size).ok_or(bad)?;
        if end > REACH || self.file_size > self.memory_size {
            return Err(bad);
        }
        let file_end = self.offset.checked_add(self.file_size).ok_or(bad)?;
        if self.file_size > 0 && file_end > len {
            return Err(KernelError::Truncated { expected: file_end, found: len });
        }
        Ok(Segment {
            offset: self.offset,
            file_size: self.file_size,
            address: self.address,
            memory_size: self.memory_size,
        })
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
