//! Scheduling. Source: public/sched.h.

use xen_abi::sched::{
    Poll, RemoteShutdown, SCHEDOP_BLOCK, SCHEDOP_POLL, SCHEDOP_REMOTE_SHUTDOWN, SCHEDOP_SHUTDOWN,
    SCHEDOP_WATCHDOG, SCHEDOP_YIELD, Shutdown, Watchdog,
};
use xen_abi::{DomId, Errno, EvtchnPort};

use super::{Answer, Request};
use crate::access::{read, read_many};

/// Ports that a poll takes at most.
const MOST_PORTS: u32 = 128;

/// # Safety
/// As for [`hypercall::Door::call`].
pub(super) unsafe fn handle(request: Request<'_>) -> Answer {
    let Request { state, args: [command, address, ..], .. } = request;
    // SAFETY: each operation takes the structure that public/sched.h pairs with it.
    unsafe {
        match command as u32 {
            SCHEDOP_YIELD | SCHEDOP_BLOCK => {}
            SCHEDOP_SHUTDOWN => state.shut_down(DomId(0), read::<Shutdown>(address)?.reason)?,
            SCHEDOP_REMOTE_SHUTDOWN => {
                let arg: RemoteShutdown = read(address)?;
                state.shut_down(arg.domain_id, arg.reason)?;
            }
            SCHEDOP_POLL => {
                let arg: Poll = read(address)?;
                if arg.nr_ports > MOST_PORTS {
                    return Err(Errno::EINVAL);
                }
                let ports: Vec<EvtchnPort> = read_many(arg.ports, arg.nr_ports as usize)?;
                let open = &state.domain(DomId(0))?.ports.open;
                if ports.iter().any(|port| !open.contains_key(port)) {
                    return Err(Errno::EINVAL);
                }
            }
            SCHEDOP_WATCHDOG => {
                let arg: Watchdog = read(address)?;
                return match arg {
                    Watchdog { id: 0, timeout: 0 } => Err(Errno::EINVAL),
                    Watchdog { id: 0, .. } => Ok(1),
                    Watchdog { id: 1 | 2, .. } => Ok(0),
                    _ => Err(Errno::EINVAL),
                };
            }
            _ => return Err(Errno::ENOSYS),
        }
    }
    Ok(0)
}

/// # Safety
/// As for [`hypercall::Door::call`].
pub(super) unsafe fn set_timer(request: Request<'_>) -> Answer {
    let deadline = request.args[0];
    request.state.timer = (deadline != 0).then_some(deadline);
    Ok(0)
}
