//! Memory that a running domain writes while we look at it.

use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use super::Mapping;
use crate::{Aperture, Door};

/// Pages of a running domain. It may change them at any moment: what is read is an allegation, to be copied
/// once, checked, and then used. Dropped: unmapped.
///
/// All access is by atomic loads and stores, so that the other side can do no worse than lie.
pub struct SharedMapping<'x, M: Door + Aperture>(Mapping<'x, M>);

// SAFETY: the memory is only touched by atomic operations; the machine may be used from several threads if it
// is `Sync`.
unsafe impl<M: Door + Aperture + Sync> Send for SharedMapping<'_, M> {}
// SAFETY: as above.
unsafe impl<M: Door + Aperture + Sync> Sync for SharedMapping<'_, M> {}

impl<'x, M: Door + Aperture> SharedMapping<'x, M> {
    pub(super) fn new(mapping: Mapping<'x, M>) -> Self {
        SharedMapping(mapping)
    }

    /// Bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Is nothing mapped?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The address of `count` bytes at `offset`.
    ///
    /// # Panics
    /// They are not inside the mapping.
    fn at(&self, offset: usize, count: usize) -> *mut u8 {
        let inside = offset.checked_add(count).is_some_and(|end| end <= self.len());
        assert!(inside, "access to {count} bytes at {offset} of a mapping of {}", self.len());
        // SAFETY: inside the mapping, as just checked, which is one row of addresses.
        unsafe { self.0.address().as_ptr().add(offset) }
    }
}

/// Copies bytes out of memory that others write meanwhile.
///
/// # Safety
/// As many bytes as `into` has are mapped at `from`, and nobody in this kernel touches them but atomically.
pub(super) unsafe fn read_atomically(from: *mut u8, into: &mut [u8]) {
    let (head, words) = pieces(from, into.len());
    let byte = |n: usize| {
        // SAFETY: one of the caller's bytes.
        unsafe { AtomicU8::from_ptr(from.add(n)) }.load(Ordering::Relaxed)
    };
    let (before, rest) = into.split_at_mut(head);
    let (middle, after) = rest.split_at_mut(words * 8);
    before.iter_mut().enumerate().for_each(|(n, to)| *to = byte(n));
    for (n, to) in middle.chunks_exact_mut(8).enumerate() {
        // SAFETY: eight of the caller's bytes, aligned, as `pieces` computed.
        let word = unsafe { AtomicU64::from_ptr(from.add(head + n * 8).cast()) };
        to.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
    }
    after.iter_mut().enumerate().for_each(|(n, to)| *to = byte(head + words * 8 + n));
}

/// Walks `count` bytes at `address`: single bytes up to a multiple of eight, then words, then single bytes.
fn pieces(address: *mut u8, count: usize) -> (usize, usize) {
    let head = address.align_offset(8).min(count);
    (head, (count - head) / 8)
}

impl<M: Door + Aperture> ring::Shared for SharedMapping<'_, M> {
    fn load_u32(&self, offset: usize) -> u32 {
        assert!(offset.is_multiple_of(4));
        // SAFETY: inside the mapping and aligned; only touched atomically as long as it is mapped.
        let word = unsafe { AtomicU32::from_ptr(self.at(offset, 4).cast()) };
        word.load(Ordering::Acquire)
    }

    fn store_u32(&self, offset: usize, value: u32) {
        assert!(offset.is_multiple_of(4));
        // SAFETY: inside the mapping and aligned; only touched atomically as long as it is mapped.
        let word = unsafe { AtomicU32::from_ptr(self.at(offset, 4).cast()) };
        word.store(value, Ordering::Release);
    }

    fn read(&self, offset: usize, into: &mut [u8]) {
        let from = self.at(offset, into.len());
        // SAFETY: inside the mapping, as `at` checked; only touched atomically as long as it is mapped.
        unsafe { read_atomically(from, into) };
    }

    fn write(&self, offset: usize, from: &[u8]) {
        let to = self.at(offset, from.len());
        let (head, words) = pieces(to, from.len());
        let byte = |n: usize, value: u8| {
            // SAFETY: inside the mapping, as `at` checked; only touched atomically.
            unsafe { AtomicU8::from_ptr(to.add(n)) }.store(value, Ordering::Relaxed);
        };
        let (before, rest) = from.split_at(head);
        let (middle, after) = rest.split_at(words * 8);
        before.iter().enumerate().for_each(|(n, &value)| byte(n, value));
        for (n, value) in middle.as_chunks::<8>().0.iter().enumerate() {
            // SAFETY: inside the mapping, as `at` checked, and aligned, as `pieces` computed.
            let word = unsafe { AtomicU64::from_ptr(to.add(head + n * 8).cast()) };
            word.store(u64::from_ne_bytes(*value), Ordering::Relaxed);
        }
        after.iter().enumerate().for_each(|(n, &value)| byte(head + words * 8 + n, value));
    }
}
