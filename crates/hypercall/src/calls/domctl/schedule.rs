//! Where vCPUs run, and how much.

use alloc::vec;
use alloc::vec::Vec;
use core::mem::offset_of;

use xen_abi::domctl::{
    self as abi, SchedCredit, SchedCredit2, SchedParamVcpu, SchedRtds, SchedVcpus, SchedulerOp, VcpuAffinity,
    XEN_DOMCTL_SCHEDOP_GETINFO, XEN_DOMCTL_SCHEDOP_GETVCPUINFO, XEN_DOMCTL_SCHEDOP_PUTINFO,
    XEN_DOMCTL_SCHEDOP_PUTVCPUINFO, XEN_VCPUAFFINITY_HARD, XEN_VCPUAFFINITY_SOFT,
};
use xen_abi::xen::XenctlBitmap;
use xen_abi::{DomId, VcpuId};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use super::{PAYLOAD, linked, payload};
use crate::call::{Buffer, Call, Place, Reply, nothing};
use crate::{Abi, Scheduler};

/// The CPUs that a vCPU may run on. A bit each, the lowest bit of the first byte is CPU 0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Affinity {
    /// Those that it may use at all.
    pub hard: Vec<u8>,
    /// Those that it prefers.
    pub soft: Vec<u8>,
}

const HARD: Place =
    Place::Argument(PAYLOAD + offset_of!(VcpuAffinity, cpumap_hard) + offset_of!(XenctlBitmap, bitmap));
const SOFT: Place =
    Place::Argument(PAYLOAD + offset_of!(VcpuAffinity, cpumap_soft) + offset_of!(XenctlBitmap, bitmap));

const VCPUS: Place = Place::Argument(PAYLOAD + offset_of!(SchedulerOp, u) + offset_of!(SchedVcpus, vcpus));

/// The CPUs that a vCPU is to run on; sets are as in [`Affinity`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pin<'a> {
    /// Those that it may use at all; without them they stay what they are.
    pub hard: Option<&'a [u8]>,
    /// Those that it is to prefer; without them they stay what they are.
    pub soft: Option<&'a [u8]>,
}

impl<'a> Pin<'a> {
    /// These, and no other preference than before.
    #[must_use]
    pub fn hard(cpus: &'a [u8]) -> Self {
        Pin { hard: Some(cpus), soft: None }
    }
}

fn affinity(vcpu: VcpuId, flags: u32, bits: u32) -> VcpuAffinity {
    let map = XenctlBitmap { bitmap: 0, nr_bits: bits, _pad: 0 };
    VcpuAffinity { vcpu: vcpu.0, flags, cpumap_hard: map, cpumap_soft: map }
}

/// The CPUs that a vCPU may run on, of the host's first `cpus`.
///
/// Hypercall: `XEN_DOMCTL_getvcpuaffinity`. Fails with `ESRCH`, `EINVAL`: no such vCPU.
#[must_use]
pub fn vcpu_affinity(abi: Abi, dom: DomId, vcpu: VcpuId, cpus: u32) -> Call<Affinity> {
    let bytes = cpus.div_ceil(8) as usize;
    let argument = affinity(vcpu, XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT, bytes as u32 * 8);
    let rooms = vec![Buffer::room(HARD, bytes), Buffer::room(SOFT, bytes)];
    // SAFETY: Xen writes `nr_bits` of each.
    unsafe {
        linked(
            "XEN_DOMCTL_getvcpuaffinity",
            abi::XEN_DOMCTL_GETVCPUAFFINITY,
            abi,
            dom,
            &argument,
            rooms,
            |reply| {
                let bytes = payload::<VcpuAffinity>(reply).cpumap_hard.nr_bits.div_ceil(8) as usize;
                let map = |n: usize| reply.buffer(n).iter().copied().take(bytes).collect();
                Affinity { hard: map(0), soft: map(1) }
            },
        )
    }
}

/// Sets the CPUs that a vCPU may run on, and prefers. CPUs that are not there are kept in the set, and not used.
///
/// Hypercall: `XEN_DOMCTL_setvcpuaffinity`. Fails with `EINVAL`: nothing is to be set, or none of the hard ones is there (in the
/// domain's CPU pool), or no such vCPU.
#[must_use]
pub fn set_vcpu_affinity(abi: Abi, dom: DomId, vcpu: VcpuId, wish: &Pin<'_>) -> Call<()> {
    let mut argument = affinity(vcpu, 0, 0);
    let mut buffers = Vec::new();
    for (cpus, flag, place, map) in [
        (wish.hard, XEN_VCPUAFFINITY_HARD, HARD, &mut argument.cpumap_hard),
        (wish.soft, XEN_VCPUAFFINITY_SOFT, SOFT, &mut argument.cpumap_soft),
    ] {
        let Some(cpus) = cpus else { continue };
        argument.flags |= flag;
        map.nr_bits = cpus.len() as u32 * 8;
        buffers.push(Buffer::of(place, cpus));
    }
    // SAFETY: Xen reads and writes `nr_bits` of each that the flags name.
    unsafe {
        linked(
            "XEN_DOMCTL_setvcpuaffinity",
            abi::XEN_DOMCTL_SETVCPUAFFINITY,
            abi,
            dom,
            &argument,
            buffers,
            nothing,
        )
    }
}

/// A domain-wide scheduler command. `A` is the scheduler's own structure, without guest handles.
///
/// # Safety
/// `scheduler` uses an `A` for it.
unsafe fn scheduler_op<A: IntoBytes + Immutable, T>(
    abi: Abi,
    dom: DomId,
    scheduler: Scheduler,
    cmd: u32,
    parameters: &A,
    decode: fn(&Reply<'_>) -> T,
) -> Call<T> {
    let mut argument = SchedulerOp { sched_id: scheduler.0, cmd, ..SchedulerOp::new_zeroed() };
    argument.u.as_mut_bytes()[..size_of::<A>()].copy_from_slice(parameters.as_bytes());
    // SAFETY: the domain-wide commands have no guest handle.
    unsafe {
        linked("XEN_DOMCTL_scheduler_op", abi::XEN_DOMCTL_SCHEDULER_OP, abi, dom, &argument, vec![], decode)
    }
}

fn parameters<A: FromBytes>(reply: &Reply<'_>) -> A {
    reply.arg_at(PAYLOAD + offset_of!(SchedulerOp, u))
}

/// A domain's parameters under credit.
///
/// Hypercall: `XEN_DOMCTL_scheduler_op`. Fails with `EINVAL`: another scheduler.
#[must_use]
pub fn credit(abi: Abi, dom: DomId) -> Call<SchedCredit> {
    let none = SchedCredit { weight: 0, cap: 0 };
    // SAFETY: credit uses that structure.
    unsafe { scheduler_op(abi, dom, Scheduler::CREDIT, XEN_DOMCTL_SCHEDOP_GETINFO, &none, parameters) }
}

/// Sets a domain's parameters under credit. A weight of 0 and a cap of `u16::MAX` leave theirs alone.
///
/// Hypercall: `XEN_DOMCTL_scheduler_op`. Fails with `EINVAL`: another scheduler.
#[must_use]
pub fn set_credit(abi: Abi, dom: DomId, wish: SchedCredit) -> Call<()> {
    // SAFETY: credit uses that structure.
    unsafe { scheduler_op(abi, dom, Scheduler::CREDIT, XEN_DOMCTL_SCHEDOP_PUTINFO, &wish, nothing) }
}

/// A domain's parameters under credit2.
///
/// Hypercall: `XEN_DOMCTL_scheduler_op`. Fails with `EINVAL`: another scheduler.
#[must_use]
pub fn credit2(abi: Abi, dom: DomId) -> Call<SchedCredit2> {
    let none = SchedCredit2 { weight: 0, cap: 0 };
    // SAFETY: credit2 uses that structure.
    unsafe { scheduler_op(abi, dom, Scheduler::CREDIT2, XEN_DOMCTL_SCHEDOP_GETINFO, &none, parameters) }
}

/// Sets a domain's parameters under credit2. A weight of 0 leaves its own alone; there is no such cap.
///
/// Hypercall: `XEN_DOMCTL_scheduler_op`. Fails with `EINVAL`: another scheduler, or a cap above 100 for each vCPU; the weight is
/// set then.
#[must_use]
pub fn set_credit2(abi: Abi, dom: DomId, wish: SchedCredit2) -> Call<()> {
    // SAFETY: credit2 uses that structure.
    unsafe { scheduler_op(abi, dom, Scheduler::CREDIT2, XEN_DOMCTL_SCHEDOP_PUTINFO, &wish, nothing) }
}

/// Parameters of vCPUs under RTDS.
///
/// # Safety
/// `cmd` is one of the commands for vCPUs.
unsafe fn rtds_op<T>(
    abi: Abi,
    dom: DomId,
    cmd: u32,
    vcpus: &[SchedParamVcpu],
    decode: fn(&Reply<'_>) -> T,
) -> Call<T> {
    let mut argument = SchedulerOp { sched_id: Scheduler::RTDS.0, cmd, ..SchedulerOp::new_zeroed() };
    let list = SchedVcpus { vcpus: 0, nr_vcpus: vcpus.len() as u32, padding: 0 };
    argument.u.as_mut_bytes().copy_from_slice(list.as_bytes());
    let vcpus = Buffer::of(VCPUS, vcpus);
    // SAFETY: Xen reads and writes `nr_vcpus` elements.
    unsafe {
        linked(
            "XEN_DOMCTL_scheduler_op",
            abi::XEN_DOMCTL_SCHEDULER_OP,
            abi,
            dom,
            &argument,
            vec![vcpus],
            decode,
        )
    }
}

/// The parameters of a domain's vCPUs from `first` on, `count` of them, under RTDS. Xen may answer about fewer, the first
/// ones: ask again for the rest.
///
/// Hypercall: `XEN_DOMCTL_scheduler_op`, `GETVCPUINFO`. Fails with `EINVAL`: another scheduler, or no such vCPU.
#[must_use]
pub fn rtds(abi: Abi, dom: DomId, first: VcpuId, count: u32) -> Call<Vec<SchedRtds>> {
    let vcpus: Vec<_> =
        (0..count).map(|n| SchedParamVcpu { u: [0; 3], vcpuid: first.0.saturating_add(n) }).collect();
    let decode = |reply: &Reply<'_>| {
        let done = parameters::<SchedVcpus>(reply).nr_vcpus as usize;
        let told = reply.elements::<SchedParamVcpu>(0, done);
        told.map(|vcpu| SchedRtds { period: vcpu.u[0], budget: vcpu.u[1], flags: vcpu.u[2] }).collect()
    };
    // SAFETY: the command is one for vCPUs.
    unsafe { rtds_op(abi, dom, XEN_DOMCTL_SCHEDOP_GETVCPUINFO, &vcpus, decode) }
}

/// Sets vCPUs' parameters under RTDS; answers how many were set, the first ones.
///
/// Hypercall: `XEN_DOMCTL_scheduler_op`, `PUTVCPUINFO`. Fails with `EINVAL`: another scheduler, no such vCPU, a period or budget
/// below 10 microseconds or a budget longer than its period; the vCPUs before that one are set.
#[must_use]
pub fn set_rtds(abi: Abi, dom: DomId, wishes: &[(VcpuId, SchedRtds)]) -> Call<u32> {
    let vcpus: Vec<_> = wishes
        .iter()
        .map(|(vcpu, wish)| SchedParamVcpu { u: [wish.period, wish.budget, wish.flags], vcpuid: vcpu.0 })
        .collect();
    let decode = |reply: &Reply<'_>| parameters::<SchedVcpus>(reply).nr_vcpus;
    // SAFETY: the command is one for vCPUs.
    unsafe { rtds_op(abi, dom, XEN_DOMCTL_SCHEDOP_PUTVCPUINFO, &vcpus, decode) }
}
