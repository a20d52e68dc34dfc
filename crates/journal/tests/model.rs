//! Any history reads back as a map would have it; any bytes are read without a panic.

use std::collections::BTreeMap;

use journal::header::Header;
use journal::{Change, Id, Index, Key};
use proptest::collection::vec;
use proptest::prelude::*;

const ID: Id = Id([3; 16]);

/// An entry: its head and its body.
type Content = (Vec<u8>, Vec<u8>);
/// A change: whose, and to what; `None` deletes.
type Step = (u8, Option<Content>);

fn step() -> impl Strategy<Value = Step> {
    let content = (vec(any::<u8>(), 0..20), vec(any::<u8>(), 0..200));
    (0..6u8, proptest::option::weighted(0.8, content))
}

/// The file of a history, and what it comes to.
fn write(steps: &[Step]) -> (Vec<u8>, BTreeMap<u8, Content>) {
    let mut bytes = Header { id: ID, first_seq: 1 }.encode();
    let (mut index, mut map) = (Index::new(ID), BTreeMap::new());
    for (n, content) in steps {
        let change = match content {
            Some((head, body)) => Change::Put { head, body },
            None => Change::Delete,
        };
        let draft = index.draft(Key { kind: 0, id: [*n; 16] }, change).unwrap();
        bytes.extend(&draft.bytes);
        index.commit(draft);
        match content {
            Some(content) => drop(map.insert(*n, content.clone())),
            None => drop(map.remove(n)),
        }
    }
    (bytes, map)
}

/// What a file says.
fn read(bytes: &[u8]) -> BTreeMap<u8, Content> {
    let index = Index::replay(bytes).unwrap();
    let content = |entry: &journal::Entry| {
        let bytes = &bytes[entry.place.at as usize..][..entry.place.len as usize];
        match index.read(entry, bytes).unwrap().change {
            Change::Put { head, body } => (head.to_vec(), body.to_vec()),
            Change::Delete => panic!("an entry that is deleted"),
        }
    };
    index.entries().map(|(key, entry)| (key.id[0], content(entry))).collect()
}

proptest! {
    #[test]
    fn a_history_and_its_snapshot_are_the_map(steps in vec(step(), 0..40)) {
        let (bytes, map) = write(&steps);
        prop_assert_eq!(read(&bytes), map.clone());
        let (snapshot, _) = Index::replay(&bytes).unwrap().snapshot(&bytes).unwrap();
        prop_assert_eq!(read(&snapshot), map);
    }

    #[test]
    fn foreign_bytes_in_the_middle_cost_only_what_they_replace(
        steps in vec(step(), 1..20),
        noise in vec(any::<u8>(), 1..300),
        at in any::<prop::sample::Index>(),
    ) {
        let (bytes, map) = write(&steps);
        let at = at.index(bytes.len() - journal::header::LEN + 1) + journal::header::LEN;
        let mixed = [&bytes[..at], &noise[..], &bytes[at..]].concat();
        let index = Index::replay(&mixed).unwrap();
        prop_assert!(!index.damages().is_empty());
        // The record in which the bytes lie is lost; who was not touched by it is what it was.
        let hit = steps.iter().scan(journal::header::LEN, |end, (n, content)| {
            let start = *end;
            *end += 44 + content.as_ref().map_or(0, |(head, body)| head.len() + body.len());
            Some((start..*end, *n))
        }).find(|(range, _)| range.start < at && at < range.end).map(|(_, n)| n);
        let read = read(&mixed);
        for (n, content) in &map {
            if hit != Some(*n) {
                prop_assert_eq!(read.get(n), Some(content));
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(noise in vec(any::<u8>(), 0..500), has_header in any::<bool>()) {
        let mut bytes = if has_header { Header { id: ID, first_seq: 1 }.encode() } else { Vec::new() };
        bytes.extend(&noise);
        if let Ok(index) = Index::replay(&bytes) {
            prop_assert!(index.is_empty());
            prop_assert!(index.end() <= bytes.len().max(journal::header::LEN) as u64);
        }
    }
}
