//! Who talks to whom: hellos, new sessions, and the end of old ones.
//!
//! ```text
//! host                                    control domain
//!   hello from H, to nobody, answer!  →      a session of H and K, not confirmed
//!   the same; confirmed: up           ←   hello from K, to H, answer!
//!   hello from H, to K                →      confirmed: up
//! ```
//!
//! Any frame of the session confirms it as well, so the third hello may get lost. A frame of an unknown session is
//! answered with a hello: so an end that restarted is found out by the first frame that reaches it, in either
//! direction, whoever speaks first.
//!
//! An end that drops a confirmed session raises its epoch: the pair of identities then names a new session for both,
//! and none can go on in the middle of the old one. A session that was not confirmed has carried nothing, and is
//! dropped without that; otherwise crossing hellos could chase each other for ever.

use crate::LINK_VERSION;
use crate::encoding::Encoding;
use crate::event::{DownReason, Event};
use crate::hello::{Hello, Identity, Limits};
use crate::link::Link;
use crate::session::Session;
use crate::time::Micros;

impl<E: Encoding> Link<E> {
    pub(crate) fn our_hello(&self, answer: bool) -> Hello {
        let to = self.session.as_ref().map(|session| session.peer);
        Hello::Ours { answer, from: self.me, to, limits: Limits::of(&self.config) }
    }

    pub(crate) fn hello_came(&mut self, hello: Hello, now: Micros) {
        if self.events.is_crowded() {
            return;
        }
        match hello {
            Hello::Other { version, answer } => self.other_version_came(version, answer, now),
            // Our own, echoed by something on the line.
            Hello::Ours { from, .. } if from.boot == self.me.boot => {}
            Hello::Ours { answer, from, to, limits } => self.our_version_came(answer, from, to, &limits, now),
        }
    }

    fn other_version_came(&mut self, theirs: u16, answer: bool, now: Micros) {
        if self.mismatch != Some(theirs) {
            self.drop_session();
            self.mismatch = Some(theirs);
            self.hello = None;
            self.up = false;
            self.timers.rest(now);
            self.events.push(Event::Down(DownReason::VersionMismatch { ours: LINK_VERSION, theirs }));
        }
        if answer {
            self.hello = Some(false);
        }
    }

    fn our_version_came(
        &mut self,
        answer: bool,
        from: Identity,
        to: Option<Identity>,
        theirs: &Limits,
        now: Micros,
    ) {
        self.mismatch = None;
        let old = self.session.as_ref().map(|session| session.peer);
        if let Some(old) = old
            && old != from
        {
            if old.boot == from.boot && from.epoch < old.epoch {
                // Left over from before; the line is slow.
                return;
            }
            let reason = if old.boot == from.boot {
                DownReason::PeerReset
            } else {
                DownReason::PeerRestarted { old: old.boot, new: from.boot }
            };
            self.end_session(reason);
        }
        if self.session.is_none() {
            self.session = Some(Session::new(&self.config, self.me, from, theirs));
            self.timers.seek(now);
        }
        let knows_us = to == Some(self.me);
        if knows_us {
            self.confirm();
        }
        if answer || !knows_us {
            self.hello = Some(!self.is_confirmed());
        }
    }

    /// A frame came of a session that is not ours: the peer should learn who we are.
    pub(crate) fn stranger_came(&mut self) {
        if self.mismatch.is_none() && self.hello.is_none() {
            self.hello = Some(!self.is_confirmed());
        }
    }

    fn is_confirmed(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.confirmed)
    }

    /// The peer has shown that it knows us.
    pub(crate) fn confirm(&mut self) {
        let Some(session) = &mut self.session else { return };
        let resumed = core::mem::take(&mut self.suspended);
        session.confirmed = true;
        if resumed {
            session.sender.resume();
        }
        if !core::mem::replace(&mut self.up, true) {
            self.events.push(Event::Up { peer: session.peer.boot, resumed });
        }
    }

    /// Forgets the session; returns whether the application knew of it.
    fn drop_session(&mut self) -> bool {
        let Some(session) = self.session.take() else { return false };
        if session.confirmed {
            self.me.epoch = self.me.epoch.wrapping_add(1);
            self.events.session_ended();
        }
        self.suspended = false;
        self.disown_staged();
        session.confirmed
    }

    fn end_session(&mut self, reason: DownReason) {
        if self.drop_session() {
            self.events.push(Event::Down(reason));
        }
        self.up = false;
    }

    /// Ends the session because of what the peer did, and seeks a new one.
    pub(crate) fn break_off(&mut self, reason: DownReason, now: Micros) {
        self.end_session(reason);
        self.hello = Some(true);
        self.timers.seek(now);
    }
}
