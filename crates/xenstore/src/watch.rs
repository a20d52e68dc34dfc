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
    /// Its place in the index.
    pub(crate) spot: usize,
}

saved!(WatchId { 0 });
saved!(Watch { conn, path, token, prefix_len, depth, is_owed } else { queued: 0, spot: 0 });

impl Watch {
    /// What the watch costs its domain's memory quota.
    pub(crate) fn cost(&self) -> usize {
        let levels = self.path.names().count() + 1;
        WATCH_COST + self.path.as_str().len() + self.token.len() + levels * LEVEL_COST
    }
}

/// A watch as the index has it: what decides whether it is to be told something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    pub(crate) id: WatchId,
    pub(crate) conn: ConnId,
    pub(crate) depth: Option<u32>,
    /// It owes an event anyway, and needs no further one until that is passed on.
    pub(crate) is_owed: bool,
}

impl Seat {
    /// Whether a change so many levels below concerns it.
    pub(crate) fn reaches(&self, levels_below: usize) -> bool {
        self.depth.is_none_or(|depth| levels_below <= depth as usize)
    }
}

/// One place of the index.
#[derive(Debug, Default)]
struct Spot {
    parent: usize,
    /// Sorted by name. (A map would take ten times the memory where there is one name, and most places have one.)
    below: Vec<(Box<str>, usize)>,
    /// Sorted by id.
    seats: Vec<Seat>,
}

/// The place of `/`.
const ROOT: usize = 0;
/// The place above the special names.
const SPECIAL: usize = 1;

impl Spot {
    /// Where a name is among those below, or would be.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.below.binary_search_by(|(other, _)| (**other).cmp(name))
    }

    /// The place with this name below.
    fn below(&self, name: &str) -> Option<usize> {
        self.place(name).ok().map(|at| self.below[at].1)
    }

    /// Where this watch's seat is, or would be.
    fn seat(&self, id: WatchId) -> Result<usize, usize> {
        self.seats.binary_search_by_key(&id, |seat| seat.id)
    }

    /// The first seat after this watch's.
    fn after(&self, id: Option<WatchId>) -> usize {
        id.map_or(0, |id| self.seats.partition_point(|seat| seat.id <= id))
    }
}

/// All watches.
#[derive(Debug)]
pub(crate) struct Watches {
    by_id: BTreeMap<WatchId, Watch>,
    next_id: u64,
    /// The first two are [`ROOT`] and [`SPECIAL`].
    spots: Vec<Spot>,
    free: Vec<usize>,
}

saved!(Watches { by_id, next_id } else { spots: roots(), free: Vec::new() } then Watches::restored);

fn roots() -> Vec<Spot> {
    alloc::vec![Spot::default(), Spot::default()]
}

/// How far a walk over the places below some path has come: the last place, as its path from there, and the last of its watches;
/// None: all of them.
pub(crate) type Place = (String, Option<WatchId>);

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
        Watches { by_id: BTreeMap::new(), next_id: 0, spots: roots(), free: Vec::new() }
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
        let here = self.spots[self.spot(path)?].seats.iter().filter(|seat| seat.conn == conn);
        here.map(|seat| seat.id).find(|id| self.by_id.get(id).is_some_and(|watch| *watch.token == *token))
    }

    pub(crate) fn add(&mut self, watch: Watch) -> WatchId {
        let id = WatchId(self.next_id);
        self.next_id += 1;
        self.insert(id, watch);
        id
    }

    fn insert(&mut self, id: WatchId, mut watch: Watch) {
        let Watch { conn, depth, is_owed, .. } = watch;
        watch.spot = self.make_spot(&watch.path);
        let spot = &mut self.spots[watch.spot];
        if let Err(at) = spot.seat(id) {
            spot.seats.insert(at, Seat { id, conn, depth, is_owed });
        }
        self.by_id.insert(id, watch);
    }

    pub(crate) fn remove(&mut self, id: WatchId) -> Option<Watch> {
        let watch = self.by_id.remove(&id)?;
        let spot = &mut self.spots[watch.spot];
        if let Ok(at) = spot.seat(id) {
            spot.seats.remove(at);
        }
        self.prune(&watch.path, watch.spot);
        Some(watch)
    }

    /// Notes whether the watch owes an event; returns whether it did.
    pub(crate) fn owe(&mut self, id: WatchId, is_owed: bool) -> Option<bool> {
        let watch = self.by_id.get_mut(&id)?;
        let spot = &mut self.spots[watch.spot];
        if let Ok(at) = spot.seat(id) {
            spot.seats[at].is_owed = is_owed;
        }
        Some(mem::replace(&mut watch.is_owed, is_owed))
    }

    /// The place where the way to the path begins.
    pub(crate) fn top(&self, path: &StorePath) -> usize {
        if path.is_special() { SPECIAL } else { ROOT }
    }

    /// The place with this name below a place.
    pub(crate) fn step(&self, spot: usize, name: &str) -> Option<usize> {
        self.spots[spot].below(name)
    }

    /// The watches on a place that come after one of them, or all.
    pub(crate) fn seats(&self, spot: usize, after: Option<WatchId>) -> &[Seat] {
        let spot = &self.spots[spot];
        &spot.seats[spot.after(after)..]
    }

    /// Whether anybody watches the path, or a directory that it is in.
    pub(crate) fn concerns(&self, path: &StorePath) -> bool {
        let mut spot = self.top(path);
        let mut names = path.names();
        while self.spots[spot].seats.is_empty() {
            match names.next().and_then(|name| self.step(spot, name)) {
                Some(below) => spot = below,
                None => return false,
            }
        }
        true
    }

    /// Whether there may be watches strictly below `path`.
    pub(crate) fn has_below(&self, path: &StorePath) -> bool {
        self.spot(path).is_some_and(|spot| !self.spots[spot].below.is_empty())
    }

    /// Some of the watches strictly below `path`, from where an earlier call ended, for as much work as `most`. Returns them, and the
    /// place to go on from; None where there are no more.
    pub(crate) fn below(
        &self,
        path: &StorePath,
        after: Option<&Place>,
        most: usize,
    ) -> (Vec<WatchId>, Option<Place>) {
        let mut found = Vec::new();
        let Some(top) = self.spot(path) else { return (found, None) };
        let (mut at, mut last) = after.cloned().unwrap_or_default();
        // The places on the way down, each with the next one below it and the length of its path.
        let mut stack = alloc::vec![(top, 0, 0)];
        // The way back to where the last call ended; watches may have come and gone since.
        let mut len = 0;
        for name in names(after.map_or("", |(path, _)| path)) {
            let Some((spot, next, _)) = stack.last_mut() else { break };
            len += name.len() + 1;
            match self.spots[*spot].place(name) {
                Ok(here) => {
                    *next = here + 1;
                    let below = self.spots[*spot].below[here].1;
                    stack.push((below, 0, len));
                }
                Err(here) => {
                    (*next, last) = (here, None);
                    break;
                }
            }
        }
        // Some of its watches are left.
        let mut here = if last.is_some() { stack.last().map(|(spot, ..)| *spot) } else { None };
        let mut visited = 0;
        loop {
            if let Some(spot) = here.take() {
                let seats = self.seats(spot, last);
                let some = &seats[..seats.len().min(most.saturating_sub(visited))];
                found.extend(some.iter().map(|seat| seat.id));
                visited += 1 + some.len();
                if visited >= most {
                    last = some.last().filter(|_| some.len() < seats.len()).map(|seat| seat.id);
                    return (found, Some((at, last)));
                }
            }
            let Some((spot, next, len)) = stack.last_mut() else { return (found, None) };
            let Some((name, below)) = self.spots[*spot].below.get(*next) else {
                stack.pop();
                continue;
            };
            *next += 1;
            at.truncate(*len);
            at.push('/');
            at.push_str(name);
            (here, last) = (Some(*below), None);
            stack.push((*below, 0, at.len()));
        }
    }

    fn spot(&self, path: &StorePath) -> Option<usize> {
        path.names().try_fold(self.top(path), |spot, name| self.step(spot, name))
    }

    fn make_spot(&mut self, path: &StorePath) -> usize {
        let mut spot = self.top(path);
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
        while spot > SPECIAL && self.spots[spot].seats.is_empty() && self.spots[spot].below.is_empty() {
            let (directory, name) = rest.rsplit_once('/').unwrap_or(("", rest));
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
