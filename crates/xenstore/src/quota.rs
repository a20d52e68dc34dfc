//! What a guest may use, and what it uses.
//!
//! Everything a guest can make the store keep is charged to a domain before it is kept. The control domain is not limited.
//!
//! Besides each domain's own limits there is one for all guests together, [`POOL`]: the control domain's heap is small, and
//! a failed allocation there ends everything. What is charged is what is really allocated, a little more rather than less. Whoever
//! uses little ([`SHARE`]) is not refused, however full the pool is.

use crate::Error;

/// Bytes that all guests together may use.
pub(crate) const POOL: usize = 2 << 20;
/// Bytes that each guest may use even when the pool is used up: enough for Linux to boot and name itself.
pub(crate) const SHARE: usize = 16 << 10;

/// The limits of one domain. The values by default are upstream's, but for `memory`: upstream allows 2 MiB to each, we have 8 MiB
/// for everything.
///
/// Source: `quotas` in upstream's documentation of xenstored's `--quota`. A limit is the largest value that is allowed; 0 means none.
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
}

impl Default for Quota {
    fn default() -> Self {
        Quota {
            nodes: 1000,
            watches: 128,
            transactions: 10,
            transaction_nodes: 1024,
            outstanding: 20,
            node_size: 2048,
            node_permissions: 5,
            path_max: 2048,
            memory: 256 << 10,
        }
    }
}

/// The names that GET_QUOTA and SET_QUOTA know.
pub(crate) const NAMES: [&str; 9] = [
    "nodes",
    "watches",
    "outstanding",
    "memory",
    "transactions",
    "transaction-nodes",
    "node-permissions",
    "path-max",
    "node-size",
];

impl Quota {
    /// The limit of this name. None: no such name.
    pub fn by_name(&mut self, name: &str) -> Option<&mut u32> {
        Some(match name {
            "nodes" => &mut self.nodes,
            "watches" => &mut self.watches,
            "outstanding" => &mut self.outstanding,
            "memory" => &mut self.memory,
            "transactions" => &mut self.transactions,
            "transaction-nodes" => &mut self.transaction_nodes,
            "node-permissions" => &mut self.node_permissions,
            "path-max" => &mut self.path_max,
            "node-size" => &mut self.node_size,
            _ => return None,
        })
    }
}

/// Passes if `value` is within `limit` (0: no limit).
pub(crate) fn check(value: usize, limit: u32) -> Result<(), Error> {
    if limit == 0 || value <= limit as usize { Ok(()) } else { Err(Error::NoSpace) }
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
