//! Which frames get memory, in extents as large as possible.

use alloc::vec::Vec;
use core::ops::Range;

use xen_abi::Gfn;

use crate::layout::{CONSOLE, HIGH, IDENT_PT, Memory, PAGE, STORE};

/// Orders of extents, largest first: those that nested page tables map with one entry.
const ORDERS: [u32; 3] = [18, 9, 0];
/// The special pages.
pub(crate) const SPECIAL: [Gfn; 3] = [STORE, IDENT_PT, CONSOLE];

/// Extents of one size: what one hypercall populates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extents {
    pub(crate) order: u32,
    pub(crate) at: Vec<Gfn>,
}

impl Extents {
    /// The same frames in extents of the next smaller size; none if there is none.
    pub(crate) fn smaller(&self) -> Option<Extents> {
        let order = *ORDERS.iter().find(|&&order| order < self.order)?;
        let each = 1u64 << (self.order - order);
        let at = self.at.iter().flat_map(|first| (0..each).map(|n| first.offset(n << order))).collect();
        Some(Extents { order, at })
    }
}

/// All of a guest's memory: one entry for each order.
pub(crate) fn extents(memory: &Memory) -> Vec<Extents> {
    let mut all: Vec<Extents> = ORDERS.iter().map(|&order| Extents { order, at: Vec::new() }).collect();
    for range in [0..memory.low_end, HIGH..memory.high_end] {
        split(range.start / PAGE..range.end / PAGE, &mut all);
    }
    if let Some(single) = all.last_mut() {
        single.at.extend(SPECIAL);
    }
    all.retain(|extents| !extents.at.is_empty());
    all
}

/// Cuts frames into the largest extents that are aligned.
fn split(mut frames: Range<u64>, all: &mut [Extents]) {
    while !frames.is_empty() {
        let fits =
            |order: u32| frames.start.is_multiple_of(1 << order) && frames.end - frames.start >= 1 << order;
        // Order 0 always fits.
        let Some(extents) = all.iter_mut().find(|extents| fits(extents.order)) else { return };
        extents.at.push(Gfn(frames.start));
        frames.start += 1 << extents.order;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xen_abi::Bytes;

    fn counts(bytes: u64) -> Vec<(u32, usize)> {
        extents(&Memory::new(Bytes(bytes))).iter().map(|extents| (extents.order, extents.at.len())).collect()
    }

    #[test]
    fn memory_comes_in_the_largest_pieces_that_fit() {
        assert_eq!(counts(32 << 20), [(9, 16), (0, 3)]);
        assert_eq!(counts(1 << 20), [(0, 256 + 3)]);
        assert_eq!(counts((1 << 30) + (3 << 20)), [(18, 1), (9, 1), (0, 256 + 3)]);
        // 3 GiB and 480 large pages below the hole, 64 MiB less than 4 GiB; the rest above.
        assert_eq!(counts(6 << 30), [(18, 3 + 2), (9, 480 + 32), (0, 3)]);
    }

    #[test]
    fn what_xen_cannot_give_in_large_pieces_is_asked_for_in_smaller_ones() {
        let large = Extents { order: 18, at: alloc::vec![Gfn(1 << 18)] };
        let medium = large.smaller().unwrap();
        assert_eq!(
            (medium.order, medium.at.len(), medium.at[0], medium.at[1]),
            (9, 512, Gfn(1 << 18), Gfn((1 << 18) + 512))
        );
        let small = medium.smaller().unwrap();
        assert_eq!((small.order, small.at.len(), small.at[511]), (0, 512 * 512, Gfn((1 << 18) + 511)));
        assert_eq!(small.smaller(), None);
    }
}
