//! Which frames are looked at.
//!
//! Xen tells how many pages a domain has and which is its highest frame, not where they are. Of domains that we built we know
//! where memory can be; the wide gaps between (3 GiB of frames below 4 GiB, for small ones) are looked at only where pages
//! are missing that cannot be anywhere else.

use alloc::vec::Vec;
use core::ops::Range;

use xen_abi::{Gfn, KiB, Pages};

/// Frames of gaps that are looked at of one domain, which is 16 GiB of addresses. A guest may have moved a page of its own to the end of
/// what can be addressed; whoever looks for it there looks for hours, and the guest stands still meanwhile.
const MOST_OF_GAPS: u64 = 1 << 22;

/// Frames, and how many pages can be among them at most; a gap expects none.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    frames: Range<u64>,
    expected: u64,
}

/// The frames still to be looked at, ascending.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    /// Last part first.
    parts: Vec<Part>,
    /// Pages that have not been found yet.
    missing: u64,
    /// Frames of gaps that may still be looked at.
    gaps: u64,
}

impl Scan {
    /// `most`: the most memory that the domain may have, where we built it. `last`: its highest frame. `pages`: how many it has.
    pub(super) fn new(most: Option<&KiB>, last: Gfn, pages: Pages) -> Self {
        let mut parts = Vec::new();
        let mut at = 0;
        for Range { start, end } in most.into_iter().flat_map(|&most| builder::frames_within(most)) {
            let count = end.0.saturating_sub(start.0);
            // Of the special frames only a few have memory.
            let expected = if start.0 == 0 || start.0 >= 1 << 20 { count } else { builder::SPECIAL_PAGES.0 };
            parts.push(Part { frames: at..start.0, expected: 0 });
            parts.push(Part { frames: start.0..end.0, expected });
            at = at.max(end.0);
        }
        parts.push(Part { frames: at..at.max(last.0.saturating_add(1)), expected: 0 });
        parts.retain(|part| !part.frames.is_empty());
        parts.reverse();
        // Where nothing is known of a domain, all of it is gap.
        let gaps = MOST_OF_GAPS.saturating_add(if most.is_none() { pages.0.saturating_mul(2) } else { 0 });
        Scan { parts, missing: pages.0, gaps }
    }

    /// A page was found.
    pub(super) fn found(&mut self) {
        self.missing = self.missing.saturating_sub(1);
    }

    /// The next frames, at most so many; none when all have been looked at.
    pub(super) fn next_frames(&mut self, most: u64) -> Option<Range<u64>> {
        loop {
            let later: u64 = self.parts.iter().rev().skip(1).map(|part| part.expected).sum();
            let part = self.parts.last_mut()?;
            let is_gap = part.expected == 0;
            if part.frames.is_empty() || (is_gap && (self.missing <= later || self.gaps == 0)) {
                self.parts.pop();
                continue;
            }
            let start = part.frames.start;
            part.frames.start = part.frames.end.min(start + most);
            if is_gap {
                self.gaps = self.gaps.saturating_sub(part.frames.start - start);
                if self.gaps == 0 {
                    log::warn!("{} pages of a domain are too far from the others to be dumped", self.missing);
                }
            }
            return Some(start..part.frames.start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that is looked at of a domain that has memory just there, in stretches.
    fn looked_at(most: Option<KiB>, has: &[Range<u64>]) -> Vec<Range<u64>> {
        let pages = Pages(has.iter().map(|range| range.end - range.start).sum());
        let last = Gfn(has.last().unwrap().end - 1);
        let mut scan = Scan::new(most.as_ref(), last, pages);
        let mut stretches: Vec<Range<u64>> = Vec::new();
        while let Some(frames) = scan.next_frames(128) {
            assert!((1..=128).contains(&(frames.end - frames.start)));
            for frame in frames.clone() {
                if has.iter().any(|range| range.contains(&frame)) {
                    scan.found();
                }
            }
            match stretches.last_mut() {
                Some(last) if last.end == frames.start => last.end = frames.end,
                _ => stretches.push(frames),
            }
        }
        stretches
    }

    const SPECIAL: Range<u64> = 0xfeff8..0xff000;

    #[test]
    fn a_domain_that_is_as_it_was_built_is_looked_at_where_its_memory_is() {
        let has = [0..2048, 0xfeffc..0xfeffd, 0xfeffe..0xff000];
        assert_eq!(looked_at(Some(KiB(8 << 10)), &has), [0..2048, SPECIAL]);
        let large = [0..0xfc000, 0xfeffc..0xfeffd, 0xfeffe..0xff000, 0x10_0000..0x10_4000];
        assert_eq!(
            looked_at(Some(KiB((0xfc000 + 0x4000) * 4)), &large),
            [0..0xfc000, SPECIAL, 0x10_0000..0x10_4000]
        );
    }

    #[test]
    fn memory_that_was_given_back_makes_no_gap_worth_looking_at() {
        let has = [0..100, 2000..2048, 0xfeffc..0xfeffd, 0xfeffe..0xff000];
        assert_eq!(looked_at(Some(KiB(8 << 10)), &has), [0..2048, SPECIAL]);
    }

    #[test]
    fn pages_that_can_only_be_in_a_gap_are_found_there() {
        let has = [0..2048, 3000..3001, 0xfeffc..0xfeffd, 0xfeffe..0xff000];
        assert_eq!(looked_at(Some(KiB(8 << 10)), &has)[0], 0..3072, "to the window in which all are found");
        let high = [0..2048, 0xfeffc..0xfeffd, 0xfeffe..0xff000, 0x12_0000..0x12_0001];
        let seen = looked_at(Some(KiB(8 << 10)), &high);
        assert!(seen.iter().any(|range| range.contains(&0x12_0000)), "{seen:?}");
    }

    #[test]
    fn a_page_that_a_guest_put_far_away_is_not_looked_for_without_end() {
        let far = 1 << 34;
        let has =
            [0..2047, SPECIAL.start + 4..SPECIAL.start + 5, SPECIAL.start + 6..SPECIAL.end, far..far + 1];
        let seen = looked_at(Some(KiB(8 << 10)), &has);
        assert!(seen.iter().any(|range| range.contains(&SPECIAL.start)), "the rest is there: {seen:?}");
        let frames: u64 = seen.iter().map(|range| range.end - range.start).sum();
        assert!((MOST_OF_GAPS..MOST_OF_GAPS + 4096).contains(&frames), "{frames} frames were looked at");
    }

    #[test]
    fn of_a_domain_that_we_did_not_build_everything_is_looked_at_until_all_is_found() {
        let one = |range: &Range<u64>| std::slice::from_ref(range).to_vec();
        assert_eq!(looked_at(None, &one(&(500..510))), one(&(0..510)));
        assert_eq!(looked_at(None, &[0..10, 500..501]), one(&(0..501)));
    }
}
