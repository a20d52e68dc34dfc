//! A look at the host, with what changed since the one before.

use std::cmp::Ordering;

use proto::domain::DomainState;
use proto::top::{DomainUse, HostTop};

use super::columns::Sort;

/// A look, its domains in the order of showing.
pub(super) struct Look<'a> {
    /// What was answered.
    pub(super) top: &'a HostTop,
    /// Time since the look before, in nanoseconds.
    pub(super) span_ns: Option<u64>,
    /// The domains.
    pub(super) rows: Vec<Row<'a>>,
}

/// A domain in a look.
pub(super) struct Row<'a> {
    /// What it uses.
    pub(super) now: &'a DomainUse,
    /// What it used in the look before.
    pub(super) before: Option<&'a DomainUse>,
    /// Time since then, in seconds.
    span_s: f64,
    /// The machine's memory, in KiB.
    total_kib: u64,
}

impl<'a> Look<'a> {
    /// `before`: the look before, if there was one.
    pub(super) fn new(
        top: &'a HostTop,
        before: Option<&'a HostTop>,
        sort: Sort,
        dom0_first: bool,
    ) -> Look<'a> {
        // A control domain that was started anew has another clock.
        let before = before.filter(|before| before.at_ns < top.at_ns);
        let span_ns = before.map(|before| top.at_ns - before.at_ns);
        let mut rows: Vec<Row<'a>> = top
            .domains
            .iter()
            .map(|now| {
                let before = before.and_then(|before| before.domains.iter().find(|old| is_same(old, now)));
                // Of many domains each part was told at its own moment.
                let span_ns = before.map_or(0, |before| now.at_ns.saturating_sub(before.at_ns));
                Row { now, before, span_s: span_ns as f64 / 1e9, total_kib: top.total_memory_kib }
            })
            .collect();
        rows.sort_by(|a, b| {
            let is_first = |row: &Row<'_>| dom0_first && row.now.domid == 0;
            let order = if is_first(a) || is_first(b) { Ordering::Equal } else { sort.order(a, b) };
            is_first(b).cmp(&is_first(a)).then(order)
        });
        Look { top, span_ns, rows }
    }

    /// How many domains are in each state, counted as xentop does: each once.
    pub(super) fn states(&self) -> States {
        let mut states = States::default();
        for row in &self.rows {
            let state = row.now.state;
            let slot = [
                (DomainState::RUNNING, &mut states.running),
                (DomainState::BLOCKED, &mut states.blocked),
                (DomainState::PAUSED, &mut states.paused),
                (DomainState::SHUTDOWN, &mut states.shutdown),
                (DomainState::CRASHED, &mut states.crashed),
                (DomainState::DYING, &mut states.dying),
            ]
            .into_iter()
            .find(|(flag, _)| state.contains(*flag));
            if let Some((_, count)) = slot {
                *count += 1;
            }
        }
        states
    }
}

/// How many domains are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct States {
    pub(super) running: usize,
    pub(super) blocked: usize,
    pub(super) paused: usize,
    pub(super) shutdown: usize,
    pub(super) crashed: usize,
    pub(super) dying: usize,
}

/// The same life of a domain: an id may be used again, but never with less processor time.
fn is_same(old: &DomainUse, now: &DomainUse) -> bool {
    old.domid == now.domid && old.cpu_time_ns <= now.cpu_time_ns
}

impl Row<'_> {
    /// Processors' time used since the look before, in percent of one processor; 0 where there is none.
    pub(super) fn cpu_percent(&self) -> f64 {
        self.rate(|domain| domain.cpu_time_ns).map_or(0.0, |ns_per_s| ns_per_s / 1e7)
    }

    /// A part of the machine's memory, in percent.
    pub(super) fn memory_percent(&self, kib: u64) -> f64 {
        if self.total_kib == 0 { 0.0 } else { kib as f64 / self.total_kib as f64 * 100.0 }
    }

    /// How fast something grew since the look before, per second.
    pub(super) fn rate(&self, count: impl Fn(&DomainUse) -> u64) -> Option<f64> {
        let before = self.before.filter(|_| self.span_s > 0.0)?;
        Some(count(self.now).saturating_sub(count(before)) as f64 / self.span_s)
    }

    /// Bytes that went out by all interfaces.
    pub(super) fn sent(&self) -> u64 {
        self.now.networks.iter().map(|network| network.sent.bytes).sum()
    }

    /// Bytes that came in by all interfaces.
    pub(super) fn received(&self) -> u64 {
        self.now.networks.iter().map(|network| network.received.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{domain, host, two_looks};
    use super::*;

    #[test]
    fn percentages_are_of_the_control_domains_time() {
        let (first, second) = two_looks();
        let look = Look::new(&second, Some(&first), Sort::default(), true);
        assert_eq!(look.span_ns, Some(3_000_000_000));
        let percent: Vec<f64> = look.rows.iter().map(Row::cpu_percent).collect();
        assert!((percent[0] - 1.0).abs() < 1e-9 && (percent[1] - 99.2).abs() < 1e-9, "{percent:?}");
    }

    #[test]
    fn the_first_look_has_no_rates_and_neither_has_a_new_domain_nor_a_new_control_domain() {
        let (first, second) = two_looks();
        let alone = Look::new(&first, None, Sort::default(), false);
        assert!(alone.span_ns.is_none() && alone.rows.iter().all(|row| row.cpu_percent() == 0.0));
        let backwards = Look::new(&first, Some(&second), Sort::default(), false);
        assert!(backwards.span_ns.is_none() && backwards.rows.iter().all(|row| row.before.is_none()));
        // The id is the same, the domain is another.
        let reborn = host(5_000_000_000, vec![domain(7, "other")]);
        assert_eq!(Look::new(&reborn, Some(&second), Sort::default(), false).rows[0].cpu_percent(), 0.0);
    }

    #[test]
    fn domain_0_is_first_where_that_is_asked_for() {
        let top = host(1, vec![domain(0, "Domain-0"), domain(1, "aaa"), domain(2, "bbb")]);
        let ids = |first| {
            let look = Look::new(&top, None, Sort::default(), first);
            look.rows.iter().map(|row| row.now.domid).collect::<Vec<_>>()
        };
        assert_eq!(ids(false), [1, 2, 0]);
        assert_eq!(ids(true), [0, 1, 2]);
    }

    #[test]
    fn each_domain_is_counted_once() {
        let mut domains = vec![domain(0, "a"), domain(1, "b"), domain(2, "c"), domain(3, "d")];
        domains[0].state = DomainState::RUNNING;
        domains[1].state = DomainState::BLOCKED | DomainState::PAUSED;
        domains[2].state = DomainState::CRASHED;
        domains[3].state = DomainState::empty();
        let top = host(1, domains);
        let states = Look::new(&top, None, Sort::default(), false).states();
        assert_eq!(states, States { running: 1, blocked: 1, crashed: 1, ..States::default() });
    }
}
