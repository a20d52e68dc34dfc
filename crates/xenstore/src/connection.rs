//! What the store keeps for each connection: its watches, its transactions, its events to come.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::task::Waker;

use crate::perms::Party;
use crate::save::{RestoreError, saved};
use crate::transaction::Transaction;
use crate::watch::WatchId;
use crate::wire::{MessageType, encode};

/// The events that wait for a connection, at most. See [`Client::push`] for what comes then.
pub(crate) const QUEUE_MAX: usize = 64;
/// The bytes of their paths, at most, unless it is one event.
const QUEUE_BYTES: usize = 8 << 10;
/// As [`QUEUE_MAX`], for the control domain's own, which may watch everything.
pub(crate) const CONTROL_QUEUE_MAX: usize = 1024;

/// One connection to the store, from [`crate::Store::connect`] on. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnId(pub(crate) u64);

saved!(ConnId { 0 });

/// A watch has something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchEvent {
    /// What changed; relative if the watch was set so.
    pub path: Arc<str>,
    /// The watch's token.
    pub token: Vec<u8>,
}

impl WatchEvent {
    /// The event as a message.
    pub fn message(&self) -> Vec<u8> {
        encode(MessageType::WATCH_EVENT, 0, 0, &[self.path.as_bytes(), &[0], &self.token, &[0]])
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Queued,
    /// The same one waits already.
    Waits,
    /// There is no room: the watch owes it.
    Full,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) party: Party,
    pub(crate) watches: BTreeSet<WatchId>,
    /// Watches with an event that did not fit into the queue.
    pub(crate) owing: VecDeque<WatchId>,
    pub(crate) transactions: BTreeMap<u32, Transaction>,
    next_transaction: u32,
    queue: VecDeque<(WatchId, Arc<str>)>,
    queue_max: usize,
    queue_bytes: usize,
    waker: Option<Waker>,
}

saved!(Client { party, watches, owing, transactions, next_transaction, queue, queue_max }
    else { queue_bytes: 0, waker: None } then Client::restored);

impl Client {
    fn restored(mut self) -> Result<Self, RestoreError> {
        self.queue_bytes = self.queue.iter().map(|(_, path)| path.len()).sum();
        Ok(self)
    }

    pub(crate) fn new(party: Party, queue_max: usize) -> Self {
        Client {
            party,
            watches: BTreeSet::new(),
            owing: VecDeque::new(),
            transactions: BTreeMap::new(),
            next_transaction: 1,
            queue: VecDeque::new(),
            queue_max,
            queue_bytes: 0,
            waker: None,
        }
    }

    /// An id that no open transaction of the connection has, and not 0.
    pub(crate) fn new_transaction_id(&mut self) -> u32 {
        loop {
            let id = self.next_transaction;
            self.next_transaction = self.next_transaction.wrapping_add(1);
            if id != 0 && !self.transactions.contains_key(&id) {
                return id;
            }
        }
    }

    /// Queues an event, unless the same one waits already; the watch has others there, or has not.
    pub(crate) fn push(&mut self, watch: WatchId, path: &Arc<str>, has_others: bool) -> Pushed {
        let fits = self.queue.is_empty() || self.queue_bytes + path.len() <= QUEUE_BYTES;
        if self.queue.len() >= self.queue_max || !fits {
            self.wake();
            return Pushed::Full;
        }
        if has_others && self.queue.iter().any(|(other, waits)| *other == watch && waits == path) {
            return Pushed::Waits;
        }
        self.queue_bytes += path.len();
        self.queue.push_back((watch, path.clone()));
        self.wake();
        Pushed::Queued
    }

    /// The watches of the events that wait, as often as they have one.
    pub(crate) fn queued(&self) -> impl Iterator<Item = WatchId> {
        self.queue.iter().map(|(watch, _)| *watch)
    }

    pub(crate) fn pop(&mut self) -> Option<(WatchId, Arc<str>)> {
        let event = self.queue.pop_front()?;
        self.queue_bytes -= event.1.len();
        Some(event)
    }

    /// Drops the watch's events that wait.
    pub(crate) fn forget(&mut self, watch: WatchId) {
        self.watches.remove(&watch);
        self.owing.retain(|other| *other != watch);
        let bytes = &mut self.queue_bytes;
        self.queue.retain(|(other, path)| {
            let stays = *other != watch;
            *bytes -= if stays { 0 } else { path.len() };
            stays
        });
    }

    pub(crate) fn clear_events(&mut self) {
        self.queue.clear();
        self.owing.clear();
        self.queue_bytes = 0;
    }

    /// Whoever polled last is told when there is an event, or when the connection is closed.
    pub(crate) fn set_waker(&mut self, waker: &Waker) {
        match &mut self.waker {
            Some(old) => old.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    pub(crate) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
