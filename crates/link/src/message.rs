//! Messages of channel 0: cut into records on one side, put together on the other.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::event::{SendError, Violation};
use crate::hello::{Limits, MESSAGE_COST};
use crate::record::Record;
use crate::varint;

/// Messages that wait to be sent.
#[derive(Debug)]
pub(crate) struct Outbox {
    waiting: VecDeque<Vec<u8>>,
    /// Bytes of the first one that were sent.
    offset: usize,
    /// Bytes in `waiting`, and the bound.
    bytes: usize,
    max_bytes: usize,
    /// Longest message that the peer takes.
    longest: usize,
    /// What the peer still takes.
    credit: u64,
}

impl Outbox {
    pub(crate) fn new(peer: &Limits, max_bytes: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            offset: 0,
            bytes: 0,
            max_bytes,
            longest: peer.message as usize,
            credit: peer.credit.into(),
        }
    }

    pub(crate) fn send(&mut self, message: Vec<u8>) -> Result<(), SendError> {
        if message.len() > self.longest {
            return Err(SendError::TooLong { limit: self.longest });
        }
        if self.is_full_for(message.len()) {
            return Err(SendError::Full);
        }
        self.bytes += message.len() + MESSAGE_COST as usize;
        self.waiting.push_back(message);
        Ok(())
    }

    /// Says whether a message of this length would have to wait.
    pub(crate) fn is_full_for(&self, length: usize) -> bool {
        // The cost of an entry counts too, so that empty messages are bounded as well.
        !self.waiting.is_empty() && self.bytes + length + MESSAGE_COST as usize > self.max_bytes
    }

    pub(crate) fn grant(&mut self, more: u32) -> Result<(), Violation> {
        self.credit += u64::from(more);
        if self.credit > u64::from(u32::MAX) { Err(Violation::Grant(0)) } else { Ok(()) }
    }

    /// Says whether [`next_record`](Self::next_record) has something.
    pub(crate) fn is_ready(&self, room: usize) -> bool {
        let Some(message) = self.waiting.front() else { return false };
        if self.offset > 0 {
            return self.credit > 0;
        }
        // A message that fits one record is not cut; a longer one starts with at least a byte.
        let needed = if message.len() < room { message.len() as u64 } else { 1 };
        self.credit >= needed + u64::from(MESSAGE_COST)
    }

    /// Writes the next record, of `room` bytes at most, to `out`; returns whether there was one.
    pub(crate) fn next_record(&mut self, room: usize, out: &mut Vec<u8>) -> bool {
        if !self.is_ready(room) {
            return false;
        }
        let Some(message) = self.waiting.front() else { return false };
        let length = message.len();
        let rest = &message[self.offset..];
        let begins = self.offset == 0;
        if begins {
            self.credit -= u64::from(MESSAGE_COST);
        }
        let credit = usize::try_from(self.credit).unwrap_or(usize::MAX);
        let part = if begins && length < room {
            Record::Whole(rest).put(out);
            length
        } else if begins {
            let part = (room - 1 - varint::length(length as u32)).min(credit);
            Record::Start { total: length as u32, part: &rest[..part] }.put(out);
            part
        } else {
            let part = (room - 1).min(credit).min(rest.len());
            Record::Part(&rest[..part]).put(out);
            part
        };
        self.credit -= part as u64;
        self.offset += part;
        if self.offset == length {
            self.waiting.pop_front();
            self.offset = 0;
            self.bytes -= length + MESSAGE_COST as usize;
        }
        true
    }
}

/// The message that is being received, and the credit for messages.
#[derive(Debug)]
pub(crate) struct Inbox {
    partial: Option<Partial>,
    longest: u32,
    /// What the peer may still send.
    allowed: u32,
    /// What the application took since the last grant.
    returned: u32,
}

#[derive(Debug)]
struct Partial {
    bytes: Vec<u8>,
    total: usize,
}

impl Inbox {
    pub(crate) fn new(ours: &Limits) -> Self {
        Self { partial: None, longest: ours.message, allowed: ours.credit, returned: 0 }
    }

    /// Takes in a message in one record.
    pub(crate) fn whole(&mut self, message: &[u8]) -> Result<Vec<u8>, Violation> {
        self.begin(message.len(), message.len())?;
        Ok(message.to_vec())
    }

    /// Takes in the first part of a message.
    pub(crate) fn start(&mut self, total: u32, part: &[u8]) -> Result<(), Violation> {
        let total = total as usize;
        if part.len() >= total || part.is_empty() {
            return Err(Violation::Malformed);
        }
        self.begin(total, part.len())?;
        // The whole buffer at once: `begin` has checked `total`, and growing would need half as much again.
        let mut bytes = Vec::with_capacity(total);
        bytes.extend_from_slice(part);
        self.partial = Some(Partial { bytes, total });
        Ok(())
    }

    /// Takes in a further part; returns the message if it was the last.
    pub(crate) fn part(&mut self, part: &[u8]) -> Result<Option<Vec<u8>>, Violation> {
        self.charge(part.len())?;
        let Some(partial) = &mut self.partial else { return Err(Violation::MessageOrder) };
        if part.is_empty() || part.len() > partial.total - partial.bytes.len() {
            return Err(Violation::Malformed);
        }
        partial.bytes.extend_from_slice(part);
        if partial.bytes.len() < partial.total {
            return Ok(None);
        }
        Ok(self.partial.take().map(|partial| partial.bytes))
    }

    fn begin(&mut self, total: usize, part: usize) -> Result<(), Violation> {
        if self.partial.is_some() {
            return Err(Violation::MessageOrder);
        }
        if total > self.longest as usize {
            return Err(Violation::MessageTooLong);
        }
        self.charge(part + MESSAGE_COST as usize)
    }

    fn charge(&mut self, bytes: usize) -> Result<(), Violation> {
        let bytes = u32::try_from(bytes).map_err(|_| Violation::Credit(0))?;
        self.allowed = self.allowed.checked_sub(bytes).ok_or(Violation::Credit(0))?;
        Ok(())
    }

    /// The application took a message of this length.
    pub(crate) fn taken(&mut self, length: usize) {
        self.returned += length as u32 + MESSAGE_COST;
    }

    /// Says whether enough was taken to be worth a record; always before the credit can fall short of a message.
    pub(crate) fn is_grant_due(&self) -> bool {
        self.returned > 0 && self.returned >= self.longest / 4
    }

    /// What to grant now.
    pub(crate) fn grant(&mut self) -> Option<u32> {
        if !self.is_grant_due() {
            return None;
        }
        let more = core::mem::take(&mut self.returned);
        self.allowed += more;
        Some(more)
    }
}
