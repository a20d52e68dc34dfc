//! Runs one history against our store and one peer, step by step, and compares what comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use store_peers::PeerKind;

use crate::history::{CONTROLS, Step, Who, ty};
use crate::ours::Ours;
use crate::peer::PeerServer;
use crate::report::{Asked, Difference, Report, Transaction, What};
use crate::rules::{self, Effect};
use crate::server::{Events, Reply, Server};

/// A transaction's number that no server gives.
const UNKNOWN_TRANSACTION: u32 = 0x7fff_fff1;

/// Runs the history against fresh servers.
///
/// # Errors
/// The peer cannot be started.
pub fn run(history: &[Step], peer: PeerKind) -> io::Result<Report> {
    let mut pair = Pair {
        kind: peer,
        ours: Ours::new(),
        theirs: PeerServer::start(peer)?,
        connected: CONTROLS.into(),
        transactions: BTreeMap::new(),
        has_targets: false,
        at: 0,
        last: None,
        report: Report::default(),
    };
    // Some servers begin with it, some without.
    if let Err(Stop::Broken(error)) = pair.control(ty::MKDIR, "/local/domain\0").map(drop) {
        return Ok(pair.broken(error));
    }
    for (at, step) in history.iter().enumerate() {
        pair.at = at;
        pair.last = Some(step.clone());
        let is_end = pair.ends_a_domain(step);
        let done = pair.step(step).and_then(|()| pair.compare_events());
        match done.and_then(|()| if is_end { pair.see_off() } else { Ok(()) }) {
            Ok(()) => {}
            Err(Stop::Found) => return Ok(pair.report),
            Err(Stop::Broken(error)) => return Ok(pair.broken(error)),
        }
    }
    pair.at = history.len();
    pair.last = None;
    match pair.compare_trees() {
        Ok(()) | Err(Stop::Found) => Ok(pair.report),
        Err(Stop::Broken(error)) => Ok(pair.broken(error)),
    }
}

/// Why a history is not run to its end.
enum Stop {
    /// The stores differ; the report says whether that is allowed.
    Found,
    Broken(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Broken(error)
    }
}

/// The replies of both sides.
struct Both {
    ours: Reply,
    theirs: Reply,
}

/// A transaction under way.
struct Open {
    ours: u32,
    theirs: u32,
    is_overtaken: bool,
}

struct Pair {
    kind: PeerKind,
    ours: Ours,
    theirs: PeerServer,
    connected: BTreeSet<Who>,
    /// The numbers that both sides gave to a transaction.
    transactions: BTreeMap<(Who, u8), Open>,
    /// A domain was made another's target.
    has_targets: bool,
    at: usize,
    /// The step that is being run.
    last: Option<Step>,
    report: Report,
}

impl Pair {
    fn broken(mut self, error: io::Error) -> Report {
        let ended = self.theirs.ended().map_or_else(|| "still there".to_owned(), |status| status.to_string());
        let why = format!("{}: {error} ({ended})", self.theirs.name());
        self.report.gone = Some(why.clone());
        let what = What::Gone(self.last.clone(), why);
        // Nothing can be compared after this, whatever the rule says.
        let _ = self.found(what);
        self.report
    }

    fn servers(&mut self) -> [&mut dyn Server; 2] {
        [&mut self.ours, &mut self.theirs]
    }

    fn step(&mut self, step: &Step) -> Result<(), Stop> {
        if self.ends_a_domain(step) && self.has_targets && self.kind == PeerKind::C {
            return self.cut_short(rules::TARGETS_KEEP_NOTHING);
        }
        match step {
            Step::Boot(domid) => self.boot(*domid),
            Step::ShutDown(domid) if self.connected.contains(&Who::Guest(*domid)) => {
                self.servers().into_iter().try_for_each(|server| server.shut_down(*domid))?;
                Ok(())
            }
            Step::Die(domid) if self.connected.remove(&Who::Guest(*domid)) => {
                self.forget(*domid);
                self.note_change(ty::RELEASE);
                self.servers().into_iter().try_for_each(|server| server.die(*domid))?;
                Ok(())
            }
            Step::Release(domid) if self.connected.remove(&Who::Guest(*domid)) => {
                self.forget(*domid);
                self.servers().into_iter().for_each(|server| server.drop_connection(*domid));
                self.control(ty::RELEASE, &format!("{domid}\0"))?;
                // It runs on: its toolstack still knows it.
                self.servers().into_iter().try_for_each(|server| server.create(*domid))?;
                Ok(())
            }
            Step::Start(who, label) if self.connected.contains(who) => self.start(*who, *label),
            Step::Ask { payload, .. } if payload.is_empty() && self.kind == PeerKind::OCaml => {
                self.allow(rules::EMPTY_PAYLOAD);
                Ok(())
            }
            Step::Ask { who, label, ty, payload } if self.connected.contains(who) => {
                self.ask(*who, *label, *ty, payload).map(drop)
            }
            // Of a domain that is not there.
            _ => Ok(()),
        }
    }

    fn forget(&mut self, domid: u16) {
        self.transactions.retain(|(who, _), _| *who != Who::Guest(domid));
    }

    fn boot(&mut self, domid: u16) -> Result<(), Stop> {
        if !self.connected.insert(Who::Guest(domid)) {
            return Ok(());
        }
        self.servers().into_iter().try_for_each(|server| server.create(domid))?;
        let home = format!("/local/domain/{domid}\0");
        self.control(ty::MKDIR, &home)?;
        self.compare_events()?;
        self.control(ty::SET_PERMS, &format!("{home}n{domid}\0"))?;
        self.compare_events()?;
        self.servers().into_iter().try_for_each(|server| server.boot(domid))?;
        Ok(())
    }

    fn start(&mut self, who: Who, label: u8) -> Result<(), Stop> {
        let Both { ours, theirs } = self.ask(who, 0, ty::TRANSACTION_START, b"\0")?;
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            let number = |payload: Vec<u8>| {
                let text = String::from_utf8_lossy(&payload).trim_end_matches('\0').to_owned();
                text.parse().map_err(|_| io::Error::other(format!("no transaction's number: {text:?}")))
            };
            let open = Open { ours: number(ours)?, theirs: number(theirs)?, is_overtaken: false };
            self.transactions.insert((who, label), open);
        }
        Ok(())
    }

    fn control(&mut self, ty: u32, payload: &str) -> Result<Both, Stop> {
        self.ask(CONTROLS[0], 0, ty, payload.as_bytes())
    }

    /// Asks both, and compares the replies.
    fn ask(&mut self, who: Who, label: u8, ty: u32, payload: &[u8]) -> Result<Both, Stop> {
        let open = self.transactions.get(&(who, label)).filter(|_| label != 0);
        let (transaction, ids) = match open {
            _ if label == 0 => (Transaction::None, (0, 0)),
            None => (Transaction::Unknown, (UNKNOWN_TRANSACTION, UNKNOWN_TRANSACTION)),
            Some(Open { ours, theirs, is_overtaken: false }) => (Transaction::Alone, (*ours, *theirs)),
            Some(Open { ours, theirs, is_overtaken: true }) => (Transaction::Overtaken, (*ours, *theirs)),
        };
        let ours = self.ours.ask(who, ids.0, ty, payload)?;
        let theirs = self.theirs.ask(who, ids.1, ty, payload)?;
        self.report.requests += 1;
        if self.theirs.take_wrong_id() {
            self.allow(rules::WRONG_ID);
        }
        let is_over = ours.is_ok() || ours == Err("EAGAIN".to_owned());
        if ty == ty::TRANSACTION_END && is_over {
            self.transactions.remove(&(who, label));
        }
        let is_target_set = ty == ty::SET_TARGET && theirs.is_ok();
        if is_target_set && self.kind == PeerKind::OCaml && payload.ends_with(b"\x000\0") {
            self.cut_short(rules::TARGETS_LEND_RIGHTS)?;
        }
        self.has_targets |= is_target_set;
        if ty == ty::RESET_WATCHES {
            self.transactions.retain(|(other, _), _| *other != who);
        }
        if label == 0 || ty == ty::TRANSACTION_END {
            self.note_change(ty);
        }
        if normal(ty, &ours) != normal(ty, &theirs) {
            let (ours, theirs) = (ours.clone(), theirs.clone());
            self.found(What::Reply(Asked { who, transaction, ty, payload: payload.to_vec(), ours, theirs }))?;
        }
        Ok(Both { ours, theirs })
    }

    /// Something outside transactions happened: whoever has one open may see it, or not.
    fn note_change(&mut self, ty: u32) {
        let is_reading = matches!(
            ty,
            ty::READ | ty::DIRECTORY | ty::DIRECTORY_PART | ty::GET_PERMS | ty::TRANSACTION_START
        );
        for open in self.transactions.values_mut() {
            open.is_overtaken |= !is_reading;
        }
    }

    fn allow(&mut self, name: &'static str) {
        *self.report.allowed.entry(name).or_default() += 1;
    }

    /// A difference: goes on if a rule allows it and the stores are still the same.
    fn found(&mut self, what: What) -> Result<(), Stop> {
        let Some((name, effect)) = rules::allow(self.kind, &what) else {
            self.report.difference = Some(Difference { at: self.at, what });
            return Err(Stop::Found);
        };
        self.allow(name);
        match effect {
            Effect::Same => Ok(()),
            Effect::Apart => {
                self.report.is_cut_short = true;
                Err(Stop::Found)
            }
        }
    }

    fn cut_short(&mut self, rule: &'static str) -> Result<(), Stop> {
        self.allow(rule);
        self.report.is_cut_short = true;
        Err(Stop::Found)
    }

    fn compare_events(&mut self) -> Result<(), Stop> {
        let (mut ours, mut theirs): (Events, Events) = (self.ours.events()?, self.theirs.events()?);
        for who in self.connected.clone() {
            let mut mine = ours.remove(&who).unwrap_or_default();
            let mut other = theirs.remove(&who).unwrap_or_default();
            self.report.events += mine.len() as u64;
            // The order of one step's events is not promised.
            mine.sort();
            other.sort();
            if mine != other {
                let step = self.last.clone();
                self.found(What::Events { step, who, ours: mine, theirs: other })?;
            }
        }
        Ok(())
    }

    /// Whether the step is the end of a domain that is there.
    fn ends_a_domain(&self, step: &Step) -> bool {
        match step {
            Step::Die(domid) | Step::Release(domid) => self.connected.contains(&Who::Guest(*domid)),
            _ => false,
        }
    }

    /// What a domain leaves behind differs.
    fn see_off(&mut self) -> Result<(), Stop> {
        if self.kind == PeerKind::OCaml { self.cut_short(rules::NODES_OF_THE_GONE) } else { Ok(()) }
    }

    /// Everything that the control domain sees, from the root on.
    fn compare_trees(&mut self) -> Result<(), Stop> {
        let mut paths = vec![String::new()];
        while let Some(path) = paths.pop() {
            let name = if path.is_empty() { "/" } else { &path };
            // That one's value is the server's own.
            if name != "/tool/xenstored" {
                self.control(ty::READ, &format!("{name}\0"))?;
            }
            self.control(ty::GET_PERMS, &format!("{name}\0"))?;
            let Both { ours, .. } = self.control(ty::DIRECTORY, &format!("{name}\0"))?;
            let names = String::from_utf8_lossy(&ours.unwrap_or_default()).into_owned();
            paths.extend(names.split_terminator('\0').map(|child| format!("{path}/{child}")));
        }
        Ok(())
    }
}

/// A reply without what servers are free to choose: numbers of transactions and versions, and the order of names in a directory.
fn normal(ty: u32, reply: &Reply) -> Reply {
    let sorted = |names: &[u8]| {
        let mut names: Vec<&[u8]> = names.split_inclusive(|byte| *byte == 0).collect();
        names.sort();
        names.concat()
    };
    let payload = reply.as_ref().map_err(Clone::clone)?;
    Ok(match ty {
        ty::TRANSACTION_START => Vec::new(),
        ty::DIRECTORY => sorted(payload),
        ty::DIRECTORY_PART => {
            let version = payload.iter().position(|byte| *byte == 0).map_or(0, |nul| nul + 1);
            sorted(&payload[version..])
        }
        _ => payload.clone(),
    })
}
