//! Crashed domains whose dumps are to be kept: the broker asks for them, and whoever drives it has them fetched.
//!
//! The control domain tells of each core once, and keeps it until it is told that a host has it. What cannot be fetched is tried
//! again, ever more seldom: a disk that is full now may have room later.

use std::collections::VecDeque;

use link::Micros;
use proto::Endpoint;
use proto::dump::{CoreId, WaitingCore};
use proto::endpoints::CoreWait;
use proto::wire::{Fault, Request, RequestId, Response};

use super::{Call, Hub};

/// When a question is put again for which the control domain had no room.
const ASK_AGAIN: Micros = Micros(5_000_000);
/// When a core is fetched again after the first failure; each further one doubles it.
const FIRST_RETRY: Micros = Micros(15_000_000);
/// But no later than this.
const LAST_RETRY: Micros = Micros(3_600_000_000);
/// Cores that are remembered. The oldest one is forgotten first, and told of again if it still waits.
const MOST_KNOWN: usize = 64;

/// What the hub knows of cores.
#[derive(Debug, Default)]
pub(super) struct Cores {
    /// The start of the control domain that all this is about: numbers of another one mean others.
    boot: Option<u64>,
    question: Question,
    known: VecDeque<Known>,
    /// The one that is being fetched, and the start that it is of.
    fetching: Option<(Option<u64>, CoreId)>,
}

#[derive(Debug, Default)]
enum Question {
    /// It is to be put.
    #[default]
    Due,
    /// It is under way.
    Asked(RequestId),
    /// It is to be put then.
    Later(Micros),
    /// This control domain does not understand it.
    Never,
}

#[derive(Debug)]
struct Known {
    core: WaitingCore,
    failures: u32,
    /// When it is to be fetched; `None`: that was done.
    due: Option<Micros>,
}

impl Cores {
    /// The control domain has said which start of it this is.
    fn is_of(&mut self, boot: u64) {
        if self.boot != Some(boot) {
            *self = Cores { boot: Some(boot), fetching: self.fetching, ..Cores::default() };
        }
    }

    /// What the question names, if it is to be put now: the cores that are known already.
    fn question(&self, now: Micros) -> Option<Vec<CoreId>> {
        let is_due = match self.question {
            Question::Due => true,
            Question::Later(at) => now >= at,
            Question::Asked(_) | Question::Never => false,
        };
        is_due.then(|| self.known.iter().map(|known| known.core.id).collect())
    }

    /// The answer; gives a core that is new.
    fn answered(&mut self, result: &Result<Vec<u8>, Fault>, now: Micros) -> Option<&WaitingCore> {
        self.question = match result {
            Ok(_) | Err(Fault::Forgotten) => Question::Due,
            Err(Fault::Busy { .. } | Fault::Full { .. }) => Question::Later(Micros(now.0 + ASK_AGAIN.0)),
            Err(Fault::UnknownKey | Fault::Malformed | Fault::TooLong { .. }) => Question::Never,
        };
        let Ok(core) = postcard::from_bytes::<WaitingCore>(result.as_ref().ok()?) else {
            self.question = Question::Never;
            return None;
        };
        // An answer to an earlier question of ours may tell of it again.
        if self.known.iter().any(|known| known.core.id == core.id) {
            return None;
        }
        if self.known.len() >= MOST_KNOWN {
            self.known.pop_front();
        }
        self.known.push_back(Known { core, failures: 0, due: Some(now) });
        self.known.back().map(|known| &known.core)
    }

    /// The core that is to be fetched now: one at a time, the most overdue first.
    fn take(&mut self, now: Micros) -> Option<WaitingCore> {
        if self.fetching.is_some() {
            return None;
        }
        let due = self.known.iter().filter(|known| known.due.is_some_and(|due| due <= now));
        let core = due.min_by_key(|known| known.due)?.core.clone();
        self.fetching = Some((self.boot, core.id));
        Some(core)
    }

    /// What became of the one that was fetched; gives it where it is tried again, with the time until then.
    fn fetched(&mut self, is_done: bool, now: Micros) -> Option<(&WaitingCore, Micros)> {
        let (boot, id) = self.fetching.take()?;
        let known = self.known.iter_mut().find(|known| boot == self.boot && known.core.id == id)?;
        if is_done {
            known.due = None;
            return None;
        }
        let pause = Micros((FIRST_RETRY.0 << known.failures.min(16)).min(LAST_RETRY.0));
        known.failures += 1;
        known.due = Some(Micros(now.0 + pause.0));
        Some((&known.core, pause))
    }

    /// When something of this is due.
    pub(super) fn deadline(&self) -> Option<Micros> {
        let question = match self.question {
            Question::Later(at) => Some(at),
            _ => None,
        };
        let fetch = self.known.iter().filter_map(|known| known.due).min();
        question.into_iter().chain(fetch.filter(|_| self.fetching.is_none())).min()
    }
}

impl Hub {
    /// A core that is to be fetched now; the answer is [`Hub::core_done`].
    pub fn take_core(&mut self, now: Micros) -> Option<WaitingCore> {
        // Without a control domain it would only fail.
        if !self.link.is_up() {
            return None;
        }
        self.cores.take(now)
    }

    /// What became of the core that was to be fetched: nothing more is to be done about it, or it could not be kept.
    pub fn core_done(&mut self, is_done: bool, now: Micros) {
        if let Some((core, pause)) = self.cores.fetched(is_done, now) {
            let text = format!(
                "the core of {} (domain {}) is not kept; it waits, and is tried again in {} s",
                core.name,
                core.domid,
                pause.0 / 1_000_000
            );
            self.note(&text);
        }
        self.settle(now);
    }

    /// Asks the control domain, where that is due.
    pub(super) fn ask_for_cores(&mut self, now: Micros) {
        let Some(greeting) = self.greeting.as_ref().filter(|_| self.link.is_up()) else { return };
        self.cores.is_of(greeting.boot_id);
        // Calls are forgotten when the line is silent.
        if matches!(self.cores.question, Question::Asked(id) if !self.calls.contains_key(&id)) {
            self.cores.question = Question::Due;
        }
        let Some(known) = self.cores.question(now) else { return };
        let id = self.fresh_id();
        let body = postcard::to_allocvec(&known).expect("numbers are encodable");
        let request = Request { id, key: CoreWait::KEY, body };
        self.calls.insert(id, Call { client: None, request, sent: false });
        self.cores.question = Question::Asked(id);
        self.send_calls();
    }

    /// Says whether a call is the hub's own question for cores, which is answered whenever a domain crashes.
    pub(super) fn is_about_cores(&self, id: RequestId) -> bool {
        matches!(self.cores.question, Question::Asked(asked) if asked == id)
    }

    /// The answer.
    pub(super) fn on_core(&mut self, response: &Response, now: Micros) {
        if let Some(core) = self.cores.answered(&response.result, now) {
            let text = format!("{} (domain {}) crashed; its core is fetched", core.name, core.domid);
            self.note(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Micros = Micros(1_000_000);

    fn told(id: u64) -> Result<Vec<u8>, Fault> {
        let core = WaitingCore { id: CoreId(id), domid: 7, name: "web".into(), uuid: [7; 16] };
        Ok(postcard::to_allocvec(&core).unwrap())
    }

    fn after(time: Micros, seconds: u64) -> Micros {
        Micros(time.0 + seconds * 1_000_000)
    }

    /// Cores of a control domain's start, which has told of these.
    fn cores(ids: &[u64]) -> Cores {
        let mut cores = Cores::default();
        cores.is_of(1);
        for &id in ids {
            assert!(cores.answered(&told(id), START).is_some());
        }
        cores
    }

    #[test]
    fn a_question_without_room_is_put_again_later_and_a_forgotten_one_at_once() {
        for fault in [Fault::Busy { limit: 32 }, Fault::Full { limit_kib: 512 }] {
            let mut cores = cores(&[4]);
            cores.question = Question::Asked(RequestId(1));
            assert!(cores.answered(&Err(fault), START).is_none());
            assert_eq!(cores.question(after(START, 4)), None);
            let due = cores.question(after(START, 5)).unwrap();
            assert_eq!(due, [CoreId(4)], "of those that are known nothing is asked");
            assert!(cores.deadline().is_some_and(|deadline| deadline <= after(START, 5)));
        }
        let mut cores = cores(&[]);
        cores.question = Question::Asked(RequestId(1));
        cores.answered(&Err(Fault::Forgotten), START);
        assert_eq!(cores.question(START), Some(Vec::new()));
    }

    #[test]
    fn a_control_domain_that_does_not_know_the_question_is_not_asked_again_until_it_restarts() {
        let mut cores = cores(&[]);
        cores.answered(&Err(Fault::UnknownKey), START);
        assert_eq!(cores.question(after(START, 100_000)), None);
        cores.is_of(2);
        assert!(cores.question(START).is_some());
    }

    #[test]
    fn a_core_that_cannot_be_kept_is_tried_again_ever_more_seldom_and_for_ever() {
        let mut cores = cores(&[4]);
        let mut now = START;
        for pause in [15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600] {
            assert_eq!(cores.take(now).unwrap().id, CoreId(4));
            assert!(cores.take(now).is_none(), "one at a time");
            assert_eq!(cores.fetched(false, now).unwrap().1, after(Micros(0), pause));
            assert!(cores.take(after(now, pause - 1)).is_none());
            now = after(now, pause);
            assert_eq!(cores.deadline(), Some(now));
        }
        assert!(cores.take(now).is_some());
        assert!(cores.fetched(true, now).is_none());
        assert!(cores.take(after(now, 100_000)).is_none(), "once kept, never again");
        assert_eq!(cores.deadline(), None);
    }

    #[test]
    fn another_core_is_fetched_while_one_that_failed_waits() {
        let mut cores = cores(&[4, 5]);
        assert_eq!(cores.take(START).unwrap().id, CoreId(4));
        cores.fetched(false, START);
        assert_eq!(cores.take(START).unwrap().id, CoreId(5));
    }

    #[test]
    fn a_core_of_an_earlier_start_that_fails_says_nothing_of_its_number_in_this_one() {
        let mut cores = cores(&[4]);
        assert!(cores.take(START).is_some());
        cores.is_of(2);
        assert_eq!(cores.question(START), Some(Vec::new()), "all numbers are new");
        assert!(cores.answered(&told(4), START).is_some());
        assert!(cores.take(START).is_none(), "the earlier one's program still runs");
        assert!(cores.fetched(false, START).is_none());
        assert_eq!(cores.take(START).unwrap().id, CoreId(4), "it did not fail in this start");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut cores = cores(&[]);
        for id in 0..200 {
            cores.answered(&told(id), START);
        }
        assert_eq!(cores.known.len(), MOST_KNOWN);
        assert!(cores.answered(&told(199), START).is_none(), "it is known");
    }
}
