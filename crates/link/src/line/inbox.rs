//! What has arrived on a stream, and who waits for more.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::task::Waker;

use super::wakers::Wakers;

/// One stream, as the link's events tell of it. The credit bounds the bytes: [`crate::Config::stream_in`].
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: RefCell<VecDeque<u8>>,
    /// The peer will send nothing more.
    ended: Cell<bool>,
    /// Nothing goes either way any more.
    broken: Cell<bool>,
    /// Whoever waits for any change: to read, to write, or for the end of both.
    waiting: Wakers,
}

impl Inbox {
    pub(super) fn put(&self, bytes: &[u8]) {
        self.bytes.borrow_mut().extend(bytes);
        self.wake();
    }

    /// Appends all bytes that are there to `out`; returns how many.
    pub(super) fn take(&self, out: &mut Vec<u8>) -> usize {
        let mut bytes = self.bytes.borrow_mut();
        let count = bytes.len();
        out.extend(bytes.drain(..));
        count
    }

    pub(super) fn mark_ended(&self) {
        self.ended.set(true);
        self.wake();
    }

    pub(super) fn mark_broken(&self) {
        self.broken.set(true);
        self.wake();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    pub(super) fn register(&self, waker: &Waker) {
        self.waiting.register(waker);
    }

    pub(super) fn wake(&self) {
        self.waiting.wake();
    }
}
