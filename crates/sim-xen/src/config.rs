//! What the host is.

use hypercall::Scheduler;
use xen_abi::Pages;

/// A host to simulate.
#[derive(Clone, Debug)]
pub struct Config {
    /// Xen's release: 4.`minor`. 14 to 22 speak as those releases do; any other is one that nobody knows.
    pub minor: u16,
    /// The host's memory.
    pub memory: Pages,
    /// Domain 0's memory.
    pub own: Pages,
    /// Frames that domain 0 can lend for mappings.
    pub aperture: Pages,
    /// CPUs.
    pub cpus: u32,
    /// The schedulers that Xen has; the first pool's is the first.
    pub schedulers: Vec<Scheduler>,
    /// Xen's command line.
    pub command_line: String,
    /// Bytes of Xen's console ring; what is older is lost.
    pub console_ring: usize,
}

impl Default for Config {
    /// Xen 4.17 on two CPUs with 512 MiB, of which domain 0 has 16 MiB; mappings up to 512 MiB; credit2 and
    /// credit, as Debian's.
    fn default() -> Self {
        Config {
            minor: 17,
            memory: Pages(512 << 8),
            own: Pages(16 << 8),
            aperture: Pages(512 << 8),
            cpus: 2,
            schedulers: vec![Scheduler::CREDIT2, Scheduler::CREDIT],
            command_line: "console=com1 dom0=pvh".into(),
            console_ring: 16 << 10,
        }
    }
}
