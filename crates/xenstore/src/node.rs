//! One node of the tree.

use alloc::sync::Arc;

use crate::children::{Block, Children};
use crate::perms::Perms;
use crate::sweep::{Shared, Sweep};
use crate::text::Text;

/// What a node costs its owner besides name, value and permissions: its own memory here, its place among its siblings, and the
/// block that holds its children.
const OVERHEAD: usize = 192;
/// What a permission entry costs its owner.
const PERM_COST: usize = 24;
/// What a permission entry counts for against the node-size quota. C: `sizeof(struct xs_permissions)`.
const PERM_SIZE: usize = 8;
/// What upstream's node header counts for against the node-size quota. C: `sizeof(struct node_hdr)`.
const HEADER_SIZE: usize = 16;

/// A node: name, value, permissions, children. A clone shares whatever is large of them.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    text: Text,
    /// When the node last changed (value, permissions or list of children), on the store's own count.
    pub(crate) generation: u64,
    pub(crate) perms: Perms,
    children: Children,
}

/// With the counts of an [`Arc`], what an allocator has in its class of 64 bytes.
const _: () = assert!(size_of::<Node>() <= 40);

impl Node {
    /// A node without children. `name` is part of a legal path.
    pub(crate) fn new(name: &[u8], value: &[u8], perms: Perms, generation: u64) -> Self {
        Node::restored(Text::new(name, value), perms, generation, Children::default())
    }

    /// A node as it was saved.
    pub(crate) fn restored(text: Text, perms: Perms, generation: u64, children: Children) -> Self {
        Node { text, generation, perms, children }
    }

    pub(crate) fn text(&self) -> &Text {
        &self.text
    }

    pub(crate) fn name(&self) -> &[u8] {
        self.text.name()
    }

    pub(crate) fn value(&self) -> &[u8] {
        self.text.value()
    }

    pub(crate) fn set_value(&mut self, value: &[u8]) {
        self.text = Text::new(self.name(), value);
    }

    pub(crate) fn children(&self) -> &Children {
        &self.children
    }

    pub(crate) fn child_mut(&mut self, name: &str) -> Option<&mut Node> {
        self.children.get_mut(name.as_bytes())
    }

    /// Adds a child whose name is not there yet.
    pub(crate) fn insert(&mut self, child: Node) {
        self.children.insert(Arc::new(child));
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Arc<Node>> {
        self.children.remove(name.as_bytes())
    }

    /// Makes the node one without children, and returns what holds them. For nodes that are no part of a tree any more.
    pub(crate) fn take_children(&mut self) -> Option<Arc<Block>> {
        self.children.take_root()
    }

    /// The length of DIRECTORY's answer.
    pub(crate) fn list_len(&self) -> usize {
        self.children.list_len()
    }

    /// What the node costs its owner's memory quota, in bytes.
    pub(crate) fn cost(&self) -> usize {
        OVERHEAD + self.text.all().len() + self.perms.len() * PERM_COST
    }

    pub(crate) const fn cost_of(name_len: usize, value_len: usize, nr_perms: usize) -> usize {
        OVERHEAD + name_len + value_len + nr_perms * PERM_COST
    }

    /// The node's size as the node-size quota counts it, with these figures instead of its own.
    pub(crate) const fn size_of(value_len: usize, nr_perms: usize, list_len: usize) -> usize {
        HEADER_SIZE + nr_perms * PERM_SIZE + value_len + list_len
    }
}

/// Takes the subtree apart without recursion: how deep a guest may nest must not be how deep our stack grows (XSA-418).
impl Drop for Node {
    fn drop(&mut self) {
        let Some(root) = self.take_children() else { return };
        let mut rest = Sweep::default();
        rest.push_block(root, Shared::Leave);
        while rest.next(Shared::Leave).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use xen_abi::DomId;

    use super::*;
    use crate::perms::Party;

    fn node(name: &str) -> Node {
        Node::new(name.as_bytes(), b"v", Perms::private(Party { domid: DomId(0), life: 1 }), 0)
    }

    /// XSA-418: a deep tree must not exhaust the stack.
    #[test]
    fn a_very_deep_tree_is_dropped_without_recursion() {
        let mut tree = node("leaf");
        for _ in 0..200_000 {
            let mut parent = node("a");
            parent.insert(tree);
            tree = parent;
        }
        drop(tree);
    }

    #[test]
    fn a_dropped_version_leaves_what_others_share() {
        let mut old = node("root");
        for index in 0..100 {
            old.insert(node(&alloc::format!("{index}")));
        }
        let mut new = old.clone();
        new.child_mut("50").unwrap().set_value(b"changed");
        drop(old);
        assert_eq!(new.children().iter().count(), 100);
        assert_eq!(new.children().get(b"50").unwrap().value(), b"changed");
        assert_eq!(new.children().get(b"51").unwrap().value(), b"v");
        assert_eq!(new.list_len(), 10 * 2 + 90 * 3);
    }
}
