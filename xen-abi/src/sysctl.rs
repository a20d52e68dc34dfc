//! Operations on the host, for the toolstack. Source: public/sysctl.h.
//!
//! The interface has a version; Xen refuses all but its own with `EACCES`. See [`VERSIONS`].

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::DomId;
use crate::xen::XenctlBitmap;

/// `XEN_SYSCTL_INTERFACE_VERSION` of each release (4.x), oldest first.
pub const VERSIONS: &[(u16, u32)] = &[
    (14, 0x13),
    (15, 0x13),
    (16, 0x14),
    (17, 0x15),
    (18, 0x15),
    (19, 0x15),
    (20, 0x15),
    (21, 0x16),
    (22, 0x16),
];

constants! {
    /// Reads Xen's console ring.
    XEN_SYSCTL_READCONSOLE: u32 = 1;
    /// Memory and CPUs of the host.
    XEN_SYSCTL_PHYSINFO: u32 = 3;
    /// Which scheduler the boot CPU pool uses.
    XEN_SYSCTL_SCHED_ID: u32 = 4;
    /// Information on many domains.
    XEN_SYSCTL_GETDOMAININFOLIST: u32 = 6;
    /// Presses Xen's debug keys.
    XEN_SYSCTL_DEBUG_KEYS: u32 = 7;
    /// Idle times of the CPUs.
    XEN_SYSCTL_GETCPUINFO: u32 = 8;
    /// Free memory by address width.
    XEN_SYSCTL_AVAILHEAP: u32 = 9;
    /// Where each CPU is.
    XEN_SYSCTL_CPUTOPOINFO: u32 = 16;
    /// Memory of each NUMA node, and their distances.
    XEN_SYSCTL_NUMAINFO: u32 = 17;
    /// CPU pools.
    XEN_SYSCTL_CPUPOOL_OP: u32 = 18;
    /// Parameters of schedulers.
    XEN_SYSCTL_SCHEDULER_OP: u32 = 19;

    /// Capability: HVM and PVH guests.
    XEN_SYSCTL_PHYSCAP_HVM: u32 = 1;
    /// Capability: paravirtual guests.
    XEN_SYSCTL_PHYSCAP_PV: u32 = 2;
    /// Capability: devices can be given away.
    XEN_SYSCTL_PHYSCAP_DIRECTIO: u32 = 4;
    /// Capability: hardware-assisted paging.
    XEN_SYSCTL_PHYSCAP_HAP: u32 = 8;
    /// Capability: shadow paging.
    XEN_SYSCTL_PHYSCAP_SHADOW: u32 = 16;
    /// Capability: IOMMU and CPU share page tables.
    XEN_SYSCTL_PHYSCAP_IOMMU_HAP_PT_SHARE: u32 = 32;
    /// Capability: processor tracing (from 4.15).
    XEN_SYSCTL_PHYSCAP_VMTRACE: u32 = 64;
    /// Capability: virtual PMU (from 4.16).
    XEN_SYSCTL_PHYSCAP_VPMU: u32 = 128;
    /// Capability: grant tables version 1 (from 4.16).
    XEN_SYSCTL_PHYSCAP_GNTTAB_V1: u32 = 0x100;
    /// Capability: grant tables version 2 (from 4.16).
    XEN_SYSCTL_PHYSCAP_GNTTAB_V2: u32 = 0x200;

    /// A CPU whose core is not known.
    XEN_INVALID_CORE_ID: u32 = 0xffffffff;
    /// A CPU whose socket is not known.
    XEN_INVALID_SOCKET_ID: u32 = 0xffffffff;
    /// A CPU whose node is not known.
    XEN_INVALID_NODE_ID: u32 = 0xffffffff;
    /// A node without memory.
    XEN_INVALID_MEM_SZ: u32 = 0xffffffff;
    /// A distance that is not known.
    XEN_INVALID_NODE_DIST: u32 = 0xffffffff;

    /// Command of scheduler_op: sets parameters.
    XEN_SYSCTL_SCHEDOP_PUTINFO: u32 = 0;
    /// Command of scheduler_op: reads parameters.
    XEN_SYSCTL_SCHEDOP_GETINFO: u32 = 1;

    /// Command of cpupool_op: creates a pool.
    XEN_SYSCTL_CPUPOOL_OP_CREATE: u32 = 1;
    /// Command of cpupool_op: destroys a pool.
    XEN_SYSCTL_CPUPOOL_OP_DESTROY: u32 = 2;
    /// Command of cpupool_op: reads a pool, or the next one.
    XEN_SYSCTL_CPUPOOL_OP_INFO: u32 = 3;
    /// Command of cpupool_op: moves a CPU in.
    XEN_SYSCTL_CPUPOOL_OP_ADDCPU: u32 = 4;
    /// Command of cpupool_op: moves a CPU out.
    XEN_SYSCTL_CPUPOOL_OP_RMCPU: u32 = 5;
    /// Command of cpupool_op: moves a domain in.
    XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN: u32 = 6;
    /// Command of cpupool_op: reads which CPUs are in no pool.
    XEN_SYSCTL_CPUPOOL_OP_FREEINFO: u32 = 7;
    /// As the pool of CREATE: any free id.
    XEN_SYSCTL_CPUPOOL_PAR_ANY: u32 = 0xffffffff;
}

/// The argument of every sysctl. C: `struct xen_sysctl`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Sysctl {
    /// In: `XEN_SYSCTL_...`.
    pub cmd: u32,
    /// In: the interface version; see [`VERSIONS`].
    pub interface_version: u32,
    /// The command's own structure, at its start.
    pub u: [u64; 16],
}
assert_layout!(Sysctl = "xen_sysctl", 4.x 14 to 22, size 136, cmd @ 0, interface_version @ 4, u @ 8);

/// Argument of readconsole. C: `struct xen_sysctl_readconsole`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ReadConsole {
    /// In: 1 clears the ring after reading.
    pub clear: u8,
    /// In: 1 starts at `index`, 0 at the oldest byte.
    pub incremental: u8,
    /// Zero.
    pub pad0: u8,
    /// Zero.
    pub pad1: u8,
    /// In: where to start; out: where the next reading starts.
    pub index: u32,
    /// In: the buffer's address.
    pub buffer: u64,
    /// In: the buffer's size; out: bytes read.
    pub count: u32,
    /// Not used.
    pub _pad: u32,
}
assert_layout!(
    ReadConsole = "xen_sysctl_readconsole", 4.x 14 to 22, size 24,
    clear @ 0, incremental @ 1, pad0 @ 2, pad1 @ 3, index @ 4, buffer @ 8, count @ 16, _pad @ 20,
);

/// Answer of physinfo up to 4.16.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PhysInfo414 {
    /// Out: hardware threads of a core.
    pub threads_per_core: u32,
    /// Out: cores of a socket.
    pub cores_per_socket: u32,
    /// Out: CPUs that are up.
    pub nr_cpus: u32,
    /// Out: the highest CPU.
    pub max_cpu_id: u32,
    /// Out: NUMA nodes that are up.
    pub nr_nodes: u32,
    /// Out: the highest node.
    pub max_node_id: u32,
    /// Out: CPU frequency.
    pub cpu_khz: u32,
    /// Out: `XEN_SYSCTL_PHYSCAP_...`.
    pub capabilities: u32,
    /// Out: pages of memory.
    pub total_pages: u64,
    /// Out: pages that are free.
    pub free_pages: u64,
    /// Out: free pages that wait to be scrubbed.
    pub scrub_pages: u64,
    /// Out: pages claimed and not yet given.
    pub outstanding_pages: u64,
    /// Out: the highest machine frame.
    pub max_mfn: u64,
    /// Out: CPU features.
    pub hw_cap: [u32; 8],
}
assert_layout!(
    PhysInfo414 = "xen_sysctl_physinfo", 4.x 14 to 16, size 104,
    threads_per_core @ 0, cores_per_socket @ 4, nr_cpus @ 8, max_cpu_id @ 12, nr_nodes @ 16,
    max_node_id @ 20, cpu_khz @ 24, capabilities @ 28, total_pages @ 32, free_pages @ 40, scrub_pages @ 48,
    outstanding_pages @ 56, max_mfn @ 64, hw_cap @ 72,
);

/// Answer of physinfo from 4.17.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PhysInfo417 {
    /// Out: hardware threads of a core.
    pub threads_per_core: u32,
    /// Out: cores of a socket.
    pub cores_per_socket: u32,
    /// Out: CPUs that are up.
    pub nr_cpus: u32,
    /// Out: the highest CPU.
    pub max_cpu_id: u32,
    /// Out: NUMA nodes that are up.
    pub nr_nodes: u32,
    /// Out: the highest node.
    pub max_node_id: u32,
    /// Out: CPU frequency.
    pub cpu_khz: u32,
    /// Out: `XEN_SYSCTL_PHYSCAP_...`.
    pub capabilities: u32,
    /// Out: capabilities of the architecture.
    pub arch_capabilities: u32,
    /// Not used.
    pub pad: u32,
    /// Out: pages of memory.
    pub total_pages: u64,
    /// Out: pages that are free.
    pub free_pages: u64,
    /// Out: free pages that wait to be scrubbed.
    pub scrub_pages: u64,
    /// Out: pages claimed and not yet given.
    pub outstanding_pages: u64,
    /// Out: the highest machine frame.
    pub max_mfn: u64,
    /// Out: CPU features.
    pub hw_cap: [u32; 8],
}
assert_layout!(
    PhysInfo417 = "xen_sysctl_physinfo", 4.x 17 to 22, size 112,
    threads_per_core @ 0, cores_per_socket @ 4, nr_cpus @ 8, max_cpu_id @ 12, nr_nodes @ 16,
    max_node_id @ 20, cpu_khz @ 24, capabilities @ 28, arch_capabilities @ 32, pad @ 36, total_pages @ 40,
    free_pages @ 48, scrub_pages @ 56, outstanding_pages @ 64, max_mfn @ 72, hw_cap @ 80,
);

/// Answer of sched_id. C: `struct xen_sysctl_sched_id`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SchedId {
    /// Out: `XEN_SCHEDULER_...`.
    pub sched_id: u32,
}
assert_layout!(SchedId = "xen_sysctl_sched_id", 4.x 14 to 22, size 4, sched_id @ 0);

/// Argument of getdomaininfolist. C: `struct xen_sysctl_getdomaininfolist`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GetDomainInfoList {
    /// In: the first domain of interest.
    pub first_domain: DomId,
    /// Not used.
    pub _pad1: u16,
    /// In: how many the buffer holds.
    pub max_domains: u32,
    /// In: the buffer's address.
    pub buffer: u64,
    /// Out: how many were written.
    pub num_domains: u32,
    /// Not used.
    pub _pad2: u32,
}
assert_layout!(
    GetDomainInfoList = "xen_sysctl_getdomaininfolist", 4.x 14 to 22, size 24,
    first_domain @ 0, _pad1 @ 2, max_domains @ 4, buffer @ 8, num_domains @ 16, _pad2 @ 20,
);

/// Argument of debug_keys. C: `struct xen_sysctl_debug_keys`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct DebugKeys {
    /// In: the address of the keys.
    pub keys: u64,
    /// In: how many.
    pub nr_keys: u32,
    /// Not used.
    pub _pad: u32,
}
assert_layout!(DebugKeys = "xen_sysctl_debug_keys", 4.x 14 to 22, size 16, keys @ 0, nr_keys @ 8, _pad @ 12);

/// Element of getcpuinfo's answer. C: `struct xen_sysctl_cpuinfo`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CpuInfo {
    /// Out: nanoseconds that the CPU was idle.
    pub idletime: u64,
}
assert_layout!(CpuInfo = "xen_sysctl_cpuinfo", 4.x 14 to 22, size 8, idletime @ 0);

/// Argument of getcpuinfo. C: `struct xen_sysctl_getcpuinfo`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GetCpuInfo {
    /// In: how many the buffer holds.
    pub max_cpus: u32,
    /// Not used.
    pub _pad1: u32,
    /// In: the buffer's address.
    pub info: u64,
    /// Out: how many were written.
    pub nr_cpus: u32,
    /// Not used.
    pub _pad2: u32,
}
assert_layout!(
    GetCpuInfo = "xen_sysctl_getcpuinfo", 4.x 14 to 22, size 24,
    max_cpus @ 0, _pad1 @ 4, info @ 8, nr_cpus @ 16, _pad2 @ 20,
);

/// Argument of availheap. C: `struct xen_sysctl_availheap`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AvailHeap {
    /// In: the narrowest address of interest; 0 for any.
    pub min_bitwidth: u32,
    /// In: the widest address of interest; 0 for any.
    pub max_bitwidth: u32,
    /// In: the node; -1 for all.
    pub node: i32,
    /// Not used.
    pub _pad: u32,
    /// Out: bytes.
    pub avail_bytes: u64,
}
assert_layout!(
    AvailHeap = "xen_sysctl_availheap", 4.x 14 to 22, size 24,
    min_bitwidth @ 0, max_bitwidth @ 4, node @ 8, _pad @ 12, avail_bytes @ 16,
);

/// Element of cputopoinfo's answer. C: `struct xen_sysctl_cputopo`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CpuTopo {
    /// Out: its core.
    pub core: u32,
    /// Out: its socket.
    pub socket: u32,
    /// Out: its NUMA node.
    pub node: u32,
}
assert_layout!(CpuTopo = "xen_sysctl_cputopo", 4.x 14 to 22, size 12, core @ 0, socket @ 4, node @ 8);

/// Argument of cputopoinfo. C: `struct xen_sysctl_cputopoinfo`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CpuTopoInfo {
    /// In and out: how many the buffer holds, or how many there are.
    pub num_cpus: u32,
    /// Not used.
    pub _pad: u32,
    /// In: the buffer's address; null asks how many there are.
    pub cputopo: u64,
}
assert_layout!(
    CpuTopoInfo = "xen_sysctl_cputopoinfo", 4.x 14 to 22, size 16,
    num_cpus @ 0, _pad @ 4, cputopo @ 8,
);

/// Element of numainfo's answer. C: `struct xen_sysctl_meminfo`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MemInfo {
    /// Out: bytes of memory.
    pub memsize: u64,
    /// Out: bytes that are free.
    pub memfree: u64,
}
assert_layout!(MemInfo = "xen_sysctl_meminfo", 4.x 14 to 22, size 16, memsize @ 0, memfree @ 8);

/// Argument of numainfo. C: `struct xen_sysctl_numainfo`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct NumaInfo {
    /// In and out: how many the buffers hold, or how many there are.
    pub num_nodes: u32,
    /// Not used.
    pub _pad: u32,
    /// In: the address for the nodes' memory; may be null.
    pub meminfo: u64,
    /// In: the address for the square of distances; may be null.
    pub distance: u64,
}
assert_layout!(
    NumaInfo = "xen_sysctl_numainfo", 4.x 14 to 22, size 24,
    num_nodes @ 0, _pad @ 4, meminfo @ 8, distance @ 16,
);

/// Argument of cpupool_op. C: `struct xen_sysctl_cpupool_op`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CpuPoolOp {
    /// In: `XEN_SYSCTL_CPUPOOL_OP_...`.
    pub op: u32,
    /// In and out: the pool.
    pub cpupool_id: u32,
    /// In and out: its scheduler.
    pub sched_id: u32,
    /// In: the domain.
    pub domid: u32,
    /// In: the CPU.
    pub cpu: u32,
    /// Out: domains in the pool.
    pub n_dom: u32,
    /// Out: CPUs of the pool.
    pub cpumap: XenctlBitmap,
}
assert_layout!(
    CpuPoolOp = "xen_sysctl_cpupool_op", 4.x 14 to 22, size 40,
    op @ 0, cpupool_id @ 4, sched_id @ 8, domid @ 12, cpu @ 16, n_dom @ 20, cpumap @ 24,
);

/// Parameters of credit. C: `struct xen_sysctl_credit_schedule`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CreditSchedule {
    /// Length of a time slice.
    pub tslice_ms: u32,
    /// The shortest run.
    pub ratelimit_us: u32,
    /// How long a vCPU counts as cache-hot.
    pub vcpu_migr_delay_us: u32,
}
assert_layout!(
    CreditSchedule = "xen_sysctl_credit_schedule", 4.x 14 to 22, size 12,
    tslice_ms @ 0, ratelimit_us @ 4, vcpu_migr_delay_us @ 8,
);

/// Parameters of credit2. C: `struct xen_sysctl_credit2_schedule`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Credit2Schedule {
    /// The shortest run.
    pub ratelimit_us: u32,
}
assert_layout!(Credit2Schedule = "xen_sysctl_credit2_schedule", 4.x 14 to 22, size 4, ratelimit_us @ 0);

/// Argument of scheduler_op. C: `struct xen_sysctl_scheduler_op`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SchedulerOp {
    /// In: the CPU pool.
    pub cpupool_id: u32,
    /// In: `XEN_SCHEDULER_...`; must be the pool's own.
    pub sched_id: u32,
    /// In: `XEN_SYSCTL_SCHEDOP_...`.
    pub cmd: u32,
    /// Not used.
    pub _pad: u32,
    /// The scheduler's own structure, at its start.
    pub u: [u64; 2],
}
assert_layout!(
    SchedulerOp = "xen_sysctl_scheduler_op", 4.x 14 to 22, size 32,
    cpupool_id @ 0, sched_id @ 4, cmd @ 8, _pad @ 12, u @ 16,
);
