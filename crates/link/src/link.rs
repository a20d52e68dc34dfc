//! One end of a line: what the application calls, and the order in which things are done.
//!
//! The handshake is in `handshake.rs`, the timers in `timers.rs`; both extend [`Link`] here.

use alloc::vec::Vec;

use crate::config::{Config, Role};
use crate::encoding::{Cobs, Encoding, Piece};
use crate::event::{BootId, Channel, DownReason, Event, SendError, StreamError};
use crate::frame::{Acks, Frame, Tag};
use crate::hello::Identity;
use crate::queue::EventQueue;
use crate::receiver::Arrival;
use crate::session::{Outgoing, Session};
use crate::time::Micros;
use crate::timers::Timers;

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
    /// Smoothed time from a frame's last byte to its acknowledgement, once measured in this session.
    pub round_trip: Option<Micros>,
}

/// One end of a line.
///
/// To drive it: whenever bytes came, [`receive`](Self::receive) them; whenever the line takes bytes and
/// [`wants_transmit`](Self::wants_transmit), put what [`transmit`](Self::transmit) gives on it; at
/// [`deadline`](Self::deadline), [`tick`](Self::tick). After each of these, and after each other call, take all events
/// ([`poll_event`](Self::poll_event)) and look at `wants_transmit` and `deadline` again:
///
/// ```
/// use link::{BootId, Config, Event, Link, Micros};
///
/// let mut host = Link::new(Config::host(), BootId::new(7), Micros(0));
/// let mut kernel = Link::new(Config::kernel(), BootId::new(8), Micros(0));
/// let mut line = [0; 16]; // as many bytes as the line takes at a time
/// while host.wants_transmit() || kernel.wants_transmit() {
///     let count = host.transmit(&mut line, Micros(1));
///     kernel.receive(&line[..count], Micros(1));
///     let count = kernel.transmit(&mut line, Micros(1));
///     host.receive(&line[..count], Micros(1));
/// }
/// assert_eq!(host.poll_event(), Some(Event::Up { peer: BootId::new(8), resumed: false }));
/// assert_eq!(kernel.deadline(), None); // quiet until bytes come or the application calls
/// ```
///
/// Memory stays within what [`Config`] says, and no bytes make it panic, whatever comes over the line.
#[derive(Debug)]
pub struct Link<E = Cobs> {
    pub(crate) config: Config,
    encoding: E,
    /// This end, since it last threw a session away.
    pub(crate) me: Identity,
    pub(crate) session: Option<Session>,
    /// The application was told that the link is up, and not since that it is down.
    pub(crate) up: bool,
    /// The session is kept, but the peer has not been heard for too long.
    pub(crate) suspended: bool,
    /// The peer speaks this version of the link: nothing is to be said to it.
    pub(crate) mismatch: Option<u16>,
    /// A hello is to be sent; whether it asks for an answer.
    pub(crate) hello: Option<bool>,
    pub(crate) timers: Timers,
    pub(crate) events: EventQueue,
    /// A frame in its form for the line, how much of it has left, and the number of its transmission.
    staged: Vec<u8>,
    staged_out: usize,
    staged_number: Option<u32>,
    /// A frame before it gets its form; kept for its memory.
    frame: Vec<u8>,
    stats: Stats,
}

impl Link<Cobs> {
    /// An end of a line that carries all bytes, which has not heard of its peer. It wants to send its hello at once.
    ///
    /// `boot` is drawn anew each time the program starts: it is how the peer sees a restart.
    pub fn new(config: Config, boot: BootId, now: Micros) -> Self {
        Self::with_encoding(config, boot, Cobs::new(), now)
    }
}

impl<E: Encoding> Link<E> {
    /// As [`Link::new`], for a line of another kind.
    pub fn with_encoding(config: Config, boot: BootId, encoding: E, now: Micros) -> Self {
        Self {
            encoding,
            me: Identity { boot, epoch: 0 },
            session: None,
            up: false,
            suspended: false,
            mismatch: None,
            hello: Some(true),
            timers: Timers::new(config.role, now),
            events: EventQueue::new(config.foreign),
            staged: Vec::new(),
            staged_out: 0,
            staged_number: None,
            frame: Vec::new(),
            stats: Stats::default(),
            config,
        }
    }

    // The line.

    /// Takes bytes from the line, however they were cut.
    pub fn receive(&mut self, mut bytes: &[u8], now: Micros) {
        // The decoder leaves `self` while the protocol, which may touch all the rest, looks at its pieces.
        let mut encoding = core::mem::take(&mut self.encoding);
        while let Some(piece) = encoding.decode(&mut bytes) {
            match piece {
                Piece::Foreign(line) => self.foreign_came(line),
                Piece::Frame { frame, line } => match Frame::parse(frame) {
                    Some(frame) => self.frame_came(frame, now),
                    None => self.foreign_came(line),
                },
            }
        }
        self.encoding = encoding;
    }

    /// Writes bytes for the line to the front of `out`; returns how many. Fewer than `out` holds: nothing more to send now.
    pub fn transmit(&mut self, out: &mut [u8], now: Micros) -> usize {
        self.tick(now);
        let mut written = 0;
        while written < out.len() && (self.staged_out < self.staged.len() || self.stage(now)) {
            let rest = &self.staged[self.staged_out..];
            let count = rest.len().min(out.len() - written);
            out[written..written + count].copy_from_slice(&rest[..count]);
            written += count;
            self.staged_out += count;
            if self.staged_out == self.staged.len() {
                self.departed(now);
            }
        }
        written
    }

    /// Says whether [`transmit`](Self::transmit) would give a byte.
    pub fn wants_transmit(&self) -> bool {
        self.staged_out < self.staged.len()
            || self.hello.is_some()
            || self.active().is_some_and(|session| self.timers.asks() || session.wants_transmit())
    }

    /// The oldest event that was not taken yet.
    pub fn poll_event(&mut self) -> Option<Event> {
        let (event, stale) = self.events.pop()?;
        if let (Event::Message(message), false, Some(session)) = (&event, stale, &mut self.session) {
            session.inbox.taken(message.len());
        }
        Some(event)
    }

    /// Says whether a peer answers: after [`Event::Up`], before [`Event::Down`].
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// What passed over the line.
    pub fn stats(&self) -> Stats {
        let round_trip = self.session.as_ref().and_then(|session| session.sender.round_trip());
        Stats { round_trip, ..self.stats }
    }

    // The application.

    /// Tells a prober whether its application waits for a message (a call is pending): while it does, or any stream is
    /// open, a silent peer is asked for a sign of life. No effect on a responder.
    pub fn set_waiting(&mut self, waiting: bool, now: Micros) {
        self.timers.set_waiting(waiting, now);
    }

    /// Sends a message on channel 0. Messages arrive whole and in the order in which they were sent.
    ///
    /// # Errors
    /// See [`SendError`]; the message is dropped.
    pub fn send_message(&mut self, message: Vec<u8>) -> Result<(), SendError> {
        self.confirmed_mut().ok_or(SendError::NotUp)?.outbox.send(message)
    }

    /// Says whether [`send_message`](Self::send_message) would answer `Full` to a message of this length: for those who
    /// cannot spare a copy to try with.
    pub fn is_full_for(&self, length: usize) -> bool {
        let session = self.session.as_ref().filter(|session| session.confirmed);
        session.is_some_and(|session| session.outbox.is_full_for(length))
    }

    /// Opens a stream at this end and gives the peer credit for [`Config::stream_in`] bytes. Its bytes flow when both ends
    /// have opened it. The end that chose the number opens it before it sends the message that names it.
    ///
    /// # Errors
    /// `NotUp`, `InUse`, `TooMany`.
    pub fn stream_open(&mut self, channel: Channel) -> Result<(), StreamError> {
        let session = self.session.as_mut().filter(|session| session.confirmed).ok_or(StreamError::NotUp)?;
        session.streams.open(channel, &mut self.events)
    }

    /// Takes bytes to be sent on a stream; returns how many. Fewer than given: [`Event::Writable`] tells when to go on.
    ///
    /// # Errors
    /// `NotUp`, `NotOpen`: also after this end closed it.
    pub fn stream_write(&mut self, channel: Channel, bytes: &[u8]) -> Result<usize, StreamError> {
        self.confirmed_mut().ok_or(StreamError::NotUp)?.streams.write(channel, bytes)
    }

    /// Gives the peer credit for `count` bytes of a stream that the application has used up.
    pub fn stream_consumed(&mut self, channel: Channel, count: usize) {
        if let Some(stream) = self.confirmed_mut().and_then(|session| session.streams.get_mut(channel)) {
            stream.consumed(count);
        }
    }

    /// Says that nothing more will be written to a stream. What was written is still sent; the peer may go on sending.
    pub fn stream_close(&mut self, channel: Channel) {
        if let Some(stream) = self.confirmed_mut().and_then(|session| session.streams.get_mut(channel)) {
            stream.close();
        }
    }

    /// Throws a stream away, both ways, with what waits to be sent.
    pub fn stream_reset(&mut self, channel: Channel) {
        if let Some(stream) = self.confirmed_mut().and_then(|session| session.streams.get_mut(channel)) {
            stream.reset();
        }
    }

    // Inside.

    fn confirmed_mut(&mut self) -> Option<&mut Session> {
        self.session.as_mut().filter(|session| session.confirmed)
    }

    /// The session, if more than hellos may be sent in it.
    pub(crate) fn active(&self) -> Option<&Session> {
        self.session.as_ref().filter(|session| session.confirmed && !self.suspended)
    }

    fn foreign_came(&mut self, bytes: &[u8]) {
        self.stats.foreign += bytes.len() as u64;
        self.events.push_foreign(bytes);
    }

    fn frame_came(&mut self, frame: Frame<'_>, now: Micros) {
        self.stats.frames_in += 1;
        match frame {
            Frame::Hello(hello) => self.hello_came(hello, now),
            Frame::Ack { tag, acks, ask } => {
                if let Some(session) = self.frame_of_session(tag, acks, now)
                    && ask
                {
                    session.receiver.asked();
                }
            }
            Frame::Data { tag, acks, sequence, number, record } => {
                self.frame_of_session(tag, acks, now);
                self.data_came(tag, (sequence, number), record, now);
            }
        }
        self.heard(now);
    }

    /// The session that a frame belongs to, with the frame's acknowledgements taken in.
    fn frame_of_session(&mut self, tag: Tag, acks: Acks, now: Micros) -> Option<&mut Session> {
        if self.session.as_ref().is_none_or(|session| session.tag_in != tag) {
            self.stranger_came();
            return None;
        }
        self.confirm();
        let session = self.session.as_mut()?;
        session.sender.acknowledged(acks, now);
        Some(session)
    }

    fn data_came(&mut self, tag: Tag, place: (u8, u8), record: &[u8], now: Micros) {
        let Some(session) = self.session.as_mut().filter(|session| session.tag_in == tag) else { return };
        match session.data_came(place, record, &mut self.events) {
            Ok(arrival) => {
                self.stats.duplicates += u64::from(arrival == Arrival::Duplicate);
                session.receiver.schedule(now, self.config.ack_delay);
            }
            Err(violation) => self.break_off(DownReason::Protocol(violation), now),
        }
    }

    /// Puts the next frame, if there is one, into `staged`.
    fn stage(&mut self, now: Micros) -> bool {
        self.frame.clear();
        if let Some(answer) = self.hello.take() {
            self.put_hello(answer);
        } else {
            let suspended = self.suspended;
            let active = self.session.as_mut().filter(|session| session.confirmed && !suspended);
            let Some(session) = active else { return false };
            match session.next_frame(now, &mut self.frame, &mut self.events) {
                Some(Outgoing::Data { number, repeated }) => {
                    self.staged_number = Some(number);
                    self.stats.repeated += u64::from(repeated);
                }
                Some(Outgoing::Ack) => {}
                None if self.timers.take_ask() => session.put_ack(true, &mut self.frame),
                None => return false,
            }
        }
        self.stats.frames_out += 1;
        self.staged.clear();
        self.staged_out = 0;
        self.encoding.encode(&self.frame, &mut self.staged);
        true
    }

    /// The last byte of the staged frame has left.
    fn departed(&mut self, now: Micros) {
        let Some(number) = self.staged_number.take() else { return };
        let Some(session) = &mut self.session else { return };
        session.sender.departed(number, now);
        // The rest of a frame that was begun before the peer was lost: nothing more is expected of it.
        if !self.suspended {
            self.timers.outstanding(now);
        }
    }

    pub(crate) fn put_hello(&mut self, answer: bool) {
        let hello = self.our_hello(answer);
        Frame::Hello(hello).put(&mut self.frame);
    }

    /// A staged frame of a session that is over is still sent to its end, or the line would carry half a frame; but
    /// its transmission is nobody's any more.
    pub(crate) fn disown_staged(&mut self) {
        self.staged_number = None;
    }

    pub(crate) fn is_prober(&self) -> bool {
        self.config.role == Role::Prober
    }
}
