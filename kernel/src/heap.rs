//! The heap: the crate of that name behind a lock, in what is left of our memory.
//!
//! Images and other large things live in memory claimed from Xen, so that this one stays small. Interrupt
//! handlers never allocate (they are a few instructions in `interrupts.rs`), so the lock is never contended.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};

use heap::{Heap, Usage};
use spin::Mutex;

use crate::paging::PAGE;
use crate::ram::Ram;

/// The least that the control domain works with, in bytes.
const LEAST: u64 = 2 << 20;
/// More than this is never needed, in bytes: per-domain budgets keep within it.
const MOST: u64 = 8 << 20;

#[global_allocator]
static HEAP: Locked = Locked(Mutex::new(Heap::empty()));

struct Locked(Mutex<Heap>);

// SAFETY: `Heap` keeps what `GlobalAlloc` demands, and the lock keeps its calls apart.
unsafe impl GlobalAlloc for Locked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.lock().allocate(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: it came from `alloc` with this layout, and the caller gives it up.
            unsafe { self.0.lock().deallocate(block, layout) };
        }
    }
}

/// Gives the heap what is left of `ram`, within bounds.
///
/// # Panics
/// If there is too little left to work with.
pub fn init(ram: &mut Ram) {
    let size = ram.largest().min(MOST) / PAGE * PAGE;
    assert!(size >= LEAST, "only {size} bytes are left for the heap: give domain 0 more memory (dom0_mem=)");
    let bottom = NonNull::new(ram.take_pages(size / PAGE) as *mut u8).expect("page 0 is not ours to give");
    // SAFETY: the memory is ours alone for good, mapped and writable; this runs once.
    unsafe { HEAP.0.lock().init(bottom, size as usize) };
}

/// How full the heap is.
pub fn usage() -> Usage {
    HEAP.0.lock().usage()
}
