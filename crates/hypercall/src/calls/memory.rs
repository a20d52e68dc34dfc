//! Memory of domains. Source: public/memory.h.

use alloc::vec;
use alloc::vec::Vec;
use core::mem::offset_of;

use xen_abi::memory::{
    self as abi, AddToPhysmap, AddToPhysmapBatch, E820Entry, ForeignMemoryMap, MemoryMap, MemoryReservation,
    RemoveFromPhysmap,
};
use xen_abi::xen::DOMID_SELF;
use xen_abi::{DomId, Errno, Gfn, Pages};
use zerocopy::IntoBytes;

use crate::Nr;
use crate::call::{Buffer, Call, Op, Place, Reply, nothing};

// SAFETY: public/memory.h pairs them; there is no guest handle. What becomes of our own frames is the
// affair of who makes the calls, below.
const ADD: Op<AddToPhysmap> =
    unsafe { Op::new("XENMEM_add_to_physmap", Nr::MEMORY_OP, abi::XENMEM_ADD_TO_PHYSMAP) };
// SAFETY: as above.
const REMOVE: Op<RemoveFromPhysmap> =
    unsafe { Op::new("XENMEM_remove_from_physmap", Nr::MEMORY_OP, abi::XENMEM_REMOVE_FROM_PHYSMAP) };

const EXTENTS: Place = Place::Argument(offset_of!(MemoryReservation, extent_start));

/// # Safety
/// `command` uses a reservation; if the domain is our own, the caller may dispose of the frames.
unsafe fn reservation(
    name: &'static str,
    command: u32,
    dom: DomId,
    order: u32,
    extents: &[Gfn],
) -> Call<usize> {
    let argument = MemoryReservation {
        extent_start: 0,
        nr_extents: extents.len() as u64,
        extent_order: order,
        mem_flags: 0,
        domid: dom,
        _pad: [0; 3],
    };
    let extents = Buffer::of(EXTENTS, extents);
    // SAFETY: Xen reads and writes `nr_extents` words; the rest is the caller's promise.
    unsafe {
        Call::structured(name, Nr::MEMORY_OP, Some(command), &argument, vec![extents], |reply| {
            reply.value as usize
        })
    }
}

/// Puts new memory at frames of another domain: `2^order` pages at each of `extents`. Answers how many extents it
/// did, in order; fewer than asked for say that memory or the domain's limit is exhausted.
///
/// Hypercall: `XENMEM_populate_physmap`. Fails with `ESRCH`: no such domain; `EPERM`: not ours to give.
#[must_use]
pub fn populate(dom: DomId, order: u32, extents: &[Gfn]) -> Call<usize> {
    // SAFETY: the frames are another domain's.
    unsafe {
        reservation("XENMEM_populate_physmap", abi::XENMEM_POPULATE_PHYSMAP, refuse_self(dom), order, extents)
    }
}

/// The domain, or none if it is ourselves, by either name: our own memory must not change under us by a safe call. Such a call goes
/// to no domain, and fails. (A control domain that is not domain 0 has nothing to do with that one's memory either.)
fn refuse_self(dom: DomId) -> DomId {
    if dom == DOMID_SELF || dom == DomId(0) { xen_abi::xen::DOMID_INVALID } else { dom }
}

/// Puts new memory at frames of our own; as [`populate`].
///
/// # Safety
/// The frames are unpopulated and the caller's.
pub(crate) unsafe fn populate_self(order: u32, extents: &[Gfn]) -> Call<usize> {
    // SAFETY: the caller's promise.
    unsafe {
        reservation("XENMEM_populate_physmap", abi::XENMEM_POPULATE_PHYSMAP, DOMID_SELF, order, extents)
    }
}

/// Gives memory at frames of our own back to Xen; answers how many extents it did.
///
/// # Safety
/// The frames are the caller's, and nothing refers to their memory any more.
pub(crate) unsafe fn release_self(order: u32, extents: &[Gfn]) -> Call<usize> {
    // SAFETY: the caller's promise.
    unsafe {
        reservation(
            "XENMEM_decrease_reservation",
            abi::XENMEM_DECREASE_RESERVATION,
            DOMID_SELF,
            order,
            extents,
        )
    }
}

/// Takes memory from frames of another domain; answers how many extents it did.
///
/// Hypercall: `XENMEM_decrease_reservation`. Fails with `ESRCH`: no such domain; `EPERM`: not ours to take.
#[must_use]
pub fn depopulate(dom: DomId, order: u32, extents: &[Gfn]) -> Call<usize> {
    let dom = refuse_self(dom);
    // SAFETY: the frames are another domain's.
    unsafe {
        reservation("XENMEM_decrease_reservation", abi::XENMEM_DECREASE_RESERVATION, dom, order, extents)
    }
}

/// Sets the memory map that an HVM domain reads by `XENMEM_memory_map`.
///
/// Hypercall: `XENMEM_set_memory_map`. Fails with `EINVAL`: too many entries; `ESRCH`; `EPERM`.
#[must_use]
pub fn set_memory_map(dom: DomId, map: &[E820Entry]) -> Call<()> {
    let argument = ForeignMemoryMap {
        domid: dom,
        _pad: [0; 3],
        map: MemoryMap { nr_entries: map.len() as u32, _pad: 0, buffer: 0 },
    };
    let at = Place::Argument(offset_of!(ForeignMemoryMap, map) + offset_of!(MemoryMap, buffer));
    let map = Buffer::of(at, map);
    // SAFETY: Xen reads `nr_entries` entries.
    unsafe {
        Call::structured(
            "XENMEM_set_memory_map",
            Nr::MEMORY_OP,
            Some(abi::XENMEM_SET_MEMORY_MAP),
            &argument,
            vec![map],
            nothing,
        )
    }
}

/// # Safety
/// `command` uses a `MemoryMap`.
unsafe fn read_map(name: &'static str, command: u32, most: usize) -> Call<Vec<E820Entry>> {
    let argument = MemoryMap { nr_entries: most as u32, _pad: 0, buffer: 0 };
    let room = Buffer::room_for::<E820Entry>(Place::Argument(offset_of!(MemoryMap, buffer)), most);
    // SAFETY: Xen writes at most `nr_entries` entries.
    unsafe {
        Call::structured(name, Nr::MEMORY_OP, Some(command), &argument, vec![room], |reply: &Reply<'_>| {
            reply.elements(0, reply.arg::<MemoryMap>().nr_entries as usize).collect()
        })
    }
}

/// Our own memory map: at most `most` entries.
///
/// Hypercall: `XENMEM_memory_map`. Fails with `ENOSYS`: none was set.
#[must_use]
pub fn memory_map(most: usize) -> Call<Vec<E820Entry>> {
    // SAFETY: public/memory.h pairs them.
    unsafe { read_map("XENMEM_memory_map", abi::XENMEM_MEMORY_MAP, most) }
}

/// The host's memory map: at most `most` entries.
///
/// Hypercall: `XENMEM_machine_memory_map`. Fails with `EPERM`: not privileged.
#[must_use]
pub fn machine_memory_map(most: usize) -> Call<Vec<E820Entry>> {
    // SAFETY: public/memory.h pairs them.
    unsafe { read_map("XENMEM_machine_memory_map", abi::XENMEM_MACHINE_MEMORY_MAP, most) }
}

/// A question that takes a domain and answers a number.
///
/// # Safety
/// `command` reads a domain and touches nothing else.
unsafe fn of_domain(name: &'static str, command: u32, dom: DomId) -> Call<u64> {
    let registers = [u64::from(command), 0, 0, 0, 0];
    let dom = Buffer::of(Place::Register(1), &dom);
    // SAFETY: the caller's promise.
    unsafe { Call::plain(name, Nr::MEMORY_OP, registers, vec![dom], |reply| reply.value) }
}

/// How much memory a domain has.
///
/// Hypercall: `XENMEM_current_reservation`.
#[must_use]
pub fn current_reservation(dom: DomId) -> Call<Pages> {
    // SAFETY: public/memory.h pairs them.
    pages(unsafe { of_domain("XENMEM_current_reservation", abi::XENMEM_CURRENT_RESERVATION, dom) })
}

/// How much memory a domain may have.
///
/// Hypercall: `XENMEM_maximum_reservation`.
#[must_use]
pub fn maximum_reservation(dom: DomId) -> Call<Pages> {
    // SAFETY: public/memory.h pairs them.
    pages(unsafe { of_domain("XENMEM_maximum_reservation", abi::XENMEM_MAXIMUM_RESERVATION, dom) })
}

/// A domain's highest frame.
///
/// Hypercall: `XENMEM_maximum_gpfn`.
#[must_use]
pub fn maximum_gfn(dom: DomId) -> Call<Gfn> {
    // SAFETY: public/memory.h pairs them.
    let Call { raw, .. } = unsafe { of_domain("XENMEM_maximum_gpfn", abi::XENMEM_MAXIMUM_GPFN, dom) };
    Call { raw, decode: |reply| Gfn(reply.value) }
}

/// How many pages of the host sharing saves.
///
/// Hypercall: `XENMEM_get_sharing_freed_pages`. Fails with `ENOSYS` or `EOPNOTSUPP`: this Xen cannot share memory.
#[must_use]
pub fn sharing_freed() -> Call<Pages> {
    let registers = [u64::from(abi::XENMEM_GET_SHARING_FREED_PAGES), 0, 0, 0, 0];
    // SAFETY: takes no argument.
    pages(unsafe {
        Call::plain("XENMEM_get_sharing_freed_pages", Nr::MEMORY_OP, registers, vec![], |r| r.value)
    })
}

/// How many pages of the host are shared; as [`sharing_freed`].
///
/// Hypercall: `XENMEM_get_sharing_shared_pages`.
#[must_use]
pub fn sharing_used() -> Call<Pages> {
    let registers = [u64::from(abi::XENMEM_GET_SHARING_SHARED_PAGES), 0, 0, 0, 0];
    // SAFETY: takes no argument.
    pages(unsafe {
        Call::plain("XENMEM_get_sharing_shared_pages", Nr::MEMORY_OP, registers, vec![], |r| r.value)
    })
}

fn pages(call: Call<u64>) -> Call<Pages> {
    Call { raw: call.raw, decode: |reply| Pages(reply.value) }
}

/// Makes our own shared info page appear at a frame of ours.
///
/// Hypercall: `XENMEM_add_to_physmap`, `XENMAPSPACE_shared_info`.
///
/// # Safety
/// The frame is the caller's, and nothing refers to its memory. Xen writes there from now on.
#[must_use]
pub unsafe fn map_shared_info(at: Gfn) -> Call<()> {
    let argument =
        AddToPhysmap { domid: DOMID_SELF, size: 0, space: abi::XENMAPSPACE_SHARED_INFO, idx: 0, gpfn: at };
    ADD.call(argument, nothing)
}

/// Makes a frame of another domain's grant table appear at a frame of that domain.
///
/// Hypercall: `XENMEM_add_to_physmap`, `XENMAPSPACE_grant_table`. Fails with `EINVAL`: the table may not have so
/// many frames; `ESRCH`; `EPERM`.
///
/// Not for everybody: the same page would be seen at two frames of a domain whose bytes may be borrowed.
#[must_use]
pub(crate) fn add_grant_frame(dom: DomId, index: u64, at: Gfn) -> Call<()> {
    let domid = refuse_self(dom);
    ADD.call(
        AddToPhysmap { domid, size: 0, space: abi::XENMAPSPACE_GRANT_TABLE, idx: index, gpfn: at },
        nothing,
    )
}

/// Removes what is at a frame of another domain.
///
/// Hypercall: `XENMEM_remove_from_physmap`. Fails with `ENOENT`: nothing is there; `ESRCH`; `EPERM`.
#[must_use]
pub fn remove_from(dom: DomId, at: Gfn) -> Call<()> {
    let domid = refuse_self(dom);
    REMOVE.call(RemoveFromPhysmap { domid, _pad: [0; 3], gpfn: at }, nothing)
}

/// Removes what is at a frame of ours.
///
/// Hypercall: `XENMEM_remove_from_physmap`.
///
/// # Safety
/// The frame is the caller's, and nothing refers to its memory any more.
#[must_use]
pub unsafe fn unmap_self(at: Gfn) -> Call<()> {
    REMOVE.call(RemoveFromPhysmap { domid: DOMID_SELF, _pad: [0; 3], gpfn: at }, nothing)
}

/// Makes pages of another domain appear at frames of ours: `pages[n]` at the n-th frame from `first` on. Answers
/// each page's error, none for those that are mapped.
///
/// # Safety
/// The frames are unpopulated and the caller's.
pub(crate) unsafe fn map_foreign(dom: DomId, pages: &[Gfn], first: Gfn) -> Call<Vec<Option<Errno>>> {
    debug_assert!(pages.len() <= usize::from(u16::MAX));
    let argument = AddToPhysmapBatch {
        domid: DOMID_SELF,
        space: abi::XENMAPSPACE_GMFN_FOREIGN as u16,
        size: pages.len() as u16,
        u: dom,
        idxs: 0,
        gpfns: 0,
        errs: 0,
    };
    let frames: Vec<Gfn> = first.range(Pages(pages.len() as u64)).collect();
    // A page that Xen did not get to must not pass for mapped.
    let errors = vec![-i32::from(Errno::EIO.0); pages.len()];
    let buffers = vec![
        Buffer::of(Place::Argument(offset_of!(AddToPhysmapBatch, idxs)), pages),
        Buffer::of(Place::Argument(offset_of!(AddToPhysmapBatch, gpfns)), frames.as_slice()),
        Buffer::of(Place::Argument(offset_of!(AddToPhysmapBatch, errs)), errors.as_slice()),
    ];
    // SAFETY: Xen reads `size` elements of the first two and writes as many of the third.
    unsafe {
        Call::structured(
            "XENMEM_add_to_physmap_batch",
            Nr::MEMORY_OP,
            Some(abi::XENMEM_ADD_TO_PHYSMAP_BATCH),
            &argument,
            buffers,
            |reply: &Reply<'_>| {
                let count = usize::from(reply.arg::<AddToPhysmapBatch>().size);
                reply
                    .elements::<i32>(2, count)
                    .map(|error| Errno::from_answer(i64::from(error)).err())
                    .collect()
            },
        )
    }
}

/// The bytes of a removal's argument, for the batch that undoes a mapping.
pub(crate) fn removal(at: Gfn) -> RemoveFromPhysmap {
    let removal = RemoveFromPhysmap { domid: DOMID_SELF, _pad: [0; 3], gpfn: at };
    debug_assert_eq!(removal.as_bytes().len(), 16);
    removal
}
