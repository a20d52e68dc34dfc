//! Event channels. Source: public/event_channel.h.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{DomId, EvtchnPort, VcpuId, Virq};

constants! {
    /// Binds to a port of another domain.
    EVTCHNOP_BIND_INTERDOMAIN: u32 = 0;
    /// Binds to a virtual interrupt.
    EVTCHNOP_BIND_VIRQ: u32 = 1;
    /// Binds to a physical interrupt.
    EVTCHNOP_BIND_PIRQ: u32 = 2;
    /// Closes a port.
    EVTCHNOP_CLOSE: u32 = 3;
    /// Notifies the other end.
    EVTCHNOP_SEND: u32 = 4;
    /// What a port is.
    EVTCHNOP_STATUS: u32 = 5;
    /// Allocates a port for another domain to bind to.
    EVTCHNOP_ALLOC_UNBOUND: u32 = 6;
    /// Allocates a port between vCPUs of one domain.
    EVTCHNOP_BIND_IPI: u32 = 7;
    /// Says which vCPU a port notifies.
    EVTCHNOP_BIND_VCPU: u32 = 8;
    /// Unmasks a port and delivers what is pending.
    EVTCHNOP_UNMASK: u32 = 9;
    /// Closes all ports of a domain.
    EVTCHNOP_RESET: u32 = 10;

    /// The port is free.
    EVTCHNSTAT_CLOSED: u32 = 0;
    /// Waits for the other domain to bind.
    EVTCHNSTAT_UNBOUND: u32 = 1;
    /// Connected with a port of a domain.
    EVTCHNSTAT_INTERDOMAIN: u32 = 2;
    /// Bound to a physical interrupt.
    EVTCHNSTAT_PIRQ: u32 = 3;
    /// Bound to a virtual interrupt.
    EVTCHNSTAT_VIRQ: u32 = 4;
    /// Between vCPUs of one domain.
    EVTCHNSTAT_IPI: u32 = 5;

    /// Flag of bind_pirq: the interrupt may be shared.
    BIND_PIRQ__WILL_SHARE: u32 = 1;
    /// Ports in the bitmaps of the shared info page.
    EVTCHN_2L_NR_CHANNELS: u32 = 0x1000;
}

/// Argument of `EVTCHNOP_alloc_unbound`. C: `struct evtchn_alloc_unbound`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AllocUnbound {
    /// In: the domain that will own the port.
    pub dom: DomId,
    /// In: the domain that may bind to it.
    pub remote_dom: DomId,
    /// Out: the new port, as numbered in `dom`.
    pub port: EvtchnPort,
}
assert_layout!(
    AllocUnbound = "evtchn_alloc_unbound", 4.x 14 to 22, size 8,
    dom @ 0, remote_dom @ 2, port @ 4,
);

/// Argument of `EVTCHNOP_bind_interdomain`. C: `struct evtchn_bind_interdomain`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BindInterdomain {
    /// In: the domain of the other end.
    pub remote_dom: DomId,
    /// Zero.
    pub _pad: u16,
    /// In: the other end.
    pub remote_port: EvtchnPort,
    /// Out: our end.
    pub local_port: EvtchnPort,
}
assert_layout!(
    BindInterdomain = "evtchn_bind_interdomain", 4.x 14 to 22, size 12,
    remote_dom @ 0, _pad @ 2, remote_port @ 4, local_port @ 8,
);

/// Argument of `EVTCHNOP_bind_virq`. C: `struct evtchn_bind_virq`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BindVirq {
    /// In: the virtual interrupt.
    pub virq: Virq,
    /// In: the vCPU; 0 for a global interrupt.
    pub vcpu: VcpuId,
    /// Out: the port.
    pub port: EvtchnPort,
}
assert_layout!(BindVirq = "evtchn_bind_virq", 4.x 14 to 22, size 12, virq @ 0, vcpu @ 4, port @ 8);

/// Argument of `EVTCHNOP_bind_pirq`. C: `struct evtchn_bind_pirq`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BindPirq {
    /// In: the physical interrupt, as numbered in this domain.
    pub pirq: u32,
    /// In: `BIND_PIRQ__...`.
    pub flags: u32,
    /// Out: the port.
    pub port: EvtchnPort,
}
assert_layout!(BindPirq = "evtchn_bind_pirq", 4.x 14 to 22, size 12, pirq @ 0, flags @ 4, port @ 8);

/// Argument of `EVTCHNOP_bind_ipi`. C: `struct evtchn_bind_ipi`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BindIpi {
    /// In: the vCPU that is notified.
    pub vcpu: VcpuId,
    /// Out: the port.
    pub port: EvtchnPort,
}
assert_layout!(BindIpi = "evtchn_bind_ipi", 4.x 14 to 22, size 8, vcpu @ 0, port @ 4);

/// Argument of `EVTCHNOP_close`. C: `struct evtchn_close`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Close {
    /// In: the port.
    pub port: EvtchnPort,
}
assert_layout!(Close = "evtchn_close", 4.x 14 to 22, size 4, port @ 0);

/// Argument of `EVTCHNOP_send`. C: `struct evtchn_send`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Send {
    /// In: our end.
    pub port: EvtchnPort,
}
assert_layout!(Send = "evtchn_send", 4.x 14 to 22, size 4, port @ 0);

/// Argument of `EVTCHNOP_status`. C: `struct evtchn_status`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Status {
    /// In: the domain that owns the port.
    pub dom: DomId,
    /// Zero.
    pub _pad: u16,
    /// In: the port.
    pub port: EvtchnPort,
    /// Out: `EVTCHNSTAT_...`.
    pub status: u32,
    /// Out: the vCPU that it notifies.
    pub vcpu: VcpuId,
    /// Out: of an unbound or connected port the domain (low 16 bits of the first word) and the port
    /// (second word); of an interrupt its number.
    pub u: [u32; 2],
}
assert_layout!(
    Status = "evtchn_status", 4.x 14 to 22, size 24,
    dom @ 0, _pad @ 2, port @ 4, status @ 8, vcpu @ 12, u @ 16,
);

/// Argument of `EVTCHNOP_bind_vcpu`. C: `struct evtchn_bind_vcpu`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BindVcpu {
    /// In: the port.
    pub port: EvtchnPort,
    /// In: the vCPU.
    pub vcpu: VcpuId,
}
assert_layout!(BindVcpu = "evtchn_bind_vcpu", 4.x 14 to 22, size 8, port @ 0, vcpu @ 4);

/// Argument of `EVTCHNOP_unmask`. C: `struct evtchn_unmask`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Unmask {
    /// In: the port.
    pub port: EvtchnPort,
}
assert_layout!(Unmask = "evtchn_unmask", 4.x 14 to 22, size 4, port @ 0);

/// Argument of `EVTCHNOP_reset`. C: `struct evtchn_reset`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Reset {
    /// In: the domain.
    pub dom: DomId,
}
assert_layout!(Reset = "evtchn_reset", 4.x 14 to 22, size 2, dom @ 0);
