//! Shared memory and event channels for tests on a host.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use core::task::{Poll, Waker};
use std::sync::Mutex;

use crate::{EventChannel, Shared};

extern crate std;

/// Memory that several parties may hold: a clone is the same memory.
#[derive(Clone, Debug)]
pub struct Memory(Arc<[AtomicU32]>);

impl Memory {
    /// `bytes` zero bytes (rounded up to a word).
    pub fn new(bytes: usize) -> Self {
        Memory((0..bytes.div_ceil(4)).map(|_| AtomicU32::new(0)).collect())
    }
}

impl Shared for Memory {
    fn load_u32(&self, offset: usize) -> u32 {
        assert!(offset.is_multiple_of(4), "unaligned index at {offset}");
        u32::from_le(self.0[offset / 4].load(Ordering::Acquire))
    }

    fn store_u32(&self, offset: usize, value: u32) {
        assert!(offset.is_multiple_of(4), "unaligned index at {offset}");
        self.0[offset / 4].store(value.to_le(), Ordering::Release);
    }

    fn read(&self, offset: usize, into: &mut [u8]) {
        for (at, byte) in (offset..).zip(into) {
            *byte = self.0[at / 4].load(Ordering::Relaxed).to_ne_bytes()[at % 4];
        }
    }

    fn write(&self, offset: usize, from: &[u8]) {
        for (at, &byte) in (offset..).zip(from) {
            let put = |word: u32| {
                let mut bytes = word.to_ne_bytes();
                bytes[at % 4] = byte;
                Some(u32::from_ne_bytes(bytes))
            };
            // The closure always answers Some, so this cannot fail.
            let _ = self.0[at / 4].fetch_update(Ordering::Relaxed, Ordering::Relaxed, put);
        }
    }
}

#[derive(Debug, Default)]
struct Bell {
    rung: AtomicBool,
    count: AtomicUsize,
    sleepers: Mutex<Vec<Waker>>,
}

impl Bell {
    fn ring(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.rung.store(true, Ordering::Release);
        let sleepers =
            core::mem::take(&mut *self.sleepers.lock().expect("no test panics with the lock held"));
        sleepers.into_iter().for_each(Waker::wake);
    }
}

/// One end of an event channel in memory. A clone is the same end.
#[derive(Clone, Debug)]
pub struct Port {
    ours: Arc<Bell>,
    theirs: Arc<Bell>,
}

impl Port {
    /// Both ends of a new channel.
    pub fn pair() -> (Port, Port) {
        let (a, b) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
        (Port { ours: a.clone(), theirs: b.clone() }, Port { ours: b, theirs: a })
    }

    /// How often the peer has notified this end.
    pub fn notified(&self) -> usize {
        self.ours.count.load(Ordering::Relaxed)
    }
}

impl EventChannel for Port {
    async fn wait(&self) {
        poll_fn(|cx| {
            self.ours.sleepers.lock().expect("no test panics with the lock held").push(cx.waker().clone());
            // Looked at after the waker is in place, so that no notification falls between the two.
            if self.ours.rung.swap(false, Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn notify(&self) {
        self.theirs.ring();
    }
}

#[cfg(test)]
mod tests {
    use core::pin::pin;
    use core::task::Context;

    use super::*;

    #[test]
    fn bytes_and_words_are_the_same_memory() {
        let memory = Memory::new(8);
        memory.store_u32(4, 0x0403_0201);
        let mut bytes = [0; 5];
        memory.read(3, &mut bytes);
        assert_eq!(bytes, [0, 1, 2, 3, 4]);
        memory.write(5, &[9]);
        assert_eq!(memory.load_u32(4), 0x0403_0901);
    }

    #[test]
    fn a_notification_before_the_wait_is_not_lost() {
        let (a, b) = Port::pair();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(pin!(a.wait()).poll(&mut cx).is_pending());
        b.notify();
        b.notify();
        assert!(pin!(a.wait()).poll(&mut cx).is_ready());
        assert!(pin!(a.wait()).poll(&mut cx).is_pending());
        assert_eq!((a.notified(), b.notified()), (2, 0));
    }
}
