//! One stream: two independent halves, each with its credit and its end.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::event::{Channel, Violation};
use crate::record::{Record, head_length};

/// How far throwing the stream away has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Abort {
    No,
    /// The application wants it; the peer does not know yet.
    Wanted,
    /// The peer was told; its own reset will be the last of this stream. What comes before is thrown away.
    Told,
}

/// How far our half has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Open,
    /// The application closed it; the peer is told behind the last byte.
    Closing,
    /// The peer was told.
    Closed,
}

/// A stream that is open at this end, at the other, or at both.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Our application opened it; the peer was told so.
    opened: bool,
    announced: bool,
    peer_opened: bool,
    abort: Abort,

    out: VecDeque<u8>,
    out_limit: usize,
    /// What the peer still takes.
    credit: u64,
    half: Half,
    /// A write was cut short.
    blocked: bool,

    in_limit: usize,
    /// What the peer may still send.
    allowed: usize,
    /// Handed to the application and not consumed yet.
    held: usize,
    /// Consumed since the last grant.
    returned: usize,
    peer_ended: bool,
}

impl Stream {
    pub(crate) fn new(out_limit: usize, in_limit: usize) -> Self {
        Self {
            opened: false,
            announced: false,
            peer_opened: false,
            abort: Abort::No,
            out: VecDeque::new(),
            out_limit,
            credit: 0,
            half: Half::Open,
            blocked: false,
            in_limit,
            allowed: 0,
            held: 0,
            returned: 0,
            peer_ended: false,
        }
    }

    // What the application does.

    /// Opens our end; `false` if it was open.
    pub(crate) fn open(&mut self) -> bool {
        !core::mem::replace(&mut self.opened, true) && self.abort == Abort::No
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.opened && self.half == Half::Open && self.abort == Abort::No
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.out_limit - self.out.len());
        self.out.extend(&bytes[..taken]);
        self.blocked |= taken < bytes.len();
        taken
    }

    pub(crate) fn consumed(&mut self, count: usize) {
        let count = count.min(self.held);
        self.held -= count;
        self.returned += count;
    }

    pub(crate) fn close(&mut self) {
        if self.is_writable() {
            self.half = Half::Closing;
        }
    }

    pub(crate) fn reset(&mut self) {
        if self.abort == Abort::No {
            self.abort = Abort::Wanted;
            self.out = VecDeque::new();
        }
    }

    // What the peer does.

    pub(crate) fn peer_opened(&mut self, channel: Channel, credit: u32) -> Result<(), Violation> {
        if core::mem::replace(&mut self.peer_opened, true) {
            return Err(Violation::OpenedTwice(channel));
        }
        self.granted(channel, credit)
    }

    pub(crate) fn granted(&mut self, channel: Channel, more: u32) -> Result<(), Violation> {
        self.credit += u64::from(more);
        if self.credit > u64::from(u32::MAX) { Err(Violation::Grant(channel.get())) } else { Ok(()) }
    }

    /// Takes account of bytes that came; says whether the application is to see them.
    pub(crate) fn data_came(&mut self, channel: Channel, count: usize) -> Result<bool, Violation> {
        if self.peer_ended {
            return Err(Violation::NotOpen(channel));
        }
        self.allowed = self.allowed.checked_sub(count).ok_or(Violation::Credit(channel.get()))?;
        if self.abort != Abort::No {
            return Ok(false);
        }
        self.held += count;
        Ok(true)
    }

    /// The peer's half is complete; says whether the application is to know.
    pub(crate) fn peer_ended(&mut self, channel: Channel) -> Result<bool, Violation> {
        if core::mem::replace(&mut self.peer_ended, true) {
            return Err(Violation::NotOpen(channel));
        }
        Ok(self.opened && self.abort == Abort::No)
    }

    /// The peer ended before we opened: says so when we do.
    pub(crate) fn has_peer_ended(&self) -> bool {
        self.peer_ended
    }

    /// The peer's reset came: whether we must answer with ours, and whether the application is to know.
    pub(crate) fn reset_came(&self) -> (bool, bool) {
        (self.abort != Abort::Told, self.opened && self.abort == Abort::No)
    }

    /// Both halves are closed; nothing more will be sent or come.
    pub(crate) fn is_over(&self) -> bool {
        self.half == Half::Closed && self.peer_ended && self.abort == Abort::No
    }

    // What is to be sent.

    fn is_grant_due(&self) -> bool {
        self.announced && !self.peer_ended && self.returned > 0 && self.returned >= self.in_limit / 2
    }

    fn is_control_due(&self) -> bool {
        match self.abort {
            Abort::No => (self.opened && !self.announced) || self.is_grant_due(),
            Abort::Wanted => true,
            Abort::Told => false,
        }
    }

    fn is_data_due(&self) -> bool {
        self.abort == Abort::No
            && (if self.out.is_empty() { self.half == Half::Closing } else { self.credit > 0 })
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.is_control_due() || self.is_data_due()
    }

    /// Writes the next record that is not data to `out`; returns whether there was one.
    pub(crate) fn next_control(&mut self, channel: Channel, out: &mut Vec<u8>) -> bool {
        if !self.is_control_due() {
            return false;
        }
        if self.abort == Abort::Wanted {
            self.abort = Abort::Told;
            Record::Reset(channel).put(out);
        } else if !self.announced {
            self.announced = true;
            self.allowed = self.in_limit;
            Record::Open(channel, self.in_limit as u32).put(out);
        } else {
            let more = core::mem::take(&mut self.returned);
            self.allowed += more;
            Record::Credit(channel, more as u32).put(out);
        }
        true
    }

    /// Writes the next data or the end, in `room` bytes at most, to `out`; returns whether there was one.
    pub(crate) fn next_data(&mut self, channel: Channel, room: usize, out: &mut Vec<u8>) -> bool {
        if !self.is_data_due() {
            return false;
        }
        if self.out.is_empty() {
            self.half = Half::Closed;
            Record::End(channel).put(out);
            return true;
        }
        let credit = usize::try_from(self.credit).unwrap_or(usize::MAX);
        let count = (room - head_length(channel)).min(credit).min(self.out.len());
        Record::Data(channel, &[]).put(out);
        let (front, back) = self.out.as_slices();
        let from_front = count.min(front.len());
        out.extend_from_slice(&front[..from_front]);
        out.extend_from_slice(&back[..count - from_front]);
        self.out.drain(..count);
        self.credit -= count as u64;
        true
    }

    /// Says, once, that a write that was cut short would now go on: when half of the buffer is free.
    pub(crate) fn take_writable(&mut self) -> bool {
        let ready = self.blocked && self.is_writable() && self.out.len() <= self.out_limit / 2;
        self.blocked &= !ready;
        ready
    }
}
