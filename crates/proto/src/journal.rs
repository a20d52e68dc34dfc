//! The toolstack's journal: what was done, for whom, with what result, and where the time went.

use alloc::string::String;
use alloc::vec::Vec;

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::domain::{Action, Created, ShutdownReason};
use crate::error::{CreateError, DomainError};

/// A part of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct JournalPage {
    /// The control domain's clock at this moment, in nanoseconds: what entries' times are to be compared with.
    pub now_ns: u64,
    /// Entries, oldest first.
    pub entries: Vec<Entry>,
    /// What to ask for next: the number behind the last of these.
    pub next: u64,
    /// There are more by now.
    pub has_more: bool,
    /// Entries that were dropped since boot to make room, oldest first.
    pub dropped: u64,
}

/// One thing that happened, or the same thing several times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Entry {
    /// Its number; later ones are higher. What happens again gets a new one.
    pub seq: u64,
    /// When it was over, the last time; in nanoseconds on the control domain's clock.
    pub at_ns: u64,
    /// How often it happened.
    pub times: u32,
    /// When it was over the first time.
    pub first_ns: u64,
    /// How long it took, the last time, in microseconds.
    pub us: u64,
    /// On whose account.
    pub who: Who,
    /// What happened.
    pub event: Event,
}

/// On whose account something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Who {
    /// Somebody gave a command.
    Command,
    /// A domain's rule for its end said so.
    Rule,
    /// A guest did it by itself.
    Guest,
    /// Another domain with the power to do so.
    Stranger,
    /// The control domain, without being asked.
    Control,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Event {
    /// The control domain started.
    Started {
        /// Its version.
        version: String,
        /// The Xen that it found, as `4.17`.
        xen: String,
    },
    /// A domain was built.
    Created {
        /// Its name.
        name: String,
        /// Where the time went, and what else is known of it.
        created: Created,
    },
    /// A domain was not built.
    NotCreated {
        /// Its name.
        name: String,
        /// Why.
        why: CreateError,
    },
    /// A domain goes on after its end without something that it had, since it could not have been built with it.
    NotKept {
        /// Its name.
        name: String,
        /// What was in the way.
        why: CreateError,
    },
    /// A command on a domain or a pool was carried out, or refused.
    Command {
        /// xm's word for it, with what else there was to say: `mem-set 64 MiB`.
        what: String,
        /// The domain's name, or the word that names none; `pool` and the pool's name.
        name: String,
        /// The domain's id, where there is one.
        domid: Option<u16>,
        /// Why it was refused, in a few words.
        why: Option<String>,
    },
    /// A domain ended by itself.
    Ended {
        /// Its name.
        name: String,
        /// Its id.
        domid: u16,
        /// How.
        reason: ShutdownReason,
    },
    /// The rule for a domain's end was looked up.
    Rule {
        /// The domain's name.
        name: String,
        /// How it ended.
        reason: ShutdownReason,
        /// What follows.
        action: Action,
        /// It says otherwise, but the last restart was only so many nanoseconds ago.
        too_fast_ns: Option<u64>,
    },
    /// A domain was destroyed without a command.
    Destroyed {
        /// Its name.
        name: String,
        /// Its id.
        domid: u16,
        /// Why not, if Xen keeps it.
        why: Option<DomainError>,
    },
    /// The machine is being ended.
    Halt {
        /// With this code.
        code: u8,
    },
}
