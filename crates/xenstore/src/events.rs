//! From changes to watch events: who is concerned, who may know, and what waits where.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::mem;

use xen_abi::DomId;

use crate::connection::{ConnId, Pushed, WatchEvent};
use crate::node::Node;
use crate::ops::{Change, ChangeKind};
use crate::path::{StorePath, names};
use crate::perms::{Access, Perms};
use crate::save::saved;
use crate::store::Store;
use crate::watch::{TELLING, Watch, WatchId};
use crate::wire::PAYLOAD_MAX;

/// How much work is spent at once on telling who watches inside a removed subtree, so that in all usual cases nobody hears of the
/// whole before the part.
const TELL_AT_ONCE: usize = 1024;

/// How many removed subtrees may wait to be told in full: each keeps its nodes, up to half of the guests' pool, which nobody pays for any
/// more. With the pool itself, and the history of transactions, that has to fit into the control domain's heap.
const TELLINGS_MAX: usize = 2;

/// A removed subtree, and which of the watches inside it have been told.
#[derive(Debug)]
pub(crate) struct Telling {
    pub(crate) path: StorePath,
    pub(crate) top: Arc<Node>,
    /// The last path (below `path`) whose watches know; empty: all do.
    pub(crate) after: Option<String>,
    /// Watches that were set before it was removed have smaller ids.
    pub(crate) before: WatchId,
}

saved!(Telling { path, top, after, before });

impl Telling {
    pub(crate) fn is_over(&self) -> bool {
        self.after.as_ref().is_some_and(String::is_empty)
    }
}

impl Store {
    /// The connection's next event, if one waits.
    pub fn next_event(&mut self, conn: ConnId) -> Option<WatchEvent> {
        while let Some((id, path)) = self.conns.get_mut(&conn)?.pop() {
            if let Some(watch) = self.watches.get_mut(id) {
                watch.queued = watch.queued.saturating_sub(1);
                return Some(event(watch, &path));
            }
        }
        let owing = self.conns.get_mut(&conn)?.owing.pop_front()?;
        let watch = self.watches.get_mut(owing)?;
        watch.is_owed = false;
        let path = watch.path.shared().clone();
        Some(event(watch, &path))
    }

    /// Queues the events of a change that everybody can see now.
    pub(crate) fn fire(&mut self, change: Change) {
        if let ChangeKind::Removed(top) = &change.kind {
            self.fire_below(&change.path, top);
        }
        self.fire_on(&change.path, &change.kind);
        if let ChangeKind::Removed(top) = change.kind {
            self.work.graves.push(top);
        }
    }

    /// Events for watches on the path, and on the directories it is in.
    fn fire_on(&mut self, path: &StorePath, kind: &ChangeKind) {
        let concerned = self.watches.concerned(path);
        if concerned.is_empty() {
            return;
        }
        // For those who may read the node, or its directory, or might before.
        let mut readers: Vec<Perms> = Vec::with_capacity(3);
        match (kind, self.tree.get(path.as_str())) {
            (ChangeKind::Removed(top), _) => readers.push(top.perms.clone()),
            (ChangeKind::Written, Some(node)) => readers.push(node.perms.clone()),
            (ChangeKind::Permitted(old), Some(node)) => {
                readers.extend([node.perms.clone(), old.clone()]);
            }
            // A transaction removed it again: that has its own event, if anybody is to know.
            (_, None) => return,
        }
        let parent = path.split_last().and_then(|(parent, _)| self.tree.get(parent));
        readers.extend(parent.map(|parent| parent.perms.clone()));
        // A guest may have many watches on one path; what it may know does not differ between them.
        let mut asked: Option<(ConnId, bool)> = None;
        for id in concerned {
            let Some(conn) = self.watches.get(id).map(|watch| watch.conn) else { continue };
            let may_know = match asked {
                Some((same, may_know)) if same == conn => may_know,
                _ => self.may_know(id, &readers),
            };
            asked = Some((conn, may_know));
            if may_know {
                self.queue(id, path.shared());
            }
        }
    }

    /// Events for watches on nodes inside a subtree that is gone: each on its own path. Watches above the subtree hear of its top
    /// alone, as with upstream's C server.
    fn fire_below(&mut self, path: &StorePath, top: &Arc<Node>) {
        if !self.watches.has_below(path) {
            return;
        }
        let before = self.watches.next_id();
        let mut telling = Telling { path: path.clone(), top: top.clone(), after: None, before };
        // All of it takes as long as there are watched places at most, and what those cost is in their owners' quotas.
        let has_room = self.work.tellings.len() < TELLINGS_MAX;
        self.tell(&mut telling, if has_room { TELL_AT_ONCE } else { usize::MAX });
        if !telling.is_over() {
            self.work.tellings.push(telling);
        }
    }

    /// Tells some more watches inside a removed subtree: for about as much work as `most`. Returns how much it was.
    pub(crate) fn tell(&mut self, telling: &mut Telling, most: usize) -> usize {
        let Telling { path, top, after, before } = telling;
        let (ids, next) = self.watches.below(path, after.as_deref(), most);
        let told = if next.is_some() { most } else { 1 + ids.len() * TELLING };
        *after = Some(next.unwrap_or_default());
        // Whoever came later knew that the subtree was not there.
        for id in ids.into_iter().filter(|id| id < before) {
            let Some(watch) = self.watches.get(id) else { continue };
            let inner = watch.path.as_str().get(path.as_str().len()..).unwrap_or_default();
            let mut parent = &*top;
            let mut node = Some(parent);
            for name in names(inner) {
                parent = node.unwrap_or(parent);
                node = node.and_then(|node| node.children().get(name.as_bytes()));
            }
            let Some(node) = node else { continue };
            let readers = [node.perms.clone(), parent.perms.clone()];
            let own = watch.path.shared().clone();
            if self.may_know(id, &readers) {
                self.queue(id, &own);
            }
        }
        told
    }

    /// Fires `@introduceDomain` or `@releaseDomain`. Watches with a depth learn which domain, and some wait for one domain only.
    pub(crate) fn fire_special(&mut self, name: &'static str, domid: DomId) {
        let perms = self.special_perms(name).cloned();
        let mut readers: Vec<Perms> = perms.into_iter().collect();
        readers.extend(self.tree.get("/").map(|root| root.perms.clone()));
        let mut with_domain = alloc::string::String::from(name);
        // Writing to a String cannot fail.
        let _ = write!(with_domain, "/{}", domid.0);
        let (plain, with_domain): (Arc<str>, Arc<str>) = (name.into(), with_domain.into());
        let mut due: Vec<(WatchId, &Arc<str>)> = Vec::new();
        for (id, wants_domain) in self.watches.special(name) {
            due.push((id, if wants_domain { &with_domain } else { &plain }));
        }
        due.extend(self.watches.special(&with_domain).into_iter().map(|(id, _)| (id, &with_domain)));
        for (id, path) in due {
            if self.may_know(id, &readers) {
                self.queue(id, path);
            }
        }
    }

    /// XSA-115: an event tells that something exists, so it is for those only who may read that.
    fn may_know(&self, id: WatchId, readers: &[Perms]) -> bool {
        let conn = self.watches.get(id).map(|watch| watch.conn);
        let who = conn.and_then(|conn| self.caller(conn).ok());
        who.is_some_and(|who| readers.iter().any(|perms| perms.allows(&who, Access::Read)))
    }

    pub(crate) fn queue(&mut self, id: WatchId, path: &Arc<str>) {
        let Some(watch) = self.watches.get_mut(id) else { return };
        let Some(conn) = self.conns.get_mut(&watch.conn) else { return };
        match conn.push(id, path, watch.queued > 0) {
            Pushed::Queued => watch.queued += 1,
            Pushed::Waits => {}
            Pushed::Full => {
                if !mem::replace(&mut watch.is_owed, true) {
                    conn.owing.push_back(id);
                }
            }
        }
    }
}

/// The event as the watch's owner sees it. A path that does not fit into a message beside the token becomes the watch's own.
fn event(watch: &Watch, path: &Arc<str>) -> WatchEvent {
    let token = watch.token.to_vec();
    let fits = path.len() + token.len() + 2 <= PAYLOAD_MAX;
    let path: Arc<str> = match (fits, watch.prefix_len) {
        (true, 0) => path.clone(),
        (true, prefix) => path.get(prefix..).unwrap_or(path).into(),
        (false, prefix) => watch.path.as_str().get(prefix..).unwrap_or_default().into(),
    };
    WatchEvent { path, token }
}
