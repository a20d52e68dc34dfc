//! What we were told at the start: command line and boot module.
//!
//! Xen starts domain 0 with version 0 of the structure (no memory map) and at most one module, which lies anywhere:
//! above the image on 4.17, below it on 4.20. Source: public/arch-x86/hvm/start_info.h.

use core::ffi::CStr;
use core::ops::Range;
use core::slice;

use xen_abi::hvm::start_info::{ModlistEntry, StartInfo, XEN_HVM_START_MAGIC_VALUE};

use crate::cmdline::CommandLine;
use crate::paging::{DIRECT_MAP_END, PAGE};

/// What we were told at the start.
pub struct BootInfo {
    /// Our words; Xen does not put the image's name before them.
    pub cmdline: CommandLine,
    /// Where the boot module lies, as physical addresses.
    pub module: Option<Range<u64>>,
    /// Where all this is written.
    pub itself: Range<u64>,
}

impl BootInfo {
    /// Reads what the loader left at `address`.
    ///
    /// # Safety
    /// `address` is what ebx held at the start; everything is mapped where it was then and not written to.
    ///
    /// # Panics
    /// If there is no start info: no PVH loader started us.
    pub unsafe fn read(address: u64) -> Self {
        // SAFETY: the caller; version 0 is 16 bytes shorter, but what follows it in the page is memory too.
        let info = unsafe { (address as *const StartInfo).read_unaligned() };
        assert!(info.magic == XEN_HVM_START_MAGIC_VALUE, "no hvm_start_info at {address:#x}");
        let module = (info.nr_modules > 0).then(|| {
            // SAFETY: the caller; the list has at least one entry.
            let entry = unsafe { (info.modlist_paddr.0 as *const ModlistEntry).read_unaligned() };
            entry.paddr.0..entry.paddr.0.saturating_add(entry.size)
        });
        let mut start = address;
        let mut end = address + size_of::<StartInfo>() as u64;
        let mut cmdline = CommandLine::new(b"");
        if info.cmdline_paddr.0 != 0 {
            // SAFETY: the caller; the loader ended the text with a zero byte.
            let text = unsafe { CStr::from_ptr(info.cmdline_paddr.0 as *const _) };
            start = start.min(info.cmdline_paddr.0);
            end = end.max(info.cmdline_paddr.0 + text.count_bytes() as u64 + 1);
            cmdline = CommandLine::new(text.to_bytes());
        }
        // Xen puts all of it side by side; a page more is cheaper than being wrong.
        Self { cmdline, module, itself: start / PAGE * PAGE..end.next_multiple_of(PAGE) + PAGE }
    }

    /// The boot module's bytes.
    pub fn module_bytes(&self) -> Option<&'static [u8]> {
        let module = self.module.clone()?;
        if module.start == 0 || module.end > DIRECT_MAP_END {
            return None;
        }
        // SAFETY: 1. `read`'s caller vouched for the range. 2. memory.rs keeps it out of what is handed out, so nobody
        // ever writes to it. 3. The first 4 GiB, where it lies, stay mapped one to one.
        Some(unsafe {
            slice::from_raw_parts(module.start as *const u8, (module.end - module.start) as usize)
        })
    }
}
