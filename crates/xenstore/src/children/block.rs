//! A block of the tree that a directory is.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::node::Node;
use crate::text::Key;

/// The most entries a block holds.
pub(crate) const FANOUT: usize = 48;
/// By how many entries a block grows: directories are many, and slack in each adds up.
const GROWTH: usize = 4;

/// What a copy of a block takes besides its entries: itself, the counts of its [`Arc`], and what allocators add to two pieces of memory.
const COPY_OVERHEAD: usize = size_of::<Block>() + 48;

/// Some neighbours of a directory, or some neighbouring blocks.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// The lengths of all names below, each with a nul.
    list_len: u32,
    entries: Entries,
}

#[derive(Clone, Debug)]
pub(crate) enum Entries {
    Leaf(Vec<Arc<Node>>),
    /// Each with a lower bound of its names; the first one's counts as minus infinity.
    Inner(Vec<(Arc<[u8]>, Arc<Block>)>),
}

impl Block {
    pub(crate) fn leaf(nodes: Vec<Arc<Node>>) -> Self {
        Block { list_len: nodes.iter().map(|node| listed(node)).sum(), entries: Entries::Leaf(nodes) }
    }

    pub(crate) fn inner(parts: Vec<(Arc<[u8]>, Arc<Block>)>) -> Self {
        // Saved forms may say anything; they are refused where the sum is too large.
        let list_len = parts.iter().fold(0u32, |sum, (_, below)| sum.saturating_add(below.list_len));
        Block { list_len, entries: Entries::Inner(parts) }
    }

    pub(crate) fn entries(&self) -> &Entries {
        &self.entries
    }

    /// For whoever leaves the names as they are, or makes nothing of the block.
    pub(super) fn entries_mut(&mut self) -> &mut Entries {
        &mut self.entries
    }

    /// The lengths of all names below, each with a nul.
    pub(super) fn list_len(&self) -> usize {
        self.list_len as usize
    }

    /// How many bytes a copy of the block takes.
    pub(super) fn copy_size(&self) -> usize {
        COPY_OVERHEAD
            + match &self.entries {
                Entries::Leaf(nodes) => size_of_val(&nodes[..]),
                Entries::Inner(parts) => size_of_val(&parts[..]),
            }
    }

    pub(crate) fn into_entries(self) -> Entries {
        self.entries
    }

    pub(super) fn is_empty(&self) -> bool {
        match &self.entries {
            Entries::Leaf(nodes) => nodes.is_empty(),
            Entries::Inner(parts) => parts.is_empty(),
        }
    }

    /// Inserts, and returns the right half if the block had to be split.
    pub(super) fn insert(&mut self, node: Arc<Node>) -> Option<(Arc<[u8]>, Arc<Block>)> {
        self.list_len += listed(&node);
        let (bound, right) = match &mut self.entries {
            Entries::Leaf(nodes) => {
                let key = Key::new(node.name());
                let at = nodes.partition_point(|other| other.text().cmp_name(&key).is_lt());
                if nodes.len() == nodes.capacity() {
                    nodes.reserve_exact(GROWTH);
                }
                nodes.insert(at, node);
                if nodes.len() <= FANOUT {
                    return None;
                }
                let right = nodes.split_off(FANOUT / 2);
                nodes.shrink_to_fit();
                (Arc::from(right[0].name()), Block::leaf(right))
            }
            Entries::Inner(parts) => {
                let at = position(parts, node.name());
                let split = Arc::make_mut(&mut parts[at].1).insert(node)?;
                if parts.len() == parts.capacity() {
                    parts.reserve_exact(GROWTH);
                }
                parts.insert(at + 1, split);
                if parts.len() <= FANOUT {
                    return None;
                }
                let right = parts.split_off(FANOUT / 2);
                (right[0].0.clone(), Block::inner(right))
            }
        };
        self.list_len -= right.list_len;
        Some((bound, Arc::new(right)))
    }

    /// Takes a node out. The block may be empty then.
    pub(super) fn remove(&mut self, key: &Key<'_>) -> Option<Arc<Node>> {
        let node = match &mut self.entries {
            Entries::Leaf(nodes) => {
                let at = find(nodes, key)?;
                nodes.remove(at)
            }
            Entries::Inner(parts) => {
                let at = position(parts, key.name);
                let below = Arc::make_mut(&mut parts[at].1);
                let node = below.remove(key)?;
                if below.is_empty() {
                    parts.remove(at);
                }
                node
            }
        };
        self.list_len -= listed(&node);
        Some(node)
    }
}

/// What a child adds to the length of DIRECTORY's answer.
fn listed(node: &Node) -> u32 {
    u32::from(node.text().name_len()) + 1
}

/// Which part `name` belongs to.
pub(super) fn position(parts: &[(Arc<[u8]>, Arc<Block>)], name: &[u8]) -> usize {
    parts.partition_point(|(bound, _)| **bound <= *name).saturating_sub(1)
}

/// Where in a leaf the name is.
pub(super) fn find(nodes: &[Arc<Node>], key: &Key<'_>) -> Option<usize> {
    nodes.binary_search_by(|node| node.text().cmp_name(key)).ok()
}
