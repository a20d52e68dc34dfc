//! What a PVH kernel's ELF headers ask for.
//!
//! The parser reads only what it needs, wherever that lies in the image: through a container that is one or two
//! blocks. (The crate `object` wants the whole file as one slice, and an unpacked kernel is larger than the
//! control domain.) It is total: any bytes give an answer or a [`KernelError`], in bounded time and memory.
//!
//! Source: the ELF specification; public/elfnote.h (`XEN_ELFNOTE_PHYS32_ENTRY`); docs/misc/pvh.pandoc: segments
//! are loaded at their physical addresses.

mod header;
mod notes;

use alloc::vec::Vec;

use header::Header;

use crate::source::{ReadAt, ReadError};

/// Program headers that a kernel may have. Linux has five. Each may cost unpacking a block of the image.
pub const MAX_SEGMENTS: usize = 128;

/// Where 32-bit addresses end: the guest starts without paging.
const REACH: u64 = 1 << 32;

/// Why a kernel cannot be booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// It ends before its headers or segments do.
    #[error("it is truncated: its headers promise {expected} bytes, and it has {found}")]
    Truncated {
        /// Bytes that the headers promise.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// It is no ELF file.
    #[error("it is not an ELF file")]
    NotElf,
    /// It is an ELF file, but for another machine, byte order or purpose.
    #[error("it is an ELF file, but not an x86 kernel")]
    WrongElf,
    /// It has no `XEN_ELFNOTE_PHYS32_ENTRY` note.
    #[error("it is not a PVH kernel (it has no Xen note PHYS32_ENTRY)")]
    NotPvh,
    /// A segment or the entry point lies where it cannot: beyond 32 bits, overlapping, outside of the file.
    #[error("its segment of {size} bytes at {address:#x} is impossible")]
    BadSegment {
        /// Its physical address; for a bad entry point, that.
        address: u64,
        /// Its size in memory; for a bad entry point, zero.
        size: u64,
    },
    /// It has more program headers than [`MAX_SEGMENTS`].
    #[error("it has more than {MAX_SEGMENTS} segments")]
    TooManySegments,
    /// It could not be read.
    #[error("{0}")]
    Unreadable(ReadError),
}

/// A part of the kernel that is to lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where its bytes start in the file.
    pub offset: u64,
    /// How many bytes the file has of it.
    pub file_size: u64,
    /// Where it is to lie.
    pub address: u64,
    /// How many bytes it is to have; what the file does not have is zeroes.
    pub memory_size: u64,
}

impl Segment {
    /// The first address behind it.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.address + self.memory_size
    }
}

/// What a PVH kernel's headers ask for, checked.
///
/// Segments are not empty, do not overlap, are sorted by address, end below 4 GiB, and their bytes are inside the
/// file. The entry point lies in one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelHeaders {
    entry: u32,
    segments: Vec<Segment>,
}

impl KernelHeaders {
    /// Reads the headers of a kernel.
    ///
    /// # Errors
    /// [`KernelError`]: it cannot be booted.
    pub fn parse(image: &mut impl ReadAt) -> Result<Self, KernelError> {
        let header = Header::read(image)?;
        if usize::from(header.count) > MAX_SEGMENTS {
            return Err(KernelError::TooManySegments);
        }
        let mut segments = Vec::new();
        let mut entry = None;
        let mut notes_left = notes::MAX_NOTES;
        for index in 0..header.count {
            let program = header.program(image, index)?;
            match program.kind {
                header::PT_LOAD if program.memory_size > 0 => {
                    segments.push(program.segment(image.plain_len())?);
                }
                header::PT_NOTE if entry.is_none() => {
                    entry = notes::entry(image, &program, &mut notes_left)?;
                }
                _ => {}
            }
        }
        let address = entry.ok_or(KernelError::NotPvh)?;
        let headers = KernelHeaders {
            entry: u32::try_from(address).map_err(|_| KernelError::BadSegment { address, size: 0 })?,
            segments,
        };
        headers.sorted()
    }

    /// Sorts the segments and checks how they lie.
    fn sorted(mut self) -> Result<Self, KernelError> {
        self.segments.sort_by_key(|segment| segment.address);
        for pair in self.segments.windows(2) {
            if pair[1].address < pair[0].end() {
                return Err(KernelError::BadSegment { address: pair[1].address, size: pair[1].memory_size });
            }
        }
        let entry = u64::from(self.entry);
        if !self.segments.iter().any(|segment| (segment.address..segment.end()).contains(&entry)) {
            return Err(KernelError::BadSegment { address: entry, size: 0 });
        }
        Ok(self)
    }

    /// Where the first vCPU starts, in 32-bit mode without paging.
    #[must_use]
    pub fn entry(&self) -> u32 {
        self.entry
    }

    /// The segments, by address; one at least.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The lowest address.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.segments.first().map_or(0, |segment| segment.address)
    }

    /// The first address behind the last segment.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.segments.last().map_or(0, Segment::end)
    }
}

impl From<ReadError> for KernelError {
    /// What lies behind the end is missing; all else is the reader's affair.
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::OutOfRange { end, len } => KernelError::Truncated { expected: end, found: len },
            other => KernelError::Unreadable(other),
        }
    }
}
