//! What the broker knows of one of its clients.

use super::ipc::{Decoder, FromBroker, GREETING, encode};

/// How far a client has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// It has not said of which build it is.
    #[default]
    New,
    /// It is one of ours, and waits for the control domain.
    Greeted,
    /// It knows whom it talks to; its messages are served.
    Welcomed,
    /// Nothing more is read from it.
    Finished,
}

/// One client.
#[derive(Default)]
pub(super) struct Client {
    pub(super) state: State,
    pub(super) decoder: Decoder,
    /// What is to be sent to it.
    pub(super) out: Vec<u8>,
    /// Bytes for a stream that did not take all of them: the stream, the bytes, how many are written.
    pub(super) held: Option<(u16, Vec<u8>, usize)>,
}

/// Bytes that may wait for a client before it is served no more, and its streams get no more credit.
pub(super) const SLOW: usize = 256 << 10;
/// Calls that a client may have under way.
const MOST_CALLS: usize = 16;

impl Client {
    /// Reads the client's greeting and answers with ours; false when it is not there yet or the client is of another build.
    pub(super) fn take_greeting(&mut self) -> bool {
        let Some(greeting) = self.decoder.greeting() else { return false };
        self.out.extend(GREETING);
        self.state = if greeting == GREETING { State::Greeted } else { State::Finished };
        true
    }

    /// Says whether more bytes would be looked at. A client that waits for the control domain is still read, so
    /// that its end is noticed, up to what a client of ours says before it is welcomed.
    pub(super) fn wants_bytes(&self, nr_calls: usize) -> bool {
        match self.state {
            State::New => true,
            State::Greeted => self.decoder.nr_waiting() < SLOW,
            State::Welcomed => self.is_served(nr_calls),
            State::Finished => false,
        }
    }

    /// Says whether its next message is looked at now: not while it owes us something, such as reading what waits for it.
    ///
    /// `nr_calls` of its calls are under way.
    pub(super) fn is_served(&self, nr_calls: usize) -> bool {
        self.state == State::Welcomed
            && self.held.is_none()
            && nr_calls < MOST_CALLS
            && self.out.len() <= SLOW
    }

    pub(super) fn send(&mut self, message: &FromBroker) {
        if self.state != State::Finished {
            self.out = encode(message, std::mem::take(&mut self.out));
        }
    }

    pub(super) fn finish(&mut self) {
        self.state = State::Finished;
        self.held = None;
    }
}
