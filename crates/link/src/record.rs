//! Records: what a data frame carries.
//!
//! The head is a number (`varint.rs`), eight times the channel plus the kind; the kinds of channel 0
//! and of streams are counted apart, so that the head is one byte for all channels below 16.
//!
//! | channel 0   | rest                      | stream     | rest           |
//! |-------------|---------------------------|------------|----------------|
//! | 0 `Whole`   | the message               | 0 `Data`   | bytes          |
//! | 1 `Start`   | its length, the first part| 1 `End`    | nothing        |
//! | 2 `Part`    | a further part            | 2 `Open`   | first credit   |
//! | 3 `Credit`  | how much more             | 3 `Credit` | how much more  |
//! |             |                           | 4 `Reset`  | nothing        |

use alloc::vec::Vec;

use crate::event::Channel;
use crate::varint;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    /// A message.
    Whole(&'a [u8]),
    /// The first part of a message of `total` bytes.
    Start { total: u32, part: &'a [u8] },
    /// A further part of it.
    Part(&'a [u8]),
    /// So many more bytes of messages may be sent.
    MessageCredit(u32),
    /// Bytes of a stream.
    Data(Channel, &'a [u8]),
    /// The sender's half of the stream is complete.
    End(Channel),
    /// The sender has opened the stream and takes so many bytes.
    Open(Channel, u32),
    /// So many more bytes may be sent on the stream.
    Credit(Channel, u32),
    /// The stream is thrown away.
    Reset(Channel),
}

/// How many bytes the head of a stream's record takes.
pub(crate) fn head_length(channel: Channel) -> usize {
    varint::length(u32::from(channel.get()) << 3)
}

impl<'a> Record<'a> {
    /// Reads a record; `None` if it is not one.
    pub(crate) fn parse(mut bytes: &'a [u8]) -> Option<Self> {
        let head = varint::take(&mut bytes)?;
        let number = u16::try_from(head >> 3).ok()?;
        let record = match (Channel::new(number), head & 7) {
            (None, 0) => return Some(Self::Whole(bytes)),
            (None, 1) => return varint::take(&mut bytes).map(|total| Self::Start { total, part: bytes }),
            (None, 2) => return Some(Self::Part(bytes)),
            (Some(channel), 0) => return Some(Self::Data(channel, bytes)),
            (None, 3) => Self::MessageCredit(varint::take(&mut bytes)?),
            (Some(channel), 1) => Self::End(channel),
            (Some(channel), 2) => Self::Open(channel, varint::take(&mut bytes)?),
            (Some(channel), 3) => Self::Credit(channel, varint::take(&mut bytes)?),
            (Some(channel), 4) => Self::Reset(channel),
            _ => return None,
        };
        bytes.is_empty().then_some(record)
    }

    /// Appends the record to `out`.
    pub(crate) fn put(self, out: &mut Vec<u8>) {
        let (channel, kind, number, payload) = match self {
            Self::Whole(bytes) => (0, 0, None, bytes),
            Self::Start { total, part } => (0, 1, Some(total), part),
            Self::Part(bytes) => (0, 2, None, bytes),
            Self::MessageCredit(more) => (0, 3, Some(more), &[][..]),
            Self::Data(channel, bytes) => (channel.get(), 0, None, bytes),
            Self::End(channel) => (channel.get(), 1, None, &[][..]),
            Self::Open(channel, credit) => (channel.get(), 2, Some(credit), &[][..]),
            Self::Credit(channel, more) => (channel.get(), 3, Some(more), &[][..]),
            Self::Reset(channel) => (channel.get(), 4, None, &[][..]),
        };
        varint::put(u32::from(channel) << 3 | kind, out);
        if let Some(number) = number {
            varint::put(number, out);
        }
        out.extend_from_slice(payload);
    }
}
