//! Writing the guest's pages.
//!
//! Few pages are mapped, all at one time: two exits. Many are copied: they are made in a window of our own memory and
//! Xen copies them to where they belong. Mapping a page and unmapping it costs Xen several times what copying one
//! does, and pages that are known to be zero are all copied from a single one.

use alloc::vec::Vec;
use core::ops::Range;

use hypercall::{Aperture, Door, NewDomain, PageCopier};
use xen_abi::{Gfn, Pages};

use super::BuildError;
use crate::fill::{Filling, Images, Windows, frames};
use crate::layout::{GRANTS, PAGE};

/// Up to so many pages are mapped. Preparing for copies takes about ten exits, and each page that is copied saves
/// about one.
const FEW: u64 = 64;
/// Pages that are written at one time: 2 MiB.
const WINDOW: u64 = 512;
/// Bytes that are written before others may run.
const STEP: u64 = 1 << 20;

/// Writes all pages that are to be written.
pub(super) async fn all<M: Door + Aperture>(
    domain: &NewDomain<'_, M>,
    filling: &Filling,
    images: &mut Images<'_>,
    breathe: &mut impl AsyncFnMut(),
) -> Result<(), BuildError> {
    let window = filling.pages().0.min(WINDOW);
    if window > FEW
        && let Ok(mut copier) = domain.copier(GRANTS, Pages(window + 1))
    {
        return by_copying(&mut copier, filling, images, breathe).await;
    }
    // Where there is no memory for copying, mapping works all the same.
    by_mapping(domain, filling, images, breathe).await
}

fn windows<'a>(filling: &'a Filling, images: &Images<'_>) -> Windows<'a> {
    Windows::new(filling, WINDOW, u64::from(images.kernel.container().block_size()))
}

async fn by_mapping<M: Door + Aperture>(
    domain: &NewDomain<'_, M>,
    filling: &Filling,
    images: &mut Images<'_>,
    breathe: &mut impl AsyncFnMut(),
) -> Result<(), BuildError> {
    for window in windows(filling, images) {
        let pages: Vec<Gfn> = window.iter().flat_map(frames).collect();
        let mut mapped = domain.map(&pages)?;
        let mut out = mapped.bytes();
        for part in window.iter().flat_map(steps) {
            let (now, later) = out.split_at_mut((part.end - part.start) as usize);
            filling.write(part.start, now, images)?;
            out = later;
            if now.len() as u64 == STEP {
                breathe().await;
            }
        }
    }
    Ok(())
}

async fn by_copying<M: Door + Aperture>(
    copier: &mut PageCopier<'_, '_, M>,
    filling: &Filling,
    images: &mut Images<'_>,
    breathe: &mut impl AsyncFnMut(),
) -> Result<(), BuildError> {
    // The page behind the window is the one that is all zeroes.
    let zero = copier.staging().len() / PAGE as usize - 1;
    copier.staging()[zero * PAGE as usize..].fill(0);
    for window in windows(filling, images) {
        let mut copies: Vec<(usize, Gfn)> = Vec::with_capacity(WINDOW as usize);
        let mut next = 0;
        for part in window.iter().flat_map(steps) {
            for run in runs(filling, images, &part) {
                let run = match run {
                    Run::Zero(pages) => {
                        copies.extend(frames(&pages).map(|frame| (zero, frame)));
                        continue;
                    }
                    Run::Bytes(pages) => pages,
                };
                let first = next;
                copies.extend(frames(&run).enumerate().map(|(n, frame)| (first + n, frame)));
                let len = (run.end - run.start) as usize;
                let out = &mut copier.staging()[first * PAGE as usize..][..len];
                filling.write(run.start, out, images)?;
                next += len / PAGE as usize;
            }
            if part.end - part.start == STEP {
                breathe().await;
            }
        }
        copier.copy(&copies)?;
        breathe().await;
    }
    Ok(())
}

/// Pages in a row.
enum Run {
    /// Known to be zero.
    Zero(Range<u64>),
    Bytes(Range<u64>),
}

/// Groups pages by whether they are known to be zero.
fn runs(filling: &Filling, images: &Images<'_>, pages: &Range<u64>) -> Vec<Run> {
    let mut runs = Vec::new();
    for at in pages.clone().step_by(PAGE as usize) {
        let page = at..at + PAGE;
        match (runs.last_mut(), filling.is_zero(at, images)) {
            (Some(Run::Zero(run)), true) | (Some(Run::Bytes(run)), false) => run.end = page.end,
            (_, true) => runs.push(Run::Zero(page)),
            (_, false) => runs.push(Run::Bytes(page)),
        }
    }
    runs
}

/// Cuts a stretch into steps.
fn steps(stretch: &Range<u64>) -> impl Iterator<Item = Range<u64>> + use<> {
    let end = stretch.end;
    stretch.clone().step_by(STEP as usize).map(move |start| start..end.min(start + STEP))
}
