//! Changes in what domains use, not booked yet.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::node::Node;
use crate::perms::Party;
use crate::save::saved;
use crate::sweep::{Shared, Sweep};
use crate::tree::nodes;

/// How many removed nodes a ledger counts when they are removed: whatever a guest may own by its quota. A larger subtree is counted
/// later, piece by piece.
pub(crate) const COUNT_AT_ONCE: usize = 1024;

/// Nodes and bytes, by whose they are.
type Sums = Vec<(Party, isize, isize)>;

/// What one change, or one transaction, gives to and takes from domains.
#[derive(Debug)]
pub(crate) struct Ledger {
    sums: Sums,
    /// Removed nodes that are not in the sums yet.
    pub(crate) uncounted: Sweep,
    /// Bytes of the removed nodes that are.
    pub(crate) removed: usize,
    at_once: usize,
    /// Bytes that are charged to somebody already for what is done here: so much is not refused for what others took of the pool
    /// meanwhile.
    pub(crate) reserved: usize,
}

saved!(Ledger { sums, uncounted, removed, at_once, reserved });

impl Default for Ledger {
    fn default() -> Self {
        Ledger {
            sums: Vec::new(),
            uncounted: Sweep::default(),
            removed: 0,
            at_once: COUNT_AT_ONCE,
            reserved: 0,
        }
    }
}

impl Ledger {
    /// A ledger that counts no removed nodes itself.
    pub(crate) fn for_later() -> Self {
        Ledger { at_once: 0, ..Ledger::default() }
    }

    /// A ledger of things for which so many bytes are charged already.
    pub(crate) fn reserving(reserved: usize) -> Self {
        Ledger { reserved, ..Ledger::default() }
    }

    pub(crate) fn add(&mut self, party: Party, nodes: isize, memory: isize) {
        add(&mut self.sums, party, nodes, memory);
    }

    /// Takes a removed subtree from its owners. It is counted where it lies, since others have it too: to take apart what is shared is to
    /// copy it.
    pub(crate) fn remove(&mut self, gone: Arc<Node>) {
        if !self.uncounted.is_empty() {
            return self.uncounted.push(gone);
        }
        let Some((sums, counted, removed)) = sums_of(&gone, self.at_once) else {
            return self.uncounted.push(gone);
        };
        self.at_once -= counted;
        self.removed += removed;
        sums.into_iter().for_each(|(party, nodes, memory)| self.add(party, nodes, memory));
    }

    /// How many nodes were counted when they were removed.
    pub(crate) fn counted_at_once(&self) -> usize {
        COUNT_AT_ONCE.saturating_sub(self.at_once)
    }

    /// Counts up to `most` more of the removed nodes; returns how many.
    pub(crate) fn count(&mut self, most: usize) -> usize {
        let Ledger { sums, uncounted, .. } = self;
        let (counted, removed) = count(uncounted, most, |party, _, nodes, memory| {
            add(sums, party, -(nodes as isize), -(memory as isize));
        });
        self.removed += removed;
        counted
    }

    pub(crate) fn of(&self, party: Party) -> (isize, isize) {
        let found = self.sums.iter().find(|(other, ..)| *other == party);
        found.map_or((0, 0), |&(_, nodes, memory)| (nodes, memory))
    }

    /// Whether so many bytes more are reserved.
    pub(crate) fn has_reserved(&self, memory: isize) -> bool {
        let growth: isize = self.sums.iter().map(|(.., memory)| (*memory).max(0)).sum();
        growth + memory <= self.reserved.cast_signed()
    }

    pub(crate) fn sums(&self) -> impl Iterator<Item = (Party, isize, isize)> {
        self.sums.iter().copied()
    }
}

fn add(sums: &mut Sums, party: Party, nodes: isize, memory: isize) {
    // Few parties take part in anything: looking through all is the fastest.
    match sums.iter_mut().find(|(other, ..)| *other == party) {
        Some((_, sum_nodes, sum_memory)) => {
            *sum_nodes += nodes;
            *sum_memory += memory;
        }
        None => sums.push((party, nodes, memory)),
    }
}

/// What a removed subtree gives back to whom, how many nodes it has, and their bytes. None: it has more than `most` nodes.
fn sums_of(gone: &Node, most: usize) -> Option<(Sums, usize, usize)> {
    let (mut sums, mut counted, mut removed) = (Sums::new(), 0, 0);
    for node in nodes(gone) {
        if counted == most {
            return None;
        }
        let cost = node.cost();
        add(&mut sums, node.perms.owner(), -1, -cost.cast_signed());
        (counted, removed) = (counted + 1, removed + cost);
    }
    Some((sums, counted, removed))
}

/// Counts up to `most` removed nodes, and tells whose they were: owner, generation, nodes, bytes. Returns how many, and their bytes
/// together.
pub(crate) fn count(
    removed: &mut Sweep,
    most: usize,
    mut refund: impl FnMut(Party, u64, usize, usize),
) -> (usize, usize) {
    let (mut counted, mut bytes) = (0, 0);
    // Neighbours mostly have the same owner and age: one refund for all of them.
    let mut run: Option<(Party, u64, usize, usize)> = None;
    while counted < most
        && let Some((owner, made, cost)) = removed.next(Shared::Visit)
    {
        counted += 1;
        bytes += cost;
        run = Some(match run {
            Some((party, generation, nodes, memory)) if (party, generation) == (owner, made) => {
                (party, generation, nodes + 1, memory + cost)
            }
            other => {
                if let Some((party, generation, nodes, memory)) = other {
                    refund(party, generation, nodes, memory);
                }
                (owner, made, 1, cost)
            }
        });
    }
    if let Some((party, generation, nodes, memory)) = run {
        refund(party, generation, nodes, memory);
    }
    (counted, bytes)
}
