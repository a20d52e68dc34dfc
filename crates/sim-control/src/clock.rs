//! Time that passes only when it is told to.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Nanoseconds since the machine started, and who waits for them.
pub(crate) struct Clock {
    now_ns: Cell<u64>,
    next_id: Cell<u64>,
    sleepers: RefCell<BTreeMap<(u64, u64), Waker>>,
}

impl Clock {
    pub(crate) fn new(now_ns: u64) -> Self {
        Self { now_ns: Cell::new(now_ns), next_id: Cell::new(0), sleepers: RefCell::default() }
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.now_ns.get()
    }

    /// Waits until it is so late.
    pub(crate) async fn sleep_until(&self, deadline_ns: u64) {
        let id = self.next_id.replace(self.next_id.get() + 1);
        let entry = Entry { clock: self, key: (deadline_ns, id) };
        poll_fn(|context| {
            if self.now_ns() >= deadline_ns {
                return Poll::Ready(());
            }
            self.sleepers.borrow_mut().insert(entry.key, context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Lets time pass, and wakes whose time has come.
    pub(crate) fn pass(&self, span_ns: u64) {
        self.now_ns.set(self.now_ns() + span_ns);
        loop {
            let due = {
                let mut sleepers = self.sleepers.borrow_mut();
                match sleepers.first_key_value() {
                    Some((&(deadline, _), _)) if deadline <= self.now_ns() => sleepers.pop_first(),
                    _ => return,
                }
            };
            due.into_iter().for_each(|(_, waker)| waker.wake());
        }
    }

    /// Lets time pass until somebody's has come. Says whether anybody waits.
    pub(crate) fn jump(&self) -> bool {
        let first = self.sleepers.borrow().first_key_value().map(|(&(deadline, _), _)| deadline);
        let Some(deadline) = first else { return false };
        self.pass(deadline.saturating_sub(self.now_ns()));
        true
    }
}

/// Takes a sleeper off the list when its future is dropped early.
struct Entry<'c> {
    clock: &'c Clock,
    key: (u64, u64),
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.clock.sleepers.borrow_mut().remove(&self.key);
    }
}
