//! Work that a request leaves behind, done in small steps.
//!
//! To remove a subtree is to unlink it; a reader sees at once that it is gone. What then takes time in proportion to its size is
//! done later: taking it from its owners' accounts, telling those who watch something inside, freeing its memory. So is the
//! search for what a domain that is gone has strewn over the store, which nobody has inherited meanwhile: owners are lives
//! of domains, not their numbers.
//!
//! Small work (as much as a guest can own by its quota) is done with the request that causes it. For large work the
//! host of the store calls [`Store::work`] between requests, or spawns [`tend`]. If it does neither, each later request
//! does a small piece.

use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::future::poll_fn;
use core::mem;
use core::task::{Context, Poll, Waker};

use crate::connection::ConnId;
use crate::ledger::Ledger;
use crate::path::{StorePath, names};
use crate::perms::Party;
use crate::save::saved;
use crate::serve::give_way;
use crate::store::{SharedStore, Store};
use crate::sweep::{Shared, Sweep};
use crate::tree::Tree;
use crate::watch::WatchId;

/// How much work is done with the request that causes it: what a guest's own nodes can make, counting and freeing.
const AT_ONCE: usize = 2048;
/// How much work a request does that finds work of others, besides its own.
const PIECE: usize = 64;
/// How many bytes that are given back make a unit of work: fewer than the smallest thing to be freed was charged for.
const UNIT: u64 = 128;
/// The most work that a request does.
const MOST: usize = 4 * AT_ONCE;
/// How much work [`tend`] does before others get their turn.
const TURN: usize = 1024;
/// What the removal of a dead domain's node counts for, besides the work that it leaves.
const REMOVAL: usize = 16;
/// What is to be done.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Old versions and removed subtrees, where nobody else has them.
    pub(crate) graves: Sweep,
    /// Watches of closed connections, with who paid for them.
    pub(crate) abandoned: Vec<(Party, Vec<WatchId>)>,
    /// How far the search for nodes of dead domains has come: the last path it looked at.
    pub(crate) searched: Option<String>,
    /// Another domain died meanwhile: the search begins anew after this one.
    pub(crate) search_again: bool,
    waker: Option<Waker>,
}

saved!(Work { graves, abandoned, searched, search_again } else { waker: None });

impl Store {
    /// Whether there is work for [`Self::work`].
    pub fn has_work(&self) -> bool {
        !self.untold.is_empty() || self.has_silent_work()
    }

    /// The same of all work but telling.
    fn has_silent_work(&self) -> bool {
        let is_idle = self.work.graves.is_empty() && self.work.abandoned.is_empty();
        let is_counted = self.domains.uncounted.is_empty() && self.domains.dead.is_empty();
        !is_idle || !is_counted || self.has_long_history()
    }

    /// Does up to about `budget` units of work, and returns whether there is more. A unit is one node to uncharge, to free or to look at:
    /// a fraction of a microsecond. A watch counts for a few.
    pub fn work(&mut self, budget: usize) -> bool {
        let mut left = budget;
        while left > 0 && !self.untold.is_empty() {
            left = left.saturating_sub(self.tell_for(left));
        }
        self.work_silently(left);
        self.has_work()
    }

    fn work_silently(&mut self, budget: usize) {
        let mut left = budget;
        while left > 0 && self.has_silent_work() {
            // Before all that nobody's memory waits for: a request does as much as it gave back, and this must be where it goes. What is
            // to be counted too is let go here at its top: who counts it then has it alone, and need not copy what he takes apart.
            left -= self.free(left);
            left -= self.domains.count(left);
            left = left.saturating_sub(self.drop_watches(left));
            left = left.saturating_sub(self.search(left));
            left = left.saturating_sub(self.settle_history());
        }
    }

    /// Ready when there is work. Only the last caller's task is woken.
    pub fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_work() {
            return Poll::Ready(());
        }
        match &mut self.work.waker {
            Some(old) => old.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Does something to the store, and the work that it leaves if that is little.
    ///
    /// What a domain is given back it may use at once, before the memory is free. So where work waits, each request does as much of it
    /// as it leaves itself, and nobody makes it grow by making and removing without end.
    ///
    /// `conn`: whose request it is.
    pub(crate) fn tidily<R>(&mut self, conn: Option<ConnId>, change: impl FnOnce(&mut Self) -> R) -> R {
        self.begin_telling(conn);
        let (had_work, returned) = (self.has_silent_work(), self.domains.returned());
        let done = change(self);
        let own = usize::try_from((self.domains.returned() - returned) / UNIT).unwrap_or(MOST);
        let piece = if had_work { (PIECE + own).min(MOST) } else { AT_ONCE };
        self.work_silently(piece);
        self.end_telling();
        if self.has_work()
            && let Some(waker) = self.work.waker.take()
        {
            waker.wake();
        }
        done
    }

    fn drop_watches(&mut self, most: usize) -> usize {
        let Some((party, ids)) = self.work.abandoned.last_mut() else { return 0 };
        let party = *party;
        let some = ids.split_off(ids.len().saturating_sub(most));
        if ids.is_empty() {
            self.work.abandoned.pop();
        }
        for id in &some {
            self.drop_watch(party, *id);
        }
        some.len()
    }

    fn free(&mut self, most: usize) -> usize {
        let graves = &mut self.work.graves;
        (0..most).take_while(|_| graves.next(Shared::Leave).is_some()).count()
    }

    /// Looks for nodes of dead domains, and removes the first one found with all below, whoever owns that.
    fn search(&mut self, most: usize) -> usize {
        self.domains.dead.retain(|_, left| *left > 0);
        if self.domains.dead.is_empty() || most == 0 {
            if self.domains.dead.is_empty() {
                (self.work.searched, self.work.search_again) = (None, false);
            }
            return 0;
        }
        let from = mem::take(&mut self.work.searched);
        let is_dead = |owner| self.domains.dead.contains_key(&owner);
        let Look { at, is_found, looked } = look(&self.tree, from, most, is_dead);
        if is_found && let Some(path) = at.as_deref().and_then(|path| StorePath::absolute(path).ok()) {
            self.remove_orphan(&path);
        }
        if at.is_none() && !mem::take(&mut self.work.search_again) {
            // What was not found is removed already, and waits to be counted.
            self.domains.dead.clear();
        }
        self.work.searched = at;
        looked + if is_found { REMOVAL } else { 1 }
    }

    fn remove_orphan(&mut self, path: &StorePath) {
        let (mut ledger, mut changes) = (Ledger::for_later(), Vec::new());
        // Only `/` cannot be removed, and that is the control domain's.
        let removed = self.desk(&mut ledger, &mut changes).detach(path);
        debug_assert!(removed.is_ok());
        self.finish(self.domains.control(), ledger, changes);
    }
}

/// Does the store's work whenever there is some, in small pieces. A host with an executor runs it once, beside its
/// [`crate::serve`]s.
pub async fn tend(store: &SharedStore) -> Infallible {
    loop {
        poll_fn(|cx| store.borrow_mut().poll_work(cx)).await;
        store.borrow_mut().work(TURN);
        give_way().await;
    }
}

/// What [`look`] saw.
struct Look {
    /// The last node that it looked at. None: it came to the end.
    at: Option<String>,
    /// That one was wanted.
    is_found: bool,
    looked: usize,
}

/// Looks at the nodes that come after the path `from`, parents before children, until it finds one whose owner is wanted, or has
/// looked at `most`. The store may change between two looks: paths, unlike nodes, stay comparable.
fn look(tree: &Tree, from: Option<String>, most: usize, is_wanted: impl Fn(Party) -> bool) -> Look {
    let mut path = from.unwrap_or_default();
    let Some(mut node) = tree.get("/") else { return Look { at: None, is_found: false, looked: 0 } };
    // The directories on the way down, each with the rest of its children and the length of its path.
    let mut stack = Vec::new();
    let mut len = 0;
    let mut is_there = true;
    for name in names(&path) {
        stack.push((node.children().iter_after(name.as_bytes()), len));
        let Some(child) = node.children().get(name.as_bytes()) else {
            is_there = false;
            break;
        };
        node = child;
        len += name.len() + 1;
    }
    if is_there {
        stack.push((node.children().iter(), len));
    }
    let mut looked = 0;
    while let Some((iter, len)) = stack.last_mut() {
        path.truncate(*len);
        let Some(child) = iter.next() else {
            stack.pop();
            continue;
        };
        path.push('/');
        path.push_str(core::str::from_utf8(child.name()).unwrap_or_default());
        looked += 1;
        let is_found = is_wanted(child.perms.owner());
        if is_found || looked == most {
            return Look { at: Some(path), is_found, looked };
        }
        if !child.children().is_empty() {
            stack.push((child.children().iter(), path.len()));
        }
    }
    Look { at: None, is_found: false, looked }
}
