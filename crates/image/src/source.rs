//! Bytes that can be read anywhere: a plain file in memory, or what a container holds.

use crate::container::ContainerError;

/// Why bytes could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// They lie behind the end.
    #[error("the image ends at byte {len}, and bytes up to {end} were asked for")]
    OutOfRange {
        /// Where the bytes that were asked for end.
        end: u64,
        /// How many there are.
        len: u64,
    },
    /// The container is damaged.
    #[error("{0}")]
    Damaged(ContainerError),
    /// No memory for unpacking a block.
    #[error("no memory to unpack a block of {block_size} bytes")]
    OutOfMemory {
        /// What it took.
        block_size: u32,
    },
}

/// An image's plain bytes.
pub trait ReadAt {
    /// How many there are.
    fn plain_len(&self) -> u64;

    /// Fills `out` with the bytes from `offset` on.
    ///
    /// # Errors
    /// [`ReadError`]; then `out` holds anything.
    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> Result<(), ReadError>;
}

impl ReadAt for &[u8] {
    fn plain_len(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let len = self.plain_len();
        let end = offset.saturating_add(out.len() as u64);
        if end > len {
            return Err(ReadError::OutOfRange { end, len });
        }
        let start = offset as usize;
        out.copy_from_slice(&self[start..start + out.len()]);
        Ok(())
    }
}
