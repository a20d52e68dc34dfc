//! A link that the tasks of one thread share: messages out and in, and streams as things that can be awaited.
//!
//! One task moves bytes between the line and the [`Link`] in here, and takes [`Line::next_event`] until there is none
//! before it lets others run: so that nobody opens a stream in a session whose beginning was not told yet. Everybody else
//! calls [`Line::send`] or opens a [`Stream`]. What leaves something to transmit wakes the first task, by [`Line::kicked`].
//!
//! No executor is named here: any that keeps to one thread will do, and the tests have one of a few lines.

mod inbox;
mod stream;
mod wakers;

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::Poll;

use crate::event::{Channel, DownReason, Event, SendError, StreamError};
use crate::link::Link;
use inbox::Inbox;
pub use stream::{Broken, Stream};
use wakers::Wakers;

/// The link and its streams. See the module's page.
#[derive(Debug)]
pub struct Line {
    link: RefCell<Link>,
    is_kicked: Cell<bool>,
    kick: Wakers,
    streams: RefCell<BTreeMap<Channel, Rc<Inbox>>>,
}

impl Line {
    /// Shares a link.
    #[must_use]
    pub fn new(link: Link) -> Self {
        Self {
            link: RefCell::new(link),
            is_kicked: Cell::new(false),
            kick: Wakers::default(),
            streams: RefCell::default(),
        }
    }

    // For the task that moves bytes.

    /// Works on the link itself: to receive, transmit and tick.
    pub fn with_link<R>(&self, work: impl FnOnce(&mut Link) -> R) -> R {
        work(&mut self.link.borrow_mut())
    }

    /// Waits until somebody has left something to transmit, since the last time.
    pub async fn kicked(&self) {
        poll_fn(|context| {
            if self.is_kicked.replace(false) {
                return Poll::Ready(());
            }
            self.kick.register(context.waker());
            Poll::Pending
        })
        .await;
    }

    /// The oldest event that is not a stream's; those before it are handed to the streams that they concern.
    ///
    /// When [`Event::Down`] is answered with any reason but [`DownReason::Lost`], all streams are broken already.
    pub fn next_event(&self) -> Option<Event> {
        loop {
            // The borrow ends here: most events make us call the link again.
            let event = self.link.borrow_mut().poll_event()?;
            match event {
                Event::StreamData(channel, bytes) => match self.inbox(channel) {
                    Some(inbox) => inbox.put(&bytes),
                    // We have closed it: used up at once, or the peer would never get to its own end.
                    None => self.consumed(channel, bytes.len()),
                },
                Event::StreamEnd(channel) => {
                    if let Some(inbox) = self.inbox(channel) {
                        inbox.mark_ended();
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
                        inbox.wake();
                    }
                }
                Event::Down(reason) => {
                    // Lost, the session may go on: what waits on its streams may wait on.
                    if reason != DownReason::Lost {
                        self.break_streams();
                    }
                    return Some(Event::Down(reason));
                }
                event @ (Event::Up { .. } | Event::Message(_) | Event::Foreign { .. }) => return Some(event),
            }
        }
    }

    /// Breaks every stream: the session that carried them is gone. From now on their numbers may name others.
    fn break_streams(&self) {
        for inbox in self.streams.take().into_values() {
            inbox.mark_broken();
        }
    }

    // For everybody.

    /// Says that there is something to transmit.
    pub fn kick(&self) {
        self.is_kicked.set(true);
        self.kick.wake();
    }

    /// Sends a message.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send(&self, message: Vec<u8>) -> Result<(), SendError> {
        self.link.borrow_mut().send_message(message)?;
        self.kick();
        Ok(())
    }

    /// Opens our end of a stream that the peer named.
    ///
    /// # Errors
    /// See [`StreamError`].
    pub fn open(self: &Rc<Self>, channel: Channel) -> Result<Stream, StreamError> {
        self.link.borrow_mut().stream_open(channel)?;
        let inbox = Rc::new(Inbox::default());
        self.streams.borrow_mut().insert(channel, inbox.clone());
        self.kick();
        Ok(Stream::new(self.clone(), channel, inbox))
    }

    /// How many streams may be open at once.
    pub fn most_streams(&self) -> usize {
        self.link.borrow().config.streams
    }

    fn inbox(&self, channel: Channel) -> Option<Rc<Inbox>> {
        self.streams.borrow().get(&channel).cloned()
    }

    fn consumed(&self, channel: Channel, count: usize) {
        self.link.borrow_mut().stream_consumed(channel, count);
        self.kick();
    }
}
