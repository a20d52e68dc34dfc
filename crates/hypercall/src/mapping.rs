//! Pages of other domains in our own address space.

mod shared;
mod sparse;

use alloc::vec::Vec;
use core::ptr::NonNull;

use xen_abi::xen::{MulticallEntry, Nr};
use xen_abi::{DomId, Errno, Gfn, PAGE_SIZE, memory};

pub use shared::SharedMapping;
pub use sparse::SparseMapping;

use crate::calls::memory as calls;
use crate::{Aperture, Door, Xen, XenError};

/// Pages mapped by one hypercall: bounds the lists that travel with it to 40 KiB.
const MAP_AT_ONCE: usize = 2048;
/// Pages unmapped by one multicall: bounds its entries to 40 KiB.
const UNMAP_AT_ONCE: usize = 512;

/// Pages of a domain that appear in a row in our address space. Dropped: unmapped.
pub(crate) struct Mapping<'x, M: Door + Aperture> {
    xen: &'x Xen<M>,
    first: Gfn,
    /// Frames lent by the aperture.
    lent: usize,
    /// Of these, the first so many are mapped.
    mapped: usize,
}

impl<'x, M: Door + Aperture> Mapping<'x, M> {
    /// Maps `pages` of `dom`, in this order. All or none.
    pub(crate) fn new(xen: &'x Xen<M>, dom: DomId, pages: &[Gfn]) -> Result<Self, XenError> {
        const NAME: &str = "XENMEM_add_to_physmap_batch";
        if pages.is_empty() {
            return Err(XenError { op: NAME, errno: Errno::EINVAL });
        }
        let first =
            xen.machine().reserve(pages.len()).ok_or(XenError { op: "aperture", errno: Errno::ENOSPC })?;
        let mut mapping = Mapping { xen, first, lent: pages.len(), mapped: 0 };
        for part in pages.chunks(MAP_AT_ONCE) {
            let at = first.offset(mapping.mapped as u64);
            // SAFETY: the aperture lent these frames; nothing is mapped there yet.
            let mapped = xen.run(unsafe { calls::map_foreign(dom, part, at) });
            let errors = mapped.inspect_err(|_| {
                // Who knows how far Xen had come.
                mapping.mapped += part.len();
            })?;
            // Xen carries on after a page that fails. What follows it is undone at once, so that the mapped
            // ones are the first ones.
            match errors.iter().position(Option::is_some) {
                None => mapping.mapped += part.len(),
                Some(bad) => {
                    let strays: Vec<Gfn> = (bad..part.len())
                        .filter(|&n| errors.get(n).is_some_and(Option::is_none))
                        .map(|n| at.offset(n as u64))
                        .collect();
                    mapping.mapped += bad;
                    let errno = errors[bad].unwrap_or(Errno::EIO);
                    // A stray that stays mapped keeps its frame from being lent again.
                    if xen.unmap(strays.into_iter()).is_err() {
                        mapping.lent = 0;
                    }
                    return Err(XenError { op: NAME, errno });
                }
            }
        }
        Ok(mapping)
    }

    pub(crate) fn len(&self) -> usize {
        self.mapped * PAGE_SIZE
    }

    pub(crate) fn address(&self) -> NonNull<u8> {
        self.xen.machine().address(self.first)
    }
}

impl<M: Door + Aperture> Drop for Mapping<'_, M> {
    fn drop(&mut self) {
        let unmapped = self.xen.unmap(self.first.range(xen_abi::Pages(self.mapped as u64)));
        // Frames where something is still mapped must never be lent again.
        if unmapped.is_ok() && self.lent != 0 {
            self.xen.machine().release(self.first, self.lent);
        }
    }
}

impl<M: Door + Aperture> Xen<M> {
    /// Maps pages of a domain that runs, in this order and in a row. All or none.
    ///
    /// Costs one exit for each 2048 pages, and when dropped one for each 512.
    ///
    /// Hypercall: `XENMEM_add_to_physmap_batch`, `XENMAPSPACE_gmfn_foreign`.
    ///
    /// # Errors
    /// `EBUSY`: it is under construction ([`NewDomain::map`](crate::NewDomain::map)). `ESRCH`: no such domain. `EINVAL`: the
    /// domain has no memory at a frame. `ENOSPC` of the aperture: no room in our address space.
    pub fn map_foreign(&self, dom: DomId, pages: &[Gfn]) -> Result<SharedMapping<'_, M>, XenError> {
        self.not_under_construction(dom, "XENMEM_add_to_physmap_batch")?;
        Mapping::new(self, dom, pages).map(SharedMapping::new)
    }

    /// Removes what is mapped at frames that the aperture lent; there may be nothing.
    ///
    /// Only the owners of lent frames come here; so it is no part of the public interface.
    fn unmap(&self, frames: impl ExactSizeIterator<Item = Gfn>) -> Result<(), XenError> {
        let mut arguments: Vec<memory::RemoveFromPhysmap> = frames.map(calls::removal).collect();
        let mut failed = None;
        for part in arguments.chunks_mut(UNMAP_AT_ONCE) {
            let base = part.as_mut_ptr();
            let mut entries: Vec<MulticallEntry> = (0..part.len())
                .map(|n| {
                    let argument = base.wrapping_add(n).expose_provenance() as u64;
                    let args = [u64::from(memory::XENMEM_REMOVE_FROM_PHYSMAP), argument, 0, 0, 0, 0];
                    MulticallEntry { op: Nr::MEMORY_OP.0, result: 0, args }
                })
                .collect();
            // SAFETY: each entry takes the address of one removal, which stays in `arguments` until Xen is
            // done; the frames are lent, and who had mapped them is being dropped or never got them.
            let issued = unsafe { self.multicall(&mut entries) };
            failed = failed.or(issued.err());
            failed = failed.or_else(|| {
                entries.iter().find_map(|entry| {
                    let errno = Errno::from_answer(entry.result as i64).err()?;
                    let error = XenError { op: "XENMEM_remove_from_physmap", errno };
                    // Nothing is mapped there.
                    (errno != Errno::ENOENT).then_some(error)
                })
            });
        }
        failed.map_or(Ok(()), Err)
    }
}
