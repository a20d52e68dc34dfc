//! What a new domain shall be.

use xen_abi::arch_x86::xen as arch;
use xen_abi::domctl;

use crate::Abi;

bitflags::bitflags! {
    /// What kind of domain. Source: public/domctl.h, `XEN_DOMCTL_CDF_...`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct CreateFlags: u32 {
        /// Hardware-assisted: PVH or HVM.
        const HVM = domctl::XEN_DOMCTL_CDF_HVM;
        /// Hardware-assisted paging.
        const HAP = domctl::XEN_DOMCTL_CDF_HAP;
        /// Measured by tboot.
        const S3_INTEGRITY = domctl::XEN_DOMCTL_CDF_S3_INTEGRITY;
        /// No out-of-sync shadows.
        const OOS_OFF = domctl::XEN_DOMCTL_CDF_OOS_OFF;
        /// A xenstore domain.
        const XENSTORE = domctl::XEN_DOMCTL_CDF_XS_DOMAIN;
        /// May use the IOMMU.
        const IOMMU = domctl::XEN_DOMCTL_CDF_IOMMU;
        /// May be a host itself (from 4.15).
        const NESTED = domctl::XEN_DOMCTL_CDF_NESTED_VIRT;
        /// Has a virtual PMU (from 4.16).
        const VPMU = domctl::XEN_DOMCTL_CDF_VPMU;
    }

    /// What Xen emulates for it. Source: public/arch-x86/xen.h, `XEN_X86_EMU_...`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Emulation: u32 {
        /// The local APIC. All that a PVH guest has.
        const LAPIC = arch::XEN_X86_EMU_LAPIC;
        /// The HPET.
        const HPET = arch::XEN_X86_EMU_HPET;
        /// The power management timer.
        const PM = arch::XEN_X86_EMU_PM;
        /// The real-time clock.
        const RTC = arch::XEN_X86_EMU_RTC;
        /// The IO-APIC.
        const IOAPIC = arch::XEN_X86_EMU_IOAPIC;
        /// The PC's interrupt controller.
        const PIC = arch::XEN_X86_EMU_PIC;
        /// The standard VGA.
        const VGA = arch::XEN_X86_EMU_VGA;
        /// An IOMMU.
        const IOMMU = arch::XEN_X86_EMU_IOMMU;
        /// The PC's interval timer.
        const PIT = arch::XEN_X86_EMU_PIT;
        /// Physical interrupts as event channels.
        const USE_PIRQ = arch::XEN_X86_EMU_USE_PIRQ;
        /// PCI configuration space.
        const VPCI = arch::XEN_X86_EMU_VPCI;
    }
}

/// What a new domain shall be, for `XEN_DOMCTL_createdomain` of any release.
///
/// What a release does not know is left out: before 4.15 `relaxed_msrs` and `vmtrace_size`, before 4.16
/// `max_grant_version`, before 4.17 `cpupool`: see [`CreateDomain::knows_pools`].
#[derive(Clone, Debug)]
pub struct CreateDomain {
    /// The security label; 0 without XSM.
    pub ssidref: u32,
    /// The handle: a UUID's bytes.
    pub handle: [u8; 16],
    /// What kind of domain.
    pub flags: CreateFlags,
    /// How many vCPUs at most; one at least.
    pub max_vcpus: u32,
    /// The highest event channel port.
    pub max_evtchn_port: u32,
    /// Pages of grant table at most.
    pub max_grant_frames: u32,
    /// Pages of maptrack table at most.
    pub max_maptrack_frames: u32,
    /// The highest grant table version: 1 or 2.
    pub max_grant_version: u32,
    /// Bytes of trace buffer for each vCPU.
    pub vmtrace_size: u32,
    /// The CPU pool.
    pub cpupool: u32,
    /// What Xen emulates.
    pub emulation: Emulation,
    /// Unknown MSRs are read as zero instead of faulting.
    pub relaxed_msrs: bool,
}

impl CreateDomain {
    /// Whether this release creates domains in their pools. Before it they are all created in pool 0, and moved when they have
    /// vCPUs: moving one without them brings Xen 4.15.0 down.
    #[must_use]
    pub fn knows_pools(abi: Abi) -> bool {
        abi.release() >= 17
    }

    /// A PVH domain as xl would make it.
    #[must_use]
    pub fn pvh(handle: [u8; 16], max_vcpus: u32) -> Self {
        CreateDomain {
            ssidref: 0,
            handle,
            flags: CreateFlags::HVM | CreateFlags::HAP,
            max_vcpus,
            max_evtchn_port: 1023,
            max_grant_frames: 64,
            max_maptrack_frames: 1024,
            max_grant_version: 2,
            vmtrace_size: 0,
            cpupool: 0,
            emulation: Emulation::LAPIC,
            relaxed_msrs: false,
        }
    }
}
