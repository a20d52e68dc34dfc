//! The memory that a lab's machine shares with its host: images travel in through it, and dumps out.

use hypercall::Xen;
use hypercall::calls::physdev::{self, PciAddress};
use uploads::DOWNLOAD_LEN;

use crate::device_memory::DeviceMemory;
use crate::machine::Machine;
use crate::paging::DIRECT_MAP_END;
use crate::pci;

/// Finds the device and has Xen map its memory. To be called once.
pub fn find(xen: &Xen<Machine>) -> Option<DeviceMemory> {
    let slot = pci::find_shared_memory()?;
    // Without an IOMMU Xen maps a device's memory only when it is told of the device; with one it knows
    // already and refuses. Either way the memory is there afterwards.
    let address = PciAddress { segment: 0, bus: 0, devfn: slot.devfn };
    if let Err(error) = xen.run(physdev::pci_device_add(address)) {
        log::debug!("shared memory: {error}");
    }
    let range = slot.memory()?;
    if range.end - range.start < DOWNLOAD_LEN as u64 || range.end > DIRECT_MAP_END {
        log::warn!("shared memory at {range:#x?} cannot be used");
        return None;
    }
    log::info!("shared memory at {range:#x?}");
    // SAFETY: the device's own memory, in the first 4 GiB, which are mapped for good; only this task's code uses it.
    Some(unsafe { DeviceMemory::new(range) })
}
