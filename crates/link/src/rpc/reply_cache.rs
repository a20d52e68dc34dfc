//! The answering end's memory: which calls run, and what was answered lately.
//!
//! The asking end repeats a request, under its id, when it cannot know whether the first was carried out. The table
//! makes that safe:
//!
//! * a call that runs is not begun again; its answer goes out when it is ready;
//! * a call that was answered is answered again with the same bytes;
//! * a call whose answer had to make room is known by its id alone for a while: [`Begin::Forgotten`], so that
//!   the asker looks up what became of it.
//!
//! Ids are random, so beyond the remembered ids an old request looks like a new one, and is carried out. That is no gap
//! in practice: a request is only repeated by one who has no answer, and with `ids` remembered so many other
//! calls must have been answered between a request and its repetition.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use crate::event::DownReason;

/// What to do with a request that has come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin<'a> {
    /// New: carry it out, then call [`ReplyCache::finish`] or [`ReplyCache::release`].
    Run,
    /// It runs already; nothing to do, its answer will be sent when it is ready.
    Running,
    /// It was answered with these bytes; send them again.
    Done(&'a [u8]),
    /// It was carried out, but its answer is gone.
    Forgotten,
    /// Not begun: so many run already.
    Busy {
        /// [`Bounds::running`].
        limit: usize,
    },
    /// Not begun: the arguments of the calls that run leave no room for its own.
    Full {
        /// [`Bounds::arguments`].
        limit: usize,
    },
}

/// What a [`ReplyCache`] keeps at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Calls that run side by side.
    pub running: usize,
    /// Bytes of their arguments. Short ones ([`SHORT`]) do not count, so that what is large keeps nobody from
    /// destroying a domain.
    pub arguments: usize,
    /// Answered calls that are remembered by id.
    pub ids: usize,
    /// Bytes of the latest answers.
    pub replies: usize,
}

/// Arguments of so many bytes do not count towards [`Bounds::arguments`]: [`Bounds::running`] bounds them well enough.
pub const SHORT: usize = 1024;

/// What to do with an answer that was just recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Send it.
    Send,
    /// Nobody waits for it in this session; it is kept for one who asks again.
    Keep,
}

#[derive(Debug)]
enum State {
    /// Under way; `wanted` unless the asker's session has ended since. So many bytes were charged for it.
    Running { wanted: bool, charge: usize },
    /// Answered; `None` when the bytes had to go.
    Done(Option<Vec<u8>>),
}

/// Calls that run and calls that were answered lately, by id.
#[derive(Debug)]
pub struct ReplyCache<Id> {
    calls: BTreeMap<Id, State>,
    /// Answered calls, oldest first.
    answered: VecDeque<Id>,
    /// The first so many of `answered` have lost their bytes.
    stripped: usize,
    running: usize,
    /// Bytes charged for the arguments of those that run.
    arguments: usize,
    /// Bytes of answers.
    bytes: usize,
    bounds: Bounds,
}

impl<Id: Copy + Ord> ReplyCache<Id> {
    /// An empty table.
    pub const fn new(bounds: Bounds) -> Self {
        Self {
            calls: BTreeMap::new(),
            answered: VecDeque::new(),
            stripped: 0,
            running: 0,
            arguments: 0,
            bytes: 0,
            bounds,
        }
    }

    /// Looks up a request that has come in, and records it as running if it is new. Its arguments take so many bytes as
    /// long as it runs.
    pub fn begin(&mut self, id: Id, arguments: usize) -> Begin<'_> {
        if !self.calls.contains_key(&id) {
            let charge = if arguments > SHORT { arguments } else { 0 };
            if self.running >= self.bounds.running {
                return Begin::Busy { limit: self.bounds.running };
            }
            if charge > self.bounds.arguments - self.arguments {
                return Begin::Full { limit: self.bounds.arguments };
            }
            self.running += 1;
            self.arguments += charge;
            self.calls.insert(id, State::Running { wanted: true, charge });
            return Begin::Run;
        }
        match self.calls.get_mut(&id) {
            Some(State::Running { wanted, .. }) => {
                *wanted = true;
                Begin::Running
            }
            Some(State::Done(Some(reply))) => Begin::Done(reply),
            Some(State::Done(None)) | None => Begin::Forgotten,
        }
    }

    /// Records the answer of a call that ran, and makes room for it: the oldest answers go first. An
    /// answer that is larger than all the room is not kept at all, only the fact that it was given.
    pub fn finish(&mut self, id: Id, reply: &[u8]) -> Finish {
        let Some(state) = self.calls.get_mut(&id) else { return Finish::Send };
        let State::Running { wanted, charge } = *state else { return Finish::Keep };
        self.running -= 1;
        self.arguments -= charge;
        let kept = (reply.len() <= self.bounds.replies).then(|| reply.to_vec());
        self.bytes += kept.as_ref().map_or(0, Vec::len);
        *state = State::Done(kept);
        self.answered.push_back(id);
        self.shrink();
        if wanted { Finish::Send } else { Finish::Keep }
    }

    /// Forgets a call that ran and changed nothing (a listing, a refusal): repeated, it runs again, and its answer
    /// takes no room.
    pub fn release(&mut self, id: Id) -> Finish {
        let Some(&State::Running { wanted, charge }) = self.calls.get(&id) else { return Finish::Send };
        self.calls.remove(&id);
        self.running -= 1;
        self.arguments -= charge;
        if wanted { Finish::Send } else { Finish::Keep }
    }

    /// The link went down: unless the session is only suspended ([`DownReason::Lost`]), the running calls' answers
    /// are wanted by nobody until they are asked for again.
    pub fn link_down(&mut self, reason: &DownReason) {
        if matches!(reason, DownReason::Lost) {
            return;
        }
        for state in self.calls.values_mut() {
            if let State::Running { wanted, .. } = state {
                *wanted = false;
            }
        }
    }

    /// How many calls run.
    pub fn nr_running(&self) -> usize {
        self.running
    }

    fn shrink(&mut self) {
        while self.bytes > self.bounds.replies && self.stripped < self.answered.len() {
            let id = self.answered[self.stripped];
            if let Some(State::Done(reply)) = self.calls.get_mut(&id) {
                self.bytes -= reply.take().map_or(0, |reply| reply.len());
            }
            self.stripped += 1;
        }
        while self.answered.len() > self.bounds.ids {
            let Some(id) = self.answered.pop_front() else { return };
            if let Some(State::Done(Some(reply))) = self.calls.remove(&id) {
                self.bytes -= reply.len();
            }
            self.stripped = self.stripped.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> ReplyCache<u64> {
        ReplyCache::new(Bounds { running: 2, arguments: 10_000, ids: 4, replies: 10 })
    }

    #[test]
    fn a_request_that_runs_is_not_run_twice_and_its_answer_is_repeated_afterwards() {
        let mut cache = cache();
        assert_eq!(cache.begin(1, 9), Begin::Run);
        assert_eq!(cache.begin(1, 9), Begin::Running);
        assert_eq!(cache.finish(1, b"done"), Finish::Send);
        assert_eq!(cache.begin(1, 9), Begin::Done(b"done"));
        assert_eq!(cache.nr_running(), 0);
    }

    #[test]
    fn an_answer_that_had_to_make_room_is_known_to_be_forgotten() {
        let mut cache = cache();
        for id in 1..=3 {
            assert_eq!(cache.begin(id, 9), Begin::Run);
            cache.finish(id, b"12345");
        }
        assert_eq!(cache.begin(1, 9), Begin::Forgotten);
        assert_eq!(cache.begin(2, 9), Begin::Done(b"12345"));
        assert_eq!(cache.begin(3, 9), Begin::Done(b"12345"));
    }

    #[test]
    fn an_answer_larger_than_all_room_drives_out_no_other() {
        let mut cache = cache();
        cache.begin(1, 9);
        cache.finish(1, b"small");
        cache.begin(2, 9);
        cache.finish(2, &[0; 11]);
        assert_eq!(cache.begin(1, 9), Begin::Done(b"small"));
        assert_eq!(cache.begin(2, 9), Begin::Forgotten);
    }

    #[test]
    fn only_so_many_ids_are_remembered() {
        let mut cache = cache();
        for id in 0..1000 {
            assert_eq!(cache.begin(id, 9), Begin::Run);
            cache.finish(id, &[0; 3]);
        }
        assert!(cache.calls.len() <= 4 && cache.answered.len() <= 4 && cache.bytes <= 10);
        assert_eq!(cache.begin(996, 9), Begin::Forgotten);
        assert_eq!(cache.begin(999, 9), Begin::Done(&[0; 3]));
    }

    #[test]
    fn calls_beyond_the_bound_are_refused_until_one_is_done() {
        let mut cache = cache();
        cache.begin(1, 9);
        cache.begin(2, 9);
        assert_eq!(cache.begin(3, 9), Begin::Busy { limit: 2 });
        cache.finish(1, b"");
        assert_eq!(cache.begin(3, 9), Begin::Run);
    }

    #[test]
    fn an_answer_is_sent_only_to_a_session_that_asked() {
        let mut cache = cache();
        cache.begin(1, 9);
        cache.begin(2, 9);
        cache.link_down(&DownReason::PeerReset);
        assert_eq!(cache.begin(2, 9), Begin::Running);
        assert_eq!(cache.finish(1, b"one"), Finish::Keep);
        assert_eq!(cache.finish(2, b"two"), Finish::Send);
        assert_eq!(cache.begin(1, 9), Begin::Done(b"one"));
    }

    #[test]
    fn an_answer_is_still_wanted_when_the_line_was_only_lost() {
        let mut cache = cache();
        cache.begin(1, 9);
        cache.link_down(&DownReason::Lost);
        assert_eq!(cache.finish(1, b"one"), Finish::Send);
    }

    #[test]
    fn a_released_call_runs_again() {
        let mut cache = cache();
        cache.begin(1, 9);
        assert_eq!(cache.release(1), Finish::Send);
        assert_eq!(cache.begin(1, 9), Begin::Run);
    }

    #[test]
    fn long_arguments_share_a_budget_and_short_ones_need_none() {
        let bounds = Bounds { running: 64, arguments: 10_000, ids: 4, replies: 10 };
        let mut cache = ReplyCache::new(bounds);
        let full = Begin::Full { limit: 10_000 };
        assert_eq!(cache.begin(1, 10_001), full);
        assert_eq!(cache.begin(1, 6_000), Begin::Run);
        assert_eq!(cache.begin(2, 4_001), full);
        assert_eq!(cache.begin(2, 4_000), Begin::Run);
        // Asked again, a call that runs is not charged again; and what is short still runs.
        assert_eq!(cache.begin(1, 6_000), Begin::Running);
        assert_eq!(cache.begin(3, SHORT + 1), full);
        assert_eq!(cache.begin(3, SHORT), Begin::Run);
        // Whatever way a call ends, its bytes are free again; a refused one has taken none.
        cache.finish(1, b"");
        assert_eq!(cache.begin(1, 6_000), Begin::Done(b""));
        assert_eq!(cache.begin(4, 6_001), full);
        assert_eq!(cache.begin(4, 6_000), Begin::Run);
        cache.release(4);
        cache.release(2);
        cache.release(3);
        assert_eq!(cache.begin(5, 10_000), Begin::Run);
        assert_eq!((cache.nr_running(), cache.arguments), (1, 10_000));
    }

    #[test]
    fn the_largest_calls_that_a_peer_can_make_hold_no_more_than_the_budget() {
        const MESSAGE: usize = 64 << 10;
        let bounds = Bounds { running: 64, arguments: 512 << 10, ids: 4, replies: 10 };
        let mut cache = ReplyCache::new(bounds);
        let begun = (0..1000u64).filter(|&id| cache.begin(id, MESSAGE) == Begin::Run).count();
        assert_eq!(begun * MESSAGE, 512 << 10);
        // Refused, they are not remembered: the same calls succeed as soon as there is room.
        cache.finish(0, b"");
        assert_eq!(cache.begin(999, MESSAGE), Begin::Run);
    }
}
