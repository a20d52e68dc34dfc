//! The link, shared by all tasks: messages out and in, and streams as things that can be awaited.
//!
//! [`crate::tasks::line`] moves bytes between the UART and the [`Link`] in here; everybody else calls
//! [`Line::send`] or opens a [`Stream`]. Each call that leaves something to transmit kicks that task.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use link::{Channel, Config, Event, Link, SendError, StreamError};

/// Wakes one task; remembers one wake-up that came early.
pub type Wake = Signal<NoopRawMutex, ()>;

/// The link and its streams.
pub struct Line {
    link: RefCell<Link>,
    kick: Wake,
    streams: RefCell<BTreeMap<Channel, Rc<Inbox>>>,
}

/// What has arrived on a stream.
#[derive(Default)]
struct Inbox {
    state: RefCell<InboxState>,
    readable: Wake,
    writable: Wake,
    /// It is broken. Of its own, since a signal wakes one who waits.
    gone: Wake,
}

#[derive(Default)]
struct InboxState {
    bytes: VecDeque<u8>,
    /// The peer will send nothing more.
    ended: bool,
    /// Nothing goes either way any more.
    broken: bool,
}

/// The other end threw the stream away, or the link broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl Line {
    /// Shares a link.
    pub fn new(link: Link) -> Self {
        Self { link: RefCell::new(link), kick: Wake::new(), streams: RefCell::default() }
    }

    /// How many streams may be open at once.
    pub fn most_streams(&self) -> u16 {
        Config::kernel().streams as u16
    }

    /// Waits until somebody has left something to transmit.
    pub async fn kicked(&self) {
        self.kick.wait().await;
    }

    /// Says that there is something to transmit.
    pub fn kick(&self) {
        self.kick.signal(());
    }

    /// Works on the link itself: for the task that drives it.
    pub fn with_link<R>(&self, work: impl FnOnce(&mut Link) -> R) -> R {
        work(&mut self.link.borrow_mut())
    }

    /// Sends a message.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send(&self, message: Vec<u8>) -> Result<(), SendError> {
        self.kick.signal(());
        self.link.borrow_mut().send_message(message)
    }

    /// Opens our end of a stream that the peer named.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub fn open(self: &Rc<Self>, channel: Channel) -> Result<Stream, StreamError> {
        self.link.borrow_mut().stream_open(channel)?;
        let inbox = Rc::new(Inbox::default());
        self.streams.borrow_mut().insert(channel, inbox.clone());
        self.kick.signal(());
        Ok(Stream { line: self.clone(), channel, inbox, closed: false })
    }

    /// Hands an event of the link to the stream that it concerns; gives back those that concern none.
    pub fn deliver(&self, event: Event) -> Option<Event> {
        match event {
            Event::StreamData(channel, bytes) => match self.inbox(channel) {
                Some(inbox) => {
                    inbox.state.borrow_mut().bytes.extend(bytes);
                    inbox.readable.signal(());
                }
                // We have closed it: used up at once, or the peer would never get to its own end.
                None => self.consumed(channel, bytes.len()),
            },
            Event::StreamEnd(channel) => {
                if let Some(inbox) = self.inbox(channel) {
                    inbox.state.borrow_mut().ended = true;
                    inbox.readable.signal(());
                }
            }
            Event::StreamReset(channel) => {
                let inbox = self.streams.borrow_mut().remove(&channel);
                if let Some(inbox) = inbox {
                    inbox.mark_broken();
                }
            }
            Event::Writable(channel) => {
                if let Some(inbox) = self.inbox(channel) {
                    inbox.writable.signal(());
                }
            }
            _ => return Some(event),
        }
        None
    }

    /// Breaks every stream: the session that carried them is gone. From now on their numbers may name others.
    pub fn break_streams(&self) {
        for inbox in self.streams.take().into_values() {
            inbox.mark_broken();
        }
    }

    fn inbox(&self, channel: Channel) -> Option<Rc<Inbox>> {
        self.streams.borrow().get(&channel).cloned()
    }

    fn consumed(&self, channel: Channel, count: usize) {
        self.link.borrow_mut().stream_consumed(channel, count);
        self.kick.signal(());
    }
}

impl Inbox {
    fn mark_broken(&self) {
        self.state.borrow_mut().broken = true;
        self.readable.signal(());
        self.writable.signal(());
        self.gone.signal(());
    }

    fn is_broken(&self) -> bool {
        self.state.borrow().broken
    }
}

/// One open stream. Dropped without [`Self::close`] it is thrown away both ways.
///
/// Once it is broken, its number may be that of a newer stream: nothing more is said to the link about it.
pub struct Stream {
    line: Rc<Line>,
    channel: Channel,
    inbox: Rc<Inbox>,
    closed: bool,
}

impl Stream {
    /// Waits for bytes and appends all that are there to `out`; returns how many, 0 at the stream's end.
    ///
    /// # Errors
    /// [`Broken`] once everything that came before has been read.
    pub async fn read(&self, out: &mut Vec<u8>) -> Result<usize, Broken> {
        loop {
            let count = self.take_bytes(out);
            if count > 0 {
                return Ok(count);
            }
            if self.inbox.is_broken() {
                return Err(Broken);
            }
            if self.inbox.state.borrow().ended {
                return Ok(0);
            }
            self.inbox.readable.wait().await;
        }
    }

    fn take_bytes(&self, out: &mut Vec<u8>) -> usize {
        let mut state = self.inbox.state.borrow_mut();
        let count = state.bytes.len();
        out.extend(state.bytes.drain(..));
        if count > 0 && !state.broken {
            self.line.consumed(self.channel, count);
        }
        count
    }

    /// Writes all of `bytes`, waiting for the peer's credit where it takes that.
    ///
    /// # Errors
    /// [`Broken`]; an unknown part of the bytes may have been sent.
    pub async fn write_all(&self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            if self.inbox.is_broken() {
                return Err(Broken);
            }
            let taken = self.line.link.borrow_mut().stream_write(self.channel, bytes).map_err(|_| Broken)?;
            bytes = &bytes[taken..];
            self.line.kick.signal(());
            if !bytes.is_empty() {
                self.inbox.writable.wait().await;
            }
        }
        Ok(())
    }

    /// Waits until nothing goes either way any more: for those that wait for something else meanwhile.
    pub async fn broken(&self) {
        while !self.inbox.is_broken() {
            self.inbox.gone.wait().await;
        }
    }

    /// Says that we write nothing more, and are not interested in what may still come.
    pub fn close(mut self) {
        if !self.inbox.is_broken() {
            self.take_bytes(&mut Vec::new());
            self.line.link.borrow_mut().stream_close(self.channel);
        }
        self.closed = true;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.inbox.is_broken() {
            return;
        }
        if !self.closed {
            self.line.link.borrow_mut().stream_reset(self.channel);
        }
        self.line.streams.borrow_mut().remove(&self.channel);
        self.line.kick.signal(());
    }
}
