//! What images on their way in need of this machine: the shared memory, a task, the time.

use alloc::rc::Rc;
use core::cell::OnceCell;

use hypercall::calls::physdev::{self, PciAddress};
use proto::error::ImageError;
use proto::image::{ImageOffer, Upload};
use uploads::{Begun, PATIENCE_NS, SHARED_LEN};

use crate::device_memory::DeviceMemory;
use crate::paging::DIRECT_MAP_END;
use crate::system::System;
use crate::{executor, pci};

/// This machine's shared memory, if it has any; looked for when first needed, since looking costs exits.
pub type SharedMemory = OnceCell<Option<Rc<DeviceMemory>>>;

/// Announces an image: claims memory for it and begins to take it in.
///
/// # Errors
/// See [`ImageError`].
pub fn begin(system: &'static System, offer: &ImageOffer) -> Result<Upload, ImageError> {
    let shared = || system.shared_memory.get_or_init(|| find_shared_memory(system).map(Rc::new)).clone();
    let transfer = match system.uploads.begin(&system.toolstack, &system.line, offer, shared)? {
        Begun::Present => return Ok(Upload::Present),
        Begun::Later => return Ok(Upload::Later),
        Begun::Transfer(transfer) => transfer,
    };
    let way = transfer.way();
    let patience = async || system.clock.sleep_until(system.clock.now_ns() + PATIENCE_NS).await;
    executor::spawn(transfer.run(executor::yield_now, patience)).detach();
    Ok(way)
}

fn find_shared_memory(system: &System) -> Option<DeviceMemory> {
    let slot = pci::find_shared_memory()?;
    // Without an IOMMU Xen maps a device's memory only when it is told of the device; with one it knows
    // already and refuses. Either way the memory is there afterwards.
    let address = PciAddress { segment: 0, bus: 0, devfn: slot.devfn };
    if let Err(error) = system.xen.run(physdev::pci_device_add(address)) {
        log::debug!("shared memory: {error}");
    }
    let range = slot.memory()?;
    if range.end - range.start < SHARED_LEN as u64 || range.end > DIRECT_MAP_END {
        log::warn!("shared memory at {range:#x?} cannot be used");
        return None;
    }
    log::info!("shared memory at {range:#x?}");
    // SAFETY: the device's own memory, in the first 4 GiB, which are mapped for good; only this task's code uses it.
    Some(unsafe { DeviceMemory::new(range) })
}
