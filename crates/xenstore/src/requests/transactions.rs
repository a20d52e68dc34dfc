//! Requests that begin and end transactions.

use alloc::format;
use alloc::vec::Vec;
use core::mem;

use super::{Asked, OK};
use crate::Error;
use crate::connection::ConnId;
use crate::draft::Draft;
use crate::quota::Item;
use crate::store::Store;
use crate::transaction::Transaction;
use crate::wire::one_string;

impl Store {
    pub(super) fn transaction_start(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        if asked.tx != 0 {
            return Err(Error::Busy);
        }
        self.domains.check_one_more(&asked.who, Item::Transactions)?;
        let conn = self.conns.get_mut(&asked.conn).ok_or(Error::NotFound)?;
        let id = conn.new_transaction_id();
        conn.transactions.insert(id, Transaction::new(&self.tree, self.releases));
        if let Some(domain) = self.domains.get_mut(asked.who.party.domid) {
            domain.usage.transactions += 1;
        }
        self.note_open(asked.conn, id);
        Ok(format!("{id}\0").into_bytes())
    }

    pub(super) fn transaction_end(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let is_commit = match one_string(asked.payload)? {
            b"T" => true,
            b"F" => false,
            _ => return Err(Error::Invalid),
        };
        let mut transaction = self.end_transaction(asked.conn, asked.tx).ok_or(Error::NotFound)?;
        let committed = is_commit.then(|| {
            let Store { tree, domains, generation, releases, work, .. } = self;
            transaction.commit(&asked.who, domains, generation, tree, *releases, &mut work.graves)
        });
        transaction.bury(&mut self.work.graves);
        if let Some(done) = committed.transpose()? {
            let Draft { tree, ledger, changes } = done;
            mem::replace(&mut self.tree, tree).bury(&mut self.work.graves);
            self.finish(asked.who.party, ledger, changes);
        }
        Ok(OK.to_vec())
    }

    /// Takes a transaction away from its connection, and its charges from its domain.
    pub(crate) fn end_transaction(&mut self, conn_id: ConnId, id: u32) -> Option<Transaction> {
        let conn = self.conns.get_mut(&conn_id)?;
        let transaction = conn.transactions.remove(&id)?;
        let party = conn.party;
        self.domains.refund_memory(party, transaction.charged);
        if let Some(domain) = self.domains.get_mut(party.domid) {
            domain.usage.transactions = domain.usage.transactions.saturating_sub(1);
        }
        self.note_end(conn_id, id);
        Some(transaction)
    }
}
