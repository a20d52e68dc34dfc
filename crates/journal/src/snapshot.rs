//! Writing a journal anew: the entries that there are, and nothing else.

use alloc::vec::Vec;

use crate::header::Header;
use crate::index::Index;
use crate::record::{Change, Key};

/// An entry could not be read again: its file was damaged since it was read first. The file stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {seq}, at byte {at}, was damaged since it was read first")]
pub struct Unread {
    /// Its key.
    pub key: Key,
    /// Its number.
    pub seq: u64,
    /// Its place in the file.
    pub at: u64,
}

impl Index {
    /// Makes the file that takes the old one's place, and what it says. Records keep their order and get new numbers, above all that
    /// there were.
    ///
    /// # Errors
    /// [`Unread`].
    pub fn snapshot(&self, file: &[u8]) -> Result<(Vec<u8>, Index), Unread> {
        let header = Header { id: self.id(), first_seq: self.next_seq() };
        let mut new = Index::starting(header);
        let mut bytes = header.encode();
        let mut entries: Vec<_> = self.entries().collect();
        entries.sort_by_key(|(_, entry)| entry.seq);
        for (&key, entry) in entries {
            let place = usize::try_from(entry.place.at).unwrap_or(usize::MAX);
            let end = place.saturating_add(usize::try_from(entry.place.len).unwrap_or(usize::MAX));
            let record = file.get(place..end).and_then(|bytes| self.read(entry, bytes));
            let unread = Unread { key, seq: entry.seq, at: entry.place.at };
            let change = record.map(|record| record.change).ok_or(unread)?;
            debug_assert!(matches!(change, Change::Put { .. }));
            // What was written once is within the bounds.
            let draft = new.draft(key, change).map_err(|_| unread)?;
            bytes.extend(&draft.bytes);
            new.commit(draft);
        }
        Ok((bytes, new))
    }
}
