//! Xen's errors as they travel to people.

use proto::error::{CreateError, DomainError, ImageError, XenError};

/// The same error in the protocol's terms.
pub(crate) fn told(error: hypercall::XenError) -> XenError {
    XenError { call: error.op.into(), errno: error.errno.0 }
}

pub(crate) fn domain_error(error: hypercall::XenError) -> DomainError {
    DomainError::Xen(told(error))
}

pub(crate) fn create_error(error: hypercall::XenError) -> CreateError {
    CreateError::Xen(told(error))
}

pub(crate) fn image_error(error: hypercall::XenError) -> ImageError {
    ImageError::Xen(told(error))
}
