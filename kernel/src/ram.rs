//! Domain 0's own memory, handed out once and for good while booting.
//!
//! After boot everything lives on the heap or in memory claimed from Xen, so nothing is ever given back here.

use core::ops::Range;

use heapless::Vec;

use crate::layout;
use crate::paging::PAGE;

/// The first mebibyte holds firmware tables that the memory map does not always mention.
const LOW_MEMORY: Range<u64> = 0..1 << 20;

/// Memory that nobody uses yet.
pub struct Ram {
    free: Vec<Range<u64>, 32>,
}

impl Ram {
    /// All of `usable` but the image, the low mebibyte and what is in `taken`. All are physical addresses.
    pub fn new(usable: impl Iterator<Item = Range<u64>>, taken: &[Range<u64>]) -> Self {
        let mut free = Vec::new();
        for range in usable {
            let range = range.start.next_multiple_of(PAGE)..range.end / PAGE * PAGE;
            // A memory map of more than 32 pieces costs us the pieces beyond, no more.
            let _ = free.push(range);
        }
        let mut ram = Self { free };
        ram.exclude(&LOW_MEMORY);
        ram.exclude(&layout::image());
        taken.iter().for_each(|range| ram.exclude(range));
        ram
    }

    /// Takes `count` consecutive pages; returns the first one's address. Their contents are arbitrary.
    ///
    /// # Panics
    /// If there are none left: the domain was given too little memory to boot at all.
    pub fn take_pages(&mut self, count: u64) -> u64 {
        let bytes = count * PAGE;
        let Some(range) = self.free.iter_mut().find(|range| range.end.saturating_sub(range.start) >= bytes)
        else {
            panic!("{bytes} bytes of memory are missing to boot: give domain 0 more (dom0_mem=)");
        };
        range.end -= bytes;
        range.end
    }

    /// The length in bytes of the largest piece left.
    pub fn largest(&self) -> u64 {
        self.free.iter().map(|range| range.end.saturating_sub(range.start)).max().unwrap_or(0)
    }

    fn exclude(&mut self, taken: &Range<u64>) {
        let mut rest = Vec::new();
        for range in &self.free {
            let before = range.start..range.end.min(taken.start / PAGE * PAGE);
            let after = range.start.max(taken.end.next_multiple_of(PAGE))..range.end;
            for piece in [before, after] {
                if piece.start < piece.end {
                    let _ = rest.push(piece);
                }
            }
        }
        self.free = rest;
    }
}
