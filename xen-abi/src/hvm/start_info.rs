//! What a PVH guest finds when it starts. Source: public/arch-x86/hvm/start_info.h.
//!
//! In version 0 the structure ends before `memmap_paddr`: Xen starts domain 0 so, and domain 0 asks
//! `XENMEM_memory_map`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::GuestPhys;

constants! {
    /// What the structure starts with.
    XEN_HVM_START_MAGIC_VALUE: u32 = 0x336ec578;

    /// Memory map entry: usable memory.
    XEN_HVM_MEMMAP_TYPE_RAM: u32 = 1;
    /// Memory map entry: not to be used.
    XEN_HVM_MEMMAP_TYPE_RESERVED: u32 = 2;
    /// Memory map entry: ACPI tables, reclaimable.
    XEN_HVM_MEMMAP_TYPE_ACPI: u32 = 3;
    /// Memory map entry: ACPI NVS.
    XEN_HVM_MEMMAP_TYPE_NVS: u32 = 4;
    /// Memory map entry: faulty memory.
    XEN_HVM_MEMMAP_TYPE_UNUSABLE: u32 = 5;
    /// Memory map entry: disabled memory.
    XEN_HVM_MEMMAP_TYPE_DISABLED: u32 = 6;
    /// Memory map entry: persistent memory.
    XEN_HVM_MEMMAP_TYPE_PMEM: u32 = 7;

    /// Flag: the domain is privileged. The same as in a PV guest's start info.
    SIF_PRIVILEGED: u32 = 1;
    /// Flag: this is the first domain. The same as in a PV guest's start info.
    SIF_INITDOMAIN: u32 = 2;
}

/// Bytes of the structure in version 0.
pub const START_INFO_V0_SIZE: usize = 40;

/// The structure whose address is in ebx. C: `struct hvm_start_info`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StartInfo {
    /// `XEN_HVM_START_MAGIC_VALUE`.
    pub magic: u32,
    /// 0, or 1 with a memory map.
    pub version: u32,
    /// `SIF_...`.
    pub flags: u32,
    /// How many modules.
    pub nr_modules: u32,
    /// The list of modules, [`ModlistEntry`].
    pub modlist_paddr: GuestPhys,
    /// The command line, ended by a zero byte; 0 for none.
    pub cmdline_paddr: GuestPhys,
    /// ACPI's root pointer; 0 for none.
    pub rsdp_paddr: GuestPhys,
    /// The memory map, [`MemmapTableEntry`] (version 1).
    pub memmap_paddr: GuestPhys,
    /// How many entries it has (version 1).
    pub memmap_entries: u32,
    /// Zero.
    pub reserved: u32,
}
assert_layout!(
    StartInfo = "hvm_start_info", 4.x 14 to 22, size 56,
    magic @ 0, version @ 4, flags @ 8, nr_modules @ 12, modlist_paddr @ 16, cmdline_paddr @ 24,
    rsdp_paddr @ 32, memmap_paddr @ 40, memmap_entries @ 48, reserved @ 52,
);

const _: () = assert!(core::mem::offset_of!(StartInfo, memmap_paddr) == START_INFO_V0_SIZE);

/// A module. C: `struct hvm_modlist_entry`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ModlistEntry {
    /// Where it is.
    pub paddr: GuestPhys,
    /// Its size in bytes.
    pub size: u64,
    /// Its command line, ended by a zero byte; 0 for none.
    pub cmdline_paddr: GuestPhys,
    /// Zero.
    pub reserved: u64,
}
assert_layout!(
    ModlistEntry = "hvm_modlist_entry", 4.x 14 to 22, size 32,
    paddr @ 0, size @ 8, cmdline_paddr @ 16, reserved @ 24,
);

/// An entry of the memory map. C: `struct hvm_memmap_table_entry`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MemmapTableEntry {
    /// Its first byte.
    pub addr: GuestPhys,
    /// Bytes.
    pub size: u64,
    /// `XEN_HVM_MEMMAP_TYPE_...`.
    pub r#type: u32,
    /// Zero.
    pub reserved: u32,
}
assert_layout!(
    MemmapTableEntry = "hvm_memmap_table_entry", 4.x 14 to 22, size 24,
    addr @ 0, size @ 8, r#type @ 16, reserved @ 20,
);
