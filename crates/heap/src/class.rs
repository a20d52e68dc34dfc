//! The sizes of small blocks.

use core::alloc::Layout;

/// The smallest blocks have so many bytes, each further class twice as many.
const SMALLEST: usize = 16;
/// Blocks of 16 bytes to 2 KiB.
pub(crate) const NR_CLASSES: usize = 8;
/// All blocks are aligned so. What must be aligned better, which is rare, takes no part: a class aligned to its size
/// would leave holes in front of most of its blocks.
const ALIGN: usize = 16;

/// One size of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(usize);

impl Class {
    /// The class whose blocks suit `layout`. `None`: none does.
    pub(crate) fn of(layout: Layout) -> Option<Self> {
        if layout.align() > ALIGN {
            return None;
        }
        let units = layout.size().div_ceil(SMALLEST).max(1);
        let index = units.checked_next_power_of_two()?.trailing_zeros() as usize;
        (index < NR_CLASSES).then_some(Self(index))
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..NR_CLASSES).map(Self)
    }

    pub(crate) const fn index(self) -> usize {
        self.0
    }

    /// How large its blocks are, in bytes.
    pub(crate) const fn size(self) -> usize {
        SMALLEST << self.0
    }

    /// What its blocks are allocated as.
    pub(crate) const fn layout(self) -> Layout {
        match Layout::from_size_align(self.size(), ALIGN) {
            Ok(layout) => layout,
            Err(_) => unreachable!(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_gets_the_smallest_block_that_suits_it() {
        for align in [1, 2, 4, 8, 16, 32, 4096] {
            for size in 0..=4100 {
                let layout = Layout::from_size_align(size, align).expect("a power of two");
                let suits = |class: &Class| class.layout().size() >= size && class.layout().align() >= align;
                assert_eq!(Class::of(layout), Class::all().find(suits), "{layout:?}");
            }
        }
        let huge = Layout::from_size_align(isize::MAX as usize - 15, 16).expect("the largest there is");
        assert_eq!(Class::of(huge), None);
    }
}
