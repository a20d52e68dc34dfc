//! All versions of all nodes, each once: what snapshots share is shared in the saved form and after it.
//!
//! A list of nodes and blocks of children, each after those that it refers to. So there is no cycle by construction, and neither
//! writing nor reading recurses.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::RestoreError;
use super::bytes::{put_bytes, put_number, take_bytes, take_count, take_number};
use crate::children::{Block, Children, Entries, FANOUT};
use crate::node::Node;
use crate::path::{ABSOLUTE_MAX, is_legal_name};
use crate::perms::{Access, Entry, Party, Perms};
use crate::text::Text;

/// Kinds of items in the list.
const NODE: u8 = 0;
const LEAF: u8 = 1;
const INNER: u8 = 2;
/// How many levels of blocks a directory can have, and more.
const HEIGHT_MAX: u32 = 16;

/// The nodes of the saved form, while it is written.
#[derive(Default)]
pub(super) struct Graph<'a> {
    texts: Table<'a, Text>,
    perms: Table<'a, Perms>,
    out: Vec<u8>,
    nodes: BTreeMap<usize, u64>,
    blocks: BTreeMap<usize, u64>,
}

/// Shared things, each with a number. What is the same is told by its address: everything lives while it is saved.
struct Table<'a, T> {
    all: Vec<&'a T>,
    by_address: BTreeMap<usize, u64>,
}

impl<T> Default for Table<'_, T> {
    fn default() -> Self {
        Table { all: Vec::new(), by_address: BTreeMap::new() }
    }
}

impl<'a, T> Table<'a, T> {
    fn number(&mut self, address: usize, value: &'a T) -> u64 {
        let all = &mut self.all;
        *self.by_address.entry(address).or_insert_with(|| {
            all.push(value);
            all.len() as u64 - 1
        })
    }
}

/// Something to be written after what it refers to.
#[derive(Clone, Copy)]
enum Item<'a> {
    Node(&'a Arc<Node>),
    Block(&'a Arc<Block>),
}

impl<'a> Graph<'a> {
    pub(super) fn perms(&mut self, perms: &'a Perms) -> u64 {
        self.perms.number(perms.address(), perms)
    }

    /// The node's number; it and all below are written where they are not yet.
    pub(super) fn node(&mut self, node: &'a Arc<Node>) -> u64 {
        self.add(Item::Node(node));
        self.nodes[&address(node)]
    }

    pub(super) fn block(&mut self, block: &'a Arc<Block>) -> u64 {
        self.add(Item::Block(block));
        self.blocks[&address(block)]
    }

    fn add(&mut self, top: Item<'a>) {
        let mut stack = alloc::vec![(top, false)];
        while let Some((item, is_ready)) = stack.pop() {
            if self.has(item) {
                continue;
            }
            if is_ready {
                self.write(item);
                continue;
            }
            stack.push((item, true));
            match item {
                Item::Node(node) => {
                    stack.extend(node.children().root().map(|root| (Item::Block(root), false)))
                }
                Item::Block(block) => match block.entries() {
                    Entries::Leaf(nodes) => stack.extend(nodes.iter().map(|node| (Item::Node(node), false))),
                    Entries::Inner(parts) => {
                        stack.extend(parts.iter().map(|(_, below)| (Item::Block(below), false)));
                    }
                },
            }
        }
    }

    fn has(&self, item: Item<'_>) -> bool {
        match item {
            Item::Node(node) => self.nodes.contains_key(&address(node)),
            Item::Block(block) => self.blocks.contains_key(&address(block)),
        }
    }

    fn write(&mut self, item: Item<'a>) {
        match item {
            Item::Node(node) => {
                let text = self.texts.number(node.text().all().as_ptr().addr(), node.text());
                let perms = self.perms(&node.perms);
                let children = node.children().root().map_or(0, |root| self.blocks[&address(root)] + 1);
                self.out.push(NODE);
                for number in [text, node.name().len() as u64, perms, node.generation, children] {
                    put_number(&mut self.out, number);
                }
                self.nodes.insert(address(node), self.nodes.len() as u64);
            }
            Item::Block(block) => {
                match block.entries() {
                    Entries::Leaf(nodes) => {
                        self.out.push(LEAF);
                        put_number(&mut self.out, nodes.len() as u64);
                        nodes.iter().for_each(|node| put_number(&mut self.out, self.nodes[&address(node)]));
                    }
                    Entries::Inner(parts) => {
                        self.out.push(INNER);
                        put_number(&mut self.out, parts.len() as u64);
                        for (bound, below) in parts {
                            put_bytes(&mut self.out, bound);
                            put_number(&mut self.out, self.blocks[&address(below)]);
                        }
                    }
                }
                self.blocks.insert(address(block), self.blocks.len() as u64);
            }
        }
    }

    /// Appends the whole list, with what it refers to first.
    pub(super) fn finish(self, out: &mut Vec<u8>) {
        put_number(out, self.texts.all.len() as u64);
        self.texts.all.iter().for_each(|text| put_bytes(out, text.all()));
        put_number(out, self.perms.all.len() as u64);
        for perms in self.perms.all {
            put_number(out, perms.len() as u64);
            for Entry { party, access } in perms.entries() {
                put_number(out, u64::from(party.domid.0));
                put_number(out, u64::from(party.life));
                out.push(access.letter() as u8);
            }
        }
        put_number(out, (self.nodes.len() + self.blocks.len()) as u64);
        out.extend_from_slice(&self.out);
    }
}

fn address<T>(shared: &Arc<T>) -> usize {
    Arc::as_ptr(shared).addr()
}

/// The nodes of the saved form, while it is read.
#[derive(Default)]
pub(super) struct Loaded {
    perms: Vec<Perms>,
    nodes: Vec<(Arc<Node>, Extent)>,
    blocks: Vec<LoadedBlock>,
}

/// How much there is in a subtree, each node counted as often as it can be reached.
#[derive(Clone, Copy, Default)]
struct Extent {
    nodes: u64,
    /// The length of the longest path.
    path_len: u64,
}

struct LoadedBlock {
    block: Arc<Block>,
    extent: Extent,
    height: u32,
    /// The length of the names, each with a nul.
    list_len: u64,
    /// The numbers of the first and the last child.
    ends: (usize, usize),
}

impl Loaded {
    pub(super) fn perms(&self, number: u64) -> Result<Perms, RestoreError> {
        find(&self.perms, number).cloned()
    }

    pub(super) fn node(&self, number: u64) -> Result<Arc<Node>, RestoreError> {
        let (node, _) = find(&self.nodes, number)?;
        Ok(node.clone())
    }

    pub(super) fn block(&self, number: u64) -> Result<Arc<Block>, RestoreError> {
        find(&self.blocks, number).map(|loaded| loaded.block.clone())
    }

    /// Reads what [`Graph::finish`] wrote.
    pub(super) fn read(rest: &mut &[u8]) -> Result<Self, RestoreError> {
        let mut loaded = Loaded::default();
        let count = take_count(rest)?;
        let texts = (0..count).map(|_| take_bytes(rest).map(|text| Arc::new(text.into())));
        let texts: Vec<Arc<Box<[u8]>>> = texts.collect::<Result<_, _>>()?;
        for _ in 0..take_count(rest)? {
            loaded.perms.push(take_perms(rest)?);
        }
        let count = take_count(rest)?;
        for _ in 0..count {
            let (&kind, tail) = rest.split_first().ok_or(RestoreError::Short)?;
            *rest = tail;
            match kind {
                NODE => loaded.take_node(&texts, rest)?,
                LEAF => loaded.take_leaf(rest)?,
                INNER => loaded.take_inner(rest)?,
                _ => return Err(RestoreError::Malformed),
            }
        }
        // No tree has a node twice. One that can be reached in two ways can be reached in 2^n ways before long.
        let most = loaded.nodes.len() as u64;
        match loaded.nodes.iter().all(|(_, extent)| extent.nodes <= most) {
            true => Ok(loaded),
            false => Err(RestoreError::Malformed),
        }
    }

    fn take_node(&mut self, texts: &[Arc<Box<[u8]>>], rest: &mut &[u8]) -> Result<(), RestoreError> {
        let text = find(texts, take_number(rest)?)?;
        let name_len = take_number(rest)?;
        let perms = self.perms(take_number(rest)?)?;
        let generation = take_number(rest)?;
        let below = match take_number(rest)? {
            0 => None,
            number => Some(find(&self.blocks, number - 1)?),
        };
        let text = u16::try_from(name_len).ok().and_then(|len| Text::from_shared(text, len));
        // Only the root has no name.
        let text = text.filter(|text| text.name().is_empty() || is_legal_name(text.name()));
        let text = text.ok_or(RestoreError::Malformed)?;
        let Extent { nodes, path_len } = below.map(|below| below.extent).unwrap_or_default();
        let path_len = path_len + name_len + 1;
        let list_len = below.map_or(0, |below| below.list_len);
        if path_len > ABSOLUTE_MAX as u64 + 1 || list_len > u64::from(u32::MAX) {
            return Err(RestoreError::Malformed);
        }
        let children = Children::from_root(below.map(|below| below.block.clone()));
        let node = Node::restored(text, perms, generation, children);
        self.nodes.push((Arc::new(node), Extent { nodes: nodes.saturating_add(1), path_len }));
        Ok(())
    }

    fn take_leaf(&mut self, rest: &mut &[u8]) -> Result<(), RestoreError> {
        let count = take_entries(rest)?;
        let mut leaf = Vec::with_capacity(count);
        let (mut extent, mut list_len, mut first, mut last) = (Extent::default(), 0, None, None::<usize>);
        for _ in 0..count {
            let number = take_number(rest)?;
            let (node, below) = find(&self.nodes, number)?;
            let name = node.name();
            if name.is_empty() || last.is_some_and(|last| self.nodes[last].0.name() >= name) {
                return Err(RestoreError::Malformed);
            }
            extent = extent.with(*below);
            list_len += name.len() as u64 + 1;
            last = Some(number as usize);
            first = first.or(last);
            leaf.push(node.clone());
        }
        let ends = first.zip(last).ok_or(RestoreError::Malformed)?;
        let block = Arc::new(Block::leaf(leaf));
        self.blocks.push(LoadedBlock { block, extent, height: 1, list_len, ends });
        Ok(())
    }

    fn take_inner(&mut self, rest: &mut &[u8]) -> Result<(), RestoreError> {
        let count = take_entries(rest)?;
        let mut parts: Vec<(Arc<[u8]>, Arc<Block>)> = Vec::with_capacity(count);
        let (mut extent, mut list_len, mut height) = (Extent::default(), 0u64, 0);
        let mut ends: Option<(usize, usize)> = None;
        for _ in 0..count {
            let bound = take_bytes(rest)?;
            let below = find(&self.blocks, take_number(rest)?)?;
            let (first, last) = below.ends;
            // The first bound says nothing; each other one separates what is left of it from what is right of it.
            let is_ordered = ends.is_none_or(|(_, left)| {
                self.nodes[left].0.name() < bound && bound <= self.nodes[first].0.name()
            });
            if !is_ordered {
                return Err(RestoreError::Malformed);
            }
            ends = Some((ends.map_or(first, |(first, _)| first), last));
            extent = extent.with(below.extent);
            list_len = list_len.saturating_add(below.list_len);
            height = height.max(below.height + 1);
            parts.push((bound.into(), below.block.clone()));
        }
        let ends = ends.filter(|_| height <= HEIGHT_MAX).ok_or(RestoreError::Malformed)?;
        self.blocks.push(LoadedBlock {
            block: Arc::new(Block::inner(parts)),
            extent,
            height,
            list_len,
            ends,
        });
        Ok(())
    }
}

impl Extent {
    fn with(self, other: Extent) -> Self {
        let nodes = self.nodes.saturating_add(other.nodes);
        Extent { nodes, path_len: self.path_len.max(other.path_len) }
    }
}

fn take_entries(rest: &mut &[u8]) -> Result<usize, RestoreError> {
    let count = take_count(rest)?;
    if count <= FANOUT { Ok(count) } else { Err(RestoreError::Malformed) }
}

fn take_perms(rest: &mut &[u8]) -> Result<Perms, RestoreError> {
    let count = take_count(rest)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let domid = u16::try_from(take_number(rest)?).map_err(|_| RestoreError::Malformed)?;
        let life = u32::try_from(take_number(rest)?).map_err(|_| RestoreError::Malformed)?;
        let (&letter, tail) = rest.split_first().ok_or(RestoreError::Short)?;
        *rest = tail;
        let access = Access::from_letter(letter).ok_or(RestoreError::Malformed)?;
        entries.push(Entry { party: Party { domid: xen_abi::DomId(domid), life }, access });
    }
    Perms::new(entries).ok_or(RestoreError::Malformed)
}

fn find<T>(all: &[T], number: u64) -> Result<&T, RestoreError> {
    usize::try_from(number).ok().and_then(|number| all.get(number)).ok_or(RestoreError::Malformed)
}
