//! Memory that can be mapped: the host's, in a file of memory, and domain 0's window on it.

use std::ops::Range;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;

use hypercall::FrameRanges;
use rustix::fs::{FallocateFlags, MemfdFlags};
use rustix::mm::{MapFlags, ProtFlags};
use xen_abi::{Gfn, Mfn, PAGE_SIZE, Pages};

/// The first frame of domain 0's aperture: at 4 GiB, far from its memory.
pub(crate) const APERTURE: Gfn = Gfn(1 << 20);

/// The host's memory.
pub(crate) struct Arena {
    file: OwnedFd,
    free: FrameRanges,
    pub(crate) free_pages: u64,
}

impl Arena {
    pub(crate) fn new(pages: Pages) -> Self {
        let file = rustix::fs::memfd_create("sim-xen", MemfdFlags::CLOEXEC).expect("a file of memory");
        rustix::fs::ftruncate(&file, pages.bytes().0).expect("a file of memory as large as the host");
        Arena { file, free: FrameRanges::new(Gfn(0)..Gfn(pages.0)), free_pages: pages.0 }
    }

    /// Takes `pages` frames in a row.
    pub(crate) fn allocate(&mut self, pages: u64) -> Option<Mfn> {
        let Gfn(first) = self.free.reserve(pages as usize)?;
        self.free_pages -= pages;
        Some(Mfn(first))
    }

    /// Takes frames back. Their content stays, as in Xen, unless they are scrubbed.
    pub(crate) fn free(&mut self, first: Mfn, pages: u64) {
        self.free.release(Gfn(first.0), pages as usize);
        self.free_pages += pages;
    }

    /// Overwrites frames with zeroes.
    pub(crate) fn scrub(&self, first: Mfn, pages: u64) {
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&self.file, punch, offset(first), pages * PAGE_SIZE as u64)
            .expect("memory of the file to be given up");
    }

    pub(crate) fn read(&self, at: Mfn, offset_in_frame: usize, into: &mut [u8]) {
        let wanted = into.len();
        let got = rustix::io::pread(&self.file, into, offset(at) + offset_in_frame as u64).expect("memory");
        assert_eq!(got, wanted, "a read across the end of the host's memory");
    }

    pub(crate) fn write(&self, at: Mfn, offset_in_frame: usize, from: &[u8]) {
        let put = rustix::io::pwrite(&self.file, from, offset(at) + offset_in_frame as u64).expect("memory");
        assert_eq!(put, from.len(), "a write across the end of the host's memory");
    }
}

fn offset(frame: Mfn) -> u64 {
    frame.0 * PAGE_SIZE as u64
}

/// A row of addresses, one page for each frame of domain 0's aperture. What is not mapped faults.
pub(crate) struct Window {
    base: NonNull<u8>,
    pages: u64,
}

// SAFETY: a window is an address range; mapping it is serialised by the state's lock.
unsafe impl Send for Window {}
// SAFETY: as above.
unsafe impl Sync for Window {}

impl Window {
    pub(crate) fn new(pages: Pages) -> Self {
        // Room for one large page more, so that frames and addresses are aligned alike.
        let large = 512 * PAGE_SIZE;
        let bytes = pages.bytes().0 as usize + large;
        // SAFETY: a new mapping at an address that the kernel chooses touches nobody's memory.
        let start = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                bytes,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }
        .expect("address space for the aperture");
        let start: *mut u8 = start.cast();
        // SAFETY: the distance to the next boundary is less than the room that was added.
        let base = unsafe { start.add(start.align_offset(large)) };
        Window { base: NonNull::new(base).expect("a mapping is not at null"), pages: pages.0 }
    }

    /// The aperture's frames.
    pub(crate) fn frames(&self) -> Range<Gfn> {
        APERTURE..APERTURE.offset(self.pages)
    }

    /// Where a frame of the aperture appears.
    pub(crate) fn address(&self, gfn: Gfn) -> NonNull<u8> {
        assert!(self.frames().contains(&gfn), "{gfn:?} is not in the aperture");
        let offset = (gfn.0 - APERTURE.0) as usize * PAGE_SIZE;
        // SAFETY: inside the row, as just checked.
        unsafe { self.base.add(offset) }
    }

    /// Makes frames of the host appear from `at` on.
    pub(crate) fn map(&self, arena: &Arena, at: Gfn, from: Mfn, pages: u64) {
        let address = self.row(at, pages);
        // SAFETY: the row is the window's own; who uses it is told by the aperture's lending.
        unsafe {
            rustix::mm::mmap(
                address,
                pages as usize * PAGE_SIZE,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::FIXED,
                &arena.file,
                offset(from),
            )
        }
        .expect("a page of the file to be mapped");
    }

    /// Makes nothing appear from `at` on.
    pub(crate) fn unmap(&self, at: Gfn, pages: u64) {
        let address = self.row(at, pages);
        // SAFETY: the row is the window's own; who uses it is told by the aperture's lending.
        unsafe {
            rustix::mm::mmap_anonymous(
                address,
                pages as usize * PAGE_SIZE,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED,
            )
        }
        .expect("a page to be unmapped");
    }

    fn row(&self, at: Gfn, pages: u64) -> *mut std::ffi::c_void {
        assert!(at.offset(pages) <= self.frames().end, "a row must end in the aperture");
        self.address(at).as_ptr().cast()
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: nobody has addresses of the window any more: they were borrowed from its owner.
        let freed = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.pages as usize * PAGE_SIZE) };
        debug_assert!(freed.is_ok());
    }
}
