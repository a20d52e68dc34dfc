//! An allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts the bytes that each thread has, and had at most, and how many pieces it took and freed: tests run side by side.
pub struct Counting;

thread_local! {
    pub static NOW: Cell<usize> = const { Cell::new(0) };
    pub static PEAK: Cell<usize> = const { Cell::new(0) };
    pub static TAKEN: Cell<usize> = const { Cell::new(0) };
    pub static FREED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: all is left to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // As the kernel's allocator, which hands out multiples of 8 bytes, at least 16.
        let size = layout.size().next_multiple_of(8).max(16);
        let _ = NOW.try_with(|now| {
            now.set(now.get().wrapping_add(size));
            let _ = PEAK.try_with(|peak| peak.set(peak.get().max(now.get())));
        });
        let _ = TAKEN.try_with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let size = layout.size().next_multiple_of(8).max(16);
        let _ = NOW.try_with(|now| now.set(now.get().wrapping_sub(size)));
        let _ = FREED.try_with(|freed| freed.set(freed.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}
