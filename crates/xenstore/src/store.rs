//! The store: the tree, the domains, and who is connected.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::mem;

use ring::layout::xenstore::{FEATURE_DOMID_ANY, FEATURE_ERROR, FEATURE_RECONNECTION, FEATURE_WATCHDEPTH};
use xen_abi::DomId;

use crate::connection::{Client, ConnId};
use crate::domain::Domains;
use crate::history::History;
use crate::host::{Host, NoHost};
use crate::ledger::Ledger;
use crate::ops::{Change, ChangeKind, Desk, Op, Snapshots};
use crate::perms::{Caller, Party, Perms};
use crate::save::{RestoreError, saved};
use crate::telling::Untold;
use crate::tree::{Tree, nodes};
use crate::watch::Watches;
use crate::work::Work;
use crate::{Error, Limits, Quota, Usage};

/// The features offered to guests.
pub(crate) const FEATURES: u32 =
    FEATURE_RECONNECTION | FEATURE_ERROR | FEATURE_WATCHDEPTH | FEATURE_DOMID_ANY;

/// What nodes are taken for that were removed, and are too many to be counted at once.
const LARGE: usize = 1 << 20;

/// The store as its tasks share it: borrowed for one request, never across an await.
pub type SharedStore = RefCell<Store>;

/// Who may watch the special names.
#[derive(Debug)]
pub(crate) struct Special {
    introduce: Perms,
    release: Perms,
}

saved!(Special { introduce, release });

/// The whole store.
#[derive(Debug)]
pub struct Store {
    pub(crate) tree: Tree,
    pub(crate) generation: u64,
    pub(crate) domains: Domains,
    pub(crate) conns: BTreeMap<ConnId, Client>,
    pub(crate) watches: Watches,
    /// Changes of which not everybody knows yet.
    pub(crate) untold: Untold,
    /// Permissions of `@introduceDomain` and `@releaseDomain`.
    pub(crate) special: Special,
    pub(crate) next_conn: u64,
    history: History,
    pub(crate) work: Work,
    pub(crate) host: Box<dyn Host>,
    /// CONTROL log: whether the host is told of each request and its answer.
    pub(crate) is_logging: bool,
    /// How many domains were released.
    pub(crate) releases: u64,
}

saved!(Store {
    tree,
    generation,
    domains,
    conns,
    watches,
    untold,
    special,
    next_conn,
    history,
    work,
    is_logging,
    releases,
} else { host: Box::new(NoHost) } then Store::restored);

/// Fires when a domain is introduced.
pub(crate) const INTRODUCE_DOMAIN: &str = "@introduceDomain";
/// Fires when a domain shuts down, crashes or is released.
pub(crate) const RELEASE_DOMAIN: &str = "@releaseDomain";

impl Store {
    /// An empty store whose control domain (all rights, no quotas) is `control`, with [`Limits::small`].
    pub fn new(control: DomId) -> Self {
        Self::with_limits(control, Limits::small())
    }

    /// An empty store whose control domain (all rights, no quotas) is `control`.
    pub fn with_limits(control: DomId, limits: Limits) -> Self {
        let mut domains = Domains::new(control, limits, FEATURES);
        domains.register(control).is_introduced = true;
        let perms = Perms::private(domains.control());
        let mut store = Store {
            tree: Tree::new(perms.clone()),
            generation: 0,
            domains,
            conns: BTreeMap::new(),
            watches: Watches::new(),
            untold: Untold::default(),
            special: Special { introduce: perms.clone(), release: perms },
            next_conn: 0,
            history: History::default(),
            work: Work::default(),
            host: Box::new(NoHost),
            is_logging: false,
            releases: 0,
        };
        // What upstream's servers have from the beginning, and clients look for.
        let made = store.control(|store| store.mkdir("/tool/xenstored"));
        debug_assert!(made.is_ok());
        store
    }

    /// Says who hosts the store. Until then INTRODUCE is not supported, and what is printed or logged goes nowhere.
    pub fn set_host(&mut self, host: Box<dyn Host>) {
        self.host = host;
    }

    /// Makes a domain known, so that permissions can name it. Call when it has been created, before its first nodes are
    /// written. Does nothing if it is known.
    pub fn register(&mut self, domid: DomId) {
        self.domains.register(domid);
    }

    /// Begins to serve a domain ([`Self::register`]s it where that was not done), and fires `@introduceDomain`.
    pub fn introduce(&mut self, domid: DomId) {
        let domain = self.domains.register(domid);
        if !mem::replace(&mut domain.is_introduced, true) {
            self.tidily(None, |store| store.fire_special(INTRODUCE_DOMAIN, domid));
        }
    }

    /// Whether the domain is served.
    pub fn is_introduced(&self, domid: DomId) -> bool {
        self.domains.get(domid).is_some_and(|domain| domain.is_introduced)
    }

    /// Tells that a domain shut down or crashed; fires `@releaseDomain`, once.
    pub fn shut_down(&mut self, domid: DomId) {
        if let Some(domain) = self.domains.get_mut(domid)
            && domain.is_introduced
            && !mem::replace(&mut domain.is_shut_down, true)
        {
            self.tidily(None, |store| store.fire_special(RELEASE_DOMAIN, domid));
        }
    }

    /// Forgets a domain that is gone: its connections are closed, the nodes it still owns removed with all below, and
    /// `@releaseDomain` fires. The same id may be registered again: it is another domain then.
    ///
    /// Its nodes are nobody's from now on. Those under the store's first few thousand are removed at once; the search for
    /// more is [work](Self::work). The control domain is not released.
    pub fn release(&mut self, domid: DomId) {
        self.tidily(None, |store| store.forget(domid));
    }

    fn forget(&mut self, domid: DomId) {
        let Some(party) = self.domains.party(domid) else { return };
        if self.domains.is_control(domid) {
            return;
        }
        let theirs = self.conns.iter().filter(|(_, conn)| conn.party == party).map(|(id, _)| *id);
        for conn in theirs.collect::<Vec<_>>() {
            self.close(conn);
        }
        for perms in [&mut self.special.introduce, &mut self.special.release] {
            if perms.owner() == party {
                *perms = perms.owned_by(self.domains.control());
            }
        }
        self.work.search_again = self.work.searched.is_some();
        let was_introduced = self.domains.remove(domid).is_some_and(|domain| domain.is_introduced);
        self.releases += 1;
        if was_introduced {
            self.fire_special(RELEASE_DOMAIN, domid);
        }
    }

    /// What a domain uses. None: unknown.
    pub fn usage(&self, domid: DomId) -> Option<Usage> {
        self.domains.get(domid).map(|domain| domain.usage)
    }

    /// The limits of a domain, to be changed; with None those of domains to come.
    pub fn quota_mut(&mut self, domid: Option<DomId>) -> Option<&mut Quota> {
        match domid {
            None => Some(&mut self.domains.limits.quota),
            Some(domid) => self.domains.get_mut(domid).map(|domain| &mut domain.quota),
        }
    }

    /// The features that the domain's ring is to offer.
    pub fn features(&self, domid: DomId) -> u32 {
        self.domains.get(domid).map_or(FEATURES, |domain| domain.features)
    }

    /// The connection's rights as they are now.
    pub(crate) fn caller(&self, conn: ConnId) -> Result<Caller, Error> {
        let conn = self.conns.get(&conn).ok_or(Error::NotFound)?;
        Ok(self.domains.caller(conn.party))
    }

    /// Does something to the store's own tree, visible at once.
    pub(crate) fn change(&mut self, who: &Caller, op: &Op) -> Result<(), Error> {
        let (mut ledger, mut changes) = (Ledger::default(), Vec::new());
        self.desk(&mut ledger, &mut changes).apply(who, op)?;
        self.finish(who.party, ledger, changes);
        Ok(())
    }

    pub(crate) fn desk<'a>(&'a mut self, ledger: &'a mut Ledger, changes: &'a mut Vec<Change>) -> Desk<'a> {
        let Store { tree, domains, generation, history, .. } = self;
        let snapshots = if history.is_empty() { Snapshots::None } else { Snapshots::Some };
        Desk { tree, ledger, changes, domains, generation, snapshots }
    }

    /// Books and announces what `party` has done to the tree.
    pub(crate) fn finish(&mut self, party: Party, ledger: Ledger, changes: Vec<Change>) {
        let mut removed = ledger.removed + if ledger.uncounted.is_empty() { 0 } else { LARGE };
        let counted = ledger.counted_at_once();
        self.domains.book(ledger);
        if !self.history.is_empty() {
            self.note_replaced(&changes, counted);
            self.settle_history();
        }
        for change in changes {
            self.fire(party, change, &mut removed);
        }
    }

    /// Notes what the changes took out of the tree. As many removed nodes are looked at as were counted; the rest is noted when that is
    /// counted.
    fn note_replaced(&mut self, changes: &[Change], counted: usize) {
        let mut left = counted;
        for change in changes {
            self.history.replaced(change.was, change.replaced);
            if let ChangeKind::Removed(top) = &change.kind {
                for node in nodes(top).take(left) {
                    self.history.replaced(node.generation, node.cost());
                    left -= 1;
                }
            }
        }
    }

    pub(crate) fn note_open(&mut self, conn: ConnId, id: u32) {
        self.note_late();
        self.history.begin(conn, id, self.generation);
    }

    pub(crate) fn note_end(&mut self, conn: ConnId, id: u32) {
        self.note_late();
        self.history.end(conn, id);
    }

    fn note_late(&mut self) {
        for (generation, bytes) in self.domains.take_late() {
            self.history.replaced(generation, bytes);
        }
        self.history.settle();
    }

    /// Whether open transactions hold back more than they should.
    pub(crate) fn has_long_history(&self) -> bool {
        self.history.held() > self.domains.limits.history as usize
    }

    /// A transaction left open holds back what is replaced after its start. What all may hold back is bounded: over the limit, one after
    /// another moves on to today's store, one a call; over twice the limit all that have to. Returns how many requests were done
    /// once more.
    pub(crate) fn settle_history(&mut self) -> usize {
        self.note_late();
        let most = self.domains.limits.history as usize;
        let mut done = 0;
        while self.has_long_history()
            && (done == 0 || self.history.held() > 2 * most)
            && let Some((conn, id)) = self.history.greediest()
        {
            done += 1 + self.move_on(conn, id);
        }
        done
    }

    /// Has a transaction move on to today's store.
    fn move_on(&mut self, conn_id: ConnId, id: u32) -> usize {
        self.history.end(conn_id, id);
        let Store { conns, domains, generation, tree, releases, work, history, .. } = self;
        let Some(conn) = conns.get_mut(&conn_id) else { return 0 };
        let who = domains.caller(conn.party);
        let Some(transaction) = conn.transactions.get_mut(&id) else { return 0 };
        let steps = transaction.len();
        transaction.move_on(&who, domains, generation, tree, *releases, &mut work.graves);
        if !transaction.is_doomed() {
            history.begin(conn_id, id, *generation);
        }
        steps
    }

    /// The permissions of a special name.
    pub(crate) fn special_perms(&mut self, name: &str) -> Option<&mut Perms> {
        match name {
            INTRODUCE_DOMAIN => Some(&mut self.special.introduce),
            RELEASE_DOMAIN => Some(&mut self.special.release),
            _ => None,
        }
    }

    fn restored(mut self) -> Result<Self, RestoreError> {
        for id in self.conns.values().flat_map(Client::queued) {
            if let Some(watch) = self.watches.get_mut(id) {
                watch.queued += 1;
            }
        }
        let is_sound = self.conns.keys().all(|conn| conn.0 < self.next_conn);
        if is_sound { Ok(self) } else { Err(RestoreError::Malformed) }
    }
}
