//! One guest that was asked to end: what is known of it, what is said about it, and how long it is waited for.
//!
//! No clock and no link: times are spans since the request, so that all of it is tested without waiting.

use std::time::Duration;

use proto::life::{Asked, Outcome, Phase, Silence, Stage};
use serde_json::{Value, json};

/// How long a guest may take to take its request.
const TAKES: Duration = Duration::from_secs(10);
/// After how long of waiting for its end that is said: xend's `SHUTDOWN_TIMEOUT`.
const QUIET: Duration = Duration::from_secs(30);
/// How long a guest that has taken its request may take to end.
const ENDS: Duration = Duration::from_secs(300);

/// What the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// They shall come back.
    pub(super) is_reboot: bool,
    /// They are waited for.
    pub(super) waits: bool,
}

/// Something to say at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// On stdout.
    Line(String),
    /// On stderr.
    Note(String),
}

/// What became of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Result {
    /// It took the request, and nobody waits for more.
    Taken,
    Terminated,
    Rebooted(u16),
    /// It ended and did not come back.
    Destroyed,
    /// It ended, and is kept instead of coming back.
    Preserved,
    /// It did not take the request.
    Silent(Silence),
    /// It took the request, and lives.
    Lives,
}

/// See the module's page.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    /// Who it is.
    pub(super) asked: Asked,
    /// How far it was when last seen.
    pub(super) phase: Phase,
    taken_at: Duration,
    is_noted: bool,
    result: Option<Result>,
}

impl Guest {
    /// One that was asked just now.
    pub(super) fn new(asked: Asked) -> Self {
        Guest { asked, phase: Phase::Asked, taken_at: Duration::ZERO, is_noted: false, result: None }
    }

    /// There is more to wait for.
    pub(super) fn is_open(&self) -> bool {
        self.result.is_none()
    }

    /// When something has to be said or given up, even if nothing happens.
    pub(super) fn due(&self) -> Duration {
        match self.phase {
            Phase::Asked => TAKES,
            _ if !self.is_noted => self.taken_at + QUIET,
            _ => self.taken_at + ENDS,
        }
    }

    /// Takes the news of how far it is, `at` so long after the request.
    pub(super) fn hear(&mut self, stage: Stage, at: Duration, wish: Wish) -> Option<News> {
        if self.phase == Phase::Asked && stage.phase() > Phase::Asked {
            self.taken_at = at;
        }
        self.phase = stage.phase();
        let name = &self.asked.name;
        match stage {
            Stage::Asked(silence) if at >= TAKES => self.result = Some(Result::Silent(silence)),
            Stage::Asked(_) => {}
            Stage::Taken | Stage::Ended if !wish.waits => self.result = Some(Result::Taken),
            Stage::Taken | Stage::Ended if at >= self.taken_at + ENDS => self.result = Some(Result::Lives),
            Stage::Taken | Stage::Ended if at >= self.taken_at + QUIET && !self.is_noted => {
                self.is_noted = true;
                return Some(News::Note(format!(
                    "Domain {name} took the request {} s ago and has not ended; still waiting (Ctrl-C stops the waiting)",
                    (at - self.taken_at).as_secs()
                )));
            }
            Stage::Taken | Stage::Ended => {}
            Stage::Settled { outcome, .. } => return self.settle(outcome, wish),
        }
        None
    }

    fn settle(&mut self, outcome: Outcome, wish: Wish) -> Option<News> {
        let result = match outcome {
            _ if !wish.waits => Result::Taken,
            _ if !wish.is_reboot => Result::Terminated,
            Outcome::Restarted { domid } => Result::Rebooted(domid),
            Outcome::Gone => Result::Destroyed,
            Outcome::Preserved => Result::Preserved,
        };
        self.result = Some(result);
        let what = match result {
            Result::Terminated => "terminated",
            Result::Rebooted(_) => "rebooted",
            Result::Destroyed => "destroyed for failing to reboot",
            _ => return None,
        };
        Some(News::Line(format!("Domain {} {what}", self.asked.name)))
    }

    /// What is known while it is waited for.
    pub(super) fn so_far(&self) -> String {
        let name = &self.asked.name;
        match self.phase {
            Phase::Asked => format!("domain '{name}' has not taken the request"),
            Phase::Taken => format!("domain '{name}' has taken the request and not ended"),
            Phase::Ended | Phase::Settled => format!("domain '{name}' has ended and is being cleared away"),
        }
    }

    /// It did not do what it was asked for.
    pub(super) fn has_failed(&self) -> bool {
        !matches!(self.result, Some(Result::Taken | Result::Terminated | Result::Rebooted(_)))
    }

    /// What did not go as wanted, where a line has not said it already.
    pub(super) fn failure(&self) -> Option<String> {
        let name = &self.asked.name;
        match self.result? {
            Result::Silent(silence) => Some(not_taken(name, "request to end", TAKES, silence)),
            Result::Lives => Some(format!(
                "Domain '{name}' took the request {} s ago and has not ended; 'xm destroy {name}' ends it without asking",
                ENDS.as_secs()
            )),
            Result::Preserved => {
                Some(format!("Domain '{name}' ended and is kept as it was, not started again (on_reboot)"))
            }
            _ => None,
        }
    }

    /// As JSON.
    pub(super) fn object(&self) -> Value {
        let (result, reason, next) = match self.result {
            Some(Result::Taken) => ("taken", None, None),
            Some(Result::Terminated) => ("terminated", None, None),
            Some(Result::Rebooted(domid)) => ("rebooted", None, Some(domid)),
            Some(Result::Destroyed) => ("destroyed", None, None),
            Some(Result::Preserved) => ("preserved", None, None),
            Some(Result::Silent(silence)) => ("silent", Some(word(silence)), None),
            Some(Result::Lives) | None => ("lives", None, None),
        };
        json!({
            "name": self.asked.name, "domid": self.asked.domid, "result": result, "reason": reason, "new_domid": next,
        })
    }
}

/// A guest has not taken something within `patience`: why, and what can be done.
pub(in crate::xm) fn not_taken(name: &str, what: &str, patience: Duration, silence: Silence) -> String {
    let why = match silence {
        Silence::Paused => "it is paused",
        Silence::NeverSpoke => {
            "it has never spoken to xenstore, so it has no Xen driver or is still starting"
        }
        Silence::NoDriver => "it uses xenstore, but its kernel has not said that it obeys such requests",
        Silence::Unanswered => "its kernel has said that it obeys such requests, but does not",
    };
    let way_out = match silence {
        Silence::Paused => format!("'xm unpause {name}' lets it act on it"),
        _ => format!("the request stays, and 'xm destroy {name}' ends the domain without asking"),
    };
    format!("Domain '{name}' has not taken the {what} within {} s: {why}; {way_out}", patience.as_secs())
}

fn word(silence: Silence) -> &'static str {
    match silence {
        Silence::Paused => "paused",
        Silence::NeverSpoke => "never-spoke",
        Silence::NoDriver => "no-driver",
        Silence::Unanswered => "unanswered",
    }
}

#[cfg(test)]
mod tests {
    use proto::domain::{Ended, ShutdownReason};
    use proto::life::Life;

    use super::*;

    const WAIT: Wish = Wish { is_reboot: false, waits: true };
    const ASK: Wish = Wish { is_reboot: false, waits: false };
    const REBOOT: Wish = Wish { is_reboot: true, waits: true };

    fn guest() -> Guest {
        Guest::new(Asked { life: Life(1), domid: 3, name: "g".into() })
    }

    fn settled(outcome: Outcome) -> Stage {
        Stage::Settled { ended: Ended::Shutdown(ShutdownReason::Poweroff), outcome }
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn without_waiting_a_guest_is_done_when_it_has_taken_the_request() {
        let mut guest = guest();
        assert_eq!(guest.hear(Stage::Asked(Silence::Unanswered), secs(1), ASK), None);
        assert!(guest.is_open());
        assert_eq!(guest.hear(Stage::Taken, secs(2), ASK), None);
        assert!(!guest.is_open() && !guest.has_failed());
        assert_eq!(guest.object()["result"], "taken");
    }

    #[test]
    fn what_became_of_it_is_said_in_xms_words() {
        for (wish, outcome, line, failed) in [
            (WAIT, Outcome::Gone, "Domain g terminated", false),
            (WAIT, Outcome::Preserved, "Domain g terminated", false),
            (WAIT, Outcome::Restarted { domid: 4 }, "Domain g terminated", false),
            (REBOOT, Outcome::Restarted { domid: 4 }, "Domain g rebooted", false),
            (REBOOT, Outcome::Gone, "Domain g destroyed for failing to reboot", true),
        ] {
            let mut guest = guest();
            let news = guest.hear(settled(outcome), secs(1), wish);
            assert_eq!(news, Some(News::Line(line.into())));
            assert_eq!((guest.has_failed(), guest.failure()), (failed, None));
        }
        let mut kept = guest();
        assert_eq!(kept.hear(settled(Outcome::Preserved), secs(1), REBOOT), None);
        assert!(kept.failure().is_some_and(|text| text.contains("kept")));
    }

    #[test]
    fn one_that_does_not_take_the_request_is_given_up_with_the_reason() {
        for (silence, reason) in [
            (Silence::NeverSpoke, "never spoken to xenstore"),
            (Silence::NoDriver, "has not said"),
            (Silence::Unanswered, "but does not"),
            (Silence::Paused, "it is paused; 'xm unpause g'"),
        ] {
            let mut guest = guest();
            assert_eq!(guest.due(), TAKES);
            guest.hear(Stage::Asked(silence), TAKES - secs(1), WAIT);
            assert!(guest.is_open());
            guest.hear(Stage::Asked(silence), TAKES, WAIT);
            let text = guest.failure().unwrap();
            assert!(text.starts_with("Domain 'g' has not taken the request to end within 10 s: "), "{text}");
            assert!(text.contains(reason), "{text}");
        }
    }

    #[test]
    fn one_that_takes_the_request_and_does_not_end_is_noted_once_and_then_given_up() {
        let mut guest = guest();
        guest.hear(Stage::Taken, secs(2), WAIT);
        assert_eq!(guest.due(), secs(2) + QUIET);
        assert_eq!(guest.hear(Stage::Taken, secs(20), WAIT), None);
        let note = guest.hear(Stage::Taken, secs(32), WAIT);
        assert!(
            matches!(note, Some(News::Note(text)) if text.starts_with("Domain g took the request 30 s ago"))
        );
        assert_eq!(guest.hear(Stage::Taken, secs(33), WAIT), None);
        assert_eq!(guest.due(), secs(2) + ENDS);
        assert_eq!(guest.hear(Stage::Taken, secs(2) + ENDS, WAIT), None);
        assert!(!guest.is_open() && guest.failure().is_some_and(|text| text.contains("xm destroy g")));
    }
}
