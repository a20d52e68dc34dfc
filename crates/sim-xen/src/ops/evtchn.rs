//! Event channels, for domain 0. Source: public/event_channel.h.

use xen_abi::event_channel::{
    self as abi, AllocUnbound, BindInterdomain, BindIpi, BindPirq, BindVcpu, BindVirq, Close, Reset, Send,
    Status, Unmask,
};
use xen_abi::{DomId, Errno, VcpuId, Virq};

use super::{Answer, Request};
use crate::access::{read, write};
use crate::ports::Port;
use crate::state::State;

/// Physical interrupts that domain 0 may bind.
pub(super) const PIRQS: u32 = 256;
/// Virtual interrupts that there are: `NR_VIRQS`.
const VIRQS: u32 = 24;
const US: DomId = DomId(0);

/// # Safety
/// As for [`hypercall::Door::call`].
pub(super) unsafe fn handle(request: Request<'_>) -> Answer {
    let Request { state, args: [command, address, ..], .. } = request;
    // SAFETY: each operation takes the structure that public/event_channel.h pairs with it.
    unsafe {
        match command as u32 {
            abi::EVTCHNOP_ALLOC_UNBOUND => {
                let mut arg: AllocUnbound = read(address)?;
                arg.port = state.alloc_unbound(arg.dom, arg.remote_dom)?;
                write(address, &arg)?;
            }
            abi::EVTCHNOP_BIND_INTERDOMAIN => {
                let mut arg: BindInterdomain = read(address)?;
                arg.local_port = state.bind_interdomain(US, arg.remote_dom, arg.remote_port)?;
                write(address, &arg)?;
            }
            abi::EVTCHNOP_BIND_VIRQ => {
                let mut arg: BindVirq = read(address)?;
                arg.port = bind_virq(state, arg.virq, arg.vcpu)?;
                write(address, &arg)?;
            }
            abi::EVTCHNOP_BIND_PIRQ => {
                let mut arg: BindPirq = read(address)?;
                let ports = &mut state.domain(US)?.ports;
                if arg.pirq >= PIRQS {
                    return Err(Errno::EINVAL);
                }
                if ports.open.values().any(|port| *port == Port::Pirq(arg.pirq)) {
                    return Err(Errno::EEXIST);
                }
                arg.port = ports.open(Port::Pirq(arg.pirq))?;
                write(address, &arg)?;
            }
            abi::EVTCHNOP_BIND_IPI => {
                let mut arg: BindIpi = read(address)?;
                if arg.vcpu != VcpuId(0) {
                    return Err(Errno::ENOENT);
                }
                arg.port = state.domain(US)?.ports.open(Port::Ipi)?;
                write(address, &arg)?;
            }
            abi::EVTCHNOP_BIND_VCPU => {
                let arg: BindVcpu = read(address)?;
                if arg.vcpu != VcpuId(0) {
                    return Err(Errno::ENOENT);
                }
                match state.domain(US)?.ports.open.get(&arg.port) {
                    Some(Port::Virq(..) | Port::Unbound(_) | Port::Connected(..) | Port::Pirq(_)) => {}
                    _ => return Err(Errno::EINVAL),
                }
            }
            abi::EVTCHNOP_CLOSE => state.close(US, read::<Close>(address)?.port)?,
            abi::EVTCHNOP_SEND => state.send(US, read::<Send>(address)?.port)?,
            abi::EVTCHNOP_STATUS => {
                let mut arg: Status = read(address)?;
                status(state, &mut arg)?;
                write(address, &arg)?;
            }
            abi::EVTCHNOP_UNMASK => {
                let arg: Unmask = read(address)?;
                if !state.domain(US)?.ports.open.contains_key(&arg.port) {
                    return Err(Errno::EINVAL);
                }
            }
            abi::EVTCHNOP_RESET => {
                let dom = state.own_if_self(read::<Reset>(address)?.dom);
                let ports: Vec<_> = state.domain(dom)?.ports.open.keys().copied().collect();
                for port in ports {
                    state.close(dom, port)?;
                }
            }
            _ => return Err(Errno::ENOSYS),
        }
    }
    Ok(0)
}

fn bind_virq(state: &mut State, virq: Virq, vcpu: VcpuId) -> Result<xen_abi::EvtchnPort, Errno> {
    if virq.0 >= VIRQS {
        return Err(Errno::EINVAL);
    }
    if vcpu != VcpuId(0) {
        return Err(Errno::ENOENT);
    }
    let ports = &mut state.domain(US)?.ports;
    let wanted = Port::Virq(virq, vcpu.0);
    if ports.open.values().any(|port| *port == wanted) {
        return Err(Errno::EEXIST);
    }
    ports.open(wanted)
}

fn status(state: &mut State, arg: &mut Status) -> Result<(), Errno> {
    let ports = &state.domain(arg.dom)?.ports;
    if arg.port.0 > ports.highest {
        return Err(Errno::EINVAL);
    }
    (arg.status, arg.u) = match ports.open.get(&arg.port) {
        None => (abi::EVTCHNSTAT_CLOSED, [0, 0]),
        Some(Port::Unbound(whom)) => (abi::EVTCHNSTAT_UNBOUND, [u32::from(whom.0), 0]),
        Some(Port::Connected(dom, port)) => (abi::EVTCHNSTAT_INTERDOMAIN, [u32::from(dom.0), port.0]),
        Some(Port::Virq(virq, _)) => (abi::EVTCHNSTAT_VIRQ, [virq.0, 0]),
        Some(Port::Pirq(pirq)) => (abi::EVTCHNSTAT_PIRQ, [*pirq, 0]),
        Some(Port::Ipi) => (abi::EVTCHNSTAT_IPI, [0, 0]),
    };
    arg.vcpu = VcpuId(0);
    Ok(())
}
