//! Everything that is decided before Xen is asked for anything.

mod populate;

use alloc::vec::Vec;
use core::ops::Range;

use image::KernelHeaders;
use xen_abi::domctl::{SchedCredit, SchedCredit2, SchedRtds};
use xen_abi::memory::E820Entry;
use xen_abi::{Bytes, Gfn, KiB, Pages, VcpuId};

pub(crate) use populate::Extents;

use crate::block::{Contents, MAX_MAP};
use crate::context;
use crate::fill::{Filling, Source};
use crate::layout::{CONSOLE, FreeSpace, HOLE, IDENT_PT, Memory, PAGE, STORE};

/// The most vCPUs that a guest may have: as many as have local APICs below 255.
pub const MAX_VCPUS: u32 = 128;
/// The longest command line, in bytes. Linux takes 2047.
pub const MAX_CMDLINE: usize = 16 << 10;
/// The most memory that a guest may have: 16 TiB, so that no address overflows anything.
pub const MAX_MEMORY: KiB = KiB(1 << 34);

/// Pages that a guest has beside its memory: its rings, and page tables that some processors need.
pub const SPECIAL_PAGES: Pages = Pages(populate::SPECIAL.len() as u64);

/// Memory over its own that a domain may have, as xl allows it: special pages, and what guests balloon for
/// grants.
const SLACK: KiB = KiB(1024);
/// Pages that Xen keeps for a domain and for each of its vCPUs beside its memory: estimated high.
const DOMAIN_OVERHEAD: u64 = 320;
const VCPU_OVERHEAD: u64 = 24;

/// What a guest is to be.
#[derive(Clone, Copy, Debug)]
pub struct PlanInput<'a> {
    /// What its kernel asks for.
    pub kernel: &'a KernelHeaders,
    /// How many bytes its ramdisk has; none, or zero: there is none.
    pub ramdisk_len: Option<u64>,
    /// Its command line, without zero bytes; what follows one is cut off.
    pub cmdline: &'a str,
    /// Its memory at start. Rounded down to whole pages.
    pub memory: KiB,
    /// The most memory that it may ever have.
    pub max_memory: KiB,
    /// vCPUs online at start.
    pub vcpus: u32,
    /// vCPUs that it may ever have.
    pub max_vcpus: u32,
    /// The CPUs that its first vCPUs may run on: a bit each, the lowest bit of the first byte is CPU 0. Of one that has no set, or
    /// an empty one, nothing is demanded.
    pub cpus: &'a [Vec<u8>],
    /// The CPUs that its first vCPUs are to prefer, as `cpus`.
    pub preferred: &'a [Vec<u8>],
    /// The CPU pool that it is to be in.
    pub pool: u32,
    /// How much it is to run; without it, as its scheduler sees fit.
    pub share: Option<&'a Share>,
}

/// How much a guest is to run, in its scheduler's terms.
#[derive(Clone, Debug)]
pub enum Share {
    /// Under credit.
    Credit(SchedCredit),
    /// Under credit2.
    Credit2(SchedCredit2),
    /// Under rtds: its first vCPUs' budgets.
    Rtds(Vec<SchedRtds>),
}

/// Where a vCPU may run, and where it is to run if it can; a set without CPUs demands nothing.
#[derive(Clone, Debug)]
pub(crate) struct Pinned {
    pub(crate) vcpu: VcpuId,
    pub(crate) hard: Vec<u8>,
    pub(crate) soft: Vec<u8>,
}

/// Why a guest cannot be built like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No memory at all was asked for.
    #[error("{} KiB of memory are too little: at least {} KiB are needed", .asked.0, .least.0)]
    TooLittleMemory {
        /// What was asked for.
        asked: KiB,
        /// What is enough for kernel, ramdisk and tables.
        least: KiB,
    },
    /// More memory than [`MAX_MEMORY`].
    #[error("{} KiB of memory are too much: at most {} KiB are possible", .asked.0, MAX_MEMORY.0)]
    TooMuchMemory {
        /// What was asked for.
        asked: KiB,
    },
    /// No vCPU, or more than [`MAX_VCPUS`].
    #[error("{asked} vCPUs: 1 to {MAX_VCPUS} are possible")]
    BadVcpus {
        /// What was asked for.
        asked: u32,
    },
    /// A maximum is below what it starts with.
    #[error("the maximum is below what the guest starts with")]
    MaxBelowStart,
    /// The command line is longer than [`MAX_CMDLINE`].
    #[error("the command line has {len} bytes, and at most {MAX_CMDLINE} are possible")]
    CmdlineTooLong {
        /// Its length.
        len: usize,
    },
    /// Kernel, ramdisk and tables do not fit into the memory.
    #[error("kernel, ramdisk and tables take {} KiB, and there are {} KiB", .needed.0, .memory.0)]
    DoesNotFit {
        /// How much memory is enough.
        needed: KiB,
        /// How much there is.
        memory: KiB,
    },
    /// A segment of the kernel lies where no guest has memory: at 0xfc000000 or above.
    #[error("the kernel's segment of {size} bytes at {address:#x} lies where no memory is")]
    BadSegment {
        /// Its physical address.
        address: u64,
        /// Its size in memory.
        size: u64,
    },
}

/// All that is to be done to build a guest.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) map: Vec<E820Entry>,
    pub(crate) extents: Vec<Extents>,
    pub(crate) filling: Filling,
    pub(crate) records: Vec<u8>,
    pub(crate) pool: Bytes,
    pub(crate) max_memory: KiB,
    pub(crate) max_vcpus: u32,
    /// vCPUs of which something is demanded.
    pub(crate) pins: Vec<Pinned>,
    pub(crate) cpupool: u32,
    pub(crate) share: Option<Share>,
    memory: Pages,
}

impl Plan {
    /// Decides where everything goes.
    ///
    /// # Errors
    /// [`PlanError`]: it is impossible, and why.
    pub fn new(input: &PlanInput<'_>) -> Result<Self, PlanError> {
        check(input)?;
        let memory_pages = Pages(input.memory.0 / 4);
        let memory = Memory::new(memory_pages.bytes());
        let placed = Placed::new(input, &memory)?;
        let map = memory.map(&placed.block);
        let block = placed.contents(input, &map).bytes(placed.block.start);
        Ok(Plan {
            extents: populate::extents(&memory),
            records: context::records(input.kernel.entry(), placed.block.start, input.max_vcpus),
            filling: filling(input, &placed, block),
            map,
            pool: paging_pool(input.max_memory, input.max_vcpus),
            max_memory: memory_limit(input.max_memory),
            max_vcpus: input.max_vcpus,
            pins: pins(input),
            cpupool: input.pool,
            share: input.share.cloned(),
            memory: memory_pages,
        })
    }

    /// How much of the host's memory the guest will take, all included: compare it with what is free before a
    /// domain is made.
    #[must_use]
    pub fn host_memory(&self) -> Pages {
        let overhead = DOMAIN_OVERHEAD + VCPU_OVERHEAD * u64::from(self.max_vcpus);
        Pages(self.memory.0 + populate::SPECIAL.len() as u64 + self.pool.pages_up().0 + overhead)
    }

    /// How many bytes will be written, zeroes included: what progress is measured by.
    #[must_use]
    pub fn bytes_to_write(&self) -> u64 {
        self.filling.pages().bytes().0
    }

    /// Where the console's ring is.
    #[must_use]
    pub fn console(&self) -> Gfn {
        CONSOLE
    }

    /// Where xenstore's ring is.
    #[must_use]
    pub fn store(&self) -> Gfn {
        STORE
    }
}

fn check(input: &PlanInput<'_>) -> Result<(), PlanError> {
    for asked in [input.vcpus, input.max_vcpus] {
        if !(1..=MAX_VCPUS).contains(&asked) {
            return Err(PlanError::BadVcpus { asked });
        }
    }
    if input.max_vcpus < input.vcpus || input.max_memory < input.memory {
        return Err(PlanError::MaxBelowStart);
    }
    if input.max_memory > MAX_MEMORY {
        return Err(PlanError::TooMuchMemory { asked: input.max_memory });
    }
    if input.cmdline.len() > MAX_CMDLINE {
        return Err(PlanError::CmdlineTooLong { len: input.cmdline.len() });
    }
    match input.kernel.segments().iter().find(|segment| segment.end() > HOLE) {
        Some(segment) => Err(PlanError::BadSegment { address: segment.address, size: segment.memory_size }),
        None => Ok(()),
    }
}

/// The pool that the nested page tables of a guest take: a page maps 2 MiB in small pages, and the guest may break up all
/// large ones; each vCPU has a few of its own. 1 MiB is what Xen gives without being asked, and hardly any guest needs more.
#[must_use]
pub fn paging_pool(max_memory: KiB, max_vcpus: u32) -> Bytes {
    let memory_mib = max_memory.0.div_ceil(1024);
    Pages(256 + memory_mib + 16 * u64::from(max_vcpus.saturating_sub(1))).bytes()
}

/// What Xen is told that a guest may have, where it may have `max_memory`: there are pages beside its memory.
#[must_use]
pub fn memory_limit(max_memory: KiB) -> KiB {
    KiB(max_memory.0.saturating_add(SLACK.0))
}

fn pins(input: &PlanInput<'_>) -> Vec<Pinned> {
    let set = |sets: &[Vec<u8>], vcpu: u32| sets.get(vcpu as usize).cloned().unwrap_or_default();
    (0..input.max_vcpus)
        .map(|n| Pinned { vcpu: VcpuId(n), hard: set(input.cpus, n), soft: set(input.preferred, n) })
        .filter(|pin| demanded(&pin.hard).or(demanded(&pin.soft)).is_some())
        .collect()
}

/// A set, unless there is no CPU in it.
pub(crate) fn demanded(set: &[u8]) -> Option<&[u8]> {
    set.iter().any(|&byte| byte != 0).then_some(set)
}

/// Where ramdisk and boot block lie, in bytes.
struct Placed {
    ramdisk: Option<Range<u64>>,
    block: Range<u64>,
}

impl Placed {
    fn new(input: &PlanInput<'_>, memory: &Memory) -> Result<Self, PlanError> {
        let mut placed = Placed { ramdisk: None, block: 0..0 };
        let ramdisk_len = input.ramdisk_len.unwrap_or(0);
        let mut contents = placed.contents(input, &[]);
        // Its size must be known before its place is, and is the same anywhere.
        contents.ramdisk = (ramdisk_len > 0).then_some(0..ramdisk_len);
        let block_len = contents.bytes(0).len() as u64;

        let needed = needed(input, ramdisk_len, block_len);
        let refused = if input.memory.0 == 0 {
            PlanError::TooLittleMemory { asked: input.memory, least: needed }
        } else {
            PlanError::DoesNotFit { needed, memory: input.memory }
        };
        let mut space = FreeSpace::new(memory);
        for segment in input.kernel.segments() {
            if segment.end() > memory.low_end {
                return Err(refused);
            }
            space.remove(&(segment.address..segment.end()));
        }
        placed.block = space.take(block_len).ok_or(refused)?;
        if ramdisk_len > 0 {
            let pages = space.take(ramdisk_len).ok_or(refused)?;
            placed.ramdisk = Some(pages.start..pages.start + ramdisk_len);
        }
        Ok(placed)
    }

    fn contents<'a>(&self, input: &PlanInput<'a>, map: &'a [E820Entry]) -> Contents<'a> {
        debug_assert!(map.len() <= MAX_MAP);
        Contents {
            cmdline: input.cmdline.split('\0').next().unwrap_or_default(),
            ramdisk: self.ramdisk.clone(),
            map,
            vcpus: input.max_vcpus,
        }
    }
}

/// How much memory is enough: all behind the kernel's end.
fn needed(input: &PlanInput<'_>, ramdisk_len: u64, block_len: u64) -> KiB {
    let pages = |bytes: u64| Bytes(bytes).pages_up().0;
    Pages(pages(input.kernel.end()).max(1) + pages(ramdisk_len) + pages(block_len)).kib()
}

/// What is to be written where.
fn filling(input: &PlanInput<'_>, placed: &Placed, block: Vec<u8>) -> Filling {
    let mut filling = Filling::default();
    for segment in input.kernel.segments() {
        let Range { start, .. } = segment.address..segment.end();
        filling.add(start, segment.memory_size, segment.file_size, Source::Kernel { offset: segment.offset });
    }
    if let Some(ramdisk) = &placed.ramdisk {
        let len = ramdisk.end - ramdisk.start;
        filling.add(ramdisk.start, len, len, Source::Ramdisk { offset: 0 });
    }
    let len = block.len() as u64;
    filling.add(placed.block.start, placed.block.end - placed.block.start, len, Source::Block { offset: 0 });
    filling.block = block;
    for ring in [STORE, CONSOLE] {
        filling.add(ring.address().0, PAGE, 0, Source::Block { offset: 0 });
    }
    filling.add(IDENT_PT.address().0, PAGE, PAGE, Source::IdentPt { offset: 0 });
    filling.sort();
    filling
}

#[cfg(test)]
mod tests;
