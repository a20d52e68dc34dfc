//! What Xen tells of domains, vCPUs and ports.

use core::fmt;

use xen_abi::{DomId, EvtchnPort, Mfn, Pages, VcpuId, sched};

/// Why a domain stopped. Source: public/sched.h, `SHUTDOWN_...`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShutdownReason(pub u32);

impl ShutdownReason {
    /// It exited.
    pub const POWEROFF: Self = ShutdownReason(sched::SHUTDOWN_POWEROFF);
    /// It wants to start again.
    pub const REBOOT: Self = ShutdownReason(sched::SHUTDOWN_REBOOT);
    /// It suspended.
    pub const SUSPEND: Self = ShutdownReason(sched::SHUTDOWN_SUSPEND);
    /// It crashed.
    pub const CRASH: Self = ShutdownReason(sched::SHUTDOWN_CRASH);
    /// Its watchdog fired.
    pub const WATCHDOG: Self = ShutdownReason(sched::SHUTDOWN_WATCHDOG);
    /// It wants to start afresh with its memory.
    pub const SOFT_RESET: Self = ShutdownReason(sched::SHUTDOWN_SOFT_RESET);
}

impl fmt::Display for ShutdownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::POWEROFF => "poweroff",
            Self::REBOOT => "reboot",
            Self::SUSPEND => "suspend",
            Self::CRASH => "crash",
            Self::WATCHDOG => "watchdog",
            Self::SOFT_RESET => "soft_reset",
            ShutdownReason(other) => return write!(f, "reason {other}"),
        })
    }
}

impl fmt::Debug for ShutdownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What Xen knows of a domain: `XEN_DOMCTL_getdomaininfo` of any release.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DomainInfo {
    /// The domain.
    pub id: DomId,
    /// It is being destroyed.
    pub dying: bool,
    /// It is hardware-assisted.
    pub hvm: bool,
    /// It has stopped, and why.
    pub shutdown: Option<ShutdownReason>,
    /// The control software paused it.
    pub paused: bool,
    /// All its vCPUs wait for events.
    pub blocked: bool,
    /// A vCPU runs or could run.
    pub running: bool,
    /// A debugger has it.
    pub debugged: bool,
    /// It is a xenstore domain.
    pub xenstore: bool,
    /// It uses hardware-assisted paging.
    pub hap: bool,
    /// What it has.
    pub pages: Pages,
    /// What it may have.
    pub max_pages: Pages,
    /// What it has claimed and not yet got.
    pub outstanding_pages: Pages,
    /// What it shares.
    pub shared_pages: Pages,
    /// What is paged out.
    pub paged_pages: Pages,
    /// Where its shared info page is.
    pub shared_info: Mfn,
    /// CPU time in nanoseconds.
    pub cpu_time: u64,
    /// vCPUs that are up.
    pub online_vcpus: u32,
    /// Its highest vCPU, if it has any.
    pub max_vcpu: Option<VcpuId>,
    /// Its security label.
    pub ssidref: u32,
    /// Its handle: a UUID's bytes.
    pub handle: [u8; 16],
    /// Its CPU pool.
    pub cpupool: u32,
}

/// What Xen knows of a vCPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VcpuState {
    /// It is up.
    pub online: bool,
    /// It waits for an event.
    pub blocked: bool,
    /// It runs at this moment.
    pub running: bool,
    /// CPU time in nanoseconds.
    pub cpu_time: u64,
    /// The CPU that it ran on last.
    pub cpu: u32,
}

/// What a port is, and for which vCPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EvtchnStatus {
    /// What it is.
    pub state: EvtchnState,
    /// The vCPU that it notifies.
    pub vcpu: VcpuId,
}

/// What a port is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EvtchnState {
    /// Free.
    Closed,
    /// Waits for this domain to bind.
    Unbound(DomId),
    /// Connected with that port of that domain.
    Interdomain(DomId, EvtchnPort),
    /// Bound to a physical interrupt.
    Pirq(u32),
    /// Bound to a virtual interrupt.
    Virq(u32),
    /// Between vCPUs of its domain.
    Ipi,
    /// A state that public/event_channel.h does not list.
    Other(u32),
}
