//! The first I/O APIC (Xen's emulation of it for a PVH domain 0) and our local APIC.
//!
//! Sources: Intel 82093AA data sheet; Xen `docs/misc/pvh`. With an IOMMU an unmasked pin interrupts as on
//! bare metal. Without one Xen's emulation only notes which pins are unmasked, and the line is had as an
//! event channel (`EVTCHNOP_bind_pirq`).

use crate::interrupts::SPURIOUS_VECTOR;

const IO_APIC: u64 = 0xfec0_0000;
const LOCAL_APIC: u64 = 0xfee0_0000;
/// The register that turns a local APIC on, and says which vector is the spurious one.
const SPURIOUS: u64 = 0xf0;
const APIC_ENABLE: u32 = 1 << 8;

/// The device memory that this module touches.
pub const RANGE: core::ops::Range<u64> = IO_APIC..LOCAL_APIC + 0x1000;

/// Turns our local APIC on, so that it takes what the I/O APIC sends.
pub fn enable_local() {
    let value = APIC_ENABLE | u32::from(SPURIOUS_VECTOR);
    // SAFETY: the register exists in every local APIC, and is mapped as device memory (memory.rs); all that the APIC
    // may send has an entry in the interrupt table.
    unsafe { ((LOCAL_APIC + SPURIOUS) as *mut u32).write_volatile(value) };
}

/// Lets `pin` interrupt vCPU 0 at `vector`: edge triggered, active high, as ISA lines are.
pub fn unmask(pin: u8, vector: u8) {
    let low = 0x10 + u32::from(pin) * 2;
    write(low + 1, 0);
    write(low, u32::from(vector));
}

fn write(register: u32, value: u32) {
    // SAFETY: the I/O APIC's two registers, select and window, mapped as device memory (memory.rs); nobody else
    // in this kernel uses them.
    unsafe {
        (IO_APIC as *mut u32).write_volatile(register);
        ((IO_APIC + 0x10) as *mut u32).write_volatile(value);
    }
}
