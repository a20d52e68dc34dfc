//! What a request may fail with, and what ends a connection.

use core::fmt;

use ring::RingError;

use crate::Error;
use crate::wire::{MessageType, TooLong};

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// The server refused, with a word that this crate's own server has too.
    Refused(Error),
    /// The server refused with another word.
    RefusedWith(Refusal),
    /// The request cannot be said: a nul inside a string, or over [`crate::wire::PAYLOAD_MAX`] bytes. Nothing was sent.
    Unsendable,
    /// A list changed, or a transaction conflicted, as often as it was tried.
    Unstable,
    /// The connection is over. Whether the request was done is not known.
    Ended(Fault),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Refused(error) => error.fmt(f),
            ClientError::RefusedWith(refusal) => f.write_str(refusal.word()),
            ClientError::Unsendable => f.write_str("the request has a nul in a string, or is too long"),
            ClientError::Unstable => f.write_str("others changed it each time it was tried"),
            ClientError::Ended(fault) => write!(f, "the connection to xenstore is over: {fault}"),
        }
    }
}

impl core::error::Error for ClientError {}

/// Words with which other servers refuse, and this crate's does not.
///
/// Source: `xsd_errors` of public/io/xs_wire.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `EISDIR`.
    IsDirectory,
    /// `ENOMEM`.
    NoMemory,
    /// `EIO`.
    InputOutput,
    /// `ENOTEMPTY`.
    NotEmpty,
    /// `EROFS`.
    ReadOnly,
    /// `EISCONN`.
    IsConnected,
    /// A word that the protocol does not have.
    Unknown,
}

impl Refusal {
    /// The name on the wire; `E?` for one that was unknown.
    pub const fn word(self) -> &'static str {
        match self {
            Refusal::IsDirectory => "EISDIR",
            Refusal::NoMemory => "ENOMEM",
            Refusal::InputOutput => "EIO",
            Refusal::NotEmpty => "ENOTEMPTY",
            Refusal::ReadOnly => "EROFS",
            Refusal::IsConnected => "EISCONN",
            Refusal::Unknown => "E?",
        }
    }
}

/// The error that a server's word names.
pub(super) fn refused(word: &[u8]) -> ClientError {
    const OTHER: [Refusal; 6] = [
        Refusal::IsDirectory,
        Refusal::NoMemory,
        Refusal::InputOutput,
        Refusal::NotEmpty,
        Refusal::ReadOnly,
        Refusal::IsConnected,
    ];
    match Error::ALL.into_iter().find(|error| error.word().as_bytes() == word) {
        Some(error) => ClientError::Refused(error),
        None => {
            let other = OTHER.into_iter().find(|other| other.word().as_bytes() == word);
            ClientError::RefusedWith(other.unwrap_or(Refusal::Unknown))
        }
    }
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The transport was closed, or nobody moves its bytes any more.
    Closed,
    /// The ring is being reset: its watches, transactions and requests are gone.
    Reset,
    /// The ring's indices make no sense.
    Indices(RingError),
    /// The server says in the page that it cut us off: one of the `ERROR_` constants of [`ring::layout::xenstore`].
    CutOff(u32),
    /// The server announced a payload over the limit.
    TooLong(TooLong),
    /// A reply to a request that is not in flight.
    Unasked {
        /// The id that it carries.
        req_id: u32,
    },
    /// A reply whose type or transaction is not its request's.
    Mismatched {
        /// The request's id.
        req_id: u32,
    },
    /// A reply or event of this type whose payload is not what the protocol says.
    Malformed(MessageType),
    /// A list that has no end.
    Endless,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Closed => f.write_str("closed"),
            Fault::Reset => f.write_str("the ring is being reset"),
            Fault::Indices(error) => error.fmt(f),
            Fault::CutOff(code) => write!(f, "the server cut us off (error {code} in the page)"),
            Fault::TooLong(TooLong(len)) => write!(f, "the server announced {len} bytes"),
            Fault::Unasked { req_id } => write!(f, "a reply to request {req_id}, which is not in flight"),
            Fault::Mismatched { req_id } => {
                write!(f, "the reply to request {req_id} has another type or transaction")
            }
            Fault::Malformed(ty) => write!(f, "a malformed message of type {}", ty.0),
            Fault::Endless => f.write_str("a list without an end"),
        }
    }
}

impl core::error::Error for Fault {}

impl From<RingError> for Fault {
    fn from(error: RingError) -> Self {
        Fault::Indices(error)
    }
}

impl From<TooLong> for Fault {
    fn from(error: TooLong) -> Self {
        Fault::TooLong(error)
    }
}
