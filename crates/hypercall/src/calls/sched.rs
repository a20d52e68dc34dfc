//! Scheduling, and how a domain ends. Source: public/sched.h; `set_timer_op` of public/xen.h.

use alloc::vec;

use xen_abi::sched::{
    self as abi, Poll, RemoteShutdown, SCHEDOP_BLOCK, SCHEDOP_POLL, SCHEDOP_REMOTE_SHUTDOWN,
    SCHEDOP_SHUTDOWN, SCHEDOP_YIELD, Shutdown,
};
use xen_abi::{DomId, EvtchnPort};

use crate::call::{Buffer, Call, Op, Place, nothing};
use crate::{Nr, ShutdownReason};

// SAFETY: public/sched.h pairs them; there is no guest handle.
const SHUTDOWN: Op<Shutdown> = unsafe { Op::new("SCHEDOP_shutdown", Nr::SCHED_OP, SCHEDOP_SHUTDOWN) };
// SAFETY: public/sched.h pairs them; there is no guest handle.
const REMOTE_SHUTDOWN: Op<RemoteShutdown> =
    unsafe { Op::new("SCHEDOP_remote_shutdown", Nr::SCHED_OP, SCHEDOP_REMOTE_SHUTDOWN) };
// SAFETY: public/sched.h pairs them; there is no guest handle.
const WATCHDOG: Op<abi::Watchdog> =
    unsafe { Op::new("SCHEDOP_watchdog", Nr::SCHED_OP, abi::SCHEDOP_WATCHDOG) };

/// Gives up the rest of the time slice.
///
/// Hypercall: `SCHEDOP_yield`.
#[must_use]
pub fn yield_now() -> Call<()> {
    // SAFETY: takes no argument.
    unsafe {
        Call::plain("SCHEDOP_yield", Nr::SCHED_OP, [u64::from(SCHEDOP_YIELD), 0, 0, 0, 0], vec![], nothing)
    }
}

/// Enables events for this vCPU and sleeps until one comes.
///
/// Hypercall: `SCHEDOP_block`.
#[must_use]
pub fn block() -> Call<()> {
    // SAFETY: takes no argument.
    unsafe {
        Call::plain("SCHEDOP_block", Nr::SCHED_OP, [u64::from(SCHEDOP_BLOCK), 0, 0, 0, 0], vec![], nothing)
    }
}

/// Sleeps until one of `ports` is pending, or until `deadline` (system time in nanoseconds; 0 for ever).
///
/// Hypercall: `SCHEDOP_poll`. Fails with `EINVAL`: more than 128 ports, or no such port.
#[must_use]
pub fn poll(ports: &[EvtchnPort], deadline: u64) -> Call<()> {
    let argument = Poll { ports: 0, nr_ports: ports.len() as u32, _pad: 0, timeout: deadline };
    let ports = Buffer::of(Place::Argument(core::mem::offset_of!(Poll, ports)), ports);
    // SAFETY: the buffer holds `nr_ports` ports.
    unsafe {
        Call::structured("SCHEDOP_poll", Nr::SCHED_OP, Some(SCHEDOP_POLL), &argument, vec![ports], nothing)
    }
}

/// Ends this domain. Returns only if Xen refuses (or, for a suspend, after it).
///
/// Hypercall: `SCHEDOP_shutdown`.
#[must_use]
pub fn shutdown(reason: ShutdownReason) -> Call<()> {
    SHUTDOWN.call(Shutdown { reason: reason.0 }, nothing)
}

/// Ends another domain.
///
/// Hypercall: `SCHEDOP_remote_shutdown`. Fails with `ESRCH`: no such domain.
#[must_use]
pub fn remote_shutdown(dom: DomId, reason: ShutdownReason) -> Call<()> {
    REMOTE_SHUTDOWN.call(RemoteShutdown { domain_id: dom, _pad: 0, reason: reason.0 }, nothing)
}

/// Starts (id 0), pokes or stops (0 seconds) a watchdog of ours; answers its id.
///
/// Hypercall: `SCHEDOP_watchdog`. Fails with `ENOSPC`: none is free; `EINVAL`: no such watchdog.
#[must_use]
pub fn watchdog(id: u32, seconds: u32) -> Call<u32> {
    WATCHDOG.call(abi::Watchdog { id, timeout: seconds }, |reply| reply.value as u32)
}

/// Sets this vCPU's timer: `VIRQ_TIMER` comes at `deadline` (system time in nanoseconds); 0 stops it.
///
/// Hypercall: `set_timer_op`.
#[must_use]
pub fn set_timer(deadline: u64) -> Call<()> {
    // SAFETY: takes a number only.
    unsafe { Call::plain("set_timer_op", Nr::SET_TIMER_OP, [deadline, 0, 0, 0, 0], vec![], nothing) }
}
