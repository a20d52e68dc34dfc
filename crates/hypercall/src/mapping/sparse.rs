//! What there is of another domain's memory, in a stretch that may have holes.

use alloc::vec::Vec;

use xen_abi::{DomId, Errno, Gfn, PAGE_SIZE};

use super::shared::read_atomically;
use crate::calls::memory as calls;
use crate::{Aperture, Door, Xen, XenError};

/// Pages mapped by one hypercall at most.
const MOST: usize = 2048;

/// Pages of a domain, as far as it has memory at the frames that were asked for. It may run and change them at any moment.
/// Dropped: unmapped.
pub struct SparseMapping<'x, M: Door + Aperture> {
    xen: &'x Xen<M>,
    first: Gfn,
    /// Frames lent by the aperture, and whether something is mapped there.
    mapped: Vec<bool>,
}

impl<M: Door + Aperture> Xen<M> {
    /// Maps what a domain has at `count` frames from `first` on, at most 2048: where it has no memory, nothing.
    ///
    /// Costs one exit, and when dropped one for each 512 pages that are there.
    ///
    /// Hypercall: `XENMEM_add_to_physmap_batch`, `XENMAPSPACE_gmfn_foreign`.
    ///
    /// # Errors
    /// `EBUSY`: it is under construction ([`NewDomain`](crate::NewDomain)). `ESRCH`: no such domain. `EINVAL`: no frames, or more
    /// than that. `ENOSPC` of the aperture: no room in our address space.
    pub fn map_present(
        &self,
        dom: DomId,
        first: Gfn,
        count: usize,
    ) -> Result<SparseMapping<'_, M>, XenError> {
        const NAME: &str = "XENMEM_add_to_physmap_batch";
        self.not_under_construction(dom, NAME)?;
        if !(1..=MOST).contains(&count) {
            return Err(XenError { op: NAME, errno: Errno::EINVAL });
        }
        let at = self.machine().reserve(count).ok_or(XenError { op: "aperture", errno: Errno::ENOSPC })?;
        let mut mapping = SparseMapping { xen: self, first: at, mapped: alloc::vec![false; count] };
        let pages: Vec<Gfn> = (0..count as u64).map(|n| first.offset(n)).collect();
        // SAFETY: the aperture lent these frames; nothing is mapped there yet.
        let mapped = self.run(unsafe { calls::map_foreign(dom, &pages, at) });
        let errors = mapped.inspect_err(|_| {
            // Who knows how far Xen had come.
            mapping.mapped.fill(true);
        })?;
        for (place, error) in mapping.mapped.iter_mut().zip(&errors) {
            *place = error.is_none();
        }
        let is_fatal = |error: &&Errno| ![Errno::EINVAL, Errno::ENOENT].contains(error);
        match errors.iter().flatten().find(is_fatal) {
            Some(&errno) => Err(XenError { op: NAME, errno }),
            None => Ok(mapping),
        }
    }
}

impl<M: Door + Aperture> SparseMapping<'_, M> {
    /// Copies the `n`-th page out; says whether there is one.
    pub fn read_page(&self, n: usize, into: &mut [u8; PAGE_SIZE]) -> bool {
        let is_there = self.is_there(n);
        if is_there {
            let from = self.xen.machine().address(self.first.offset(n as u64)).as_ptr();
            // SAFETY: the page is mapped as long as `self` lives, and only touched atomically.
            unsafe { read_atomically(from, into) };
        }
        is_there
    }

    /// Says whether the domain has memory at the `n`-th frame.
    #[must_use]
    pub fn is_there(&self, n: usize) -> bool {
        self.mapped.get(n) == Some(&true)
    }
}

impl<M: Door + Aperture> Drop for SparseMapping<'_, M> {
    fn drop(&mut self) {
        let there: Vec<Gfn> =
            (0..self.mapped.len()).filter(|&n| self.mapped[n]).map(|n| self.first.offset(n as u64)).collect();
        // Frames where something is still mapped must never be lent again.
        if self.xen.unmap(there.into_iter()).is_ok() {
            self.xen.machine().release(self.first, self.mapped.len());
        }
    }
}
