//! Asking guests: to end, or to take a system request.
//!
//! The toolstack writes a word into a node of the guest's own, `control/shutdown` or `control/sysrq`. A guest whose driver
//! watches it takes the word by emptying the node, and then acts. Nothing is polled: a watch of ours on the node tells
//! ([`Toolstack::hear_guests`]), from the writing of the word to its taking or the guest's end.
//!
//! A guest that does not take its word is not forced. xend ended an HVM guest without drivers by
//! `SCHEDOP_remote_shutdown`, which stops it like a pulled plug; whoever wants that says `destroy`, and whoever asks for a
//! shutdown wants the guest's disks to be whole. So such a guest is told about, with the reason as far as it can be seen
//! ([`Silence`]), and the word stays: a guest that is only slow to start obeys it later.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use hypercall::{Aperture, Door};
use proto::domain::{DomainRef, Ended};
use proto::error::DomainError;
use proto::life::{
    Asked, AskedPage, End, EndRequest, FollowRequest, Life, Outcome, Silence, Stage, SysrqError,
    SysrqRequest, Whom,
};
use xen_abi::DomId;
use xenstore::WatchEvent;

use crate::layout::{self, Access, Node};
use crate::list::Target;
use crate::page;
use crate::platform::Platform;
use crate::race::first;
use crate::registry::{self, Record, Serial};
use crate::toolstack::{Mapping, Toolstack};

/// The longest that a request is waited for, in milliseconds, whatever the asker says: an hour.
const MOST_PATIENCE_MS: u32 = 3_600_000;

/// How long a guest may take to end before that is noted in its node `xend/unresponsive`: xend's `SHUTDOWN_TIMEOUT`.
pub const UNRESPONSIVE_NS: u64 = 30 * 1_000_000_000;

/// A node through which a guest is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Shutdown,
    Sysrq,
}

impl Channel {
    fn name(self) -> &'static str {
        match self {
            Channel::Shutdown => "shutdown",
            Channel::Sysrq => "sysrq",
        }
    }

    /// What a guest writes to say that it obeys.
    fn features(self) -> &'static [&'static str] {
        match self {
            Channel::Shutdown => &["feature-poweroff", "feature-reboot"],
            Channel::Sysrq => &["feature-sysrq"],
        }
    }
}

/// A word that was left for a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errand {
    /// Counts the words that were left in this node.
    number: u64,
    /// When, on the platform's clock.
    placed_ns: u64,
    /// The guest has taken it.
    is_taken: bool,
}

/// What was left for a guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Errands {
    shutdown: Option<Errand>,
    sysrq: Option<Errand>,
    /// It was noted that it does not end.
    is_overdue: bool,
}

impl Errands {
    fn slot(&mut self, channel: Channel) -> &mut Option<Errand> {
        match channel {
            Channel::Shutdown => &mut self.shutdown,
            Channel::Sysrq => &mut self.sysrq,
        }
    }

    fn get(&self, channel: Channel) -> Option<Errand> {
        match channel {
            Channel::Shutdown => self.shutdown,
            Channel::Sysrq => self.sysrq,
        }
    }

    /// Whether a word still stands there.
    fn stands(&self, channel: Channel) -> bool {
        self.get(channel).is_some_and(|errand| !errand.is_taken)
    }

    /// It was asked to end.
    pub(crate) fn is_ending(&self) -> bool {
        self.shutdown.is_some()
    }
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// Asks guests to end, each through its node `control/shutdown`, in one transaction of the store: one, or a page of all. No exit.
    ///
    /// Whether they take the request, and what becomes of them, [`Self::follow`] tells.
    ///
    /// # Errors
    /// [`DomainError::NotFound`]; [`DomainError::Privileged`]: the control domain; [`DomainError::NotStarted`]: it has ended, or somebody
    /// else made it, so that it has no such node.
    pub fn ask_to_end(&self, request: &EndRequest) -> Result<AskedPage, DomainError> {
        let (whom, next) = match &request.whom {
            Whom::One(domain) => (alloc::vec![self.alive(domain)?], None),
            Whom::From(first) => {
                let registry = self.registry.borrow();
                let mut alive = registry.iter().filter(|r| r.is_alive() && r.domid.0 >= *first);
                let whom = alive.by_ref().take(page::DOMAINS).map(|r| r.serial).collect();
                (whom, alive.next().map(|r| r.domid.0))
            }
        };
        self.leave(&whom, Channel::Shutdown, end_word(request.end));
        let registry = self.registry.borrow();
        let records = whom.iter().filter_map(|&serial| registry.by_serial(serial));
        let asked =
            records.map(|r| Asked { life: r.serial.life(), domid: r.domid.0, name: r.name.as_str().into() });
        Ok(AskedPage { asked: asked.collect(), next })
    }

    /// Tells how far some lives have come: as soon as one is further than was seen, or when patience is over.
    ///
    /// No exit, but one where a guest has not taken its request by the end.
    pub async fn follow(&self, request: &FollowRequest) -> Vec<Stage> {
        let deadline = self.deadline(request.patience_ms);
        let is_further = || {
            let is_news = |&(life, seen)| self.stage(life, Silence::Unanswered).phase() > seen;
            request.lives.iter().any(is_news).then_some(())
        };
        first(self.ends.until(is_further), self.platform.sleep_until(deadline)).await;
        let lives: Vec<Life> = request.lives.iter().map(|&(life, _)| life).collect();
        let silences = self.silences(&lives);
        lives.into_iter().zip(silences).map(|(life, silence)| self.stage(life, silence)).collect()
    }

    /// Sends a guest a system request, and waits until it has taken it. No exit, but one where it does not.
    ///
    /// The node has room for one: as long as the guest has not taken the one before, the next one waits. A guest that ends by
    /// itself meanwhile has taken both: some letters ask for just that.
    ///
    /// # Errors
    /// See [`SysrqError`]. A domain that was destroyed meanwhile is not found.
    pub async fn sysrq(&self, request: &SysrqRequest) -> Result<(), SysrqError> {
        if !request.letter.is_ascii_graphic() {
            return Err(SysrqError::BadLetter);
        }
        let serial = self.alive(&request.domain).map_err(SysrqError::Domain)?;
        let deadline = self.deadline(request.patience_ms);
        let silence = || {
            let is_paused = self.is_paused(serial);
            self.silence(serial, Channel::Sysrq, is_paused)
        };
        // Whoever finds the node empty fills it at once: there is no await in between.
        let is_free = || self.sysrq_over(serial, None).is_some().then_some(());
        if first(self.ends.until(is_free), self.platform.sleep_until(deadline)).await.is_none() {
            return Err(SysrqError::Occupied(silence()));
        }
        let mut letter = [0; 4];
        self.leave(&[serial], Channel::Sysrq, char::from(request.letter).encode_utf8(&mut letter));
        let number =
            self.registry.borrow().by_serial(serial).and_then(|r| r.errands.sysrq).map(|own| own.number);
        let outcome = || self.sysrq_over(serial, number);
        let outcome = first(self.ends.until(outcome), self.platform.sleep_until(deadline)).await;
        outcome.unwrap_or_else(|| Err(SysrqError::NotTaken(silence())))
    }

    /// What came of a guest's system request, of this number or whichever stands there; None while it stands.
    fn sysrq_over(&self, serial: Serial, number: Option<u64>) -> Option<Result<(), SysrqError>> {
        let registry = self.registry.borrow();
        match registry.by_serial(serial) {
            Some(record) if record.ended.is_some() => Some(Ok(())),
            Some(record) => {
                let is_meant = |errand: &Errand| number.is_none_or(|number| errand.number == number);
                let stands = record.errands.sysrq.filter(is_meant).is_some_and(|errand| !errand.is_taken);
                (!stands).then_some(Ok(()))
            }
            None => Some(match registry.past(serial).map(|past| past.ended) {
                Some(Ended::Shutdown(_)) => Ok(()),
                Some(Ended::Destroyed) | None => Err(SysrqError::Domain(DomainError::NotFound)),
            }),
        }
    }

    /// Notices when guests take what was left for them, for ever: the life of a task.
    pub async fn hear_guests(&self) -> ! {
        loop {
            let event = self.hearing.next().await;
            self.on_node(&event);
        }
    }

    /// Notes guests that were asked to end and do not, for ever: the life of a task.
    pub async fn mind_requests(&self) -> ! {
        loop {
            // What is asked later is due later, so nothing is missed in sleep.
            let due = self.ends.until(|| self.next_due()).await;
            self.platform.sleep_until(due).await;
            self.note_overdue();
        }
    }

    fn deadline(&self, patience_ms: u32) -> u64 {
        self.platform.now_ns().saturating_add(u64::from(patience_ms.min(MOST_PATIENCE_MS)) * 1_000_000)
    }

    /// A domain of ours that lives.
    fn alive(&self, domain: &DomainRef) -> Result<Serial, DomainError> {
        match self.not_control(domain)? {
            Target::Ours(serial, _) => {
                let registry = self.registry.borrow();
                let lives = registry.by_serial(serial).is_some_and(Record::is_alive);
                if lives { Ok(serial) } else { Err(DomainError::NotStarted) }
            }
            target => self.info_of(target).and(Err(DomainError::NotStarted)),
        }
    }

    /// Leaves a word for guests, and begins to listen.
    fn leave(&self, whom: &[Serial], channel: Channel, word: &str) {
        let placed_ns = self.platform.now_ns();
        let mut nodes = Vec::new();
        let mut watches = Vec::new();
        {
            let mut registry = self.registry.borrow_mut();
            for &serial in whom {
                let Some(record) = registry.by_serial_mut(serial) else { continue };
                if !record.errands.stands(channel) {
                    watches.push((node_path(record.domid, channel), token(serial, channel)));
                }
                let number = record.errands.get(channel).map_or(0, |last| last.number + 1);
                *record.errands.slot(channel) = Some(Errand { number, placed_ns, is_taken: false });
                nodes.push(Node {
                    path: node_path(record.domid, channel),
                    value: word.into(),
                    access: Access::Owned(record.domid),
                });
                if channel == Channel::Shutdown {
                    record.errands.is_overdue = false;
                    nodes.push(layout::asked_node(record.domid, self.platform.unix_ms()));
                }
                log::info!("d{} {}: asked: {} {word}", record.domid, record.name, channel.name());
            }
        }
        self.write_nodes(&nodes);
        for (path, token) in watches {
            if let Err(error) = self.hearing.watch(&path, &token) {
                log::error!("{path} is not watched: {error}");
            }
        }
        self.ends.wake_all();
    }

    /// Something happened to a node that holds a word.
    fn on_node(&self, event: &WatchEvent) {
        let Some((serial, channel)) = read_token(&event.token) else { return };
        let mut registry = self.registry.borrow_mut();
        let Some(record) = registry.by_serial_mut(serial) else { return };
        let path = node_path(record.domid, channel);
        let is_empty = match self.store.borrow().read(&path) {
            // Linux' way to write nothing is a nul.
            Ok(value) => value.iter().all(|&byte| byte == 0),
            Err(_) => true,
        };
        if !is_empty || !record.errands.stands(channel) {
            return;
        }
        if let Some(errand) = record.errands.slot(channel) {
            errand.is_taken = true;
        }
        log::info!("d{} {}: took {}", record.domid, record.name, channel.name());
        drop(registry);
        self.stop_listening(&path, serial, channel);
        self.ends.wake_all();
    }

    /// Nobody waits for a domain's nodes any more: it is gone.
    pub(crate) fn stop_hearing(&self, record: &Record) {
        for channel in [Channel::Shutdown, Channel::Sysrq] {
            if record.errands.stands(channel) {
                self.stop_listening(&node_path(record.domid, channel), record.serial, channel);
            }
        }
    }

    fn stop_listening(&self, path: &str, serial: Serial, channel: Channel) {
        if let Err(error) = self.hearing.unwatch(path, &token(serial, channel)) {
            log::error!("{path} is still watched: {error}");
        }
    }

    /// When the next guest has had its time to end.
    fn next_due(&self) -> Option<u64> {
        let registry = self.registry.borrow();
        let due = |r: &Record| {
            let errand = r.errands.shutdown.filter(|_| r.is_alive() && !r.errands.is_overdue)?;
            Some(errand.placed_ns.saturating_add(UNRESPONSIVE_NS))
        };
        registry.iter().filter_map(due).min()
    }

    fn note_overdue(&self) {
        let now = self.platform.now_ns();
        let mut nodes = Vec::new();
        for record in self.registry.borrow_mut().iter_mut().filter(|r| r.is_alive()) {
            let Some(errand) = record.errands.shutdown.filter(|_| !record.errands.is_overdue) else {
                continue;
            };
            if errand.placed_ns.saturating_add(UNRESPONSIVE_NS) <= now {
                record.errands.is_overdue = true;
                let did = if errand.is_taken { "took" } else { "did not take" };
                log::warn!("d{} {}: was asked to end, {did} it, and lives", record.domid, record.name);
                nodes.push(layout::domain_node(record.domid, "xend/unresponsive", "True"));
            }
        }
        self.write_nodes(&nodes);
    }

    /// How far a life has come; `silence` is why it has not taken its request, if it has not.
    fn stage(&self, life: Life, silence: Silence) -> Stage {
        let registry = self.registry.borrow();
        let serial = Serial::of(life);
        let (ended, is_kept) = match registry.by_serial(serial) {
            Some(record) if record.stage == registry::Stage::Alive => {
                let stands = record.errands.stands(Channel::Shutdown);
                return if stands { Stage::Asked(silence) } else { Stage::Taken };
            }
            Some(record) if record.stage == registry::Stage::Preserved => {
                (record.ended.map_or(Ended::Destroyed, Ended::Shutdown), true)
            }
            Some(_) => return Stage::Ended,
            // So many ended since that this one is forgotten: it is gone, at any rate.
            None => (registry.past(serial).map_or(Ended::Destroyed, |past| past.ended), false),
        };
        let outcome = match registry.next_life(serial) {
            Some(domid) => Outcome::Restarted { domid: domid.0 },
            None if registry.is_being_followed(serial) => return Stage::Ended,
            None if is_kept => Outcome::Preserved,
            None => Outcome::Gone,
        };
        Stage::Settled { ended, outcome }
    }

    /// Why each of these lives has not taken its request, if it has not. One exit, or none where all have.
    fn silences(&self, lives: &[Life]) -> Vec<Silence> {
        let is_silent = |&life: &Life| matches!(self.stage(life, Silence::Unanswered), Stage::Asked(_));
        let paused: Vec<DomId> = if lives.iter().any(is_silent) {
            let infos = self.xen.domain_infos().unwrap_or_default();
            infos.into_iter().filter(|info| info.paused).map(|info| info.id).collect()
        } else {
            Vec::new()
        };
        let why = |&life: &Life| {
            let serial = Serial::of(life);
            let domid = self.registry.borrow().by_serial(serial).map(|r| r.domid);
            let is_paused = domid.is_some_and(|domid| paused.contains(&domid));
            self.silence(serial, Channel::Shutdown, is_paused)
        };
        lives.iter().map(why).collect()
    }

    fn is_paused(&self, serial: Serial) -> bool {
        let domid = self.registry.borrow().by_serial(serial).map(|r| r.domid);
        domid.and_then(|domid| self.xen.domain_info(domid).ok()).is_some_and(|info| info.paused)
    }

    fn silence(&self, serial: Serial, channel: Channel, is_paused: bool) -> Silence {
        let Some(domid) = self.registry.borrow().by_serial(serial).map(|r| r.domid) else {
            return Silence::Unanswered;
        };
        if is_paused {
            Silence::Paused
        } else if !self.has_spoken(domid) {
            Silence::NeverSpoke
        } else if !self.has_announced(domid, channel) {
            Silence::NoDriver
        } else {
            Silence::Unanswered
        }
    }

    fn has_announced(&self, domid: DomId, channel: Channel) -> bool {
        let store = self.store.borrow();
        channel.features().iter().any(|feature| {
            let path = format!("{}/control/{feature}", layout::domain_path(domid));
            store.read(&path).is_ok_and(|value| value == b"1")
        })
    }
}

/// The word for an end: `control/shutdown` has them from xend.
fn end_word(end: End) -> &'static str {
    match end {
        End::Poweroff => "poweroff",
        End::Halt => "halt",
        End::Reboot => "reboot",
    }
}

fn node_path(domid: DomId, channel: Channel) -> String {
    format!("{}/control/{}", layout::domain_path(domid), channel.name())
}

/// What our watch on a node is called: whose it is, not which number that one has.
fn token(serial: Serial, channel: Channel) -> String {
    format!("{} {}", channel.name(), serial.life().0)
}

fn read_token(token: &[u8]) -> Option<(Serial, Channel)> {
    let (name, number) = core::str::from_utf8(token).ok()?.split_once(' ')?;
    let channel = [Channel::Shutdown, Channel::Sysrq].into_iter().find(|channel| channel.name() == name)?;
    Some((Serial::of(Life(number.parse().ok()?)), channel))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_is_found_by_its_token() {
        let serial = Serial::of(Life(u64::MAX));
        for channel in [Channel::Shutdown, Channel::Sysrq] {
            assert_eq!(read_token(token(serial, channel).as_bytes()), Some((serial, channel)));
        }
        for other in [&b""[..], b"shutdown", b"shutdown x", b"zap 1", b"\xff 1"] {
            assert_eq!(read_token(other), None);
        }
    }
}
