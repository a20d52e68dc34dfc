//! Notes in ELF files: of guests' kernels and of their core dumps. Source: public/elfnote.h.

/// The name of Xen's notes.
pub const ELF_NOTE_NAME: &[u8; 4] = b"Xen\0";

constants! {
    /// The PV entry point.
    XEN_ELFNOTE_ENTRY: u32 = 1;
    /// The hypercall page.
    XEN_ELFNOTE_HYPERCALL_PAGE: u32 = 2;
    /// The virtual address of the image's base.
    XEN_ELFNOTE_VIRT_BASE: u32 = 3;
    /// What is added to physical addresses of the file.
    XEN_ELFNOTE_PADDR_OFFSET: u32 = 4;
    /// Which interface the kernel was made for, "xen-3.0".
    XEN_ELFNOTE_XEN_VERSION: u32 = 5;
    /// Name of the guest's system.
    XEN_ELFNOTE_GUEST_OS: u32 = 6;
    /// Version of the guest's system.
    XEN_ELFNOTE_GUEST_VERSION: u32 = 7;
    /// Loader, "generic".
    XEN_ELFNOTE_LOADER: u32 = 8;
    /// 32-bit page table format.
    XEN_ELFNOTE_PAE_MODE: u32 = 9;
    /// Features as text.
    XEN_ELFNOTE_FEATURES: u32 = 10;
    /// Wants its symbols loaded.
    XEN_ELFNOTE_BSD_SYMTAB: u32 = 11;
    /// The lowest address that Xen may use.
    XEN_ELFNOTE_HV_START_LOW: u32 = 12;
    /// How to know a valid page table entry.
    XEN_ELFNOTE_L1_MFN_VALID: u32 = 13;
    /// Can cancel a suspend.
    XEN_ELFNOTE_SUSPEND_CANCEL: u32 = 14;
    /// Where the physical-to-machine table shall be.
    XEN_ELFNOTE_INIT_P2M: u32 = 15;
    /// Modules are named by frame, not by address.
    XEN_ELFNOTE_MOD_START_PFN: u32 = 16;
    /// Features as bits.
    XEN_ELFNOTE_SUPPORTED_FEATURES: u32 = 17;
    /// The PVH entry point: a 32-bit physical address.
    XEN_ELFNOTE_PHYS32_ENTRY: u32 = 18;
    /// The image may be moved (from 4.19).
    XEN_ELFNOTE_PHYS32_RELOC: u32 = 19;

    /// Of a core dump: nothing, which says that the notes of one follow.
    XEN_ELFNOTE_DUMPCORE_NONE: u32 = 0x200_0000;
    /// Of a core dump: kind of domain, how many vCPUs and pages.
    XEN_ELFNOTE_DUMPCORE_HEADER: u32 = 0x200_0001;
    /// Of a core dump: which Xen it ran on.
    XEN_ELFNOTE_DUMPCORE_XEN_VERSION: u32 = 0x200_0002;
    /// Of a core dump: the format's version.
    XEN_ELFNOTE_DUMPCORE_FORMAT_VERSION: u32 = 0x200_0003;
}
