//! Whether every node of a saved form has one place.
//!
//! A node is made at a path and never moves: whatever versions of the store share it, they have it at the same path. So in a true saved
//! form all that a node is in lies at one path too, and no version has it twice. A form that says otherwise would be taken for
//! a store that grows and shrinks in other ways than it was counted: a subtree in two places is one thing to save, and two to count.
//!
//! What is wanted is not the paths, which nobody may know (what was removed has no root above it), but which nodes and blocks are at the
//! same one. That is found by joining: all entries of a block are where the block is, and the directories of one node are at the
//! same path. Two of which the names differ cannot be joined; and nothing is in itself. Takes about as long as there are entries.

use alloc::vec::Vec;

use crate::node::Node;

/// The places of some nodes and blocks: those of one number are at the same path, as far as is known.
#[derive(Default)]
pub(super) struct Places<'a> {
    /// Another one at the same path; of one of them it is itself.
    same: Vec<usize>,
    /// The name at the path's end, where it is known.
    names: Vec<Option<&'a [u8]>>,
    /// The directory that the path is in, where it is known.
    parents: Vec<Option<usize>>,
}

impl<'a> Places<'a> {
    /// A place that nothing is known of but the name of what is there. A block's is that of the directory it is a part of.
    pub(super) fn add(&mut self, node: Option<&'a Node>) {
        self.same.push(self.same.len());
        self.names.push(node.map(Node::name));
        self.parents.push(None);
    }

    fn first(&mut self, mut place: usize) -> usize {
        while self.same[place] != place {
            // Halves the way for the next time.
            self.same[place] = self.same[self.same[place]];
            place = self.same[place];
        }
        place
    }

    /// Notes that two are at the same path. False: that cannot be.
    pub(super) fn join(&mut self, one: usize, other: usize) -> bool {
        let mut pairs = alloc::vec![(one, other)];
        while let Some((one, other)) = pairs.pop() {
            let (one, other) = (self.first(one), self.first(other));
            if one == other {
                continue;
            }
            if let (Some(a), Some(b)) = (self.names[one], self.names[other])
                && a != b
            {
                return false;
            }
            self.same[other] = one;
            self.names[one] = self.names[one].or(self.names[other]);
            match (self.parents[one], self.parents[other]) {
                (Some(a), Some(b)) => pairs.push((a, b)),
                (None, known) => self.parents[one] = known,
                _ => {}
            }
        }
        true
    }

    /// Notes that one is in the directory at another. False: that cannot be.
    pub(super) fn put(&mut self, child: usize, directory: usize) -> bool {
        let child = self.first(child);
        match self.parents[child] {
            Some(known) => self.join(known, directory),
            None => {
                self.parents[child] = Some(directory);
                true
            }
        }
    }

    /// Whether no path leads into itself. (Then no version has anything twice: two ways from the top to one node would have the same
    /// places from its end up, and so the same names; or one of them comes by the top's place again.)
    pub(super) fn are_sound(mut self) -> bool {
        // What leads to an end: 0 is not known yet, otherwise the number of the walk that found out.
        let mut seen = alloc::vec![0usize; self.same.len()];
        for start in 0..self.same.len() {
            let mut place = self.first(start);
            while seen[place] == 0 {
                seen[place] = start + 1;
                let Some(parent) = self.parents[place] else { break };
                place = self.first(parent);
                if seen[place] == start + 1 {
                    return false;
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use xen_abi::DomId;

    use super::super::RestoreError;
    use super::*;
    use crate::text::Text;
    use crate::{Store, path::StorePath};

    /// A store with a directory `/d/a/b/x`, many nodes, and more of them in a snapshot, so that their number says nothing.
    fn store() -> Store {
        let mut store = Store::new(DomId(0));
        let fill = |store: &mut Store, top: &str| {
            let done = store
                .control(|store| (0..100).try_for_each(|n| store.write(&format!("{top}/{n}"), "some value")));
            done.unwrap();
        };
        fill(&mut store, "/d/a/b/x");
        fill(&mut store, "/gone");
        let conn = store.connect_control();
        let start = crate::wire::Request {
            ty: crate::wire::MessageType::TRANSACTION_START,
            req_id: 1,
            tx_id: 0,
            payload: b"\0".to_vec(),
        };
        store.handle(conn, &start);
        store.control(|store| store.rm("/gone")).unwrap();
        store
    }

    /// The same, where all that is in one directory is in another one too.
    fn forged(from: &str, into: &str, name: &[u8]) -> Option<RestoreError> {
        let mut store = store();
        let from = store.tree.get(from).unwrap().clone();
        let node = Node::restored(Text::new(name, b""), from.perms.clone(), 0, from.children().clone());
        store.tree.get_mut(StorePath::absolute(into).unwrap().as_str()).unwrap().insert(node);
        Store::restore(&store.save()).err()
    }

    #[test]
    fn a_subtree_in_two_places_is_refused() {
        for (from, into, name) in [
            ("/d/a/b/x", "/d/a/b", &b"y"[..]),
            ("/d/a/b", "/d/a", b"c"),
            ("/d/a/b/x", "/d/a/b", b"a"),
            ("/d/a/b/x", "/d", b"x"),
            ("/d/a/b", "/", b"b"),
            ("/d/a/b/x/7", "/d/a/b/x", b"new"),
        ] {
            let is_empty = from.ends_with('7');
            let expected = if is_empty { None } else { Some(RestoreError::Malformed) };
            assert_eq!(forged(from, into, name), expected, "{from} in {into} too");
        }
    }

    /// The two are in different versions: no version has anything twice, but no store has it so.
    #[test]
    fn a_subtree_that_moved_between_two_versions_is_refused() {
        let mut store = store();
        let from = store.tree.get("/d/a/b").unwrap().clone();
        let other = Node::restored(Text::new(b"e", b""), from.perms.clone(), 0, from.children().clone());
        store.control(|store| store.rm("/d/a")).unwrap();
        store.tree.get_mut("/d").unwrap().insert(other);
        assert_eq!(Store::restore(&store.save()).err(), Some(RestoreError::Malformed));
    }

    /// What is true is taken, whatever shares it and wherever its versions are.
    #[test]
    fn what_versions_share_at_one_place_is_taken() {
        let mut store = store();
        for n in 0..50 {
            let done = store.control(|store| {
                store.write(&format!("/d/a/b/x/{n}"), "another")?;
                store.rm(&format!("/d/a/b/x/{}", n + 50))?;
                store.write(&format!("/d/a/{n}/x/{n}"), "some value")
            });
            done.unwrap();
        }
        store.control(|store| store.rm("/d/a/b")).unwrap();
        let saved = store.save();
        let again = Store::restore(&saved).unwrap();
        assert!(Store::restore(&again.save()).is_ok());
    }

    #[test]
    fn nothing_is_in_itself() {
        let mut places = Places::default();
        (0..3).for_each(|_| places.add(None));
        let all: Vec<bool> = [(0, 1), (1, 2), (2, 0)].into_iter().map(|(a, b)| places.put(a, b)).collect();
        assert_eq!(all, [true; 3]);
        assert!(!places.are_sound());
    }
}
