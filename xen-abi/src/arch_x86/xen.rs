//! What is particular to x86. Source: public/arch-x86/xen.h.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

constants! {
    /// Emulated: the local APIC.
    XEN_X86_EMU_LAPIC: u32 = 1;
    /// Emulated: the HPET.
    XEN_X86_EMU_HPET: u32 = 2;
    /// Emulated: the power management timer.
    XEN_X86_EMU_PM: u32 = 4;
    /// Emulated: the real-time clock.
    XEN_X86_EMU_RTC: u32 = 8;
    /// Emulated: the IO-APIC.
    XEN_X86_EMU_IOAPIC: u32 = 16;
    /// Emulated: the interrupt controller of the PC.
    XEN_X86_EMU_PIC: u32 = 32;
    /// Emulated: the standard VGA.
    XEN_X86_EMU_VGA: u32 = 64;
    /// Emulated: an IOMMU.
    XEN_X86_EMU_IOMMU: u32 = 128;
    /// Emulated: the interval timer of the PC.
    XEN_X86_EMU_PIT: u32 = 0x100;
    /// Emulated: physical interrupts as event channels.
    XEN_X86_EMU_USE_PIRQ: u32 = 0x200;
    /// Emulated: PCI configuration space, by Xen.
    XEN_X86_EMU_VPCI: u32 = 0x400;
    /// All that can be emulated.
    XEN_X86_EMU_ALL: u32 = 0x7ff;
    /// Unknown MSRs are read as zero instead of faulting (from 4.15).
    XEN_X86_MSR_RELAXED: u32 = 1;
}

/// What createdomain asks of the architecture up to 4.14. C: `struct xen_arch_domainconfig`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ArchDomainConfig414 {
    /// In: `XEN_X86_EMU_...`.
    pub emulation_flags: u32,
}
assert_layout!(ArchDomainConfig414 = "xen_arch_domainconfig", 4.x 14 to 14, size 4, emulation_flags @ 0);

/// What createdomain asks of the architecture from 4.15. C: `struct xen_arch_domainconfig`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ArchDomainConfig415 {
    /// In: `XEN_X86_EMU_...`.
    pub emulation_flags: u32,
    /// In: `XEN_X86_MSR_RELAXED` and friends.
    pub misc_flags: u32,
}
assert_layout!(
    ArchDomainConfig415 = "xen_arch_domainconfig", 4.x 15 to 22, size 8,
    emulation_flags @ 0, misc_flags @ 4,
);
