//! The time: nanoseconds since Xen started, and timers on it.
//!
//! Xen publishes a pair (its time, the processor's cycle counter then) and a scale; reading the time costs no
//! exit. One timer is programmed in Xen, for the earliest deadline, just before halting and only if it changed. What
//! was programmed counts until Xen says that it fired, not until our clock has passed it: the two may differ by
//! a little, and a halt in between would miss the deadline for ever.

use alloc::collections::BTreeMap;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Poll, Waker};

use hypercall::{Xen, calls};

use crate::events::Port;
use crate::machine::Machine;
use crate::shared_info::SharedInfo;

/// The clock and everybody who waits for it.
pub struct Clock {
    shared: SharedInfo,
    xen: &'static Xen<Machine>,
    sleepers: RefCell<BTreeMap<(u64, u64), Waker>>,
    next_id: Cell<u64>,
    /// Xen's timer fired.
    timer: Port,
    /// What Xen's timer is set to; `u64::MAX` when it is not.
    programmed: Cell<u64>,
}

impl Clock {
    /// A clock on Xen's time. `timer` is where `VIRQ_TIMER` was bound.
    pub fn new(shared: SharedInfo, xen: &'static Xen<Machine>, timer: Port) -> Self {
        Self {
            shared,
            xen,
            sleepers: RefCell::default(),
            next_id: Cell::new(0),
            timer,
            programmed: Cell::new(u64::MAX),
        }
    }

    /// Nanoseconds since Xen started.
    pub fn now_ns(&self) -> u64 {
        self.shared.system_time_ns()
    }

    /// Microseconds since Xen started.
    pub fn now_us(&self) -> u64 {
        self.now_ns() / 1000
    }

    /// Milliseconds since 1970, by the machine's real-time clock as Xen read it at boot or was told since.
    pub fn unix_ms(&self) -> u64 {
        self.shared.boot_unix_ns().saturating_add(self.now_ns()) / 1_000_000
    }

    /// Waits until [`Self::now_ns`] is at least `deadline_ns`.
    pub async fn sleep_until(&self, deadline_ns: u64) {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let _entry = Entry { clock: self, key: (deadline_ns, id) };
        poll_fn(|context| {
            if self.now_ns() >= deadline_ns {
                return Poll::Ready(());
            }
            self.sleepers.borrow_mut().insert((deadline_ns, id), context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Wakes everybody whose time has come.
    pub fn dispatch(&self) {
        if self.timer.take() {
            self.programmed.set(u64::MAX);
        }
        let now = self.now_ns();
        loop {
            // The borrow ends before waking.
            let waker = {
                let mut sleepers = self.sleepers.borrow_mut();
                match sleepers.first_key_value() {
                    Some((&(deadline, _), _)) if deadline <= now => sleepers.pop_first(),
                    _ => break,
                }
            };
            if let Some((_, waker)) = waker {
                waker.wake();
            }
        }
    }

    /// Sets Xen's timer for the earliest deadline, if that is not what it is set to.
    pub fn program(&self) {
        let earliest =
            self.sleepers.borrow().first_key_value().map_or(u64::MAX, |(&(deadline, _), _)| deadline);
        // A timer that fires for nothing is cheaper than a hypercall to take it back each time.
        if earliest < self.programmed.get() {
            match self.xen.run(calls::sched::set_timer(earliest)) {
                Ok(()) => self.programmed.set(earliest),
                Err(error) => log::error!("{error}"),
            }
        }
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
