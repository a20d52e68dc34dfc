//! Free blocks of one size.

use core::ptr::NonNull;

/// Free blocks, each holding the address of the next.
#[derive(Debug)]
pub(crate) struct List {
    first: Option<NonNull<Link>>,
    len: usize,
}

/// What a free block begins with.
struct Link {
    next: Option<NonNull<Link>>,
}

// SAFETY: the blocks belong to the list alone, wherever it goes.
unsafe impl Send for List {}

impl List {
    pub(crate) const EMPTY: Self = Self { first: None, len: 0 };

    /// How many blocks there are.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The block that came last.
    pub(crate) fn pop(&mut self) -> Option<NonNull<u8>> {
        let block = self.first?;
        // SAFETY: whatever is in the list was written by `push`, and is nobody else's until it is taken out.
        self.first = unsafe { block.read() }.next;
        self.len -= 1;
        Some(block.cast())
    }

    /// # Safety
    /// `block` has at least 16 bytes, is aligned to 16, and is nobody's any more.
    pub(crate) unsafe fn push(&mut self, block: NonNull<u8>) {
        let block = block.cast::<Link>();
        // SAFETY: the caller: there is room for a link, and nobody looks.
        unsafe { block.write(Link { next: self.first }) };
        self.first = Some(block);
        self.len += 1;
    }
}
