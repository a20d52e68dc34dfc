//! Physical devices. Source: public/physdev.h.

use xen_abi::Errno;
use xen_abi::physdev::{
    self as abi, Eoi, IrqStatusQuery, MapPirq, PciDevice, PciDeviceAdd, SetupGsi, UnmapPirq,
};

use super::evtchn::PIRQS;
use super::{Answer, Request};
use crate::access::{read, write};

/// # Safety
/// As for [`hypercall::Door::call`].
pub(super) unsafe fn handle(request: Request<'_>) -> Answer {
    let Request { state, args: [command, address, ..], .. } = request;
    let known = |pirq: u32| if pirq < PIRQS { Ok(()) } else { Err(Errno::EINVAL) };
    // SAFETY: each operation takes the structure that public/physdev.h pairs with it.
    unsafe {
        match command as u32 {
            abi::PHYSDEVOP_EOI => known(read::<Eoi>(address)?.irq)?,
            abi::PHYSDEVOP_IRQ_STATUS_QUERY => {
                let mut arg: IrqStatusQuery = read(address)?;
                known(arg.irq)?;
                arg.flags = 0;
                write(address, &arg)?;
            }
            abi::PHYSDEVOP_MAP_PIRQ => {
                let arg: MapPirq = read(address)?;
                state.domain(arg.domid)?;
                if arg.r#type != abi::MAP_PIRQ_TYPE_GSI {
                    return Err(Errno::EINVAL);
                }
                known(arg.index as u32)?;
                write(address, &MapPirq { pirq: arg.index, ..arg })?;
            }
            abi::PHYSDEVOP_UNMAP_PIRQ => known(read::<UnmapPirq>(address)?.pirq as u32)?,
            abi::PHYSDEVOP_SETUP_GSI => known(read::<SetupGsi>(address)?.gsi as u32)?,
            abi::PHYSDEVOP_PCI_MMCFG_RESERVED => {}
            abi::PHYSDEVOP_PCI_DEVICE_ADD => {
                let arg: PciDeviceAdd = read(address)?;
                state.pci.push((arg.seg, arg.bus, arg.devfn));
            }
            abi::PHYSDEVOP_PCI_DEVICE_REMOVE => {
                let arg: PciDevice = read(address)?;
                let device = (arg.seg, arg.bus, arg.devfn);
                let n = state.pci.iter().position(|known| *known == device).ok_or(Errno::ENODEV)?;
                state.pci.remove(n);
            }
            _ => return Err(Errno::ENOSYS),
        }
    }
    Ok(0)
}
