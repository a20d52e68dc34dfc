//! The page tables: everything at its physical address, nothing both writable and executable.
//!
//! Memory is mapped with 2 MiB pages, except where the image lies: there each section has its own
//! rights, page by page, and the page below the stack is missing. So is page 0. Guest frames that are
//! not populated (the aperture) are mapped too: what is put there later is reachable at once, and a
//! stray access to an empty frame ends in Xen's fault, not in somebody's memory.

use core::ops::Range;

use x86_64::PhysAddr;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::{PageTable, PageTableEntry, PageTableFlags as Flags};

use crate::layout;
use crate::ram::Ram;

/// A 4 KiB page.
pub const PAGE: u64 = 4096;
/// Addresses below this are mapped one to one: 4 GiB.
pub const DIRECT_MAP_END: u64 = 4 << 30;
/// A 2 MiB page.
pub const LARGE_PAGE: u64 = 2 << 20;

const DATA: Flags = Flags::PRESENT.union(Flags::WRITABLE).union(Flags::NO_EXECUTE);
const DEVICE: Flags = DATA.union(Flags::NO_CACHE).union(Flags::WRITE_THROUGH);

/// The kernel's address space while it is being built.
pub struct AddressSpace<'r> {
    ram: &'r mut Ram,
    root: &'static mut PageTable,
}

impl<'r> AddressSpace<'r> {
    /// Maps the first 4 GiB (memory as data, the image section by section) and leaves out page 0 and the
    /// stack's guard page.
    pub fn new(ram: &'r mut Ram) -> Self {
        let root = new_table(ram);
        let mut space = Self { ram, root };
        space.map_large(0..DIRECT_MAP_END, DATA);
        let image = layout::image();
        for section in image.start / LARGE_PAGE..image.end.div_ceil(LARGE_PAGE) {
            space.split(section * LARGE_PAGE);
        }
        space.split(0);
        for (range, flags) in [
            (layout::text(), Flags::PRESENT),
            (layout::rodata(), Flags::PRESENT | Flags::NO_EXECUTE),
            (layout::data(), DATA),
            (layout::guard(), Flags::empty()),
            (0..PAGE, Flags::empty()),
        ] {
            space.set_pages(range, flags);
        }
        space
    }

    /// Maps 2 MiB pages one to one, as memory.
    pub fn map_data(&mut self, range: Range<u64>) {
        self.map_large(range, DATA);
    }

    /// Marks the 2 MiB pages around `range` as device memory: not cached.
    pub fn map_device(&mut self, range: Range<u64>) {
        self.map_large(range.start / LARGE_PAGE * LARGE_PAGE..range.end.next_multiple_of(LARGE_PAGE), DEVICE);
    }

    /// Makes this the address space that the processor uses.
    pub fn activate(self) {
        let root = PhysAddr::new(&raw const *self.root as u64);
        // SAFETY: 1. `new` maps the running code, its data and its stack where they are now.
        // 2. Every table came from `Ram` and is never given back.
        unsafe { Cr3::write(PhysFrame::containing_address(root), Cr3Flags::empty()) };
    }

    fn map_large(&mut self, range: Range<u64>, flags: Flags) {
        for address in range.step_by(LARGE_PAGE as usize) {
            self.directory_entry(address).set_addr(PhysAddr::new(address), flags | Flags::HUGE_PAGE);
        }
    }

    /// Replaces a 2 MiB page by 512 pages with the same rights.
    fn split(&mut self, address: u64) {
        let table = new_table(self.ram);
        for (i, entry) in table.iter_mut().enumerate() {
            entry.set_addr(PhysAddr::new(address + i as u64 * PAGE), DATA);
        }
        let table = PhysAddr::new(&raw const *table as u64);
        self.directory_entry(address).set_addr(table, Flags::PRESENT | Flags::WRITABLE);
    }

    fn set_pages(&mut self, range: Range<u64>, flags: Flags) {
        for address in range.step_by(PAGE as usize) {
            let entry = self.directory_entry(address);
            let index = (address / PAGE % 512) as usize;
            next_table(entry)[index].set_addr(PhysAddr::new(address), flags);
        }
    }

    fn directory_entry(&mut self, address: u64) -> &mut PageTableEntry {
        let pointers = table_below(self.ram, &mut self.root[(address >> 39 & 511) as usize]);
        let directory = table_below(self.ram, &mut pointers[(address >> 30 & 511) as usize]);
        &mut directory[(address >> 21 & 511) as usize]
    }
}

fn new_table(ram: &mut Ram) -> &'static mut PageTable {
    let frame = ram.take_pages(1) as *mut PageTable;
    // SAFETY: the frame is ours alone for good, is mapped one to one, and is large and aligned enough.
    unsafe {
        frame.write(PageTable::new());
        &mut *frame
    }
}

fn table_below<'e>(ram: &mut Ram, entry: &'e mut PageTableEntry) -> &'e mut PageTable {
    if entry.is_unused() {
        let table = PhysAddr::new(&raw const *new_table(ram) as u64);
        entry.set_addr(table, Flags::PRESENT | Flags::WRITABLE);
    }
    next_table(entry)
}

fn next_table(entry: &mut PageTableEntry) -> &mut PageTable {
    // SAFETY: 1. Entries that point to tables are made only in this file, from `new_table`. 2. A table
    // hangs under exactly one entry, so borrowing the entry mutably borrows the table.
    unsafe { &mut *(entry.addr().as_u64() as *mut PageTable) }
}
