//! CONTROL: commands to the server itself, as `xenstore-control` sends them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::domains::domain_id;
use super::{Asked, OK};
use crate::Error;
use crate::connection::ConnId;
use crate::ledger::Ledger;
use crate::quota::{ITEMS, Peaks, SOFT_MEMORY};
use crate::store::Store;
use crate::wire::{Request, decimal, strings};

type Command = fn(&mut Store, &[&[u8]]) -> Result<Vec<u8>, Error>;

/// Each command with its parameters, as `help` shows them.
const COMMANDS: [(&str, &str, Command); 9] = [
    ("check", "", check),
    ("log", "[on|off|+<switch>|-<switch>]", log),
    ("live-update", "not available", live_update),
    ("logfile", "<file>", logfile),
    ("memreport", "", memreport),
    ("print", "<string>", print),
    ("quota", "[set <name> <val>|<domid>|max [-r]]", quota),
    ("quota-soft", "[set <name> <val>]", quota_soft),
    ("help", "", help),
];

/// The one thing that can be logged.
const LOG_SWITCH: &str = "io";

impl Store {
    pub(super) fn control_command(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, Error> {
        let args: Vec<&[u8]> = strings(asked.payload).collect();
        let (name, args) = args.split_first().ok_or(Error::Invalid)?;
        let known = COMMANDS.iter().find(|(known, ..)| known.as_bytes() == *name);
        let (.., command) = known.ok_or(Error::Invalid)?;
        command(self, args)
    }

    /// Tells the host of a request and its answer: who, what, how much came back.
    pub(super) fn log(&mut self, conn: ConnId, request: &Request, answer: &Result<Vec<u8>, Error>) {
        let who = self.conns.get(&conn).map_or(0, |conn| conn.party.domid.0);
        let Request { ty, req_id, tx_id, payload } = request;
        let shown = String::from_utf8_lossy(&payload[..payload.len().min(LOGGED_MAX)]).replace('\0', " ");
        let shown: String = shown.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        let done = match answer {
            Ok(payload) => format!("{} bytes", payload.len()),
            Err(error) => error.to_string(),
        };
        let line =
            format!("d{who} type {} req {req_id} tx {tx_id} ({}) {shown}-> {done}", ty.0, payload.len());
        self.host.log(&line);
    }

    /// Compares the accounts with the tree. Work that waits is done first.
    fn check_accounts(&mut self) -> Result<(), Error> {
        while self.work(usize::MAX) {}
        let mut counted = Ledger::default();
        self.tree.nodes().for_each(|node| counted.add(node.perms.owner(), 1, node.cost() as isize));
        for conn in self.conns.values() {
            let watches =
                conn.watches.iter().filter_map(|id| self.watches.get(*id)).map(|watch| watch.cost());
            let transactions = conn.transactions.values().map(|transaction| transaction.charged);
            counted.add(conn.party, 0, watches.chain(transactions).sum::<usize>() as isize);
        }
        let is_right = self.domains.usages().filter(|(domid, _)| !self.domains.is_control(*domid)).all(
            |(domid, usage)| {
                let found = self.domains.party(domid).map(|party| counted.of(party));
                found == Some((usage.nodes as isize, usage.memory as isize))
            },
        );
        if is_right { Ok(()) } else { Err(Error::Invalid) }
    }
}

/// How much of a request's payload is logged.
const LOGGED_MAX: usize = 256;

fn check(store: &mut Store, args: &[&[u8]]) -> Result<Vec<u8>, Error> {
    match args {
        [] => store.check_accounts().map(|()| OK.to_vec()),
        _ => Err(Error::Invalid),
    }
}

fn log(store: &mut Store, args: &[&[u8]]) -> Result<Vec<u8>, Error> {
    store.is_logging = match args {
        [] => {
            let state = if store.is_logging { "on" } else { "off" };
            return Ok(format!("Log switch settings:\n{LOG_SWITCH:<8}: {state}\n\0").into_bytes());
        }
        [b"on" | b"+io"] => true,
        [b"off" | b"-io"] => false,
        _ => return Err(Error::Invalid),
    };
    Ok(OK.to_vec())
}

/// Upstream answers whatever goes wrong with this as text, which its client shows.
fn live_update(_: &mut Store, _: &[&[u8]]) -> Result<Vec<u8>, Error> {
    Ok(b"live-update is not available\0".to_vec())
}

fn logfile(store: &mut Store, args: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let [file] = args else { return Err(Error::Invalid) };
    store.host.log_to(core::str::from_utf8(file).map_err(|_| Error::Invalid)?)?;
    Ok(OK.to_vec())
}

/// Upstream writes its report to a file; ours is the answer.
fn memreport(store: &mut Store, args: &[&[u8]]) -> Result<Vec<u8>, Error> {
    if !args.is_empty() {
        return Err(Error::Unsupported);
    }
    let mut report = format!(
        "connections {}\nwatches {}\ntransactions {}\ndomains {}\nall guests' memory {}\nwork {}\n",
        store.conns.len(),
        store.watches.count(),
        store.conns.values().map(|conn| conn.transactions.len()).sum::<usize>(),
        store.domains.usages().count(),
        store.domains.charged(),
        if store.has_work() { "waits" } else { "none" },
    );
    for (domid, usage) in store.domains.usages() {
        // Several hundred domains do not fit into one message.
        if report.len() > REPORT_MAX {
            report += "...\n";
            break;
        }
        let limit = store.domains.get(domid).map_or(0, |domain| domain.quota.soft_memory as usize);
        let much = if limit != 0 && usage.memory > limit { " over the soft limit" } else { "" };
        let _ = writeln!(report, "domain {} memory {} nodes {}{much}", domid.0, usage.memory, usage.nodes);
    }
    report.push('\0');
    Ok(report.into_bytes())
}

/// Where the memory report ends, so that it fits into one message.
const REPORT_MAX: usize = 3900;

fn print(store: &mut Store, args: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let [text] = args else { return Err(Error::Invalid) };
    store.host.print(&String::from_utf8_lossy(text));
    Ok(OK.to_vec())
}

fn quota(store: &mut Store, args: &[&[u8]]) -> Result<Vec<u8>, Error> {
    match args {
        [] => {
            let mut shown = String::from("Quota settings:\n");
            for (item, name, about) in ITEMS {
                let _ = writeln!(shown, "{name:<17}: {:>8} {about}", store.domains.limits.quota.get(item));
            }
            Ok((shown + "\0").into_bytes())
        }
        [b"set", name, value] => match *name {
            name if name == SOFT_MEMORY.as_bytes() => Err(Error::Invalid),
            name => set_default(store, name, value),
        },
        [b"max"] => Ok(peaks(&store.domains.peaks)),
        [b"max", b"-r"] => {
            store.domains.peaks = Peaks::default();
            Ok(peaks(&store.domains.peaks))
        }
        [domid] => {
            let domid = domain_id(domid)?;
            let domain = store.domains.get(domid).ok_or(Error::NotFound)?;
            let mut shown = format!("Domain {}:\n", domid.0);
            for (item, name, _) in ITEMS {
                let (now, most) = (domain.usage.get(item), domain.peaks.get(item));
                let _ = writeln!(shown, "{name:<17}: {now:>8} (max {most:>8})");
            }
            Ok((shown + "\0").into_bytes())
        }
        _ => Err(Error::Invalid),
    }
}

fn quota_soft(store: &mut Store, args: &[&[u8]]) -> Result<Vec<u8>, Error> {
    match args {
        [] => {
            let soft = store.domains.limits.quota.soft_memory;
            Ok(format!("Quota settings:\n{:<17}: {soft:>8} Total Xenstore memory per domain\n\0", "memory")
                .into_bytes())
        }
        [b"set", b"memory", value] => set_default(store, SOFT_MEMORY.as_bytes(), value),
        _ => Err(Error::Invalid),
    }
}

fn set_default(store: &mut Store, name: &[u8], value: &[u8]) -> Result<Vec<u8>, Error> {
    let value = decimal(value)?;
    let name = core::str::from_utf8(name).map_err(|_| Error::Invalid)?;
    let limit = store.domains.limits.quota.by_name(name).ok_or(Error::Invalid)?;
    // 0, no limit, is for SET_QUOTA alone.
    if value == 0 {
        return Err(Error::Invalid);
    }
    *limit = value;
    Ok(OK.to_vec())
}

fn peaks(peaks: &Peaks) -> Vec<u8> {
    let mut shown = String::from("Max. seen accounting values:\n");
    for (item, name, _) in ITEMS {
        let _ = writeln!(shown, "{name:<17}: {:>8}", peaks.get(item));
    }
    (shown + "\0").into_bytes()
}

fn help(_: &mut Store, args: &[&[u8]]) -> Result<Vec<u8>, Error> {
    if !args.is_empty() {
        return Err(Error::Invalid);
    }
    let mut shown = String::new();
    for (name, parameters, _) in COMMANDS {
        let _ = writeln!(shown, "{name:<15} {parameters}");
    }
    Ok((shown + "\0").into_bytes())
}
