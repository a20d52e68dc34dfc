//! What went wrong, and in which operation.

use xen_abi::Errno;

/// Xen refused an operation, or could not do it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{op}: {errno}")]
pub struct XenError {
    /// The operation, under its C name: `XEN_DOMCTL_createdomain`.
    pub op: &'static str,
    /// Why not.
    pub errno: Errno,
}

impl XenError {
    /// The error `errno` of the operation with this C name.
    #[must_use]
    pub const fn new(op: &'static str, errno: Errno) -> Self {
        XenError { op, errno }
    }
}
