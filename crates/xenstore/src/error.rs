//! The errors that xenstore's clients know.

use core::fmt;

/// Why a request failed. Clients get the name as a string, since numbers differ between systems.
///
/// Source: `xsd_errors` of public/io/xs_wire.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// `EINVAL`: the request is malformed, or a path is illegal.
    Invalid,
    /// `EACCES`: the permissions do not allow it, or do not allow to know.
    Access,
    /// `EEXIST`: this watch is set already.
    Exists,
    /// `ENOENT`: no such node, transaction, watch or domain.
    NotFound,
    /// `ENOSPC`: a quota is used up.
    NoSpace,
    /// `ENOSYS`: this server does not know the request.
    Unsupported,
    /// `EBUSY`: a transaction inside a transaction, or too late to change.
    Busy,
    /// `EAGAIN`: the transaction conflicts with what others did; try it again.
    Again,
    /// `E2BIG`: the answer does not fit into a message.
    TooBig,
    /// `EPERM`: only the control domain may change an owner.
    NotPermitted,
}

impl Error {
    /// All of them. The saved form numbers them by their place here, so the order never changes.
    pub(crate) const ALL: [Error; 10] = [
        Error::Invalid,
        Error::Access,
        Error::Exists,
        Error::NotFound,
        Error::NoSpace,
        Error::Unsupported,
        Error::Busy,
        Error::Again,
        Error::TooBig,
        Error::NotPermitted,
    ];

    /// The name that goes on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Error::Invalid => "EINVAL",
            Error::Access => "EACCES",
            Error::Exists => "EEXIST",
            Error::NotFound => "ENOENT",
            Error::NoSpace => "ENOSPC",
            Error::Unsupported => "ENOSYS",
            Error::Busy => "EBUSY",
            Error::Again => "EAGAIN",
            Error::TooBig => "E2BIG",
            Error::NotPermitted => "EPERM",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl core::error::Error for Error {}
