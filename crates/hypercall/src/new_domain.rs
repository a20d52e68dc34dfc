//! A domain that is being built.

mod copier;
mod sites;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cell::RefCell;

use xen_abi::{DomId, Errno, Gfn};

pub use copier::PageCopier;
pub(crate) use sites::Site;
pub use sites::Sites;

use crate::mapping::Mapping;
use crate::{Aperture, CreateDomain, Door, Xen, XenError, calls};

/// A domain under construction. Dropped: destroyed. [`finish`](Self::finish) ends the construction.
///
/// Until then its memory is ours to fill: [`map`](Self::map) gives plain bytes. A mapping borrows the domain, so that none
/// is left when it is finished; and no [`Xen`] runs it or maps it for sharing before (`EBUSY`).
pub struct NewDomain<'x, M: Door + Aperture> {
    xen: &'x Xen<M>,
    id: DomId,
    site: Site,
    /// What is mapped at the moment: no page twice, or its bytes would be borrowed twice.
    mapped: RefCell<BTreeSet<Gfn>>,
}

impl<M: Door + Aperture> Xen<M> {
    /// Creates a domain without vCPUs and memory, paused.
    ///
    /// Hypercall: `XEN_DOMCTL_createdomain`.
    ///
    /// # Errors
    /// `EINVAL`: a wish that Xen cannot fulfil. `ENOMEM`: no memory, or no identifier is free. `ESRCH`, `ENODEV`: its pool is not
    /// there, or has no processor.
    pub fn create_domain(&self, wish: &CreateDomain) -> Result<NewDomain<'_, M>, XenError> {
        let id = self.run(calls::domctl::create_domain(self.abi(), wish))?;
        Ok(NewDomain { xen: self, id, site: self.sites().open(id), mapped: RefCell::default() })
    }
}

impl<'x, M: Door + Aperture> NewDomain<'x, M> {
    /// The domain.
    #[must_use]
    pub fn id(&self) -> DomId {
        self.id
    }

    /// The hypervisor that has it.
    #[must_use]
    pub fn xen(&self) -> &'x Xen<M> {
        self.xen
    }

    /// Maps pages of the domain, in this order and in a row. All or none. Their content is whatever was there:
    /// zeroes where Xen has just put memory.
    ///
    /// Hypercall: `XENMEM_add_to_physmap_batch`, `XENMAPSPACE_gmfn_foreign`.
    ///
    /// # Errors
    /// `EBUSY`: a page is mapped already, or named twice. `EINVAL`: the domain has no memory at a frame. `ESRCH`: the
    /// domain is gone; so is one of the same number that another [`NewDomain`] stands for.
    /// `ENOSPC` of the aperture: no room in our address space.
    pub fn map(&self, pages: &[Gfn]) -> Result<GuestPages<'_, 'x, M>, XenError> {
        if !self.xen.sites().is_open(self.id, self.site) {
            return Err(XenError { op: "XENMEM_add_to_physmap_batch", errno: Errno::ESRCH });
        }
        let wanted: BTreeSet<Gfn> = pages.iter().copied().collect();
        let twice = wanted.len() != pages.len() || !self.mapped.borrow().is_disjoint(&wanted);
        if twice {
            return Err(XenError { op: "XENMEM_add_to_physmap_batch", errno: Errno::EBUSY });
        }
        let mapping = Mapping::new(self.xen, self.id, pages)?;
        self.mapped.borrow_mut().extend(wanted);
        Ok(GuestPages { domain: self, pages: pages.to_vec(), mapping: Some(mapping) })
    }

    /// Ends the construction: the domain can be run, and mapped for sharing. It is still paused, once.
    ///
    /// No bytes of it are borrowed any more:
    ///
    /// ```compile_fail,E0505
    /// # use hypercall::{Aperture, Door, NewDomain, XenError};
    /// # use xen_abi::Gfn;
    /// fn too_early<M: Door + Aperture>(domain: NewDomain<'_, M>) -> Result<(), XenError> {
    ///     let mut pages = domain.map(&[Gfn(0)])?;
    ///     let id = domain.finish().commit();
    ///     pages.bytes().fill(0);
    ///     Ok(())
    /// }
    /// ```
    #[must_use = "it is destroyed when dropped"]
    pub fn finish(self) -> FinishedDomain<'x, M> {
        let (xen, id) = (self.xen, self.id);
        let is_ours = xen.sites().close(id, self.site);
        // Mappings borrow the domain, so the set is empty; but one that was not keeps memory for what may come.
        drop(self.mapped.take());
        core::mem::forget(self);
        FinishedDomain { xen, id, is_ours }
    }

    /// Keeps the domain: [`finish`](Self::finish), and nothing more is to be done that could fail.
    #[must_use = "nothing destroys the domain any more"]
    pub fn commit(self) -> DomId {
        self.finish().commit()
    }

    /// Destroys the domain, as dropping it does, but tells whether that worked.
    ///
    /// # Errors
    /// What Xen answered. `ESRCH`: it is gone already.
    pub fn abandon(self) -> Result<(), XenError> {
        self.finish().abandon()
    }
}

impl<M: Door + Aperture> Drop for NewDomain<'_, M> {
    fn drop(&mut self) {
        let is_ours = self.xen.sites().close(self.id, self.site);
        drop(FinishedDomain { xen: self.xen, id: self.id, is_ours });
    }
}

/// A domain that is complete. Dropped: destroyed. [`commit`](Self::commit) keeps it.
pub struct FinishedDomain<'x, M: Door> {
    xen: &'x Xen<M>,
    id: DomId,
    /// The number was not given to another new domain meanwhile.
    is_ours: bool,
}

impl<M: Door> FinishedDomain<'_, M> {
    /// The domain.
    #[must_use]
    pub fn id(&self) -> DomId {
        self.id
    }

    /// Keeps the domain.
    #[must_use = "nothing destroys the domain any more"]
    pub fn commit(self) -> DomId {
        let id = self.id;
        core::mem::forget(self);
        id
    }

    fn abandon(self) -> Result<(), XenError> {
        let result = self.destroy();
        core::mem::forget(self);
        result
    }

    fn destroy(&self) -> Result<(), XenError> {
        if !self.is_ours {
            return Err(XenError { op: "XEN_DOMCTL_destroydomain", errno: Errno::ESRCH });
        }
        self.xen.run(calls::domctl::destroy_domain(self.xen.abi(), self.id))
    }
}

impl<M: Door> Drop for FinishedDomain<'_, M> {
    fn drop(&mut self) {
        // A refusal leaves nothing to be done here: the domain stays, paused, and `xm list` shows it.
        let _ = self.destroy();
    }
}

/// Pages of a [`NewDomain`], as plain bytes. Dropped: unmapped.
pub struct GuestPages<'d, 'x, M: Door + Aperture> {
    domain: &'d NewDomain<'x, M>,
    pages: Vec<Gfn>,
    /// Only ever none while being dropped.
    mapping: Option<Mapping<'x, M>>,
}

impl<M: Door + Aperture> GuestPages<'_, '_, M> {
    /// The bytes, page after page in the order in which they were mapped.
    #[must_use]
    pub fn bytes(&mut self) -> &mut [u8] {
        let Some(mapping) = &self.mapping else { return &mut [] };
        // SAFETY:
        // 1. The row of addresses is mapped as long as `mapping` lives, which is borrowed by the result.
        // 2. No vCPU of the domain has ever run: nobody else writes, since safe calls do not run a domain under
        //    construction. Neither do we: no page is mapped twice (`NewDomain::mapped`), none for sharing
        //    (`Sites`), and aperture frames are lent once.
        // 3. Any bytes are valid `u8`s.
        unsafe { core::slice::from_raw_parts_mut(mapping.address().as_ptr(), mapping.len()) }
    }

    /// The pages, in their order.
    #[must_use]
    pub fn pages(&self) -> &[Gfn] {
        &self.pages
    }
}

impl<M: Door + Aperture> Drop for GuestPages<'_, '_, M> {
    fn drop(&mut self) {
        self.mapping = None;
        let mut mapped = self.domain.mapped.borrow_mut();
        for page in &self.pages {
            mapped.remove(page);
        }
    }
}
