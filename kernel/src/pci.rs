//! Just enough PCI to find one device: the lab's shared memory.

use core::ops::Range;

use x86_64::instructions::port::Port;

/// QEMU's inter-VM shared memory device: vendor 1af4, device 1110.
const IVSHMEM: u32 = 0x1110_1af4;
/// Base address register 2: the shared memory itself.
const BAR2: u8 = 0x18;
/// A base address register that spans 64 bits.
const BAR_64_BIT: u32 = 0b100;
const MEMORY_SPACE: u32 = 1 << 1;

/// A place on bus 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Device (bits 7 to 3) and function (bits 2 to 0).
    pub devfn: u8,
}

/// Finds the lab's shared memory device. Costs two exits a slot: done when first needed, not at boot.
pub fn find_shared_memory() -> Option<Slot> {
    (0..32).map(|device| Slot { devfn: device << 3 }).find(|slot| slot.read(0) == IVSHMEM)
}

impl Slot {
    /// Where the device's memory is. The size comes from the device, by the usual way: writing ones.
    pub fn memory(self) -> Option<Range<u64>> {
        let (low, high) = (self.read(BAR2), self.read(BAR2 + 4));
        let high = if low & BAR_64_BIT == 0 { 0 } else { high };
        let base = u64::from(high) << 32 | u64::from(low & !0xf);
        let command = self.read(4);
        self.write(4, command & !MEMORY_SPACE);
        self.write(BAR2, !0);
        let size = u64::from(!(self.read(BAR2) & !0xf)) + 1;
        self.write(BAR2, low);
        self.write(4, command | MEMORY_SPACE);
        (base != 0 && size <= 1 << 31).then_some(base..base + size)
    }

    fn read(self, register: u8) -> u32 {
        self.select(register);
        // SAFETY: the data port of configuration mechanism 1; reading the registers of this file changes nothing.
        unsafe { Port::new(0xcfc).read() }
    }

    fn write(self, register: u8, value: u32) {
        self.select(register);
        // SAFETY: as above; only the command and base address registers of our device are written.
        unsafe { Port::new(0xcfc).write(value) };
    }

    fn select(self, register: u8) {
        let address = 1 << 31 | u32::from(self.devfn) << 8 | u32::from(register & !3);
        // SAFETY: the address port of configuration mechanism 1; interrupts are off, so the pair is not split.
        unsafe { Port::new(0xcf8).write(address) };
    }
}
