//! Who is to be told of a change: found and told in steps.
//!
//! How many watches a change concerns is for guests to say, and whoever writes must not take longer for it, nor anybody who waits
//! behind him. So what is to be told is a queue of [`Telling`]s, each with what it needs to know of the moment of its change: a request
//! works off a bounded part of it, in all usual cases the whole, and [`Store::work`] the rest. The queue is worked off in order,
//! so each connection hears of changes in the order in which they were made.
//!
//! What waits in the queue is bounded: whoever has made much of it is not served further until it is told
//! ([`Store::poll_ready`]). A host that does not ask for that has the telling done before the next request.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::task::{Context, Poll};

use crate::connection::ConnId;
use crate::node::Node;
use crate::path::{StorePath, names};
use crate::perms::{Party, Perms};
use crate::save::{RestoreError, saved};
use crate::store::Store;
use crate::watch::{Place, WatchId};

/// How many steps of telling are done with a request: those down a path as long as paths can be, and 64 watches.
const TELL_AT_ONCE: usize = 1536 + 64 * TELLING;
/// How many steps telling a watch takes, where going on by one place or one watch is one.
const TELLING: usize = 32;
/// How many steps make a unit of work.
const STEPS: usize = 8;
/// What a telling takes in memory besides its path, and the nodes that it keeps.
const TELLING_COST: usize = 192;
/// How many bytes of tellings may wait that one domain caused, before its next request has to wait for them.
const UNTOLD_MAX: usize = 4 << 10;
/// How many may wait that all have caused, before everybody's next request has to.
const UNTOLD_BY_ALL_MAX: usize = 256 << 10;
/// A change, and how far those are told whom it concerns.
#[derive(Debug)]
pub(crate) struct Telling {
    path: StorePath,
    what: What,
    /// Watches that were set before the change have smaller ids.
    before: WatchId,
    /// Who caused it.
    party: Party,
    /// Bytes that it keeps.
    cost: usize,
}

saved!(Telling { path, what, before, party, cost });

/// Who is to be told.
#[derive(Debug)]
pub(crate) enum What {
    /// The watches on the path, and on the directories it is in, whose owners might read one of these: the node, its directory, what it
    /// was before. A special name is a path too.
    On { readers: Vec<Perms>, level: usize, after: Option<WatchId> },
    /// The watches on what was below the path, which is gone.
    Below { top: Arc<Node>, after: Option<Place> },
    /// One that was set.
    New { id: WatchId },
}

/// What is to be told.
#[derive(Debug, Default)]
pub(crate) struct Untold {
    queue: VecDeque<Telling>,
    /// Bytes of those, by who caused them, and altogether.
    by_party: BTreeMap<Party, usize>,
    by_all: usize,
    /// Who waits to be served again.
    held: Vec<ConnId>,
    /// How much the present request may tell yet.
    at_once: usize,
}

saved!(Untold { queue } else { by_party: BTreeMap::new(), by_all: 0, held: Vec::new(), at_once: 0 }
    then Untold::restored);

impl Untold {
    fn restored(mut self) -> Result<Self, RestoreError> {
        let costs: Vec<(Party, usize)> =
            self.queue.iter().map(|telling| (telling.party, telling.cost)).collect();
        costs.into_iter().for_each(|(party, cost)| self.charge(party, cost));
        Ok(self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn charge(&mut self, party: Party, cost: usize) {
        *self.by_party.entry(party).or_default() += cost;
        self.by_all += cost;
    }

    fn pop(&mut self) -> Option<Telling> {
        let telling = self.queue.pop_front()?;
        self.by_all -= telling.cost;
        if let Some(sum) = self.by_party.get_mut(&telling.party) {
            *sum -= telling.cost;
            if *sum == 0 {
                self.by_party.remove(&telling.party);
            }
        }
        Some(telling)
    }

    fn push(&mut self, telling: Telling) {
        self.charge(telling.party, telling.cost);
        self.queue.push_back(telling);
    }

    fn is_full(&self) -> bool {
        self.by_all > UNTOLD_BY_ALL_MAX
    }

    /// Whether more may be caused by this party.
    fn has_room(&self, party: Party) -> bool {
        !self.is_full() && self.by_party.get(&party).is_none_or(|sum| *sum <= UNTOLD_MAX)
    }
}

impl Store {
    /// Ready when the connection's next request may be read; if it is handled earlier, what is to be told is told first, in one
    /// step. Only the last caller's task is woken, also by [`Self::poll_event`] and [`Self::poll_closed`].
    pub fn poll_ready(&mut self, conn: ConnId, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_ready(conn) {
            return Poll::Ready(());
        }
        if let Some(client) = self.conns.get_mut(&conn) {
            client.set_waker(cx.waker());
            if !self.untold.held.contains(&conn) {
                self.untold.held.push(conn);
            }
        }
        Poll::Pending
    }

    /// Whether [`Self::poll_ready`] is ready.
    pub fn is_ready(&self, conn: ConnId) -> bool {
        self.untold.is_empty() || self.conns.get(&conn).is_none_or(|conn| self.untold.has_room(conn.party))
    }

    /// A request begins: makes room for what it has to tell.
    pub(crate) fn begin_telling(&mut self, conn: Option<ConnId>) {
        while self.untold.is_full() || conn.is_some_and(|conn| !self.is_ready(conn)) {
            self.tell_some(usize::MAX);
        }
        self.untold.at_once = TELL_AT_ONCE;
    }

    /// A request ends: tells as much as it may yet.
    pub(crate) fn end_telling(&mut self) {
        let mut most = core::mem::take(&mut self.untold.at_once);
        while most > 0 && !self.untold.is_empty() {
            most = most.saturating_sub(self.tell_some(most));
        }
    }

    /// Tells whoever watches the path, or a directory that it is in, and may read as one of `readers` allows.
    pub(crate) fn tell_on(&mut self, party: Party, path: StorePath, readers: Vec<Perms>) {
        let is_same = |last: &Telling| match &last.what {
            What::On { readers: others, level: 0, after: None } => last.path == path && *others == readers,
            _ => false,
        };
        let before = self.watches.next_id();
        if let Some(last) = self.untold.queue.back_mut().filter(|last| is_same(last)) {
            // Each would be told the same twice.
            last.before = before;
            return;
        }
        self.announce(party, path, What::On { readers, level: 0, after: None }, 0);
    }

    /// Tells whoever watches something that was below the path: each on its own path. `kept`: the bytes that are kept to look into.
    pub(crate) fn tell_below(&mut self, party: Party, path: StorePath, top: Arc<Node>, kept: usize) {
        self.announce(party, path, What::Below { top, after: None }, kept);
    }

    /// Tells a watch that it is set.
    pub(crate) fn tell_new(&mut self, party: Party, path: StorePath, id: WatchId) {
        self.announce(party, path, What::New { id }, 0);
    }

    fn announce(&mut self, party: Party, path: StorePath, what: What, kept: usize) {
        let cost = TELLING_COST + path.as_str().len() + kept;
        let mut telling = Telling { path, what, before: self.watches.next_id(), party, cost };
        if self.untold.is_empty() && self.untold.at_once > 0 {
            let (told, is_over) = self.tell(&mut telling, self.untold.at_once);
            self.untold.at_once = self.untold.at_once.saturating_sub(told);
            if is_over {
                return self.bury_telling(telling);
            }
        }
        self.untold.push(telling);
    }

    fn bury_telling(&mut self, telling: Telling) {
        if let What::Below { top, .. } = telling.what {
            self.work.graves.push(top);
        }
    }

    /// Tells whom it concerns what waits longest, for up to about `most` units of work; returns how many it took.
    pub(crate) fn tell_for(&mut self, most: usize) -> usize {
        self.tell_some(most.saturating_mul(STEPS)).div_ceil(STEPS)
    }

    /// The same in steps.
    fn tell_some(&mut self, most: usize) -> usize {
        if most == 0 {
            return 0;
        }
        let Some(mut telling) = self.untold.pop() else { return 0 };
        let (told, is_over) = self.tell(&mut telling, most);
        if is_over {
            self.bury_telling(telling);
        } else {
            self.untold.charge(telling.party, telling.cost);
            self.untold.queue.push_front(telling);
        }
        self.let_on();
        told + 1
    }

    /// Wakes those who may be served again.
    fn let_on(&mut self) {
        if self.untold.held.is_empty() {
            return;
        }
        let held = core::mem::take(&mut self.untold.held);
        let (ready, held) = held.into_iter().partition(|conn| self.is_ready(*conn));
        self.untold.held = held;
        let ready: Vec<ConnId> = ready;
        for conn in ready {
            if let Some(conn) = self.conns.get_mut(&conn) {
                conn.wake();
            }
        }
    }

    /// Goes on with a telling; returns how much work it was, and whether it is over.
    fn tell(&mut self, telling: &mut Telling, most: usize) -> (usize, bool) {
        let Telling { path, what, before, .. } = telling;
        match what {
            What::On { readers, level, after } => {
                self.tell_up_to(path, *before, readers, (level, after), most)
            }
            What::Below { top, after } => self.tell_inside(path, *before, top, after, most),
            What::New { id } => {
                self.queue(*id, path.shared());
                (1, true)
            }
        }
    }

    /// From the top down to the path, from where it stopped: a level, and the last watch that it has told there.
    fn tell_up_to(
        &mut self,
        path: &StorePath,
        before: WatchId,
        readers: &[Perms],
        (stopped, after): (&mut usize, &mut Option<WatchId>),
        most: usize,
    ) -> (usize, bool) {
        let nr_levels = path.names().count();
        // Who waits for any domain hears of its kind of event alone, unless he asked for more.
        let plain = path.is_special().then(|| path.first(0));
        // A guest may have many watches on one path; what it may know does not differ between them.
        let mut asked: Option<(ConnId, bool)> = None;
        let (mut spot, mut names) = (self.watches.top(path), path.names());
        let (mut level, mut done) = (0, 0);
        loop {
            let mut last = if level == *stopped { after.take() } else { None };
            while level >= *stopped
                && let Some(seat) = self.watches.seats(spot, last).first().copied()
                && seat.id < before
            {
                if done >= most {
                    (*stopped, *after) = (level, last);
                    return (done, false);
                }
                (last, done) = (Some(seat.id), done + 1);
                let is_plain = plain.is_some() && level == 1 && seat.depth.is_none_or(|depth| depth == 0);
                if seat.is_owed || (plain.is_none() && !seat.reaches(nr_levels - level)) {
                    continue;
                }
                let may_know = match asked {
                    Some((same, may_know)) if same == seat.conn => may_know,
                    _ => self.may_know(seat.conn, readers),
                };
                asked = Some((seat.conn, may_know));
                if may_know {
                    done += TELLING - 1;
                    let told = plain.as_ref().filter(|_| is_plain).unwrap_or(path);
                    self.queue(seat.id, told.shared());
                }
            }
            // The way to where it stopped is not counted: each call comes further.
            done += usize::from(level >= *stopped);
            match names.next().and_then(|name| self.watches.step(spot, name)) {
                Some(below) => (spot, level) = (below, level + 1),
                None => return (done, true),
            }
        }
    }

    /// Watches on nodes inside a subtree that is gone. Watches above the subtree hear of its top alone, as with upstream's C server.
    fn tell_inside(
        &mut self,
        path: &StorePath,
        before: WatchId,
        top: &Arc<Node>,
        after: &mut Option<Place>,
        most: usize,
    ) -> (usize, bool) {
        let (ids, next) = self.watches.below(path, after.as_ref(), most);
        let (mut done, all) = (1, ids.len());
        for (nr, id) in ids.into_iter().enumerate() {
            let Some(watch) = self.watches.get(id) else { continue };
            let (conn, own) = (watch.conn, watch.path.shared().clone());
            let inner = own.get(path.as_str().len()..).unwrap_or_default();
            done += 1;
            // Whoever came later knew that the subtree was not there.
            if id < before {
                let mut parent = &**top;
                let mut node = Some(parent);
                for name in names(inner) {
                    done += 1;
                    parent = node.unwrap_or(parent);
                    node = node.and_then(|node| node.children().get(name.as_bytes()).map(|node| &**node));
                }
                let readers = node.map(|node| [node.perms.clone(), parent.perms.clone()]);
                if readers.is_some_and(|readers| self.may_know(conn, &readers)) {
                    done += TELLING;
                    self.queue(id, &own);
                }
            }
            if done >= most && nr + 1 < all {
                *after = Some((String::from(inner), Some(id)));
                return (done, false);
            }
        }
        let is_over = next.is_none();
        *after = next;
        (done.max(if is_over { 1 } else { most }), is_over)
    }
}
