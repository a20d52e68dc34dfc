//! What every guest knows of Xen. Source: public/xen.h.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{DomId, Virq};

/// A hypercall's number. The C names are `__HYPERVISOR_...`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nr(pub u64);

macro_rules! numbers {
    ($($(#[$attribute:meta])* $name:ident = $value:literal, $c:literal;)*) => {
        impl Nr {
            $($(#[$attribute])* pub const $name: Nr = Nr($value);)*
        }

        /// Every hypercall number, for the test that compares them with the C headers.
        pub const NUMBERS: &[crate::layout::Constant] =
            &[$(crate::layout::Constant { name: $c, value: $value },)*];
    };
}

numbers! {
    /// Memory of domains: public/memory.h.
    MEMORY_OP = 12, "__HYPERVISOR_memory_op";
    /// Several hypercalls at once.
    MULTICALL = 13, "__HYPERVISOR_multicall";
    /// Sets this vCPU's timer.
    SET_TIMER_OP = 15, "__HYPERVISOR_set_timer_op";
    /// What Xen says of itself: public/version.h.
    XEN_VERSION = 17, "__HYPERVISOR_xen_version";
    /// Xen's console.
    CONSOLE_IO = 18, "__HYPERVISOR_console_io";
    /// Grant tables: public/grant_table.h.
    GRANT_TABLE_OP = 20, "__HYPERVISOR_grant_table_op";
    /// Our own vCPUs: public/vcpu.h.
    VCPU_OP = 24, "__HYPERVISOR_vcpu_op";
    /// Security modules: public/xsm/flask_op.h.
    XSM_OP = 27, "__HYPERVISOR_xsm_op";
    /// Scheduling: public/sched.h.
    SCHED_OP = 29, "__HYPERVISOR_sched_op";
    /// Event channels: public/event_channel.h.
    EVENT_CHANNEL_OP = 32, "__HYPERVISOR_event_channel_op";
    /// Physical devices: public/physdev.h.
    PHYSDEV_OP = 33, "__HYPERVISOR_physdev_op";
    /// HVM guests: public/hvm/hvm_op.h.
    HVM_OP = 34, "__HYPERVISOR_hvm_op";
    /// The host: public/sysctl.h.
    SYSCTL = 35, "__HYPERVISOR_sysctl";
    /// Domains: public/domctl.h.
    DOMCTL = 36, "__HYPERVISOR_domctl";
}

constants! {
    /// The calling domain itself.
    DOMID_SELF: DomId(u16) = 0x7ff0;
    /// Memory-mapped devices.
    DOMID_IO: DomId(u16) = 0x7ff1;
    /// Xen itself.
    DOMID_XEN: DomId(u16) = 0x7ff2;
    /// No domain.
    DOMID_INVALID: DomId(u16) = 0x7ff4;
    /// Any domain: Xen chooses (from 4.22).
    DOMID_ANY: DomId(u16) = 0x7ff5;
    /// The idle domain.
    DOMID_IDLE: DomId(u16) = 0x7fff;
    /// The first identifier that no domain can have.
    DOMID_FIRST_RESERVED: DomId(u16) = 0x7ff0;

    /// The timer of a vCPU.
    VIRQ_TIMER: Virq(u32) = 0;
    /// A debug key was pressed.
    VIRQ_DEBUG: Virq(u32) = 1;
    /// Input on Xen's console.
    VIRQ_CONSOLE: Virq(u32) = 2;
    /// A domain has shut down, crashed or died.
    VIRQ_DOM_EXC: Virq(u32) = 3;
    /// New bytes in Xen's console ring.
    VIRQ_CON_RING: Virq(u32) = 8;
    /// Xen is short of memory.
    VIRQ_ENOMEM: Virq(u32) = 12;

    /// Writes to Xen's console.
    CONSOLEIO_WRITE: u32 = 0;
    /// Reads from Xen's console.
    CONSOLEIO_READ: u32 = 1;

    /// vCPUs whose structure lies in the shared info page.
    XEN_LEGACY_MAX_VCPUS: u32 = 32;
    /// Flag of the time info: the TSCs of all CPUs agree.
    XEN_PVCLOCK_TSC_STABLE_BIT: u8 = 1;
    /// Flag of the time info: the guest was stopped by its host.
    XEN_PVCLOCK_GUEST_STOPPED: u8 = 2;
}

/// One call of a multicall. C: `struct multicall_entry`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MulticallEntry {
    /// In: the hypercall's number.
    pub op: u64,
    /// Out: its answer.
    pub result: u64,
    /// In: its arguments.
    pub args: [u64; 6],
}
assert_layout!(MulticallEntry = "multicall_entry", 4.x 14 to 22, size 64, op @ 0, result @ 8, args @ 16);

/// A bitmap of any length. C: `struct xenctl_bitmap`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct XenctlBitmap {
    /// In: the address of its bytes.
    pub bitmap: u64,
    /// In: how many bits there is room for.
    pub nr_bits: u32,
    /// Zero.
    pub _pad: u32,
}
assert_layout!(XenctlBitmap = "xenctl_bitmap", 4.x 14 to 22, size 16, bitmap @ 0, nr_bits @ 8, _pad @ 12);

/// How to compute the time from the TSC; see [`crate::time`]. C: `struct vcpu_time_info`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct VcpuTimeInfo {
    /// Odd while Xen writes; changes with every update.
    pub version: u32,
    /// Not used.
    pub pad0: u32,
    /// The TSC at the last update.
    pub tsc_timestamp: u64,
    /// Nanoseconds since the host started, at the last update.
    pub system_time: u64,
    /// Scale from ticks to nanoseconds, in units of 2^-32.
    pub tsc_to_system_mul: u32,
    /// Ticks are first shifted left by this much (right if negative).
    pub tsc_shift: i8,
    /// `XEN_PVCLOCK_...`.
    pub flags: u8,
    /// Not used.
    pub pad1: [u8; 2],
}
assert_layout!(
    VcpuTimeInfo = "vcpu_time_info", 4.x 14 to 22, size 32,
    version @ 0, pad0 @ 4, tsc_timestamp @ 8, system_time @ 16, tsc_to_system_mul @ 24, tsc_shift @ 28,
    flags @ 29, pad1 @ 30,
);

/// What the architecture keeps of a vCPU. C: `struct arch_vcpu_info`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ArchVcpuInfo {
    /// The faulting address (PV only).
    pub cr2: u64,
    /// Not used.
    pub pad: u64,
}
assert_layout!(ArchVcpuInfo = "arch_vcpu_info", 4.x 14 to 22, size 16, cr2 @ 0, pad @ 8);

/// What Xen and a vCPU share. C: `struct vcpu_info`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct VcpuInfo {
    /// 1: an event is pending.
    pub evtchn_upcall_pending: u8,
    /// 1: no upcalls, please (PV only).
    pub evtchn_upcall_mask: u8,
    /// Not used.
    pub _pad: [u8; 6],
    /// A bit for each word of the pending bitmap that has news.
    pub evtchn_pending_sel: u64,
    /// The architecture's own.
    pub arch: ArchVcpuInfo,
    /// The clock.
    pub time: VcpuTimeInfo,
}
assert_layout!(
    VcpuInfo = "vcpu_info", 4.x 14 to 22, size 64,
    evtchn_upcall_pending @ 0, evtchn_upcall_mask @ 1, _pad @ 2, evtchn_pending_sel @ 8, arch @ 16,
    time @ 32,
);

/// What the architecture keeps of a domain. C: `struct arch_shared_info`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ArchSharedInfo {
    /// The highest frame in the physical-to-machine table (PV only).
    pub max_pfn: u64,
    /// The frame of the list of lists of frames of that table (PV only).
    pub pfn_to_mfn_frame_list_list: u64,
    /// Why an NMI came.
    pub nmi_reason: u64,
    /// The page table for the linear table (PV only).
    pub p2m_cr3: u64,
    /// The address of the linear table (PV only).
    pub p2m_vaddr: u64,
    /// Changes with the table (PV only).
    pub p2m_generation: u64,
}
assert_layout!(
    ArchSharedInfo = "arch_shared_info", 4.x 14 to 22, size 48,
    max_pfn @ 0, pfn_to_mfn_frame_list_list @ 8, nmi_reason @ 16, p2m_cr3 @ 24, p2m_vaddr @ 32,
    p2m_generation @ 40,
);

/// What Xen and a domain share. C: `struct shared_info`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SharedInfo {
    /// The first vCPUs' structures.
    pub vcpu_info: [VcpuInfo; 32],
    /// A bit for each port with news.
    pub evtchn_pending: [u64; 64],
    /// A bit for each port that shall be quiet.
    pub evtchn_mask: [u64; 64],
    /// Odd while Xen writes the wall clock.
    pub wc_version: u32,
    /// Wall clock at system time 0: seconds, low word.
    pub wc_sec: u32,
    /// Wall clock at system time 0: nanoseconds.
    pub wc_nsec: u32,
    /// Wall clock at system time 0: seconds, high word.
    pub wc_sec_hi: u32,
    /// The architecture's own.
    pub arch: ArchSharedInfo,
}
assert_layout!(
    SharedInfo = "shared_info", 4.x 14 to 22, size 3136,
    vcpu_info @ 0, evtchn_pending @ 2048, evtchn_mask @ 2560, wc_version @ 3072, wc_sec @ 3076,
    wc_nsec @ 3080, wc_sec_hi @ 3084, arch @ 3088,
);
