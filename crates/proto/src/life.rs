//! Asking guests to end, following their lives, and the other commands on a life as a whole: rename, reset, trigger, sysrq.

use alloc::string::String;
use alloc::vec::Vec;

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::domain::{DomainRef, Ended};
use crate::error::{CreateError, DomainError, XenError};

/// Names one life of one domain: domids and names may be used again, this is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Schema)]
pub struct Life(pub u64);

/// How a guest is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum End {
    /// Shut down and switch off.
    Poweroff,
    /// Shut down and halt. Linux switches off as well.
    Halt,
    /// Shut down and start again.
    Reboot,
}

/// Whom a request is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Whom {
    /// Every domain that runs and has this id or a higher one, but the control domain; as many as fit into the answer.
    From(u16),
    /// One domain.
    One(DomainRef),
}

/// Asks guests to end. The answer comes at once: what becomes of the request, a [`FollowRequest`] tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct EndRequest {
    /// Who is asked.
    pub whom: Whom,
    /// What they are asked for.
    pub end: End,
}

/// Guests that were asked to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct AskedPage {
    /// Who was asked, by id.
    pub asked: Vec<Asked>,
    /// From which id on to ask the others; none, where all were asked.
    pub next: Option<u16>,
}

/// A guest that was asked to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Asked {
    /// The life that is to end.
    pub life: Life,
    /// The domain's id.
    pub domid: u16,
    /// Its name.
    pub name: String,
}

/// Asks how far some lives have come.
///
/// Answered when one of them is further than the asker has seen, or when patience is over. The answer has a stage for each
/// life, in the same order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct FollowRequest {
    /// The lives, each with the phase that the asker knows of.
    pub lives: Vec<(Life, Phase)>,
    /// How long an answer may take, in milliseconds.
    pub patience_ms: u32,
}

/// How far a life has come, coarsely and in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Schema)]
pub enum Phase {
    /// It was asked to end, and has not taken the request.
    Asked,
    /// It has taken the request (or there is none), and lives.
    Taken,
    /// It has ended, and its rule is being followed.
    Ended,
    /// Nothing more will happen.
    Settled,
}

/// How far a life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Stage {
    /// [`Phase::Asked`]; why, as far as that can be seen.
    Asked(Silence),
    /// [`Phase::Taken`].
    Taken,
    /// [`Phase::Ended`].
    Ended,
    /// [`Phase::Settled`].
    Settled {
        /// How it ended.
        ended: Ended,
        /// What is left of the domain.
        outcome: Outcome,
    },
}

impl Stage {
    /// The stage without its facts.
    pub fn phase(self) -> Phase {
        match self {
            Stage::Asked(_) => Phase::Asked,
            Stage::Taken => Phase::Taken,
            Stage::Ended => Phase::Ended,
            Stage::Settled { .. } => Phase::Settled,
        }
    }
}

/// Why a guest does not take a request; the first of these that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Silence {
    /// It is paused.
    Paused,
    /// It has never sent a word to xenstore: it has no driver, or has not come so far.
    NeverSpoke,
    /// It uses xenstore, but has not announced that it obeys (`control/feature-...`).
    NoDriver,
    /// It has announced that it obeys, and does not.
    Unanswered,
}

/// What is left of a domain after a life of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Outcome {
    /// Nothing.
    Gone,
    /// It is kept as it ended.
    Preserved,
    /// Its next life.
    Restarted {
        /// The id of that.
        domid: u16,
    },
}

/// Sends a guest a system request ("magic SysRq"), and waits until it has taken it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct SysrqRequest {
    /// Which guest.
    pub domain: DomainRef,
    /// The key, a printable letter of ASCII.
    pub letter: u8,
    /// How long that may take, in milliseconds.
    pub patience_ms: u32,
}

/// A guest was not sent a system request, or has not taken it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum SysrqError {
    /// Not with this domain.
    Domain(DomainError),
    /// The key is no printable letter of ASCII.
    BadLetter,
    /// It was not taken in the given time. It still stands there.
    NotTaken(Silence),
    /// It was not sent: the one before it was not taken in the given time, and stands there.
    Occupied(Silence),
}

/// Gives a domain another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct RenameRequest {
    /// Which domain.
    pub domain: DomainRef,
    /// Its new name.
    pub name: String,
}

/// A domain keeps its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum RenameError {
    /// The domain cannot be renamed.
    Domain(DomainError),
    /// The new name is empty or has a letter that names may not have.
    BadName,
    /// The new name is another domain's.
    NameInUse {
        /// Its id, once it has one.
        domid: Option<u16>,
    },
}

/// A domain was not reset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum ResetError {
    /// It is as it was.
    Refused(DomainError),
    /// It is as it was: it could not be built again.
    Impossible(CreateError),
    /// It was destroyed, and then could not be built.
    Lost(CreateError),
}

/// Presses a button of a domain, or sends it an interrupt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct TriggerRequest {
    /// Which domain.
    pub domain: DomainRef,
    /// What.
    pub trigger: Trigger,
    /// To which vCPU.
    pub vcpu: u32,
}

/// What can be triggered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Trigger {
    /// A non-maskable interrupt.
    Nmi,
    /// A reset of the vCPU.
    Reset,
    /// An INIT.
    Init,
    /// ACPI's power button.
    Power,
    /// ACPI's sleep button.
    Sleep,
    /// The return from ACPI's S3.
    S3Resume,
}

/// Nothing was triggered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum TriggerError {
    /// Not with this domain.
    Domain(DomainError),
    /// The domain has no such vCPU.
    NoVcpu {
        /// How many it has.
        vcpus: u32,
    },
    /// The guest has no ACPI power management: it is a PVH guest. Xen would accept it, and nothing would happen.
    NoAcpi,
    /// This Xen does not know the trigger.
    Unknown(XenError),
}
