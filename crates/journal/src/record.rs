//! A record: one change of one entry.
//!
//! ```text
//! magic:4 length:4 seq:8 change:1 kind:1 head_length:2 key:16 content_crc:4 crc:4      the record's own head, 44 bytes
//! head body                                                                            its content, `length` bytes
//! ```
//!
//! Numbers are little-endian. `crc` is of the 40 bytes before it, `content_crc` of the content; both begin with the journal's id.

use alloc::vec::Vec;

use crate::checksum;
use crate::header::Id;

/// What a record begins with: where reading goes on behind a damaged one.
pub(crate) const MAGIC: [u8; 4] = *b"\xf7jR\x01";
/// The record's own head, in bytes.
pub(crate) const HEAD: usize = 44;
/// The longest head of an entry, in bytes.
pub const MAX_HEAD: usize = 1 << 10;
/// The longest body of an entry, in bytes.
pub const MAX_BODY: usize = 16 << 10;

const PUT: u8 = 1;
const DELETE: u8 = 2;

/// What an entry is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// What kind of thing it is; the journal's user knows.
    pub kind: u8,
    /// Which of this kind.
    pub id: [u8; 16],
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// It is this from now on.
    Put {
        /// What is always at hand of it: at most [`MAX_HEAD`] bytes.
        head: &'a [u8],
        /// The rest, which is read when it is wanted: at most [`MAX_BODY`] bytes.
        body: &'a [u8],
    },
    /// It is gone.
    Delete,
}

/// A record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its number; the next record's is higher by one.
    pub seq: u64,
    /// Whose change.
    pub key: Key,
    /// The change.
    pub change: Change<'a>,
}

impl Record<'_> {
    /// Appends the record's bytes. The bounds of heads and bodies are the caller's to keep.
    pub(crate) fn encode(&self, id: Id, out: &mut Vec<u8>) {
        let (change, head, body): (u8, &[u8], &[u8]) = match self.change {
            Change::Put { head, body } => (PUT, head, body),
            Change::Delete => (DELETE, &[], &[]),
        };
        let start = out.len();
        out.extend(MAGIC);
        out.extend(((head.len() + body.len()) as u32).to_le_bytes());
        out.extend(self.seq.to_le_bytes());
        out.extend([change, self.key.kind]);
        out.extend((head.len() as u16).to_le_bytes());
        out.extend(self.key.id);
        out.extend([0; 8]);
        out.extend(head);
        out.extend(body);
        let content = checksum::of(id, &out[start + HEAD..]).to_le_bytes();
        out[start + 36..start + 40].copy_from_slice(&content);
        let own = checksum::of(id, &out[start..start + 40]).to_le_bytes();
        out[start + 40..start + HEAD].copy_from_slice(&own);
    }
}

/// A record's own head, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) key: Key,
    /// Bytes of content.
    pub(crate) len: usize,
    change: u8,
    head_len: usize,
    content_crc: u32,
}

impl Head {
    /// Reads the head that these bytes begin with; `None` if it is not whole.
    pub(crate) fn decode(id: Id, bytes: &[u8]) -> Option<Head> {
        let bytes = bytes.first_chunk::<HEAD>()?;
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        if !body.starts_with(&MAGIC) || checksum::of(id, body) != u32::from_le_bytes(*crc) {
            return None;
        }
        let word = |at: usize| body[at..].first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes));
        let head = Head {
            seq: u64::from_le_bytes(*body[8..].first_chunk()?),
            key: Key { kind: body[17], id: *body[20..].first_chunk()? },
            len: word(4)? as usize,
            change: body[16],
            head_len: u16::from_le_bytes(*body[18..].first_chunk()?) as usize,
            content_crc: word(36)?,
        };
        head.is_possible().then_some(head)
    }

    /// Whether such a record is ever written.
    fn is_possible(&self) -> bool {
        match self.change {
            PUT => {
                self.head_len <= MAX_HEAD && (self.head_len..=self.head_len + MAX_BODY).contains(&self.len)
            }
            DELETE => self.len == 0 && self.head_len == 0,
            _ => false,
        }
    }

    /// The record of this head with this content; `None` if the content is not what was written.
    pub(crate) fn with<'a>(&self, id: Id, content: &'a [u8]) -> Option<Record<'a>> {
        if content.len() != self.len || checksum::of(id, content) != self.content_crc {
            return None;
        }
        let (head, body) = content.split_at(self.head_len);
        let change = if self.change == PUT { Change::Put { head, body } } else { Change::Delete };
        Some(Record { seq: self.seq, key: self.key, change })
    }
}
