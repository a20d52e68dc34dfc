//! How an xm command fails: what is printed where, and the exit code.

use std::io;

use proto::error::{DomainError, XenError};

use crate::client::CallError;

/// What to do about a name that no domain has, for programs: xm's own text for people is fixed.
pub const NAMES_HINT: &str = "'xm list' shows the domains";

/// What xm said of a word that is no number where one belongs.
pub const INVALID_ARGUMENT: &str = "Invalid argument.";

/// The two words of a command that takes two.
pub fn two_words(args: &[String]) -> [&str; 2] {
    let mut words = args.iter().map(String::as_str).filter(|word| *word != "--");
    [(); 2].map(|()| words.next().unwrap_or_default())
}

/// Why an xm command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// `Error: TEXT` on stderr; exit 1.
    Plain(String),
    /// `Error: TEXT` on stderr, then the command's usage on stdout; exit 1.
    WithUsage(String),
    /// As [`Failure::WithUsage`], with what to do about it, for programs: xm's own text for people is fixed.
    Hinted {
        /// What went wrong.
        text: String,
        /// What to do about it.
        hint: String,
    },
    /// There is no domain of this name; exit 3.
    NoDomain(String),
    /// `Error: TEXT` on stderr and this exit code.
    Code(u8, String),
    /// Nothing more is said; exit with this code.
    Silent(u8),
    /// This signal, which is not Ctrl-C's; exit with the shell's code for it.
    Signal(i32),
    /// Ctrl-C; exit 1.
    Interrupted,
    /// Output could not be written.
    Output(io::Error),
}

impl Failure {
    /// A command on the domain that the user called `name` failed.
    pub fn domain(name: &str, verb: &str, error: DomainError) -> Failure {
        match error {
            DomainError::NotFound => Failure::NoDomain(name.into()),
            DomainError::Privileged => Failure::WithUsage(format!("Cannot {verb} privileged domain {name}")),
            DomainError::NotStarted => Failure::WithUsage(format!("Domain '{name}' is not started")),
            DomainError::Xen(error) => {
                Failure::WithUsage(format!("Domain unable to be {}: {}", participle(verb), xen_text(&error)))
            }
            DomainError::TooManyStreams { limit } => Failure::Plain(format!(
                "{limit} consoles and transfers are open, and more are not possible; close one and try again"
            )),
            DomainError::ChannelInUse => {
                Failure::Plain("the stream's channel is in use at the control domain; try again".into())
            }
        }
    }

    /// Somebody else made the domain, so it cannot be told to change.
    pub fn foreign(name: &str) -> Failure {
        Failure::WithUsage(format!(
            "domain '{name}' was not made by this control domain, which cannot tell it anything; use what made it"
        ))
    }

    /// Xen refused what the whole command stands on.
    pub fn xen(error: &XenError) -> Failure {
        Failure::WithUsage(xen_text(error))
    }
}

fn participle(verb: &str) -> String {
    match verb.strip_suffix('e') {
        Some(stem) => format!("{stem}ed"),
        None => format!("{verb}ed"),
    }
}

/// `XEN_DOMCTL_pausedomain: Operation not permitted (errno 1)`.
pub fn xen_text(error: &XenError) -> String {
    let reason = reason(&io::Error::from_raw_os_error(i32::from(error.errno)));
    format!("{}: {reason} (errno {})", error.call, error.errno)
}

/// The system's words without its number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Failure {
        match error {
            CallError::Interrupted(signal) if signal == rustix::process::Signal::INT.as_raw() => {
                Failure::Interrupted
            }
            CallError::Interrupted(signal) => Failure::Signal(signal),
            other => Failure::Code(other.exit_code(), other.to_string()),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}
