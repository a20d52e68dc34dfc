//! From changes to watch events: who is concerned, who may know, and what waits where.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use xen_abi::DomId;

use crate::connection::{ConnId, Pushed, WatchEvent};
use crate::ops::{Change, ChangeKind};
use crate::path::{ABSOLUTE_MAX, StorePath};
use crate::perms::{Access, Party, Perms};
use crate::store::Store;
use crate::watch::{Watch, WatchId};
use crate::wire::PAYLOAD_MAX;

impl Store {
    /// The connection's next event, if one waits.
    pub fn next_event(&mut self, conn: ConnId) -> Option<WatchEvent> {
        loop {
            let client = self.conns.get_mut(&conn)?;
            let Some((id, path)) = client.pop() else {
                if client.owing.is_empty() {
                    return None;
                }
                self.pay(conn);
                continue;
            };
            self.pay(conn);
            if let Some(watch) = self.watches.get_mut(id) {
                watch.queued = watch.queued.saturating_sub(1);
                return Some(event(watch, &path));
            }
        }
    }

    /// Where there is room in the queue, an event that is owed goes there.
    fn pay(&mut self, conn: ConnId) {
        let Some(client) = self.conns.get_mut(&conn) else { return };
        let Some(id) = client.owing.pop_front() else { return };
        self.watches.owe(id, false);
        if let Some(path) = self.watches.get(id).map(|watch| watch.path.shared().clone()) {
            self.queue(id, &path);
        }
    }

    /// Tells of a change that everybody can see now, which `party` made. `kept`: bytes of removed nodes that nobody has
    /// been made to answer for.
    pub(crate) fn fire(&mut self, party: Party, change: Change, kept: &mut usize) {
        let Change { path, kind, .. } = change;
        if let ChangeKind::Removed(top) = &kind
            && self.watches.has_below(&path)
        {
            self.tell_below(party, path.clone(), top.clone(), mem::take(kept));
        }
        if self.watches.concerns(&path)
            && let Some(readers) = self.readers(&path, &kind)
        {
            self.tell_on(party, path, readers);
        }
        if let ChangeKind::Removed(top) = kind {
            self.work.graves.push(top);
        }
    }

    /// An event is for those who may read the node, or its directory, or might before. None: for nobody.
    fn readers(&self, path: &StorePath, kind: &ChangeKind) -> Option<Vec<Perms>> {
        let mut readers: Vec<Perms> = Vec::with_capacity(3);
        match (kind, self.tree.get(path.as_str())) {
            (ChangeKind::Removed(top), _) => readers.push(top.perms.clone()),
            (ChangeKind::Written, Some(node)) => readers.push(node.perms.clone()),
            (ChangeKind::Permitted(old), Some(node)) => {
                readers.extend([node.perms.clone(), old.clone()]);
            }
            // A transaction removed it again: that has its own event, if anybody is to know.
            (_, None) => return None,
        }
        let parent = path.split_last().and_then(|(parent, _)| self.tree.get(parent));
        readers.extend(parent.map(|parent| parent.perms.clone()));
        Some(readers)
    }

    /// Fires `@introduceDomain` or `@releaseDomain`. Watches with a depth learn which domain, and some wait for one domain only.
    pub(crate) fn fire_special(&mut self, name: &'static str, domid: DomId) {
        let perms = self.special_perms(name).cloned();
        let mut readers: Vec<Perms> = perms.into_iter().collect();
        readers.extend(self.tree.get("/").map(|root| root.perms.clone()));
        let path = StorePath::parse(format!("{name}/{}", domid.0).as_bytes(), domid, ABSOLUTE_MAX);
        debug_assert!(path.is_ok());
        if let Ok(path) = path
            && self.watches.concerns(&path)
        {
            self.tell_on(self.domains.control(), path, readers);
        }
    }

    /// XSA-115: an event tells that something exists, so it is for those only who may read that.
    pub(crate) fn may_know(&self, conn: ConnId, readers: &[Perms]) -> bool {
        let who = self.caller(conn).ok();
        who.is_some_and(|who| readers.iter().any(|perms| perms.allows(&who, Access::Read)))
    }

    pub(crate) fn queue(&mut self, id: WatchId, path: &Arc<str>) {
        let Some(watch) = self.watches.get_mut(id) else { return };
        let Some(conn) = self.conns.get_mut(&watch.conn) else { return };
        match conn.push(id, path, watch.queued > 0) {
            Pushed::Queued => watch.queued += 1,
            Pushed::Waits => {}
            Pushed::Full => {
                if self.watches.owe(id, true) == Some(false) {
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
