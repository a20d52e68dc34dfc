//! The asking end's memory: requests without an answer yet.
//!
//! When the session breaks but the peer is still the same start of the same program, all of them are sent again under
//! their ids, and its reply cache sees to it that none takes effect twice. When the peer restarted they fail, at once:
//! what it had done of them is not known here.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::event::DownReason;

#[derive(Debug)]
struct Call<T> {
    request: Vec<u8>,
    /// How often it was sent.
    sent: u32,
    /// Order of asking: requests are repeated in it.
    order: u64,
    waiter: T,
}

/// Requests that wait for their answers; `T` is whatever the caller needs to pass an answer on.
#[derive(Debug)]
pub struct Pending<Id, T> {
    calls: BTreeMap<Id, Call<T>>,
    asked: u64,
}

impl<Id: Copy + Ord, T> Default for Pending<Id, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Id: Copy + Ord, T> Pending<Id, T> {
    /// How often a request is sent at most. A request that makes the session break each time is not sent for ever.
    pub const MAX_SENT: u32 = 4;

    /// No requests.
    pub const fn new() -> Self {
        Self { calls: BTreeMap::new(), asked: 0 }
    }

    /// Records a request that was just handed to the link, as the bytes of its message. Returns the waiter of an
    /// earlier request of this id, if there was one: it will get no answer.
    pub fn insert(&mut self, id: Id, request: Vec<u8>, waiter: T) -> Option<T> {
        self.asked += 1;
        let call = Call { request, sent: 1, order: self.asked, waiter };
        self.calls.insert(id, call).map(|old| old.waiter)
    }

    /// Takes out the one who waits for this answer. `None`: nobody does (any more); drop the answer.
    pub fn answered(&mut self, id: Id) -> Option<T> {
        self.calls.remove(&id).map(|call| call.waiter)
    }

    /// Takes out what can get no answer any more, now that the link went down for `reason`, in the order of asking.
    ///
    /// [`DownReason::Lost`] and [`DownReason::PeerReset`] fail nothing by themselves: the session may resume, or the
    /// requests be sent again.
    pub fn link_down(&mut self, reason: &DownReason) -> Vec<(Id, T)> {
        let hopeless =
            matches!(reason, DownReason::PeerRestarted { .. } | DownReason::VersionMismatch { .. });
        let broken = !matches!(reason, DownReason::Lost);
        let mut failed: Vec<(u64, Id)> = self
            .calls
            .iter()
            .filter(|(_, call)| hopeless || (broken && call.sent >= Self::MAX_SENT))
            .map(|(id, call)| (call.order, *id))
            .collect();
        failed.sort_unstable();
        failed.into_iter().filter_map(|(_, id)| self.answered(id).map(|waiter| (id, waiter))).collect()
    }

    /// All requests, to be sent again in a new session ([`crate::Event::Up`] without `resumed`), in the order of asking.
    pub fn resend(&mut self) -> Vec<&[u8]> {
        let mut again: Vec<&mut Call<T>> = self.calls.values_mut().collect();
        again.sort_unstable_by_key(|call| call.order);
        again
            .into_iter()
            .map(|call| {
                call.sent += 1;
                call.request.as_slice()
            })
            .collect()
    }

    /// Says whether nobody waits: what [`crate::Link::set_waiting`] wants to know.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.calls.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{BootId, Violation};

    fn three() -> Pending<u64, char> {
        let mut pending = Pending::new();
        for (id, waiter) in [(9, 'a'), (3, 'b'), (5, 'c')] {
            assert_eq!(pending.insert(id, alloc::vec![id as u8], waiter), None);
        }
        pending
    }

    #[test]
    fn an_answer_reaches_its_waiter_once() {
        let mut pending = three();
        assert_eq!(pending.answered(3), Some('b'));
        assert_eq!(pending.answered(3), None);
        assert_eq!(pending.len(), 2);
    }

    #[test]
    fn requests_are_repeated_in_the_order_of_asking() {
        assert_eq!(three().resend(), [[9], [3], [5]]);
    }

    #[test]
    fn a_restart_fails_all_and_a_lost_line_none() {
        let mut pending = three();
        assert_eq!(pending.link_down(&DownReason::Lost), []);
        assert_eq!(pending.link_down(&DownReason::PeerReset), []);
        let restarted = DownReason::PeerRestarted { old: BootId::new(1), new: BootId::new(2) };
        assert_eq!(pending.link_down(&restarted), [(9, 'a'), (3, 'b'), (5, 'c')]);
        assert!(pending.is_empty());
    }

    #[test]
    fn a_request_that_breaks_every_session_is_given_up() {
        let mut pending = three();
        let broken = DownReason::Protocol(Violation::Malformed);
        for _ in 1..Pending::<u64, char>::MAX_SENT {
            assert_eq!(pending.link_down(&broken), []);
            pending.resend();
        }
        assert_eq!(pending.link_down(&DownReason::Lost), []);
        assert_eq!(pending.link_down(&broken).len(), 3);
    }
}
