//! Memory at boot: asks Xen what there is, builds the page tables, starts the heap.

use core::ops::Range;

use xen_abi::memory::{E820_RAM, E820Entry};

use crate::boot_info::BootInfo;
use crate::machine::Machine;
use crate::paging::AddressSpace;
use crate::ram::Ram;
use crate::{early, heap, ioapic};

/// Room for mappings of guests' frames and for images: physical addresses without memory behind them.
const APERTURE_SIZE: u64 = 4 << 30;
/// The most entries of a memory map that we look at.
const MAP_ENTRIES: usize = 128;
const GIB: u64 = 1 << 30;

/// Takes possession of the memory. Returns the machine with its aperture.
pub fn init(boot: &BootInfo) -> Machine {
    let mut map = [E820Entry::new(0, 0, 0); MAP_ENTRIES];
    let count = early::memory_map(&mut map);
    let map = &map[..count];
    let usable = map.iter().filter(|entry| entry.r#type == E820_RAM).map(range_of);
    let taken = [boot.itself.clone(), boot.module.clone().unwrap_or(0..0)];
    let mut ram = Ram::new(usable, &taken);
    let aperture = aperture_above(map);
    let mut space = AddressSpace::new(&mut ram);
    space.map_data(aperture.clone());
    // A guest of ours has no I/O APIC, and its ring pages lie in the same 2 MiB as the local one.
    if !boot.cmdline.is_guest() {
        space.map_device(ioapic::RANGE);
    }
    space.activate();
    heap::init(&mut ram);
    // SAFETY: just mapped for good, and `aperture_above` chose it clear of everything.
    unsafe { Machine::new(aperture) }
}

/// Addresses above everything that the memory map mentions below 1 TiB, which every processor that can run Xen
/// reaches. Entries beyond (AMD's HyperTransport hole) are none of our business.
fn aperture_above(map: &[E820Entry]) -> Range<u64> {
    let ends = map.iter().map(|entry| range_of(entry).end).filter(|&end| end <= 256 * GIB);
    // A gap of 16 GiB leaves room for devices that firmware put above memory without telling.
    let start = ends.max().unwrap_or(0).max(4 * GIB).next_multiple_of(GIB) + 16 * GIB;
    start..start + APERTURE_SIZE
}

fn range_of(entry: &E820Entry) -> Range<u64> {
    entry.addr()..entry.addr().saturating_add(entry.size())
}
