//! The sending half of the window: records that the peer may not have, and when to send them again.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::frame::Acks;
use crate::rtt::RoundTrip;
use crate::time::Micros;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be sent: for the first time, or again.
    Due,
    /// On its way, as far as is known.
    Flying,
    /// Received beyond a gap.
    Arrived,
}

#[derive(Debug)]
struct Sent {
    record: Vec<u8>,
    state: State,
    /// The latest transmission, once there was one.
    number: Option<u32>,
    /// When its last byte left.
    at: Micros,
}

/// A record that is to be put on the line now.
pub(crate) struct Outgoing<'a> {
    pub(crate) sequence: u8,
    pub(crate) number: u32,
    pub(crate) record: &'a [u8],
    /// It was on the line before.
    pub(crate) repeated: bool,
}

/// The sender's window.
#[derive(Debug)]
pub(crate) struct Sender {
    /// Sequence of the first of `window`.
    first: u8,
    /// Number of the next transmission.
    next_number: u32,
    window: VecDeque<Sent>,
    limit: usize,
    /// When the retransmission timer was last wound up; it runs while anything flies.
    wound: Option<Micros>,
    rtt: RoundTrip,
    /// Empty buffers for records, to be used again.
    spare: Vec<Vec<u8>>,
}

impl Sender {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            first: 0,
            next_number: 0,
            window: VecDeque::new(),
            limit,
            wound: None,
            rtt: RoundTrip::default(),
            spare: Vec::new(),
        }
    }

    /// Says whether a new record may be added.
    pub(crate) fn has_room(&self) -> bool {
        self.window.len() < self.limit
    }

    /// An empty buffer for [`push`](Self::push).
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Adds a record, to be sent. There must be room.
    pub(crate) fn push(&mut self, record: Vec<u8>) {
        self.window.push_back(Sent { record, state: State::Due, number: None, at: Micros(0) });
    }

    /// Gives back a buffer that was not needed.
    pub(crate) fn recycle(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.spare.push(buffer);
    }

    /// Says whether [`next_due`](Self::next_due) has something.
    pub(crate) fn has_due(&self) -> bool {
        self.window.iter().any(|sent| sent.state == State::Due)
    }

    /// Says whether anything is not acknowledged.
    pub(crate) fn is_outstanding(&self) -> bool {
        !self.window.is_empty()
    }

    /// The oldest record that must be sent, which counts as on its way from now on.
    pub(crate) fn next_due(&mut self, now: Micros) -> Option<Outgoing<'_>> {
        let index = self.window.iter().position(|sent| sent.state == State::Due)?;
        let sent = &mut self.window[index];
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        let repeated = sent.number.replace(number).is_some();
        sent.state = State::Flying;
        sent.at = now;
        let sequence = self.first.wrapping_add(index as u8);
        Some(Outgoing { sequence, number, record: &sent.record, repeated })
    }

    /// The last byte of transmission `number` has left.
    pub(crate) fn departed(&mut self, number: u32, now: Micros) {
        if let Some(sent) = self.window.iter_mut().rev().find(|sent| sent.number == Some(number)) {
            sent.at = now;
        }
        // Wound up anew by each departure: while frames leave, the acknowledgements of later ones tell of losses.
        self.wound = self.is_flying().then_some(now);
    }

    /// Takes in what the peer says it received. Acknowledgements of what was never sent change nothing.
    pub(crate) fn acknowledged(&mut self, acks: Acks, now: Micros) {
        let count = usize::from(acks.next.wrapping_sub(self.first));
        if count > self.window.len() {
            return;
        }
        let last = self.number_of(acks.echo);
        let mut progress = count > 0;
        for _ in 0..count {
            if let Some(sent) = self.window.pop_front() {
                self.measure(last, sent.number, sent.at, sent.state, now);
                self.recycle(sent.record);
            }
        }
        self.first = acks.next;
        for bit in 0..self.window.len().saturating_sub(1).min(64) {
            let Sent { state, number, at, .. } = self.window[bit + 1];
            if acks.beyond >> bit & 1 != 0 && state != State::Arrived {
                self.measure(last, number, at, state, now);
                self.window[bit + 1].state = State::Arrived;
                progress = true;
            }
        }
        self.mark_overtaken(last);
        if progress {
            self.rtt.progress();
            self.wound = self.is_flying().then_some(now);
        } else if !self.is_flying() {
            self.wound = None;
        }
    }

    /// The line does not reorder: what left before something that arrived, and has not arrived, never will.
    fn mark_overtaken(&mut self, last: Option<u32>) {
        for sent in &mut self.window {
            if sent.state == State::Flying && sent.number < last {
                sent.state = State::Due;
            }
        }
    }

    fn measure(&mut self, last: Option<u32>, number: Option<u32>, at: Micros, state: State, now: Micros) {
        if last == number && state == State::Flying {
            self.rtt.sample(now.since(at));
        }
    }

    /// The transmission that the peer means by the low byte of its number: the latest that fits.
    fn number_of(&self, echo: u8) -> Option<u32> {
        let latest = self.next_number.checked_sub(1)?;
        latest.checked_sub((latest as u8).wrapping_sub(echo).into())
    }

    fn is_flying(&self) -> bool {
        self.window.iter().any(|sent| sent.state == State::Flying)
    }

    /// When [`time_out`](Self::time_out) is due.
    pub(crate) fn deadline(&self) -> Option<Micros> {
        self.wound.map(|wound| wound + self.rtt.timeout())
    }

    /// Nothing was acknowledged in time: the oldest record is sent again. What its acknowledgement says of
    /// the others is better than a guess.
    pub(crate) fn time_out(&mut self) {
        self.rtt.timed_out();
        self.probe();
    }

    /// The peer is heard again after a long silence: as [`time_out`](Self::time_out), without patience lost.
    pub(crate) fn resume(&mut self) {
        self.rtt.progress();
        self.probe();
    }

    fn probe(&mut self) {
        self.wound = None;
        if let Some(sent) = self.window.iter_mut().find(|sent| sent.state == State::Flying) {
            sent.state = State::Due;
        }
    }

    pub(crate) fn round_trip(&self) -> Option<Micros> {
        self.rtt.smoothed()
    }
}
