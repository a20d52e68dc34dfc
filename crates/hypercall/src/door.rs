//! The door to the hypervisor, and the frames that it lends us.

pub mod native;

use alloc::rc::Rc;
use alloc::sync::Arc;
use core::ptr::NonNull;

use xen_abi::Gfn;
use xen_abi::xen::Nr;

use crate::Sites;

/// The one door to the hypervisor.
///
/// # Safety
/// Implementers pass `nr` and `args` on unchanged, and touch no memory but what Xen would. All doors to one hypervisor have
/// the same [`sites`](Self::sites).
pub unsafe trait Door {
    /// Issues hypercall `nr`; returns Xen's `rax`.
    ///
    /// `args` hold numbers or addresses in our own address space, as `nr` wants them.
    ///
    /// # Safety
    /// Every address in `args`, and every one it leads to, is valid for what `nr` reads and writes.
    unsafe fn call(&self, nr: Nr, args: [u64; 5]) -> i64;

    /// The domains under construction behind this door. They are the hypervisor's, not a [`Xen`](crate::Xen)'s: there may be
    /// several of those, and none may run or share what another fills.
    fn sites(&self) -> &Sites;
}

/// Guest frames of our own that have no memory, lent for mappings and for claimed memory.
///
/// # Safety
/// A reservation's frames are unpopulated when lent, lent to nobody else until released, and contiguous in
/// our address space, readable and writable at [`address`](Self::address) as soon as something is mapped.
pub unsafe trait Aperture {
    /// Lends `pages` frames in a row; none if there is no such room. Large reservations should start at a
    /// multiple of 512 frames, so that large pages fit.
    fn reserve(&self, pages: usize) -> Option<Gfn>;

    /// Takes back what [`reserve`](Self::reserve) lent. Nothing is mapped there any more.
    fn release(&self, first: Gfn, pages: usize);

    /// Where a lent frame appears in our address space.
    fn address(&self, gfn: Gfn) -> NonNull<u8>;
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        // SAFETY: forwards to an implementation that keeps the contract.
        unsafe impl<D: Door + ?Sized> Door for $pointer {
            unsafe fn call(&self, nr: Nr, args: [u64; 5]) -> i64 {
                // SAFETY: the caller's promise is passed on.
                unsafe { (**self).call(nr, args) }
            }

            fn sites(&self) -> &Sites {
                (**self).sites()
            }
        }

        // SAFETY: forwards to an implementation that keeps the contract.
        unsafe impl<D: Aperture + ?Sized> Aperture for $pointer {
            fn reserve(&self, pages: usize) -> Option<Gfn> {
                (**self).reserve(pages)
            }

            fn release(&self, first: Gfn, pages: usize) {
                (**self).release(first, pages);
            }

            fn address(&self, gfn: Gfn) -> NonNull<u8> {
                (**self).address(gfn)
            }
        }
    )*};
}

forward!(&D, Rc<D>, Arc<D>);
