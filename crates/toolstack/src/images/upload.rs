//! An image on its way in.

use core::cell::RefCell;
use core::fmt::{self, Debug, Formatter};
use core::ops::{Deref, DerefMut};

use proto::error::ImageError;
use proto::image::ImageId;
use sha2::{Digest, Sha256};

use super::{ImageCache, Short};

/// An image that is being sent: bytes are hashed as they come, and enter the cache only if the hash is the
/// announced one. Dropped before [`Self::finish`], it gives its memory back.
pub struct ImageUpload<'t, 'x, C> {
    cache: &'t RefCell<ImageCache<'x, C>>,
    id: ImageId,
    memory: C,
    len: usize,
    received: usize,
    hash: Sha256,
}

impl<'t, 'x, C: DerefMut<Target = [u8]>> ImageUpload<'t, 'x, C> {
    /// An upload of `len` bytes into `memory`, which is at least as long.
    pub(crate) fn new(cache: &'t RefCell<ImageCache<'x, C>>, id: ImageId, memory: C, len: usize) -> Self {
        debug_assert!(len <= memory.len());
        Self { cache, id, memory, len, received: 0, hash: Sha256::new() }
    }

    /// Bytes that are still to come.
    pub fn missing(&self) -> usize {
        self.len - self.received
    }

    /// Takes the next bytes, as many as are still to come; returns how many that were.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let taken = &bytes[..bytes.len().min(self.missing())];
        self.memory[self.received..self.received + taken.len()].copy_from_slice(taken);
        self.took(taken.len())
    }

    /// Has `fill` put the next bytes where they belong: `most` at most, and no more than are still to come. It says how
    /// many it put there; returns that.
    ///
    /// # Errors
    /// Those of `fill`; nothing was taken.
    pub fn write_with<E>(
        &mut self,
        most: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let room = most.min(self.missing());
        let count = fill(&mut self.memory[self.received..self.received + room])?;
        Ok(self.took(count.min(room)))
    }

    /// So many more bytes are in place.
    fn took(&mut self, count: usize) -> usize {
        self.hash.update(&self.memory[self.received..self.received + count]);
        self.received += count;
        count
    }

    /// Checks the hash and enters the image into the cache.
    ///
    /// # Errors
    /// [`ImageError::Incomplete`]: bytes are missing. [`ImageError::HashMismatch`]: they are not what was announced.
    /// Nothing is kept in either case.
    pub fn finish(self) -> Result<(), ImageError> {
        if self.missing() > 0 {
            return Err(ImageError::Incomplete { received: self.received as u64, expected: self.len as u64 });
        }
        if self.hash.finalize().as_slice() != self.id.0 {
            return Err(ImageError::HashMismatch);
        }
        log::info!("image {}: {} bytes are in the cache", Short(self.id), self.len);
        self.cache.borrow_mut().add_claimed(self.id, self.memory, self.len);
        Ok(())
    }
}

impl<C: Deref<Target = [u8]>> Debug for ImageUpload<'_, '_, C> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "upload of {}: {} of {} bytes", Short(self.id), self.received, self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(bytes: &[u8]) -> ImageId {
        ImageId(Sha256::digest(bytes).into())
    }

    #[test]
    fn an_image_enters_the_cache_when_it_is_complete_and_right() {
        let cache = RefCell::new(ImageCache::<Vec<u8>>::default());
        let id = id(b"kernel");
        let mut upload = ImageUpload::new(&cache, id, vec![0; 4096], 6);
        assert_eq!(upload.write(b"ker"), 3);
        assert_eq!(upload.missing(), 3);
        assert!(!cache.borrow().has(id));
        assert_eq!(upload.write(b"nel and more"), 3, "what was not announced is not taken");
        assert_eq!(upload.finish(), Ok(()));
        assert_eq!(cache.borrow_mut().get(id).unwrap().container(), b"kernel");
    }

    #[test]
    fn bytes_that_are_put_in_place_count_like_those_that_are_handed_over() {
        let cache = RefCell::new(ImageCache::<Vec<u8>>::default());
        let id = id(b"kernel");
        let mut upload = ImageUpload::new(&cache, id, vec![0; 4096], 6);
        let mut put = |most, bytes: &[u8]| {
            upload.write_with(most, |place| {
                let count = place.len().min(bytes.len());
                place[..count].copy_from_slice(&bytes[..count]);
                // More than there is room for is not believed.
                if bytes.is_empty() { Err("none") } else { Ok(bytes.len()) }
            })
        };
        assert_eq!(put(2, b"kernel"), Ok(2));
        assert_eq!(put(100, b""), Err("none"));
        assert_eq!(put(100, b"rnel and more"), Ok(4));
        assert_eq!(put(100, b"and more"), Ok(0));
        assert_eq!(upload.finish(), Ok(()));
        assert_eq!(cache.borrow_mut().get(id).unwrap().container(), b"kernel");
    }

    #[test]
    fn a_short_or_wrong_image_leaves_nothing() {
        let cache = RefCell::new(ImageCache::<Vec<u8>>::default());
        let id = id(b"kernel");
        let mut short = ImageUpload::new(&cache, id, vec![0; 4096], 6);
        short.write(b"ker");
        assert_eq!(short.finish(), Err(ImageError::Incomplete { received: 3, expected: 6 }));
        let mut wrong = ImageUpload::new(&cache, id, vec![0; 4096], 6);
        wrong.write(b"colonel");
        assert_eq!(wrong.finish(), Err(ImageError::HashMismatch));
        assert_eq!(cache.borrow().claimed_bytes(), 0);
    }

    #[test]
    fn two_uploads_of_one_image_keep_it_once() {
        let cache = RefCell::new(ImageCache::<Vec<u8>>::default());
        let id = id(b"kernel");
        for _ in 0..2 {
            let mut upload = ImageUpload::new(&cache, id, vec![0; 4096], 6);
            upload.write(b"kernel");
            upload.finish().unwrap();
        }
        assert_eq!(cache.borrow().claimed_bytes(), 4096);
    }
}
