//! Xen's ELF core format, with program headers besides.
//!
//! Xen's own tools find everything by sections: `.note.Xen`, `.xen_prstatus`, `.xen_pages`, `.xen_pfn`. Debuggers look at program
//! headers alone, and read a core of Xen's making as one without memory. Here a file has both, and each ignores the other's: a
//! `PT_LOAD` for every stretch of frames, at its guest-physical address; a `PT_NOTE` over Xen's notes and, behind them,
//! an `NT_PRSTATUS` for every vCPU, which to a debugger is a thread.
//!
//! ```text
//! 0        the ELF header, written last: what was cut short does not pass for a core
//! 4096     .xen_pages: the pages, frames ascending; pages of zeroes are holes in the file
//!          .xen_prstatus, .note.Xen, .note.cpus, .xen_pfn, program headers, .shstrtab, section headers
//! ```
//!
//! Nothing but the stretches and the registers is kept, so any size of domain takes little memory here.

mod headers;
mod notes;
mod tail;

use alloc::boxed::Box;
use alloc::vec::Vec;

pub use notes::XenVersion;
pub use tail::{Piece, Tail};

use crate::{PAGE, REGISTERS};

/// Where the pages begin in the file.
pub const PAGES_AT: u64 = PAGE as u64;

/// Frames in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u64,
    count: u64,
}

/// A core file that is being written.
#[derive(Clone, Debug, Default)]
pub struct CoreFile {
    /// Numbers and registers of the vCPUs.
    vcpus: Vec<(u32, Box<[u8; REGISTERS]>)>,
    runs: Vec<Run>,
    pages: u64,
}

impl CoreFile {
    /// A file without anything.
    #[must_use]
    pub fn new() -> Self {
        CoreFile::default()
    }

    /// Adds a vCPU with its registers.
    pub fn add_vcpu(&mut self, id: u32, registers: &[u8; REGISTERS]) {
        self.vcpus.push((id, Box::new(*registers)));
    }

    /// Adds frames, which follow all that were added before; answers where their bytes belong in the file.
    pub fn add_frames(&mut self, first: u64, count: u64) -> u64 {
        match self.runs.last_mut() {
            Some(last) if last.first + last.count == first => last.count += count,
            _ => self.runs.push(Run { first, count }),
        }
        let at = PAGES_AT + self.pages * PAGE as u64;
        self.pages += count;
        at
    }

    /// How many pages were added.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// All that is to be written besides the pages.
    #[must_use]
    pub fn finish(self, xen: &XenVersion<'_>) -> Tail {
        Tail::new(self, xen)
    }
}
