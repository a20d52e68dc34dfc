//! What requests do to a tree: checks first, then charges, then the change.
//!
//! The same operations work on the store's own tree and on a transaction's. Each records what it did
//! ([`Change`]), from which watch events are made when the change becomes visible.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::Error;
use crate::domain::Domains;
use crate::ledger::Ledger;
use crate::node::Node;
use crate::path::StorePath;
use crate::perms::{Access, Caller, Party, Perm, Perms};
use crate::quota::Item;
use crate::tree::{Nearest, Survey, Tree};

/// A changing request.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Write(StorePath, Vec<u8>),
    Mkdir(StorePath),
    Remove(StorePath),
    SetPerms(StorePath, Vec<Perm>),
}

impl Op {
    pub(crate) fn path(&self) -> &StorePath {
        match self {
            Op::Write(path, _) | Op::Mkdir(path) | Op::Remove(path) | Op::SetPerms(path, _) => path,
        }
    }

    /// The bytes that it brings to what its path leads to: never less than what its owners will be charged for it.
    pub(crate) fn growth(&self, Nearest { node, depth, .. }: &Nearest<'_>) -> usize {
        let made =
            self.path().names().skip(*depth).map(|name| Node::cost_of(name.len(), 0, node.perms.len()));
        match self {
            Op::Write(_, value) => made.sum::<usize>() + value.len(),
            Op::Mkdir(_) => made.sum(),
            Op::Remove(_) => 0,
            Op::SetPerms(_, perms) => Node::cost_of(0, 0, perms.len()),
        }
    }
}

/// Something that watches may be interested in.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) path: StorePath,
    pub(crate) kind: ChangeKind,
    /// Bytes that it copied or wrote over, and that live on in older versions of the tree. (Removed nodes are in `kind`.)
    pub(crate) replaced: usize,
    /// The generation of what it wrote over; where it made or removed a node, of the directory.
    pub(crate) was: u64,
}

#[derive(Debug)]
pub(crate) enum ChangeKind {
    /// Made, or given a value.
    Written,
    /// Has other permissions now; these were the old ones.
    Permitted(Perms),
    /// Gone, with all below; this was it.
    Removed(Arc<Node>),
}

/// A tree to work on, and where to record what was done.
pub(crate) struct Desk<'a> {
    pub(crate) tree: &'a mut Tree,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) changes: &'a mut Vec<Change>,
    pub(crate) domains: &'a mut Domains,
    pub(crate) generation: &'a mut u64,
    pub(crate) snapshots: Snapshots,
}

/// What is known of how much a change leaves behind in snapshots.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Snapshots {
    /// There are none.
    None,
    /// There may be some: look.
    Some,
    /// Somebody looked, what the one change to come copies on its way, and at its end.
    Looked { way: usize, end: usize },
}

/// The node, if `who` may see it that way; else the error that tells no more than it should: whether a node exists is for those who have
/// the needed access to the deepest directory that does.
pub(crate) fn find<'t>(
    tree: &'t Tree,
    who: &Caller,
    path: &StorePath,
    needed: Access,
) -> Result<&'t Arc<Node>, Error> {
    let Nearest { node, is_whole, .. } = tree.nearest(path.as_str());
    match (node.perms.allows(who, needed), is_whole) {
        (true, true) => Ok(node),
        (true, false) => Err(Error::NotFound),
        (false, _) => Err(Error::Access),
    }
}

impl Desk<'_> {
    pub(crate) fn apply(&mut self, who: &Caller, op: &Op) -> Result<(), Error> {
        match op {
            Op::Write(path, value) => self.write(who, path, value),
            Op::Mkdir(path) => self.mkdir(who, path),
            Op::Remove(path) => self.remove(who, path),
            Op::SetPerms(path, perms) => self.set_perms(who, path, perms),
        }
    }

    fn write(&mut self, who: &Caller, path: &StorePath, value: &[u8]) -> Result<(), Error> {
        let node = match find(self.tree, who, path, Access::Write) {
            Ok(node) => node,
            Err(Error::NotFound) => return self.create(who, path, value),
            Err(error) => return Err(error),
        };
        check_size(self.domains, who, value.len(), node.perms.len(), node.list_len())?;
        let owner = node.perms.owner();
        let was = node.generation;
        let memory = value.len() as isize - node.value().len() as isize;
        self.check_charge(who, owner, 0, memory)?;
        let generation = self.next_generation();
        let (way, end) = self.replaced(path);
        if let Some(node) = self.tree.get_mut(path.as_str()) {
            node.set_value(value);
            node.generation = generation;
        }
        self.ledger.add(owner, 0, memory);
        self.record(path, ChangeKind::Written, way + end, was);
        Ok(())
    }

    fn mkdir(&mut self, who: &Caller, path: &StorePath) -> Result<(), Error> {
        match find(self.tree, who, path, Access::Write) {
            Ok(_) => Ok(()),
            Err(Error::NotFound) => self.create(who, path, b""),
            Err(error) => Err(error),
        }
    }

    /// Makes a node and the directories it lacks; `who` may write to the deepest one that exists.
    fn create(&mut self, who: &Caller, path: &StorePath, value: &[u8]) -> Result<(), Error> {
        let Nearest { node, depth, .. } = self.tree.nearest(path.as_str());
        let was = node.generation;
        // Unprivileged domains own what they make.
        let perms = if who.privileged { node.perms.clone() } else { node.perms.owned_by(who.party) };
        let missing = path.names().skip(depth);
        let first_len = missing.clone().next().map_or(0, str::len);
        check_size(self.domains, who, node.value().len(), node.perms.len(), node.list_len() + first_len + 1)?;
        check_size(self.domains, who, value.len(), perms.len(), 0)?;
        let (mut nodes, mut memory) = (0, value.len());
        for name in missing {
            check_size(self.domains, who, 0, perms.len(), name.len() + 1)?;
            nodes += 1;
            memory += Node::cost_of(name.len(), 0, perms.len());
        }
        self.check_charge(who, perms.owner(), nodes, memory as isize)?;
        let generation = self.next_generation();
        let (way, end) = self.replaced(path);
        let node = self.tree.create(path, depth, &perms, generation);
        if !value.is_empty() {
            node.set_value(value);
        }
        self.ledger.add(perms.owner(), nodes, memory as isize);
        self.record(path, ChangeKind::Written, way + end, was);
        Ok(())
    }

    fn remove(&mut self, who: &Caller, path: &StorePath) -> Result<(), Error> {
        match find(self.tree, who, path, Access::Write) {
            Ok(_) => {}
            // Removing what is not there is fine, if its directory is.
            Err(Error::NotFound) => {
                let parent = path.split_last().and_then(|(parent, _)| self.tree.get(parent));
                return parent.map(|_| ()).ok_or(Error::NotFound);
            }
            Err(error) => return Err(error),
        }
        self.detach(path)
    }

    /// Removes without asking anybody.
    ///
    /// # Errors
    /// [`Error::Invalid`]: it is `/`, or not there.
    pub(crate) fn detach(&mut self, path: &StorePath) -> Result<(), Error> {
        let parent = path.split_last().and_then(|(parent, _)| self.tree.get(parent));
        let was = parent.map_or(0, |parent| parent.generation);
        let generation = self.next_generation();
        let (replaced, _) = self.replaced(path);
        let gone = self.tree.remove(path, generation).ok_or(Error::Invalid)?;
        self.ledger.remove(gone.clone());
        self.record(path, ChangeKind::Removed(gone), replaced, was);
        Ok(())
    }

    fn set_perms(&mut self, who: &Caller, path: &StorePath, perms: &[Perm]) -> Result<(), Error> {
        let perms = self.check_perms(who, perms)?;
        let node = find(self.tree, who, path, Access::Write)?;
        let (old, was) = (node.perms.clone(), node.generation);
        check_new_perms(who, &old, &perms)?;
        check_size(self.domains, who, node.value().len(), perms.len(), node.list_len())?;
        let old_cost = node.cost() as isize;
        let cost = Node::cost_of(node.name().len(), node.value().len(), perms.len()) as isize;
        self.check_charge(who, perms.owner(), 0, cost - old_cost)?;
        let generation = self.next_generation();
        self.ledger.add(old.owner(), -1, -old_cost);
        self.ledger.add(perms.owner(), 1, cost);
        let (way, end) = self.replaced(path);
        if let Some(node) = self.tree.get_mut(path.as_str()) {
            node.perms = perms;
            node.generation = generation;
        }
        self.record(path, ChangeKind::Permitted(old), way + end, was);
        Ok(())
    }

    fn check_perms(&mut self, who: &Caller, perms: &[Perm]) -> Result<Perms, Error> {
        self.domains.check(who, Item::NodePermissions, perms.len())?;
        self.domains.resolve(perms, self.domains.features_of(who))
    }

    /// Who makes a node grow is checked, but its owner is charged.
    fn check_charge(&mut self, who: &Caller, owner: Party, nodes: isize, memory: isize) -> Result<(), Error> {
        if who.privileged {
            return Ok(());
        }
        self.domains.check_charge(owner, self.ledger, nodes, memory)
    }

    /// What a change to the node, or making it, leaves behind in snapshots.
    fn replaced(&self, path: &StorePath) -> (usize, usize) {
        match self.snapshots {
            Snapshots::None => (0, 0),
            Snapshots::Some => {
                let Survey { way, end, .. } = self.tree.survey(path.as_str());
                (way, end)
            }
            Snapshots::Looked { way, end } => (way, end),
        }
    }

    fn next_generation(&mut self) -> u64 {
        *self.generation += 1;
        *self.generation
    }

    fn record(&mut self, path: &StorePath, kind: ChangeKind, replaced: usize, was: u64) {
        self.changes.push(Change { path: path.clone(), kind, replaced, was });
    }
}

/// Passes if `who` may have a node of this size.
fn check_size(
    domains: &mut Domains,
    who: &Caller,
    value_len: usize,
    nr_perms: usize,
    list_len: usize,
) -> Result<(), Error> {
    domains.check(who, Item::NodeSize, Node::size_of(value_len, nr_perms, list_len))
}

/// Passes if `who` may put `new` in the place of `old`.
pub(crate) fn check_new_perms(who: &Caller, old: &Perms, new: &Perms) -> Result<(), Error> {
    if !old.is_owner(who) {
        return Err(Error::Access);
    }
    // XSA-352: not even the owner gives a node away.
    if !who.privileged && new.owner() != old.owner() {
        return Err(Error::NotPermitted);
    }
    Ok(())
}
