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
    /// Flag of a vCPU's registers: those of the FPU are valid.
    VGCF_I387_VALID: u64 = 1;
    /// Flag of a vCPU's registers: it is up.
    VGCF_ONLINE: u64 = 0x20;
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

/// A vCPU's registers. C: `struct vcpu_guest_context`.
///
/// What Xen answers for an HVM domain: general registers, segments, control registers and the FPU; what only
/// paravirtual domains have is zero.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct VcpuGuestContext {
    /// The FPU, as FXSAVE stores it.
    pub fpu_ctxt: [u8; 512],
    /// `VGCF_...`.
    pub flags: u64,
    /// General registers, `struct cpu_user_regs`: r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, error code
    /// and vector, rip, cs, rflags, rsp, ss, es, ds, fs, gs.
    pub user_regs: [u64; 25],
    /// Paravirtual: the trap table.
    pub trap_ctxt: [u64; 512],
    /// Paravirtual: where the LDT is.
    pub ldt_base: u64,
    /// Paravirtual: entries of the LDT.
    pub ldt_ents: u64,
    /// Paravirtual: the frames of the GDT.
    pub gdt_frames: [u64; 16],
    /// Paravirtual: entries of the GDT.
    pub gdt_ents: u64,
    /// Paravirtual: the kernel's stack segment.
    pub kernel_ss: u64,
    /// Paravirtual: the kernel's stack pointer.
    pub kernel_sp: u64,
    /// CR0 to CR7.
    pub ctrlreg: [u64; 8],
    /// DR0 to DR7.
    pub debugreg: [u64; 8],
    /// Paravirtual: where events are delivered.
    pub event_callback_eip: u64,
    /// Paravirtual: where failures are delivered.
    pub failsafe_callback_eip: u64,
    /// Paravirtual: where system calls are delivered.
    pub syscall_callback_eip: u64,
    /// Paravirtual: `VMASST_...`.
    pub vm_assist: u64,
    /// The base of FS.
    pub fs_base: u64,
    /// The base of GS in the kernel.
    pub gs_base_kernel: u64,
    /// The base of GS in programs.
    pub gs_base_user: u64,
}
assert_layout!(
    VcpuGuestContext = "vcpu_guest_context", 4.x 14 to 22, size 5168,
    fpu_ctxt @ 0, flags @ 512, user_regs @ 520, trap_ctxt @ 720, ldt_base @ 4816, ldt_ents @ 4824,
    gdt_frames @ 4832, gdt_ents @ 4960, kernel_ss @ 4968, kernel_sp @ 4976, ctrlreg @ 4984, debugreg @ 5048,
    event_callback_eip @ 5112, failsafe_callback_eip @ 5120, syscall_callback_eip @ 5128, vm_assist @ 5136,
    fs_base @ 5144, gs_base_kernel @ 5152, gs_base_user @ 5160,
);
