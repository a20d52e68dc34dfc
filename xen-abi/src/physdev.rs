//! Physical devices. Source: public/physdev.h.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::DomId;

constants! {
    /// Ends a physical interrupt.
    PHYSDEVOP_EOI: u32 = 12;
    /// What a physical interrupt needs.
    PHYSDEVOP_IRQ_STATUS_QUERY: u32 = 5;
    /// Makes an interrupt line known as a physical interrupt.
    PHYSDEVOP_MAP_PIRQ: u32 = 13;
    /// Forgets a physical interrupt.
    PHYSDEVOP_UNMAP_PIRQ: u32 = 14;
    /// Sets trigger and polarity of an interrupt line.
    PHYSDEVOP_SETUP_GSI: u32 = 21;
    /// Says where PCI configuration space is.
    PHYSDEVOP_PCI_MMCFG_RESERVED: u32 = 24;
    /// Tells of a PCI device.
    PHYSDEVOP_PCI_DEVICE_ADD: u32 = 25;
    /// Tells that a PCI device is gone.
    PHYSDEVOP_PCI_DEVICE_REMOVE: u32 = 26;

    /// Kind of a physical interrupt: message signalled.
    MAP_PIRQ_TYPE_MSI: u32 = 0;
    /// Kind of a physical interrupt: a line.
    MAP_PIRQ_TYPE_GSI: u32 = 1;

    /// Flag of irq_status_query: needs to be ended.
    XENIRQSTAT_NEEDS_EOI: u32 = 1;
    /// Flag of irq_status_query: shared with other domains.
    XENIRQSTAT_SHARED: u32 = 2;
}

/// Argument of eoi. C: `struct physdev_eoi`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Eoi {
    /// In: the physical interrupt.
    pub irq: u32,
}
assert_layout!(Eoi = "physdev_eoi", 4.x 14 to 22, size 4, irq @ 0);

/// Argument of irq_status_query. C: `struct physdev_irq_status_query`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IrqStatusQuery {
    /// In: the physical interrupt.
    pub irq: u32,
    /// Out: `XENIRQSTAT_...`.
    pub flags: u32,
}
assert_layout!(IrqStatusQuery = "physdev_irq_status_query", 4.x 14 to 22, size 8, irq @ 0, flags @ 4);

/// Argument of map_pirq. C: `struct physdev_map_pirq`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MapPirq {
    /// In: the domain.
    pub domid: DomId,
    /// Zero.
    pub _pad1: u16,
    /// In: `MAP_PIRQ_TYPE_...`.
    pub r#type: u32,
    /// In: the line, or the vector.
    pub index: i32,
    /// In and out: its number in the domain; -1 lets Xen choose.
    pub pirq: i32,
    /// In: of a PCI device, for message signalled ones.
    pub bus: i32,
    /// In: of a PCI device.
    pub devfn: i32,
    /// In: of a PCI device.
    pub entry_nr: i32,
    /// Zero.
    pub _pad2: u32,
    /// In: of a PCI device.
    pub table_base: u64,
}
assert_layout!(
    MapPirq = "physdev_map_pirq", 4.x 14 to 22, size 40,
    domid @ 0, _pad1 @ 2, r#type @ 4, index @ 8, pirq @ 12, bus @ 16, devfn @ 20, entry_nr @ 24, _pad2 @ 28,
    table_base @ 32,
);

/// Argument of unmap_pirq. C: `struct physdev_unmap_pirq`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UnmapPirq {
    /// In: the domain.
    pub domid: DomId,
    /// Zero.
    pub _pad: u16,
    /// In: its number in the domain.
    pub pirq: i32,
}
assert_layout!(UnmapPirq = "physdev_unmap_pirq", 4.x 14 to 22, size 8, domid @ 0, _pad @ 2, pirq @ 4);

/// Argument of setup_gsi. C: `struct physdev_setup_gsi`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SetupGsi {
    /// In: the line.
    pub gsi: i32,
    /// In: 0 edge, 1 level.
    pub triggering: u8,
    /// In: 0 active high, 1 active low.
    pub polarity: u8,
    /// Zero.
    pub _pad: u16,
}
assert_layout!(
    SetupGsi = "physdev_setup_gsi", 4.x 14 to 22, size 8,
    gsi @ 0, triggering @ 4, polarity @ 5, _pad @ 6,
);

/// Argument of pci_mmcfg_reserved. C: `struct physdev_pci_mmcfg_reserved`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PciMmcfgReserved {
    /// In: where configuration space is.
    pub address: u64,
    /// In: the PCI segment.
    pub segment: u16,
    /// In: the first bus.
    pub start_bus: u8,
    /// In: the last bus.
    pub end_bus: u8,
    /// In: 1 if firmware reserved it.
    pub flags: u32,
}
assert_layout!(
    PciMmcfgReserved = "physdev_pci_mmcfg_reserved", 4.x 14 to 22, size 16,
    address @ 0, segment @ 8, start_bus @ 10, end_bus @ 11, flags @ 12,
);

/// A function's bus and number, inside [`PciDeviceAdd`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PhysFn {
    /// The bus.
    pub bus: u8,
    /// Device (5 bits) and function (3).
    pub devfn: u8,
}
assert_layout!(PhysFn = "physdev_pci_device_add.physfn", 4.x 14 to 22, size 2, bus @ 0, devfn @ 1);

/// Argument of pci_device_add. C: `struct physdev_pci_device_add`, without its optional array.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PciDeviceAdd {
    /// In: the PCI segment.
    pub seg: u16,
    /// In: the bus.
    pub bus: u8,
    /// In: device (5 bits) and function (3).
    pub devfn: u8,
    /// In: `XEN_PCI_DEV_...`.
    pub flags: u32,
    /// In: of a virtual function, its physical one.
    pub physfn: PhysFn,
    /// Zero.
    pub _pad: u16,
}
assert_layout!(
    PciDeviceAdd = "physdev_pci_device_add", 4.x 14 to 22, size 12,
    seg @ 0, bus @ 2, devfn @ 3, flags @ 4, physfn @ 8, _pad @ 10,
);

/// Argument of pci_device_remove. C: `struct physdev_pci_device`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PciDevice {
    /// In: the PCI segment.
    pub seg: u16,
    /// In: the bus.
    pub bus: u8,
    /// In: device (5 bits) and function (3).
    pub devfn: u8,
}
assert_layout!(PciDevice = "physdev_pci_device", 4.x 14 to 22, size 4, seg @ 0, bus @ 2, devfn @ 3);
