//! The machine that the pure crates ask for: the hypercall instruction, and room for mappings.

use core::ops::Range;
use core::ptr::NonNull;

use hypercall::door::native::VendorDoor;
use hypercall::{Aperture, Door, FrameRanges, Sites};
use spin::Mutex;
use xen_abi::xen::Nr;
use xen_abi::{Gfn, GuestPhys};

use crate::early;

/// The real machine.
pub struct Machine {
    door: VendorDoor,
    aperture: Mutex<FrameRanges>,
}

impl Machine {
    /// `aperture`: physical addresses that no memory and no device is behind, mapped one to one.
    ///
    /// # Safety
    /// They stay mapped for good, and nobody else puts anything there.
    pub unsafe fn new(aperture: Range<u64>) -> Self {
        let frames = GuestPhys(aperture.start).frame()..GuestPhys(aperture.end).frame();
        Self { door: early::door(), aperture: Mutex::new(FrameRanges::new(frames)) }
    }
}

// SAFETY: passes everything on to the hypercall instruction; the sites are that door's.
unsafe impl Door for Machine {
    unsafe fn call(&self, nr: Nr, args: [u64; 5]) -> i64 {
        // SAFETY: the caller's promise is the same.
        unsafe { self.door.call(nr, args) }
    }

    fn sites(&self) -> &Sites {
        self.door.sites()
    }
}

// SAFETY: 1. `FrameRanges` lends no frame twice. 2. The aperture is mapped one to one for good (`new`), so a run of
// frames is a run of addresses.
unsafe impl Aperture for Machine {
    fn reserve(&self, pages: usize) -> Option<Gfn> {
        self.aperture.lock().reserve(pages)
    }

    fn release(&self, first: Gfn, pages: usize) {
        self.aperture.lock().release(first, pages);
    }

    fn address(&self, gfn: Gfn) -> NonNull<u8> {
        NonNull::new(gfn.address().0 as *mut u8).expect("the aperture does not begin at address 0")
    }
}
