//! The kernel's heap: one piece of memory of fixed size, and lists of small blocks in front of it.
//!
//! `linked_list_allocator` walks its holes at each call: with a hundred guests that is most of the work of making the
//! next. So small blocks that are freed wait in lists by size for the next one of their kind. What waits is bounded,
//! and all of it goes back when memory runs out otherwise: what a guest made us allocate and free again is never lost
//! to other sizes.
//!
//! It has no lock and no global: the kernel puts it behind one, the tests hold one each.
#![no_std]

mod class;
mod list;

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

use linked_list_allocator::Heap as Holes;

use class::{Class, NR_CLASSES};
use list::List;

/// Bytes that wait in one list at most.
pub const MOST_WAITING: usize = 64 << 10;

/// How full a [`Heap`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes in use, rounded up to what blocks take. What waits in the lists is not in use.
    pub used: usize,
    /// Bytes in all.
    pub size: usize,
}

/// A heap. See the crate's page.
pub struct Heap {
    holes: Holes,
    /// Blocks that wait, by class.
    lists: [List; NR_CLASSES],
}

impl Heap {
    /// A heap without memory: it gives none until [`Self::init`].
    #[must_use]
    pub const fn empty() -> Self {
        Self { holes: Holes::empty(), lists: [const { List::EMPTY }; NR_CLASSES] }
    }

    /// Gives the heap its memory: `size` bytes at `bottom`.
    ///
    /// # Safety
    /// 1. The memory is valid for reads and writes, and the heap's alone as long as it exists.
    /// 2. This is called once.
    pub unsafe fn init(&mut self, bottom: NonNull<u8>, size: usize) {
        // SAFETY: the caller.
        unsafe { self.holes.init(bottom.as_ptr(), size) };
    }

    /// Allocates. `None`: there is no room, not even among the blocks that wait.
    pub fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        let class = Class::of(layout);
        if let Some(block) = class.and_then(|class| self.lists[class.index()].pop()) {
            return Some(block);
        }
        let layout = class.map_or(layout, Class::layout);
        if let Ok(block) = self.holes.allocate_first_fit(layout) {
            return Some(block);
        }
        if !self.give_back() {
            return None;
        }
        self.holes.allocate_first_fit(layout).ok()
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// The block came from [`Self::allocate`] of this heap, with this layout, and nobody uses it any more.
    pub unsafe fn deallocate(&mut self, block: NonNull<u8>, layout: Layout) {
        let Some(class) = Class::of(layout) else {
            // SAFETY: it came from the holes with this layout, since no class serves it.
            return unsafe { self.holes.deallocate(block, layout) };
        };
        let list = &mut self.lists[class.index()];
        if (list.len() + 1) * class.size() <= MOST_WAITING {
            // SAFETY: it is a block of this class, which follows from the layout alone, and the caller gives it up.
            unsafe { list.push(block) };
        } else {
            // SAFETY: as above, and blocks of a class came from the holes with the class's layout.
            unsafe { self.holes.deallocate(block, class.layout()) };
        }
    }

    /// How full it is.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let waiting: usize = Class::all().map(|class| self.lists[class.index()].len() * class.size()).sum();
        Usage { used: self.holes.used() - waiting, size: self.holes.size() }
    }

    /// Empties all lists, so that neighbours become one again; says whether any had a block.
    fn give_back(&mut self) -> bool {
        let mut any = false;
        for class in Class::all() {
            while let Some(block) = self.lists[class.index()].pop() {
                // SAFETY: blocks of a class came from the holes with the class's layout; nobody uses one that waits.
                unsafe { self.holes.deallocate(block, class.layout()) };
                any = true;
            }
        }
        any
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Usage { used, size } = self.usage();
        write!(f, "a heap: {used} of {size} bytes in use")
    }
}
