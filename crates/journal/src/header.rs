//! How a journal's file begins: what it is, in which format, whose, and the number of its first record. Twice, so that no one flipped bit
//! makes all of it unreadable.
//!
//! ```text
//! magic:8 version:4 id:16 first_seq:8 crc:4      numbers are little-endian; the crc is of all before it
//! ```

use alloc::vec::Vec;

use crate::checksum;

/// What a journal's file begins with.
const MAGIC: [u8; 8] = *b"nanodomJ";
/// The format that this crate writes and reads.
pub const VERSION: u32 = 1;
/// One copy.
const COPY: usize = 8 + 4 + 16 + 8 + 4;
/// Both copies: where the first record is.
pub const LEN: usize = 2 * COPY;

/// Names a journal among all: 128 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(pub [u8; 16]);

/// Bytes that are no journal of ours; nothing in them is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Neither copy of the header is whole.
    #[error(
        "it does not begin as a journal does: both copies of its header are damaged, or it is something else"
    )]
    NoHeader,
    /// Another format.
    #[error("its format is {found}, and this release reads {VERSION}; use the release that wrote it")]
    Version {
        /// The format that it says it has.
        found: u32,
    },
    /// Longer than any journal of ours.
    #[error("it has {len} bytes, and no journal has more than {most}", most = crate::MAX_FILE)]
    TooLong {
        /// Its length in bytes.
        len: u64,
    },
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whose records these are.
    pub id: Id,
    /// The number of the first record.
    pub first_seq: u64,
}

impl Header {
    /// The header as it is written: both copies.
    pub fn encode(&self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(LEN);
        copy.extend(MAGIC);
        copy.extend(VERSION.to_le_bytes());
        copy.extend(self.id.0);
        copy.extend(self.first_seq.to_le_bytes());
        copy.extend(checksum::plain(&copy).to_le_bytes());
        copy.extend_from_within(..);
        copy
    }

    /// Reads the header of a file, and says whether both copies are whole.
    ///
    /// # Errors
    /// [`Unreadable::NoHeader`], [`Unreadable::Version`].
    pub fn decode(file: &[u8]) -> Result<(Header, bool), Unreadable> {
        let copies = [copy(file, 0), copy(file, COPY)];
        let first = copies.into_iter().find_map(Result::ok);
        match (first, copies) {
            (Some(header), _) => Ok((header, copies == [Ok(header); 2])),
            // The format is whole where it says so itself; a damaged one is no format.
            (None, [Err(Unreadable::Version { found }), _] | [_, Err(Unreadable::Version { found })]) => {
                Err(Unreadable::Version { found })
            }
            (None, _) => Err(Unreadable::NoHeader),
        }
    }
}

fn copy(file: &[u8], at: usize) -> Result<Header, Unreadable> {
    let read = || {
        let (body, crc) = file.get(at..at + COPY)?.split_last_chunk::<4>()?;
        let is_whole = body.starts_with(&MAGIC) && checksum::plain(body) == u32::from_le_bytes(*crc);
        let (version, body) = body[MAGIC.len()..].split_first_chunk::<4>()?;
        let (id, body) = body.split_first_chunk::<16>()?;
        let first_seq = u64::from_le_bytes(*body.first_chunk::<8>()?);
        is_whole.then_some((u32::from_le_bytes(*version), Header { id: Id(*id), first_seq }))
    };
    match read() {
        Some((VERSION, header)) => Ok(header),
        Some((found, _)) => Err(Unreadable::Version { found }),
        None => Err(Unreadable::NoHeader),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header { id: Id([7; 16]), first_seq: 19 };

    #[test]
    fn a_header_comes_back_from_either_copy() {
        let bytes = HEADER.encode();
        assert_eq!(bytes.len(), LEN);
        assert_eq!(Header::decode(&bytes), Ok((HEADER, true)));
        for at in 0..LEN {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert_eq!(Header::decode(&damaged), Ok((HEADER, false)), "byte {at}");
        }
        assert_eq!(Header::decode(&bytes[..COPY]), Ok((HEADER, false)));
        assert_eq!(Header::decode(&bytes[..COPY - 1]), Err(Unreadable::NoHeader));
        assert_eq!(Header::decode(b""), Err(Unreadable::NoHeader));
    }

    #[test]
    fn another_format_is_named() {
        let mut bytes = HEADER.encode();
        bytes[8] = 9;
        let crc = checksum::plain(&bytes[..COPY - 4]).to_le_bytes();
        bytes[COPY - 4..COPY].copy_from_slice(&crc);
        bytes.truncate(COPY);
        assert_eq!(Header::decode(&bytes), Err(Unreadable::Version { found: 9 }));
    }
}
