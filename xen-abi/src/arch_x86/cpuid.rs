//! What Xen tells by CPUID. Source: public/arch-x86/cpuid.h.

constants! {
    /// The first leaf, if nobody else is there.
    XEN_CPUID_FIRST_LEAF: u32 = 0x40000000;
    /// "XenVMMXenVMM", first word.
    XEN_CPUID_SIGNATURE_EBX: u32 = 0x566e6558;
    /// "XenVMMXenVMM", second word.
    XEN_CPUID_SIGNATURE_ECX: u32 = 0x65584d4d;
    /// "XenVMMXenVMM", third word.
    XEN_CPUID_SIGNATURE_EDX: u32 = 0x4d4d566e;

    /// The TSC is emulated only where the hardware cannot do it (named from 4.18 on).
    XEN_CPUID_TSC_MODE_DEFAULT: u32 = 0;
    /// The TSC is always emulated (named from 4.18 on).
    XEN_CPUID_TSC_MODE_ALWAYS_EMULATE: u32 = 1;
    /// The TSC is never emulated (named from 4.18 on).
    XEN_CPUID_TSC_MODE_NEVER_EMULATE: u32 = 2;

    /// Bit of leaf 4's eax: this domain's identifier is in ecx.
    XEN_HVM_CPUID_DOMID_PRESENT: u32 = 16;
}
