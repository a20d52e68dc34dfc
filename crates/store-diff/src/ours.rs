//! Our own store, in this process.

use std::collections::BTreeMap;
use std::io;

use xen_abi::DomId;
use xenstore::wire::{MessageType, Request};
use xenstore::{ConnId, Store};

use crate::history::{CONTROLS, Who};
use crate::server::{Events, LIMITS, Reply, Server, event, reply};

/// The store and its connections.
pub(crate) struct Ours {
    store: Store,
    conns: BTreeMap<Who, ConnId>,
    next_req: u32,
}

impl Ours {
    pub(crate) fn new() -> Self {
        let mut store = Store::new(DomId(0));
        if let Some(quota) = store.quota_mut(None) {
            quota.nodes = LIMITS.nodes;
            quota.node_size = LIMITS.node_size;
            quota.watches = LIMITS.watches;
            quota.transactions = LIMITS.transactions;
            quota.path_max = LIMITS.path_max;
        }
        let conns = CONTROLS.into_iter().map(|who| (who, store.connect_control())).collect();
        Ours { store, conns, next_req: 0 }
    }

    fn conn(&self, who: Who) -> io::Result<ConnId> {
        self.conns.get(&who).copied().ok_or_else(|| io::Error::other(format!("{who} is not connected")))
    }
}

impl Server for Ours {
    fn name(&self) -> String {
        "ours".into()
    }

    fn ask(&mut self, who: Who, tx_id: u32, ty: u32, payload: &[u8]) -> io::Result<Reply> {
        self.next_req += 1;
        let request =
            Request { ty: MessageType(ty), req_id: self.next_req, tx_id, payload: payload.to_vec() };
        let bytes = self.store.handle(self.conn(who)?, &request);
        let word = |index: usize| u32::from_le_bytes(std::array::from_fn(|at| bytes[index * 4 + at]));
        if (word(1), word(2)) != (request.req_id, tx_id) {
            return Err(io::Error::other("the reply has other ids than its request"));
        }
        reply(ty, word(0), bytes[16..].to_vec())
    }

    fn create(&mut self, domid: u16) -> io::Result<()> {
        self.store.register(DomId(domid));
        Ok(())
    }

    fn boot(&mut self, domid: u16) -> io::Result<()> {
        self.store.introduce(DomId(domid));
        let conn = self.store.connect(DomId(domid)).map_err(|error| io::Error::other(error.to_string()))?;
        self.conns.insert(Who::Guest(domid), conn);
        Ok(())
    }

    fn shut_down(&mut self, domid: u16) -> io::Result<()> {
        self.store.shut_down(DomId(domid));
        Ok(())
    }

    fn die(&mut self, domid: u16) -> io::Result<()> {
        self.store.release(DomId(domid));
        self.drop_connection(domid);
        Ok(())
    }

    fn drop_connection(&mut self, domid: u16) {
        self.conns.remove(&Who::Guest(domid));
    }

    fn events(&mut self) -> io::Result<Events> {
        let mut events = Events::new();
        for (who, conn) in &self.conns {
            while let Some(next) = self.store.next_event(*conn) {
                events.entry(*who).or_default().push(event(&next.message()[16..])?);
            }
        }
        Ok(events)
    }
}
