//! What can go wrong between hostctl and the control domain.

use std::io;

use proto::wire::Fault;

use crate::broker::ipc::Lost;
use crate::connect::ConnectError;
use crate::exit;

/// A call could not be made, or its answer did not come.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It is not clear whom to call.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The broker could not be started or reached.
    #[error("cannot reach the broker of {line}: {reason}")]
    Broker {
        /// The line.
        line: String,
        /// Why.
        reason: String,
    },
    /// The control domain did not answer in time.
    #[error(
        "the control domain at {line} does not answer (waited {seconds} s); the machine may \
         still be starting: try again, or look at its console"
    )]
    NoAnswer {
        /// The line.
        line: String,
        /// How long was waited.
        seconds: u64,
    },
    /// `--timeout` passed.
    #[error("gave up after {0} s (--timeout)")]
    Deadline(u64),
    /// The line was lost while the command was under way.
    #[error("lost the control domain at {line}: {}{}", reason_text(.reason), detail_text(.detail))]
    Lost {
        /// The line.
        line: String,
        /// Why.
        reason: Lost,
        /// What became of the machine, if that is known.
        detail: Option<String>,
    },
    /// The two programs were built from different protocols.
    #[error(
        "the control domain (version {control}) and hostctl (version {ours}) were built from different protocols \
         (call '{path}'); rebuild, or use the hostctl that belongs to the control domain"
    )]
    Protocol {
        /// The control domain's version.
        control: String,
        /// Ours.
        ours: &'static str,
        /// The call that was not understood.
        path: &'static str,
    },
    /// The control domain did not carry out the call.
    #[error("the control domain did not carry out '{path}': {}", fault_text(*.fault))]
    Fault {
        /// The call.
        path: &'static str,
        /// Why.
        fault: Fault,
    },
    /// The call was not made: it is too long.
    #[error(
        "the command is too long: the control domain takes {limit} bytes at most, names and arguments together"
    )]
    TooLong {
        /// How many bytes the control domain takes.
        limit: u64,
    },
    /// All stream channels are in use.
    #[error("all streams to the control domain are in use; close a console and try again")]
    NoChannel,
    /// A stream brought more, while it was written to, than anything that was asked for.
    #[error("the control domain at {line} sends without end and without being asked")]
    Flooded {
        /// The line.
        line: String,
    },
    /// A signal asked to stop.
    #[error("stopped by signal {0}")]
    Interrupted(i32),
    /// The system refused something.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl CallError {
    /// The exit code of a command that fails so.
    pub fn exit_code(&self) -> u8 {
        match self {
            CallError::Deadline(_) => exit::TIMEOUT,
            CallError::Protocol { .. } | CallError::Lost { reason: Lost::LinkVersion { .. }, .. } => {
                exit::PROTOCOL
            }
            CallError::Interrupted(signal) => exit::by_signal(*signal),
            _ => exit::FAILED,
        }
    }

    /// The machine itself failed, not this command.
    pub fn is_machine(&self) -> bool {
        matches!(self, CallError::Lost { .. } | CallError::NoAnswer { .. } | CallError::Broker { .. })
    }
}

fn detail_text(detail: &Option<String>) -> String {
    detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default()
}

fn reason_text(reason: &Lost) -> String {
    match reason {
        Lost::LineClosed => "the other end of the line was closed".into(),
        Lost::LineError(text) => format!("the line failed: {text}"),
        Lost::Restarted => "it was restarted, and what was under way is gone".into(),
        Lost::Silent => "it no longer answers".into(),
        Lost::LinkVersion { ours, theirs } => format!(
            "it speaks version {theirs} of the link, hostctl version {ours}; use the hostctl that belongs to it"
        ),
        Lost::Incomprehensible => "what it sends makes no sense (is it a nanodom?)".into(),
    }
}

fn fault_text(fault: Fault) -> String {
    match fault {
        Fault::UnknownKey => "it does not know the call".into(),
        Fault::Malformed => "it found the request malformed".into(),
        Fault::TooLong { limit_kib } => {
            format!(
                "its answer is longer than the {limit_kib} KiB that a message may have; name fewer domains at once"
            )
        }
        Fault::Busy { limit } => format!("{limit} calls are under way already; try again"),
        Fault::Full { limit_kib } => {
            format!(
                "the calls under way hold {limit_kib} KiB of arguments, no more fit beside them; try again"
            )
        }
        Fault::Forgotten => "its answer is no longer known; look whether it took effect".into(),
    }
}
