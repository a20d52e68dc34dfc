//! The differences that are wanted, each by name; `docs/xenstore-differences.md` says under the same name why.
//!
//! A rule is narrow: it names the peer, the request and the answers of both sides. Where it leaves the two stores different, the rest
//! of the history is not compared. `corpus/differences.txt` has a history for every rule that needs it, so that none stays that nobody
//! needs.

mod both;
mod c;
mod ocaml;

use std::collections::BTreeSet;

use store_peers::PeerKind;

use crate::history::{Step, Who};
use crate::report::{Asked, What};

/// Whether the stores are still the same after a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// They are.
    Same,
    /// They may not be: what comes after cannot be compared.
    Apart,
}

/// Replies with another transaction's number than their request's: only oxenstored has them.
pub const WRONG_ID: &str = "replies-carry-their-ids";
/// What a domain that is gone has left: only oxenstored keeps it.
pub const NODES_OF_THE_GONE: &str = "nodes-of-the-gone-are-removed";
/// A domain that another has as its target is never quite gone: in the C server only.
pub const TARGETS_KEEP_NOTHING: &str = "targets-keep-nothing";
/// Requests without any payload: oxenstored answers them when the next one comes.
pub const EMPTY_PAYLOAD: &str = "empty-payloads-are-answered";

/// A domain that has the control domain as its target is the control domain: in oxenstored only.
pub const TARGETS_LEND_RIGHTS: &str = "targets-lend-no-privilege";

/// The rules that [`crate::compare`] applies by itself, since they are not about one answer.
const OTHERS: &[(PeerKind, &str)] = &[
    (PeerKind::OCaml, WRONG_ID),
    (PeerKind::OCaml, EMPTY_PAYLOAD),
    (PeerKind::OCaml, NODES_OF_THE_GONE),
    (PeerKind::OCaml, TARGETS_LEND_RIGHTS),
    (PeerKind::C, TARGETS_KEEP_NOTHING),
];

/// The rule that allows a difference.
pub fn allow(peer: PeerKind, what: &What) -> Option<(&'static str, Effect)> {
    let rule = rules(peer).find(|rule| match (&rule.allows, what) {
        (Allows::Reply(allows), What::Reply(asked)) => allows(asked),
        (Allows::Events(allows), What::Events { step, who, ours, theirs }) => {
            allows(&Heard { step: step.as_ref(), who: *who, ours, theirs })
        }
        (Allows::Gone(allows), What::Gone(Some(step), _)) => allows(step),
        _ => false,
    })?;
    Some((rule.name, rule.effect))
}

/// All rules: the peer that each is for, and its name.
pub fn all() -> BTreeSet<(PeerKind, &'static str)> {
    let named = PeerKind::ALL.into_iter().flat_map(|peer| rules(peer).map(move |rule| (peer, rule.name)));
    named.chain(OTHERS.iter().copied()).collect()
}

/// A peer's rules; of several that fit, the first is taken.
fn rules(peer: PeerKind) -> impl Iterator<Item = &'static Rule> {
    let own = match peer {
        PeerKind::C => c::RULES,
        PeerKind::OCaml => ocaml::RULES,
    };
    both::RULES.iter().chain(own)
}

/// One rule.
struct Rule {
    name: &'static str,
    effect: Effect,
    allows: Allows,
}

/// What a rule looks at.
enum Allows {
    Reply(fn(&Asked) -> bool),
    Events(fn(&Heard<'_>) -> bool),
    /// The step at which the peer went silent.
    Gone(fn(&Step) -> bool),
}

/// Path and token.
type Event = (String, String);

/// One connection's events of a step, sorted.
struct Heard<'a> {
    step: Option<&'a Step>,
    who: Who,
    ours: &'a [Event],
    theirs: &'a [Event],
}

impl Heard<'_> {
    fn our_kinds(&self) -> BTreeSet<&Event> {
        self.ours.iter().collect()
    }

    fn their_kinds(&self) -> BTreeSet<&Event> {
        self.theirs.iter().collect()
    }

    /// The peer's events are ours and others.
    fn are_more_there(&self) -> bool {
        self.our_kinds().is_subset(&self.their_kinds())
    }

    /// Our events are the peer's and others.
    fn are_more_here(&self) -> bool {
        self.their_kinds().is_subset(&self.our_kinds())
    }
}

impl Asked {
    /// Whether the two sides answer with these errors; `OK` is any success.
    fn are(&self, ours: &str, theirs: &str) -> bool {
        self.our_word() == ours && self.their_word() == theirs
    }

    fn our_word(&self) -> &str {
        self.ours.as_ref().err().map_or("OK", |error| error)
    }

    fn their_word(&self) -> &str {
        self.theirs.as_ref().err().map_or("OK", |error| error)
    }

    fn is(&self, types: &[u32]) -> bool {
        types.contains(&self.ty)
    }

    /// The request's first string.
    fn path(&self) -> &[u8] {
        self.payload.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    fn is_special(&self) -> bool {
        self.path().starts_with(b"@")
    }
}

/// A reply's strings.
fn strings(reply: &[u8]) -> BTreeSet<String> {
    String::from_utf8_lossy(reply).split_terminator('\0').map(str::to_owned).collect()
}

const fn same(name: &'static str, allows: fn(&Asked) -> bool) -> Rule {
    Rule { name, effect: Effect::Same, allows: Allows::Reply(allows) }
}

const fn apart(name: &'static str, allows: fn(&Asked) -> bool) -> Rule {
    Rule { name, effect: Effect::Apart, allows: Allows::Reply(allows) }
}

const fn events(name: &'static str, allows: fn(&Heard<'_>) -> bool) -> Rule {
    Rule { name, effect: Effect::Same, allows: Allows::Events(allows) }
}

const fn gone(name: &'static str, allows: fn(&Step) -> bool) -> Rule {
    Rule { name, effect: Effect::Apart, allows: Allows::Gone(allows) }
}
