//! What Xen keeps of a domain.

use std::collections::BTreeMap;

use xen_abi::arch_x86::save::{HwCpu, HwMtrr};
use xen_abi::domctl::{SchedRtds, XEN_DOMCTL_SCHEDRT_EXTRA};
use xen_abi::memory::E820Entry;
use xen_abi::{DomId, Gfn, Mfn};
use zerocopy::FromZeros;

use crate::ports::Ports;

/// Pages of Xen's own that a domain costs, beside its memory and its pool.
pub(crate) const DOMAIN_OVERHEAD: u64 = 8;
/// Pages of Xen's own that a vCPU costs.
pub(crate) const VCPU_OVERHEAD: u64 = 6;

/// Weight and cap of a domain that nobody set.
pub(crate) const DEFAULT_SHARE: (u16, u16) = (256, 0);
/// Time of a vCPU that nobody set, under RTDS.
pub(crate) const DEFAULT_BUDGET: SchedRtds =
    SchedRtds { period: 10_000, budget: 4_000, flags: XEN_DOMCTL_SCHEDRT_EXTRA };

pub(crate) struct Domain {
    pub(crate) handle: [u8; 16],
    pub(crate) ssidref: u32,
    pub(crate) flags: u32,
    pub(crate) emulation: u32,
    pub(crate) cpupool: u32,
    pub(crate) max_vcpus: u32,
    pub(crate) vcpus: Vec<Vcpu>,
    pub(crate) pauses: u32,
    pub(crate) shutdown: Option<u32>,
    pub(crate) dying: bool,
    pub(crate) max_pages: u64,
    pub(crate) memory: BTreeMap<Gfn, Frame>,
    /// How many frames of `memory` are its own.
    pub(crate) pages: u64,
    pub(crate) memory_map: Vec<E820Entry>,
    pub(crate) params: BTreeMap<u32, u64>,
    pub(crate) ports: Ports,
    /// Pages of the pool for nested page tables.
    pub(crate) pool: u64,
    pub(crate) tsc_mode: u32,
    pub(crate) time_offset: i64,
    /// Its weight and its cap, under credit and credit2.
    pub(crate) share: (u16, u16),
    pub(crate) max_grant_frames: u32,
    pub(crate) grant_version: u32,
    /// Its grant table's first frame, once somebody has asked for it.
    pub(crate) grant_table: Option<Mfn>,
    /// Has it ever been let run?
    pub(crate) started: bool,
}

/// A frame of a domain's physical address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Frame {
    /// Its own memory.
    Own {
        mfn: Mfn,
        /// How often others have it mapped.
        mapped: u32,
    },
    /// Its grant table's first frame.
    Grants {
        mfn: Mfn,
        /// How often others have it mapped.
        mapped: u32,
    },
    /// Memory of another domain.
    Foreign(DomId, Gfn),
    /// A page of Xen's, such as the shared info page.
    Special,
}

#[derive(Clone)]
pub(crate) struct Vcpu {
    /// Is it up? Loading its registers brings it up.
    pub(crate) up: bool,
    /// Is it on a CPU at this moment? No guest code runs here, so a test says so.
    pub(crate) running: bool,
    /// The CPU that it ran on last.
    pub(crate) processor: u32,
    pub(crate) cpu: HwCpu,
    pub(crate) mtrr: HwMtrr,
    pub(crate) hard: Vec<u8>,
    pub(crate) soft: Vec<u8>,
    /// Processor time used, in nanoseconds.
    pub(crate) cpu_time: u64,
    /// Its time under RTDS.
    pub(crate) rtds: SchedRtds,
}

/// Every CPU that Xen could ever know of.
fn every_cpu() -> Vec<u8> {
    vec![0xff; 32]
}

impl Vcpu {
    pub(crate) fn new() -> Self {
        let mut cpu = HwCpu::new_zeroed();
        // What a processor has after reset, as far as anybody looks.
        cpu.rflags = 2;
        cpu.cr0 = 0x6000_0010;
        cpu.rip = 0xfff0;
        cpu.dr6 = 0xffff_0ff0;
        cpu.dr7 = 0x400;
        let mut mtrr = HwMtrr::new_zeroed();
        mtrr.msr_pat_cr = 0x0007_0406_0007_0406;
        mtrr.msr_mtrr_cap = 0x508;
        Vcpu {
            up: false,
            running: false,
            processor: 0,
            cpu_time: 0,
            cpu,
            mtrr,
            hard: every_cpu(),
            soft: every_cpu(),
            rtds: DEFAULT_BUDGET,
        }
    }
}

impl Domain {
    pub(crate) fn hvm(&self) -> bool {
        self.flags & xen_abi::domctl::XEN_DOMCTL_CDF_HVM != 0
    }

    /// It comes to another pool, whose scheduler knows nothing of it, and on whose CPUs it may run anywhere.
    pub(crate) fn schedule_anew(&mut self) {
        self.share = DEFAULT_SHARE;
        for vcpu in &mut self.vcpus {
            vcpu.rtds = DEFAULT_BUDGET;
            (vcpu.hard, vcpu.soft) = (every_cpu(), every_cpu());
        }
    }

    /// Could a vCPU of it run at this moment?
    pub(crate) fn running(&self) -> bool {
        self.pauses == 0 && self.shutdown.is_none() && !self.dying && self.vcpus.iter().any(|v| v.up)
    }
}
