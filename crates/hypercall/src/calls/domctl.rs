//! Operations on domains. Source: public/domctl.h.
//!
//! All fail with `ESRCH` where there is no such domain, and with `EPERM` where we may not.

mod create;
mod info;
mod schedule;

use alloc::vec;
use alloc::vec::Vec;
use core::mem::offset_of;

use xen_abi::arch_x86::xen::VcpuGuestContext;
use xen_abi::domctl::{self as abi, Domctl, HvmContext, MaxMem, MaxVcpus, PagingMempool, ShadowOp, TscInfo};
use xen_abi::{Bytes, DomId, Errno, KiB, VcpuId};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

pub use create::create_domain;
pub(crate) use info::info_size;
pub use info::{domain_info, vcpu_info};
pub use schedule::*;

use crate::call::{Buffer, Call, Place, Reply, nothing};
use crate::{Abi, Nr, XenError};

/// Where a command's own structure starts in the argument.
const PAYLOAD: usize = offset_of!(Domctl, u);

/// A command whose structure is a `P` without guest handles.
struct Flat<P> {
    name: &'static str,
    command: u32,
    payload: core::marker::PhantomData<fn(P)>,
}

impl<P: FromBytes + IntoBytes + Immutable> Flat<P> {
    /// Pairs a command with its structure.
    ///
    /// # Safety
    /// `command` uses a `P`, in every interface version that it is issued with, and no memory of ours
    /// besides, whatever is in it.
    const unsafe fn new(name: &'static str, command: u32) -> Self {
        Flat { name, command, payload: core::marker::PhantomData }
    }

    fn call<T>(&self, abi: Abi, dom: DomId, payload: P, decode: fn(&Reply<'_>) -> T) -> Call<T> {
        // SAFETY: who made the command promised that there is no other memory.
        unsafe { linked(self.name, self.command, abi, dom, &payload, Vec::new(), decode) }
    }
}

/// A command with buffers.
///
/// # Safety
/// In the interface version of `abi`, `command` uses a `P`. With this one, and the buffers' addresses filled
/// in, Xen touches nothing but the argument and the buffers, within their lengths.
unsafe fn linked<P: IntoBytes + Immutable, T>(
    name: &'static str,
    command: u32,
    abi: Abi,
    dom: DomId,
    payload: &P,
    buffers: Vec<Buffer>,
    decode: fn(&Reply<'_>) -> T,
) -> Call<T> {
    let mut argument =
        Domctl { cmd: command, interface_version: abi.domctl, domain: dom, ..Domctl::new_zeroed() };
    argument.u.as_mut_bytes()[..size_of::<P>()].copy_from_slice(payload.as_bytes());
    // SAFETY: every domctl takes a `Domctl`; the rest is the caller's promise.
    unsafe { Call::structured(name, Nr::DOMCTL, None, &argument, buffers, decode) }
}

/// The command's own structure as Xen left it.
fn payload<P: FromBytes>(reply: &Reply<'_>) -> P {
    reply.arg_at(PAYLOAD)
}

/// A harmless question in this interface version: `EACCES` says that Xen speaks another.
pub(crate) fn probe(version: u32) -> Call<()> {
    let abi = Abi { domctl: version, ..Abi::default() };
    // SAFETY: the command only writes into the argument's own room, whatever its layout.
    unsafe { Flat::<()>::new("XEN_DOMCTL_getdomaininfo", abi::XEN_DOMCTL_GETDOMAININFO) }.call(
        abi,
        DomId(0),
        (),
        nothing,
    )
}

macro_rules! commands {
    ($($name:ident: $payload:ty = $command:expr, $c:literal;)*) => {$(
        // SAFETY: public/domctl.h pairs them, in all releases; none has a guest handle.
        const $name: Flat<$payload> = unsafe { Flat::new($c, $command) };
    )*};
}

commands! {
    DESTROY: () = abi::XEN_DOMCTL_DESTROYDOMAIN, "XEN_DOMCTL_destroydomain";
    PAUSE: () = abi::XEN_DOMCTL_PAUSEDOMAIN, "XEN_DOMCTL_pausedomain";
    UNPAUSE: () = abi::XEN_DOMCTL_UNPAUSEDOMAIN, "XEN_DOMCTL_unpausedomain";
    RESUME: () = abi::XEN_DOMCTL_RESUMEDOMAIN, "XEN_DOMCTL_resumedomain";
    MAX_VCPUS: MaxVcpus = abi::XEN_DOMCTL_MAX_VCPUS, "XEN_DOMCTL_max_vcpus";
    MAX_MEM: MaxMem = abi::XEN_DOMCTL_MAX_MEM, "XEN_DOMCTL_max_mem";
    SET_TSC: TscInfo = abi::XEN_DOMCTL_SETTSCINFO, "XEN_DOMCTL_settscinfo";
    SET_HANDLE: abi::SetDomainHandle = abi::XEN_DOMCTL_SETDOMAINHANDLE, "XEN_DOMCTL_setdomainhandle";
    SET_TIME_OFFSET: abi::SetTimeOffset = abi::XEN_DOMCTL_SETTIMEOFFSET, "XEN_DOMCTL_settimeoffset";
    TRIGGER: abi::SendTrigger = abi::XEN_DOMCTL_SENDTRIGGER, "XEN_DOMCTL_sendtrigger";
}

// SAFETY: public/domctl.h pairs them, from 4.17; there is no guest handle.
const SET_POOL: Flat<PagingMempool> =
    unsafe { Flat::new("XEN_DOMCTL_set_paging_mempool_size", abi::XEN_DOMCTL_SET_PAGING_MEMPOOL_SIZE) };
// SAFETY: public/domctl.h pairs them, from 4.17; there is no guest handle.
const GET_POOL: Flat<PagingMempool> =
    unsafe { Flat::new("XEN_DOMCTL_get_paging_mempool_size", abi::XEN_DOMCTL_GET_PAGING_MEMPOOL_SIZE) };

/// The first domctl interface that has the commands for the paging pool's size: 4.17's.
const POOL_COMMANDS: u32 = 0x15;

/// Destroys a domain. It stays, dying, while we or others have pages of it mapped.
///
/// Hypercall: `XEN_DOMCTL_destroydomain`.
#[must_use]
pub fn destroy_domain(abi: Abi, dom: DomId) -> Call<()> {
    DESTROY.call(abi, dom, (), nothing)
}

/// Pauses all vCPUs of a domain. Counted: as many unpauses let it run again.
///
/// Hypercall: `XEN_DOMCTL_pausedomain`. Fails with `EINVAL`: ourselves; `EUSERS`: paused too often.
#[must_use]
pub fn pause_domain(abi: Abi, dom: DomId) -> Call<()> {
    PAUSE.call(abi, dom, (), nothing)
}

/// Takes one pause back. A new domain has one.
///
/// Hypercall: `XEN_DOMCTL_unpausedomain`. Fails with `EINVAL`: not paused.
///
/// # Safety
/// None of the domain's bytes are borrowed, nor will be: it is not under construction
/// ([`NewDomain`](crate::NewDomain)). [`Xen::unpause_domain`](crate::Xen::unpause_domain) sees to it.
#[must_use]
pub unsafe fn unpause_domain(abi: Abi, dom: DomId) -> Call<()> {
    UNPAUSE.call(abi, dom, (), nothing)
}

/// Lets a domain that shut down (for a suspend) run again.
///
/// Hypercall: `XEN_DOMCTL_resumedomain`. Fails with `EINVAL`: ourselves.
#[must_use]
pub fn resume_domain(abi: Abi, dom: DomId) -> Call<()> {
    RESUME.call(abi, dom, (), nothing)
}

/// Allocates the domain's vCPUs: as many as it was created for.
///
/// Hypercall: `XEN_DOMCTL_max_vcpus`. Fails with `EINVAL`: another number than at creation; `ENOMEM`.
#[must_use]
pub fn max_vcpus(abi: Abi, dom: DomId, count: u32) -> Call<()> {
    MAX_VCPUS.call(abi, dom, MaxVcpus { max: count }, nothing)
}

/// Sets the most memory that the domain may have.
///
/// Hypercall: `XEN_DOMCTL_max_mem`.
#[must_use]
pub fn max_mem(abi: Abi, dom: DomId, most: KiB) -> Call<()> {
    MAX_MEM.call(abi, dom, MaxMem { max_memkb: most.0 }, nothing)
}

/// Sets the size of the pool for the domain's nested page tables.
///
/// Hypercall: `XEN_DOMCTL_set_paging_mempool_size`; before 4.17 `XEN_DOMCTL_shadow_op`, which rounds up to
/// whole MiB. Fails with `ENOMEM`; `EINVAL`: not a whole number of pages.
#[must_use]
pub fn set_paging_pool(abi: Abi, dom: DomId, size: Bytes) -> Call<()> {
    if abi.domctl >= POOL_COMMANDS {
        return SET_POOL.call(abi, dom, PagingMempool { size: size.0 }, nothing);
    }
    let mb = size.0.div_ceil(1 << 20).min(u64::from(u32::MAX)) as u32;
    allocation(abi, dom, abi::XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION, mb, nothing)
}

/// The size of the pool for the domain's nested page tables.
///
/// Hypercall: `XEN_DOMCTL_get_paging_mempool_size`; before 4.17 `XEN_DOMCTL_shadow_op`.
#[must_use]
pub fn paging_pool(abi: Abi, dom: DomId) -> Call<Bytes> {
    if abi.domctl >= POOL_COMMANDS {
        return GET_POOL
            .call(abi, dom, PagingMempool { size: 0 }, |reply| Bytes(payload::<PagingMempool>(reply).size));
    }
    allocation(abi, dom, abi::XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION, 0, |reply| {
        Bytes(u64::from(payload::<ShadowOp>(reply).mb) << 20)
    })
}

fn allocation<T>(abi: Abi, dom: DomId, op: u32, mb: u32, decode: fn(&Reply<'_>) -> T) -> Call<T> {
    let argument = ShadowOp { op, mb, ..ShadowOp::new_zeroed() };
    // SAFETY: getting and setting the allocation uses neither the bitmap nor other memory.
    unsafe {
        linked("XEN_DOMCTL_shadow_op", abi::XEN_DOMCTL_SHADOW_OP, abi, dom, &argument, Vec::new(), decode)
    }
}

/// Sets how the domain sees the TSC: `TSC_MODE_...` of [`xen_abi::domctl`].
///
/// Hypercall: `XEN_DOMCTL_settscinfo`. Fails with `EINVAL`: ourselves, or no such mode.
#[must_use]
pub fn set_tsc_mode(abi: Abi, dom: DomId, mode: u32) -> Call<()> {
    SET_TSC.call(abi, dom, TscInfo { tsc_mode: mode, ..TscInfo::new_zeroed() }, nothing)
}

/// Sets the domain's handle.
///
/// Hypercall: `XEN_DOMCTL_setdomainhandle`.
#[must_use]
pub fn set_handle(abi: Abi, dom: DomId, handle: [u8; 16]) -> Call<()> {
    SET_HANDLE.call(abi, dom, abi::SetDomainHandle { handle }, nothing)
}

/// Sets by how many seconds the domain's wall clock differs from the host's.
///
/// Hypercall: `XEN_DOMCTL_settimeoffset`.
#[must_use]
pub fn set_time_offset(abi: Abi, dom: DomId, seconds: i64) -> Call<()> {
    SET_TIME_OFFSET.call(abi, dom, abi::SetTimeOffset { time_offset_seconds: seconds }, nothing)
}

/// Presses a button or sends an NMI: `XEN_DOMCTL_SENDTRIGGER_...`.
///
/// Hypercall: `XEN_DOMCTL_sendtrigger`. Fails with `EINVAL`, `ENOSYS`: no such trigger here.
#[must_use]
pub fn send_trigger(abi: Abi, dom: DomId, trigger: u32, vcpu: u32) -> Call<()> {
    TRIGGER.call(abi, dom, abi::SendTrigger { trigger, vcpu }, nothing)
}

/// A vCPU's registers: [`VcpuGuestContext`](xen_abi::arch_x86::xen::VcpuGuestContext) as bytes. Xen stops the vCPU
/// while it reads.
///
/// Hypercall: `XEN_DOMCTL_getvcpucontext`. Fails with `EINVAL`: no such vCPU; `ENODATA`: it was never up.
#[must_use]
pub fn vcpu_context(abi: Abi, dom: DomId, vcpu: VcpuId) -> Call<Vec<u8>> {
    let argument = abi::VcpuContext { vcpu: vcpu.0, _pad: 0, ctxt: 0 };
    let room = Buffer::room_for::<VcpuGuestContext>(
        Place::Argument(PAYLOAD + offset_of!(abi::VcpuContext, ctxt)),
        1,
    );
    // SAFETY: Xen writes one such structure, or the smaller one of a 32-bit paravirtual domain.
    unsafe {
        linked(
            "XEN_DOMCTL_getvcpucontext",
            abi::XEN_DOMCTL_GETVCPUCONTEXT,
            abi,
            dom,
            &argument,
            vec![room],
            |reply| reply.buffer(0)[..size_of::<VcpuGuestContext>()].to_vec(),
        )
    }
}

const CONTEXT_BUFFER: Place = Place::Argument(PAYLOAD + offset_of!(HvmContext, buffer));

/// How many bytes the records of an HVM domain's state need.
///
/// Hypercall: `XEN_DOMCTL_gethvmcontext` without a buffer. Fails with `EINVAL`: not an HVM domain.
#[must_use]
pub fn hvm_context_size(abi: Abi, dom: DomId) -> Call<usize> {
    let argument = HvmContext { size: 0, _pad: 0, buffer: 0 };
    // SAFETY: a null buffer is not written.
    unsafe {
        linked(
            "XEN_DOMCTL_gethvmcontext",
            abi::XEN_DOMCTL_GETHVMCONTEXT,
            abi,
            dom,
            &argument,
            vec![],
            |reply| payload::<HvmContext>(reply).size as usize,
        )
    }
}

/// The records of an HVM domain's state. `room` is how many bytes to provide: ask [`hvm_context_size`].
///
/// Hypercall: `XEN_DOMCTL_gethvmcontext`. Fails with `ENOSPC`: not enough room; `EINVAL`: not an HVM domain.
#[must_use]
pub fn hvm_context(abi: Abi, dom: DomId, room: usize) -> Call<Vec<u8>> {
    let argument = HvmContext { size: room as u32, _pad: 0, buffer: 0 };
    let room = Buffer::room(CONTEXT_BUFFER, room);
    // SAFETY: Xen writes at most `size` bytes.
    unsafe {
        linked(
            "XEN_DOMCTL_gethvmcontext",
            abi::XEN_DOMCTL_GETHVMCONTEXT,
            abi,
            dom,
            &argument,
            vec![room],
            |reply| {
                let bytes = reply.buffer(0);
                bytes[..bytes.len().min(payload::<HvmContext>(reply).size as usize)].to_vec()
            },
        )
    }
}

/// Loads records of an HVM domain's state: a header, records, an end.
///
/// Hypercall: `XEN_DOMCTL_sethvmcontext`. Fails with `EINVAL`: bad records, or not an HVM domain; `ENOENT`: no
/// such vCPU.
#[must_use]
pub fn set_hvm_context(abi: Abi, dom: DomId, records: &[u8]) -> Call<()> {
    let argument = HvmContext { size: records.len() as u32, _pad: 0, buffer: 0 };
    let records = Buffer::of(CONTEXT_BUFFER, records);
    // SAFETY: Xen reads `size` bytes.
    unsafe {
        linked(
            "XEN_DOMCTL_sethvmcontext",
            abi::XEN_DOMCTL_SETHVMCONTEXT,
            abi,
            dom,
            &argument,
            vec![records],
            nothing,
        )
    }
}

/// The error of a command for another domain than was asked for: Xen's `getdomaininfo` of old releases answers
/// the next domain where there is none.
pub(crate) fn wrong_domain() -> XenError {
    XenError { op: "XEN_DOMCTL_getdomaininfo", errno: Errno::ESRCH }
}
