//! Connections to the store: who opens one, what ends with it.

use alloc::vec::Vec;
use core::mem;
use core::task::{Context, Poll};

use xen_abi::DomId;

use crate::Error;
use crate::connection::{CONTROL_QUEUE_MAX, Client, ConnId, QUEUE_MAX, WatchEvent};
use crate::perms::Party;
use crate::store::Store;

/// How many watches of a connection are dropped when it is closed; only the control domain may have more.
const WATCHES_AT_ONCE: usize = 1024;

impl Store {
    /// Opens a connection for an introduced domain. One that it had is closed.
    ///
    /// # Errors
    /// [`Error::NotFound`]: the domain was not introduced.
    pub fn connect(&mut self, domid: DomId) -> Result<ConnId, Error> {
        let party = self.domains.party(domid).filter(|_| self.is_introduced(domid)).ok_or(Error::NotFound)?;
        if self.domains.is_control(domid) {
            return Ok(self.open_connection(party, CONTROL_QUEUE_MAX));
        }
        let old = self.conns.iter().find(|(_, conn)| conn.party == party).map(|(id, _)| *id);
        if let Some(old) = old {
            self.disconnect(old);
        }
        Ok(self.open_connection(party, QUEUE_MAX))
    }

    /// Opens a connection with the control domain's rights. There may be any number of them.
    pub fn connect_control(&mut self) -> ConnId {
        let control = self.domains.control();
        self.open_connection(control, CONTROL_QUEUE_MAX)
    }

    /// The open connections, oldest first, each with its domain.
    pub fn connections(&self) -> impl Iterator<Item = (ConnId, DomId)> {
        self.conns.iter().map(|(id, conn)| (*id, conn.party.domid))
    }

    /// Drops a connection's watches, transactions and events, and keeps the connection.
    pub fn reset(&mut self, conn: ConnId) {
        self.tidily(None, |store| {
            store.end_transactions(conn);
            let Some(client) = store.conns.get_mut(&conn) else { return };
            client.clear_events();
            let (party, watches) = (client.party, mem::take(&mut client.watches));
            // At once, however many: nothing comes after the reply.
            for id in watches {
                store.drop_watch(party, id);
            }
        });
    }

    /// Closes a connection; whoever waits on it is woken and told.
    pub fn disconnect(&mut self, conn: ConnId) {
        self.tidily(None, |store| store.close(conn));
    }

    pub(crate) fn close(&mut self, conn: ConnId) {
        self.end_transactions(conn);
        let Some(mut client) = self.conns.remove(&conn) else { return };
        client.wake();
        // A guest's own at once: its next connection has room for as many.
        let mut watches = client.watches.into_iter();
        for id in watches.by_ref().take(WATCHES_AT_ONCE) {
            self.drop_watch(client.party, id);
        }
        if watches.len() > 0 {
            self.work.abandoned.push((client.party, watches.collect()));
        }
    }

    pub(crate) fn end_transactions(&mut self, conn: ConnId) {
        let ids = self.conns.get(&conn).map(|conn| conn.transactions.keys().copied().collect::<Vec<_>>());
        for id in ids.into_iter().flatten() {
            if let Some(transaction) = self.end_transaction(conn, id) {
                transaction.bury(&mut self.work.graves);
            }
        }
    }

    /// The connection's next event; `Ready(None)` once it is closed. Only the last caller's task is woken.
    pub fn poll_event(&mut self, conn: ConnId, cx: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        if let Some(event) = self.next_event(conn) {
            return Poll::Ready(Some(event));
        }
        self.poll_closed(conn, cx).map(|()| None)
    }

    /// Ready once the connection is closed. Only the last caller's task is woken, also by events.
    pub fn poll_closed(&mut self, conn: ConnId, cx: &mut Context<'_>) -> Poll<()> {
        match self.conns.get_mut(&conn) {
            None => Poll::Ready(()),
            Some(conn) => {
                conn.set_waker(cx.waker());
                Poll::Pending
            }
        }
    }

    fn open_connection(&mut self, party: Party, queue_max: usize) -> ConnId {
        let id = ConnId(self.next_conn);
        self.next_conn += 1;
        self.conns.insert(id, Client::new(party, queue_max));
        id
    }
}
