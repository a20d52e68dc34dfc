//! Hypercalls: from registers to their handlers.
//!
//! All handlers are unsafe for the same reason: the addresses in `args` are the caller's word.

mod console;
mod create;
mod domctl;
mod evtchn;
mod grant;
mod host;
mod hvm;
mod memory;
mod names;
mod physdev;
mod sched;
mod sysctl;
mod vcpu;
mod version;

pub(crate) use sysctl::cpupool::Pool;

use hypercall::Nr;
use xen_abi::Errno;
use xen_abi::xen::MulticallEntry;

use crate::access;
use crate::arena::Window;
use crate::state::State;

/// What a handler gets: the state, domain 0's window on memory, the registers.
pub(crate) struct Request<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) window: &'a Window,
    pub(crate) args: [u64; 5],
    /// The operation's C name.
    pub(crate) op: &'static str,
}

/// A handler's answer: what goes into `rax`.
pub(crate) type Answer = Result<u64, Errno>;

/// A hypercall through the door: an exit.
///
/// # Safety
/// As for [`hypercall::Door::call`].
pub(crate) unsafe fn enter(state: &mut State, window: &Window, nr: Nr, args: [u64; 5]) -> i64 {
    state.counts.exits += 1;
    // SAFETY: the caller's promise.
    unsafe { issue(state, window, nr, args) }
}

/// One hypercall, alone or in a multicall.
///
/// # Safety
/// As for [`hypercall::Door::call`].
unsafe fn issue(state: &mut State, window: &Window, nr: Nr, args: [u64; 5]) -> i64 {
    // SAFETY: the caller's promise.
    let op = unsafe { names::of(nr, args) };
    if nr != Nr::MULTICALL {
        state.counts.hypercalls += 1;
        *state.counts.by_op.entry(op).or_default() += 1;
    }
    if let Some(errno) = state.faults.strike(op) {
        return errno.answer();
    }
    let request = Request { state: &mut *state, window, args, op };
    // SAFETY: the caller's promise, and each handler is for its number.
    let answer = unsafe {
        match nr {
            Nr::MULTICALL => multicall(request),
            Nr::MEMORY_OP => memory::handle(request),
            Nr::XEN_VERSION => version::handle(request),
            Nr::CONSOLE_IO => console::handle(request),
            Nr::GRANT_TABLE_OP => grant::handle(request),
            Nr::VCPU_OP => vcpu::handle(request),
            Nr::SCHED_OP => sched::handle(request),
            Nr::SET_TIMER_OP => sched::set_timer(request),
            Nr::EVENT_CHANNEL_OP => evtchn::handle(request),
            Nr::PHYSDEV_OP => physdev::handle(request),
            Nr::HVM_OP => hvm::handle(request),
            Nr::SYSCTL => sysctl::handle(request),
            Nr::DOMCTL => domctl::handle(request),
            _ => Err(Errno::ENOSYS),
        }
    };
    match (answer, state.faults.strike_late(op)) {
        (Ok(value), None) => value as i64,
        (_, Some(errno)) | (Err(errno), None) => errno.answer(),
    }
}

/// # Safety
/// The first register is the address of as many entries as the second says, each a valid hypercall.
unsafe fn multicall(request: Request<'_>) -> Answer {
    let Request { state, window, args: [list, count, ..], .. } = request;
    if state.in_multicall {
        return Err(Errno::EINVAL);
    }
    state.in_multicall = true;
    let mut issue_all = || {
        for n in 0..count as usize {
            // SAFETY: the caller's promise.
            let mut entry: MulticallEntry = unsafe { access::read_nth(list, n)? };
            let [a, b, c, d, e, _] = entry.args;
            // SAFETY: the caller's promise.
            entry.result = unsafe { issue(state, window, Nr(entry.op), [a, b, c, d, e]) } as u64;
            // A debug build of Xen spoils all but the result on purpose.
            entry.op = !0;
            entry.args = [0xaaaa_aaaa_aaaa_aaaa; 6];
            // SAFETY: the caller's promise.
            unsafe { access::write_nth(list, n, &entry)? };
        }
        Ok(0)
    };
    let answer = issue_all();
    state.in_multicall = false;
    answer
}
