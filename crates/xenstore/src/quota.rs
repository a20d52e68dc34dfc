//! What a guest may use, and what it uses.
//!
//! Everything a guest can make the store keep is charged to a domain before it is kept. The control domain is not limited.

use crate::save::{Loader, RestoreError, Saved, Saver, saved};

/// How much all guests together may make the store keep, and what each may by default.
///
/// What is charged is what is really allocated, a little more rather than less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The quotas of domains to come.
    pub quota: Quota,
    /// Bytes that all guests together may use; 0: no limit. Of what is left of it, a guest may come to have as much as remains
    /// for the others: one guest gets half of the pool at most, and two greedy ones leave a third of it to the next.
    pub pool: u32,
    /// Bytes that each guest may use even when the pool is used up.
    pub share: u32,
    /// Bytes of history that open transactions may hold back before one after another moves on to the store of today; at twice as many
    /// they all do at once.
    pub history: u32,
}

saved!(Limits { quota, pool, share, history });

impl Limits {
    /// For a control domain with 8 MiB for everything, where a failed allocation ends everything: upstream's quotas, but all guests
    /// draw on one pool. Each guest's share is enough for Linux to boot and name itself.
    pub const fn small() -> Self {
        Limits { quota: Quota::upstream(), pool: 2 << 20, share: 16 << 10, history: 256 << 10 }
    }

    /// For a host process: upstream's quotas, and no limit on all guests together.
    pub const fn upstream() -> Self {
        Limits { quota: Quota::upstream(), pool: 0, share: 0, history: 32 << 20 }
    }
}

/// The limits of one domain: the largest value that is allowed; 0 means none.
///
/// Source: the quota table of upstream's C server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Nodes owned.
    pub nodes: u32,
    /// Watches set.
    pub watches: u32,
    /// Transactions open at a time.
    pub transactions: u32,
    /// Nodes that one transaction touches.
    pub transaction_nodes: u32,
    /// Requests in work at a time. The server takes a connection's next request only after the reply, so
    /// this is never more than one; kept since tools ask for it.
    pub outstanding: u32,
    /// Bytes of one node: value, permissions, names of its children.
    pub node_size: u32,
    /// Permission entries of one node.
    pub node_permissions: u32,
    /// Bytes of a path, without `/local/domain/N/`.
    pub path_max: u32,
    /// Bytes of all nodes, watches and transactions together.
    pub memory: u32,
    /// Bytes beyond which a domain is named in the memory report. Nothing is refused.
    pub soft_memory: u32,
}

saved!(Quota {
    nodes,
    watches,
    transactions,
    transaction_nodes,
    outstanding,
    node_size,
    node_permissions,
    path_max,
    memory,
    soft_memory,
});

impl Quota {
    /// The values that upstream's C server begins with.
    pub const fn upstream() -> Self {
        Quota {
            nodes: 1000,
            watches: 128,
            transactions: 10,
            transaction_nodes: 1024,
            outstanding: 20,
            node_size: 2048,
            node_permissions: 5,
            path_max: 2048,
            memory: 2560 << 10,
            soft_memory: 2048 << 10,
        }
    }

    pub(crate) const fn get(&self, item: Item) -> u32 {
        match item {
            Item::Nodes => self.nodes,
            Item::Watches => self.watches,
            Item::Outstanding => self.outstanding,
            Item::Memory => self.memory,
            Item::Transactions => self.transactions,
            Item::TransactionNodes => self.transaction_nodes,
            Item::NodePermissions => self.node_permissions,
            Item::PathMax => self.path_max,
            Item::NodeSize => self.node_size,
        }
    }

    /// The limit of this name. None: no such name.
    pub fn by_name(&mut self, name: &str) -> Option<&mut u32> {
        Some(match name {
            "nodes" => &mut self.nodes,
            "watches" => &mut self.watches,
            "outstanding" => &mut self.outstanding,
            "memory" => &mut self.memory,
            SOFT_MEMORY => &mut self.soft_memory,
            "transactions" => &mut self.transactions,
            "transaction-nodes" => &mut self.transaction_nodes,
            "node-permissions" => &mut self.node_permissions,
            "path-max" => &mut self.path_max,
            "node-size" => &mut self.node_size,
            _ => return None,
        })
    }
}

/// The name of the one soft limit.
pub(crate) const SOFT_MEMORY: &str = "soft-memory";

/// Something that is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Nodes,
    Watches,
    Outstanding,
    Memory,
    Transactions,
    TransactionNodes,
    NodePermissions,
    PathMax,
    NodeSize,
}

/// All of them, with the names that GET_QUOTA, SET_QUOTA and CONTROL know, in the order of [`Item`].
pub(crate) const ITEMS: [(Item, &str, &str); 9] = [
    (Item::Nodes, "nodes", "Nodes per domain"),
    (Item::Watches, "watches", "Watches per domain"),
    (Item::Outstanding, "outstanding", "Outstanding requests per domain"),
    (Item::Memory, "memory", "Total Xenstore memory per domain"),
    (Item::Transactions, "transactions", "Active transactions per domain"),
    (Item::TransactionNodes, "transaction-nodes", "Max. number of accessed nodes per transaction"),
    (Item::NodePermissions, "node-permissions", "Max. number of permissions per node"),
    (Item::PathMax, "path-max", "Max. length of a node path"),
    (Item::NodeSize, "node-size", "Max. size of a node"),
];

/// The largest value of each item that was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peaks([u32; ITEMS.len()]);

impl Saved for Peaks {
    fn save<'a>(&'a self, to: &mut Saver<'a>) {
        self.0.iter().for_each(|peak| peak.save(to));
    }

    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
        let mut peaks = Peaks::default();
        for peak in &mut peaks.0 {
            *peak = u32::load(from)?;
        }
        Ok(peaks)
    }
}

impl Peaks {
    pub(crate) fn note(&mut self, item: Item, value: usize) {
        let peak = &mut self.0[item as usize];
        *peak = (*peak).max(u32::try_from(value).unwrap_or(u32::MAX));
    }

    pub(crate) fn get(&self, item: Item) -> u32 {
        self.0[item as usize]
    }
}

/// What a domain uses now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Nodes owned.
    pub nodes: usize,
    /// Watches set.
    pub watches: usize,
    /// Transactions open.
    pub transactions: usize,
    /// Bytes of its nodes, watches and transactions.
    pub memory: usize,
}

saved!(Usage { nodes, watches, transactions, memory });

impl Usage {
    /// The value of an item that adds up; 0 for the others.
    pub(crate) fn get(&self, item: Item) -> usize {
        match item {
            Item::Nodes => self.nodes,
            Item::Watches => self.watches,
            Item::Memory => self.memory,
            Item::Transactions => self.transactions,
            _ => 0,
        }
    }
}
