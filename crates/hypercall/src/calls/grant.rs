//! Grant tables. Source: public/grant_table.h.
//!
//! Every operation has two answers: the hypercall's own, and a status for each element.

use alloc::vec;
use alloc::vec::Vec;

use xen_abi::grant_table::{
    self as abi, GetVersion, GrantCopy, GrantCopyEnd, GrantStatus, MapGrantRef, QuerySize, SetVersion,
    UnmapGrantRef,
};
use xen_abi::xen::DOMID_SELF;
use xen_abi::{DomId, Gfn, GrantRef, PAGE_SIZE};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use crate::Nr;
use crate::call::{Buffer, Call, Place, Reply};

/// How a granted page may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Read only.
    Read,
    /// Read and written.
    Write,
}

/// A grant that is mapped: what unmapping wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handle(pub u32);

/// An operation on one element.
///
/// # Safety
/// `command` takes an array of `A`, and of this one touches nothing else of ours.
unsafe fn one<A: FromBytes + IntoBytes + Immutable, T>(
    name: &'static str,
    command: u32,
    argument: &A,
    decode: fn(&Reply<'_>) -> T,
) -> Call<T> {
    let registers = [u64::from(command), 0, 1, 0, 0];
    // SAFETY: the caller's promise.
    unsafe {
        Call::plain(
            name,
            Nr::GRANT_TABLE_OP,
            registers,
            vec![Buffer::of(Place::Register(1), argument)],
            decode,
        )
    }
}

fn element<A: FromBytes + FromZeros>(reply: &Reply<'_>) -> A {
    reply.elements(0, 1).next().unwrap_or_else(A::new_zeroed)
}

fn checked<T>(status: GrantStatus, value: T) -> Result<T, GrantStatus> {
    if status == GrantStatus::OKAY { Ok(value) } else { Err(status) }
}

/// How many frames a domain's grant table has, and how many it may have.
///
/// Hypercall: `GNTTABOP_query_size`.
#[must_use]
pub fn size(dom: DomId) -> Call<Result<(u32, u32), GrantStatus>> {
    let argument = QuerySize { dom, ..QuerySize::new_zeroed() };
    // SAFETY: public/grant_table.h pairs them; there is no guest handle.
    unsafe {
        one("GNTTABOP_query_size", abi::GNTTABOP_QUERY_SIZE, &argument, |reply| {
            let raw: QuerySize = element(reply);
            checked(raw.status, (raw.nr_frames, raw.max_nr_frames))
        })
    }
}

/// Maps a page that `dom` granted us at a frame of ours.
///
/// Hypercall: `GNTTABOP_map_grant_ref`.
///
/// # Safety
/// The frame is unpopulated and the caller's.
#[must_use]
pub unsafe fn map(dom: DomId, grant: GrantRef, access: Access, at: Gfn) -> Call<Result<Handle, GrantStatus>> {
    let flags = match access {
        Access::Read => abi::GNTMAP_HOST_MAP | abi::GNTMAP_READONLY,
        Access::Write => abi::GNTMAP_HOST_MAP,
    };
    let argument =
        MapGrantRef { host_addr: at.address().0, flags, r#ref: grant, dom, ..MapGrantRef::new_zeroed() };
    // SAFETY: public/grant_table.h pairs them; the frame is the caller's.
    unsafe {
        one("GNTTABOP_map_grant_ref", abi::GNTTABOP_MAP_GRANT_REF, &argument, |reply| {
            let raw: MapGrantRef = element(reply);
            checked(raw.status, Handle(raw.handle))
        })
    }
}

/// Unmaps a granted page from a frame of ours.
///
/// Hypercall: `GNTTABOP_unmap_grant_ref`.
///
/// # Safety
/// The frame is the caller's, and nothing refers to its memory any more.
#[must_use]
pub unsafe fn unmap(handle: Handle, at: Gfn) -> Call<Result<(), GrantStatus>> {
    let argument =
        UnmapGrantRef { host_addr: at.address().0, handle: handle.0, ..UnmapGrantRef::new_zeroed() };
    // SAFETY: public/grant_table.h pairs them; the frame is the caller's.
    unsafe {
        one("GNTTABOP_unmap_grant_ref", abi::GNTTABOP_UNMAP_GRANT_REF, &argument, |reply| {
            checked(element::<UnmapGrantRef>(reply).status, ())
        })
    }
}

/// Copies whole pages: what is at each of these frames of ours to the page that `dom` granted us. Answers each
/// one's status.
///
/// Not for everybody: the page may be borrowed, while `dom` is under construction.
///
/// Hypercall: `GNTTABOP_copy`.
#[must_use]
pub(crate) fn copy_pages(dom: DomId, pages: &[(Gfn, GrantRef)]) -> Call<Vec<GrantStatus>> {
    let end = |u: u64, domid: DomId| GrantCopyEnd { u, domid, offset: 0, _pad: 0 };
    let copies: Vec<GrantCopy> = pages
        .iter()
        .map(|&(from, to)| GrantCopy {
            source: end(from.0, DOMID_SELF),
            dest: end(u64::from(to.0), dom),
            len: PAGE_SIZE as u16,
            flags: abi::GNTCOPY_DEST_GREF,
            // A copy that Xen did not get to must not pass for done.
            status: GrantStatus::GENERAL_ERROR,
            _pad: 0,
        })
        .collect();
    let registers = [u64::from(abi::GNTTABOP_COPY), 0, copies.len() as u64, 0, 0];
    let copies = Buffer::of(Place::Register(1), copies.as_slice());
    // SAFETY: Xen writes nothing of ours but each copy's status, and there are as many as the register says.
    unsafe {
        Call::plain("GNTTABOP_copy", Nr::GRANT_TABLE_OP, registers, vec![copies], |reply| {
            let count = reply.buffer(0).len() / size_of::<GrantCopy>();
            reply.elements::<GrantCopy>(0, count).map(|copy| copy.status).collect()
        })
    }
}

/// Sets the version of our own grant table.
///
/// Hypercall: `GNTTABOP_set_version`. Fails with `EBUSY`: in use; `ENOSYS`: not allowed to this domain.
#[must_use]
pub fn set_version(version: u32) -> Call<()> {
    // SAFETY: public/grant_table.h pairs them; there is no guest handle.
    unsafe { one("GNTTABOP_set_version", abi::GNTTABOP_SET_VERSION, &SetVersion { version }, |_| ()) }
}

/// The version of a domain's grant table.
///
/// Hypercall: `GNTTABOP_get_version`.
#[must_use]
pub fn version(dom: DomId) -> Call<u32> {
    // SAFETY: public/grant_table.h pairs them; there is no guest handle.
    unsafe {
        one(
            "GNTTABOP_get_version",
            abi::GNTTABOP_GET_VERSION,
            &GetVersion { dom, pad: 0, version: 0 },
            |reply| element::<GetVersion>(reply).version,
        )
    }
}
