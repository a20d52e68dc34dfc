//! What was left behind.

use std::collections::BTreeSet;

use xen_abi::{DomId, EvtchnPort};

use crate::SimXen;
use crate::domain::Frame;
use crate::state::State;

/// What there was at a moment, to compare with later.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    domains: BTreeSet<DomId>,
    ports: BTreeSet<EvtchnPort>,
    free_pages: u64,
    own_pages: u64,
    mapped: usize,
    lent: usize,
}

impl State {
    fn snapshot(&self) -> Snapshot {
        let own = &self.domains[&DomId(0)];
        let mapped = own.memory.values().filter(|frame| matches!(frame, Frame::Foreign(..))).count();
        Snapshot {
            domains: self.domains.keys().copied().collect(),
            ports: own.ports.open.keys().copied().collect(),
            free_pages: self.free_pages(),
            own_pages: own.pages,
            mapped,
            lent: self.lent,
        }
    }
}

impl SimXen {
    /// What there is now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.state().snapshot()
    }

    /// What there is more, or less, than at that moment: a line each.
    #[must_use]
    pub fn leaks(&self, before: &Snapshot) -> Vec<String> {
        let now = self.snapshot();
        let mut leaks = Vec::new();
        leaks.extend(now.domains.symmetric_difference(&before.domains).map(|dom| {
            let state = self.state();
            let fate = state.domains.get(dom).map_or("gone", |d| if d.dying { "dying" } else { "left" });
            format!("domain {dom}: {fate}")
        }));
        leaks.extend(
            now.ports.symmetric_difference(&before.ports).map(|port| format!("{port:?} of domain 0")),
        );
        let mut number = |what: &str, before: u64, now: u64| {
            if before != now {
                leaks.push(format!("{what}: {before} before, {now} now"));
            }
        };
        number("free pages of the host", before.free_pages, now.free_pages);
        number("pages of domain 0", before.own_pages, now.own_pages);
        number("foreign pages mapped", before.mapped as u64, now.mapped as u64);
        number("aperture frames lent", before.lent as u64, now.lent as u64);
        leaks
    }

    /// Demands that all is as it was at that moment.
    ///
    /// # Panics
    /// It is not; the message lists what differs.
    #[track_caller]
    pub fn assert_clean(&self, before: &Snapshot) {
        let leaks = self.leaks(before);
        assert!(leaks.is_empty(), "left behind: {leaks:#?}");
    }
}
