//! Where things may lie in a guest's physical memory.

use alloc::vec::Vec;
use core::ops::Range;

use xen_abi::memory::{E820_ACPI, E820_RAM, E820_RESERVED, E820Entry};
use xen_abi::{Bytes, Gfn, KiB, PAGE_SIZE, Pages};

pub(crate) const PAGE: u64 = PAGE_SIZE as u64;

/// Where memory below 4 GiB ends at the latest: behind it are the local APIC and the special pages. As xl's.
pub(crate) const HOLE: u64 = 0xfc00_0000;
/// Where the rest of the memory goes on.
pub(crate) const HIGH: u64 = 1 << 32;
/// What kernels can be expected to reach when they start.
const NEAR: u64 = 1 << 30;
/// Below, kernels keep trampolines and the like.
const LEGACY_END: u64 = 1 << 20;

/// The special pages, reserved in the memory map. The same frames as libxc's, of which a PVH guest needs three.
const SPECIAL: Range<u64> = 0xfeff_8000..0xff00_0000;
/// Where the guest's grant table appears while it is being built.
pub(crate) const GRANTS: Gfn = Gfn(0xfeff8);
/// The xenstore ring.
pub(crate) const STORE: Gfn = Gfn(0xfeffc);
/// Identity page tables.
pub(crate) const IDENT_PT: Gfn = Gfn(0xfeffe);
/// The console ring.
pub(crate) const CONSOLE: Gfn = Gfn(0xfefff);

/// The guest's memory: one range below the hole, and one above it where there is more.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    pub(crate) low_end: u64,
    pub(crate) high_end: u64,
}

impl Memory {
    pub(crate) fn new(size: Bytes) -> Self {
        let low_end = size.0.min(HOLE);
        Memory { low_end, high_end: HIGH + (size.0 - low_end) }
    }

    /// The memory map, with the boot block as ACPI's: kept until the guest has read its tables.
    pub(crate) fn map(&self, block: &Range<u64>) -> Vec<E820Entry> {
        let parts = [
            (0..block.start, E820_RAM),
            (block.clone(), E820_ACPI),
            (block.end..self.low_end, E820_RAM),
            (SPECIAL, E820_RESERVED),
            (HIGH..self.high_end, E820_RAM),
        ];
        parts
            .into_iter()
            .filter(|(range, _)| !range.is_empty())
            .map(|(range, kind)| E820Entry::new(range.start, range.end - range.start, kind))
            .collect()
    }
}

/// Where a guest of at most `max_memory` has memory, as far as it was built with it or given it later: stretches of frames,
/// ascending. Not everywhere there, where it started with less or gave some back; special pages are among them.
#[must_use]
pub fn frames_within(max_memory: KiB) -> [Range<Gfn>; 3] {
    let memory = Memory::new(Pages(max_memory.0 / 4).bytes());
    [0..memory.low_end, SPECIAL, HIGH..memory.high_end]
        .map(|range| Gfn(range.start / PAGE)..Gfn(range.end / PAGE))
}

/// Memory below the hole that is still free, in whole pages.
#[derive(Clone, Debug)]
pub(crate) struct FreeSpace {
    /// Sorted, disjoint.
    free: Vec<Range<u64>>,
}

impl FreeSpace {
    pub(crate) fn new(memory: &Memory) -> Self {
        // Never the first page: an address of zero means "none".
        FreeSpace { free: alloc::vec![PAGE..memory.low_end.max(PAGE)] }
    }

    /// Removes all pages that the range touches.
    pub(crate) fn remove(&mut self, taken: &Range<u64>) {
        let taken = pages_of(taken);
        self.free = self
            .free
            .iter()
            .flat_map(|free| [free.start..free.end.min(taken.start), free.start.max(taken.end)..free.end])
            .filter(|part| !part.is_empty())
            .collect();
    }

    /// Takes `len` bytes in whole pages: as high as possible below 1 GiB and above 1 MiB, else as high as possible.
    pub(crate) fn take(&mut self, len: u64) -> Option<Range<u64>> {
        let len = len.checked_next_multiple_of(PAGE)?;
        let found = self
            .highest(len, LEGACY_END..NEAR)
            .or_else(|| self.highest(len, LEGACY_END..HOLE))
            .or_else(|| self.highest(len, 0..HOLE))?;
        self.remove(&found);
        Some(found)
    }

    fn highest(&self, len: u64, within: Range<u64>) -> Option<Range<u64>> {
        self.free.iter().rev().find_map(|free| {
            let end = free.end.min(within.end);
            let start = end.checked_sub(len)?;
            (start >= free.start.max(within.start)).then_some(start..end)
        })
    }
}

/// The range, widened to whole pages.
pub(crate) fn pages_of(range: &Range<u64>) -> Range<u64> {
    range.start - range.start % PAGE..range.end.next_multiple_of(PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(size: u64) -> FreeSpace {
        FreeSpace::new(&Memory::new(Bytes(size)))
    }

    #[test]
    fn things_go_to_the_top_of_what_kernels_reach() {
        assert_eq!(free(64 << 20).take(1), Some((64 << 20) - PAGE..64 << 20));
        assert_eq!(free(3 << 30).take(5000), Some(NEAR - 2 * PAGE..NEAR));
    }

    #[test]
    fn what_is_too_large_for_there_goes_elsewhere() {
        assert_eq!(free(3 << 30).take(2 << 30), Some(1 << 30..3 << 30));
        assert_eq!(free(1 << 20).take(PAGE), Some((1 << 20) - PAGE..1 << 20));
        assert_eq!(free(1 << 20).take(1 << 20), None, "the first page is not for taking");
        assert_eq!(free(1 << 20).take(u64::MAX), None);
    }

    #[test]
    fn what_is_taken_is_not_given_again() {
        let mut space = free(4 << 20);
        space.remove(&(0x10_0800..0x20_0001));
        assert_eq!(space.free, [PAGE..0x10_0000, 0x20_1000..0x40_0000]);
        while let Some(taken) = space.take(0x3000) {
            assert!(taken.end <= 0x10_0000 || taken.start >= 0x20_1000);
        }
        assert!(space.free.iter().all(|free| free.end - free.start < 0x3000));
    }

    #[test]
    fn memory_goes_on_above_the_hole() {
        let memory = Memory::new(Bytes(6 << 30));
        let map = memory.map(&(NEAR - PAGE..NEAR));
        let ram: u64 = map.iter().filter(|entry| entry.r#type != E820_RESERVED).map(E820Entry::size).sum();
        assert_eq!(ram, 6 << 30);
        assert!(map.windows(2).all(|pair| pair[0].addr() + pair[0].size() <= pair[1].addr()));
        assert_eq!(map.last().map(E820Entry::addr), Some(HIGH));
    }
}
