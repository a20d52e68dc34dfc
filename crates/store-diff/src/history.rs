//! Histories: what several connections do, one step after the other.

use std::fmt;
use std::str::FromStr;

use crate::text::{escape, unescape};

/// Request and reply types by number. C: `enum xsd_sockmsg_type`.
pub mod ty {
    #![allow(missing_docs)] // The names are the protocol's own.
    pub const CONTROL: u32 = 0;
    pub const DIRECTORY: u32 = 1;
    pub const READ: u32 = 2;
    pub const GET_PERMS: u32 = 3;
    pub const WATCH: u32 = 4;
    pub const UNWATCH: u32 = 5;
    pub const TRANSACTION_START: u32 = 6;
    pub const TRANSACTION_END: u32 = 7;
    pub const INTRODUCE: u32 = 8;
    pub const RELEASE: u32 = 9;
    pub const GET_DOMAIN_PATH: u32 = 10;
    pub const WRITE: u32 = 11;
    pub const MKDIR: u32 = 12;
    pub const RM: u32 = 13;
    pub const SET_PERMS: u32 = 14;
    pub const WATCH_EVENT: u32 = 15;
    pub const ERROR: u32 = 16;
    pub const IS_DOMAIN_INTRODUCED: u32 = 17;
    pub const RESUME: u32 = 18;
    pub const SET_TARGET: u32 = 19;
    pub const RESET_WATCHES: u32 = 21;
    pub const DIRECTORY_PART: u32 = 22;

    /// The types' names; others are written as numbers.
    pub(crate) const NAMES: &[(u32, &str)] = &[
        (CONTROL, "CONTROL"),
        (DIRECTORY, "DIRECTORY"),
        (READ, "READ"),
        (GET_PERMS, "GET_PERMS"),
        (WATCH, "WATCH"),
        (UNWATCH, "UNWATCH"),
        (TRANSACTION_START, "TRANSACTION_START"),
        (TRANSACTION_END, "TRANSACTION_END"),
        (INTRODUCE, "INTRODUCE"),
        (RELEASE, "RELEASE"),
        (GET_DOMAIN_PATH, "GET_DOMAIN_PATH"),
        (WRITE, "WRITE"),
        (MKDIR, "MKDIR"),
        (RM, "RM"),
        (SET_PERMS, "SET_PERMS"),
        (IS_DOMAIN_INTRODUCED, "IS_DOMAIN_INTRODUCED"),
        (RESUME, "RESUME"),
        (SET_TARGET, "SET_TARGET"),
        (RESET_WATCHES, "RESET_WATCHES"),
        (DIRECTORY_PART, "DIRECTORY_PART"),
    ];
}

/// One connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// One of the control domain's.
    Control(u8),
    /// A guest's only one.
    Guest(u16),
}

/// The control domain's connections.
pub const CONTROLS: [Who; 2] = [Who::Control(0), Who::Control(1)];

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Control(number) => write!(f, "c{number}"),
            Who::Guest(domid) => write!(f, "d{domid}"),
        }
    }
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The toolstack makes a domain and its home, and introduces it.
    Boot(u16),
    /// The domain shuts down.
    ShutDown(u16),
    /// The domain is destroyed.
    Die(u16),
    /// The toolstack releases the domain, which runs on.
    Release(u16),
    /// A connection begins a transaction. The server's own number for it is remembered under the label.
    Start(Who, u8),
    /// A connection asks something.
    Ask {
        /// Who asks.
        who: Who,
        /// In the transaction with this label; 0 is none. One that was never begun is a number that no server gives.
        label: u8,
        /// The request's type.
        ty: u32,
        /// All that follows the header.
        payload: Vec<u8>,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Boot(domid) => write!(f, "boot {domid}"),
            Step::ShutDown(domid) => write!(f, "shutdown {domid}"),
            Step::Die(domid) => write!(f, "die {domid}"),
            Step::Release(domid) => write!(f, "release {domid}"),
            Step::Start(who, label) => write!(f, "{who} start t{label}"),
            Step::Ask { who, label, ty, payload } => {
                let name = ty::NAMES.iter().find(|(number, _)| number == ty);
                let name = name.map_or_else(|| ty.to_string(), |(_, name)| (*name).to_owned());
                write!(f, "{who} t{label} {name} {}", escape(payload))
            }
        }
    }
}

/// A line that is no step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine(
    /// The line.
    pub String,
);

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no step: {:?}", self.0)
    }
}

impl std::error::Error for BadLine {}

impl FromStr for Step {
    type Err = BadLine;

    fn from_str(line: &str) -> Result<Self, BadLine> {
        parse(line).ok_or_else(|| BadLine(line.to_owned()))
    }
}

fn parse(line: &str) -> Option<Step> {
    let (first, rest) = line.split_once(' ')?;
    match first {
        "boot" => return Some(Step::Boot(rest.parse().ok()?)),
        "shutdown" => return Some(Step::ShutDown(rest.parse().ok()?)),
        "die" => return Some(Step::Die(rest.parse().ok()?)),
        "release" => return Some(Step::Release(rest.parse().ok()?)),
        _ => {}
    }
    let who = match first.split_at_checked(1)? {
        ("c", number) => Who::Control(number.parse().ok()?),
        ("d", domid) => Who::Guest(domid.parse().ok()?),
        _ => return None,
    };
    let (second, rest) = rest.split_once(' ')?;
    if second == "start" {
        return Some(Step::Start(who, rest.strip_prefix('t')?.parse().ok()?));
    }
    let label = second.strip_prefix('t')?.parse().ok()?;
    let (name, payload) = rest.split_once(' ')?;
    let by_name = ty::NAMES.iter().find(|(_, other)| *other == name).map(|(number, _)| *number);
    let ty = by_name.or_else(|| name.parse().ok())?;
    Some(Step::Ask { who, label, ty, payload: unescape(payload)? })
}

/// Reads a history as it is printed: a step a line; empty lines and those with `#` are left out.
///
/// # Errors
/// [`BadLine`].
pub fn read(text: &str) -> Result<Vec<Step>, BadLine> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::parse).collect()
}

/// A history as text.
pub fn print(history: &[Step]) -> String {
    history.iter().map(|step| format!("{step}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::generate;

    #[test]
    fn what_is_printed_is_read_back() {
        for seed in 0..200 {
            let history = generate(seed);
            assert_eq!(read(&print(&history)).unwrap(), history, "seed {seed}");
        }
    }
}
