//! The receiving half of the window: order, duplicates, and when to acknowledge.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::event::Violation;
use crate::frame::Acks;
use crate::time::Micros;

/// A sequence so far behind the expected one, or nearer, is a repetition; farther, it is ahead.
const BEHIND: u8 = 128;

/// What became of a record that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is the next; then take [`Receiver::next_held`] until there is none.
    InOrder,
    /// It is kept until those before it arrive.
    Held,
    /// It came before.
    Duplicate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    /// By this time, unless a frame goes out before.
    By(Micros),
    Now,
}

/// The receiver's window.
#[derive(Debug)]
pub(crate) struct Receiver {
    next: u8,
    echo: u8,
    limit: usize,
    /// Records from `next` on; the first is never there.
    held: VecDeque<Option<Vec<u8>>>,
    due: Due,
    /// In-order records since an acknowledgement went out.
    unacknowledged: usize,
}

impl Receiver {
    pub(crate) fn new(limit: usize) -> Self {
        Self { next: 0, echo: u8::MAX, limit, held: VecDeque::new(), due: Due::Nothing, unacknowledged: 0 }
    }

    /// Takes in a record that arrived.
    ///
    /// # Errors
    /// [`Violation::Window`]: it lies beyond the window that the peer was told.
    pub(crate) fn arrived(&mut self, sequence: u8, number: u8, record: &[u8]) -> Result<Arrival, Violation> {
        let ahead = sequence.wrapping_sub(self.next);
        if usize::from(ahead) >= self.limit && ahead < BEHIND {
            return Err(Violation::Window);
        }
        self.echo = number;
        if ahead == 0 {
            self.advance();
            return Ok(Arrival::InOrder);
        }
        // A gap or a repetition: the peer should know at once.
        self.due = Due::Now;
        if ahead >= BEHIND {
            return Ok(Arrival::Duplicate);
        }
        let index = usize::from(ahead);
        if self.held.len() <= index {
            self.held.resize(index + 1, None);
        }
        if self.held[index].is_some() {
            return Ok(Arrival::Duplicate);
        }
        self.held[index] = Some(record.to_vec());
        Ok(Arrival::Held)
    }

    /// The next record, if it arrived ahead of its turn.
    pub(crate) fn next_held(&mut self) -> Option<Vec<u8>> {
        let record = self.held.front_mut()?.take()?;
        self.advance();
        Some(record)
    }

    fn advance(&mut self) {
        self.held.pop_front();
        self.next = self.next.wrapping_add(1);
        self.unacknowledged += 1;
    }

    /// Schedules the acknowledgement of what was just taken in: at once for a quarter of the window or while
    /// there is a gap, else within `delay`, so that it can ride on an answer.
    pub(crate) fn schedule(&mut self, now: Micros, delay: Micros) {
        if self.unacknowledged >= (self.limit / 4).max(2) || !self.held.is_empty() {
            self.due = Due::Now;
        } else if self.due == Due::Nothing && self.unacknowledged > 0 {
            self.due = Due::By(now + delay);
        }
    }

    /// The peer asked for an acknowledgement.
    pub(crate) fn asked(&mut self) {
        self.due = Due::Now;
    }

    /// When [`tick`](Self::tick) makes an acknowledgement due.
    pub(crate) fn deadline(&self) -> Option<Micros> {
        match self.due {
            Due::By(at) => Some(at),
            Due::Nothing | Due::Now => None,
        }
    }

    pub(crate) fn tick(&mut self, now: Micros) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.due = Due::Now;
        }
    }

    /// Says whether an acknowledgement must go out, with or without a record.
    pub(crate) fn is_due(&self) -> bool {
        self.due == Due::Now
    }

    /// What to tell the peer, in a frame that goes out now.
    pub(crate) fn acknowledge(&mut self) -> Acks {
        self.due = Due::Nothing;
        self.unacknowledged = 0;
        let beyond = self.held.iter().skip(1).take(64).enumerate();
        let beyond = beyond.fold(0, |bits, (bit, held)| bits | u64::from(held.is_some()) << bit);
        Acks { next: self.next, echo: self.echo, beyond }
    }
}
