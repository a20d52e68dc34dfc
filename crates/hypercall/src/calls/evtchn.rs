//! Event channels. Source: public/event_channel.h.

use xen_abi::event_channel::{
    self as abi, AllocUnbound, BindInterdomain, BindIpi, BindPirq, BindVcpu, BindVirq, Close, Reset, Send,
    Status, Unmask,
};
use xen_abi::{DomId, EvtchnPort, VcpuId, Virq};

use crate::call::{Call, Op, nothing};
use crate::{EvtchnState, EvtchnStatus, Nr};

macro_rules! operations {
    ($($name:ident: $argument:ty = $command:expr, $c:literal;)*) => {$(
        // SAFETY: public/event_channel.h pairs them; none has a guest handle.
        const $name: Op<$argument> = unsafe { Op::new($c, Nr::EVENT_CHANNEL_OP, $command) };
    )*};
}

operations! {
    ALLOC_UNBOUND: AllocUnbound = abi::EVTCHNOP_ALLOC_UNBOUND, "EVTCHNOP_alloc_unbound";
    BIND_INTERDOMAIN: BindInterdomain = abi::EVTCHNOP_BIND_INTERDOMAIN, "EVTCHNOP_bind_interdomain";
    BIND_VIRQ: BindVirq = abi::EVTCHNOP_BIND_VIRQ, "EVTCHNOP_bind_virq";
    BIND_PIRQ: BindPirq = abi::EVTCHNOP_BIND_PIRQ, "EVTCHNOP_bind_pirq";
    BIND_IPI: BindIpi = abi::EVTCHNOP_BIND_IPI, "EVTCHNOP_bind_ipi";
    BIND_VCPU: BindVcpu = abi::EVTCHNOP_BIND_VCPU, "EVTCHNOP_bind_vcpu";
    CLOSE: Close = abi::EVTCHNOP_CLOSE, "EVTCHNOP_close";
    SEND: Send = abi::EVTCHNOP_SEND, "EVTCHNOP_send";
    STATUS: Status = abi::EVTCHNOP_STATUS, "EVTCHNOP_status";
    UNMASK: Unmask = abi::EVTCHNOP_UNMASK, "EVTCHNOP_unmask";
    RESET: Reset = abi::EVTCHNOP_RESET, "EVTCHNOP_reset";
}

/// Allocates an event channel in `dom` that only `remote` may bind.
///
/// Hypercall: `EVTCHNOP_alloc_unbound`. Fails with `ESRCH`: no such domain; `ENOSPC`: `dom` has no free
/// port; `EPERM`: not privileged.
#[must_use]
pub fn alloc_unbound(dom: DomId, remote: DomId) -> Call<EvtchnPort> {
    let argument = AllocUnbound { dom, remote_dom: remote, port: EvtchnPort(0) };
    ALLOC_UNBOUND.call(argument, |reply| reply.arg::<AllocUnbound>().port)
}

/// Binds a new port of ours to `port` of `remote`.
///
/// Hypercall: `EVTCHNOP_bind_interdomain`. Fails with `ESRCH`: no such domain; `EINVAL`: the port is not
/// unbound or not for us; `ENOSPC`: we have no free port.
#[must_use]
pub fn bind_interdomain(remote: DomId, port: EvtchnPort) -> Call<EvtchnPort> {
    let argument =
        BindInterdomain { remote_dom: remote, _pad: 0, remote_port: port, local_port: EvtchnPort(0) };
    BIND_INTERDOMAIN.call(argument, |reply| reply.arg::<BindInterdomain>().local_port)
}

/// Binds a new port of ours to a virtual interrupt of `vcpu` (0 for a global one).
///
/// Hypercall: `EVTCHNOP_bind_virq`. Fails with `EEXIST`: bound already; `EINVAL`: no such interrupt;
/// `ENOENT`: no such vCPU.
#[must_use]
pub fn bind_virq(virq: Virq, vcpu: VcpuId) -> Call<EvtchnPort> {
    BIND_VIRQ.call(BindVirq { virq, vcpu, port: EvtchnPort(0) }, |reply| reply.arg::<BindVirq>().port)
}

/// Binds a new port of ours to a physical interrupt, as numbered in our domain.
///
/// Hypercall: `EVTCHNOP_bind_pirq`. Fails with `EPERM`: not ours; `EEXIST`: bound already.
#[must_use]
pub fn bind_pirq(pirq: u32, shared: PirqSharing) -> Call<EvtchnPort> {
    let flags = match shared {
        PirqSharing::Exclusive => 0,
        PirqSharing::Shared => abi::BIND_PIRQ__WILL_SHARE,
    };
    BIND_PIRQ.call(BindPirq { pirq, flags, port: EvtchnPort(0) }, |reply| reply.arg::<BindPirq>().port)
}

/// May a physical interrupt be shared with other domains?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PirqSharing {
    /// No.
    Exclusive,
    /// Yes.
    Shared,
}

/// Binds a new port of ours to notify one of our own vCPUs.
///
/// Hypercall: `EVTCHNOP_bind_ipi`. Fails with `ENOENT`: no such vCPU.
#[must_use]
pub fn bind_ipi(vcpu: VcpuId) -> Call<EvtchnPort> {
    BIND_IPI.call(BindIpi { vcpu, port: EvtchnPort(0) }, |reply| reply.arg::<BindIpi>().port)
}

/// Says which of our vCPUs a port notifies.
///
/// Hypercall: `EVTCHNOP_bind_vcpu`. Fails with `ENOENT`: no such vCPU; `EINVAL`: the port cannot move.
#[must_use]
pub fn bind_vcpu(port: EvtchnPort, vcpu: VcpuId) -> Call<()> {
    BIND_VCPU.call(BindVcpu { port, vcpu }, nothing)
}

/// Closes a port of ours. The other end becomes unbound.
///
/// Hypercall: `EVTCHNOP_close`. Fails with `EINVAL`: not open.
#[must_use]
pub fn close(port: EvtchnPort) -> Call<()> {
    CLOSE.call(Close { port }, nothing)
}

/// Notifies the other end of a port of ours.
///
/// Hypercall: `EVTCHNOP_send`. Fails with `EINVAL`: not a port that notifies.
#[must_use]
pub fn send(port: EvtchnPort) -> Call<()> {
    SEND.call(Send { port }, nothing)
}

/// What a port of `dom` is.
///
/// Hypercall: `EVTCHNOP_status`. Fails with `ESRCH`: no such domain; `EINVAL`: no such port.
#[must_use]
pub fn status(dom: DomId, port: EvtchnPort) -> Call<EvtchnStatus> {
    let argument = Status { dom, _pad: 0, port, status: 0, vcpu: VcpuId(0), u: [0; 2] };
    STATUS.call(argument, |reply| {
        let Status { status, vcpu, u, .. } = reply.arg();
        let other = DomId(u[0] as u16);
        let state = match status {
            abi::EVTCHNSTAT_CLOSED => EvtchnState::Closed,
            abi::EVTCHNSTAT_UNBOUND => EvtchnState::Unbound(other),
            abi::EVTCHNSTAT_INTERDOMAIN => EvtchnState::Interdomain(other, EvtchnPort(u[1])),
            abi::EVTCHNSTAT_PIRQ => EvtchnState::Pirq(u[0]),
            abi::EVTCHNSTAT_VIRQ => EvtchnState::Virq(u[0]),
            abi::EVTCHNSTAT_IPI => EvtchnState::Ipi,
            unknown => EvtchnState::Other(unknown),
        };
        EvtchnStatus { state, vcpu }
    })
}

/// Unmasks a port of ours, and delivers what is pending on it.
///
/// Hypercall: `EVTCHNOP_unmask`. Fails with `EINVAL`: no such port.
#[must_use]
pub fn unmask(port: EvtchnPort) -> Call<()> {
    UNMASK.call(Unmask { port }, nothing)
}

/// Closes all ports of a domain.
///
/// Hypercall: `EVTCHNOP_reset`. Fails with `ESRCH`: no such domain.
#[must_use]
pub fn reset(dom: DomId) -> Call<()> {
    RESET.call(Reset { dom }, nothing)
}
