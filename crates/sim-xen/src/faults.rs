//! Failures on demand, and counting.

use std::collections::BTreeMap;

use xen_abi::Errno;

use crate::SimXen;

/// What shall fail, and what has happened.
#[derive(Default)]
pub(crate) struct Faults {
    nth: Option<(u64, Errno)>,
    next: Vec<(String, Errno)>,
    late: Vec<(String, Errno)>,
    element: Option<(String, usize, Errno)>,
    injected: u64,
}

/// What has come through the door.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) exits: u64,
    pub(crate) hypercalls: u64,
    pub(crate) by_op: BTreeMap<&'static str, u64>,
}

impl Faults {
    /// Shall the operation that comes now fail?
    pub(crate) fn strike(&mut self, op: &str) -> Option<Errno> {
        let planned = match &mut self.nth {
            Some((0, errno)) => {
                let errno = *errno;
                self.nth = None;
                Some(errno)
            }
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        };
        let named = self.next.iter().position(|(name, _)| name == op).map(|n| self.next.remove(n).1);
        let errno = planned.or(named);
        self.injected += u64::from(errno.is_some());
        errno
    }

    /// Shall the operation that was just carried out seem to have failed?
    pub(crate) fn strike_late(&mut self, op: &str) -> Option<Errno> {
        let n = self.late.iter().position(|(name, _)| name == op)?;
        self.injected += 1;
        Some(self.late.remove(n).1)
    }

    /// The element of `op` that shall fail, if one shall.
    pub(crate) fn element(&mut self, op: &str, count: usize) -> Option<(usize, Errno)> {
        let (name, n, errno) = self.element.take()?;
        if name == op && n < count {
            self.injected += 1;
            return Some((n, errno));
        }
        self.element = Some((name, n, errno));
        None
    }
}

impl SimXen {
    /// Makes the `n`-th hypercall from now fail, 0 being the next. A multicall counts, and each call in it.
    pub fn fail_nth(&self, n: u64, errno: Errno) {
        self.state().faults.nth = Some((n, errno));
    }

    /// Makes the next hypercall of this C name (`XEN_DOMCTL_max_mem`) fail. Several may be planned.
    pub fn fail_next(&self, op: &str, errno: Errno) {
        self.state().faults.next.push((op.into(), errno));
    }

    /// Makes the next hypercall of this C name fail when it has done its work.
    pub fn fail_late(&self, op: &str, errno: Errno) {
        self.state().faults.late.push((op.into(), errno));
    }

    /// Makes the `n`-th element of the next hypercall of this C name that has so many fail: a page of
    /// `XENMEM_add_to_physmap_batch`, an extent of `XENMEM_populate_physmap` or `XENMEM_decrease_reservation`
    /// (which stops there).
    pub fn fail_element(&self, op: &str, n: usize, errno: Errno) {
        self.state().faults.element = Some((op.into(), n, errno));
    }

    /// Forgets all planned failures.
    pub fn clear_faults(&self) {
        let mut state = self.state();
        let injected = state.faults.injected;
        state.faults = Faults { injected, ..Faults::default() };
    }

    /// How many planned failures have happened.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.state().faults.injected
    }

    /// How often the caller came through the door: a multicall counts once.
    #[must_use]
    pub fn exits(&self) -> u64 {
        self.state().counts.exits
    }

    /// How many hypercalls there were: a multicall counts for what is in it.
    #[must_use]
    pub fn hypercalls(&self) -> u64 {
        self.state().counts.hypercalls
    }

    /// How many hypercalls there were of this C name.
    #[must_use]
    pub fn count(&self, op: &str) -> u64 {
        self.state().counts.by_op.get(op).copied().unwrap_or(0)
    }

    /// How many hypercalls there were, by C name.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.state().counts.by_op.clone()
    }

    /// Counts from zero again.
    pub fn reset_counts(&self) {
        self.state().counts = Counts::default();
    }
}
