//! The boot block: everything small that the guest finds when it starts, in one or two pages.
//!
//! Start info, list of modules, memory map, command line, ACPI tables, one after the other.

use alloc::vec::Vec;
use core::ops::Range;

use xen_abi::GuestPhys;
use xen_abi::hvm::start_info::{MemmapTableEntry, ModlistEntry, StartInfo, XEN_HVM_START_MAGIC_VALUE};
use xen_abi::memory::E820Entry;
use zerocopy::IntoBytes;

use crate::acpi;

/// Room for this many entries of the memory map, so that the block's size does not depend on where it lies.
pub(crate) const MAX_MAP: usize = 5;

/// What is in the block.
pub(crate) struct Contents<'a> {
    pub(crate) cmdline: &'a str,
    /// Where the ramdisk lies, in bytes.
    pub(crate) ramdisk: Option<Range<u64>>,
    pub(crate) map: &'a [E820Entry],
    pub(crate) vcpus: u32,
}

impl Contents<'_> {
    /// The block, to lie at `base`, which starts a page.
    pub(crate) fn bytes(&self, base: u64) -> Vec<u8> {
        let modlist_at = size_of::<StartInfo>();
        let map_at = modlist_at + size_of::<ModlistEntry>();
        let cmdline_at = map_at + MAX_MAP * size_of::<MemmapTableEntry>();
        let acpi_at = (cmdline_at + self.cmdline.len() + 1).next_multiple_of(16);
        let address = |at: usize| GuestPhys(base + at as u64);
        let none = GuestPhys(0);

        let start_info = StartInfo {
            magic: XEN_HVM_START_MAGIC_VALUE,
            version: 1,
            flags: 0,
            nr_modules: u32::from(self.ramdisk.is_some()),
            modlist_paddr: if self.ramdisk.is_some() { address(modlist_at) } else { none },
            cmdline_paddr: address(cmdline_at),
            rsdp_paddr: address(acpi_at),
            memmap_paddr: address(map_at),
            memmap_entries: self.map.len() as u32,
            reserved: 0,
        };
        let ramdisk = self.ramdisk.clone().unwrap_or_default();
        let module = ModlistEntry {
            paddr: GuestPhys(ramdisk.start),
            size: ramdisk.end - ramdisk.start,
            cmdline_paddr: none,
            reserved: 0,
        };

        let mut out = Vec::with_capacity(acpi_at);
        out.extend_from_slice(start_info.as_bytes());
        out.extend_from_slice(module.as_bytes());
        for entry in self.map {
            let addr = GuestPhys(entry.addr());
            let entry = MemmapTableEntry { addr, size: entry.size(), r#type: entry.r#type, reserved: 0 };
            out.extend_from_slice(entry.as_bytes());
        }
        out.resize(cmdline_at, 0);
        out.extend_from_slice(self.cmdline.as_bytes());
        out.resize(acpi_at, 0);
        out.extend(acpi::tables(base + acpi_at as u64, self.vcpus));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_info_is_these_bytes() {
        let map = [E820Entry::new(0, 0x3f_f000, 1)];
        let contents = Contents { cmdline: "hi", ramdisk: Some(0x30_0000..0x30_0123), map: &map, vcpus: 1 };
        let bytes = contents.bytes(0x3f_f000);
        let words: Vec<u64> =
            bytes[..88].chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
        let start_info = [
            0x1_336e_c578, // magic, version 1
            0x1_0000_0000, // no flags, one module
            0x3f_f038,     // the list of modules
            0x3f_f0d0,     // the command line
            0x3f_f0e0,     // the RSDP
            0x3f_f058,     // the memory map
            1,             // its entries
        ];
        let module = [0x30_0000, 0x123, 0, 0];
        assert_eq!(words, [&start_info[..], &module].concat());
        assert_eq!(bytes[0xd0..0xd3], *b"hi\0");
        assert!(bytes[0xe0..].starts_with(b"RSD PTR "));
    }

    #[test]
    fn its_size_does_not_depend_on_its_place() {
        let map = [E820Entry::new(0, 1, 1); MAX_MAP];
        for entries in 0..=MAX_MAP {
            let contents = Contents { cmdline: "", ramdisk: None, map: &map[..entries], vcpus: 9 };
            assert_eq!(contents.bytes(0).len(), contents.bytes(0x3fff_f000).len());
            let empty = Contents { map: &[], ..contents };
            assert_eq!(empty.bytes(0).len(), empty.bytes(0xfbff_f000).len());
        }
    }
}
