//! What is written into which pages.

mod windows;

use alloc::vec::Vec;
use core::ops::Range;

use image::{ReadAt, ReadError, Reader};
use xen_abi::{Gfn, Pages};

pub(crate) use windows::Windows;

use crate::layout::{PAGE, pages_of};

/// Where bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Kernel {
        offset: u64,
    },
    Ramdisk {
        offset: u64,
    },
    /// The boot block.
    Block {
        offset: u64,
    },
    /// Identity page tables.
    IdentPt {
        offset: u64,
    },
}

impl Source {
    /// The same, further on.
    fn skip(self, bytes: u64) -> Self {
        match self {
            Source::Kernel { offset } => Source::Kernel { offset: offset + bytes },
            Source::Ramdisk { offset } => Source::Ramdisk { offset: offset + bytes },
            Source::Block { offset } => Source::Block { offset: offset + bytes },
            Source::IdentPt { offset } => Source::IdentPt { offset: offset + bytes },
        }
    }
}

/// Bytes to be written at one place.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) at: Range<u64>,
    pub(crate) source: Source,
}

/// All that is to be written: whole pages, of which what no piece covers becomes zero.
///
/// Memory from Xen may hold what its last owner left there, so nothing is taken for zero.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filling {
    /// Sorted, disjoint, not touching, in whole pages.
    pub(crate) stretches: Vec<Range<u64>>,
    /// Sorted, disjoint.
    pub(crate) pieces: Vec<Piece>,
    /// The boot block.
    pub(crate) block: Vec<u8>,
}

/// The images that a guest is built of.
#[derive(Debug)]
pub struct Images<'a> {
    /// The kernel whose headers the plan was made of.
    pub kernel: Reader<'a>,
    /// The ramdisk, if the plan has one.
    pub ramdisk: Option<Reader<'a>>,
}

/// An image could not be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Kernel(ReadError),
    Ramdisk(ReadError),
}

impl Filling {
    /// Adds `file_len` bytes from `source`, followed by zeroes up to `len`.
    pub(crate) fn add(&mut self, at: u64, len: u64, file_len: u64, source: Source) {
        self.stretches.push(pages_of(&(at..at + len)));
        if file_len > 0 {
            self.pieces.push(Piece { at: at..at + file_len, source });
        }
    }

    /// To be called when all is added: brings it in order.
    pub(crate) fn sort(&mut self) {
        self.pieces.sort_by_key(|piece| piece.at.start);
        self.stretches.sort_by_key(|stretch| stretch.start);
        let mut merged: Vec<Range<u64>> = Vec::with_capacity(self.stretches.len());
        for stretch in self.stretches.drain(..) {
            match merged.last_mut() {
                Some(last) if stretch.start <= last.end => last.end = last.end.max(stretch.end),
                _ => merged.push(stretch),
            }
        }
        self.stretches = merged;
    }

    /// How many pages will be written.
    pub(crate) fn pages(&self) -> Pages {
        Pages(self.stretches.iter().map(|stretch| (stretch.end - stretch.start) / PAGE).sum())
    }

    /// Where to cut pages that start at `at`, if not before `end`: so that a packed block of an image is not cut
    /// in two, which would have to be unpacked twice.
    fn cut(&self, at: u64, end: u64, block_size: u64) -> u64 {
        let piece = self.pieces.iter().find(|piece| (piece.at.start..piece.at.end).contains(&end));
        let offset = match piece {
            Some(Piece { at, source: Source::Kernel { offset } | Source::Ramdisk { offset } }) => {
                offset + (end - at.start)
            }
            _ => return end,
        };
        let over = offset % block_size;
        if over.is_multiple_of(PAGE) && end - at > over { end - over } else { end }
    }

    /// Is the page at `at` known to be all zeroes, without looking at its bytes?
    pub(crate) fn is_zero(&self, at: u64, images: &Images<'_>) -> bool {
        let page = at..at + PAGE;
        let first = self.pieces.partition_point(|piece| piece.at.end <= page.start);
        self.pieces[first..].iter().take_while(|piece| piece.at.start < page.end).all(|piece| {
            let part = piece.at.start.max(page.start)..piece.at.end.min(page.end);
            let zero = |image: &Reader<'_>, offset| image.is_zero(offset, part.end - part.start);
            match piece.source.skip(part.start - piece.at.start) {
                Source::Kernel { offset } => zero(&images.kernel, offset),
                Source::Ramdisk { offset } => {
                    images.ramdisk.as_ref().is_some_and(|image| zero(image, offset))
                }
                Source::Block { .. } | Source::IdentPt { .. } => false,
            }
        })
    }

    /// Writes all that belongs at `at` into `out`, and zeroes where nothing does.
    pub(crate) fn write(&self, at: u64, out: &mut [u8], images: &mut Images<'_>) -> Result<(), Unreadable> {
        let end = at + out.len() as u64;
        let mut done = at;
        let first = self.pieces.partition_point(|piece| piece.at.end <= at);
        for piece in self.pieces[first..].iter().take_while(|piece| piece.at.start < end) {
            let part = piece.at.start.max(at)..piece.at.end.min(end);
            out[(done - at) as usize..(part.start - at) as usize].fill(0);
            let source = piece.source.skip(part.start - piece.at.start);
            self.copy(source, &mut out[(part.start - at) as usize..(part.end - at) as usize], images)?;
            done = part.end;
        }
        out[(done - at) as usize..].fill(0);
        Ok(())
    }

    fn copy(&self, source: Source, out: &mut [u8], images: &mut Images<'_>) -> Result<(), Unreadable> {
        match source {
            Source::Kernel { offset } => images.kernel.read_at(offset, out).map_err(Unreadable::Kernel)?,
            Source::Ramdisk { offset } => {
                let missing = ReadError::OutOfRange { end: offset + out.len() as u64, len: 0 };
                let ramdisk = images.ramdisk.as_mut().ok_or(Unreadable::Ramdisk(missing))?;
                ramdisk.read_at(offset, out).map_err(Unreadable::Ramdisk)?;
            }
            Source::Block { offset } => {
                let start = offset as usize;
                out.copy_from_slice(&self.block[start..start + out.len()]);
            }
            Source::IdentPt { offset } => {
                for (n, byte) in out.iter_mut().enumerate() {
                    *byte = ident_pt(offset + n as u64);
                }
            }
        }
        Ok(())
    }
}

/// A byte of a 32-bit page directory that maps all 4 GiB to themselves in pages of 4 MiB.
fn ident_pt(offset: u64) -> u8 {
    /// Present, writable, for user mode, accessed, dirty, large.
    const FLAGS: u32 = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 5 | 1 << 6 | 1 << 7;
    let entry = ((offset / 4) as u32) << 22 | FLAGS;
    entry.to_le_bytes()[(offset % 4) as usize]
}

/// The frames of whole pages.
pub(crate) fn frames(pages: &Range<u64>) -> impl Iterator<Item = Gfn> + use<> {
    (pages.start / PAGE..pages.end / PAGE).map(Gfn)
}
