//! What a journal says at its end: which entries there are, and where the latest record of each lies.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::header::{self, Header, Id, Unreadable};
use crate::record::{Change, HEAD, Head, Key, MAX_BODY, MAX_HEAD, Record};
use crate::replay::{Damage, Fault, Found, Place, Replay};

/// Entries that a journal may have.
pub const MAX_ENTRIES: usize = 4096;
/// Bytes that a file may have: three times what all entries can take.
pub const MAX_FILE: u64 = 3 * (MAX_ENTRIES * (HEAD + MAX_HEAD + MAX_BODY)) as u64;
/// Bytes that are not worth writing the file anew for.
const LEAST_WASTE: u64 = 1 << 20;
/// Damages that are told one by one; the rest is counted.
const MOST_DAMAGES: usize = 64;

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The number of the record that made it what it is.
    pub seq: u64,
    /// What is always at hand of it.
    pub head: Vec<u8>,
    /// Where that record lies.
    pub place: Place,
}

/// Why a change is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The head or the body of the entry is longer than one may be.
    #[error("it has {len} bytes, and {most} are possible")]
    TooLong {
        /// Its length.
        len: u64,
        /// The most.
        most: u64,
    },
    /// There are as many entries as there may be.
    #[error("there are {MAX_ENTRIES} entries already, the most that a journal takes")]
    TooMany,
    /// The file has grown to its bound, since it could not be written anew.
    #[error("the journal has grown to {MAX_FILE} bytes, its most, and could not be written anew")]
    FileFull,
}

/// See the module's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    id: Id,
    entries: BTreeMap<Key, Entry>,
    next_seq: u64,
    /// Where the next record goes: behind the last whole one, and behind whatever is damaged but not torn.
    end: u64,
    /// Bytes of the file that entries are in.
    live: u64,
    damages: Vec<Damage>,
    nr_damages: u64,
}

/// A change that is about to be written.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The record's bytes, for the file's place [`Index::end`].
    pub bytes: Vec<u8>,
    key: Key,
    /// The new head; `None` where the entry goes.
    head: Option<Vec<u8>>,
}

impl Index {
    /// An empty journal: its file is its [`header`].
    pub fn new(id: Id) -> Self {
        Self::starting(Header { id, first_seq: 1 })
    }

    pub(crate) fn starting(header: Header) -> Self {
        Self {
            id: header.id,
            entries: BTreeMap::new(),
            next_seq: header.first_seq,
            end: header::LEN as u64,
            live: 0,
            damages: Vec::new(),
            nr_damages: 0,
        }
    }

    /// Reads a file from its beginning to its end.
    ///
    /// # Errors
    /// See [`Unreadable`]. Damage is no error: see [`Self::damages`].
    pub fn replay(file: &[u8]) -> Result<Self, Unreadable> {
        let mut replay = Replay::new(file)?;
        let mut index = Self::starting(Header { id: replay.id(), first_seq: replay.next_seq() });
        index.end = index.end.max(file.len() as u64);
        for found in replay.by_ref() {
            match found {
                Found::Record(Record { seq, key, change }, place) => {
                    let entry = match change {
                        Change::Put { head, .. } => Some(Entry { seq, head: head.into(), place }),
                        Change::Delete => None,
                    };
                    index.set(key, entry);
                }
                Found::Damage(damage) => {
                    if damage.fault == Fault::Torn {
                        index.end = damage.place.at;
                    }
                    index.nr_damages += 1;
                    if index.damages.len() < MOST_DAMAGES {
                        index.damages.push(damage);
                    }
                }
            }
        }
        index.next_seq = replay.next_seq();
        Ok(index)
    }

    fn set(&mut self, key: Key, entry: Option<Entry>) {
        self.live += entry.as_ref().map_or(0, |entry| entry.place.len);
        let old = match entry {
            Some(entry) => self.entries.insert(key, entry),
            None => self.entries.remove(&key),
        };
        self.live -= old.map_or(0, |old| old.place.len);
    }

    /// Whose journal it is.
    pub fn id(&self) -> Id {
        self.id
    }

    /// The entries, by key.
    pub fn entries(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.entries.iter()
    }

    /// An entry.
    pub fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// There is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number that the next record will have.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Where in the file the next record goes. What is behind is of a torn record, to be cut off.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// What was found damaged when the file was read, in its order: the first ones.
    pub fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// How many damages were found.
    pub fn nr_damages(&self) -> u64 {
        self.nr_damages
    }

    /// Whether more of the file is waste than is worth keeping.
    pub fn is_worth_a_snapshot(&self) -> bool {
        self.end > 2 * self.live + LEAST_WASTE
    }

    /// Makes the record of a change. Nothing has changed until [`Self::commit`]; of several drafts one may be committed.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn draft(&self, key: Key, change: Change<'_>) -> Result<Draft, Refused> {
        if let Change::Put { head, body } = change {
            for (bytes, most) in [(head, MAX_HEAD), (body, MAX_BODY)] {
                if bytes.len() > most {
                    return Err(Refused::TooLong { len: bytes.len() as u64, most: most as u64 });
                }
            }
            if self.entries.len() >= MAX_ENTRIES && !self.entries.contains_key(&key) {
                return Err(Refused::TooMany);
            }
        }
        let mut bytes = Vec::new();
        Record { seq: self.next_seq, key, change }.encode(self.id, &mut bytes);
        if self.end + bytes.len() as u64 > MAX_FILE {
            return Err(Refused::FileFull);
        }
        let head = match change {
            Change::Put { head, .. } => Some(head.into()),
            Change::Delete => None,
        };
        Ok(Draft { bytes, key, head })
    }

    /// A draft is in the file, and durable. Returns its number.
    pub fn commit(&mut self, draft: Draft) -> u64 {
        let seq = self.next_seq;
        let place = Place { at: self.end, len: draft.bytes.len() as u64 };
        self.set(draft.key, draft.head.map(|head| Entry { seq, head, place }));
        self.next_seq += 1;
        self.end += place.len;
        seq
    }

    /// Reads an entry's record again, from the bytes at its place; `None` if they are not what was written.
    pub fn read<'a>(&self, entry: &Entry, bytes: &'a [u8]) -> Option<Record<'a>> {
        let record = Head::decode(self.id, bytes)?.with(self.id, bytes.get(HEAD..)?)?;
        (record.seq == entry.seq).then_some(record)
    }
}
