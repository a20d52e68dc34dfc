//! Transactions: a snapshot to work on, and a record of what was asked and answered.
//!
//! The rule at the end: if nothing else changed the store meanwhile, the work is committed as it is. Otherwise everything is
//! done again on today's store, and committed if each request would be answered as it was, and each node to be changed is as it was
//! before; else the answer is `EAGAIN`. So transactions conflict only where they really do: two that make
//! different nodes in the same directory, which upstream's C server sets against each other, both commit.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use crate::Error;
use crate::children::differences;
use crate::domain::Domains;
use crate::draft::Draft;
use crate::node::Node;
use crate::ops::{Change, ChangeKind, Op, Snapshots, find};
use crate::path::StorePath;
use crate::perms::{Access, Caller};
use crate::quota::Item;
use crate::save::{RestoreError, saved};
use crate::sweep::Sweep;
use crate::tree::{NODE_COPY, Nearest, Survey, Tree, is_same_subtree};

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
pub(crate) enum Step {
    Read { path: StorePath, part: Part, saw: Result<Arc<Node>, Error> },
    Change { op: Op, before: Option<Arc<Node>>, done: Result<(), Error> },
}

impl Step {
    fn path(&self) -> &StorePath {
        match self {
            Step::Read { path, .. } => path,
            Step::Change { op, .. } => op.path(),
        }
    }

    /// The node that it keeps, to compare it with what is there later.
    fn node_mut(&mut self) -> Option<&mut Arc<Node>> {
        match self {
            Step::Read { saw, .. } => saw.as_mut().ok(),
            Step::Change { before, .. } => before.as_mut(),
        }
    }
}

/// An open transaction.
#[derive(Debug)]
pub(crate) struct Transaction {
    base: Tree,
    draft: Draft,
    steps: Vec<Step>,
    touched: BTreeSet<StorePath>,
    /// What it costs its domain's memory quota at the moment.
    pub(crate) charged: usize,
    /// The store's count of released domains at its start.
    releases: u64,
    /// It conflicts with what happened since it began, and has no snapshot any more.
    is_doomed: bool,
}

saved!(Transaction { base, draft, steps, charged, releases, is_doomed }
    else { touched: BTreeSet::new() } then Transaction::restored);

impl Transaction {
    fn restored(mut self) -> Result<Self, RestoreError> {
        self.touched = self.steps.iter().map(|step| step.path().clone()).collect();
        Ok(self)
    }

    pub(crate) fn new(tree: &Tree, releases: u64) -> Self {
        Transaction {
            base: tree.clone(),
            draft: Draft::new(tree),
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
    fn doom(&mut self, graves: &mut Sweep) {
        let empty = self.base.emptied();
        let doomed = Transaction { charged: self.charged, is_doomed: true, ..Transaction::new(&empty, 0) };
        mem::replace(self, doomed).bury(graves);
    }

    /// Gives up all that it held; what nobody else has is freed later.
    pub(crate) fn bury(self, graves: &mut Sweep) {
        for step in self.steps {
            let (Step::Read { saw: Ok(node), .. } | Step::Change { before: Some(node), .. }) = step else {
                continue;
            };
            graves.push(node);
        }
        self.draft.bury(graves);
        self.base.bury(graves);
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
        let saw = find(&self.draft.tree, who, path, Access::Read).cloned();
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
        let Survey { nearest, way, end } = self.draft.tree.survey(op.path().as_str());
        let cost = way + NODE_COPY + op.growth(&nearest);
        let before = nearest.is_whole.then(|| nearest.node.clone());
        self.charge(who, domains, op.path(), cost)?;
        self.draft.ledger.reserved = self.charged;
        domains.lend(who.party, self.charged);
        let looked = Snapshots::Looked { way, end };
        let done = self.draft.desk(domains, generation, looked).apply(who, &op);
        domains.take_back(who.party, self.charged);
        self.steps.push(Step::Change { op, before, done });
        done
    }

    /// Moves on to `current`, as if it had begun there: the requests so far are done once more. Where they conflict with what happened
    /// meanwhile it ends, as it would have at its commit. Either way it holds back nothing afterwards that is not in `current`.
    ///
    /// Its charges are its domain's still, and are taken for what its requests need.
    pub(crate) fn move_on(
        &mut self,
        who: &Caller,
        domains: &mut Domains,
        generation: &mut u64,
        current: &Tree,
        releases: u64,
        graves: &mut Sweep,
    ) {
        if self.is_doomed || (self.releases != releases && self.names_domains()) {
            return self.doom(graves);
        }
        let mut draft = Draft::new(current);
        draft.ledger.reserved = self.charged;
        let mut seen = Vec::with_capacity(self.steps.len());
        domains.lend(who.party, self.charged);
        let replayed = self.replay(&mut draft, who, domains, generation, |node| seen.push(node.cloned()));
        domains.take_back(who.party, self.charged);
        if replayed.is_err() {
            draft.bury(graves);
            return self.doom(graves);
        }
        self.releases = releases;
        mem::replace(&mut self.draft, draft).bury(graves);
        mem::replace(&mut self.base, current.clone()).bury(graves);
        for (step, now) in self.steps.iter_mut().zip(seen) {
            if let (Some(then), Some(now)) = (step.node_mut(), now) {
                graves.push(mem::replace(then, now));
            }
        }
    }

    pub(crate) fn is_doomed(&self) -> bool {
        self.is_doomed
    }

    /// How many requests it has done: what it takes to do them once more.
    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Commits onto `current`: what is to take its place.
    ///
    /// # Errors
    /// [`Error::Again`]: it conflicts with what happened since it began. [`Error::NoSpace`]: there is no room for it any more.
    pub(crate) fn commit(
        &mut self,
        who: &Caller,
        domains: &mut Domains,
        generation: &mut u64,
        current: &Tree,
        releases: u64,
        graves: &mut Sweep,
    ) -> Result<Draft, Error> {
        if self.is_doomed {
            return Err(Error::Again);
        }
        if self.releases != releases && self.names_domains() {
            // The numbers in its permissions may be other domains' by now (XSA-417).
            return Err(Error::Again);
        }
        let mut done = Draft::new(current);
        done.ledger.reserved = self.charged;
        if self.base.is_same(current) {
            // What it charges was looked at alone, and others of the domain's own may have come first.
            domains.check_booking(who, &mut self.draft.ledger)?;
            mem::swap(&mut done, &mut self.draft);
        } else if let Err(error) = self.replay(&mut done, who, domains, generation, |_| {}) {
            done.bury(graves);
            return Err(error);
        }
        let changes = mem::take(&mut done.changes).into_iter();
        // What was removed several times inside was there once: its removal is told once, since telling walks over all watches inside.
        let mut removed = BTreeSet::new();
        let changes = changes.filter(|change| match &change.kind {
            ChangeKind::Removed(top) if !removed.insert(change.path.clone()) => {
                graves.push(top.clone());
                false
            }
            _ => true,
        });
        let changes: Vec<Change> = changes.collect();
        let seen = |change| as_seen_from(current, &done.tree, change, graves);
        done.changes = changes.into_iter().filter_map(seen).collect();
        Ok(done)
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
        let is_new = !self.touched.contains(path);
        if is_new {
            domains.check(who, Item::TransactionNodes, self.touched.len() + 1)?;
        }
        let cost = cost + STEP_COST + path.as_str().len() * 3;
        domains.charge_memory(who.party, cost)?;
        self.charged += cost;
        if is_new {
            self.touched.insert(path.clone());
        }
        Ok(())
    }

    /// Does everything once more in `draft`, and shows of each step the node as it is there.
    fn replay(
        &self,
        draft: &mut Draft,
        who: &Caller,
        domains: &mut Domains,
        generation: &mut u64,
        mut show: impl FnMut(Option<&Arc<Node>>),
    ) -> Result<(), Error> {
        let mut equal = Compared::new();
        for step in &self.steps {
            let is_same = match step {
                Step::Read { path, part, saw } => {
                    let now = find(&draft.tree, who, path, Access::Read);
                    show(now.ok());
                    reads_the_same(*part, saw, now, &mut equal)
                }
                Step::Change { op, before, done } => {
                    let now = draft.tree.get(op.path().as_str());
                    show(now);
                    is_as_before(op, before.as_ref(), now)
                        && draft.desk(domains, generation, Snapshots::Some).apply(who, op) == *done
                }
            };
            if !is_same {
                return Err(Error::Again);
            }
        }
        Ok(())
    }
}

/// Lists that were compared, by address, and are equal: a large one that is asked for over and over is compared once. The second node is
/// kept, so that no other comes to lie at its address; the first is in the record.
type Compared = BTreeMap<[usize; 2], Arc<Node>>;

fn reads_the_same(
    part: Part,
    then: &Result<Arc<Node>, Error>,
    now: Result<&Arc<Node>, Error>,
    equal: &mut Compared,
) -> bool {
    match (then, now) {
        (Ok(then), Ok(now)) if Arc::ptr_eq(then, now) => true,
        (Ok(then), Ok(now)) => match part {
            Part::Value => then.value() == now.value(),
            Part::List => {
                let key = [then, now].map(|node| Arc::as_ptr(node).addr());
                if equal.contains_key(&key) {
                    return true;
                }
                let is_same = differences(then.children(), now.children()).is_some();
                if is_same {
                    equal.insert(key, now.clone());
                }
                is_same
            }
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
fn as_seen_from(base: &Tree, now: &Tree, change: Change, graves: &mut Sweep) -> Option<Change> {
    let old = base.get(change.path.as_str());
    let kind = match change.kind {
        ChangeKind::Written => {
            let Nearest { depth, is_whole, .. } = now.nearest(change.path.as_str());
            if !is_whole && old.is_none() {
                // Removed again; the directories that were made for it may have stayed.
                let stayed = change.path.first(depth);
                let is_new = base.get(stayed.as_str()).is_none();
                return is_new.then_some(Change { path: stayed, kind: ChangeKind::Written, ..change });
            }
            ChangeKind::Written
        }
        ChangeKind::Removed(top) => {
            graves.push(top);
            ChangeKind::Removed(old?.clone())
        }
        ChangeKind::Permitted(_) => match old {
            Some(node) => ChangeKind::Permitted(node.perms.clone()),
            None => ChangeKind::Written,
        },
    };
    Some(Change { path: change.path, kind, replaced: change.replaced, was: change.was })
}

#[cfg(test)]
mod tests {
    use xen_abi::DomId;

    use super::*;
    use crate::perms::Perms;
    use crate::quota::Limits;

    #[test]
    fn what_is_removed_over_and_over_inside_is_told_once() {
        let mut domains = Domains::new(DomId(0), Limits::small(), 0);
        let who = domains.caller(domains.control());
        let (mut tree, mut generation, mut graves) =
            (Tree::new(Perms::private(domains.control())), 0, Sweep::default());
        let path = |text: &str| StorePath::absolute(text).unwrap();
        let mut setup = Transaction::new(&tree, 0);
        setup.apply(&who, &mut domains, &mut generation, Op::Mkdir(path("/p/q"))).unwrap();
        tree = setup.commit(&who, &mut domains, &mut generation, &tree, 0, &mut graves).unwrap().tree;
        let mut transaction = Transaction::new(&tree, 0);
        for _ in 0..100 {
            for op in [Op::Remove(path("/p")), Op::Mkdir(path("/p/q"))] {
                transaction.apply(&who, &mut domains, &mut generation, op).unwrap();
            }
        }
        let done = transaction.commit(&who, &mut domains, &mut generation, &tree, 0, &mut graves).unwrap();
        let is_removal = |change: &&Change| matches!(change.kind, ChangeKind::Removed(_));
        assert_eq!(done.changes.iter().filter(is_removal).count(), 1);
    }
}
