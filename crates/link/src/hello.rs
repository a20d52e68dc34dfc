//! The hello: who is there, and whom they believe to talk to.
//!
//! ```text
//! version:2 flags:1 | from: boot:8 epoch:4 | to: boot:8 epoch:4 (0 0: nobody) |
//! window:1 record:2 message_limit:4 message_credit:4
//! ```
//!
//! The first three bytes stay as they are in every version, and so do the frame's form and its checksum: two versions
//! of the link can always tell each other which they are.
//!
//! An end's identity is its boot id and its epoch, which it raises whenever it throws away a session in
//! which anything was exchanged. So a pair of identities names one session, whose state is fresh
//! at both ends when it begins.

use alloc::vec::Vec;

use crate::LINK_VERSION;
use crate::config::{Config, MAX_RECORD, MAX_WINDOW};
use crate::event::BootId;
use crate::frame::{CRC, Tag, take};

/// Flag: please answer with a hello.
const ANSWER: u8 = 1;

/// What a message costs of the credit beside its bytes: what keeping it takes, so that empty ones are bounded too.
pub(crate) const MESSAGE_COST: u32 = 128;

/// The smallest record size that an end may ask for.
pub(crate) const MIN_RECORD: usize = 64;

/// One end, since it last threw a session away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) boot: BootId,
    pub(crate) epoch: u32,
}

impl Identity {
    fn bytes(this: Option<Self>) -> [u8; 12] {
        let mut bytes = [0; 12];
        if let Some(this) = this {
            bytes[..8].copy_from_slice(&this.boot.get().to_le_bytes());
            bytes[8..].copy_from_slice(&this.epoch.to_le_bytes());
        }
        bytes
    }

    fn take(bytes: &mut &[u8]) -> Option<Option<Self>> {
        let boot = u64::from_le_bytes(take(bytes)?);
        let epoch = u32::from_le_bytes(take(bytes)?);
        Some((boot != 0).then_some(Self { boot: BootId::new(boot), epoch }))
    }

    /// The tag of frames that go from here to `to`.
    pub(crate) fn tag_towards(self, to: Self) -> Tag {
        let mut digest = CRC.digest();
        digest.update(&Self::bytes(Some(self)));
        digest.update(&Self::bytes(Some(to)));
        Tag(digest.finalize() as u16)
    }
}

/// What an end can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Frames that it keeps beyond a gap.
    pub(crate) window: usize,
    /// Bytes of a record.
    pub(crate) record: usize,
    /// Bytes of a message.
    pub(crate) message: u32,
    /// Bytes of messages, with [`MESSAGE_COST`] each, that it takes before it grants more.
    pub(crate) credit: u32,
}

impl Limits {
    /// What an end of this configuration takes, made sane.
    ///
    /// The credit exceeds a message by what may be held back before it is granted again, so
    /// that the longest message can always be completed.
    pub(crate) fn of(config: &Config) -> Self {
        let message = config.message_in.min(1 << 30) as u32;
        Self {
            window: config.window.clamp(1, MAX_WINDOW),
            record: config.record.clamp(MIN_RECORD, MAX_RECORD),
            message,
            credit: message + message / 4 + MESSAGE_COST,
        }
    }
}

/// A hello in our version, or the little that is known of one in another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hello {
    /// In our version.
    Ours {
        /// The sender wants a hello back.
        answer: bool,
        from: Identity,
        /// Whom the sender believes to talk to.
        to: Option<Identity>,
        limits: Limits,
    },
    /// In another version.
    Other { version: u16, answer: bool },
}

impl Hello {
    pub(crate) fn parse(mut bytes: &[u8]) -> Option<Self> {
        let version = u16::from_le_bytes(take(&mut bytes)?);
        let [flags] = take(&mut bytes)?;
        let answer = flags & ANSWER != 0;
        if version != LINK_VERSION {
            return Some(Self::Other { version, answer });
        }
        let from = Identity::take(&mut bytes)??;
        let to = Identity::take(&mut bytes)?;
        let [window] = take(&mut bytes)?;
        let limits = Limits {
            window: usize::from(window).clamp(1, MAX_WINDOW),
            record: usize::from(u16::from_le_bytes(take(&mut bytes)?)).clamp(MIN_RECORD, MAX_RECORD),
            message: u32::from_le_bytes(take(&mut bytes)?),
            credit: u32::from_le_bytes(take(&mut bytes)?),
        };
        bytes.is_empty().then_some(Self::Ours { answer, from, to, limits })
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ours { answer, from, to, limits } => {
                out.extend(LINK_VERSION.to_le_bytes());
                out.push(if *answer { ANSWER } else { 0 });
                out.extend(Identity::bytes(Some(*from)));
                out.extend(Identity::bytes(*to));
                out.push(limits.window as u8);
                out.extend((limits.record as u16).to_le_bytes());
                out.extend(limits.message.to_le_bytes());
                out.extend(limits.credit.to_le_bytes());
            }
            Self::Other { version, answer } => {
                out.extend(version.to_le_bytes());
                out.push(if *answer { ANSWER } else { 0 });
            }
        }
    }
}
