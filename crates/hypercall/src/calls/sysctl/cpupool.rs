//! CPU pools, and what their schedulers are set to. Source: public/sysctl.h.

use alloc::vec;
use alloc::vec::Vec;
use core::mem::offset_of;

use xen_abi::sysctl::{
    self as abi, CpuPoolOp, Credit2Schedule, CreditSchedule, SchedulerOp, XEN_SYSCTL_CPUPOOL_PAR_ANY,
    XEN_SYSCTL_SCHEDOP_GETINFO, XEN_SYSCTL_SCHEDOP_PUTINFO,
};
use xen_abi::xen::XenctlBitmap;
use xen_abi::{DomId, sysctl};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use super::{PAYLOAD, linked, payload};
use crate::call::{Buffer, Call, Place, Reply, nothing};
use crate::{Abi, CpuPool, Scheduler};

const CPUS: Place =
    Place::Argument(PAYLOAD + offset_of!(CpuPoolOp, cpumap) + offset_of!(XenctlBitmap, bitmap));

/// A command without buffers.
fn change<T>(abi: Abi, argument: &CpuPoolOp, decode: fn(&Reply<'_>) -> T) -> Call<T> {
    // SAFETY: only the commands that tell of CPUs use the bitmap, and these are not made here.
    unsafe { linked("XEN_SYSCTL_cpupool_op", abi::XEN_SYSCTL_CPUPOOL_OP, abi, argument, vec![], decode) }
}

/// A command that tells of CPUs: as a bitmap of the host's first `cpus`.
fn question<T>(abi: Abi, mut argument: CpuPoolOp, cpus: u32, decode: fn(&Reply<'_>) -> T) -> Call<T> {
    let bytes = cpus.div_ceil(8) as usize;
    argument.cpumap.nr_bits = bytes as u32 * 8;
    let room = Buffer::room(CPUS, bytes);
    // SAFETY: Xen writes `nr_bits`.
    unsafe { linked("XEN_SYSCTL_cpupool_op", abi::XEN_SYSCTL_CPUPOOL_OP, abi, &argument, vec![room], decode) }
}

fn op(op: u32, pool: u32) -> CpuPoolOp {
    CpuPoolOp { op, cpupool_id: pool, ..CpuPoolOp::new_zeroed() }
}

/// The CPUs whose bits are set, the lowest bit of the first byte being CPU 0.
fn cpus(reply: &Reply<'_>) -> Vec<u32> {
    let bits = payload::<CpuPoolOp>(reply).cpumap.nr_bits;
    let bytes = reply.buffer(0);
    let is_set = |cpu: &u32| bytes.get(*cpu as usize / 8).is_some_and(|byte| byte >> (cpu % 8) & 1 == 1);
    (0..bits).filter(is_set).collect()
}

/// Makes a pool without CPUs; answers its id.
///
/// Hypercall: `XEN_SYSCTL_cpupool_op`, `CREATE`. Fails with `ENOENT` (`EINVAL` in some releases): Xen has no such scheduler.
/// `ENOSPC`: there are twice as many pools as CPUs.
#[must_use]
pub fn create_cpupool(abi: Abi, scheduler: Scheduler) -> Call<u32> {
    let mut argument = op(abi::XEN_SYSCTL_CPUPOOL_OP_CREATE, XEN_SYSCTL_CPUPOOL_PAR_ANY);
    argument.sched_id = scheduler.0;
    change(abi, &argument, |reply| payload::<CpuPoolOp>(reply).cpupool_id)
}

/// Ends a pool.
///
/// Hypercall: `XEN_SYSCTL_cpupool_op`, `DESTROY`. Fails with `ENOENT`: no such pool. `EBUSY`: it has CPUs or domains, dying
/// ones too.
#[must_use]
pub fn destroy_cpupool(abi: Abi, pool: u32) -> Call<()> {
    change(abi, &op(abi::XEN_SYSCTL_CPUPOOL_OP_DESTROY, pool), nothing)
}

/// The first pool whose id is at least `from`, with what it has of the host's first `most` CPUs.
///
/// Hypercall: `XEN_SYSCTL_cpupool_op`, `INFO`. Fails with `ENOENT`: there is none.
#[must_use]
pub fn cpupool_from(abi: Abi, from: u32, most: u32) -> Call<CpuPool> {
    question(abi, op(abi::XEN_SYSCTL_CPUPOOL_OP_INFO, from), most, |reply| {
        let raw: CpuPoolOp = payload(reply);
        CpuPool {
            id: raw.cpupool_id,
            scheduler: Scheduler(raw.sched_id),
            domains: raw.n_dom,
            cpus: cpus(reply),
        }
    })
}

/// Of the host's first `most` CPUs those that are in no pool.
///
/// Hypercall: `XEN_SYSCTL_cpupool_op`, `FREEINFO`.
#[must_use]
pub fn free_cpus(abi: Abi, most: u32) -> Call<Vec<u32>> {
    question(abi, op(abi::XEN_SYSCTL_CPUPOOL_OP_FREEINFO, 0), most, cpus)
}

/// Puts a free CPU into a pool.
///
/// Hypercall: `XEN_SYSCTL_cpupool_op`, `ADDCPU`. Fails with `ENOENT`: no such pool. `ENODEV`, `EINVAL`: the CPU is not free, or
/// not there.
#[must_use]
pub fn cpupool_add_cpu(abi: Abi, pool: u32, cpu: u32) -> Call<()> {
    change(abi, &CpuPoolOp { cpu, ..op(abi::XEN_SYSCTL_CPUPOOL_OP_ADDCPU, pool) }, nothing)
}

/// Takes a CPU out of a pool. Xen goes on with this on another CPU: it belongs in no batch.
///
/// Hypercall: `XEN_SYSCTL_cpupool_op`, `RMCPU`. Fails with `ENOENT`: no such pool. `EADDRNOTAVAIL`: it has not this CPU.
/// `EBUSY`: the pool has domains and no other CPU. `EADDRINUSE`: a vCPU is pinned to it. `EINVAL`: CPU 0 stays in pool 0.
#[must_use]
pub fn cpupool_remove_cpu(abi: Abi, pool: u32, cpu: u32) -> Call<()> {
    change(abi, &CpuPoolOp { cpu, ..op(abi::XEN_SYSCTL_CPUPOOL_OP_RMCPU, pool) }, nothing)
}

/// Moves a domain into a pool; its parameters become the defaults of that pool's scheduler.
///
/// Hypercall: `XEN_SYSCTL_cpupool_op`, `MOVEDOMAIN`. Fails with `ESRCH`: no such domain. `ENOENT`: no such pool, or it has no
/// CPU. `EPERM`: it is our own domain.
#[must_use]
pub fn cpupool_move_domain(abi: Abi, pool: u32, dom: DomId) -> Call<()> {
    let domid = u32::from(dom.0);
    change(abi, &CpuPoolOp { domid, ..op(abi::XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, pool) }, nothing)
}

/// A pool's scheduler's own parameters. `A` is their structure, without guest handles.
///
/// # Safety
/// `scheduler` uses an `A` for them.
unsafe fn scheduler_op<A: IntoBytes + Immutable, T>(
    abi: Abi,
    pool: u32,
    scheduler: Scheduler,
    cmd: u32,
    parameters: &A,
    decode: fn(&Reply<'_>) -> T,
) -> Call<T> {
    let mut argument =
        SchedulerOp { cpupool_id: pool, sched_id: scheduler.0, cmd, ..SchedulerOp::new_zeroed() };
    argument.u.as_mut_bytes()[..size_of::<A>()].copy_from_slice(parameters.as_bytes());
    // SAFETY: as the caller says, there is no guest handle.
    unsafe {
        linked("XEN_SYSCTL_scheduler_op", sysctl::XEN_SYSCTL_SCHEDULER_OP, abi, &argument, vec![], decode)
    }
}

fn parameters<A: FromBytes>(reply: &Reply<'_>) -> A {
    reply.arg_at(PAYLOAD + offset_of!(SchedulerOp, u))
}

/// What credit is set to in a pool.
///
/// Hypercall: `XEN_SYSCTL_scheduler_op`. Fails with `ESRCH`: no such pool. `EINVAL`: another scheduler.
#[must_use]
pub fn credit_schedule(abi: Abi, pool: u32) -> Call<CreditSchedule> {
    let none = CreditSchedule::new_zeroed();
    // SAFETY: credit uses that structure.
    unsafe { scheduler_op(abi, pool, Scheduler::CREDIT, XEN_SYSCTL_SCHEDOP_GETINFO, &none, parameters) }
}

/// Sets credit in a pool.
///
/// Hypercall: `XEN_SYSCTL_scheduler_op`. Fails with `ESRCH`: no such pool. `EINVAL`: another scheduler, or a value beyond its
/// range.
#[must_use]
pub fn set_credit_schedule(abi: Abi, pool: u32, wish: CreditSchedule) -> Call<()> {
    // SAFETY: credit uses that structure.
    unsafe { scheduler_op(abi, pool, Scheduler::CREDIT, XEN_SYSCTL_SCHEDOP_PUTINFO, &wish, nothing) }
}

/// What credit2 is set to in a pool.
///
/// Hypercall: `XEN_SYSCTL_scheduler_op`. Fails with `ESRCH`: no such pool. `EINVAL`: another scheduler.
#[must_use]
pub fn credit2_schedule(abi: Abi, pool: u32) -> Call<Credit2Schedule> {
    let none = Credit2Schedule::new_zeroed();
    // SAFETY: credit2 uses that structure.
    unsafe { scheduler_op(abi, pool, Scheduler::CREDIT2, XEN_SYSCTL_SCHEDOP_GETINFO, &none, parameters) }
}

/// Sets credit2 in a pool.
///
/// Hypercall: `XEN_SYSCTL_scheduler_op`. Fails with `ESRCH`: no such pool. `EINVAL`: another scheduler, or a value beyond its
/// range.
#[must_use]
pub fn set_credit2_schedule(abi: Abi, pool: u32, wish: Credit2Schedule) -> Call<()> {
    // SAFETY: credit2 uses that structure.
    unsafe { scheduler_op(abi, pool, Scheduler::CREDIT2, XEN_SYSCTL_SCHEDOP_PUTINFO, &wish, nothing) }
}
