//! Two versions of a directory side by side.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Block, Children, Entries};
use crate::node::Node;

/// Something in a directory: a block that is not looked into yet, or a node.
#[derive(Clone, Copy)]
enum Entry<'a> {
    Block(&'a Arc<Block>),
    Node(&'a Arc<Node>),
}

/// A place in a directory.
struct Place<'a> {
    /// What comes next, last first.
    ahead: Vec<Entry<'a>>,
}

impl<'a> Place<'a> {
    fn start(children: &'a Children) -> Self {
        Place { ahead: children.root().map(Entry::Block).into_iter().collect() }
    }

    /// Looks into the block that comes next, and nowhere else.
    fn enter(&mut self, block: &'a Block) {
        self.ahead.pop();
        match block.entries() {
            Entries::Leaf(nodes) => self.ahead.extend(nodes.iter().rev().map(Entry::Node)),
            Entries::Inner(parts) => {
                self.ahead.extend(parts.iter().rev().map(|(_, below)| Entry::Block(below)))
            }
        }
    }
}

/// The nodes of the same names that are not shared, in pairs. None: there are other names in one than in the other.
///
/// Blocks that both have are passed over, so that this takes as long as there are differences.
pub(crate) fn differences<'a>(
    a: &'a Children,
    b: &'a Children,
) -> Option<Vec<(&'a Arc<Node>, &'a Arc<Node>)>> {
    let (mut left, mut right) = (Place::start(a), Place::start(b));
    let mut pairs = Vec::new();
    loop {
        match (left.ahead.last().copied(), right.ahead.last().copied()) {
            (None, None) => return Some(pairs),
            (None, _) | (_, None) => return None,
            (Some(Entry::Block(a)), Some(Entry::Block(b))) if Arc::ptr_eq(a, b) => {
                left.ahead.pop();
                right.ahead.pop();
            }
            (Some(Entry::Block(a)), Some(Entry::Block(b))) => {
                left.enter(a);
                right.enter(b);
            }
            (Some(Entry::Block(a)), Some(Entry::Node(_))) => left.enter(a),
            (Some(Entry::Node(_)), Some(Entry::Block(b))) => right.enter(b),
            (Some(Entry::Node(a)), Some(Entry::Node(b))) => {
                if a.name() != b.name() {
                    return None;
                }
                if !Arc::ptr_eq(a, b) {
                    pairs.push((a, b));
                }
                left.ahead.pop();
                right.ahead.pop();
            }
        }
    }
}
