//! Where the time and the exits of a longer piece of work went.
//!
//! Other tasks run while a piece of work gives way, and their hypercalls are not its own. So the meter is stopped
//! around every await: [`Meter::give_way`] is the only way to wait under it.

use alloc::vec::Vec;

use hypercall::{Counters, Door, Xen};
use proto::domain::Phase;

use crate::platform::Platform;

/// See the module's page.
#[derive(Debug)]
pub(crate) struct Meter {
    phases: Vec<Phase>,
    phase_began_ns: u64,
    /// Spent up to the last stop.
    spent: Counters,
    /// What the hypervisor's counters stood at when the meter was started last.
    mark: Counters,
}

impl Meter {
    pub(crate) fn start<M: Door>(xen: &Xen<M>, now_ns: u64) -> Self {
        Self { phases: Vec::new(), phase_began_ns: now_ns, spent: Counters::default(), mark: xen.counters() }
    }

    /// Ends a phase, which began where the one before ended.
    pub(crate) fn phase(&mut self, name: &str, now_ns: u64) {
        let us = now_ns.saturating_sub(self.phase_began_ns) / 1000;
        self.phases.push(Phase { name: name.into(), us: u32::try_from(us).unwrap_or(u32::MAX) });
        self.phase_began_ns = now_ns;
    }

    /// Lets other tasks run.
    pub(crate) async fn give_way<M: Door, R>(&mut self, xen: &Xen<M>, platform: &impl Platform<R>) {
        self.spent = self.spent(xen);
        platform.yield_now().await;
        self.mark = xen.counters();
    }

    /// The phases up to now.
    pub(crate) fn phases(self) -> Vec<Phase> {
        self.phases
    }

    /// What was spent up to now.
    pub(crate) fn spent<M: Door>(&self, xen: &Xen<M>) -> Counters {
        let now = xen.counters();
        Counters {
            exits: self.spent.exits + (now.exits - self.mark.exits),
            hypercalls: self.spent.hypercalls + (now.hypercalls - self.mark.hypercalls),
        }
    }
}
