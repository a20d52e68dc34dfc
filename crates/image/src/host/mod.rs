//! What only the host does: reading image files, packing them, keeping them packed.
//!
//! [`ImageCache::prepare`] is all that a caller needs: a path in, a container out, or an error that names the file,
//! the reason and a way out.

mod bzimage;
mod cache;
mod prepare;
mod unpack;

pub use bzimage::BzImageError;
pub use cache::ImageCache;
pub use prepare::{Kind, PrepareError, PreparedImage, Problem};
pub use unpack::{Format, MAX_UNPACKED, UnpackError, unpack};

use sha2::{Digest, Sha256};

use crate::ImageId;

/// What a container is known by.
#[must_use]
pub fn id_of(container: &[u8]) -> ImageId {
    Sha256::digest(container).into()
}
