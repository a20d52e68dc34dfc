//! Transactions: a snapshot to work on, and a record of what was asked and answered.
//!
//! The rule at the end: if nothing else changed the store meanwhile, the work is committed as it is. Otherwise everything is
//! done again on today's store, and committed if each request would be answered as it was, and each node to be changed is as it was
//! before; else the answer is `EAGAIN`. So transactions conflict only where they really do: two that make
//! different nodes in the same directory, which upstream's C server sets against each other, both commit.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::Error;
use crate::domain::{Domains, Ledger};
use crate::node::Node;
use crate::ops::{Change, ChangeKind, Desk, Op, find};
use crate::path::StorePath;
use crate::perms::{Access, Caller};
use crate::quota::check;
use crate::tree::{Tree, is_same_subtree};

/// What keeping a changed path's copies costs, for each level of it.
pub(crate) const LEVEL_COST: usize = 160;
/// What the record of a request costs besides what it holds.
const STEP_COST: usize = 256;

/// A part of a node that a request reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Value,
    List,
    Perms,
}

/// One request, and what came of it.
#[derive(Debug)]
enum Step {
    Read { path: StorePath, part: Part, saw: Result<Arc<Node>, Error> },
    Change { op: Op, before: Option<Arc<Node>>, done: Result<(), Error> },
}

/// An open transaction.
#[derive(Debug)]
pub(crate) struct Transaction {
    base: Tree,
    tree: Tree,
    ledger: Ledger,
    changes: Vec<Change>,
    steps: Vec<Step>,
    touched: BTreeSet<Box<str>>,
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
            steps: Vec::new(),
            touched: BTreeSet::new(),
            charged: 0,
            releases,
            is_doomed: false,
        }
    }

    /// Lets go of the snapshot. Everything but an abort answers `EAGAIN` from now on.
    ///
    /// No snapshot takes the old one's place, not even today's: nobody would count what that holds back.
    pub(crate) fn doom(&mut self) {
        let empty = self.tree.emptied();
        *self = Transaction { charged: self.charged, is_doomed: true, ..Transaction::new(&empty, 0) };
    }

    /// Finds a node, of which `part` is to be read, in the transaction.
    pub(crate) fn read(
        &mut self,
        who: &Caller,
        domains: &mut Domains,
        path: &StorePath,
        part: Part,
    ) -> Result<Arc<Node>, Error> {
        self.charge(who, domains, path, 0)?;
        let saw = find(&self.tree, who, path, Access::Read).cloned();
        self.steps.push(Step::Read { path: path.clone(), part, saw: saw.clone() });
        saw
    }

    /// Does `op` in the transaction.
    pub(crate) fn apply(
        &mut self,
        who: &Caller,
        domains: &mut Domains,
        generation: &mut u64,
        op: Op,
    ) -> Result<(), Error> {
        let levels = op.path().names().count() + 1;
        self.charge(who, domains, op.path(), levels * LEVEL_COST + op.payload_len())?;
        let before = self.tree.get(op.path().as_str()).cloned();
        let Transaction { tree, ledger, changes, .. } = self;
        let done = Desk { tree, ledger, changes, domains, generation }.apply(who, &op);
        self.steps.push(Step::Change { op, before, done });
        done
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
        if self.is_doomed {
            return Err(Error::Again);
        }
        if self.releases != releases && self.names_domains() {
            // The numbers in its permissions may be other domains' by now (XSA-417).
            return Err(Error::Again);
        }
        if !self.base.is_same(current) {
            self.replay(who, domains, generation, current)?;
        }
        let Transaction { base, tree, ledger, changes, .. } = self;
        let changes = changes.into_iter().filter_map(|change| as_seen_from(&base, change)).collect();
        Ok(Outcome { tree, ledger, changes })
    }

    fn names_domains(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Change { op: Op::SetPerms(..), .. }))
    }

    /// Charges for one more request before it is done.
    fn charge(
        &mut self,
        who: &Caller,
        domains: &mut Domains,
        path: &StorePath,
        cost: usize,
    ) -> Result<(), Error> {
        if self.is_doomed {
            return Err(Error::Again);
        }
        let path = path.as_str();
        let is_new = !self.touched.contains(path);
        if is_new {
            let limit = domains.quota(who).map_or(0, |quota| quota.transaction_nodes);
            check(self.touched.len() + 1, limit)?;
        }
        let cost = cost + STEP_COST + path.len() * 3;
        domains.charge_memory(who.party, cost)?;
        self.charged += cost;
        if is_new {
            self.touched.insert(path.into());
        }
        Ok(())
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
        for step in &self.steps {
            let is_same = match step {
                Step::Read { path, part, saw } => {
                    reads_the_same(*part, saw, find(&tree, who, path, Access::Read))
                }
                Step::Change { op, before, done } => {
                    is_as_before(op, before.as_ref(), tree.get(op.path().as_str())) && {
                        let (tree, ledger, changes) = (&mut tree, &mut ledger, &mut changes);
                        Desk { tree, ledger, changes, domains, generation }.apply(who, op) == *done
                    }
                }
            };
            if !is_same {
                return Err(Error::Again);
            }
        }
        self.base = current.clone();
        (self.tree, self.ledger, self.changes) = (tree, ledger, changes);
        Ok(())
    }
}

fn reads_the_same(part: Part, then: &Result<Arc<Node>, Error>, now: Result<&Arc<Node>, Error>) -> bool {
    match (then, now) {
        (Ok(then), Ok(now)) if Arc::ptr_eq(then, now) => true,
        (Ok(then), Ok(now)) => match part {
            Part::Value => then.value() == now.value(),
            Part::List => then.children().has_same_names(now.children()),
            Part::Perms => then.perms == now.perms,
        },
        (Err(then), Err(now)) => *then == now,
        _ => false,
    }
}

/// Whether what `op` is to change is what it was to change: what others wrote meanwhile is not overwritten unseen.
fn is_as_before(op: &Op, then: Option<&Arc<Node>>, now: Option<&Arc<Node>>) -> bool {
    match (then, now) {
        (None, None) => true,
        (Some(then), Some(now)) => match op {
            Op::Remove(_) => is_same_subtree(then, now),
            _ => then.value() == now.value() && then.perms == now.perms,
        },
        _ => false,
    }
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
    Some(Change { path: change.path, kind, replaced: change.replaced })
}
