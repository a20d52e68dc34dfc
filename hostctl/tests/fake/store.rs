//! The fake's store: the real crate, on the streams that clients open.

use std::collections::BTreeMap;

use link::{Channel, Link};
use xen_abi::DomId;
use xenstore::wire::{Decoder, TooLong};
use xenstore::{ConnId, Store};

/// The store and its streams.
pub struct Stores {
    store: Store,
    streams: BTreeMap<Channel, Connection>,
}

struct Connection {
    id: ConnId,
    decoder: Decoder,
    /// What the link had no room for.
    unsent: Vec<u8>,
}

impl Stores {
    pub fn new() -> Self {
        Self { store: Store::new(DomId(0)), streams: BTreeMap::new() }
    }

    /// How many streams are open.
    pub fn nr_open(&self) -> usize {
        self.streams.len()
    }

    pub fn open(&mut self, channel: Channel) {
        let id = self.store.connect_control();
        self.streams.insert(channel, Connection { id, decoder: Decoder::new(), unsent: Vec::new() });
    }

    pub fn has(&self, channel: Channel) -> bool {
        self.streams.contains_key(&channel)
    }

    /// Answers the requests in `bytes`; false when they are none, and the stream is to be closed.
    pub fn receive(&mut self, channel: Channel, mut bytes: &[u8]) -> bool {
        let Some(Connection { id, decoder, unsent }) = self.streams.get_mut(&channel) else { return true };
        loop {
            let request = decoder.decode(|into| {
                let count = into.len().min(bytes.len());
                into[..count].copy_from_slice(&bytes[..count]);
                bytes = &bytes[count..];
                Ok::<_, TooLong>(count)
            });
            match request {
                Ok(Some(request)) => unsent.extend(self.store.handle(*id, &request)),
                Ok(None) => return true,
                Err(TooLong(_)) => return false,
            }
        }
    }

    pub fn close(&mut self, channel: Channel) {
        if let Some(connection) = self.streams.remove(&channel) {
            self.store.disconnect(connection.id);
        }
    }

    /// Hands the link what it has room for.
    pub fn send(&mut self, link: &mut Link) {
        for (&channel, connection) in &mut self.streams {
            while let Some(event) = self.store.next_event(connection.id) {
                connection.unsent.extend(event.message());
            }
            if let Ok(count @ 1..) = link.stream_write(channel, &connection.unsent) {
                connection.unsent.drain(..count);
            }
        }
    }
}
