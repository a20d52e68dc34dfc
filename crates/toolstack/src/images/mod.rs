//! Images, known by what they contain: those of the boot bundle, and those that were uploaded since.
//!
//! An uploaded image lies in memory claimed from Xen, page for page, and its memory goes back to Xen, zeroed, when it
//! leaves the cache. It leaves when memory is wanted and nobody needs it: no build reads it, no rule of an existing
//! domain may want to build from it again. Among those, the one that was used longest ago goes first.
//!
//! The bundle's images lie where the boot loader put them, cost nothing more, and stay.

mod intake;
mod upload;

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Debug, Formatter};
use core::ops::Deref;

use proto::image::ImageId;
use xen_abi::PAGE_SIZE;

pub use upload::ImageUpload;

/// The longest container that is taken, in bytes. Larger than any kernel or ramdisk of our time, and small
/// enough that no length in this crate overflows.
pub const MAX_IMAGE_LEN: u64 = 1 << 30;

/// One image's container, held as long as somebody reads it.
pub struct StoredImage<'x, C> {
    id: ImageId,
    place: Place<'x, C>,
}

enum Place<'x, C> {
    Bundle(&'x [u8]),
    /// Claimed memory is whole pages; the container is shorter.
    Claimed {
        memory: C,
        len: usize,
    },
}

impl<C: Deref<Target = [u8]>> StoredImage<'_, C> {
    /// What it is known by.
    pub fn id(&self) -> ImageId {
        self.id
    }

    /// Its container.
    pub fn container(&self) -> &[u8] {
        match &self.place {
            Place::Bundle(bytes) => bytes,
            // The length was checked against the memory when the upload began.
            Place::Claimed { memory, len } => &memory[..*len],
        }
    }

    /// Memory that it holds and that could be given back.
    fn claimed_bytes(&self) -> u64 {
        match &self.place {
            Place::Bundle(_) => 0,
            Place::Claimed { len, .. } => len.next_multiple_of(PAGE_SIZE) as u64,
        }
    }
}

impl<C> Debug for StoredImage<'_, C> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "image {}", Short(self.id))
    }
}

/// The first digits of an image's id: enough for a log line.
pub(crate) struct Short(pub(crate) ImageId);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.0[..6].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[derive(Debug)]
struct Entry<'x, C> {
    image: Rc<StoredImage<'x, C>>,
    /// The cache's clock when it was last used.
    used: u64,
}

/// The images that there are. See the module's page.
#[derive(Debug)]
pub(crate) struct ImageCache<'x, C> {
    entries: Vec<Entry<'x, C>>,
    names: Vec<(String, ImageId)>,
    /// Counts uses.
    clock: u64,
}

impl<C> Default for ImageCache<'_, C> {
    fn default() -> Self {
        Self { entries: Vec::new(), names: Vec::new(), clock: 0 }
    }
}

impl<'x, C: Deref<Target = [u8]>> ImageCache<'x, C> {
    /// Enters an image of the bundle, where it lies.
    pub(crate) fn add_bundled(&mut self, name: String, id: ImageId, container: &'x [u8]) {
        self.names.push((name, id));
        if !self.has(id) {
            self.insert(StoredImage { id, place: Place::Bundle(container) });
        }
    }

    /// Enters an image that was uploaded, unless another upload of the same one came first.
    fn add_claimed(&mut self, id: ImageId, memory: C, len: usize) {
        if !self.has(id) {
            self.insert(StoredImage { id, place: Place::Claimed { memory, len } });
        }
    }

    fn insert(&mut self, image: StoredImage<'x, C>) {
        self.clock += 1;
        self.entries.push(Entry { image: Rc::new(image), used: self.clock });
    }

    /// Whether an image is here.
    pub(crate) fn has(&self, id: ImageId) -> bool {
        self.entries.iter().any(|e| e.image.id == id)
    }

    /// Whether an image is here; if so it counts as used now, since whoever asks means to use it.
    pub(crate) fn touch(&mut self, id: ImageId) -> bool {
        self.get(id).is_some()
    }

    /// An image, to be read. It stays as long as the answer is held.
    pub(crate) fn get(&mut self, id: ImageId) -> Option<Rc<StoredImage<'x, C>>> {
        let entry = self.entries.iter_mut().find(|e| e.image.id == id)?;
        self.clock += 1;
        entry.used = self.clock;
        Some(entry.image.clone())
    }

    /// The bundle's images: names and ids.
    pub(crate) fn names(&self) -> &[(String, ImageId)] {
        &self.names
    }

    /// Memory claimed from Xen for complete images, in bytes.
    pub(crate) fn claimed_bytes(&self) -> u64 {
        self.entries.iter().map(|e| e.image.claimed_bytes()).sum()
    }

    /// Gives back the memory of the images that were used longest ago, until `wanted` bytes are freed or none is left that
    /// may go; images for which `is_needed` says so stay. Returns how many bytes were freed.
    pub(crate) fn evict(&mut self, wanted: u64, is_needed: impl Fn(ImageId) -> bool) -> u64 {
        let mut freed = 0;
        while freed < wanted {
            let may_go = |e: &Entry<'x, C>| {
                Rc::strong_count(&e.image) == 1 && e.image.claimed_bytes() > 0 && !is_needed(e.image.id)
            };
            let candidates = self.entries.iter().enumerate().filter(|(_, e)| may_go(e));
            let Some((oldest, _)) = candidates.min_by_key(|(_, e)| e.used) else {
                break;
            };
            let entry = self.entries.swap_remove(oldest);
            freed += entry.image.claimed_bytes();
            log::info!(
                "image {}: left the cache, {} KiB freed",
                Short(entry.image.id),
                entry.image.claimed_bytes() >> 10
            );
        }
        freed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ImageId = ImageId([0xa; 32]);
    const B: ImageId = ImageId([0xb; 32]);
    const C: ImageId = ImageId([0xc; 32]);
    const PAGE: u64 = PAGE_SIZE as u64;

    fn cache() -> ImageCache<'static, Vec<u8>> {
        let mut cache = ImageCache::default();
        for id in [A, B, C] {
            cache.add_claimed(id, alloc::vec![id.0[0]; PAGE_SIZE], 3);
        }
        cache
    }

    #[test]
    fn what_was_used_longest_ago_goes_first_and_no_more_than_needed() {
        let mut cache = cache();
        assert_eq!(cache.claimed_bytes(), 3 * PAGE);
        assert_eq!(cache.get(A).unwrap().container(), [0xa; 3]);
        assert_eq!(cache.evict(1, |_| false), PAGE);
        assert!(cache.has(A) && !cache.has(B) && cache.has(C));
        assert!(cache.touch(C));
        assert_eq!(cache.evict(PAGE, |_| false), PAGE);
        assert!(!cache.has(A) && cache.has(C));
        assert_eq!(cache.claimed_bytes(), PAGE);
    }

    #[test]
    fn what_is_read_or_needed_or_bundled_stays() {
        let mut cache = cache();
        cache.add_bundled("d".into(), ImageId([0xd; 32]), b"bundled");
        let held = cache.get(A).unwrap();
        assert_eq!(cache.evict(u64::MAX, |id| id == B), PAGE);
        assert!(cache.has(A) && cache.has(B) && !cache.has(C) && cache.has(ImageId([0xd; 32])));
        drop(held);
        assert_eq!(cache.evict(u64::MAX, |_| false), 2 * PAGE);
        assert_eq!(cache.claimed_bytes(), 0);
        assert_eq!(cache.get(ImageId([0xd; 32])).unwrap().container(), b"bundled");
    }

    #[test]
    fn one_image_under_two_names_is_kept_once() {
        let mut cache: ImageCache<'_, Vec<u8>> = ImageCache::default();
        cache.add_bundled("one".into(), A, b"x");
        cache.add_bundled("two".into(), A, b"x");
        assert_eq!(cache.entries.len(), 1);
        assert_eq!(cache.names(), [("one".into(), A), ("two".into(), A)]);
    }
}
