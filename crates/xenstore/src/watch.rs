//! Watches, found by path: an event costs the depth of its path, however many watches there are elsewhere.
//!
//! The index is a trie in one vector, so that neither walking nor dropping it recurses along a depth that a guest chose.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use crate::ConnId;
use crate::path::{StorePath, names};
use crate::save::{RestoreError, saved};

/// What a watch costs besides its path and token.
const WATCH_COST: usize = 256;
/// What a watch's place in the index costs, for each level of its path.
const LEVEL_COST: usize = 224;

/// What telling a watch costs, where going on by one place costs 1.
pub(crate) const TELLING: usize = 4;

/// A watch, for as long as it is set; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WatchId(u64);

#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) conn: ConnId,
    pub(crate) path: StorePath,
    pub(crate) token: Box<[u8]>,
    /// How many bytes of an event's path its owner does not want to see: its home, where it gave a relative path.
    pub(crate) prefix_len: usize,
    /// How many levels below the path count.
    pub(crate) depth: Option<u32>,
    /// An event did not fit into the queue: one on the watch's own path is owed.
    pub(crate) is_owed: bool,
    /// How many of its events wait in the queue.
    pub(crate) queued: u32,
}

saved!(WatchId { 0 });
saved!(Watch { conn, path, token, prefix_len, depth, is_owed } else { queued: 0 });

impl Watch {
    /// What the watch costs its domain's memory quota.
    pub(crate) fn cost(&self) -> usize {
        let levels = self.path.names().count() + 1;
        WATCH_COST + self.path.as_str().len() + self.token.len() + levels * LEVEL_COST
    }

    fn reaches(&self, levels_below: usize) -> bool {
        self.depth.is_none_or(|depth| levels_below <= depth as usize)
    }
}

/// One place of the index.
#[derive(Debug, Default)]
struct Spot {
    parent: usize,
    /// Sorted by name. (A map would take ten times the memory where there is one name, and most places have one.)
    below: Vec<(Box<str>, usize)>,
    watches: Vec<WatchId>,
}

impl Spot {
    /// Where a name is among those below, or would be.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.below.binary_search_by(|(other, _)| (**other).cmp(name))
    }

    /// The place with this name below.
    fn below(&self, name: &str) -> Option<usize> {
        self.place(name).ok().map(|at| self.below[at].1)
    }
}

/// All watches.
#[derive(Debug)]
pub(crate) struct Watches {
    by_id: BTreeMap<WatchId, Watch>,
    next_id: u64,
    /// The first is the root, `/`.
    spots: Vec<Spot>,
    free: Vec<usize>,
    /// Watches on `@...`, by that name.
    special: BTreeMap<String, Vec<WatchId>>,
}

saved!(Watches { by_id, next_id }
    else { spots: alloc::vec![Spot::default()], free: Vec::new(), special: BTreeMap::new() }
    then Watches::restored);

impl Watches {
    /// The index is made anew.
    fn restored(mut self) -> Result<Self, RestoreError> {
        for (id, watch) in mem::take(&mut self.by_id) {
            if id.0 >= self.next_id {
                return Err(RestoreError::Malformed);
            }
            self.insert(id, watch);
        }
        Ok(self)
    }

    pub(crate) fn new() -> Self {
        Watches {
            by_id: BTreeMap::new(),
            next_id: 0,
            spots: alloc::vec![Spot::default()],
            free: Vec::new(),
            special: BTreeMap::new(),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.by_id.len()
    }

    /// The id of the next watch: those that are set already have smaller ones.
    pub(crate) fn next_id(&self) -> WatchId {
        WatchId(self.next_id)
    }

    pub(crate) fn get(&self, id: WatchId) -> Option<&Watch> {
        self.by_id.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: WatchId) -> Option<&mut Watch> {
        self.by_id.get_mut(&id)
    }

    /// The connection's watch with this path and token.
    pub(crate) fn find(&self, conn: ConnId, path: &StorePath, token: &[u8]) -> Option<WatchId> {
        let here = self.at(path)?;
        here.iter()
            .copied()
            .find(|id| self.by_id.get(id).is_some_and(|watch| watch.conn == conn && *watch.token == *token))
    }

    pub(crate) fn add(&mut self, watch: Watch) -> WatchId {
        let id = WatchId(self.next_id);
        self.next_id += 1;
        self.insert(id, watch);
        id
    }

    /// Watches come in the order of their ids.
    fn insert(&mut self, id: WatchId, watch: Watch) {
        if watch.path.is_special() {
            self.special.entry(watch.path.as_str().into()).or_default().push(id);
        } else {
            let spot = self.make_spot(&watch.path);
            self.spots[spot].watches.push(id);
        }
        self.by_id.insert(id, watch);
    }

    pub(crate) fn remove(&mut self, id: WatchId) -> Option<Watch> {
        let watch = self.by_id.remove(&id)?;
        if watch.path.is_special() {
            if let Some(here) = self.special.get_mut(watch.path.as_str()) {
                here.retain(|other| *other != id);
                if here.is_empty() {
                    self.special.remove(watch.path.as_str());
                }
            }
        } else if let Some(spot) = self.spot(&watch.path) {
            self.spots[spot].watches.retain(|other| *other != id);
            self.prune(&watch.path, spot);
        }
        Some(watch)
    }

    /// The watches that an event on `path` concerns: those on it and on the directories it is in.
    pub(crate) fn concerned(&self, path: &StorePath) -> Vec<WatchId> {
        let mut found = Vec::new();
        let mut levels_below = path.names().count();
        let mut names = path.names();
        let mut spot = &self.spots[0];
        loop {
            let here = spot.watches.iter();
            found.extend(
                here.filter(|id| self.by_id.get(id).is_some_and(|watch| watch.reaches(levels_below))),
            );
            let Some(below) = names.next().and_then(|name| spot.below(name)) else { return found };
            spot = &self.spots[below];
            levels_below -= 1;
        }
    }

    /// Whether there may be watches strictly below `path`.
    pub(crate) fn has_below(&self, path: &StorePath) -> bool {
        self.spot(path).is_some_and(|spot| !self.spots[spot].below.is_empty())
    }

    /// Some of the watches strictly below `path`: those of the first places that come after the place `after`, for as much work as
    /// `most`. Returns them, and the last of these places to go on from; None where there are no more.
    pub(crate) fn below(
        &self,
        path: &StorePath,
        after: Option<&str>,
        most: usize,
    ) -> (Vec<WatchId>, Option<String>) {
        let mut found = Vec::new();
        let Some(top) = self.spot(path) else { return (found, None) };
        let mut at = String::from(after.unwrap_or_default());
        // The places on the way down, each with the next one below it and the length of its path.
        let mut stack = alloc::vec![(top, 0, 0)];
        // The way back to where the last call ended; watches may have come and gone since.
        let mut len = 0;
        for name in names(after.unwrap_or_default()) {
            let Some((spot, next, _)) = stack.last_mut() else { break };
            len += name.len() + 1;
            match self.spots[*spot].place(name) {
                Ok(here) => {
                    *next = here + 1;
                    let below = self.spots[*spot].below[here].1;
                    stack.push((below, 0, len));
                }
                Err(here) => {
                    *next = here;
                    break;
                }
            }
        }
        let mut visited = 0;
        while let Some((spot, next, len)) = stack.last_mut() {
            let Some((name, below)) = self.spots[*spot].below.get(*next) else {
                stack.pop();
                continue;
            };
            *next += 1;
            at.truncate(*len);
            at.push('/');
            at.push_str(name);
            found.extend(&self.spots[*below].watches);
            stack.push((*below, 0, at.len()));
            visited += 1 + self.spots[*below].watches.len() * TELLING;
            if visited >= most {
                return (found, Some(at));
            }
        }
        (found, None)
    }

    /// The watches on the special name, and whether each wants to know the domain (`depth` 1).
    pub(crate) fn special(&self, name: &str) -> Vec<(WatchId, bool)> {
        let here = self.special.get(name).into_iter().flatten();
        here.filter_map(|id| Some((*id, self.by_id.get(id)?.depth.is_some_and(|depth| depth > 0)))).collect()
    }

    fn at(&self, path: &StorePath) -> Option<&Vec<WatchId>> {
        if path.is_special() {
            return self.special.get(path.as_str());
        }
        Some(&self.spots[self.spot(path)?].watches)
    }

    fn spot(&self, path: &StorePath) -> Option<usize> {
        path.names().try_fold(0, |spot, name| self.spots[spot].below(name))
    }

    fn make_spot(&mut self, path: &StorePath) -> usize {
        let mut spot = 0;
        for name in path.names() {
            spot = match self.spots[spot].place(name) {
                Ok(at) => self.spots[spot].below[at].1,
                Err(at) => {
                    let new = Spot { parent: spot, ..Spot::default() };
                    let below = match self.free.pop() {
                        Some(free) => {
                            self.spots[free] = new;
                            free
                        }
                        None => {
                            self.spots.push(new);
                            self.spots.len() - 1
                        }
                    };
                    self.spots[spot].below.insert(at, (name.into(), below));
                    below
                }
            };
        }
        spot
    }

    /// Frees the places on the path that serve nobody any more, from the end up.
    fn prune(&mut self, path: &StorePath, mut spot: usize) {
        let mut rest = path.as_str();
        while spot != 0 && self.spots[spot].watches.is_empty() && self.spots[spot].below.is_empty() {
            let Some((directory, name)) = rest.rsplit_once('/') else { return };
            let parent = self.spots[spot].parent;
            if let Ok(at) = self.spots[parent].place(name) {
                self.spots[parent].below.remove(at);
            }
            self.spots[spot] = Spot::default();
            self.free.push(spot);
            (spot, rest) = (parent, directory);
        }
    }
}
