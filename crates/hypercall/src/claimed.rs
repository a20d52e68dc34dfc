//! Memory that Xen lends us for a while, beside what we were started with.

use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

use xen_abi::{Errno, Gfn, KiB, PAGE_SIZE, Pages};

use crate::calls::{domctl, memory};
use crate::{Aperture, Door, Xen, XenError};

/// Pages of a large extent: 2 MiB, the most that one entry of the second-level page table maps.
const LARGE_ORDER: u32 = 9;
const LARGE: usize = 1 << LARGE_ORDER;
/// Extents in one hypercall: bounds the list that travels with it to 16 KiB.
const EXTENTS_AT_ONCE: usize = 2048;

/// Memory in a row, claimed from Xen. Dropped: overwritten with zeroes and given back.
///
/// Its content is undefined at first: Xen does not clear what a domain has given back by itself. (That is why
/// we overwrite it.)
pub struct ClaimedMemory<'x, M: Door + Aperture> {
    xen: &'x Xen<M>,
    first: Gfn,
    /// Frames lent by the aperture.
    lent: usize,
    /// What is populated, in order and without holes.
    extents: Vec<Extents>,
}

/// Extents of one order, one after the other.
struct Extents {
    first: Gfn,
    order: u32,
    count: usize,
}

// SAFETY: the memory belongs to the value alone, as a `Box`'s would; the machine may be used from several
// threads if it is `Sync`.
unsafe impl<M: Door + Aperture + Sync> Send for ClaimedMemory<'_, M> {}
// SAFETY: as above.
unsafe impl<M: Door + Aperture + Sync> Sync for ClaimedMemory<'_, M> {}

impl<M: Door + Aperture> Xen<M> {
    /// Claims memory: `size` pages in a row, in large pages where it fits. Raises our own limit where needed.
    ///
    /// Hypercalls: `XENMEM_populate_physmap`, and `XEN_DOMCTL_max_mem`.
    ///
    /// # Errors
    /// `ENOMEM`: the host has not so much. `EINVAL`: no pages at all. `ENOSPC` of the aperture: no room in our address space.
    pub fn claim(&self, size: Pages) -> Result<ClaimedMemory<'_, M>, XenError> {
        let pages = usize::try_from(size.0).map_err(|_| no_room())?;
        if pages == 0 {
            return Err(XenError { op: "XENMEM_populate_physmap", errno: Errno::EINVAL });
        }
        self.raise_own_limit(size)?;
        let first = self.machine().reserve(pages).ok_or(no_room())?;
        let mut memory = ClaimedMemory { xen: self, first, lent: pages, extents: Vec::new() };
        memory.populate(pages)?;
        Ok(memory)
    }

    fn raise_own_limit(&self, more: Pages) -> Result<(), XenError> {
        let own = self.domain_info(self.own_domain())?;
        let needed = Pages(own.pages.0.saturating_add(more.0));
        if needed <= own.max_pages {
            return Ok(());
        }
        let KiB(limit) = needed.kib();
        self.run(domctl::max_mem(self.abi(), self.own_domain(), KiB(limit)))
    }
}

fn no_room() -> XenError {
    XenError { op: "aperture", errno: Errno::ENOSPC }
}

impl<M: Door + Aperture> ClaimedMemory<'_, M> {
    /// The frame of the first page; the others follow.
    pub(crate) fn first(&self) -> Gfn {
        self.first
    }

    /// Populates the first `pages` of what is lent. On failure what is done stays for `drop` to undo.
    fn populate(&mut self, pages: usize) -> Result<(), XenError> {
        let end = self.first.offset(pages as u64);
        let head = self.first.0.next_multiple_of(LARGE as u64).min(end.0);
        let tail = (end.0 - end.0 % LARGE as u64).max(head);
        self.extend(self.first, 0, (head - self.first.0) as usize)?;
        let large = (tail - head) as usize / LARGE;
        match self.extend(Gfn(head), LARGE_ORDER, large) {
            Ok(()) => {}
            // The host's memory may be too much in pieces for large pages; small ones do then.
            Err(error) if error.errno == Errno::ENOMEM => {
                let done = self.end();
                self.extend(done, 0, (tail - done.0) as usize)?;
            }
            Err(error) => return Err(error),
        }
        self.extend(Gfn(tail), 0, (end.0 - tail) as usize)
    }

    /// Where the populated part ends.
    fn end(&self) -> Gfn {
        self.extents.last().map_or(self.first, |last| last.first.offset((last.count << last.order) as u64))
    }

    fn extend(&mut self, first: Gfn, order: u32, count: usize) -> Result<(), XenError> {
        let mut done = 0;
        while done < count {
            let part: Vec<Gfn> = (done..count.min(done + EXTENTS_AT_ONCE))
                .map(|n| first.offset((n << order) as u64))
                .collect();
            // SAFETY: the aperture lent these frames; nothing is there yet.
            let populated = self.xen.run(unsafe { memory::populate_self(order, &part) })?.min(part.len());
            if populated > 0 {
                self.extents.push(Extents { first: part[0], order, count: populated });
                done += populated;
            }
            if populated < part.len() {
                return Err(XenError { op: "XENMEM_populate_physmap", errno: Errno::ENOMEM });
            }
        }
        Ok(())
    }

    /// Bytes that are populated.
    fn populated(&self) -> usize {
        (self.end().0 - self.first.0) as usize * PAGE_SIZE
    }
}

impl<M: Door + Aperture> Deref for ClaimedMemory<'_, M> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the row of addresses is populated as long as `self` lives, and is nobody else's: the aperture
        // lends frames once. Any bytes are valid `u8`s.
        unsafe {
            core::slice::from_raw_parts(self.xen.machine().address(self.first).as_ptr(), self.populated())
        }
    }
}

impl<M: Door + Aperture> DerefMut for ClaimedMemory<'_, M> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; `self` is borrowed exclusively.
        unsafe {
            core::slice::from_raw_parts_mut(self.xen.machine().address(self.first).as_ptr(), self.populated())
        }
    }
}

impl<M: Door + Aperture> Drop for ClaimedMemory<'_, M> {
    fn drop(&mut self) {
        self.fill(0);
        let mut all = true;
        for extents in core::mem::take(&mut self.extents) {
            let list: Vec<Gfn> =
                (0..extents.count).map(|n| extents.first.offset((n << extents.order) as u64)).collect();
            for part in list.chunks(EXTENTS_AT_ONCE) {
                // SAFETY: the frames are ours to give back, and nothing borrows them while we are dropped.
                let done = self.xen.run(unsafe { memory::release_self(extents.order, part) });
                all &= done == Ok(part.len());
            }
        }
        // Frames that still have memory must never be lent again.
        if all {
            self.xen.machine().release(self.first, self.lent);
        }
    }
}
