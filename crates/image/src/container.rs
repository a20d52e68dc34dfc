//! The container: an image cut into blocks that are packed one by one.
//!
//! All numbers are little-endian.
//!
//! | at | size | what |
//! |---|---|---|
//! | 0 | 8 | [`MAGIC`] |
//! | 8 | 4 | [`VERSION`] |
//! | 12 | 4 | block size: a power of two, [`MIN_BLOCK`] to [`MAX_BLOCK`] |
//! | 16 | 8 | plain length |
//! | 24 | 4 | number of blocks: plain length / block size, rounded up |
//! | 28 | 4 | zero |
//! | 32 | 8 a block | where the block's stored bytes end, counted from the end of the table; in the top two bits how it is stored |
//! | | | the blocks' stored bytes, one after the other, to the container's end |
//!
//! A block is stored packed (one lz4 block), plain (where packing gains nothing), or not at all (all zeroes). The
//! last one may be shorter than the others.
//!
//! The table holds ends, not lengths: so any block is found without a sum over those before it, and reading needs
//! no memory but one block, and that only for reads of less than a block.

#[cfg(feature = "host")]
mod pack;

use alloc::vec::Vec;

#[cfg(feature = "host")]
pub use pack::pack;

use crate::source::{ReadAt, ReadError};

/// What a container starts with.
pub const MAGIC: [u8; 8] = *b"nanoimg\0";
/// The version of the format.
pub const VERSION: u32 = 1;
/// The smallest block size: a page.
pub const MIN_BLOCK: u32 = 4096;
/// The largest block size: every image that is being read may cost this much of the control domain's heap.
pub const MAX_BLOCK: u32 = 64 << 10;
/// The block size that is written: lz4 looks back 64 KiB and no further, and it is the memory that reading parts
/// of blocks costs in the control domain.
pub const BLOCK: u32 = 64 << 10;

const HEADER: usize = 32;
const ENTRY: usize = 8;
const KIND_SHIFT: u32 = 62;
const END_MASK: u64 = (1 << KIND_SHIFT) - 1;

/// How a block is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Packed = 0,
    Plain = 1,
    Zero = 2,
}

/// Why bytes are no container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContainerError {
    /// They do not start like one.
    #[error("not an image container")]
    NotContainer,
    /// A version of the format that this program does not know.
    #[error("image container of version {found}; this program reads version {VERSION}")]
    Version {
        /// The version.
        found: u32,
    },
    /// The header contradicts itself.
    #[error("damaged image container: bad header")]
    Header,
    /// It ends too early, or goes on after its end.
    #[error("damaged image container: {found} bytes instead of {expected}")]
    Length {
        /// What the table promises.
        expected: u64,
        /// What there is.
        found: u64,
    },
    /// A block's entry in the table, or its packed bytes, are wrong.
    #[error("damaged image container: block {block}")]
    Block {
        /// Which.
        block: u32,
    },
}

/// A container whose header and table were checked.
#[derive(Clone, Copy, Debug)]
pub struct Container<'a> {
    table: &'a [[u8; ENTRY]],
    data: &'a [u8],
    block_size: u32,
    plain_len: u64,
}

impl<'a> Container<'a> {
    /// Checks header and table. What is in the blocks is checked when they are read.
    ///
    /// # Errors
    /// [`ContainerError`], for any bytes that the writer cannot have written.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ContainerError> {
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(if bytes.starts_with(&MAGIC) {
                short(HEADER, bytes)
            } else {
                ContainerError::NotContainer
            });
        };
        if !header.starts_with(&MAGIC) {
            return Err(ContainerError::NotContainer);
        }
        let version = u32_at(header, 8);
        if version != VERSION {
            return Err(ContainerError::Version { found: version });
        }
        let block_size = u32_at(header, 12);
        let plain_len = u64_at(header, 16);
        let count = u32_at(header, 24);
        let good = block_size.is_power_of_two()
            && (MIN_BLOCK..=MAX_BLOCK).contains(&block_size)
            && plain_len.div_ceil(u64::from(block_size)) == u64::from(count)
            && u32_at(header, 28) == 0;
        if !good {
            return Err(ContainerError::Header);
        }
        let table_len = count as usize * ENTRY;
        let (table, data) = rest.split_at_checked(table_len).ok_or(short(HEADER + table_len, bytes))?;
        let (table, _) = table.as_chunks::<ENTRY>();
        let container = Container { table, data, block_size, plain_len };
        container.check()?;
        Ok(container)
    }

    /// Checks the table.
    fn check(&self) -> Result<(), ContainerError> {
        let mut start = 0;
        for block in 0..self.blocks() {
            let bad = ContainerError::Block { block };
            let (kind, end) = self.entry(block).ok_or(bad)?;
            let stored = end.checked_sub(start).ok_or(bad)?;
            let plain = self.plain_len_of(block) as u64;
            let possible = match kind {
                Kind::Packed => stored > 0 && stored < plain,
                Kind::Plain => stored == plain,
                Kind::Zero => stored == 0,
            };
            if !possible {
                return Err(bad);
            }
            start = end;
        }
        if start != self.data.len() as u64 {
            let before = (HEADER + self.table.len() * ENTRY) as u64;
            let found = before + self.data.len() as u64;
            return Err(ContainerError::Length { expected: before.saturating_add(start), found });
        }
        Ok(())
    }

    /// How many bytes the image has.
    #[must_use]
    pub fn plain_len(&self) -> u64 {
        self.plain_len
    }

    /// How many plain bytes a block holds; reads that start and end at multiples of it are the cheapest.
    #[must_use]
    pub fn block_size(&self) -> u32 {
        self.block_size
    }

    fn blocks(&self) -> u32 {
        self.table.len() as u32
    }

    /// How many plain bytes are in a block.
    fn plain_len_of(&self, block: u32) -> usize {
        let start = u64::from(block) * u64::from(self.block_size);
        (self.plain_len - start).min(u64::from(self.block_size)) as usize
    }

    fn entry(&self, block: u32) -> Option<(Kind, u64)> {
        let entry = u64::from_le_bytes(*self.table.get(block as usize)?);
        let kind = match entry >> KIND_SHIFT {
            0 => Kind::Packed,
            1 => Kind::Plain,
            2 => Kind::Zero,
            _ => return None,
        };
        Some((kind, entry & END_MASK))
    }

    /// How a block is stored, and its stored bytes. The block exists, and the table was checked.
    fn stored(&self, block: u32) -> Option<(Kind, &'a [u8])> {
        let start = match block.checked_sub(1) {
            Some(before) => self.entry(before)?.1,
            None => 0,
        };
        let (kind, end) = self.entry(block)?;
        Some((kind, self.data.get(start as usize..end as usize)?))
    }

    /// Unpacks a whole block into `out`, which has the block's plain length.
    fn unpack(&self, block: u32, out: &mut [u8]) -> Result<(), ReadError> {
        let bad = ReadError::Damaged(ContainerError::Block { block });
        match self.stored(block).ok_or(bad)? {
            (Kind::Zero, _) => out.fill(0),
            (Kind::Plain, stored) => out.copy_from_slice(stored),
            (Kind::Packed, stored) => match lz4_flex::block::decompress_into(stored, out) {
                Ok(len) if len == out.len() => {}
                _ => return Err(bad),
            },
        }
        Ok(())
    }

    /// Reads from it.
    #[must_use]
    pub fn reader(self) -> Reader<'a> {
        Reader { container: self, scratch: Vec::new(), held: None }
    }
}

/// Reads the plain bytes of a [`Container`], with at most one block of memory.
#[derive(Debug)]
pub struct Reader<'a> {
    container: Container<'a>,
    scratch: Vec<u8>,
    /// The block that is unpacked in `scratch`.
    held: Option<u32>,
}

impl<'a> Reader<'a> {
    /// The container.
    #[must_use]
    pub fn container(&self) -> &Container<'a> {
        &self.container
    }

    /// Is all of `offset..offset + len` zeroes that are not even stored? `false` says nothing.
    #[must_use]
    pub fn is_zero(&self, offset: u64, len: u64) -> bool {
        let size = u64::from(self.container.block_size);
        let Some(end) = offset.checked_add(len).filter(|&end| end <= self.container.plain_len) else {
            return false;
        };
        let kind = |block: u64| self.container.entry(block as u32).map(|(kind, _)| kind);
        len != 0 && (offset / size..end.div_ceil(size)).all(|block| kind(block) == Some(Kind::Zero))
    }

    /// Copies a part of one block.
    fn read_part(&mut self, block: u32, skip: usize, out: &mut [u8]) -> Result<(), ReadError> {
        let plain_len = self.container.plain_len_of(block);
        match self.container.stored(block) {
            // Nothing to unpack, so nothing to hold.
            Some((Kind::Zero, _)) => out.fill(0),
            Some((Kind::Plain, stored)) => out.copy_from_slice(&stored[skip..skip + out.len()]),
            _ => {
                if self.held != Some(block) {
                    self.held = None;
                    self.make_room()?;
                    self.container.unpack(block, &mut self.scratch[..plain_len])?;
                    self.held = Some(block);
                }
                out.copy_from_slice(&self.scratch[skip..skip + out.len()]);
            }
        }
        Ok(())
    }

    fn make_room(&mut self) -> Result<(), ReadError> {
        let block_size = self.container.block_size;
        if self.scratch.is_empty() {
            let room = block_size as usize;
            self.scratch.try_reserve_exact(room).map_err(|_| ReadError::OutOfMemory { block_size })?;
            self.scratch.resize(room, 0);
        }
        Ok(())
    }
}

impl ReadAt for Reader<'_> {
    fn plain_len(&self) -> u64 {
        self.container.plain_len
    }

    fn read_at(&mut self, offset: u64, mut out: &mut [u8]) -> Result<(), ReadError> {
        let len = self.container.plain_len;
        let end = offset.saturating_add(out.len() as u64);
        if end > len {
            return Err(ReadError::OutOfRange { end, len });
        }
        let block_size = u64::from(self.container.block_size);
        let mut at = offset;
        while !out.is_empty() {
            let block = (at / block_size) as u32;
            let skip = (at % block_size) as usize;
            let plain_len = self.container.plain_len_of(block);
            let count = (plain_len - skip).min(out.len());
            let (now, later) = out.split_at_mut(count);
            if count == plain_len {
                self.container.unpack(block, now)?;
            } else {
                self.read_part(block, skip, now)?;
            }
            at += count as u64;
            out = later;
        }
        Ok(())
    }
}

fn short(expected: usize, bytes: &[u8]) -> ContainerError {
    ContainerError::Length { expected: expected as u64, found: bytes.len() as u64 }
}

fn u32_at(header: &[u8; HEADER], at: usize) -> u32 {
    u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}

fn u64_at(header: &[u8; HEADER], at: usize) -> u64 {
    u64::from(u32_at(header, at)) | u64::from(u32_at(header, at + 4)) << 32
}
