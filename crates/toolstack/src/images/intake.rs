//! How images come in, and how room is made for them and for guests.

use alloc::string::String;
use alloc::vec::Vec;

use hypercall::{Aperture, ClaimedMemory, Door};
use proto::error::ImageError;
use proto::image::{ImageId, ImageOffer};
use sha2::{Digest, Sha256};
use xen_abi::{Bytes, Errno, Pages};

use super::{ImageUpload, MAX_IMAGE_LEN};
use crate::bundle::{self, BundleError};
use crate::errors::image_error;
use crate::platform::Platform;
use crate::toolstack::{Mapping, Toolstack};

/// Memory that stays free when images are taken in: Xen itself needs some for each domain's own structures.
const RESERVE: Pages = Pages(512);

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// Registers the images of the boot bundle, where they lie. Returns how many there are.
    ///
    /// An image whose id the bundle does not state is hashed here.
    ///
    /// # Errors
    /// The archive is damaged; then none of it is registered.
    pub fn add_bundle(&self, archive: &'x [u8]) -> Result<usize, BundleError> {
        let found = bundle::images(archive)?;
        let count = found.len();
        for image in found {
            let id = image.stated_id.unwrap_or_else(|| ImageId(Sha256::digest(image.container).into()));
            self.images.borrow_mut().add_bundled(image.name, id, image.container);
        }
        Ok(count)
    }

    /// Which of these images are here. Those that are count as used now.
    pub fn images_present(&self, ids: &[ImageId]) -> Vec<bool> {
        let mut images = self.images.borrow_mut();
        ids.iter().map(|&id| images.touch(id)).collect()
    }

    /// The bundle's images: names and ids.
    pub fn images_bundled(&self) -> Vec<(String, ImageId)> {
        self.images.borrow().names().to_vec()
    }

    /// Memory that complete uploaded images hold, in bytes.
    pub fn images_bytes(&self) -> u64 {
        self.images.borrow().claimed_bytes()
    }

    /// Begins to take in an image. None: it is here already.
    ///
    /// # Errors
    /// [`ImageError::BadLength`]: empty, or longer than [`MAX_IMAGE_LEN`]. [`ImageError::NotEnoughMemory`]: the machine has not
    /// so much free, even without the images that nobody needs. [`ImageError::Xen`].
    pub fn begin_image(
        &self,
        offer: &ImageOffer,
    ) -> Result<Option<ImageUpload<'_, 'x, ClaimedMemory<'x, M>>>, ImageError> {
        if self.images.borrow_mut().touch(offer.id) {
            return Ok(None);
        }
        if offer.stored_len == 0 || offer.stored_len > MAX_IMAGE_LEN {
            return Err(ImageError::BadLength { most: MAX_IMAGE_LEN });
        }
        let size = Bytes(offer.stored_len).pages_up();
        let too_much = |free: Pages| ImageError::NotEnoughMemory {
            needed_kib: size.kib().0,
            free_kib: Pages(free.0.saturating_sub(RESERVE.0)).kib().0,
        };
        let free = self.free_for(Pages(size.0 + RESERVE.0)).map_err(image_error)?;
        if free.0 < size.0 + RESERVE.0 {
            return Err(too_much(free));
        }
        let memory = match self.xen.claim(size) {
            // Free, but not for us: in pieces, or somebody was quicker.
            Err(error) if [Errno::ENOMEM, Errno::ENOSPC].contains(&error.errno) => Err(too_much(free)),
            other => other.map_err(image_error),
        }?;
        // `MAX_IMAGE_LEN` fits.
        let len = offer.stored_len as usize;
        Ok(Some(ImageUpload::new(&self.images, offer.id, memory, len)))
    }

    /// Tries to have `wanted` pages free, giving up images that nobody needs where it has to; answers how many are free.
    ///
    /// One exit, or two where images went.
    pub(crate) fn free_for(&self, wanted: Pages) -> Result<Pages, hypercall::XenError> {
        let free = self.xen.free_memory()?;
        let missing = wanted.0.saturating_sub(free.0);
        if missing == 0 {
            return Ok(free);
        }
        let freed = {
            let registry = self.registry.borrow();
            self.images.borrow_mut().evict(Pages(missing).bytes().0, |id| registry.may_need(id))
        };
        if freed == 0 { Ok(free) } else { self.xen.free_memory() }
    }
}
