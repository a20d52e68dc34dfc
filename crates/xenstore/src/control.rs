//! How the toolstack, in the same process and with all rights, works with the store.

use alloc::string::String;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::mem;

use crate::Error;
use crate::connection::{ConnId, WatchEvent};
use crate::draft::Draft;
use crate::ledger::Ledger;
use crate::ops::{Change, Op};
use crate::path::StorePath;
use crate::perms::{Caller, Perm};
use crate::store::{SharedStore, Store};
use crate::tree::Tree;

/// The store in the control domain's hands: see [`Store::control`].
///
/// Paths are absolute. Values are bytes.
#[derive(Debug)]
pub struct Control<'a> {
    store: &'a mut Store,
    who: Caller,
    ledger: Ledger,
    changes: Vec<Change>,
}

impl Store {
    /// Runs `work` with the control domain's rights, as one transaction that nobody can come between: what it
    /// changed becomes visible, and fires watches, when it returns `Ok`; after `Err` nothing happened.
    ///
    /// # Errors
    /// `work`'s own.
    pub fn control<R>(
        &mut self,
        work: impl FnOnce(&mut Control<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.tidily(None, |store| {
            let before: Tree = store.tree.clone();
            let who = store.domains.caller(store.domains.control());
            let mut control = Control { store, who, ledger: Ledger::default(), changes: Vec::new() };
            let done = work(&mut control);
            let Control { ledger, changes, store, who } = control;
            if done.is_ok() {
                before.bury(&mut store.work.graves);
                store.finish(who.party, ledger, changes);
            } else {
                let tree = mem::replace(&mut store.tree, before);
                Draft { tree, ledger, changes }.bury(&mut store.work.graves);
            }
            done
        })
    }

    /// Reads a node with the control domain's rights.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`] path.
    pub fn read(&self, path: &str) -> Result<&[u8], Error> {
        let path = StorePath::absolute(path)?;
        self.tree.get(path.as_str()).map(|node| node.value()).ok_or(Error::NotFound)
    }

    /// The names in a directory, in order, with the control domain's rights.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`] path.
    pub fn list(&self, path: &str) -> Result<Vec<String>, Error> {
        let path = StorePath::absolute(path)?;
        let node = self.tree.get(path.as_str()).ok_or(Error::NotFound)?;
        Ok(node.children().iter().map(|child| String::from_utf8_lossy(child.name()).into_owned()).collect())
    }

    /// Sets a watch for a connection (of the toolstack's own: [`Store::connect_control`]). It fires once at once. Special names
    /// (`@releaseDomain`) too.
    ///
    /// # Errors
    /// [`Error::Exists`]: it is set. [`Error::Invalid`]: bad path, or a token with a nul.
    pub fn watch(&mut self, conn: ConnId, path: &str, token: &str) -> Result<(), Error> {
        if token.contains('\0') {
            return Err(Error::Invalid);
        }
        self.tidily(None, |store| store.add_watch(conn, path.as_bytes(), token.as_bytes(), None))
    }

    /// Removes a watch.
    ///
    /// # Errors
    /// [`Error::NotFound`]: it is not set.
    pub fn unwatch(&mut self, conn: ConnId, path: &str, token: &str) -> Result<(), Error> {
        self.remove_watch(conn, path.as_bytes(), token.as_bytes())
    }
}

impl Control<'_> {
    /// Gives a node a value; it and its directories are made where missing, with their directory's permissions.
    ///
    /// # Errors
    /// [`Error::Invalid`] path.
    pub fn write(&mut self, path: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
        self.apply(&Op::Write(StorePath::absolute(path)?, value.as_ref().to_vec()))
    }

    /// Gives a node a value and permissions: the first is the owner.
    ///
    /// # Errors
    /// [`Error::Invalid`] path or no permission. [`Error::NotFound`]: the owner is not registered.
    pub fn write_with(&mut self, path: &str, value: impl AsRef<[u8]>, perms: &[Perm]) -> Result<(), Error> {
        self.write(path, value)?;
        self.set_perms(path, perms)
    }

    /// Makes a directory, if it is not there.
    ///
    /// # Errors
    /// [`Error::Invalid`] path.
    pub fn mkdir(&mut self, path: &str) -> Result<(), Error> {
        self.apply(&Op::Mkdir(StorePath::absolute(path)?))
    }

    /// Makes a directory with permissions.
    ///
    /// # Errors
    /// As for [`Self::write_with`].
    pub fn mkdir_with(&mut self, path: &str, perms: &[Perm]) -> Result<(), Error> {
        self.mkdir(path)?;
        self.set_perms(path, perms)
    }

    /// Removes a node and all below. Removing what is not there is fine.
    ///
    /// # Errors
    /// [`Error::Invalid`]: bad path, or `/`.
    pub fn rm(&mut self, path: &str) -> Result<(), Error> {
        match self.apply(&Op::Remove(StorePath::absolute(path)?)) {
            Err(Error::NotFound) => Ok(()),
            other => other,
        }
    }

    /// Sets a node's permissions: the first entry is the owner, and what everybody may who is not named. Nodes made below
    /// afterwards inherit them.
    ///
    /// # Errors
    /// [`Error::NotFound`]: no such node, or the owner is not registered. [`Error::Invalid`] path or no permission.
    pub fn set_perms(&mut self, path: &str, perms: &[Perm]) -> Result<(), Error> {
        self.apply(&Op::SetPerms(StorePath::absolute(path)?, perms.to_vec()))
    }

    /// Reads a node, this closure's own changes included.
    ///
    /// # Errors
    /// As for [`Store::read`].
    pub fn read(&self, path: &str) -> Result<&[u8], Error> {
        self.store.read(path)
    }

    /// The names in a directory, this closure's own changes included.
    ///
    /// # Errors
    /// As for [`Store::list`].
    pub fn list(&self, path: &str) -> Result<Vec<String>, Error> {
        self.store.list(path)
    }

    fn apply(&mut self, op: &Op) -> Result<(), Error> {
        let Control { ledger, changes, who, store } = self;
        store.desk(ledger, changes).apply(who, op)
    }
}

/// The toolstack's own watches, as a queue of events.
#[derive(Debug)]
pub struct Events<'a> {
    store: &'a SharedStore,
    conn: ConnId,
}

impl<'a> Events<'a> {
    /// Opens a connection with the control domain's rights, for watches.
    pub fn new(store: &'a SharedStore) -> Self {
        let conn = store.borrow_mut().connect_control();
        Events { store, conn }
    }

    /// Sets a watch, as [`Store::watch`].
    ///
    /// # Errors
    /// As there.
    pub fn watch(&self, path: &str, token: &str) -> Result<(), Error> {
        self.store.borrow_mut().watch(self.conn, path, token)
    }

    /// Removes a watch.
    ///
    /// # Errors
    /// [`Error::NotFound`]: it is not set.
    pub fn unwatch(&self, path: &str, token: &str) -> Result<(), Error> {
        self.store.borrow_mut().unwatch(self.conn, path, token)
    }

    /// Waits for the next event. For one task at a time.
    pub async fn next(&self) -> WatchEvent {
        poll_fn(|cx| match self.store.borrow_mut().poll_event(self.conn, cx) {
            core::task::Poll::Ready(Some(event)) => core::task::Poll::Ready(event),
            // Only dropping `self` closes the connection.
            _ => core::task::Poll::Pending,
        })
        .await
    }
}

impl Drop for Events<'_> {
    fn drop(&mut self) {
        // If the store is being borrowed, the whole program is unwinding: then nobody needs the connection.
        if let Ok(mut store) = self.store.try_borrow_mut() {
            store.disconnect(self.conn);
        }
    }
}
