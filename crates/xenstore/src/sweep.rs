//! Subtrees that are no part of the store any more, taken apart a node at a time.
//!
//! How large a removed subtree is must not matter to whoever waits for the next request, so nothing here runs to the end by itself,
//! and nothing recurses. The memory that a sweep needs itself grows with the subtree's depth, not with its size.

use alloc::sync::Arc;
use alloc::vec::{IntoIter, Vec};

use crate::children::{Block, Entries};
use crate::node::Node;
use crate::perms::Party;

/// What to do with nodes that are in somebody's snapshot too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shared {
    /// Go through them, and leave them as they are: each node is met once.
    Visit,
    /// Pass by: whoever shares them lives on, and frees them later.
    Leave,
}

/// What is left of some subtrees.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    stack: Vec<Frame>,
}

/// Some neighbours that are left.
#[derive(Debug)]
pub(crate) enum Frame {
    Node(Arc<Node>),
    Leaf(IntoIter<Arc<Node>>),
    Inner(IntoIter<(Arc<[u8]>, Arc<Block>)>),
}

impl Sweep {
    pub(crate) fn is_empty(&self) -> bool {
        self.stack.is_empty()
    }

    pub(crate) fn frames(&self) -> &[Frame] {
        &self.stack
    }

    pub(crate) fn of_frames(stack: Vec<Frame>) -> Self {
        Sweep { stack }
    }

    /// Adds a subtree.
    pub(crate) fn push(&mut self, top: Arc<Node>) {
        self.stack.push(Frame::Node(top));
    }

    /// Adds what is left of another sweep.
    pub(crate) fn append(&mut self, mut other: Sweep) {
        self.stack.append(&mut other.stack);
    }

    /// Adds the children below a block.
    pub(crate) fn push_block(&mut self, block: Arc<Block>, shared: Shared) {
        let block = match shared {
            Shared::Visit => Arc::unwrap_or_clone(block),
            Shared::Leave => match Arc::into_inner(block) {
                Some(block) => block,
                None => return,
            },
        };
        self.stack.push(match block.into_entries() {
            Entries::Leaf(nodes) => Frame::Leaf(nodes.into_iter()),
            Entries::Inner(parts) => Frame::Inner(parts.into_iter()),
        });
    }

    /// Takes one node away, and frees it if nobody shares it: its owner, its generation, and what it cost. None: nothing is left.
    pub(crate) fn next(&mut self, shared: Shared) -> Option<(Party, u64, usize)> {
        let node = loop {
            match self.stack.last_mut()? {
                Frame::Node(_) => match self.stack.pop() {
                    Some(Frame::Node(node)) => break node,
                    _ => return None,
                },
                Frame::Leaf(nodes) => match nodes.next() {
                    Some(node) => break node,
                    None => drop(self.stack.pop()),
                },
                Frame::Inner(parts) => match parts.next() {
                    Some((_, block)) => self.push_block(block, shared),
                    None => drop(self.stack.pop()),
                },
            }
        };
        let (owner, generation, cost) = (node.perms.owner(), node.generation, node.cost());
        let below = match Arc::try_unwrap(node) {
            Ok(mut node) => node.take_children(),
            Err(node) if shared == Shared::Visit => node.children().root().cloned(),
            Err(_) => None,
        };
        if let Some(block) = below {
            self.push_block(block, shared);
        }
        Some((owner, generation, cost))
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use xen_abi::DomId;

    use super::*;
    use crate::perms::Perms;

    fn directory(nr_children: usize) -> Arc<Node> {
        let perms = Perms::private(Party { domid: DomId(0), life: 1 });
        let mut top = Node::new(b"top", b"", perms.clone(), 0);
        for index in 0..nr_children {
            top.insert(Node::new(format!("{index}").as_bytes(), b"", perms.clone(), 0));
        }
        Arc::new(top)
    }

    fn count(sweep: &mut Sweep, shared: Shared) -> usize {
        core::iter::from_fn(|| sweep.next(shared)).count()
    }

    #[test]
    fn each_node_is_met_once_whoever_else_has_it() {
        let top = directory(2000);
        let mut sweep = Sweep::default();
        sweep.push(top.clone());
        assert_eq!(count(&mut sweep, Shared::Visit), 2001);
        assert_eq!(top.children().iter().count(), 2000);
        sweep.push(top);
        assert_eq!(count(&mut sweep, Shared::Visit), 2001);
    }

    #[test]
    fn what_somebody_else_has_is_left_to_him() {
        let top = directory(2000);
        let mut sweep = Sweep::default();
        let mut other = Arc::unwrap_or_clone(top.clone());
        assert!(other.remove("77").is_some());
        sweep.push(top);
        let met = count(&mut sweep, Shared::Leave);
        assert!(met > 1 && met < 100, "{met}: only the changed blocks are its own");
        assert_eq!(other.children().iter().count(), 1999);
        sweep.push(Arc::new(other));
        assert_eq!(count(&mut sweep, Shared::Leave), 2000);
    }
}
