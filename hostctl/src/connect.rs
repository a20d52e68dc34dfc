//! Which control domain is meant: `--connect`, `HOSTCTL_CONNECT`, or the one lab that is up.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::lab::dir::{LabDir, LabName};

/// How to reach a control domain, as the user gave it.
#[derive(Clone, Debug)]
pub struct Options {
    /// `--connect` or `HOSTCTL_CONNECT`.
    pub connect: Option<String>,
    /// `--timeout`: how long the whole command may take.
    pub timeout: Option<Duration>,
    /// `-v`: say on stderr what is done.
    pub verbose: bool,
}

impl Default for Options {
    /// Takes the link from `HOSTCTL_CONNECT`; nothing else is set.
    fn default() -> Options {
        Options { connect: std::env::var("HOSTCTL_CONNECT").ok(), timeout: None, verbose: false }
    }
}

/// A line to a control domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A lab of this machine.
    Lab(LabName),
    /// A unix socket whose other end is the control domain's serial port.
    Unix(PathBuf),
}

/// Why no line was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The text is of no known kind.
    #[error(
        "cannot connect to '{0}'; lab:NAME (a lab of this machine) and unix:/PATH (a raw line on a unix socket) work"
    )]
    UnknownKind(String),
    /// A kind that is planned but not there.
    #[error("cannot connect to '{0}'; this release has lab:NAME and unix:/PATH, no other kinds of line yet")]
    NotYet(String),
    /// No lab of this name is up.
    #[error("no lab '{name}' is up{}", labs_up(.up))]
    NoLab {
        /// The name that was asked for.
        name: String,
        /// The names of those that are up.
        up: Vec<String>,
    },
    /// Nothing was named, and no lab is up.
    #[error("no control domain to talk to; start a lab with 'hostctl lab up', or name a line with --connect")]
    Nothing,
    /// Nothing was named, and several labs are up.
    #[error("several labs are up ({}); choose one with --connect lab:NAME or HOSTCTL_CONNECT", .0.join(", "))]
    Several(Vec<String>),
    /// The name of a lab has letters that it may not have.
    #[error(
        "'{0}' is no name for a lab; up to 40 letters, digits, '_', '-' and '.' are, the last two not at its start"
    )]
    BadLabName(String),
}

fn labs_up(up: &[String]) -> String {
    if up.is_empty() {
        "; start it with 'hostctl lab up'".into()
    } else {
        format!("; these are: {}", up.join(", "))
    }
}

impl Line {
    /// Reads what a user wrote after `--connect`.
    ///
    /// # Errors
    /// The kind is unknown, or the lab's name impossible.
    pub fn parse(text: &str) -> Result<Line, ConnectError> {
        match text.split_once(':') {
            Some(("lab", name)) => Ok(Line::Lab(LabName::parse(name)?)),
            Some(("unix", path)) if !path.is_empty() => Ok(Line::Unix(path.into())),
            Some(("tty" | "tcp" | "vchan", _)) => Err(ConnectError::NotYet(text.into())),
            _ => Err(ConnectError::UnknownKind(text.into())),
        }
    }

    /// Finds the line that is meant; a lab is one that is up.
    ///
    /// # Errors
    /// None is, or the text names none.
    pub fn choose(options: &Options) -> Result<Line, ConnectError> {
        let Some(text) = options.connect.as_deref().filter(|text| !text.is_empty()) else {
            return only_lab(options.verbose);
        };
        let line = Line::parse(text)?;
        if let Line::Lab(name) = &line
            && !LabDir::of(name).is_running()
        {
            return Err(ConnectError::NoLab { name: name.to_string(), up: up() });
        }
        Ok(line)
    }
}

fn up() -> Vec<String> {
    LabDir::running().iter().map(LabName::to_string).collect()
}

fn only_lab(verbose: bool) -> Result<Line, ConnectError> {
    // The labs of `lab run` belong to those commands.
    let mut running = LabDir::running();
    running.retain(|name| !name.is_temporary());
    match (running.pop(), running.is_empty()) {
        (None, _) => Err(ConnectError::Nothing),
        (Some(only), true) => {
            if verbose {
                eprintln!("hostctl: using lab '{only}', the only one that is up");
            }
            Ok(Line::Lab(only))
        }
        (Some(last), false) => {
            running.push(last);
            Err(ConnectError::Several(running.iter().map(LabName::to_string).collect()))
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Lab(name) => write!(f, "lab:{name}"),
            Line::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_work_are_read_and_printed_back() {
        for text in ["lab:default", "unix:/run/x.sock"] {
            assert_eq!(Line::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn kinds_that_do_not_work_are_refused_with_those_that_do() {
        for text in ["tty:/dev/ttyS1?baud=115200", "tcp:h:1", "vchan:0/x", "zap:1", "default", "unix:", ""] {
            let error = Line::parse(text).unwrap_err().to_string();
            assert!(error.contains("lab:NAME") && error.contains("unix:/PATH"), "{text}: {error}");
        }
        assert_eq!(Line::parse("lab:../x"), Err(ConnectError::BadLabName("../x".into())));
    }
}
