//! The machine, its hypervisor and the control domain itself.

use alloc::string::String;
use alloc::vec::Vec;

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::wire::StreamChannel;

/// Answers [`crate::endpoints::Hello`]. Never changes: it is how two unlike builds find out that they are unlike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Greeting {
    /// The control domain's version, for people.
    pub version: String,
    /// Drawn at each boot of the control domain.
    pub boot_id: u64,
    /// The running Xen, as `4.17.6-pre`.
    pub xen: String,
    /// Milliseconds from the control domain's first instruction until now.
    pub uptime_ms: u64,
    /// The paths that this build serves.
    pub paths: Vec<String>,
}

/// What `xm info` tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct HostInfo {
    /// The machine's name: `host=` on the control domain's command line.
    pub host: String,
    /// The control domain's version.
    pub release: String,
    /// How the control domain was built.
    pub version: String,
    /// The processor that the control domain was built for: `uname -m`'s word.
    pub machine: String,
    /// Processors online.
    pub nr_cpus: u32,
    /// The highest processor's number.
    pub max_cpu_id: u32,
    /// NUMA nodes.
    pub nr_nodes: u32,
    /// Cores in a socket.
    pub cores_per_socket: u32,
    /// Threads in a core.
    pub threads_per_core: u32,
    /// Processor frequency in kHz.
    pub cpu_khz: u32,
    /// Processor capabilities: Xen's eight words.
    pub hw_caps: [u32; 8],
    /// HVM guests are possible.
    pub has_hvm: bool,
    /// HVM guests may be given devices.
    pub has_directio: bool,
    /// The machine's memory, in KiB.
    pub total_memory_kib: u64,
    /// Memory that nobody has, in KiB; what Xen is still scrubbing is included.
    pub free_memory_kib: u64,
    /// Memory that is promised to domains which have not got it yet, in KiB; free memory includes it.
    pub outstanding_claims_kib: u64,
    /// Memory that sharing saves, in KiB; `None` where Xen cannot share.
    pub sharing_freed_kib: Option<u64>,
    /// Memory that is shared, in KiB; `None` where Xen cannot share.
    pub sharing_used_kib: Option<u64>,
    /// Processors in no cpupool.
    pub free_cpus: u32,
    /// Each processor's place, by number.
    pub topology: Vec<CpuPlace>,
    /// Each node's memory, by number.
    pub nodes: Vec<Node>,
    /// Xen's major version.
    pub xen_major: u32,
    /// Xen's minor version.
    pub xen_minor: u32,
    /// The rest of Xen's version, as `.6-pre`.
    pub xen_extra: String,
    /// What guests Xen can run.
    pub xen_caps: String,
    /// The scheduler's name.
    pub xen_scheduler: String,
    /// Page size in bytes.
    pub xen_pagesize: u32,
    /// Where the hypervisor's addresses begin.
    pub virt_start: u64,
    /// Xen's source revision.
    pub xen_changeset: String,
    /// Xen's command line.
    pub xen_commandline: String,
    /// What the linker stamped on Xen; empty where it was linked without.
    pub xen_build_id: Vec<u8>,
    /// The compiler that built Xen.
    pub cc_compiler: String,
    /// Who built Xen.
    pub cc_compile_by: String,
    /// Where Xen was built.
    pub cc_compile_domain: String,
    /// When Xen was built.
    pub cc_compile_date: String,
}

/// Where a processor sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct CpuPlace {
    /// Its core.
    pub core: u32,
    /// Its socket.
    pub socket: u32,
    /// Its NUMA node.
    pub node: u32,
}

/// A NUMA node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Node {
    /// Its memory, in KiB.
    pub total_kib: u64,
    /// Its free memory, in KiB.
    pub free_kib: u64,
    /// Distances to every node.
    pub distances: Vec<u32>,
}

/// Asks for a part of Xen's console ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct ConsoleRead {
    /// Where to begin: [`ConsolePart::next`] of the part before. `None`: with the oldest byte.
    pub from: Option<u32>,
    /// Clear the ring up to the end of this part.
    pub clear: bool,
}

/// A part of Xen's console ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct ConsolePart {
    /// Its bytes, oldest first.
    pub text: Vec<u8>,
    /// Bytes that Xen overwrote between the part before and this one.
    pub lost: u32,
    /// Where the next part begins.
    pub next: u32,
    /// Xen had no more than this.
    pub is_last: bool,
}

/// What the control domain itself uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Usage {
    /// Memory that Xen accounts to the control domain, in bytes.
    pub memory: u64,
    /// Of it, in use by its heap, in bytes.
    pub heap_used: u64,
    /// The most that its heap may use, in bytes.
    pub heap_size: u64,
    /// Of the memory, held by cached images, in bytes.
    pub images: u64,
    /// The size of its own image in memory, in bytes.
    pub kernel_image: u64,
    /// Event channels of its own that are in use, as Xen tells.
    pub event_channels: u32,
    /// Exits to the hypervisor since boot (a multicall counts once).
    pub exits: u64,
    /// Hypercalls in those exits.
    pub hypercalls: u64,
}

/// Asks for a stream of the control domain's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct LogOpen {
    /// The stream's channel.
    pub channel: StreamChannel,
    /// Stay, and send what comes.
    pub follow: bool,
}
