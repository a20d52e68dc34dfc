//! The heap: one piece of memory of fixed size.
//!
//! Images and other large things live in memory claimed from Xen, so that this one stays small. Interrupt
//! handlers never allocate (they are a few instructions in `interrupts.rs`), so the lock is never
//! contended.

use linked_list_allocator::LockedHeap;

use crate::paging::PAGE;
use crate::ram::Ram;

/// The least that the control domain works with, in bytes.
const LEAST: u64 = 2 << 20;
/// More than this is never needed, in bytes: per-domain budgets keep within it.
const MOST: u64 = 8 << 20;

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::empty();

/// Gives the heap what is left of `ram`, within bounds.
///
/// # Panics
/// If there is too little left to work with.
pub fn init(ram: &mut Ram) {
    let size = ram.largest().min(MOST) / PAGE * PAGE;
    assert!(size >= LEAST, "only {size} bytes are left for the heap: give domain 0 more memory (dom0_mem=)");
    let bottom = ram.take_pages(size / PAGE) as *mut u8;
    // SAFETY: the memory is ours alone for good, mapped and writable; this runs once.
    unsafe { HEAP.lock().init(bottom, size as usize) };
}

/// Bytes in use, and bytes in all.
pub fn usage() -> (u64, u64) {
    let heap = HEAP.lock();
    (heap.used() as u64, heap.size() as u64)
}
