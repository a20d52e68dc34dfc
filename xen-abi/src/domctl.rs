//! Operations on domains, for the toolstack. Source: public/domctl.h.
//!
//! The interface has a version; Xen refuses all but its own with `EACCES`. See [`VERSIONS`].

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::DomId;
use crate::arch_x86::cpuid;
use crate::arch_x86::xen::{ArchDomainConfig414, ArchDomainConfig415};
use crate::xen::XenctlBitmap;

/// `XEN_DOMCTL_INTERFACE_VERSION` of each release (4.x), oldest first.
pub const VERSIONS: &[(u16, u32)] = &[
    (14, 0x12),
    (15, 0x13),
    (16, 0x14),
    (17, 0x15),
    (18, 0x16),
    (19, 0x17),
    (20, 0x17),
    (21, 0x17),
    (22, 0x18),
];

constants! {
    /// Creates a domain.
    XEN_DOMCTL_CREATEDOMAIN: u32 = 1;
    /// Destroys a domain.
    XEN_DOMCTL_DESTROYDOMAIN: u32 = 2;
    /// Pauses all its vCPUs; counted.
    XEN_DOMCTL_PAUSEDOMAIN: u32 = 3;
    /// Takes one pause back.
    XEN_DOMCTL_UNPAUSEDOMAIN: u32 = 4;
    /// What Xen knows of a domain.
    XEN_DOMCTL_GETDOMAININFO: u32 = 5;
    /// Sets which CPUs a vCPU may run on.
    XEN_DOMCTL_SETVCPUAFFINITY: u32 = 9;
    /// Reads which CPUs a vCPU may run on.
    XEN_DOMCTL_GETVCPUAFFINITY: u32 = 25;
    /// Paging assistance: pool size, dirty log.
    XEN_DOMCTL_SHADOW_OP: u32 = 10;
    /// Sets the most memory that a domain may have.
    XEN_DOMCTL_MAX_MEM: u32 = 11;
    /// Reads the registers of a vCPU.
    XEN_DOMCTL_GETVCPUCONTEXT: u32 = 13;
    /// State of a vCPU for the toolstack.
    XEN_DOMCTL_GETVCPUINFO: u32 = 14;
    /// Allocates the vCPUs.
    XEN_DOMCTL_MAX_VCPUS: u32 = 15;
    /// Scheduling parameters of a domain.
    XEN_DOMCTL_SCHEDULER_OP: u32 = 16;
    /// Sets the domain's handle (UUID).
    XEN_DOMCTL_SETDOMAINHANDLE: u32 = 17;
    /// Sets the offset of the domain's wall clock.
    XEN_DOMCTL_SETTIMEOFFSET: u32 = 24;
    /// Resumes a domain that suspended.
    XEN_DOMCTL_RESUMEDOMAIN: u32 = 27;
    /// Presses a button or sends an NMI.
    XEN_DOMCTL_SENDTRIGGER: u32 = 28;
    /// Reads the records of an HVM domain's state.
    XEN_DOMCTL_GETHVMCONTEXT: u32 = 33;
    /// Loads records of an HVM domain's state.
    XEN_DOMCTL_SETHVMCONTEXT: u32 = 34;
    /// Reads one record of an HVM domain's state.
    XEN_DOMCTL_GETHVMCONTEXT_PARTIAL: u32 = 55;
    /// Reads how a domain sees the TSC.
    XEN_DOMCTL_GETTSCINFO: u32 = 59;
    /// Sets how a domain sees the TSC.
    XEN_DOMCTL_SETTSCINFO: u32 = 60;
    /// Reads the size of the pool for nested page tables (from 4.17).
    XEN_DOMCTL_GET_PAGING_MEMPOOL_SIZE: u32 = 85;
    /// Sets the size of the pool for nested page tables (from 4.17).
    XEN_DOMCTL_SET_PAGING_MEMPOOL_SIZE: u32 = 86;

    /// Flag of createdomain: hardware-assisted (PVH or HVM).
    XEN_DOMCTL_CDF_HVM: u32 = 1;
    /// Flag of createdomain: hardware-assisted paging.
    XEN_DOMCTL_CDF_HAP: u32 = 2;
    /// Flag of createdomain: measured by tboot.
    XEN_DOMCTL_CDF_S3_INTEGRITY: u32 = 4;
    /// Flag of createdomain: no out-of-sync shadows.
    XEN_DOMCTL_CDF_OOS_OFF: u32 = 8;
    /// Flag of createdomain: a xenstore domain.
    XEN_DOMCTL_CDF_XS_DOMAIN: u32 = 16;
    /// Flag of createdomain: may use the IOMMU.
    XEN_DOMCTL_CDF_IOMMU: u32 = 32;
    /// Flag of createdomain: may be a host itself (from 4.15).
    XEN_DOMCTL_CDF_NESTED_VIRT: u32 = 64;
    /// Flag of createdomain: has a virtual PMU (from 4.16).
    XEN_DOMCTL_CDF_VPMU: u32 = 128;

    /// The bits of `grant_opts` that hold the highest grant table version (from 4.16).
    XEN_DOMCTL_GRANT_VERSION_MASK: u32 = 15;

    /// Flag of getdomaininfo: being destroyed.
    XEN_DOMINF_DYING: u32 = 1;
    /// Flag of getdomaininfo: hardware-assisted.
    XEN_DOMINF_HVM_GUEST: u32 = 2;
    /// Flag of getdomaininfo: has shut down; the reason is in the flags.
    XEN_DOMINF_SHUTDOWN: u32 = 4;
    /// Flag of getdomaininfo: paused by the control software.
    XEN_DOMINF_PAUSED: u32 = 8;
    /// Flag of getdomaininfo: blocked, waiting for an event.
    XEN_DOMINF_BLOCKED: u32 = 16;
    /// Flag of getdomaininfo: running or runnable.
    XEN_DOMINF_RUNNING: u32 = 32;
    /// Flag of getdomaininfo: being debugged.
    XEN_DOMINF_DEBUGGED: u32 = 64;
    /// Flag of getdomaininfo: a xenstore domain.
    XEN_DOMINF_XS_DOMAIN: u32 = 128;
    /// Flag of getdomaininfo: uses hardware-assisted paging.
    XEN_DOMINF_HAP: u32 = 0x100;
    /// The bits of a shutdown reason, after shifting.
    XEN_DOMINF_SHUTDOWNMASK: u32 = 255;
    /// How far the shutdown reason is shifted in the flags.
    XEN_DOMINF_SHUTDOWNSHIFT: u32 = 16;

    /// Operation of shadow_op: no more dirty log.
    XEN_DOMCTL_SHADOW_OP_OFF: u32 = 0;
    /// Operation of shadow_op: reads the pool's size, in MiB.
    XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION: u32 = 30;
    /// Operation of shadow_op: sets the pool's size, in MiB.
    XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION: u32 = 31;

    /// Flag of vcpuaffinity: the CPUs that it may use at all.
    XEN_VCPUAFFINITY_HARD: u32 = 1;
    /// Flag of vcpuaffinity: the CPUs that it prefers.
    XEN_VCPUAFFINITY_SOFT: u32 = 2;
    /// Flag of vcpuaffinity: even against a pin override.
    XEN_VCPUAFFINITY_FORCE: u32 = 4;

    /// The credit scheduler.
    XEN_SCHEDULER_CREDIT: u32 = 5;
    /// The credit2 scheduler.
    XEN_SCHEDULER_CREDIT2: u32 = 6;
    /// The ARINC653 scheduler.
    XEN_SCHEDULER_ARINC653: u32 = 7;
    /// The real-time deferrable server scheduler.
    XEN_SCHEDULER_RTDS: u32 = 8;
    /// The null scheduler.
    XEN_SCHEDULER_NULL: u32 = 9;

    /// Command of scheduler_op: sets the domain's parameters.
    XEN_DOMCTL_SCHEDOP_PUTINFO: u32 = 0;
    /// Command of scheduler_op: reads the domain's parameters.
    XEN_DOMCTL_SCHEDOP_GETINFO: u32 = 1;
    /// Command of scheduler_op: sets parameters of vCPUs.
    XEN_DOMCTL_SCHEDOP_PUTVCPUINFO: u32 = 2;
    /// Command of scheduler_op: reads parameters of vCPUs.
    XEN_DOMCTL_SCHEDOP_GETVCPUINFO: u32 = 3;

    /// Flag of RTDS: may run beyond its budget where nobody else wants the CPU.
    XEN_DOMCTL_SCHEDRT_EXTRA: u32 = 1;

    /// Trigger: a non-maskable interrupt.
    XEN_DOMCTL_SENDTRIGGER_NMI: u32 = 0;
    /// Trigger: reset.
    XEN_DOMCTL_SENDTRIGGER_RESET: u32 = 1;
    /// Trigger: INIT.
    XEN_DOMCTL_SENDTRIGGER_INIT: u32 = 2;
    /// Trigger: the power button.
    XEN_DOMCTL_SENDTRIGGER_POWER: u32 = 3;
    /// Trigger: the sleep button.
    XEN_DOMCTL_SENDTRIGGER_SLEEP: u32 = 4;
}

/// `tsc_mode` of settscinfo: emulated only where the hardware cannot do it. The modes have names of their own in
/// the headers of newer releases only, beside CPUID's.
pub const TSC_MODE_DEFAULT: u32 = cpuid::XEN_CPUID_TSC_MODE_DEFAULT;
/// `tsc_mode` of settscinfo: always emulated.
pub const TSC_MODE_ALWAYS_EMULATE: u32 = cpuid::XEN_CPUID_TSC_MODE_ALWAYS_EMULATE;
/// `tsc_mode` of settscinfo: never emulated.
pub const TSC_MODE_NEVER_EMULATE: u32 = cpuid::XEN_CPUID_TSC_MODE_NEVER_EMULATE;

/// The argument of every domctl. C: `struct xen_domctl`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Domctl {
    /// In: `XEN_DOMCTL_...`.
    pub cmd: u32,
    /// In: the interface version; see [`VERSIONS`].
    pub interface_version: u32,
    /// In, or out of createdomain: the domain.
    pub domain: DomId,
    /// Zero.
    pub _pad: [u16; 3],
    /// The command's own structure, at its start.
    pub u: [u64; 16],
}
assert_layout!(
    Domctl = "xen_domctl", 4.x 14 to 22, size 144,
    cmd @ 0, interface_version @ 4, domain @ 8, _pad @ 10, u @ 16,
);

/// Argument of createdomain up to 4.14.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CreateDomain414 {
    /// In: the security label.
    pub ssidref: u32,
    /// In: the handle (UUID).
    pub handle: [u8; 16],
    /// In: `XEN_DOMCTL_CDF_...`.
    pub flags: u32,
    /// In: `XEN_DOMCTL_IOMMU_...`.
    pub iommu_opts: u32,
    /// In: how many vCPUs at most.
    pub max_vcpus: u32,
    /// In: the highest event channel port.
    pub max_evtchn_port: u32,
    /// In: pages of grant table at most.
    pub max_grant_frames: u32,
    /// In: pages of maptrack table at most.
    pub max_maptrack_frames: u32,
    /// In: what the architecture wants to know.
    pub arch: ArchDomainConfig414,
}
assert_layout!(
    CreateDomain414 = "xen_domctl_createdomain", 4.x 14 to 14, size 48,
    ssidref @ 0, handle @ 4, flags @ 20, iommu_opts @ 24, max_vcpus @ 28, max_evtchn_port @ 32,
    max_grant_frames @ 36, max_maptrack_frames @ 40, arch @ 44,
);

/// Argument of createdomain in 4.15.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CreateDomain415 {
    /// In: the security label.
    pub ssidref: u32,
    /// In: the handle (UUID).
    pub handle: [u8; 16],
    /// In: `XEN_DOMCTL_CDF_...`.
    pub flags: u32,
    /// In: `XEN_DOMCTL_IOMMU_...`.
    pub iommu_opts: u32,
    /// In: how many vCPUs at most.
    pub max_vcpus: u32,
    /// In: the highest event channel port.
    pub max_evtchn_port: u32,
    /// In: pages of grant table at most.
    pub max_grant_frames: u32,
    /// In: pages of maptrack table at most.
    pub max_maptrack_frames: u32,
    /// In: bytes of trace buffer for each vCPU.
    pub vmtrace_size: u32,
    /// In: what the architecture wants to know.
    pub arch: ArchDomainConfig415,
}
assert_layout!(
    CreateDomain415 = "xen_domctl_createdomain", 4.x 15 to 15, size 56,
    ssidref @ 0, handle @ 4, flags @ 20, iommu_opts @ 24, max_vcpus @ 28, max_evtchn_port @ 32,
    max_grant_frames @ 36, max_maptrack_frames @ 40, vmtrace_size @ 44, arch @ 48,
);

/// Argument of createdomain in 4.16.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CreateDomain416 {
    /// In: the security label.
    pub ssidref: u32,
    /// In: the handle (UUID).
    pub handle: [u8; 16],
    /// In: `XEN_DOMCTL_CDF_...`.
    pub flags: u32,
    /// In: `XEN_DOMCTL_IOMMU_...`.
    pub iommu_opts: u32,
    /// In: how many vCPUs at most.
    pub max_vcpus: u32,
    /// In: the highest event channel port.
    pub max_evtchn_port: u32,
    /// In: pages of grant table at most.
    pub max_grant_frames: u32,
    /// In: pages of maptrack table at most.
    pub max_maptrack_frames: u32,
    /// In: the highest grant table version.
    pub grant_opts: u32,
    /// In: bytes of trace buffer for each vCPU.
    pub vmtrace_size: u32,
    /// In: what the architecture wants to know.
    pub arch: ArchDomainConfig415,
}
assert_layout!(
    CreateDomain416 = "xen_domctl_createdomain", 4.x 16 to 16, size 60,
    ssidref @ 0, handle @ 4, flags @ 20, iommu_opts @ 24, max_vcpus @ 28, max_evtchn_port @ 32,
    max_grant_frames @ 36, max_maptrack_frames @ 40, grant_opts @ 44, vmtrace_size @ 48, arch @ 52,
);

/// Argument of createdomain in 4.17 and 4.18.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CreateDomain417 {
    /// In: the security label.
    pub ssidref: u32,
    /// In: the handle (UUID).
    pub handle: [u8; 16],
    /// In: `XEN_DOMCTL_CDF_...`.
    pub flags: u32,
    /// In: `XEN_DOMCTL_IOMMU_...`.
    pub iommu_opts: u32,
    /// In: how many vCPUs at most.
    pub max_vcpus: u32,
    /// In: the highest event channel port.
    pub max_evtchn_port: u32,
    /// In: pages of grant table at most.
    pub max_grant_frames: u32,
    /// In: pages of maptrack table at most.
    pub max_maptrack_frames: u32,
    /// In: the highest grant table version.
    pub grant_opts: u32,
    /// In: bytes of trace buffer for each vCPU.
    pub vmtrace_size: u32,
    /// In: the CPU pool.
    pub cpupool_id: u32,
    /// In: what the architecture wants to know.
    pub arch: ArchDomainConfig415,
}
assert_layout!(
    CreateDomain417 = "xen_domctl_createdomain", 4.x 17 to 18, size 64,
    ssidref @ 0, handle @ 4, flags @ 20, iommu_opts @ 24, max_vcpus @ 28, max_evtchn_port @ 32,
    max_grant_frames @ 36, max_maptrack_frames @ 40, grant_opts @ 44, vmtrace_size @ 48, cpupool_id @ 52,
    arch @ 56,
);

/// Argument of createdomain in 4.19 and 4.20.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CreateDomain419 {
    /// In: the security label.
    pub ssidref: u32,
    /// In: the handle (UUID).
    pub handle: [u8; 16],
    /// In: `XEN_DOMCTL_CDF_...`.
    pub flags: u32,
    /// In: `XEN_DOMCTL_IOMMU_...`.
    pub iommu_opts: u32,
    /// In: how many vCPUs at most.
    pub max_vcpus: u32,
    /// In: the highest event channel port.
    pub max_evtchn_port: u32,
    /// In: pages of grant table at most.
    pub max_grant_frames: u32,
    /// In: pages of maptrack table at most.
    pub max_maptrack_frames: u32,
    /// In: the highest grant table version.
    pub grant_opts: u32,
    /// In: alternative physical maps.
    pub altp2m_opts: u32,
    /// In: bytes of trace buffer for each vCPU.
    pub vmtrace_size: u32,
    /// In: the CPU pool.
    pub cpupool_id: u32,
    /// In: what the architecture wants to know.
    pub arch: ArchDomainConfig415,
}
assert_layout!(
    CreateDomain419 = "xen_domctl_createdomain", 4.x 19 to 20, size 68,
    ssidref @ 0, handle @ 4, flags @ 20, iommu_opts @ 24, max_vcpus @ 28, max_evtchn_port @ 32,
    max_grant_frames @ 36, max_maptrack_frames @ 40, grant_opts @ 44, altp2m_opts @ 48, vmtrace_size @ 52,
    cpupool_id @ 56, arch @ 60,
);

/// Options for alternative physical maps, in createdomain from 4.21.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Altp2mOptions {
    /// In: the mode.
    pub opts: u16,
    /// In: how many views.
    pub nr: u16,
}
assert_layout!(Altp2mOptions = "xen_domctl_createdomain.altp2m", 4.x 21 to 22, size 4, opts @ 0, nr @ 2);

/// Argument of createdomain from 4.21.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CreateDomain421 {
    /// In: the security label.
    pub ssidref: u32,
    /// In: the handle (UUID).
    pub handle: [u8; 16],
    /// In: `XEN_DOMCTL_CDF_...`.
    pub flags: u32,
    /// In: `XEN_DOMCTL_IOMMU_...`.
    pub iommu_opts: u32,
    /// In: how many vCPUs at most.
    pub max_vcpus: u32,
    /// In: the highest event channel port.
    pub max_evtchn_port: u32,
    /// In: pages of grant table at most.
    pub max_grant_frames: u32,
    /// In: pages of maptrack table at most.
    pub max_maptrack_frames: u32,
    /// In: the highest grant table version.
    pub grant_opts: u32,
    /// In: alternative physical maps.
    pub altp2m: Altp2mOptions,
    /// In: bytes of trace buffer for each vCPU.
    pub vmtrace_size: u32,
    /// In: the CPU pool.
    pub cpupool_id: u32,
    /// In: what the architecture wants to know.
    pub arch: ArchDomainConfig415,
}
assert_layout!(
    CreateDomain421 = "xen_domctl_createdomain", 4.x 21 to 22, size 68,
    ssidref @ 0, handle @ 4, flags @ 20, iommu_opts @ 24, max_vcpus @ 28, max_evtchn_port @ 32,
    max_grant_frames @ 36, max_maptrack_frames @ 40, grant_opts @ 44, altp2m @ 48, vmtrace_size @ 52,
    cpupool_id @ 56, arch @ 60,
);

/// Answer of getdomaininfo, and element of getdomaininfolist, up to 4.14.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GetDomainInfo414 {
    /// Out: the domain.
    pub domain: DomId,
    /// Not used.
    pub _pad1: u16,
    /// Out: `XEN_DOMINF_...`.
    pub flags: u32,
    /// Out: pages that it has.
    pub tot_pages: u64,
    /// Out: pages that it may have.
    pub max_pages: u64,
    /// Out: pages claimed and not yet given.
    pub outstanding_pages: u64,
    /// Out: pages shared.
    pub shr_pages: u64,
    /// Out: pages paged out.
    pub paged_pages: u64,
    /// Out: the frame of its shared info page.
    pub shared_info_frame: u64,
    /// Out: nanoseconds of CPU.
    pub cpu_time: u64,
    /// Out: vCPUs that are up.
    pub nr_online_vcpus: u32,
    /// Out: the highest vCPU; all ones for none.
    pub max_vcpu_id: u32,
    /// Out: the security label.
    pub ssidref: u32,
    /// Out: the handle (UUID).
    pub handle: [u8; 16],
    /// Out: the CPU pool.
    pub cpupool: u32,
    /// Out: what the architecture was told.
    pub arch_config: ArchDomainConfig414,
    /// Not used.
    pub _pad2: u32,
}
assert_layout!(
    GetDomainInfo414 = "xen_domctl_getdomaininfo", 4.x 14 to 14, size 104,
    domain @ 0, _pad1 @ 2, flags @ 4, tot_pages @ 8, max_pages @ 16, outstanding_pages @ 24, shr_pages @ 32,
    paged_pages @ 40, shared_info_frame @ 48, cpu_time @ 56, nr_online_vcpus @ 64, max_vcpu_id @ 68,
    ssidref @ 72, handle @ 76, cpupool @ 92, arch_config @ 96, _pad2 @ 100,
);

/// Answer of getdomaininfo, and element of getdomaininfolist, in 4.15.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GetDomainInfo415 {
    /// Out: the domain.
    pub domain: DomId,
    /// Not used.
    pub _pad1: u16,
    /// Out: `XEN_DOMINF_...`.
    pub flags: u32,
    /// Out: pages that it has.
    pub tot_pages: u64,
    /// Out: pages that it may have.
    pub max_pages: u64,
    /// Out: pages claimed and not yet given.
    pub outstanding_pages: u64,
    /// Out: pages shared.
    pub shr_pages: u64,
    /// Out: pages paged out.
    pub paged_pages: u64,
    /// Out: the frame of its shared info page.
    pub shared_info_frame: u64,
    /// Out: nanoseconds of CPU.
    pub cpu_time: u64,
    /// Out: vCPUs that are up.
    pub nr_online_vcpus: u32,
    /// Out: the highest vCPU; all ones for none.
    pub max_vcpu_id: u32,
    /// Out: the security label.
    pub ssidref: u32,
    /// Out: the handle (UUID).
    pub handle: [u8; 16],
    /// Out: the CPU pool.
    pub cpupool: u32,
    /// Out: what the architecture was told.
    pub arch_config: ArchDomainConfig415,
}
assert_layout!(
    GetDomainInfo415 = "xen_domctl_getdomaininfo", 4.x 15 to 15, size 104,
    domain @ 0, _pad1 @ 2, flags @ 4, tot_pages @ 8, max_pages @ 16, outstanding_pages @ 24, shr_pages @ 32,
    paged_pages @ 40, shared_info_frame @ 48, cpu_time @ 56, nr_online_vcpus @ 64, max_vcpu_id @ 68,
    ssidref @ 72, handle @ 76, cpupool @ 92, arch_config @ 96,
);

/// Answer of getdomaininfo, and element of getdomaininfolist, from 4.16.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GetDomainInfo416 {
    /// Out: the domain.
    pub domain: DomId,
    /// Not used.
    pub pad1: u16,
    /// Out: `XEN_DOMINF_...`.
    pub flags: u32,
    /// Out: pages that it has.
    pub tot_pages: u64,
    /// Out: pages that it may have.
    pub max_pages: u64,
    /// Out: pages claimed and not yet given.
    pub outstanding_pages: u64,
    /// Out: pages shared.
    pub shr_pages: u64,
    /// Out: pages paged out.
    pub paged_pages: u64,
    /// Out: the frame of its shared info page.
    pub shared_info_frame: u64,
    /// Out: nanoseconds of CPU.
    pub cpu_time: u64,
    /// Out: vCPUs that are up.
    pub nr_online_vcpus: u32,
    /// Out: the highest vCPU; all ones for none.
    pub max_vcpu_id: u32,
    /// Out: the security label.
    pub ssidref: u32,
    /// Out: the handle (UUID).
    pub handle: [u8; 16],
    /// Out: the CPU pool.
    pub cpupool: u32,
    /// Out: the width of guest physical addresses.
    pub gpaddr_bits: u8,
    /// Not used.
    pub pad2: [u8; 7],
    /// Out: what the architecture was told.
    pub arch_config: ArchDomainConfig415,
}
assert_layout!(
    GetDomainInfo416 = "xen_domctl_getdomaininfo", 4.x 16 to 22, size 112,
    domain @ 0, pad1 @ 2, flags @ 4, tot_pages @ 8, max_pages @ 16, outstanding_pages @ 24, shr_pages @ 32,
    paged_pages @ 40, shared_info_frame @ 48, cpu_time @ 56, nr_online_vcpus @ 64, max_vcpu_id @ 68,
    ssidref @ 72, handle @ 76, cpupool @ 92, gpaddr_bits @ 96, pad2 @ 97, arch_config @ 104,
);

/// What the dirty log counted. C: `struct xen_domctl_shadow_op_stats`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ShadowOpStats {
    /// Faults since the last look.
    pub fault_count: u32,
    /// Pages dirtied since the last look.
    pub dirty_count: u32,
}
assert_layout!(
    ShadowOpStats = "xen_domctl_shadow_op_stats", 4.x 14 to 22, size 8,
    fault_count @ 0, dirty_count @ 4,
);

/// Argument of shadow_op. C: `struct xen_domctl_shadow_op`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ShadowOp {
    /// In: `XEN_DOMCTL_SHADOW_OP_...`.
    pub op: u32,
    /// In: flags of the operation.
    pub mode: u32,
    /// In or out: the pool's size in MiB.
    pub mb: u32,
    /// Zero.
    pub _pad: u32,
    /// In: the address of the dirty bitmap.
    pub dirty_bitmap: u64,
    /// In and out: pages in the bitmap.
    pub pages: u64,
    /// Out: counts.
    pub stats: ShadowOpStats,
}
assert_layout!(
    ShadowOp = "xen_domctl_shadow_op", 4.x 14 to 22, size 40,
    op @ 0, mode @ 4, mb @ 8, _pad @ 12, dirty_bitmap @ 16, pages @ 24, stats @ 32,
);

/// Argument of max_mem. C: `struct xen_domctl_max_mem`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MaxMem {
    /// In: KiB.
    pub max_memkb: u64,
}
assert_layout!(MaxMem = "xen_domctl_max_mem", 4.x 14 to 22, size 8, max_memkb @ 0);

/// Answer of getvcpuinfo. C: `struct xen_domctl_getvcpuinfo`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GetVcpuInfo {
    /// In: the vCPU.
    pub vcpu: u32,
    /// Out: is it up?
    pub online: u8,
    /// Out: does it wait for an event?
    pub blocked: u8,
    /// Out: does it run at this moment?
    pub running: u8,
    /// Not used.
    pub _pad1: u8,
    /// Out: nanoseconds of CPU.
    pub cpu_time: u64,
    /// Out: the CPU that it ran on last.
    pub cpu: u32,
    /// Not used.
    pub _pad2: u32,
}
assert_layout!(
    GetVcpuInfo = "xen_domctl_getvcpuinfo", 4.x 14 to 22, size 24,
    vcpu @ 0, online @ 4, blocked @ 5, running @ 6, _pad1 @ 7, cpu_time @ 8, cpu @ 16, _pad2 @ 20,
);

/// Argument of getvcpuaffinity and setvcpuaffinity. C: `struct xen_domctl_vcpuaffinity`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct VcpuAffinity {
    /// In: the vCPU.
    pub vcpu: u32,
    /// In: `XEN_VCPUAFFINITY_...`.
    pub flags: u32,
    /// In and out: the CPUs that it may use.
    pub cpumap_hard: XenctlBitmap,
    /// In and out: the CPUs that it prefers.
    pub cpumap_soft: XenctlBitmap,
}
assert_layout!(
    VcpuAffinity = "xen_domctl_vcpuaffinity", 4.x 14 to 22, size 40,
    vcpu @ 0, flags @ 4, cpumap_hard @ 8, cpumap_soft @ 24,
);

/// Argument of max_vcpus. C: `struct xen_domctl_max_vcpus`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MaxVcpus {
    /// In: how many.
    pub max: u32,
}
assert_layout!(MaxVcpus = "xen_domctl_max_vcpus", 4.x 14 to 22, size 4, max @ 0);

/// A domain's parameters under credit. C: `struct xen_domctl_sched_credit`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SchedCredit {
    /// Share of the CPUs; 256 is usual.
    pub weight: u16,
    /// Per cent of one CPU at most; 0 for no cap.
    pub cap: u16,
}
assert_layout!(SchedCredit = "xen_domctl_sched_credit", 4.x 14 to 22, size 4, weight @ 0, cap @ 2);

/// A domain's parameters under credit2. C: `struct xen_domctl_sched_credit2`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SchedCredit2 {
    /// Share of the CPUs; 256 is usual.
    pub weight: u16,
    /// Per cent of one CPU at most; 0 for no cap.
    pub cap: u16,
}
assert_layout!(SchedCredit2 = "xen_domctl_sched_credit2", 4.x 14 to 22, size 4, weight @ 0, cap @ 2);

/// A domain's parameters under RTDS. C: `struct xen_domctl_sched_rtds`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SchedRtds {
    /// Microseconds.
    pub period: u32,
    /// Microseconds in each period.
    pub budget: u32,
    /// `XEN_DOMCTL_SCHEDRT_...`.
    pub flags: u32,
}
assert_layout!(SchedRtds = "xen_domctl_sched_rtds", 4.x 14 to 22, size 12, period @ 0, budget @ 4, flags @ 8);

/// A vCPU's parameters, in the array of scheduler_op's commands for vCPUs. C: `struct xen_domctl_schedparam_vcpu`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SchedParamVcpu {
    /// The scheduler's own structure, at its start.
    pub u: [u32; 3],
    /// In: the vCPU.
    pub vcpuid: u32,
}
assert_layout!(SchedParamVcpu = "xen_domctl_schedparam_vcpu", 4.x 14 to 22, size 16, u @ 0, vcpuid @ 12);

/// What scheduler_op's commands for vCPUs have in [`SchedulerOp::u`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SchedVcpus {
    /// In: the address of an array of [`SchedParamVcpu`].
    pub vcpus: u64,
    /// In: its length; out: how many were done.
    pub nr_vcpus: u32,
    /// Zero.
    pub padding: u32,
}
assert_layout!(
    SchedVcpus = "xen_domctl_scheduler_op.u.v", 4.x 14 to 22, size 16,
    vcpus @ 0, nr_vcpus @ 8, padding @ 12,
);

/// Argument of scheduler_op. C: `struct xen_domctl_scheduler_op`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SchedulerOp {
    /// In: `XEN_SCHEDULER_...`; must be the domain's own.
    pub sched_id: u32,
    /// In: `XEN_DOMCTL_SCHEDOP_...`.
    pub cmd: u32,
    /// The scheduler's own structure, at its start.
    pub u: [u64; 2],
}
assert_layout!(SchedulerOp = "xen_domctl_scheduler_op", 4.x 14 to 22, size 24, sched_id @ 0, cmd @ 4, u @ 8);

/// Argument of setdomainhandle. C: `struct xen_domctl_setdomainhandle`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SetDomainHandle {
    /// In: the handle (UUID).
    pub handle: [u8; 16],
}
assert_layout!(SetDomainHandle = "xen_domctl_setdomainhandle", 4.x 14 to 22, size 16, handle @ 0);

/// Argument of settimeoffset. C: `struct xen_domctl_settimeoffset`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SetTimeOffset {
    /// In: seconds, signed.
    pub time_offset_seconds: i64,
}
assert_layout!(SetTimeOffset = "xen_domctl_settimeoffset", 4.x 14 to 22, size 8, time_offset_seconds @ 0);

/// Argument of sendtrigger. C: `struct xen_domctl_sendtrigger`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SendTrigger {
    /// In: `XEN_DOMCTL_SENDTRIGGER_...`.
    pub trigger: u32,
    /// In: the vCPU.
    pub vcpu: u32,
}
assert_layout!(SendTrigger = "xen_domctl_sendtrigger", 4.x 14 to 22, size 8, trigger @ 0, vcpu @ 4);

/// Argument of getvcpucontext. C: `struct xen_domctl_vcpucontext`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct VcpuContext {
    /// In: the vCPU.
    pub vcpu: u32,
    /// Zero.
    pub _pad: u32,
    /// In: the address of a [`VcpuGuestContext`](crate::arch_x86::xen::VcpuGuestContext).
    pub ctxt: u64,
}
assert_layout!(VcpuContext = "xen_domctl_vcpucontext", 4.x 14 to 22, size 16, vcpu @ 0, _pad @ 4, ctxt @ 8);

/// Argument of gethvmcontext and sethvmcontext. C: `struct xen_domctl_hvmcontext`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HvmContext {
    /// In and out: bytes in the buffer.
    pub size: u32,
    /// Zero.
    pub _pad: u32,
    /// In: the buffer's address; null asks how long it must be.
    pub buffer: u64,
}
assert_layout!(HvmContext = "xen_domctl_hvmcontext", 4.x 14 to 22, size 16, size @ 0, _pad @ 4, buffer @ 8);

/// Argument of gethvmcontext_partial. C: `struct xen_domctl_hvmcontext_partial`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HvmContextPartial {
    /// In: the record's type.
    pub r#type: u32,
    /// In: whose record.
    pub instance: u32,
    /// In and out: bytes in the buffer.
    pub bufsz: u64,
    /// In: the buffer's address.
    pub buffer: u64,
}
assert_layout!(
    HvmContextPartial = "xen_domctl_hvmcontext_partial", 4.x 14 to 22, size 24,
    r#type @ 0, instance @ 4, bufsz @ 8, buffer @ 16,
);

/// Argument of gettscinfo and settscinfo. C: `struct xen_domctl_tsc_info`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TscInfo {
    /// `TSC_MODE_...`.
    pub tsc_mode: u32,
    /// The guest's TSC frequency.
    pub gtsc_khz: u32,
    /// How often the guest was restored.
    pub incarnation: u32,
    /// Zero.
    pub pad: u32,
    /// Nanoseconds since the guest started.
    pub elapsed_nsec: u64,
}
assert_layout!(
    TscInfo = "xen_domctl_tsc_info", 4.x 14 to 22, size 24,
    tsc_mode @ 0, gtsc_khz @ 4, incarnation @ 8, pad @ 12, elapsed_nsec @ 16,
);

/// Argument of get_paging_mempool_size and set_paging_mempool_size, from 4.17.
/// C: `struct xen_domctl_paging_mempool`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PagingMempool {
    /// Bytes; a whole number of pages.
    pub size: u64,
}
assert_layout!(PagingMempool = "xen_domctl_paging_mempool", 4.x 17 to 22, size 8, size @ 0);
