//! One open stream.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt;
use core::future::poll_fn;
use core::task::Poll;

use super::Line;
use super::inbox::Inbox;
use crate::event::Channel;

/// The other end threw the stream away, or the session that carried it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stream is broken")
    }
}

impl core::error::Error for Broken {}

/// One open stream. Dropped without [`Self::close`] it is thrown away both ways.
///
/// Once it is broken, its number may be that of a newer stream: nothing more is said to the link about it.
#[derive(Debug)]
pub struct Stream {
    line: Rc<Line>,
    channel: Channel,
    inbox: Rc<Inbox>,
    closed: bool,
}

impl Stream {
    pub(super) fn new(line: Rc<Line>, channel: Channel, inbox: Rc<Inbox>) -> Self {
        Self { line, channel, inbox, closed: false }
    }

    /// Waits for bytes and appends all that are there to `out`; returns how many, 0 at the stream's end.
    ///
    /// # Errors
    /// [`Broken`] once everything that came before has been read.
    pub async fn read(&self, out: &mut Vec<u8>) -> Result<usize, Broken> {
        poll_fn(|context| {
            let count = self.take_bytes(out);
            if count > 0 {
                return Poll::Ready(Ok(count));
            }
            if self.inbox.is_broken() {
                return Poll::Ready(Err(Broken));
            }
            if self.inbox.has_ended() {
                return Poll::Ready(Ok(0));
            }
            self.inbox.register(context.waker());
            Poll::Pending
        })
        .await
    }

    fn take_bytes(&self, out: &mut Vec<u8>) -> usize {
        let count = self.inbox.take(out);
        if count > 0 && !self.inbox.is_broken() {
            self.line.consumed(self.channel, count);
        }
        count
    }

    /// Writes all of `bytes`, waiting for the peer's credit where it takes that.
    ///
    /// # Errors
    /// [`Broken`]; an unknown part of the bytes may have been sent.
    pub async fn write_all(&self, mut bytes: &[u8]) -> Result<(), Broken> {
        poll_fn(|context| {
            while !bytes.is_empty() {
                if self.inbox.is_broken() {
                    return Poll::Ready(Err(Broken));
                }
                let taken = self.line.link.borrow_mut().stream_write(self.channel, bytes);
                let Ok(taken) = taken else { return Poll::Ready(Err(Broken)) };
                if taken == 0 {
                    self.inbox.register(context.waker());
                    return Poll::Pending;
                }
                self.line.kick();
                bytes = &bytes[taken..];
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Waits until nothing goes either way any more: for those that wait for something else meanwhile.
    pub async fn broken(&self) {
        poll_fn(|context| {
            if self.inbox.is_broken() {
                return Poll::Ready(());
            }
            self.inbox.register(context.waker());
            Poll::Pending
        })
        .await;
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
        self.line.kick();
    }
}
