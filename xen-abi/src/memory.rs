//! Memory of domains. Source: public/memory.h.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{DomId, Gfn};

constants! {
    /// Gives frames back to Xen.
    XENMEM_DECREASE_RESERVATION: u32 = 1;
    /// How many pages a domain has.
    XENMEM_CURRENT_RESERVATION: u32 = 3;
    /// How many pages a domain may have.
    XENMEM_MAXIMUM_RESERVATION: u32 = 4;
    /// How many pages sharing saves.
    XENMEM_GET_SHARING_FREED_PAGES: u32 = 18;
    /// How many pages are shared.
    XENMEM_GET_SHARING_SHARED_PAGES: u32 = 19;
    /// Puts new memory at guest frames.
    XENMEM_POPULATE_PHYSMAP: u32 = 6;
    /// Maps one special page at a guest frame.
    XENMEM_ADD_TO_PHYSMAP: u32 = 7;
    /// Our own memory map.
    XENMEM_MEMORY_MAP: u32 = 9;
    /// The host's memory map.
    XENMEM_MACHINE_MEMORY_MAP: u32 = 10;
    /// Sets the memory map that a domain will read.
    XENMEM_SET_MEMORY_MAP: u32 = 13;
    /// A domain's highest frame.
    XENMEM_MAXIMUM_GPFN: u32 = 14;
    /// Unmaps a guest frame.
    XENMEM_REMOVE_FROM_PHYSMAP: u32 = 15;
    /// Maps many pages at guest frames.
    XENMEM_ADD_TO_PHYSMAP_BATCH: u32 = 23;
    /// Claims memory for a domain to come.
    XENMEM_CLAIM_PAGES: u32 = 24;
    /// Maps a resource of a domain, such as its grant table.
    XENMEM_ACQUIRE_RESOURCE: u32 = 28;

    /// Space of add_to_physmap: the shared info page.
    XENMAPSPACE_SHARED_INFO: u32 = 0;
    /// Space of add_to_physmap: the grant table.
    XENMAPSPACE_GRANT_TABLE: u32 = 1;
    /// Space of add_to_physmap: a frame of another domain.
    XENMAPSPACE_GMFN_FOREIGN: u32 = 4;

    /// Resource: the grant table.
    XENMEM_RESOURCE_GRANT_TABLE: u32 = 1;
    /// Resource identifier: the grant table's shared frames.
    XENMEM_RESOURCE_GRANT_TABLE_ID_SHARED: u32 = 0;

    /// Flag of a reservation: memory of exactly the node that is named.
    XENMEMF_EXACT_NODE_REQUEST: u32 = 0x20000;
}

/// Memory map entry: usable memory. ACPI's address range types.
pub const E820_RAM: u32 = 1;
/// Memory map entry: not to be used.
pub const E820_RESERVED: u32 = 2;
/// Memory map entry: ACPI tables, reclaimable.
pub const E820_ACPI: u32 = 3;
/// Memory map entry: ACPI NVS.
pub const E820_NVS: u32 = 4;
/// Memory map entry: faulty memory.
pub const E820_UNUSABLE: u32 = 5;

/// An entry of a memory map as the firmware interface packs it: 20 bytes. Not a structure of the public
/// headers, which only refer to the BIOS's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct E820Entry {
    /// Low and high half of the first byte's address.
    addr: [u32; 2],
    /// Low and high half of the size in bytes.
    size: [u32; 2],
    /// `E820_...`.
    pub r#type: u32,
}

const _: () = assert!(size_of::<E820Entry>() == 20);

impl E820Entry {
    /// An entry of `size` bytes from `addr` on.
    #[must_use]
    pub const fn new(addr: u64, size: u64, r#type: u32) -> Self {
        E820Entry {
            addr: [addr as u32, (addr >> 32) as u32],
            size: [size as u32, (size >> 32) as u32],
            r#type,
        }
    }

    /// The first byte's address.
    #[must_use]
    pub const fn addr(&self) -> u64 {
        self.addr[0] as u64 | (self.addr[1] as u64) << 32
    }

    /// Bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size[0] as u64 | (self.size[1] as u64) << 32
    }
}

/// Argument of populate_physmap and decrease_reservation. C: `struct xen_memory_reservation`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MemoryReservation {
    /// In: the address of the list of frames, one an extent.
    pub extent_start: u64,
    /// In: how many extents.
    pub nr_extents: u64,
    /// In: log2 of the pages of an extent.
    pub extent_order: u32,
    /// In: `XENMEMF_...`, address width and node.
    pub mem_flags: u32,
    /// In: the domain.
    pub domid: DomId,
    /// Zero.
    pub _pad: [u16; 3],
}
assert_layout!(
    MemoryReservation = "xen_memory_reservation", 4.x 14 to 22, size 32,
    extent_start @ 0, nr_extents @ 8, extent_order @ 16, mem_flags @ 20, domid @ 24, _pad @ 26,
);

/// Argument of add_to_physmap. C: `struct xen_add_to_physmap`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AddToPhysmap {
    /// In: the domain whose map changes.
    pub domid: DomId,
    /// In: pages of a range.
    pub size: u16,
    /// In: `XENMAPSPACE_...`.
    pub space: u32,
    /// In: which page of the space.
    pub idx: u64,
    /// In: the frame where it shall appear.
    pub gpfn: Gfn,
}
assert_layout!(
    AddToPhysmap = "xen_add_to_physmap", 4.x 14 to 22, size 24,
    domid @ 0, size @ 2, space @ 4, idx @ 8, gpfn @ 16,
);

/// Argument of add_to_physmap_batch. C: `struct xen_add_to_physmap_batch`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AddToPhysmapBatch {
    /// In: the domain whose map changes.
    pub domid: DomId,
    /// In: `XENMAPSPACE_...`.
    pub space: u16,
    /// In: how many pages.
    pub size: u16,
    /// In: for foreign pages, the domain that has them.
    pub u: DomId,
    /// In: the address of the list of pages.
    pub idxs: u64,
    /// In: the address of the list of frames where they shall appear.
    pub gpfns: u64,
    /// In: the address of the list for each page's error.
    pub errs: u64,
}
assert_layout!(
    AddToPhysmapBatch = "xen_add_to_physmap_batch", 4.x 14 to 22, size 32,
    domid @ 0, space @ 2, size @ 4, u @ 6, idxs @ 8, gpfns @ 16, errs @ 24,
);

/// Argument of remove_from_physmap. C: `struct xen_remove_from_physmap`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RemoveFromPhysmap {
    /// In: the domain whose map changes.
    pub domid: DomId,
    /// Zero.
    pub _pad: [u16; 3],
    /// In: the frame.
    pub gpfn: Gfn,
}
assert_layout!(
    RemoveFromPhysmap = "xen_remove_from_physmap", 4.x 14 to 22, size 16,
    domid @ 0, _pad @ 2, gpfn @ 8,
);

/// Argument of memory_map and machine_memory_map. C: `struct xen_memory_map`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MemoryMap {
    /// In: how many entries the buffer holds; out: how many there are.
    pub nr_entries: u32,
    /// Zero.
    pub _pad: u32,
    /// In: the buffer's address.
    pub buffer: u64,
}
assert_layout!(MemoryMap = "xen_memory_map", 4.x 14 to 22, size 16, nr_entries @ 0, _pad @ 4, buffer @ 8);

/// Argument of set_memory_map. C: `struct xen_foreign_memory_map`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ForeignMemoryMap {
    /// In: the domain.
    pub domid: DomId,
    /// Zero.
    pub _pad: [u16; 3],
    /// In: the map.
    pub map: MemoryMap,
}
assert_layout!(
    ForeignMemoryMap = "xen_foreign_memory_map", 4.x 14 to 22, size 24,
    domid @ 0, _pad @ 2, map @ 8,
);

/// Argument of acquire_resource. C: `struct xen_mem_acquire_resource`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AcquireResource {
    /// In: the domain that has the resource.
    pub domid: DomId,
    /// In: `XENMEM_RESOURCE_...`.
    pub r#type: u16,
    /// In: which one.
    pub id: u32,
    /// In: how many frames; out, if the list is null: how many there are.
    pub nr_frames: u32,
    /// Zero.
    pub pad: u32,
    /// In: the resource's first frame.
    pub frame: u64,
    /// In: the address of the list of our frames where they shall appear.
    pub frame_list: u64,
}
assert_layout!(
    AcquireResource = "xen_mem_acquire_resource", 4.x 14 to 22, size 32,
    domid @ 0, r#type @ 2, id @ 4, nr_frames @ 8, pad @ 12, frame @ 16, frame_list @ 24,
);
