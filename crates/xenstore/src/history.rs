//! What open transactions hold back: versions of nodes that are no part of the store any more, but of a snapshot.
//!
//! A snapshot holds a version that is older than itself and was replaced after it was taken. Whoever makes a node and removes it, or
//! writes to the same one again and again, adds nothing to what those hold who began before. What is held is an estimate, never too
//! low.
//!
//! Where it becomes too much, snapshots are not taken away: their transactions [move on](crate::Store::settle_history) to the store
//! of today, where they hold nothing back. So however much somebody writes, he ends nobody's transaction (XSA-206).

use alloc::vec::Vec;
use core::mem;

use crate::ConnId;
use crate::save::{RestoreError, saved};

/// The snapshot of an open transaction.
#[derive(Debug)]
struct Snapshot {
    conn: ConnId,
    id: u32,
    /// The store's generation when it was taken.
    generation: u64,
    /// Bytes that were replaced since, of which it is the oldest holder. Together these are all that is held.
    first: usize,
    /// Bytes that were replaced since, and that it holds, with others or alone.
    held: usize,
    /// What is to be added to both.
    fresh: usize,
}

saved!(Snapshot { conn, id, generation, first, held } else { fresh: 0 });

/// All snapshots, oldest first.
#[derive(Debug, Default)]
pub(crate) struct History {
    open: Vec<Snapshot>,
    /// What all hold together: the sum of what each is the oldest holder of.
    held: usize,
}

saved!(History { open } else { held: 0 } then History::restored);

impl History {
    fn restored(mut self) -> Result<Self, RestoreError> {
        let is_sound = self.open.is_sorted_by_key(|snapshot| snapshot.generation)
            && self.open.iter().all(|snapshot| snapshot.first <= snapshot.held);
        self.held = self.open.iter().map(|snapshot| snapshot.first).sum();
        if is_sound { Ok(self) } else { Err(RestoreError::Malformed) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Bytes that are held back, at most.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// A transaction begins, with a snapshot of the store at this generation.
    pub(crate) fn begin(&mut self, conn: ConnId, id: u32, generation: u64) {
        self.open.push(Snapshot { conn, id, generation, first: 0, held: 0, fresh: 0 });
    }

    /// The transaction gave its snapshot up.
    pub(crate) fn end(&mut self, conn: ConnId, id: u32) {
        let at = self.open.iter().position(|snapshot| (snapshot.conn, snapshot.id) == (conn, id));
        let Some(at) = at else { return };
        let gone = self.open.remove(at);
        self.held -= gone.first;
        // The next one holds what it held, but for what was replaced before that began.
        if let Some(next) = self.open.get_mut(at) {
            let more = next.held.min(next.first + gone.first) - next.first;
            next.first += more;
            self.held += more;
        }
    }

    /// A version made at `generation` is replaced. [`Self::settle`] comes before anything else begins or ends.
    pub(crate) fn replaced(&mut self, generation: u64, bytes: usize) {
        let at = self.open.partition_point(|snapshot| snapshot.generation < generation);
        if let Some(oldest) = self.open.get_mut(at) {
            oldest.fresh += bytes;
        }
    }

    /// Whoever began later than a holder holds as much.
    pub(crate) fn settle(&mut self) {
        let mut held = 0;
        for snapshot in &mut self.open {
            let fresh = mem::take(&mut snapshot.fresh);
            held += fresh;
            snapshot.first += fresh;
            snapshot.held += held;
        }
        self.held += held;
    }

    /// The transaction that is the oldest holder of the most.
    pub(crate) fn greediest(&self) -> Option<(ConnId, u32)> {
        let greediest = self.open.iter().max_by_key(|snapshot| snapshot.first)?;
        Some((greediest.conn, greediest.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(begun: &[(u64, u64)]) -> History {
        let mut history = History::default();
        begun.iter().for_each(|(conn, generation)| history.begin(ConnId(*conn), 1, *generation));
        history
    }

    fn replace(history: &mut History, generation: u64, bytes: usize) {
        history.replaced(generation, bytes);
        history.settle();
    }

    #[test]
    fn what_is_younger_than_a_snapshot_is_not_held_by_it() {
        let mut history = history(&[(1, 10), (2, 20)]);
        replace(&mut history, 15, 1000);
        assert_eq!((history.held(), history.greediest()), (1000, Some((ConnId(2), 1))));
        replace(&mut history, 21, 1000);
        assert_eq!(history.held(), 1000);
    }

    #[test]
    fn what_several_hold_counts_once_and_goes_with_the_last() {
        let mut history = history(&[(1, 10), (2, 20)]);
        replace(&mut history, 5, 1000);
        assert_eq!((history.held(), history.greediest()), (1000, Some((ConnId(1), 1))));
        history.end(ConnId(1), 1);
        assert_eq!((history.held(), history.greediest()), (1000, Some((ConnId(2), 1))));
        history.end(ConnId(2), 1);
        assert_eq!(history.held(), 0);
    }

    #[test]
    fn nobody_inherits_what_was_replaced_before_he_began() {
        let mut history = history(&[(1, 10)]);
        replace(&mut history, 5, 1000);
        history.begin(ConnId(2), 1, 30);
        history.end(ConnId(1), 1);
        assert_eq!(history.held(), 0);
    }
}
