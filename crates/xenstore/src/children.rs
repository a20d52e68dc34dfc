//! A node's children: a persistent set of nodes, ordered by name.
//!
//! A B-tree whose blocks are shared between versions of the store: a copy costs one reference count, and a change copies only
//! the blocks on its way (none where no snapshot holds them). Blocks that become empty are removed, half-empty
//! ones are not merged: that bounds nothing that matters here, since the height never exceeds what inserting made it.
//! The functions recurse along that height, which is logarithmic in the number of children.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;

use crate::node::Node;
use crate::text::Key;

mod block;
mod compare;

pub(crate) use block::{Block, Entries, FANOUT};
use block::{find, position};
pub(crate) use compare::differences;

/// A set of nodes with distinct names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Children(Option<Arc<Block>>);

impl Children {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The length of DIRECTORY's answer: all names, each with a nul.
    pub(crate) fn list_len(&self) -> usize {
        self.0.as_ref().map_or(0, |root| root.list_len())
    }

    pub(crate) fn get(&self, name: &[u8]) -> Option<&Arc<Node>> {
        let key = Key::new(name);
        let mut block = self.0.as_deref()?;
        loop {
            match block.entries() {
                Entries::Leaf(nodes) => return nodes.get(find(nodes, &key)?),
                Entries::Inner(parts) => block = &parts[position(parts, name)].1,
            }
        }
    }

    /// The child, to be changed: it and the blocks that lead to it are copied where they are shared. Look with [`Self::get`] first:
    /// blocks are copied even if there is no such child.
    pub(crate) fn get_mut(&mut self, name: &[u8]) -> Option<&mut Node> {
        let key = Key::new(name);
        let mut block = Arc::make_mut(self.0.as_mut()?);
        loop {
            match block.entries_mut() {
                Entries::Leaf(nodes) => {
                    let at = find(nodes, &key)?;
                    return Some(Arc::make_mut(&mut nodes[at]));
                }
                Entries::Inner(parts) => {
                    let at = position(parts, name);
                    block = Arc::make_mut(&mut parts[at].1);
                }
            }
        }
    }

    /// The child, if there is one, with whether a snapshot has it too, and how many bytes of blocks a change to it copies. `is_shared`: the
    /// directory itself is a snapshot's too.
    pub(crate) fn survey(&self, name: &[u8], is_shared: bool) -> (Option<&Arc<Node>>, bool, usize) {
        let key = Key::new(name);
        let (mut is_shared, mut copied) = (is_shared, 0);
        let mut next = self.0.as_ref();
        while let Some(block) = next {
            is_shared |= Arc::strong_count(block) > 1;
            copied += if is_shared { block.copy_size() } else { 0 };
            match block.entries() {
                Entries::Leaf(nodes) => {
                    let child = find(nodes, &key).map(|at| &nodes[at]);
                    return (child, is_shared, copied);
                }
                Entries::Inner(parts) => next = Some(&parts[position(parts, name)].1),
            }
        }
        (None, is_shared, copied)
    }

    /// Adds a node; one of its name must not be there yet.
    pub(crate) fn insert(&mut self, node: Arc<Node>) {
        let Some(root) = &mut self.0 else {
            self.0 = Some(Arc::new(Block::leaf(vec![node])));
            return;
        };
        if let Some(right) = Arc::make_mut(root).insert(node) {
            let left = root.clone();
            self.0 = Some(Arc::new(Block::inner(vec![(Arc::from(&b""[..]), left), right])));
        }
    }

    /// Takes a node out. Look with [`Self::get`] first, as for [`Self::get_mut`].
    pub(crate) fn remove(&mut self, name: &[u8]) -> Option<Arc<Node>> {
        let root = Arc::make_mut(self.0.as_mut()?);
        let node = root.remove(&Key::new(name))?;
        if root.is_empty() {
            self.0 = None;
        } else if let Entries::Inner(parts) = root.entries_mut()
            && parts.len() == 1
        {
            self.0 = parts.pop().map(|(_, only)| only);
        }
        Some(node)
    }

    /// The children in the order of their names.
    pub(crate) fn iter(&self) -> Iter<'_> {
        Iter { stack: self.0.iter().map(|root| (&**root, 0)).collect() }
    }

    /// The children whose names come after `name`, in order.
    pub(crate) fn iter_after(&self, name: &[u8]) -> Iter<'_> {
        let mut stack = Vec::new();
        let mut block = self.0.as_deref();
        while let Some(here) = block {
            let at = match here.entries() {
                Entries::Leaf(nodes) => nodes.partition_point(|node| node.name() <= name),
                Entries::Inner(parts) => position(parts, name) + 1,
            };
            stack.push((here, at));
            block = match here.entries() {
                Entries::Leaf(_) => None,
                Entries::Inner(parts) => Some(&*parts[at - 1].1),
            };
        }
        Iter { stack }
    }

    pub(crate) fn from_root(root: Option<Arc<Block>>) -> Self {
        Children(root)
    }

    pub(crate) fn root(&self) -> Option<&Arc<Block>> {
        self.0.as_ref()
    }

    pub(crate) fn take_root(&mut self) -> Option<Arc<Block>> {
        mem::take(&mut self.0)
    }
}

/// The children in order.
pub(crate) struct Iter<'a> {
    /// The blocks on the way down, each with the next entry to visit.
    stack: Vec<(&'a Block, usize)>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a Arc<Node>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((block, at)) = self.stack.last_mut() {
            match block.entries() {
                Entries::Leaf(nodes) => match nodes.get(*at) {
                    Some(node) => {
                        *at += 1;
                        return Some(node);
                    }
                    None => {
                        self.stack.pop();
                    }
                },
                Entries::Inner(parts) => match parts.get(*at) {
                    Some((_, below)) => {
                        *at += 1;
                        self.stack.push((below, 0));
                    }
                    None => {
                        self.stack.pop();
                    }
                },
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::format;
    use alloc::string::String;

    use proptest::prelude::*;
    use xen_abi::DomId;

    use super::*;
    use crate::perms::{Party, Perms};

    fn node(name: &str) -> Arc<Node> {
        let perms = Perms::private(Party { domid: DomId(0), life: 1 });
        Arc::new(Node::new(name.as_bytes(), b"", perms, 0))
    }

    fn names(children: &Children) -> Vec<String> {
        children.iter().map(|node| String::from_utf8_lossy(node.name()).into_owned()).collect()
    }

    proptest! {
        #[test]
        fn it_agrees_with_an_ordered_set_and_snapshots_never_change(
            steps in prop::collection::vec((0u8..5, 0u32..400), 1..900),
        ) {
            let mut children = Children::default();
            let mut model: BTreeSet<String> = BTreeSet::new();
            let mut snapshots: Vec<(Children, BTreeSet<String>)> = Vec::new();
            for (step, number) in steps {
                let name = format!("{number}");
                let present = model.contains(&name);
                prop_assert_eq!(children.get(name.as_bytes()).is_some(), present);
                let after = children.iter_after(name.as_bytes()).map(|node| node.name());
                prop_assert!(after.eq(model.iter().filter(|other| **other > name).map(|other| other.as_bytes())));
                match step {
                    0..=2 if !present => {
                        children.insert(node(&name));
                        model.insert(name);
                    }
                    3 if present => {
                        let gone = children.remove(name.as_bytes()).unwrap();
                        prop_assert_eq!(gone.name(), name.as_bytes());
                        model.remove(&name);
                    }
                    4 if snapshots.len() < 4 => snapshots.push((children.clone(), model.clone())),
                    _ => {}
                }
            }
            snapshots.push((children, model));
            for (children, model) in &snapshots {
                for (other, other_model) in &snapshots {
                    prop_assert_eq!(differences(children, other).is_some(), model == other_model);
                }
            }
            for (children, model) in snapshots {
                prop_assert_eq!(children.is_empty(), model.is_empty());
                prop_assert_eq!(children.list_len(), model.iter().map(|name| name.len() + 1).sum::<usize>());
                prop_assert_eq!(names(&children), model.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
