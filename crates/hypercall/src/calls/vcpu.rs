//! Our own vCPUs. Source: public/vcpu.h.

use alloc::vec;

use xen_abi::vcpu::{
    self as abi, RegisterVcpuInfo, RunstateInfo, SetPeriodicTimer, SetSingleshotTimer,
    VCPUOP_GET_RUNSTATE_INFO, VCPUOP_IS_UP, VCPUOP_REGISTER_VCPU_INFO, VCPUOP_SET_PERIODIC_TIMER,
    VCPUOP_SET_SINGLESHOT_TIMER, VCPUOP_STOP_PERIODIC_TIMER, VCPUOP_STOP_SINGLESHOT_TIMER,
};
use xen_abi::{Gfn, Mfn, VcpuId};

use crate::Nr;
use crate::call::{Buffer, Call, Place, Reply, nothing};

/// A call whose third register is the address of `buffer`, if there is one.
///
/// # Safety
/// `command` takes the address of what the buffer holds.
unsafe fn call<T>(
    name: &'static str,
    command: u32,
    vcpu: VcpuId,
    buffer: Option<Buffer>,
    decode: fn(&Reply<'_>) -> T,
) -> Call<T> {
    let registers = [u64::from(command), u64::from(vcpu.0), 0, 0, 0];
    // SAFETY: the caller's promise.
    unsafe { Call::plain(name, Nr::VCPU_OP, registers, buffer.into_iter().collect::<vec::Vec<_>>(), decode) }
}

const ARGUMENT: Place = Place::Register(2);

/// Stops the periodic timer of a vCPU. Xen starts domain 0 without one, other domains with one of 10 ms.
///
/// Hypercall: `VCPUOP_stop_periodic_timer`. Fails with `ENOENT`: no such vCPU.
#[must_use]
pub fn stop_periodic_timer(vcpu: VcpuId) -> Call<()> {
    // SAFETY: takes no argument.
    unsafe { call("VCPUOP_stop_periodic_timer", VCPUOP_STOP_PERIODIC_TIMER, vcpu, None, nothing) }
}

/// Makes `VIRQ_TIMER` come every `nanoseconds`.
///
/// Hypercall: `VCPUOP_set_periodic_timer`. Fails with `EINVAL`: under a millisecond; `ENOENT`: no such
/// vCPU.
#[must_use]
pub fn set_periodic_timer(vcpu: VcpuId, nanoseconds: u64) -> Call<()> {
    let argument = Buffer::of(ARGUMENT, &SetPeriodicTimer { period_ns: nanoseconds });
    // SAFETY: takes that structure.
    unsafe { call("VCPUOP_set_periodic_timer", VCPUOP_SET_PERIODIC_TIMER, vcpu, Some(argument), nothing) }
}

/// What to do with a deadline that has passed already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PastDeadline {
    /// The timer fires at once.
    Fire,
    /// The call fails with `ETIME`.
    Refuse,
}

/// Makes `VIRQ_TIMER` come once, at `deadline` (system time in nanoseconds). Only for the calling vCPU.
///
/// Hypercall: `VCPUOP_set_singleshot_timer`. Fails with `ETIME`: see [`PastDeadline`]; `EINVAL`: another
/// vCPU.
#[must_use]
pub fn set_singleshot_timer(vcpu: VcpuId, deadline: u64, past: PastDeadline) -> Call<()> {
    let flags = match past {
        PastDeadline::Fire => 0,
        PastDeadline::Refuse => abi::VCPU_SSHOTTMR_FUTURE,
    };
    let argument = Buffer::of(ARGUMENT, &SetSingleshotTimer { timeout_abs_ns: deadline, flags, _pad: 0 });
    // SAFETY: takes that structure.
    unsafe { call("VCPUOP_set_singleshot_timer", VCPUOP_SET_SINGLESHOT_TIMER, vcpu, Some(argument), nothing) }
}

/// Stops the one-shot timer. Only for the calling vCPU.
///
/// Hypercall: `VCPUOP_stop_singleshot_timer`. Fails with `EINVAL`: another vCPU.
#[must_use]
pub fn stop_singleshot_timer(vcpu: VcpuId) -> Call<()> {
    // SAFETY: takes no argument.
    unsafe { call("VCPUOP_stop_singleshot_timer", VCPUOP_STOP_SINGLESHOT_TIMER, vcpu, None, nothing) }
}

/// Says where a vCPU's `vcpu_info` shall be: `offset` bytes into a frame of ours. Once for each vCPU.
///
/// Hypercall: `VCPUOP_register_vcpu_info`. Fails with `EINVAL`: done already, or it would cross the
/// frame's end; `ENOENT`: no such vCPU.
///
/// # Safety
/// Xen writes there from now on: the memory is nobody's but for volatile or atomic reads.
#[must_use]
pub unsafe fn register_vcpu_info(vcpu: VcpuId, frame: Gfn, offset: u32) -> Call<()> {
    let argument = RegisterVcpuInfo { mfn: Mfn(frame.0), offset, rsvd: 0 };
    let argument = Buffer::of(ARGUMENT, &argument);
    // SAFETY: takes that structure; the caller lends the memory that it names.
    unsafe { call("VCPUOP_register_vcpu_info", VCPUOP_REGISTER_VCPU_INFO, vcpu, Some(argument), nothing) }
}

/// Is a vCPU of ours up?
///
/// Hypercall: `VCPUOP_is_up`. Fails with `ENOENT`: no such vCPU.
#[must_use]
pub fn is_up(vcpu: VcpuId) -> Call<bool> {
    // SAFETY: takes no argument.
    unsafe { call("VCPUOP_is_up", VCPUOP_IS_UP, vcpu, None, |reply| reply.value != 0) }
}

/// How long a vCPU of ours was in which state.
///
/// Hypercall: `VCPUOP_get_runstate_info`. Fails with `ENOENT`: no such vCPU.
#[must_use]
pub fn runstate(vcpu: VcpuId) -> Call<Option<RunstateInfo>> {
    let room = Buffer::room(ARGUMENT, size_of::<RunstateInfo>());
    // SAFETY: writes one such structure.
    unsafe {
        call("VCPUOP_get_runstate_info", VCPUOP_GET_RUNSTATE_INFO, vcpu, Some(room), |reply| {
            reply.elements(0, 1).next()
        })
    }
}
