//! The heap: one piece of memory of fixed size.
//!
//! Images and other large things live in memory claimed from Xen, so that this one stays small. Interrupt
//! handlers never allocate (they are a few instructions in `interrupts.rs`), so the locks are never
//! contended.
//!
//! `linked_list_allocator` walks its holes at each call: with a hundred guests that is most of the work of making the
//! next. So small blocks that are freed wait in lists by size for the next one of their kind. The lists are
//! short: what a guest made us allocate and free again must not stay tied to one size.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};

use linked_list_allocator::Heap;
use spin::Mutex;

use crate::paging::PAGE;
use crate::ram::Ram;

/// The least that the control domain works with, in bytes.
const LEAST: u64 = 2 << 20;
/// More than this is never needed, in bytes: per-domain budgets keep within it.
const MOST: u64 = 8 << 20;

/// The smallest blocks have so many bytes, each further class twice as many.
const SMALLEST: usize = 16;
/// Blocks of 16 bytes to 2 KiB.
const CLASSES: usize = 8;
/// Bytes that wait in one list at most.
const WAITING: usize = 64 << 10;

#[global_allocator]
static HEAP: Locked =
    Locked(Mutex::new(Classes { heap: Heap::empty(), lists: [const { List::EMPTY }; CLASSES] }));

struct Locked(Mutex<Classes>);

struct Classes {
    heap: Heap,
    lists: [List; CLASSES],
}

/// Free blocks of one size, each holding the address of the next.
struct List {
    first: *mut Block,
    count: usize,
}

struct Block {
    next: *mut Block,
}

// SAFETY: the blocks belong to the list alone, wherever it goes.
unsafe impl Send for List {}

impl List {
    const EMPTY: Self = Self { first: ptr::null_mut(), count: 0 };

    fn pop(&mut self) -> Option<NonNull<u8>> {
        let block = NonNull::new(self.first)?;
        // SAFETY: whatever is in the list was put there by `push`, and is nobody else's until it is taken out.
        self.first = unsafe { block.as_ref() }.next;
        self.count -= 1;
        Some(block.cast())
    }

    /// # Safety
    /// `block` has room and alignment for a [`Block`], and is nobody's any more.
    unsafe fn push(&mut self, block: *mut u8) {
        let block = block.cast::<Block>();
        // SAFETY: the caller.
        unsafe { block.write(Block { next: self.first }) };
        self.first = block;
        self.count += 1;
    }
}

/// Which class serves `layout`, and what its blocks are like. `None`: too large for any.
fn class_of(layout: Layout) -> Option<(usize, Layout)> {
    let size = layout.size().max(layout.align()).max(SMALLEST).next_power_of_two();
    let class = (size / SMALLEST).trailing_zeros() as usize;
    (class < CLASSES).then(|| (class, Layout::from_size_align(size, size).unwrap_or(layout)))
}

// SAFETY: 1. Blocks come from `Heap`, with at least the size and alignment asked for: a class's size is a power of two
// not below either, and its alignment is its size. 2. The class follows from the layout alone, so a block goes back to
// where its like is taken from.
unsafe impl GlobalAlloc for Locked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut classes = self.0.lock();
        let block = match class_of(layout) {
            Some((class, block)) => {
                classes.lists[class].pop().or_else(|| classes.heap.allocate_first_fit(block).ok())
            }
            None => classes.heap.allocate_first_fit(layout).ok(),
        };
        block.map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        let mut classes = self.0.lock();
        let layout = match class_of(layout) {
            Some((class, block)) if (classes.lists[class].count + 1) * block.size() <= WAITING => {
                // SAFETY: the caller gives it up, and it is a block of this class.
                return unsafe { classes.lists[class].push(address) };
            }
            Some((_, block)) => block,
            None => layout,
        };
        if let Some(address) = NonNull::new(address) {
            // SAFETY: it came from this heap with this layout (see above), and the caller gives it up.
            unsafe { classes.heap.deallocate(address, layout) };
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
    let bottom = ram.take_pages(size / PAGE) as *mut u8;
    // SAFETY: the memory is ours alone for good, mapped and writable; this runs once.
    unsafe { HEAP.0.lock().heap.init(bottom, size as usize) };
}

/// Bytes in use, and bytes in all. What waits in the lists is not in use.
pub fn usage() -> (u64, u64) {
    let classes = HEAP.0.lock();
    let waiting: usize =
        classes.lists.iter().enumerate().map(|(class, list)| list.count * (SMALLEST << class)).sum();
    ((classes.heap.used() - waiting) as u64, classes.heap.size() as u64)
}
