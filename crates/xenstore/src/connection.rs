//! What the store keeps for each connection: its watches, its transactions, its events to come.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::task::Waker;

use crate::perms::Party;
use crate::transaction::Transaction;
use crate::watch::WatchId;
use crate::wire::{MessageType, encode};

/// The events that wait for a connection, at most. See [`Connection::push`] for what comes then.
pub(crate) const QUEUE_MAX: usize = 64;
/// The same for the control domain's own, which may watch everything.
pub(crate) const CONTROL_QUEUE_MAX: usize = 4096;

/// One connection to the store, from [`crate::Store::connect`] on. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnId(pub(crate) u64);

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

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) party: Party,
    pub(crate) watches: Vec<WatchId>,
    pub(crate) transactions: BTreeMap<u32, Transaction>,
    next_transaction: u32,
    queue: VecDeque<(WatchId, Arc<str>)>,
    queue_max: usize,
    waker: Option<Waker>,
}

impl Connection {
    pub(crate) fn new(party: Party, queue_max: usize) -> Self {
        Connection {
            party,
            watches: Vec::new(),
            transactions: BTreeMap::new(),
            next_transaction: 1,
            queue: VecDeque::new(),
            queue_max,
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

    /// Queues an event, unless the same one waits already. False: the queue is full, and the watch owes the event.
    pub(crate) fn push(&mut self, watch: WatchId, path: &Arc<str>) -> bool {
        if self.queue.iter().any(|(other, waits)| *other == watch && waits == path) {
            return true;
        }
        let has_room = self.queue.len() < self.queue_max;
        if has_room {
            self.queue.push_back((watch, path.clone()));
        }
        self.wake();
        has_room
    }

    pub(crate) fn pop(&mut self) -> Option<(WatchId, Arc<str>)> {
        self.queue.pop_front()
    }

    /// Drops the watch's events that wait.
    pub(crate) fn forget(&mut self, watch: WatchId) {
        self.watches.retain(|other| *other != watch);
        self.queue.retain(|(other, _)| *other != watch);
    }

    pub(crate) fn clear_events(&mut self) {
        self.queue.clear();
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
