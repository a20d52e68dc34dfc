//! The receiving end.

use alloc::vec::Vec;

use super::{BLOCK_PAGES, END, FAILED, HEADER, MAX_FRAME, MAX_REASON, PAGES, Record, VCPU, ZEROES};
use crate::{PAGE, REGISTERS};

/// Takes bytes as they come, and gives records. Holds one record and what was pushed behind it.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
    /// How many of them have been given.
    taken: usize,
    /// A body that was unpacked.
    body: Vec<u8>,
    /// Where the next frame may be.
    next_frame: u64,
    is_over: bool,
}

/// What came is no dump, or a damaged one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDump {
    /// A record of no known kind or packing.
    #[error("a record of an unknown kind ({0})")]
    UnknownKind(u8),
    /// A body that is longer or shorter than its kind allows.
    #[error("a record with a body of {0} bytes")]
    BadLength(usize),
    /// A body that does not unpack.
    #[error("a damaged record")]
    BadPacking,
    /// Frames out of order, or beyond any address.
    #[error("frames out of order or range: {count} from {first:#x}")]
    BadFrames {
        /// The first one.
        first: u64,
        /// How many.
        count: u64,
    },
    /// Bytes after the last record.
    #[error("something follows the end")]
    AfterEnd,
}

struct Header {
    kind: u8,
    is_packed: bool,
    len: usize,
    first: u64,
    count: u64,
}

impl Reader {
    /// Adds bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Says whether the last record was given.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Takes the next record; `None` until all of it is there.
    ///
    /// # Errors
    /// See [`BadDump`]. Nothing that follows makes sense then.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, BadDump> {
        let waiting = &self.bytes[self.taken..];
        if self.is_over {
            return if waiting.is_empty() { Ok(None) } else { Err(BadDump::AfterEnd) };
        }
        let Some((header, rest)) = waiting.split_first_chunk::<HEADER>() else { return Ok(None) };
        let header = Header::read(header)?;
        let Some(stored) = rest.get(..header.len) else { return Ok(None) };
        self.taken += HEADER + header.len;
        let body = if header.is_packed {
            self.body.resize(header.most(), 0);
            let len =
                lz4_flex::block::decompress_into(stored, &mut self.body).map_err(|_| BadDump::BadPacking)?;
            &self.body[..len]
        } else {
            stored
        };
        let record = header.record(body)?;
        match &record {
            Record::Pages { .. } | Record::Zeroes { .. } => {
                let (first, count) = (header.first, header.count);
                let end = first.checked_add(count).filter(|&end| end <= MAX_FRAME);
                match end.filter(|_| first >= self.next_frame && count > 0) {
                    Some(end) => self.next_frame = end,
                    None => return Err(BadDump::BadFrames { first, count }),
                }
            }
            Record::End | Record::Failed(_) => self.is_over = true,
            Record::Vcpu { .. } => {}
        }
        Ok(Some(record))
    }
}

impl Header {
    fn read(bytes: &[u8; HEADER]) -> Result<Header, BadDump> {
        let [kind, packing, _, _, l0, l1, l2, l3, numbers @ ..] = bytes;
        let number =
            |at: usize| numbers[at..at + 8].iter().rev().fold(0, |n, &byte| n << 8 | u64::from(byte));
        let header = Header {
            kind: *kind,
            is_packed: match packing {
                0 => false,
                1 => true,
                other => return Err(BadDump::UnknownKind(*other)),
            },
            len: u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize,
            first: number(0),
            count: number(8),
        };
        if !(VCPU..=FAILED).contains(kind) {
            return Err(BadDump::UnknownKind(*kind));
        }
        // What is packed is shorter than what it is of.
        if header.len > header.most() { Err(BadDump::BadLength(header.len)) } else { Ok(header) }
    }

    /// The longest body, unpacked.
    fn most(&self) -> usize {
        match self.kind {
            VCPU => REGISTERS,
            PAGES => BLOCK_PAGES * PAGE,
            FAILED => MAX_REASON,
            _ => 0,
        }
    }

    fn record<'a>(&self, body: &'a [u8]) -> Result<Record<'a>, BadDump> {
        let bad = Err(BadDump::BadLength(body.len()));
        Ok(match self.kind {
            VCPU if body.len() == REGISTERS => {
                let id = u32::try_from(self.first).map_err(|_| BadDump::BadLength(body.len()))?;
                Record::Vcpu { id, registers: body }
            }
            PAGES if body.len() as u64 == self.count.saturating_mul(PAGE as u64) => {
                Record::Pages { first: self.first, bytes: body }
            }
            ZEROES => Record::Zeroes { first: self.first, count: self.count },
            END => Record::End,
            FAILED => Record::Failed(body),
            _ => return bad,
        })
    }
}
