//! What happens when nothing comes: the link's own deadlines.
//!
//! * Something is outstanding and the peer is silent: after [`Config::lost_after`](crate::Config::lost_after) the link
//!   is down, whichever end it is.
//! * The prober seeks a peer that it does not have, with growing pauses, for ever; and asks a silent one for a sign of
//!   life while its application waits for something.
//! * The responder has no other timers than those of frames under way and of an acknowledgement held back.

use crate::config::Role;
use crate::encoding::Encoding;
use crate::event::{DownReason, Event};
use crate::link::Link;
use crate::time::Micros;

/// The first pause between two hellos.
const FIRST_PAUSE: Micros = Micros::from_millis(50);
/// How long a peer may be silent before a waiting prober asks it for a sign of life.
const PATIENCE: Micros = Micros::from_millis(1_000);

/// Deadlines that belong to no session.
#[derive(Debug)]
pub(crate) struct Timers {
    role: Role,
    /// When the peer was last heard.
    heard: Micros,
    /// Since when the peer owes us something.
    owed: Option<Micros>,
    /// Prober: when the next hello is due, and the pause after it.
    probe: Option<Micros>,
    pause: Micros,
    /// Prober: the application waits.
    waiting: bool,
    /// Prober: when the peer was last asked, or the waiting began.
    asked: Micros,
    /// Prober: a question is to be sent.
    ask: bool,
}

impl Timers {
    pub(crate) fn new(role: Role, now: Micros) -> Self {
        let prober = role == Role::Prober;
        Self {
            role,
            heard: now,
            owed: prober.then_some(now),
            probe: prober.then_some(now + FIRST_PAUSE),
            pause: FIRST_PAUSE,
            waiting: false,
            asked: now,
            ask: false,
        }
    }

    /// The session is gone or not confirmed: a prober starts to seek.
    pub(crate) fn seek(&mut self, now: Micros) {
        *self = Self { waiting: self.waiting, ..Self::new(self.role, now) };
    }

    /// There is nothing to wait for.
    pub(crate) fn rest(&mut self, now: Micros) {
        *self = Self { waiting: self.waiting, owed: None, probe: None, ..Self::new(self.role, now) };
    }

    pub(crate) fn set_waiting(&mut self, waiting: bool, now: Micros) {
        if waiting && !self.waiting {
            self.asked = now;
        }
        self.waiting = waiting;
    }

    /// Something was sent that the peer must answer or acknowledge.
    pub(crate) fn outstanding(&mut self, now: Micros) {
        self.owed.get_or_insert(now);
    }

    /// Says whether a question is to be sent.
    pub(crate) fn asks(&self) -> bool {
        self.ask
    }

    pub(crate) fn take_ask(&mut self) -> bool {
        core::mem::take(&mut self.ask)
    }
}

fn earlier(a: Option<Micros>, b: Option<Micros>) -> Option<Micros> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

impl<E: Encoding> Link<E> {
    /// When [`tick`](Self::tick) must be called, if nothing else happens first. `None`: only bytes or calls make a difference.
    pub fn deadline(&self) -> Option<Micros> {
        let session = self.active();
        let frames =
            session.and_then(|session| earlier(session.receiver.deadline(), session.sender.deadline()));
        let idle = earlier(self.lost_at(), self.ask_at());
        earlier(frames, earlier(idle, self.timers.probe))
    }

    /// Does what is due: repeats, acknowledges, gives up. Harmless when nothing is.
    pub fn tick(&mut self, now: Micros) {
        let due = |at: Option<Micros>| at.is_some_and(|at| at <= now);
        if due(self.lost_at()) {
            self.peer_lost(now);
        }
        let suspended = self.suspended;
        if let Some(session) = self.session.as_mut().filter(|session| session.confirmed && !suspended) {
            session.receiver.tick(now);
            if due(session.sender.deadline()) {
                session.sender.time_out();
            }
        }
        if due(self.ask_at()) {
            self.timers.ask = true;
            self.timers.asked = now;
            self.timers.outstanding(now);
        }
        if due(self.timers.probe) {
            self.hello = Some(true);
            self.timers.pause = self.timers.pause.doubled(1, self.config.probe_limit);
            self.timers.probe = Some(now + self.timers.pause);
        }
    }

    /// A valid frame came: the peer is there, and what it owes counts from now.
    pub(crate) fn heard(&mut self, now: Micros) {
        self.timers.heard = now;
        let Some(session) = self.active() else { return };
        self.timers.owed = session.sender.is_outstanding().then_some(now);
        self.timers.probe = None;
    }

    fn lost_at(&self) -> Option<Micros> {
        self.timers.owed.map(|since| since + self.config.lost_after)
    }

    fn ask_at(&self) -> Option<Micros> {
        let session = self.active()?;
        let waits = self.timers.waiting || !session.streams.is_empty();
        let quiet = self.timers.heard.max(self.timers.asked);
        (self.is_prober() && waits).then(|| quiet + PATIENCE)
    }

    /// The peer was silent for too long. The session is kept; only a prober goes on calling.
    fn peer_lost(&mut self, now: Micros) {
        self.suspended |= self.active().is_some();
        self.up = false;
        self.events.push(Event::Down(DownReason::Lost));
        let told = self.timers.probe.filter(|_| !self.suspended);
        self.timers.rest(now);
        if self.is_prober() {
            // It may be seeking already, with pauses that have grown.
            self.timers.probe = told.or(Some(now));
            self.timers.pause = if told.is_some() { self.config.probe_limit } else { FIRST_PAUSE };
        }
    }
}
