//! Cutting what is written into windows: pages that are mapped at one time.

use alloc::vec::Vec;
use core::ops::Range;

use super::Filling;
use crate::layout::PAGE;

/// The windows of a [`Filling`], in order.
pub(crate) struct Windows<'a> {
    filling: &'a Filling,
    pages: u64,
    block_size: u64,
    /// The stretch that comes next, and where in it.
    index: usize,
    at: u64,
}

impl<'a> Windows<'a> {
    /// Windows of at most `pages` pages, preferably cut between an image's blocks of `block_size` bytes.
    pub(crate) fn new(filling: &'a Filling, pages: u64, block_size: u64) -> Self {
        let at = filling.stretches.first().map_or(0, |stretch| stretch.start);
        Windows { filling, pages, block_size, index: 0, at }
    }
}

impl Iterator for Windows<'_> {
    /// Whole pages of the guest, in bytes; one after the other in the window.
    type Item = Vec<Range<u64>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut window = Vec::new();
        let mut room = self.pages * PAGE;
        while let Some(stretch) = self.filling.stretches.get(self.index) {
            let end = stretch.end.min(self.at + room);
            if end == stretch.end {
                window.push(self.at..end);
                room -= end - self.at;
                self.index += 1;
                self.at = self.filling.stretches.get(self.index).map_or(0, |next| next.start);
            } else {
                let end = self.filling.cut(self.at, end, self.block_size);
                if end > self.at {
                    window.push(self.at..end);
                    self.at = end;
                }
                break;
            }
        }
        (!window.is_empty()).then_some(window)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::*;

    fn windows(filling: &Filling, pages: u64) -> Vec<Vec<Range<u64>>> {
        Windows::new(filling, pages, 0x1_0000).collect()
    }

    #[test]
    fn what_is_small_goes_into_one_window() {
        let mut filling = Filling::default();
        filling.add(0x10_0800, 0x900, 0x100, Source::Kernel { offset: 0 });
        filling.add(0x10_1200, 0x100, 0x100, Source::Kernel { offset: 0x100 });
        filling.add(0xfeff_f000, 0x1000, 0, Source::Block { offset: 0 });
        filling.sort();
        assert_eq!(windows(&filling, 512), [[0x10_0000..0x10_2000, 0xfeff_f000..0xff00_0000]]);
    }

    #[test]
    fn windows_cover_everything_once_and_end_between_blocks() {
        let mut filling = Filling::default();
        filling.add(0x10_0000, 0x10_0000, 0x10_0000, Source::Kernel { offset: 0x3000 });
        filling.add(0x40_0000, 0x3000, 0x3000, Source::Block { offset: 0 });
        filling.sort();
        let windows = windows(&filling, 40);
        let mut at = 0x10_0000;
        for window in &windows[..windows.len() - 1] {
            assert_eq!(window.len(), 1);
            assert_eq!(window[0].start, at);
            at = window[0].end;
            assert_eq!((at - 0x10_0000 + 0x3000) % 0x1_0000, 0);
        }
        assert_eq!(windows.last().unwrap()[..], [at..0x20_0000, 0x40_0000..0x40_3000]);
    }
}
