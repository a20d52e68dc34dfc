//! Physical devices and interrupts. Source: public/physdev.h.

use xen_abi::DomId;
use xen_abi::physdev::{
    self as abi, Eoi, IrqStatusQuery, MapPirq, PciDevice, PciDeviceAdd, PciMmcfgReserved, PhysFn, SetupGsi,
    UnmapPirq,
};

use crate::Nr;
use crate::call::{Call, Op, nothing};

macro_rules! operations {
    ($($name:ident: $argument:ty = $command:expr, $c:literal;)*) => {$(
        // SAFETY: public/physdev.h pairs them; none has a guest handle.
        const $name: Op<$argument> = unsafe { Op::new($c, Nr::PHYSDEV_OP, $command) };
    )*};
}

operations! {
    EOI: Eoi = abi::PHYSDEVOP_EOI, "PHYSDEVOP_eoi";
    IRQ_STATUS: IrqStatusQuery = abi::PHYSDEVOP_IRQ_STATUS_QUERY, "PHYSDEVOP_irq_status_query";
    MAP_PIRQ: MapPirq = abi::PHYSDEVOP_MAP_PIRQ, "PHYSDEVOP_map_pirq";
    UNMAP_PIRQ: UnmapPirq = abi::PHYSDEVOP_UNMAP_PIRQ, "PHYSDEVOP_unmap_pirq";
    SETUP_GSI: SetupGsi = abi::PHYSDEVOP_SETUP_GSI, "PHYSDEVOP_setup_gsi";
    MMCFG: PciMmcfgReserved = abi::PHYSDEVOP_PCI_MMCFG_RESERVED, "PHYSDEVOP_pci_mmcfg_reserved";
    DEVICE_ADD: PciDeviceAdd = abi::PHYSDEVOP_PCI_DEVICE_ADD, "PHYSDEVOP_pci_device_add";
    DEVICE_REMOVE: PciDevice = abi::PHYSDEVOP_PCI_DEVICE_REMOVE, "PHYSDEVOP_pci_device_remove";
}

/// A PCI function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PciAddress {
    /// The segment.
    pub segment: u16,
    /// The bus.
    pub bus: u8,
    /// Device (5 bits) and function (3).
    pub devfn: u8,
}

/// How an interrupt line works.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger {
    /// Rising edge, as on ISA.
    EdgeHigh,
    /// Low level, as on PCI.
    LevelLow,
}

/// Ends a physical interrupt, so that the next can come.
///
/// Hypercall: `PHYSDEVOP_eoi`. Fails with `EINVAL`: no such interrupt.
#[must_use]
pub fn eoi(pirq: u32) -> Call<()> {
    EOI.call(Eoi { irq: pirq }, nothing)
}

/// Must a physical interrupt be ended by [`eoi`]?
///
/// Hypercall: `PHYSDEVOP_irq_status_query`. Fails with `EINVAL`: no such interrupt.
#[must_use]
pub fn needs_eoi(pirq: u32) -> Call<bool> {
    IRQ_STATUS.call(IrqStatusQuery { irq: pirq, flags: 0 }, |reply| {
        reply.arg::<IrqStatusQuery>().flags & abi::XENIRQSTAT_NEEDS_EOI != 0
    })
}

/// Makes interrupt line `gsi` known to `dom` as a physical interrupt of the same number; answers it.
///
/// Hypercall: `PHYSDEVOP_map_pirq`. Fails with `EPERM`, `EINVAL`: no such line; `EOPNOTSUPP`: `dom` has no
/// physical interrupts.
#[must_use]
pub fn map_gsi(dom: DomId, gsi: u32) -> Call<u32> {
    let argument = MapPirq {
        domid: dom,
        _pad1: 0,
        r#type: abi::MAP_PIRQ_TYPE_GSI,
        index: gsi as i32,
        pirq: gsi as i32,
        bus: 0,
        devfn: 0,
        entry_nr: 0,
        _pad2: 0,
        table_base: 0,
    };
    MAP_PIRQ.call(argument, |reply| reply.arg::<MapPirq>().pirq as u32)
}

/// Forgets a physical interrupt of `dom`.
///
/// Hypercall: `PHYSDEVOP_unmap_pirq`. Fails with `EINVAL`: no such interrupt.
#[must_use]
pub fn unmap_pirq(dom: DomId, pirq: u32) -> Call<()> {
    UNMAP_PIRQ.call(UnmapPirq { domid: dom, _pad: 0, pirq: pirq as i32 }, nothing)
}

/// Says how an interrupt line works.
///
/// Hypercall: `PHYSDEVOP_setup_gsi`. Fails with `EINVAL`: no such line.
#[must_use]
pub fn setup_gsi(gsi: u32, trigger: Trigger) -> Call<()> {
    let bits = u8::from(trigger == Trigger::LevelLow);
    SETUP_GSI.call(SetupGsi { gsi: gsi as i32, triggering: bits, polarity: bits, _pad: 0 }, nothing)
}

/// Says where the configuration space of buses `first` to `last` of a segment is.
///
/// Hypercall: `PHYSDEVOP_pci_mmcfg_reserved`.
#[must_use]
pub fn mmcfg_reserved(address: u64, segment: u16, first: u8, last: u8) -> Call<()> {
    let argument = PciMmcfgReserved { address, segment, start_bus: first, end_bus: last, flags: 1 };
    MMCFG.call(argument, nothing)
}

/// Tells Xen of a PCI function that is no virtual one. Its BARs appear to us then.
///
/// Hypercall: `PHYSDEVOP_pci_device_add`. Fails with `ENODEV`: no such device.
#[must_use]
pub fn pci_device_add(at: PciAddress) -> Call<()> {
    let argument = PciDeviceAdd {
        seg: at.segment,
        bus: at.bus,
        devfn: at.devfn,
        flags: 0,
        physfn: PhysFn { bus: 0, devfn: 0 },
        _pad: 0,
    };
    DEVICE_ADD.call(argument, nothing)
}

/// Tells Xen that a PCI function is gone.
///
/// Hypercall: `PHYSDEVOP_pci_device_remove`. Fails with `ENODEV`: no such device.
#[must_use]
pub fn pci_device_remove(at: PciAddress) -> Call<()> {
    DEVICE_REMOVE.call(PciDevice { seg: at.segment, bus: at.bus, devfn: at.devfn }, nothing)
}
