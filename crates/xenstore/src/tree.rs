//! The immutable tree: a clone is a snapshot, for one reference count.
//!
//! A change copies what is shared with a snapshot along its path, and works in place where nothing is.

use alloc::sync::Arc;

use crate::children::differences;
use crate::node::Node;
use crate::path::{StorePath, names};
use crate::perms::Perms;
use crate::save::{RestoreError, saved};
use crate::sweep::Sweep;

/// What a copy of a node takes, where its permissions and a long text stay shared: itself, the counts of its [`Arc`], the longest text
/// that is copied.
pub(crate) const NODE_COPY: usize = 128;

/// One version of all nodes.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    root: Arc<Node>,
}

saved!(Tree { root } then Tree::restored);

/// The deepest existing node on a path.
pub(crate) struct Nearest<'a> {
    pub(crate) node: &'a Arc<Node>,
    /// How many of the path's names exist.
    pub(crate) depth: usize,
    /// Whether that is all of them.
    pub(crate) is_whole: bool,
}

/// The way to a node, and what a change at its end leaves behind in snapshots.
pub(crate) struct Survey<'a> {
    pub(crate) nearest: Nearest<'a>,
    /// Bytes of nodes and blocks before the path's last node that are copied, since snapshots have them too.
    pub(crate) way: usize,
    /// Bytes of the path's last node, if it exists, and snapshots have it too.
    pub(crate) end: usize,
}

impl Tree {
    fn restored(self) -> Result<Self, RestoreError> {
        if self.root.name().is_empty() { Ok(self) } else { Err(RestoreError::Malformed) }
    }

    /// Only `/`.
    pub(crate) fn new(root: Perms) -> Self {
        Tree { root: Arc::new(Node::new(b"", b"", root, 0)) }
    }

    /// Another tree, with the same permissions, and nothing in it.
    pub(crate) fn emptied(&self) -> Self {
        Tree::new(self.root.perms.clone())
    }

    /// Gives the version up; what nobody else has of it is freed later.
    pub(crate) fn bury(self, graves: &mut Sweep) {
        graves.push(self.root);
    }

    /// Whether both are the same version.
    pub(crate) fn is_same(&self, other: &Tree) -> bool {
        Arc::ptr_eq(&self.root, &other.root)
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Arc<Node>> {
        names(path).try_fold(&self.root, |node, name| node.children().get(name.as_bytes()))
    }

    pub(crate) fn nearest(&self, path: &str) -> Nearest<'_> {
        let mut node = &self.root;
        let mut depth = 0;
        for name in names(path) {
            match node.children().get(name.as_bytes()) {
                Some(child) => node = child,
                None => return Nearest { node, depth, is_whole: false },
            }
            depth += 1;
        }
        Nearest { node, depth, is_whole: true }
    }

    /// Looks what a change at the end of the path would copy. Whatever nobody else has is changed in place: so of many changes in one
    /// directory, the first after a snapshot copies the way to it.
    pub(crate) fn survey(&self, path: &str) -> Survey<'_> {
        let mut is_shared = Arc::strong_count(&self.root) > 1;
        let (mut node, mut depth, mut way) = (&self.root, 0, 0);
        for name in names(path) {
            way += if is_shared { NODE_COPY } else { 0 };
            let (child, is_child_shared, copied) = node.children().survey(name.as_bytes(), is_shared);
            way += copied;
            let Some(child) = child else {
                return Survey { nearest: Nearest { node, depth, is_whole: false }, way, end: 0 };
            };
            is_shared = is_child_shared || Arc::strong_count(child) > 1;
            (node, depth) = (child, depth + 1);
        }
        let end = if is_shared { NODE_COPY + node.cost() } else { 0 };
        Survey { nearest: Nearest { node, depth, is_whole: true }, way, end }
    }

    /// The node, to be changed. Look whether it exists first: what is shared on the way to where it would be is copied even if it
    /// does not.
    pub(crate) fn get_mut(&mut self, path: &str) -> Option<&mut Node> {
        names(path).try_fold(Arc::make_mut(&mut self.root), |node, name| node.child_mut(name))
    }

    /// Makes the path's nodes but the first `depth`, which exist, empty and with `perms`, and returns the last one to be changed.
    /// `generation` is that of the new nodes, and of the existing one which got a child.
    pub(crate) fn create(
        &mut self,
        path: &StorePath,
        depth: usize,
        perms: &Perms,
        generation: u64,
    ) -> &mut Node {
        let mut node = Arc::make_mut(&mut self.root);
        for (level, name) in path.names().enumerate() {
            if level >= depth {
                node.insert(Node::new(name.as_bytes(), b"", perms.clone(), generation));
                node.generation = generation;
            }
            node = node.child_mut(name).expect("the child was there or has just been inserted");
        }
        node
    }

    /// Takes a subtree out. None for `/`. Look whether it exists first, as for [`Self::get_mut`].
    pub(crate) fn remove(&mut self, path: &StorePath, generation: u64) -> Option<Arc<Node>> {
        let (parent, name) = path.split_last()?;
        let parent = self.get_mut(parent)?;
        let gone = parent.remove(name)?;
        parent.generation = generation;
        Some(gone)
    }

    /// All nodes, parents before children.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        nodes(&self.root)
    }
}

/// A subtree's nodes, parents before children, without recursion.
pub(crate) fn nodes(top: &Node) -> impl Iterator<Item = &Node> {
    let mut stack = alloc::vec![top.children().iter()];
    let below = core::iter::from_fn(move || {
        loop {
            match stack.last_mut()?.next() {
                Some(node) => {
                    if !node.children().is_empty() {
                        stack.push(node.children().iter());
                    }
                    return Some(&**node);
                }
                None => drop(stack.pop()),
            }
        }
    });
    core::iter::once(top).chain(below)
}

/// Whether two subtrees are equal. What they share costs nothing, so that this takes as long as there are differences. Without
/// recursion.
pub(crate) fn is_same_subtree(a: &Arc<Node>, b: &Arc<Node>) -> bool {
    let mut stack = alloc::vec![(a, b)];
    while let Some((a, b)) = stack.pop() {
        if Arc::ptr_eq(a, b) {
            continue;
        }
        if a.value() != b.value() || a.perms != b.perms {
            return false;
        }
        match differences(a.children(), b.children()) {
            Some(pairs) => stack.extend(pairs),
            None => return false,
        }
    }
    true
}
