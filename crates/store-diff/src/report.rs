//! What comes of a comparison.

use std::collections::BTreeMap;
use std::fmt;

use crate::history::{Step, Who};
use crate::server::Reply;

/// Whether a request was made in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// It was not.
    None,
    /// In one that nobody has begun, or that is over.
    Unknown,
    /// In one since whose start nobody else has changed anything.
    Alone,
    /// In one since whose start somebody else has, or may have, changed something.
    Overtaken,
}

/// What one request came to on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who asked.
    pub who: Who,
    /// Whether it was in a transaction.
    pub transaction: Transaction,
    /// The request's type.
    pub ty: u32,
    /// The request's payload.
    pub payload: Vec<u8>,
    /// Our reply.
    pub ours: Reply,
    /// The peer's.
    pub theirs: Reply,
}

/// Something that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The reply to a request.
    Reply(Asked),
    /// The events of one connection after a step.
    Events {
        /// After this step; the one after the last is none.
        step: Option<Step>,
        /// Who hears them.
        who: Who,
        /// Ours, sorted.
        ours: Vec<(String, String)>,
        /// The peer's, sorted.
        theirs: Vec<(String, String)>,
    },
    /// The peer does not answer: the last request, and what is known.
    Gone(Option<Step>, String),
}

/// A difference, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The step; one past the last is the look at the whole store.
    pub at: usize,
    /// What differs.
    pub what: What,
}

fn text(reply: &Reply) -> String {
    match reply {
        Ok(payload) => crate::text::escape(payload),
        Err(error) => error.clone(),
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}: ", self.at + 1)?;
        match &self.what {
            What::Reply(asked) => {
                let Asked { who, transaction, ty, payload, ours, theirs } = asked;
                let label = u8::from(*transaction != Transaction::None);
                let step = Step::Ask { who: *who, label, ty: *ty, payload: payload.clone() };
                write!(
                    f,
                    "{step} (transaction: {transaction:?}): ours {}, theirs {}",
                    text(ours),
                    text(theirs)
                )
            }
            What::Events { who, ours, theirs, .. } => {
                write!(f, "{who} hears {ours:?}, with the peer {theirs:?}")
            }
            What::Gone(_, why) => f.write_str(why),
        }
    }
}

/// What came of a history.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What no rule allows; after the first the rest of the history is not run.
    pub difference: Option<Difference>,
    /// How often each rule was needed.
    pub allowed: BTreeMap<&'static str, u64>,
    /// Requests whose replies were compared.
    pub requests: u64,
    /// Events that were compared.
    pub events: u64,
    /// How the peer's process came to answer no more, if it did.
    pub gone: Option<String>,
    /// Whether a rule ended the history, since the stores were not the same any more.
    pub is_cut_short: bool,
}
