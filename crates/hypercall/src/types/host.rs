//! What Xen tells of the host.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use xen_abi::{Bytes, Pages, domctl, sysctl};

bitflags::bitflags! {
    /// What the host can do. Source: public/sysctl.h, `XEN_SYSCTL_PHYSCAP_...`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Capabilities: u32 {
        /// HVM and PVH guests.
        const HVM = sysctl::XEN_SYSCTL_PHYSCAP_HVM;
        /// Paravirtual guests.
        const PV = sysctl::XEN_SYSCTL_PHYSCAP_PV;
        /// Giving devices away.
        const DIRECT_IO = sysctl::XEN_SYSCTL_PHYSCAP_DIRECTIO;
        /// Hardware-assisted paging.
        const HAP = sysctl::XEN_SYSCTL_PHYSCAP_HAP;
        /// Shadow paging.
        const SHADOW = sysctl::XEN_SYSCTL_PHYSCAP_SHADOW;
        /// One page table for IOMMU and CPU.
        const IOMMU_HAP_SHARED = sysctl::XEN_SYSCTL_PHYSCAP_IOMMU_HAP_PT_SHARE;
        /// Processor tracing.
        const VMTRACE = sysctl::XEN_SYSCTL_PHYSCAP_VMTRACE;
        /// Virtual PMUs.
        const VPMU = sysctl::XEN_SYSCTL_PHYSCAP_VPMU;
        /// Grant tables version 1.
        const GRANT_V1 = sysctl::XEN_SYSCTL_PHYSCAP_GNTTAB_V1;
        /// Grant tables version 2.
        const GRANT_V2 = sysctl::XEN_SYSCTL_PHYSCAP_GNTTAB_V2;
        const _ = !0;
    }
}

/// Memory and CPUs of the host: `XEN_SYSCTL_physinfo` of any release.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostInfo {
    /// Hardware threads of a core.
    pub threads_per_core: u32,
    /// Cores of a socket.
    pub cores_per_socket: u32,
    /// CPUs that are up.
    pub cpus: u32,
    /// The highest CPU.
    pub max_cpu: u32,
    /// NUMA nodes that are up.
    pub nodes: u32,
    /// The highest node.
    pub max_node: u32,
    /// CPU frequency.
    pub cpu_khz: u32,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Memory.
    pub total: Pages,
    /// Free memory.
    pub free: Pages,
    /// Free memory that waits to be scrubbed.
    pub scrub: Pages,
    /// Memory claimed and not yet given.
    pub outstanding: Pages,
    /// CPU features, as CPUID gives them.
    pub hw_cap: [u32; 8],
}

/// A scheduler. Source: public/domctl.h, `XEN_SCHEDULER_...`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Scheduler(pub u32);

impl Scheduler {
    /// Credit.
    pub const CREDIT: Self = Scheduler(domctl::XEN_SCHEDULER_CREDIT);
    /// Credit2.
    pub const CREDIT2: Self = Scheduler(domctl::XEN_SCHEDULER_CREDIT2);
    /// ARINC653.
    pub const ARINC653: Self = Scheduler(domctl::XEN_SCHEDULER_ARINC653);
    /// Real-time deferrable server.
    pub const RTDS: Self = Scheduler(domctl::XEN_SCHEDULER_RTDS);
    /// Null.
    pub const NULL: Self = Scheduler(domctl::XEN_SCHEDULER_NULL);
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::CREDIT => "credit",
            Self::CREDIT2 => "credit2",
            Self::ARINC653 => "arinc653",
            Self::RTDS => "rtds",
            Self::NULL => "null",
            Scheduler(other) => return write!(f, "scheduler {other}"),
        })
    }
}

/// A CPU pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CpuPool {
    /// Its id.
    pub id: u32,
    /// Its scheduler, which it keeps.
    pub scheduler: Scheduler,
    /// How many domains are in it, dying ones too.
    pub domains: u32,
    /// Its CPUs, in order.
    pub cpus: Vec<u32>,
}

/// Where a CPU is. None where Xen does not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CpuTopology {
    /// Its core.
    pub core: Option<u32>,
    /// Its socket.
    pub socket: Option<u32>,
    /// Its NUMA node.
    pub node: Option<u32>,
}

/// The memory of a NUMA node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeMemory {
    /// All of it.
    pub total: Bytes,
    /// What is free.
    pub free: Bytes,
    /// How far it is from each node, as firmware tells: 10 is itself; `u32::MAX`: unknown.
    pub distances: Vec<u32>,
}

/// Who compiled Xen, and with what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CompileInfo {
    /// The compiler.
    pub compiler: String,
    /// Who.
    pub by: String,
    /// On which machine.
    pub domain: String,
    /// When.
    pub date: String,
}

/// A part of Xen's console ring.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsoleText {
    /// The bytes, oldest first.
    pub text: Vec<u8>,
    /// Where the next part starts.
    pub next: u32,
}
