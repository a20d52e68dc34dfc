//! Copying into a domain that is being built.

use alloc::vec::Vec;

use xen_abi::grant_table::{GTF_PERMIT_ACCESS, GrantEntryV1, GrantStatus};
use xen_abi::{Errno, Gfn, GrantRef, PAGE_SIZE, Pages};
use zerocopy::IntoBytes;

use super::{GuestPages, NewDomain};
use crate::calls::{grant, memory};
use crate::{Aperture, ClaimedMemory, Door, XenError};

/// Grants in one frame of a grant table.
const GRANTS: usize = PAGE_SIZE / size_of::<GrantEntryV1>();
/// Which frame of the grant table is used.
const TABLE: u64 = 0;

/// Copies pages of ours into a domain that has not run yet, without mapping them: mapping and unmapping a page
/// costs Xen several times what copying one does.
///
/// Xen copies into pages that are granted. So the first frame of the domain's own grant table is mapped, filled with
/// grants to us for the time of each copy, and is as empty as before when this is dropped.
pub struct PageCopier<'d, 'x, M: Door + Aperture> {
    domain: &'d NewDomain<'x, M>,
    staging: ClaimedMemory<'x, M>,
    table_at: Gfn,
    /// Only ever none while being dropped.
    table: Option<GuestPages<'d, 'x, M>>,
}

impl<'x, M: Door + Aperture> NewDomain<'x, M> {
    /// Prepares for copying, from `staging` pages of ours. `table_at` is a frame of the domain where nothing is,
    /// and where nothing will be afterwards.
    ///
    /// Costs four to five exits, and three or four when dropped.
    ///
    /// Hypercalls: those of [`Xen::claim`](crate::Xen::claim), `XENMEM_add_to_physmap`,
    /// `XENMEM_add_to_physmap_batch`.
    ///
    /// # Errors
    /// As those.
    pub fn copier(&self, table_at: Gfn, staging: Pages) -> Result<PageCopier<'_, 'x, M>, XenError> {
        let staging = self.xen.claim(staging)?;
        self.xen.run(memory::add_grant_frame(self.id, TABLE, table_at))?;
        // From here on dropping it undoes it.
        let mut copier = PageCopier { domain: self, staging, table_at, table: None };
        copier.table = Some(self.map(&[table_at])?);
        Ok(copier)
    }
}

impl<M: Door + Aperture> PageCopier<'_, '_, M> {
    /// The pages that can be copied. At first they hold anything.
    #[must_use]
    pub fn staging(&mut self) -> &mut [u8] {
        &mut self.staging
    }

    /// Copies pages: the n-th of [`Self::staging`] to a frame of the domain, for each pair.
    ///
    /// Costs an exit for each 512 pages.
    ///
    /// Hypercall: `GNTTABOP_copy`.
    ///
    /// # Errors
    /// `EINVAL`: there is no such staging page. `EBUSY`: a page is mapped, so that its bytes may be borrowed. `EIO`: Xen did not copy a page; the domain has no memory there. What
    /// was copied then is undefined.
    pub fn copy(&mut self, pages: &[(usize, Gfn)]) -> Result<(), XenError> {
        pages.chunks(GRANTS).try_for_each(|some| self.copy_some(some))
    }

    fn copy_some(&mut self, pages: &[(usize, Gfn)]) -> Result<(), XenError> {
        let failed = |errno| XenError { op: "GNTTABOP_copy", errno };
        let mapped = self.domain.mapped.borrow();
        if pages.iter().any(|(_, to)| mapped.contains(to)) {
            return Err(failed(Errno::EBUSY));
        }
        let own = self.domain.xen.own_domain();
        let mut entries: Vec<GrantEntryV1> = Vec::with_capacity(pages.len());
        let mut copies: Vec<(Gfn, GrantRef)> = Vec::with_capacity(pages.len());
        for (n, &(from, to)) in pages.iter().enumerate() {
            let inside = from < self.staging.len() / PAGE_SIZE;
            let frame = u32::try_from(to.0).ok().filter(|_| inside).ok_or(failed(Errno::EINVAL))?;
            entries.push(GrantEntryV1 { flags: GTF_PERMIT_ACCESS, domid: own, frame });
            copies.push((self.staging.first().offset(from as u64), GrantRef(n as u32)));
        }
        let Some(table) = &mut self.table else { return Err(failed(Errno::EINVAL)) };
        let entries = entries.as_slice().as_bytes();
        table.bytes()[..entries.len()].copy_from_slice(entries);
        let done = self.domain.xen.run(grant::copy_pages(self.domain.id, &copies))?;
        if done.iter().all(|&status| status == GrantStatus::OKAY) { Ok(()) } else { Err(failed(Errno::EIO)) }
    }
}

impl<M: Door + Aperture> Drop for PageCopier<'_, '_, M> {
    fn drop(&mut self) {
        if let Some(mut table) = self.table.take() {
            table.bytes().fill(0);
        }
        // A refusal leaves the domain with its own grant table at a frame where it expects nothing; no more.
        let _ = self.domain.xen.run(memory::remove_from(self.domain.id, self.table_at));
    }
}
