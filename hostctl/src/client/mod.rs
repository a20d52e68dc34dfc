//! hostctl's side of the broker's socket: calls and streams, without threads and without a runtime.
//!
//! `xm list` has 25 ms from its first instruction to its last, so this is a non-blocking socket and poll(2).

mod error;
mod signals;
mod wait;

pub use error::CallError;
pub use signals::Signals;
pub(crate) use wait::is_readable;

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use proto::Endpoint;
use proto::wire::{Fault, Request, RequestId, Response};

use crate::broker::ipc::{Decoder, FromBroker, Lost, ToBroker, Welcome, encode};
use crate::broker::place::Place;
use crate::broker::start;
use crate::connect::{Line, Options};
use crate::lab::dir::LabDir;
use crate::lab::up::how_it_ended;
use crate::progress::Progress;

/// How long the control domain may take to answer at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of streams that may come while something is written. Whoever writes gets a bell for each piece or an answer for each
/// request: a few KiB.
const MOST_WAITING: usize = 16 << 20;

/// A call under way.
pub struct Ticket<E> {
    id: RequestId,
    request: Request,
    endpoint: PhantomData<E>,
}

/// Something that happened while a client waited.
#[derive(Debug)]
pub enum Event {
    /// What came of a call.
    Answer(Response),
    /// Bytes of a stream.
    Data(u16, Vec<u8>),
    /// The control domain will send nothing more on a stream.
    End(u16),
    /// A stream is gone, both ways.
    Reset(u16),
    /// The other descriptor that was waited for is readable.
    Extra,
    /// Everything that was to be sent has been handed to the broker: there is room again.
    Sent,
    /// The given time has come.
    Deadline,
}

/// A connection to a control domain.
pub struct Client {
    line: Line,
    place: Place,
    socket: UnixStream,
    decoder: Decoder,
    out: Vec<u8>,
    welcome: Option<Welcome>,
    waiting: VecDeque<FromBroker>,
    /// Bytes of streams in `waiting`.
    nr_waiting: usize,
    /// What happened last is that the other descriptor was readable: the broker's words are next.
    had_extra: bool,
    /// Channels that were reserved and not given up.
    nr_streams: usize,
    signals: &'static Signals,
    opened: Instant,
    patience: Duration,
    deadline: Option<(Instant, u64)>,
    /// What a terminal is shown while this waits; commands say what it is that they do.
    pub progress: Progress,
}

impl Client {
    /// Reaches the control domain that the options mean.
    ///
    /// # Errors
    /// There is none, or its broker cannot be started.
    pub fn connect(options: &Options) -> Result<Client, CallError> {
        let line = Line::choose(options)?;
        Client::to(line, options, PATIENCE)
    }

    /// Reaches the control domain at a line, which may take `patience` until its first word.
    ///
    /// # Errors
    /// Its broker cannot be started.
    pub fn to(line: Line, options: &Options, patience: Duration) -> Result<Client, CallError> {
        let signals = Signals::get()?;
        let broker =
            |error: std::io::Error| CallError::Broker { line: line.to_string(), reason: error.to_string() };
        let place = Place::of(&line).map_err(broker)?;
        let socket = start::connect(&line, &place).map_err(broker)?;
        socket.set_nonblocking(true)?;
        let deadline = options.timeout.map(|limit| (Instant::now() + limit, limit.as_secs()));
        Ok(Client { deadline, ..Client::over(socket, line, place, signals, patience) })
    }

    /// A client of the broker at the other end of `socket`.
    fn over(
        socket: UnixStream,
        line: Line,
        place: Place,
        signals: &'static Signals,
        patience: Duration,
    ) -> Client {
        Client {
            line,
            place,
            socket,
            decoder: Decoder::default(),
            out: Vec::new(),
            welcome: None,
            waiting: VecDeque::new(),
            nr_waiting: 0,
            had_extra: false,
            nr_streams: 0,
            signals,
            opened: Instant::now(),
            patience,
            deadline: None,
            progress: Progress::default(),
        }
    }

    /// The line that this client uses.
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// The broker's files.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Ends everything `limit` after `start`, whatever `--timeout` said.
    pub fn limit(&mut self, start: Instant, limit: Duration) {
        self.deadline = Some((start + limit, limit.as_secs()));
    }

    /// Waits until the control domain has said who it is.
    ///
    /// # Errors
    /// It does not answer, or the line is lost.
    pub fn welcome(&mut self) -> Result<&Welcome, CallError> {
        while self.welcome.is_none() {
            if let Some(message) = self.next()? {
                self.keep(message);
            }
        }
        Ok(self.welcome.as_ref().expect("it came"))
    }

    /// Waits until the control domain has said who it is, or `extra` is readable (`None`).
    ///
    /// # Errors
    /// It does not answer, or the line is lost.
    pub fn welcome_unless(&mut self, extra: BorrowedFd<'_>) -> Result<Option<&Welcome>, CallError> {
        while self.welcome.is_none() {
            match self.receive(Some(extra), self.progress.due())? {
                Some(message) => self.keep(message),
                None if is_readable(extra) => return Ok(None),
                None => self.progress.tick(),
            }
        }
        Ok(self.welcome.as_ref())
    }

    /// Makes a call and waits for its answer.
    ///
    /// # Errors
    /// The call was not carried out, or its answer did not come.
    pub fn call<E: Endpoint>(&mut self, request: &E::Request) -> Result<E::Response, CallError> {
        let ticket = self.start::<E>(request)?;
        self.wait_for(&ticket)
    }

    /// Waits for the answer to a call that was started. If the broker dies meanwhile, the call is made again through another,
    /// once in effect; not so when streams are open, which die with their broker.
    ///
    /// # Errors
    /// The call was not carried out, or its answer did not come.
    pub fn wait_for<E: Endpoint>(&mut self, ticket: &Ticket<E>) -> Result<E::Response, CallError> {
        for _ in 0..3 {
            match self.await_answer(ticket) {
                Err(CallError::Broker { reason, .. }) if self.nr_streams == 0 => {
                    self.reconnect(&reason)?;
                    self.send(&ToBroker::Call(ticket.request.clone()));
                }
                result => return result,
            }
        }
        self.await_answer(ticket)
    }

    fn await_answer<E: Endpoint>(&mut self, ticket: &Ticket<E>) -> Result<E::Response, CallError> {
        let is_own = !self.progress.is_busy();
        if is_own {
            self.progress.begin("waiting for the control domain");
        }
        let answer = self.take_answer(ticket);
        if is_own {
            self.progress.end();
        }
        answer
    }

    fn take_answer<E: Endpoint>(&mut self, ticket: &Ticket<E>) -> Result<E::Response, CallError> {
        let is_answer = |message: &FromBroker| matches!(message, FromBroker::Answer(r) if r.id == ticket.id);
        loop {
            if let Some(at) = self.waiting.iter().position(is_answer)
                && let Some(FromBroker::Answer(response)) = self.waiting.remove(at)
            {
                return self.decode(ticket, response);
            }
            if let Some(message) = self.next()? {
                self.keep(message);
            }
        }
    }

    /// The next message; `None` where there is another reason to look around. A terminal is told of a long wait.
    fn next(&mut self) -> Result<Option<FromBroker>, CallError> {
        let message = self.receive(None, self.progress.due());
        self.progress.tick();
        message
    }

    /// Starts a call; [`Client::event`] or [`Client::wait_for`] brings its answer.
    ///
    /// # Errors
    /// No random number could be drawn.
    pub fn start<E: Endpoint>(&mut self, request: &E::Request) -> Result<Ticket<E>, CallError> {
        let id = RequestId(crate::random()?);
        let body = postcard::to_allocvec(request).expect("messages are encodable");
        let request = Request { id, key: E::KEY, body };
        self.send(&ToBroker::Call(request.clone()));
        Ok(Ticket { id, request, endpoint: PhantomData })
    }

    /// Reads an answer that [`Client::event`] brought, if it is this call's.
    ///
    /// # Errors
    /// The call was not carried out.
    pub fn answer<E: Endpoint>(
        &self,
        ticket: &Ticket<E>,
        response: Response,
    ) -> Result<Option<E::Response>, CallError> {
        if response.id == ticket.id { self.decode(ticket, response).map(Some) } else { Ok(None) }
    }

    fn decode<E: Endpoint>(&self, _: &Ticket<E>, response: Response) -> Result<E::Response, CallError> {
        let protocol = || CallError::Protocol {
            control: self.welcome.as_ref().map_or("unknown".into(), |w| w.greeting.version.clone()),
            ours: env!("CARGO_PKG_VERSION"),
            path: E::PATH,
        };
        match response.result {
            Ok(body) => postcard::from_bytes(&body).map_err(|_| protocol()),
            Err(Fault::UnknownKey) => Err(protocol()),
            Err(fault) => Err(CallError::Fault { path: E::PATH, fault }),
        }
    }

    /// Gets a free channel for a stream.
    ///
    /// # Errors
    /// There is none, or the line is lost.
    pub fn reserve(&mut self) -> Result<u16, CallError> {
        self.send(&ToBroker::Reserve);
        loop {
            match self.next()? {
                Some(FromBroker::Reserved(channel)) => {
                    self.nr_streams += usize::from(channel.is_some());
                    return channel.ok_or(CallError::NoChannel);
                }
                Some(message) => self.keep(message),
                None => {}
            }
        }
    }

    /// Sends bytes on a stream, and waits until the broker has taken them. What comes meanwhile is read and kept: the broker
    /// takes nothing from a client that does not read.
    ///
    /// # Errors
    /// The line is lost, or a signal came, or [`MOST_WAITING`] bytes came: no peer of ours says so much while it is talked to.
    pub fn write(&mut self, channel: u16, bytes: &[u8]) -> Result<(), CallError> {
        self.send(&ToBroker::Data { channel, bytes: bytes.to_vec() });
        while !self.out.is_empty() {
            if let Some(message) = self.next()? {
                self.keep(message);
            }
            if self.nr_waiting > MOST_WAITING {
                return Err(CallError::Flooded { line: self.line.to_string() });
            }
        }
        Ok(())
    }

    /// Sends bytes on a stream without waiting: [`Client::event`] hands them on, as the broker takes them.
    pub fn queue(&mut self, channel: u16, bytes: &[u8]) {
        self.send(&ToBroker::Data { channel, bytes: bytes.to_vec() });
    }

    /// How many bytes the broker has not taken yet.
    pub fn nr_unsent(&self) -> usize {
        self.out.len()
    }

    /// Says that nothing more will be written to a stream.
    pub fn finish(&mut self, channel: u16) {
        self.send(&ToBroker::Finish { channel });
    }

    /// Gives a reserved channel up, with its stream.
    pub fn reset(&mut self, channel: u16) {
        self.nr_streams = self.nr_streams.saturating_sub(1);
        self.send(&ToBroker::Reset { channel });
    }

    /// Waits for whatever happens next: an answer, bytes of a stream, `extra` being readable, everything being sent, `until`
    /// having come.
    ///
    /// `extra` and the rest take turns: what a guest prints without end must not keep its user from being heard, nor a pipe
    /// without end what the guest prints from being shown. Nor does either keep bytes from being sent, or a signal from being
    /// heard.
    ///
    /// # Errors
    /// The line is lost, or a signal came.
    pub fn event(
        &mut self,
        extra: Option<BorrowedFd<'_>>,
        until: Option<Instant>,
    ) -> Result<Event, CallError> {
        let had_output = !self.out.is_empty();
        loop {
            let is_their_turn = std::mem::take(&mut self.had_extra);
            if !is_their_turn && extra.is_some_and(is_readable) {
                self.had_extra = true;
                self.check_limits(None)?;
                // A broker that is gone is found by the next wait, which hears its last words too.
                let _ = self.try_write();
                return Ok(Event::Extra);
            }
            let message = match self.waiting.pop_front() {
                Some(message) => {
                    self.nr_waiting -= stream_bytes(&message);
                    Some(message)
                }
                None if had_output && self.out.is_empty() => return Ok(Event::Sent),
                None => self.receive(extra, until)?,
            };
            match message {
                Some(FromBroker::Answer(response)) => return Ok(Event::Answer(response)),
                Some(FromBroker::Data { channel, bytes }) => return Ok(Event::Data(channel, bytes)),
                Some(FromBroker::End { channel }) => return Ok(Event::End(channel)),
                Some(FromBroker::Reset { channel }) => return Ok(Event::Reset(channel)),
                Some(message) => self.keep(message),
                None if until.is_some_and(|until| Instant::now() >= until) => return Ok(Event::Deadline),
                None => {}
            }
        }
    }

    fn keep(&mut self, message: FromBroker) {
        match message {
            FromBroker::Welcome(welcome) => self.welcome = Some(welcome),
            other => {
                self.nr_waiting += stream_bytes(&other);
                self.waiting.push_back(other);
            }
        }
    }

    fn send(&mut self, message: &ToBroker) {
        self.out = encode(message, std::mem::take(&mut self.out));
    }

    /// A broker went away in mid-call: finds another. The call may only go on if the control domain is the same.
    fn reconnect(&mut self, reason: &str) -> Result<(), CallError> {
        let before = self.welcome.take();
        let broker = |reason: String| CallError::Broker { line: self.line.to_string(), reason };
        self.socket =
            start::connect(&self.line, &self.place).map_err(|error| broker(format!("{reason}; {error}")))?;
        self.socket.set_nonblocking(true)?;
        self.decoder = Decoder::default();
        self.out.clear();
        self.opened = Instant::now();
        let now = self.welcome()?.greeting.boot_id;
        match before {
            Some(before) if before.greeting.boot_id != now => Err(self.lost(Lost::Restarted)),
            _ => Ok(()),
        }
    }

    /// The control domain is lost; of a lab it is known what became of the machine.
    fn lost(&self, reason: Lost) -> CallError {
        let detail = match (&self.line, &reason) {
            (Line::Lab(name), Lost::LineClosed | Lost::LineError(_)) => Some(how_it_ended(&LabDir::of(name))),
            _ => None,
        };
        CallError::Lost { line: self.line.to_string(), reason, detail }
    }

    fn broker_gone(&self, reason: &str) -> CallError {
        CallError::Broker { line: self.line.to_string(), reason: reason.into() }
    }
}

/// How many bytes of a stream a message brings.
fn stream_bytes(message: &FromBroker) -> usize {
    match message {
        FromBroker::Data { bytes, .. } => bytes.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
