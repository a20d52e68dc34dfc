//! Frames: what travels as one unit, intact or not at all.
//!
//! Numbers are little-endian. Every frame ends with the CRC-32 (ISO-HDLC) of what is before it.
//!
//! ```text
//! hello    f8    see hello.rs
//! ack      f9    tag:2 next:1 echo:1                       crc:4
//! ask      fa    tag:2 next:1 echo:1                       crc:4      answer with an ack
//! data     fb    tag:2 next:1 echo:1 sequence:1 number:1 record  crc:4
//! fd..ff   as f9..fb, and behind echo: count:1, and so many bytes of bits of frames received beyond a gap
//! ```
//!
//! * `tag` names the session and the direction (see `hello.rs`), so that frames of an older session, and our own
//!   frames echoed by a terminal, are recognised.
//! * `sequence` counts records: a record repeated has the sequence of the first. `next` is the sequence that
//!   the sender of the frame waits for; bit i of the bits says that `next + 1 + i` has arrived.
//! * `number` counts transmissions of data frames: a record repeated has a new number. `echo` is the number that came
//!   last. Since the line does not reorder, all earlier numbers that are not acknowledged are lost, and the
//!   time of a round trip is known exactly also for repeated records.
//!
//! A small data frame costs 15 bytes beside its payload, delimiters included.

use alloc::vec::Vec;

use crc::{CRC_32_ISO_HDLC, Crc, Table};

use crate::config::MAX_RECORD;
use crate::hello::Hello;

pub(crate) static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

const CRC_SIZE: usize = 4;

/// The longest frame: head, eight bytes of bits with their count, record, checksum.
pub(crate) const MAX_FRAME: usize = 7 + 9 + MAX_RECORD + CRC_SIZE;

const HELLO: u8 = 0xf8;
const ACK: u8 = 0xf9;
const ASK: u8 = 0xfa;
const DATA: u8 = 0xfb;
/// Added to the three above when bits of frames beyond a gap follow.
const GAPS: u8 = 0x04;

/// Says whether a frame can start with this byte. No UTF-8 text contains such a byte.
pub(crate) const fn is_frame_start(byte: u8) -> bool {
    byte >= HELLO
}

/// Names a session in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(pub(crate) u16);

/// What the sender of a frame has received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acks {
    /// The sequence that is waited for.
    pub(crate) next: u8,
    /// The number of the data frame that came last.
    pub(crate) echo: u8,
    /// Bit i: sequence `next + 1 + i` has arrived.
    pub(crate) beyond: u64,
}

/// A frame that was intact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// Who the peer is, and whom it believes to talk to.
    Hello(Hello),
    /// Only acknowledgements, and perhaps a wish for the same.
    Ack { tag: Tag, acks: Acks, ask: bool },
    /// A record.
    Data { tag: Tag, acks: Acks, sequence: u8, number: u8, record: &'a [u8] },
}

/// Takes `N` bytes from the front.
pub(crate) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

impl Acks {
    fn put(self, out: &mut Vec<u8>) {
        out.extend([self.next, self.echo]);
        if self.beyond != 0 {
            let bytes = self.beyond.to_le_bytes();
            let count = 8 - self.beyond.leading_zeros() as usize / 8;
            out.push(count as u8);
            out.extend_from_slice(&bytes[..count]);
        }
    }

    fn take(bytes: &mut &[u8], gaps: bool) -> Option<Self> {
        let [next, echo] = take(bytes)?;
        let mut beyond = [0; 8];
        if gaps {
            let [count] = take(bytes)?;
            let (bits, rest) = bytes.split_at_checked(count.into())?;
            beyond.get_mut(..bits.len())?.copy_from_slice(bits);
            *bytes = rest;
        }
        Some(Self { next, echo, beyond: u64::from_le_bytes(beyond) })
    }
}

impl<'a> Frame<'a> {
    /// Reads a frame with its checksum; `None` if it is damaged or no frame of ours.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<CRC_SIZE>()?;
        if CRC.checksum(body) != u32::from_le_bytes(*crc) {
            return None;
        }
        let (&kind, mut rest) = body.split_first()?;
        if kind == HELLO {
            return Hello::parse(rest).map(Self::Hello);
        }
        if !is_frame_start(kind) {
            return None;
        }
        let tag = Tag(u16::from_le_bytes(take(&mut rest)?));
        let acks = Acks::take(&mut rest, kind & GAPS != 0)?;
        match kind & !GAPS {
            ACK if rest.is_empty() => Some(Self::Ack { tag, acks, ask: false }),
            ASK if rest.is_empty() => Some(Self::Ack { tag, acks, ask: true }),
            DATA => {
                let [sequence, number] = take(&mut rest)?;
                (rest.len() <= MAX_RECORD).then_some(Self::Data { tag, acks, sequence, number, record: rest })
            }
            _ => None,
        }
    }

    /// Appends the frame and its checksum to `out`, which must be empty.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let head = |kind: u8, tag: Tag, acks: Acks, out: &mut Vec<u8>| {
            out.push(if acks.beyond == 0 { kind } else { kind | GAPS });
            out.extend(tag.0.to_le_bytes());
            acks.put(out);
        };
        match self {
            Self::Hello(hello) => {
                out.push(HELLO);
                hello.put(out);
            }
            Self::Ack { tag, acks, ask } => head(if *ask { ASK } else { ACK }, *tag, *acks, out),
            Self::Data { tag, acks, sequence, number, record } => {
                head(DATA, *tag, *acks, out);
                out.extend([*sequence, *number]);
                out.extend_from_slice(record);
            }
        }
        let crc = CRC.checksum(out);
        out.extend(crc.to_le_bytes());
    }
}
