//! Why a command on a store did not work, in words.

use std::io;
use std::path::PathBuf;

use xenstore::Error;
use xenstore::client::{ClientError, Refusal};

use crate::client::CallError;
use crate::exit;

/// A store could not be asked, or refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The control domain cannot be reached; or a signal came, or the time is over.
    #[error(transparent)]
    Call(#[from] CallError),
    /// All streams of the control domain are in use.
    #[error("the control domain has {limit} streams open and takes no more; close a console and try again")]
    TooManyStreams {
        /// How many it takes.
        limit: u16,
    },
    /// The control domain did not open a stream.
    #[error("the control domain opens no stream to its store")]
    NoStream,
    /// A xenstored's socket does not work.
    #[error("cannot reach the store at {}: {error}", .path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The store closed the connection.
    #[error("the store closed the connection")]
    Closed,
    /// The store said no, or nonsense.
    #[error("{}", meaning(*.0))]
    Store(ClientError),
    /// Stdout failed.
    #[error(transparent)]
    Output(#[from] io::Error),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Store(error)
    }
}

impl Failure {
    /// The exit code of a command that fails so.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Call(error) => error.exit_code(),
            _ => exit::FAILED,
        }
    }
}

/// What the client says, explained.
fn meaning(error: ClientError) -> String {
    let text = match error {
        ClientError::Refused(Error::NotFound) => "it does not exist",
        ClientError::Refused(Error::Access) => "permission denied",
        ClientError::Refused(Error::Invalid) => "the store finds the path or the request malformed",
        ClientError::Refused(Error::Exists) => "it exists already",
        ClientError::Refused(Error::NoSpace) => "a quota is used up",
        ClientError::Refused(Error::Busy) => "the store is busy",
        ClientError::Refused(Error::Again) => "others changed the same nodes",
        ClientError::Refused(Error::Unsupported) => "the store does not know the request",
        ClientError::Refused(Error::TooBig) => "it does not fit into a message",
        ClientError::Refused(Error::NotPermitted) => "not permitted",
        ClientError::RefusedWith(Refusal::ReadOnly) => "the store cannot be written to",
        ClientError::RefusedWith(Refusal::NoMemory) => "the store is out of memory",
        ClientError::RefusedWith(Refusal::InputOutput) => "the store is damaged",
        ClientError::RefusedWith(_) => "the store refuses",
        ClientError::Unsendable => return "a message takes 4096 bytes, this is longer".into(),
        ClientError::Unstable | ClientError::Ended(_) => return error.to_string(),
    };
    format!("{text} ({error})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_explained_and_keeps_the_stores_word() {
        let told = |error| Failure::Store(error).to_string();
        assert_eq!(told(ClientError::Refused(Error::NotFound)), "it does not exist (ENOENT)");
        assert_eq!(told(ClientError::RefusedWith(Refusal::IsConnected)), "the store refuses (EISCONN)");
    }
}
