//! A version of the store that somebody works on, with what has been done to it so far.

use alloc::vec::Vec;

use crate::domain::Domains;
use crate::ledger::Ledger;
use crate::ops::{Change, ChangeKind, Desk, Snapshots};
use crate::save::saved;
use crate::sweep::Sweep;
use crate::tree::Tree;

/// Work that is not visible yet: a tree, the charges, and what there will be to tell.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) tree: Tree,
    pub(crate) ledger: Ledger,
    pub(crate) changes: Vec<Change>,
}

saved!(Draft { tree, ledger, changes });

impl Draft {
    /// Nothing has been done yet.
    pub(crate) fn new(tree: &Tree) -> Self {
        Draft { tree: tree.clone(), ledger: Ledger::default(), changes: Vec::new() }
    }

    pub(crate) fn desk<'a>(
        &'a mut self,
        domains: &'a mut Domains,
        generation: &'a mut u64,
        snapshots: Snapshots,
    ) -> Desk<'a> {
        let Draft { tree, ledger, changes } = self;
        Desk { tree, ledger, changes, domains, generation, snapshots }
    }

    /// Throws it away; what it may have held alone is freed later.
    pub(crate) fn bury(self, graves: &mut Sweep) {
        graves.append(self.ledger.uncounted);
        for change in self.changes {
            if let ChangeKind::Removed(top) = change.kind {
                graves.push(top);
            }
        }
        self.tree.bury(graves);
    }
}
