//! Transactions: a snapshot to work on, and what it takes to tell whether the work still fits at the end.
//!
//! At its end a transaction commits if nothing else changed the store meanwhile. Otherwise everything it read must still read
//! the same, everything it is to change must be as it was, and its operations must all succeed once more on today's
//! tree. Two transactions that make different nodes in the same directory, which upstream's C server sets against each
//! other, both commit.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::Error;
use crate::domain::{Domains, Ledger};
use crate::node::Node;
use crate::ops::{Change, ChangeKind, Desk, Op};
use crate::path::StorePath;
use crate::perms::Caller;
use crate::quota::check;
use crate::tree::Tree;

/// What keeping a changed path's copies costs, for each level of it.
pub(crate) const LEVEL_COST: usize = 160;
/// What remembering an access costs besides the path's length.
const TOUCH_COST: usize = 64;

/// What of a path a transaction's outcome depends on.
#[derive(Clone, Copy, Debug, Default)]
struct Touch {
    value: bool,
    list: bool,
    subtree: bool,
}

/// A part of a node that a request reads. Its existence and permissions always count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Value,
    List,
    Perms,
}

/// An open transaction.
#[derive(Debug)]
pub(crate) struct Transaction {
    base: Tree,
    pub(crate) tree: Tree,
    ledger: Ledger,
    changes: Vec<Change>,
    ops: Vec<Op>,
    touched: BTreeMap<Box<str>, Touch>,
    /// What it costs its domain's memory quota at the moment.
    pub(crate) charged: usize,
    /// The store's count of released domains at its start.
    releases: u64,
    /// It held back too much history, and lost its snapshot.
    is_doomed: bool,
}

/// A committed transaction's work.
pub(crate) struct Outcome {
    pub(crate) tree: Tree,
    pub(crate) ledger: Ledger,
    pub(crate) changes: Vec<Change>,
}

impl Transaction {
    pub(crate) fn new(tree: &Tree, releases: u64) -> Self {
        Transaction {
            base: tree.clone(),
            tree: tree.clone(),
            ledger: Ledger::default(),
            changes: Vec::new(),
            ops: Vec::new(),
            touched: BTreeMap::new(),
            charged: 0,
            releases,
            is_doomed: false,
        }
    }

    /// Lets go of the snapshot. Everything but an abort answers `EAGAIN` from now on.
    pub(crate) fn doom(&mut self, tree: &Tree) {
        *self = Transaction { charged: self.charged, is_doomed: true, ..Transaction::new(tree, 0) };
    }

    /// Notes that `part` of `path` is about to be read.
    pub(crate) fn touch_for_read(
        &mut self,
        who: &Caller,
        domains: &mut Domains,
        path: &StorePath,
        part: Part,
    ) -> Result<(), Error> {
        self.check_alive()?;
        let touch = self.touch(who, domains, path, 0)?;
        touch.value |= part == Part::Value;
        touch.list |= part == Part::List;
        Ok(())
    }

    /// Does `op` in the transaction.
    pub(crate) fn apply(
        &mut self,
        who: &Caller,
        domains: &mut Domains,
        generation: &mut u64,
        op: Op,
    ) -> Result<(), Error> {
        self.check_alive()?;
        let levels = op.path().names().count() + 1;
        let cost = levels * LEVEL_COST + op.path().as_str().len() + op.payload_len();
        let touch = self.touch(who, domains, op.path(), cost)?;
        match &op {
            Op::Write(..) | Op::Mkdir(_) => touch.value = true,
            Op::Remove(_) => touch.subtree = true,
            Op::SetPerms(..) => {}
        }
        let Transaction { tree, ledger, changes, .. } = self;
        Desk { tree, ledger, changes, domains, generation }.apply(who, &op)?;
        self.ops.push(op);
        Ok(())
    }

    /// Commits onto `current`.
    ///
    /// # Errors
    /// [`Error::Again`]: it conflicts with what happened since it began.
    pub(crate) fn commit(
        mut self,
        who: &Caller,
        domains: &Domains,
        generation: &mut u64,
        current: &Tree,
        releases: u64,
    ) -> Result<Outcome, Error> {
        self.check_alive()?;
        if !self.base.is_same(current) || self.releases != releases {
            self.check_conflicts(current)?;
            self.replay(who, domains, generation, current)?;
        }
        let Transaction { base, tree, ledger, changes, .. } = self;
        let changes = changes.into_iter().filter_map(|change| as_seen_from(&base, change)).collect();
        Ok(Outcome { tree, ledger, changes })
    }

    fn check_alive(&self) -> Result<(), Error> {
        if self.is_doomed { Err(Error::Again) } else { Ok(()) }
    }

    /// Notes an access, after charging for it.
    fn touch(
        &mut self,
        who: &Caller,
        domains: &mut Domains,
        path: &StorePath,
        mut cost: usize,
    ) -> Result<&mut Touch, Error> {
        let path = path.as_str();
        if !self.touched.contains_key(path) {
            let limit = domains.quota(who).map_or(0, |quota| quota.transaction_nodes);
            check(self.touched.len() + 1, limit)?;
            cost += TOUCH_COST + path.len();
        }
        if cost > 0 {
            domains.charge_memory(who.party, cost)?;
            self.charged += cost;
        }
        Ok(self.touched.entry(path.into()).or_default())
    }

    fn check_conflicts(&self, current: &Tree) -> Result<(), Error> {
        let same = self.touched.iter().all(|(path, touch)| match (self.base.get(path), current.get(path)) {
            (None, None) => true,
            (Some(then), Some(now)) => {
                alloc::sync::Arc::ptr_eq(then, now) || (!touch.subtree && is_unchanged(*touch, then, now))
            }
            _ => false,
        });
        if same { Ok(()) } else { Err(Error::Again) }
    }

    /// Does everything once more on `current`, which becomes the base.
    fn replay(
        &mut self,
        who: &Caller,
        domains: &Domains,
        generation: &mut u64,
        current: &Tree,
    ) -> Result<(), Error> {
        let (mut tree, mut ledger, mut changes) = (current.clone(), Ledger::default(), Vec::new());
        let mut desk =
            Desk { tree: &mut tree, ledger: &mut ledger, changes: &mut changes, domains, generation };
        for op in &self.ops {
            // Each succeeded in the snapshot. What fails now does so because of what others did.
            desk.apply(who, op).map_err(|_| Error::Again)?;
        }
        self.base = current.clone();
        (self.tree, self.ledger, self.changes) = (tree, ledger, changes);
        Ok(())
    }
}

fn is_unchanged(touch: Touch, then: &Node, now: &Node) -> bool {
    then.perms == now.perms
        && (!touch.value || then.value() == now.value())
        && (!touch.list || then.children().has_same_names(now.children()))
}

/// The change as those see it who knew only `base`: what came and went inside the transaction never was.
fn as_seen_from(base: &Tree, change: Change) -> Option<Change> {
    let kind = match change.kind {
        ChangeKind::Written => ChangeKind::Written,
        ChangeKind::Removed(_) => ChangeKind::Removed(base.get(change.path.as_str())?.clone()),
        ChangeKind::Permitted(_) => match base.get(change.path.as_str()) {
            Some(node) => ChangeKind::Permitted(node.perms.clone()),
            None => ChangeKind::Written,
        },
    };
    Some(Change { path: change.path, kind })
}
