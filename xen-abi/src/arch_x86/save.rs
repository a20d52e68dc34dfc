//! Records of an HVM domain's state, for gethvmcontext and sethvmcontext.
//! Source: public/arch-x86/hvm/save.h and public/hvm/save.h.
//!
//! A context is a row of records, each a [`SaveDescriptor`] and its body; the first is [`SaveHeader`], the
//! last [`HVM_SAVE_CODE_END`] without a body.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

constants! {
    /// What a context's header starts with.
    HVM_FILE_MAGIC: u32 = 0x54381286;
    /// The version of the format.
    HVM_FILE_VERSION: u32 = 1;
    /// The vCPU's FPU registers in [`HwCpu`] are valid.
    XEN_X86_FPU_INITIALISED: u32 = 1;
    /// Variable MTRRs in [`HwMtrr`].
    MTRR_VCNT: u32 = 8;
    /// Words of fixed MTRRs in [`HwMtrr`].
    NUM_FIXED_MSR: u32 = 11;

    /// Record type: the end of a context.
    HVM_SAVE_CODE_END: u16 = 0;
    /// Record type: [`SaveHeader`].
    HVM_SAVE_CODE_HEADER: u16 = 1;
    /// Record type: [`HwCpu`].
    HVM_SAVE_CODE_CPU: u16 = 2;
    /// Record type: the local APIC.
    HVM_SAVE_CODE_LAPIC: u16 = 5;
    /// Record type: the local APIC's registers.
    HVM_SAVE_CODE_LAPIC_REGS: u16 = 6;
    /// Record type: [`HwMtrr`].
    HVM_SAVE_CODE_MTRR: u16 = 14;
}

/// What stands before each record's body. C: `struct hvm_save_descriptor`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SaveDescriptor {
    /// `HVM_SAVE_CODE_...`.
    pub typecode: u16,
    /// Whose record: a vCPU, mostly.
    pub instance: u16,
    /// Bytes of the body.
    pub length: u32,
}
assert_layout!(
    SaveDescriptor = "hvm_save_descriptor", 4.x 14 to 22, size 8,
    typecode @ 0, instance @ 2, length @ 4,
);

/// The first record. C: `struct hvm_save_header`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SaveHeader {
    /// `HVM_FILE_MAGIC`.
    pub magic: u32,
    /// `HVM_FILE_VERSION`.
    pub version: u32,
    /// The commit that Xen was made of.
    pub changeset: u64,
    /// CPUID leaf 1, eax, of the CPU.
    pub cpuid: u32,
    /// The guest's TSC frequency.
    pub gtsc_khz: u32,
}
assert_layout!(
    SaveHeader = "hvm_save_header", 4.x 14 to 22, size 24,
    magic @ 0, version @ 4, changeset @ 8, cpuid @ 16, gtsc_khz @ 20,
);

/// A vCPU's registers. C: `struct hvm_hw_cpu`.
#[expect(missing_docs, reason = "the fields have the names of registers")]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HwCpu {
    pub fpu_regs: [u8; 512],
    pub rax: u64,
    pub rbx: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rbp: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub rsp: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rip: u64,
    pub rflags: u64,
    pub cr0: u64,
    pub cr2: u64,
    pub cr3: u64,
    pub cr4: u64,
    pub dr0: u64,
    pub dr1: u64,
    pub dr2: u64,
    pub dr3: u64,
    pub dr6: u64,
    pub dr7: u64,
    pub cs_sel: u32,
    pub ds_sel: u32,
    pub es_sel: u32,
    pub fs_sel: u32,
    pub gs_sel: u32,
    pub ss_sel: u32,
    pub tr_sel: u32,
    pub ldtr_sel: u32,
    pub cs_limit: u32,
    pub ds_limit: u32,
    pub es_limit: u32,
    pub fs_limit: u32,
    pub gs_limit: u32,
    pub ss_limit: u32,
    pub tr_limit: u32,
    pub ldtr_limit: u32,
    pub idtr_limit: u32,
    pub gdtr_limit: u32,
    pub cs_base: u64,
    pub ds_base: u64,
    pub es_base: u64,
    pub fs_base: u64,
    pub gs_base: u64,
    pub ss_base: u64,
    pub tr_base: u64,
    pub ldtr_base: u64,
    pub idtr_base: u64,
    pub gdtr_base: u64,
    pub cs_arbytes: u32,
    pub ds_arbytes: u32,
    pub es_arbytes: u32,
    pub fs_arbytes: u32,
    pub gs_arbytes: u32,
    pub ss_arbytes: u32,
    pub tr_arbytes: u32,
    pub ldtr_arbytes: u32,
    pub sysenter_cs: u64,
    pub sysenter_esp: u64,
    pub sysenter_eip: u64,
    pub shadow_gs: u64,
    pub msr_flags: u64,
    pub msr_lstar: u64,
    pub msr_star: u64,
    pub msr_cstar: u64,
    pub msr_syscall_mask: u64,
    pub msr_efer: u64,
    pub msr_tsc_aux: u64,
    pub tsc: u64,
    /// Vector (8 bits), type (3), error code valid (1), reserved (19), valid (1).
    pub pending_event: u32,
    pub error_code: u32,
    /// `XEN_X86_FPU_INITIALISED`.
    pub flags: u32,
    pub pad0: u32,
}
assert_layout!(
    HwCpu = "hvm_hw_cpu", 4.x 14 to 22, size 1032,
    fpu_regs @ 0, rax @ 512, rbx @ 520, rcx @ 528, rdx @ 536, rbp @ 544, rsi @ 552, rdi @ 560, rsp @ 568,
    r8 @ 576, r9 @ 584, r10 @ 592, r11 @ 600, r12 @ 608, r13 @ 616, r14 @ 624, r15 @ 632, rip @ 640,
    rflags @ 648, cr0 @ 656, cr2 @ 664, cr3 @ 672, cr4 @ 680, dr0 @ 688, dr1 @ 696, dr2 @ 704, dr3 @ 712,
    dr6 @ 720, dr7 @ 728, cs_sel @ 736, ds_sel @ 740, es_sel @ 744, fs_sel @ 748, gs_sel @ 752,
    ss_sel @ 756, tr_sel @ 760, ldtr_sel @ 764, cs_limit @ 768, ds_limit @ 772, es_limit @ 776,
    fs_limit @ 780, gs_limit @ 784, ss_limit @ 788, tr_limit @ 792, ldtr_limit @ 796, idtr_limit @ 800,
    gdtr_limit @ 804, cs_base @ 808, ds_base @ 816, es_base @ 824, fs_base @ 832, gs_base @ 840,
    ss_base @ 848, tr_base @ 856, ldtr_base @ 864, idtr_base @ 872, gdtr_base @ 880, cs_arbytes @ 888,
    ds_arbytes @ 892, es_arbytes @ 896, fs_arbytes @ 900, gs_arbytes @ 904, ss_arbytes @ 908,
    tr_arbytes @ 912, ldtr_arbytes @ 916, sysenter_cs @ 920, sysenter_esp @ 928, sysenter_eip @ 936,
    shadow_gs @ 944, msr_flags @ 952, msr_lstar @ 960, msr_star @ 968, msr_cstar @ 976,
    msr_syscall_mask @ 984, msr_efer @ 992, msr_tsc_aux @ 1000, tsc @ 1008, pending_event @ 1016,
    error_code @ 1020, flags @ 1024, pad0 @ 1028,
);

/// A vCPU's memory types. C: `struct hvm_hw_mtrr`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HwMtrr {
    /// The page attribute table.
    pub msr_pat_cr: u64,
    /// Pairs of base and mask.
    pub msr_mtrr_var: [u64; 16],
    /// The fixed ranges below 1 MiB.
    pub msr_mtrr_fixed: [u64; 11],
    /// What there is.
    pub msr_mtrr_cap: u64,
    /// The type of all other memory, and whether MTRRs are in use.
    pub msr_mtrr_def_type: u64,
}
assert_layout!(
    HwMtrr = "hvm_hw_mtrr", 4.x 14 to 22, size 240,
    msr_pat_cr @ 0, msr_mtrr_var @ 8, msr_mtrr_fixed @ 136, msr_mtrr_cap @ 224, msr_mtrr_def_type @ 232,
);
