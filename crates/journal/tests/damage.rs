//! A short history, cut at every byte and with every bit flipped; and what else can happen to a file.

use journal::header::Header;
use journal::replay::{Found, Replay};
use journal::{Change, Fault, Id, Index, Key, MAX_BODY, MAX_ENTRIES, MAX_HEAD, Place, Refused, Unreadable};

const ID: Id = Id([0x5a; 16]);

fn key(n: u8) -> Key {
    Key { kind: 1, id: [n; 16] }
}

/// A file as its keeper would have written it.
struct File {
    bytes: Vec<u8>,
    index: Index,
    /// Where each record ends.
    ends: Vec<usize>,
}

impl File {
    fn new() -> File {
        let bytes = Header { id: ID, first_seq: 1 }.encode();
        File { ends: vec![bytes.len()], bytes, index: Index::new(ID) }
    }

    fn write(&mut self, key: Key, change: Change<'_>) -> u64 {
        let draft = self.index.draft(key, change).unwrap();
        assert_eq!(self.index.end(), self.bytes.len() as u64);
        self.bytes.extend(&draft.bytes);
        self.ends.push(self.bytes.len());
        self.index.commit(draft)
    }
}

/// Puts, a change, a deletion, an empty entry.
fn history() -> File {
    let mut file = File::new();
    file.write(key(1), Change::Put { head: b"web", body: b"(vm (name web) (memory 64))" });
    file.write(key(2), Change::Put { head: b"db", body: b"(vm (name db))" });
    file.write(key(1), Change::Put { head: b"www", body: b"(vm (name www))" });
    file.write(key(2), Change::Delete);
    file.write(key(3), Change::Put { head: b"", body: b"" });
    file
}

/// The numbers of the whole records.
fn whole(bytes: &[u8]) -> Vec<u64> {
    let records = Replay::new(bytes).unwrap().filter_map(|found| match found {
        Found::Record(record, _) => Some(record.seq),
        Found::Damage(_) => None,
    });
    records.collect()
}

#[test]
fn what_was_written_is_what_is_read() {
    let file = history();
    let read = Index::replay(&file.bytes).unwrap();
    assert_eq!(read, file.index);
    assert!(read.damages().is_empty());
    let entry = read.get(&key(1)).unwrap();
    let Place { at, len } = entry.place;
    let record = read.read(entry, &file.bytes[at as usize..][..len as usize]).unwrap();
    assert_eq!(record.change, Change::Put { head: b"www", body: b"(vm (name www))" });
    assert_eq!((read.len(), read.next_seq()), (2, 6));
}

#[test]
fn a_file_that_is_cut_at_any_byte_has_all_records_before_the_cut_and_says_what_was_cut() {
    let file = history();
    for cut in 0..file.bytes.len() {
        let bytes = &file.bytes[..cut];
        let Ok(read) = Index::replay(bytes) else {
            // Less than one copy of the header: nothing else was there.
            assert!(cut < file.ends[0] / 2, "byte {cut}");
            continue;
        };
        let nr_whole = file.ends.iter().skip(1).filter(|end| **end <= cut).count() as u64;
        assert_eq!(whole(bytes), (1..=nr_whole).collect::<Vec<_>>(), "byte {cut}");
        let faults: Vec<Fault> = read.damages().iter().map(|damage| damage.fault).collect();
        if cut < file.ends[0] {
            assert_eq!(faults, [Fault::Header], "byte {cut}");
        } else if file.ends.contains(&cut) {
            assert_eq!(faults, [], "byte {cut}");
        } else {
            assert_eq!(faults, [Fault::Torn], "byte {cut}");
            let last = *file.ends.iter().filter(|end| **end < cut).max().unwrap();
            let place = Place { at: last as u64, len: (cut - last) as u64 };
            assert_eq!((read.damages()[0].place, read.end()), (place, last as u64), "byte {cut}");
        }
    }
}

#[test]
fn a_bit_that_is_flipped_anywhere_is_told_and_costs_no_record_but_its_own() {
    let file = history();
    for bit in 0..file.bytes.len() * 8 {
        let mut bytes = file.bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let read = Index::replay(&bytes).unwrap();
        let hit = file.ends.iter().filter(|end| **end <= bit / 8).count() as u64;
        let others: Vec<u64> = (1..=5).filter(|seq| *seq != hit).collect();
        assert_eq!(whole(&bytes), others, "bit {bit}");
        let [damage] = read.damages() else { panic!("bit {bit}: {:?}", read.damages()) };
        let Place { at, len } = damage.place;
        assert!((at..at + len).contains(&(bit as u64 / 8)), "bit {bit}: {damage}");
        if hit == 0 {
            assert_eq!(damage.fault, Fault::Header, "bit {bit}");
            continue;
        }
        // Only of the last record's own head nobody can say what it was.
        let is_last_head = hit == 5;
        let lost = if is_last_head { None } else { Some((hit, hit)) };
        assert_eq!(damage.lost, lost, "bit {bit}: {damage}");
        assert!(damage.fault == Fault::Content || damage.fault == Fault::Bytes, "bit {bit}: {damage}");
        assert!(damage.fault == Fault::Bytes || damage.key.is_some(), "bit {bit}");
    }
}

#[test]
fn writing_goes_on_behind_damage_and_behind_what_was_torn() {
    let file = history();
    for (damaged, expected) in [
        (
            {
                let mut bytes = file.bytes.clone();
                bytes[file.ends[1] + 50] ^= 1;
                bytes
            },
            vec![1, 3, 4, 5, 6],
        ),
        (
            {
                let mut bytes = file.bytes.clone();
                bytes[file.ends[4] + 5] ^= 1;
                bytes
            },
            vec![1, 2, 3, 4, 5],
        ),
        (file.bytes[..file.ends[3] + 7].to_vec(), vec![1, 2, 3, 4]),
    ] {
        let mut index = Index::replay(&damaged).unwrap();
        let mut bytes = damaged[..index.end() as usize].to_vec();
        let draft = index.draft(key(9), Change::Put { head: b"new", body: b"" }).unwrap();
        bytes.extend(&draft.bytes);
        index.commit(draft);
        assert_eq!(whole(&bytes), expected);
        let again = Index::replay(&bytes).unwrap();
        assert_eq!(again.get(&key(9)), index.get(&key(9)));
    }
}

#[test]
fn zeros_at_the_end_are_what_a_file_system_had_not_written() {
    let file = history();
    let bytes = [&file.bytes[..], &[0; 5000]].concat();
    let read = Index::replay(&bytes).unwrap();
    assert_eq!(read.damages().iter().map(|damage| damage.fault).collect::<Vec<_>>(), [Fault::Torn]);
    assert_eq!((read.end(), read.len()), (file.bytes.len() as u64, 2));
}

#[test]
fn a_piece_that_is_missing_is_told_by_the_numbers_around_it() {
    let file = history();
    let bytes = [&file.bytes[..file.ends[1]], &file.bytes[file.ends[3]..]].concat();
    let read = Index::replay(&bytes).unwrap();
    assert_eq!(
        read.damages().iter().map(|d| (d.fault, d.lost)).collect::<Vec<_>>(),
        [(Fault::Gap, Some((2, 3)))]
    );
    // And one that is there twice does not turn time back.
    let bytes = [&file.bytes[..], &file.bytes[file.ends[0]..file.ends[1]]].concat();
    let read = Index::replay(&bytes).unwrap();
    assert_eq!(read.damages().iter().map(|d| d.fault).collect::<Vec<_>>(), [Fault::Stale]);
    assert_eq!(read.get(&key(1)).unwrap().head, b"www");
}

#[test]
fn a_record_inside_of_a_text_is_a_text() {
    let mut other = File::new();
    other.index = Index::new(Id([1; 16]));
    other.write(key(7), Change::Put { head: b"evil", body: b"" });
    let planted = other.bytes[other.ends[0]..].to_vec();
    let mut file = File::new();
    file.write(key(1), Change::Put { head: b"a", body: &planted });
    file.write(key(2), Change::Put { head: b"b", body: b"" });
    // The head of the record around it is damaged, so that reading looks for the next record in its content.
    file.bytes[file.ends[0] + 9] ^= 4;
    let read = Index::replay(&file.bytes).unwrap();
    assert_eq!(read.entries().map(|(key, _)| key.id[0]).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_snapshot_says_the_same_in_fewer_bytes_and_numbers_go_on() {
    let mut file = history();
    let (bytes, mut index) = file.index.snapshot(&file.bytes).unwrap();
    assert!(bytes.len() < file.bytes.len());
    assert_eq!(Index::replay(&bytes).unwrap(), index);
    let heads =
        |index: &Index| index.entries().map(|(key, entry)| (*key, entry.head.clone())).collect::<Vec<_>>();
    assert_eq!(heads(&index), heads(&file.index));
    assert_eq!(index.next_seq(), 8);
    let draft = index.draft(key(4), Change::Delete).unwrap();
    assert_eq!(index.commit(draft), 8);
    // What was damaged meanwhile is no reason to write something else in its place.
    let at = file.index.get(&key(1)).unwrap().place.at as usize;
    file.bytes[at + 50] ^= 1;
    assert_eq!(file.index.snapshot(&file.bytes).unwrap_err().seq, 3);
}

#[test]
fn a_snapshot_is_worth_it_when_more_than_half_is_waste() {
    let mut index = Index::new(ID);
    let body = vec![7; MAX_BODY];
    for _ in 0..66 {
        assert!(!index.is_worth_a_snapshot());
        let draft = index.draft(key(1), Change::Put { head: b"h", body: &body }).unwrap();
        index.commit(draft);
    }
    assert!(index.is_worth_a_snapshot());
}

#[test]
fn entries_have_bounds_in_size_and_number() {
    let mut index = Index::new(ID);
    let put = |len, body_len| {
        let (head, body) = (vec![0; len], vec![0; body_len]);
        index.draft(key(1), Change::Put { head: &head, body: &body }).map(drop)
    };
    assert_eq!(put(MAX_HEAD, MAX_BODY), Ok(()));
    assert_eq!(put(MAX_HEAD + 1, 0), Err(Refused::TooLong { len: 1025, most: 1024 }));
    assert_eq!(put(0, MAX_BODY + 1), Err(Refused::TooLong { len: 16385, most: 16384 }));
    let numbered = |n: usize| Key { kind: 2, id: (n as u128).to_le_bytes() };
    for n in 0..MAX_ENTRIES {
        let draft = index.draft(numbered(n), Change::Put { head: b"", body: b"" }).unwrap();
        index.commit(draft);
    }
    let put = Change::Put { head: b"", body: b"" };
    assert_eq!(index.draft(numbered(MAX_ENTRIES), put).map(drop), Err(Refused::TooMany));
    assert!(index.draft(numbered(3), put).is_ok(), "one that is there may change");
}

#[test]
fn other_files_are_no_journals() {
    for bytes in [&b""[..], b"#!/bin/sh\n", &[0; 4096], &[0xff; 200]] {
        assert_eq!(Index::replay(bytes), Err(Unreadable::NoHeader));
    }
}
