//! One end of a line.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::config::Config;
use crate::event::{BootId, Channel, Event, SendError, StreamError};
use crate::time::Micros;

/// What passed over the line at one end since the link was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Valid frames received.
    pub frames_in: u64,
    /// Frames sent, repeated ones included.
    pub frames_out: u64,
    /// Frames sent again.
    pub repeated: u64,
    /// Frames that came again and were thrown away.
    pub duplicates: u64,
    /// Bytes that were no part of a valid frame.
    pub foreign: u64,
    /// Smoothed time from a frame's last byte to its acknowledgement, once measured.
    pub round_trip: Option<Micros>,
}

/// One end of a line.
///
/// To drive it: whenever bytes came, [`receive`](Self::receive) them; whenever the line takes bytes and
/// [`wants_transmit`](Self::wants_transmit), put what [`transmit`](Self::transmit) gives on it; at
/// [`deadline`](Self::deadline), [`tick`](Self::tick). After each of these, and after each other call, take all events
/// ([`poll_event`](Self::poll_event)) and look at `wants_transmit` and `deadline` again.
#[derive(Debug)]
pub struct Link {
    config: Config,
    events: VecDeque<Event>,
}

impl Link {
    /// An end that has not heard of its peer. It wants to send its hello at once.
    ///
    /// `boot` is drawn anew each time the program starts: it is how the peer sees a restart.
    pub fn new(config: Config, boot: BootId, now: Micros) -> Self {
        let _ = (boot, now);
        Self { config, events: VecDeque::new() }
    }

    /// Takes bytes from the line, however they were cut.
    pub fn receive(&mut self, bytes: &[u8], now: Micros) {
        let _ = now;
        let room = self.config.foreign.min(bytes.len());
        self.events
            .push_back(Event::Foreign { bytes: bytes[..room].to_vec(), lost: (bytes.len() - room) as u64 });
    }

    /// Writes bytes for the line to the front of `out`; returns how many. Fewer than `out` holds: nothing more to send now.
    pub fn transmit(&mut self, out: &mut [u8], now: Micros) -> usize {
        let _ = (out, now);
        0
    }

    /// Says whether [`transmit`](Self::transmit) would give a byte.
    pub fn wants_transmit(&self) -> bool {
        false
    }

    /// When [`tick`](Self::tick) must be called, if nothing else happens first. `None`: only bytes or calls make a difference.
    pub fn deadline(&self) -> Option<Micros> {
        None
    }

    /// Does what is due: repeats, acknowledges, gives up. Harmless when nothing is.
    pub fn tick(&mut self, now: Micros) {
        let _ = now;
    }

    /// The oldest event that was not taken yet.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Says whether a peer answers: after [`Event::Up`], before [`Event::Down`].
    pub fn is_up(&self) -> bool {
        false
    }

    /// Tells a prober whether its application waits for a message (a call is pending): while it does, or any stream is
    /// open, a silent peer is asked for a sign of life. No effect on a responder.
    pub fn set_waiting(&mut self, waiting: bool, now: Micros) {
        let _ = (waiting, now);
    }

    /// Sends a message on channel 0. Messages arrive whole and in the order in which they were sent.
    ///
    /// # Errors
    /// See [`SendError`]; the message is dropped.
    pub fn send_message(&mut self, message: Vec<u8>) -> Result<(), SendError> {
        let _ = message;
        Err(SendError::NotUp)
    }

    /// Opens a stream at this end and gives the peer credit for [`Config::stream_in`] bytes. Its bytes flow when both ends
    /// have opened it. The end that chose the number opens it before it sends the message that names it.
    ///
    /// # Errors
    /// `NotUp`, `InUse`, `TooMany`.
    pub fn stream_open(&mut self, channel: Channel) -> Result<(), StreamError> {
        let _ = channel;
        Err(StreamError::NotUp)
    }

    /// Takes bytes to be sent on a stream; returns how many. Fewer than given: [`Event::Writable`] tells when to go on.
    ///
    /// # Errors
    /// `NotUp`, `NotOpen`: also after this end closed it.
    pub fn stream_write(&mut self, channel: Channel, bytes: &[u8]) -> Result<usize, StreamError> {
        let _ = (channel, bytes);
        Err(StreamError::NotUp)
    }

    /// Gives the peer credit for `count` bytes of a stream that the application has used up.
    pub fn stream_consumed(&mut self, channel: Channel, count: usize) {
        let _ = (channel, count);
    }

    /// Says that nothing more will be written to a stream. What was written is still sent; the peer may go on sending.
    pub fn stream_close(&mut self, channel: Channel) {
        let _ = channel;
    }

    /// Throws a stream away, both ways, with what waits to be sent.
    pub fn stream_reset(&mut self, channel: Channel) {
        let _ = channel;
    }

    /// What passed over the line.
    pub fn stats(&self) -> Stats {
        Stats::default()
    }
}
