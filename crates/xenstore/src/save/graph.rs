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
use super::places::Places;
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
    nodes: Vec<LoadedNode>,
    blocks: Vec<LoadedBlock>,
}

struct LoadedNode {
    node: Arc<Node>,
    /// The number of the block that holds its children.
    below: Option<usize>,
    /// The length of the longest path from here down.
    path_len: u64,
}

struct LoadedBlock {
    block: Arc<Block>,
    /// The numbers of its nodes, or of the blocks below.
    parts: Vec<usize>,
    path_len: u64,
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
        find(&self.nodes, number).map(|loaded| loaded.node.clone())
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
        if loaded.has_places() { Ok(loaded) } else { Err(RestoreError::Malformed) }
    }

    /// Whether every node has one place: in a store nothing is in two. (One that can be reached in two ways can be reached in 2^n ways
    /// before long.)
    fn has_places(&self) -> bool {
        let mut places = Places::default();
        self.nodes.iter().for_each(|loaded| places.add(Some(&loaded.node)));
        self.blocks.iter().for_each(|_| places.add(None));
        let of_block = |number: usize| self.nodes.len() + number;
        let nodes = self.nodes.iter().enumerate();
        let are_joined = nodes.filter_map(|(node, loaded)| Some((node, loaded.below?)));
        if !are_joined.into_iter().all(|(node, below)| places.join(node, of_block(below))) {
            return false;
        }
        for (block, loaded) in self.blocks.iter().enumerate() {
            let fits = match loaded.block.entries() {
                Entries::Leaf(_) => loaded.parts.iter().all(|node| places.put(*node, of_block(block))),
                Entries::Inner(_) => {
                    loaded.parts.iter().all(|below| places.join(of_block(block), of_block(*below)))
                }
            };
            if !fits {
                return false;
            }
        }
        places.are_sound()
    }

    fn take_node(&mut self, texts: &[Arc<Box<[u8]>>], rest: &mut &[u8]) -> Result<(), RestoreError> {
        let text = find(texts, take_number(rest)?)?;
        let name_len = take_number(rest)?;
        let perms = self.perms(take_number(rest)?)?;
        let generation = take_number(rest)?;
        let number = take_number(rest)?.checked_sub(1);
        let below = number.map(|number| find(&self.blocks, number)).transpose()?;
        let text = u16::try_from(name_len).ok().and_then(|len| Text::from_shared(text, len));
        // Only the root has no name.
        let text = text.filter(|text| text.name().is_empty() || is_legal_name(text.name()));
        let text = text.ok_or(RestoreError::Malformed)?;
        let path_len = below.map_or(0, |below| below.path_len) + name_len + 1;
        let list_len = below.map_or(0, |below| below.list_len);
        if path_len > ABSOLUTE_MAX as u64 + 1 || list_len > u64::from(u32::MAX) {
            return Err(RestoreError::Malformed);
        }
        let children = Children::from_root(below.map(|below| below.block.clone()));
        let node = Arc::new(Node::restored(text, perms, generation, children));
        let below = number.map(|number| number as usize);
        self.nodes.push(LoadedNode { node, below, path_len });
        Ok(())
    }

    fn take_leaf(&mut self, rest: &mut &[u8]) -> Result<(), RestoreError> {
        let count = take_entries(rest)?;
        let mut leaf = Vec::with_capacity(count);
        let (mut path_len, mut list_len, mut parts) = (0, 0, Vec::with_capacity(count));
        for _ in 0..count {
            let number = take_number(rest)?;
            let LoadedNode { node, path_len: below, .. } = find(&self.nodes, number)?;
            let name = node.name();
            if name.is_empty() || parts.last().is_some_and(|last| self.name(*last) >= name) {
                return Err(RestoreError::Malformed);
            }
            path_len = path_len.max(*below);
            list_len += name.len() as u64 + 1;
            parts.push(number as usize);
            leaf.push(node.clone());
        }
        let (first, last) = (parts.first().copied(), parts.last().copied());
        let ends = first.zip(last).ok_or(RestoreError::Malformed)?;
        let block = Arc::new(Block::leaf(leaf));
        self.blocks.push(LoadedBlock { block, parts, path_len, height: 1, list_len, ends });
        Ok(())
    }

    fn take_inner(&mut self, rest: &mut &[u8]) -> Result<(), RestoreError> {
        let count = take_entries(rest)?;
        let mut inner: Vec<(Arc<[u8]>, Arc<Block>)> = Vec::with_capacity(count);
        let mut parts = Vec::with_capacity(count);
        let (mut path_len, mut list_len, mut height) = (0, 0u64, 0);
        let mut ends: Option<(usize, usize)> = None;
        for _ in 0..count {
            let bound = take_bytes(rest)?;
            let number = take_number(rest)?;
            let below = find(&self.blocks, number)?;
            let (first, last) = below.ends;
            // The first bound says nothing; each other one separates what is left of it from what is right of it.
            let is_ordered =
                ends.is_none_or(|(_, left)| self.name(left) < bound && bound <= self.name(first));
            if !is_ordered {
                return Err(RestoreError::Malformed);
            }
            ends = Some((ends.map_or(first, |(first, _)| first), last));
            path_len = path_len.max(below.path_len);
            list_len = list_len.saturating_add(below.list_len);
            height = height.max(below.height + 1);
            parts.push(number as usize);
            inner.push((bound.into(), below.block.clone()));
        }
        let ends = ends.filter(|_| height <= HEIGHT_MAX).ok_or(RestoreError::Malformed)?;
        let block = Arc::new(Block::inner(inner));
        self.blocks.push(LoadedBlock { block, parts, path_len, height, list_len, ends });
        Ok(())
    }

    fn name(&self, number: usize) -> &[u8] {
        self.nodes[number].node.name()
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
