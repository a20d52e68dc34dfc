//! Which frames of an aperture are free: first fit over a short sorted list.
//!
//! Reservations are few (an image, a window, a ring page each) and long-lived, so a list of free runs
//! stays short; it is merged on release.

use alloc::vec::Vec;
use core::ops::Range;

use xen_abi::Gfn;

/// Runs of at least this many frames start on a 2 MiB boundary, so that Xen can back them with large pages.
const LARGE_RUN: usize = 512;

/// The free frames of an aperture.
#[derive(Debug)]
pub struct FrameRanges {
    /// Sorted, disjoint, never touching each other.
    free: Vec<Range<u64>>,
}

impl FrameRanges {
    /// An aperture that is all free.
    pub fn new(frames: Range<Gfn>) -> Self {
        Self { free: alloc::vec![frames.start.0..frames.end.0] }
    }

    /// Takes `count` consecutive frames; `None` if no run is long enough, or none were asked for.
    pub fn reserve(&mut self, count: usize) -> Option<Gfn> {
        let align = if count >= LARGE_RUN { LARGE_RUN as u64 } else { 1 };
        let count = u64::try_from(count).ok().filter(|&count| count > 0)?;
        let (index, start) = self.free.iter().enumerate().find_map(|(index, run)| {
            let start = run.start.next_multiple_of(align);
            (start.checked_add(count)? <= run.end).then_some((index, start))
        })?;
        let run = self.free[index].clone();
        let rest = [run.start..start, start + count..run.end];
        self.free.splice(index..=index, rest.into_iter().filter(|piece| !piece.is_empty()));
        Some(Gfn(start))
    }

    /// Gives back what [`Self::reserve`] gave.
    ///
    /// # Panics
    /// In debug builds, if part of it is free already: a double release is a bug of ours.
    pub fn release(&mut self, first: Gfn, count: usize) {
        let mut run = first.0..first.0 + count as u64;
        let mut index = self.free.partition_point(|free| free.start < run.start);
        debug_assert!(self.free.get(index).is_none_or(|next| run.end <= next.start), "released twice");
        if self.free.get(index).is_some_and(|next| next.start == run.end) {
            run.end = self.free.remove(index).end;
        }
        if index > 0 && self.free[index - 1].end == run.start {
            index -= 1;
            run.start = self.free.remove(index).start;
        }
        self.free.insert(index, run);
    }

    /// How many frames are free.
    pub fn free_frames(&self) -> u64 {
        self.free.iter().map(|run| run.end - run.start).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(range: Range<u64>) -> FrameRanges {
        FrameRanges::new(Gfn(range.start)..Gfn(range.end))
    }

    #[test]
    fn what_is_released_can_be_reserved_whole_again() {
        let mut ranges = frames(100..200);
        let runs: Vec<Gfn> =
            (0..10).map(|_| ranges.reserve(10).expect("there are ten runs of ten")).collect();
        assert_eq!(ranges.reserve(1), None);
        for &index in &[3, 1, 2, 9, 0, 5, 4, 8, 6, 7] {
            ranges.release(runs[index], 10);
        }
        assert_eq!(ranges.reserve(100), Some(Gfn(100)));
    }

    #[test]
    fn long_runs_start_on_two_mebibytes() {
        let mut ranges = frames(100..10_000);
        assert_eq!(ranges.reserve(LARGE_RUN), Some(Gfn(512)));
        assert_eq!(ranges.reserve(3), Some(Gfn(100)), "the frames before it are still there");
        assert_eq!(ranges.free_frames(), 9_900 - 515);
    }

    #[test]
    fn impossible_requests_get_none() {
        let mut ranges = frames(0..10);
        for count in [0, 11, usize::MAX] {
            assert_eq!(ranges.reserve(count), None);
        }
        assert_eq!(ranges.free_frames(), 10);
    }
}
