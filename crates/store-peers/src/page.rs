//! The page of a domain's ring, shared with the server.

use std::fs::File;
use std::io;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use ring::Shared;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// The size of a page.
pub(crate) const PAGE: usize = 4096;

/// A page of a file, mapped.
#[derive(Debug)]
pub(crate) struct Page(NonNull<u8>);

impl Page {
    /// Maps the page at `offset` of `file`.
    ///
    /// # Errors
    /// From `mmap`.
    pub(crate) fn map(file: &File, offset: u64) -> io::Result<Self> {
        let prot = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: no address is asked for, so no other mapping is replaced.
        let at = unsafe { mmap(null_mut(), PAGE, prot, MapFlags::SHARED, file, offset)? };
        NonNull::new(at.cast()).map(Page).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4) && offset < PAGE, "no index at {offset}");
        // SAFETY: aligned and inside the page by the assertion; mapped as long as `self` lives; only atomics reach it on
        // this side, and the other side is another process.
        unsafe { AtomicU32::from_ptr(self.0.as_ptr().add(offset).cast()) }
    }

    fn bytes(&self, offset: usize, len: usize) -> &[AtomicU8] {
        assert!(offset + len <= PAGE, "{len} bytes at {offset} are outside the page");
        // SAFETY: inside the page by the assertion; the rest as for `word`.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(offset).cast(), len) }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: the mapping is this page, and every reference into it borrowed `self`.
        let unmapped = unsafe { munmap(self.0.as_ptr().cast(), PAGE) };
        debug_assert!(unmapped.is_ok());
    }
}

impl Shared for Page {
    fn load_u32(&self, offset: usize) -> u32 {
        u32::from_le(self.word(offset).load(Ordering::Acquire))
    }

    fn store_u32(&self, offset: usize, value: u32) {
        self.word(offset).store(value.to_le(), Ordering::Release);
    }

    fn read(&self, offset: usize, into: &mut [u8]) {
        let bytes = self.bytes(offset, into.len());
        for (byte, from) in into.iter_mut().zip(bytes) {
            *byte = from.load(Ordering::Relaxed);
        }
    }

    fn write(&self, offset: usize, from: &[u8]) {
        for (byte, to) in from.iter().zip(self.bytes(offset, from.len())) {
            to.store(*byte, Ordering::Relaxed);
        }
    }
}
