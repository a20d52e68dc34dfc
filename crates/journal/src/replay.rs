//! Reading a journal's bytes from their beginning: whole records, and what is damaged between them.

use alloc::collections::VecDeque;
use core::fmt;

use crate::header::{self, Header, Id, Unreadable};
use crate::record::{HEAD, Head, Key, MAGIC, Record};

/// Where a record lies in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Bytes before it.
    pub at: u64,
    /// Its bytes.
    pub len: u64,
}

/// What is wrong with some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The last record was cut off: its writing did not come to its end, so nobody was told that it was done.
    Torn,
    /// One copy of the file's header is damaged; the other says the same.
    Header,
    /// The content of a record is damaged; its own head, which names it, is whole.
    Content,
    /// The bytes are no record; what they were can only be told from the numbers around them.
    Bytes,
    /// A whole record whose number was there before: bytes of another time. It does not count.
    Stale,
    /// Nothing is wrong with any byte here, but records are missing.
    Gap,
}

/// Something in a journal that is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What is wrong.
    pub fault: Fault,
    /// Which bytes.
    pub place: Place,
    /// Whose change it was, where that is known.
    pub key: Option<Key>,
    /// The numbers of the records that are lost by it, first and last, where they are known.
    pub lost: Option<(u64, u64)>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { at, len } = self.place;
        match self.fault {
            Fault::Torn => {
                write!(
                    f,
                    "the last record, at byte {at}, was cut off after {len} bytes; nobody was told that it was done"
                )
            }
            Fault::Header => {
                write!(f, "one of the two copies of the header is damaged; the other says the same")
            }
            Fault::Content => write!(f, "the content of the record at byte {at} ({len} bytes) is damaged"),
            Fault::Bytes => write!(f, "{len} bytes at byte {at} are damaged"),
            Fault::Stale => {
                write!(f, "the record at byte {at} ({len} bytes) is of another time, and does not count")
            }
            Fault::Gap => write!(f, "records are missing at byte {at}"),
        }?;
        match self.lost {
            Some((first, last)) if first == last => write!(f, "; record {first} is lost"),
            Some((first, last)) => write!(f, "; records {first} to {last} are lost"),
            None => Ok(()),
        }
    }
}

/// What is found next in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A whole record.
    Record(Record<'a>, Place),
    /// Something damaged.
    Damage(Damage),
}

/// Reads a journal from its first byte to its last.
#[derive(Debug)]
pub struct Replay<'a> {
    bytes: &'a [u8],
    id: Id,
    at: usize,
    /// The number of the next record, if all is well.
    next_seq: u64,
    /// Damaged bytes: the next whole head tells which records they were.
    pending: Option<Damage>,
    /// What was found and not handed out yet.
    found: VecDeque<Found<'a>>,
}

impl<'a> Replay<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// See [`Unreadable`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        if bytes.len() as u64 > crate::MAX_FILE {
            return Err(Unreadable::TooLong { len: bytes.len() as u64 });
        }
        let (Header { id, first_seq }, is_whole) = Header::decode(bytes)?;
        let at = header::LEN.min(bytes.len());
        let place = Place { at: 0, len: at as u64 };
        let damage = Damage { fault: Fault::Header, place, key: None, lost: None };
        let found = (!is_whole).then_some(Found::Damage(damage)).into_iter().collect();
        Ok(Self { bytes, id, at, next_seq: first_seq, pending: None, found })
    }

    /// Whose journal it is.
    pub fn id(&self) -> Id {
        self.id
    }

    /// The number that the next record is to have.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Finds what begins at the present place, and goes on behind it; false at the end.
    fn step(&mut self) -> bool {
        let (at, bytes) = (self.at, self.bytes);
        let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) else {
            self.found.extend(self.pending.take().map(Found::Damage));
            return !self.found.is_empty();
        };
        let place = |len: usize| Place { at: at as u64, len: len as u64 };
        let Some(head) = Head::decode(self.id, rest) else {
            // A file system may have lengthened the file and not have written it.
            let is_torn = rest.len() < HEAD || rest.iter().all(|byte| *byte == 0);
            let len = if is_torn { rest.len() } else { self.next_whole(at + 1) - at };
            let fault = if is_torn { Fault::Torn } else { Fault::Bytes };
            let damage = Damage { fault, place: place(len), key: None, lost: None };
            self.found.extend(self.pending.replace(damage).map(Found::Damage));
            self.at = at + len;
            return true;
        };
        let Some(content) = rest[HEAD..].get(..head.len) else {
            let damage =
                Damage { fault: Fault::Torn, place: place(rest.len()), key: Some(head.key), lost: None };
            self.found.extend(self.pending.replace(damage).map(Found::Damage));
            self.at = bytes.len();
            return true;
        };
        let place = place(HEAD + head.len);
        self.at = at + HEAD + head.len;
        if head.seq < self.next_seq {
            let damage = Damage { fault: Fault::Stale, place, key: Some(head.key), lost: None };
            self.found.extend(self.pending.replace(damage).map(Found::Damage));
            return true;
        }
        if head.seq > self.next_seq {
            let place = Place { len: 0, ..place };
            let gap = Damage { fault: Fault::Gap, place, key: None, lost: None };
            let lost = Some((self.next_seq, head.seq - 1));
            self.pending = Some(Damage { lost, ..self.pending.unwrap_or(gap) });
        }
        self.found.extend(self.pending.take().map(Found::Damage));
        self.next_seq = head.seq.saturating_add(1);
        self.found.push_back(match head.with(self.id, content) {
            Some(record) => Found::Record(record, place),
            None => Found::Damage(Damage {
                fault: Fault::Content,
                place,
                key: Some(head.key),
                lost: Some((head.seq, head.seq)),
            }),
        });
        true
    }

    /// Where the next record begins whose head is whole, from `from` on; the end if there is none.
    fn next_whole(&self, from: usize) -> usize {
        let is_head = |&at: &usize| {
            self.bytes[at..].starts_with(&MAGIC) && Head::decode(self.id, &self.bytes[at..]).is_some()
        };
        (from..self.bytes.len()).find(is_head).unwrap_or(self.bytes.len())
    }
}

impl<'a> Iterator for Replay<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        while self.found.is_empty() && self.step() {}
        self.found.pop_front()
    }
}
