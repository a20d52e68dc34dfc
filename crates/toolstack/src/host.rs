//! What the hypervisor and the machine are.

use alloc::vec::Vec;

use hypercall::calls::evtchn;
use hypercall::calls::memory;
use hypercall::calls::sysctl::{self, AfterReading};
use hypercall::calls::version;
use hypercall::{Aperture, Capabilities, CpuTopology, Door, EvtchnState, NodeMemory};
use proto::error::XenError;
use proto::host::{ConsolePart, ConsoleRead, CpuPlace, HostInfo, Node, Usage};
use xen_abi::{Bytes, EvtchnPort};

use crate::errors::told;
use crate::platform::Platform;
use crate::toolstack::{Mapping, Toolstack};

/// CPUs and nodes that are asked for at first.
const CPUS: usize = 128;
const NODES: usize = 16;
/// Bytes of Xen's console ring that are read at once: whole rings of the usual size.
const CONSOLE_PART: usize = 32 << 10;
/// Event channels that are asked for at once, and in all: as many as a domain of ours can have (2-level ABI).
const PORTS_AT_ONCE: u32 = 256;
const MOST_PORTS: u32 = 4096;
/// What stands for "unknown" in a place, as in Xen's own tables.
const UNKNOWN: u32 = u32::MAX;

/// What the control domain knows of its own memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnMemory {
    /// In use by its heap.
    pub heap_used: u64,
    /// The most that its heap may use.
    pub heap_size: u64,
    /// The size of its own image.
    pub kernel_image: u64,
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// What `xm info` tells. One exit.
    ///
    /// # Errors
    /// Xen refused one of the questions.
    pub fn host_info(&self) -> Result<HostInfo, XenError> {
        self.ask_host().map_err(told)
    }

    fn ask_host(&self) -> Result<HostInfo, hypercall::XenError> {
        let abi = self.xen.abi();
        let mut questions = self.xen.batch();
        let host = questions.add(sysctl::host_info(abi));
        let scheduler = questions.add(sysctl::scheduler(abi));
        let cpus = questions.add(sysctl::cpu_topology(abi, CPUS));
        let nodes = questions.add(sysctl::node_memory(abi, NODES));
        let free_cpus = questions.add(sysctl::free_cpus(abi, CPUS as u32));
        let release = questions.add(version::version());
        let extra = questions.add(version::extra_version());
        let caps = questions.add(version::capabilities());
        let pagesize = questions.add(version::page_size());
        let virt_start = questions.add(version::virt_start());
        let changeset = questions.add(version::changeset());
        let commandline = questions.add(version::command_line());
        let build_id = questions.add(version::build_id());
        let compiled = questions.add(version::compile_info());
        let sharing_freed = questions.add(memory::sharing_freed());
        let sharing_used = questions.add(memory::sharing_used());
        let told = questions.issue()?;

        let host = told.get(host)?;
        let release = told.get(release)?;
        let compiled = told.get(compiled)?;
        // A machine with more than was asked for gets a second question: Xen stops at the room's end, and does not say so.
        let (most_cpus, most_nodes) = (host.max_cpu as usize + 1, host.max_node as usize + 1);
        let cpus = if most_cpus > CPUS { self.xen.cpu_topology(most_cpus)? } else { told.get(cpus)? };
        let nodes = if most_nodes > NODES { self.xen.node_memory(most_nodes)? } else { told.get(nodes)? };
        let free_cpus =
            if most_cpus > CPUS { self.xen.free_cpus(most_cpus as u32)? } else { told.get(free_cpus)? };
        Ok(HostInfo {
            host: self.about.host.clone(),
            release: self.about.release.clone(),
            version: self.about.version.clone(),
            machine: self.about.machine.clone(),
            nr_cpus: host.cpus,
            max_cpu_id: host.max_cpu,
            nr_nodes: host.nodes,
            cores_per_socket: host.cores_per_socket,
            threads_per_core: host.threads_per_core,
            cpu_khz: host.cpu_khz,
            hw_caps: host.hw_cap,
            has_hvm: host.capabilities.contains(Capabilities::HVM),
            has_directio: host.capabilities.contains(Capabilities::DIRECT_IO),
            total_memory_kib: host.total.kib().0,
            free_memory_kib: host.free.kib().0.saturating_add(host.scrub.kib().0),
            outstanding_claims_kib: host.outstanding.kib().0,
            // A Xen that cannot share says that it does not know the question.
            sharing_freed_kib: told.get(sharing_freed).ok().map(|pages| pages.kib().0),
            sharing_used_kib: told.get(sharing_used).ok().map(|pages| pages.kib().0),
            free_cpus: free_cpus.len() as u32,
            topology: cpus.iter().map(place).collect(),
            nodes: nodes.iter().map(node).collect(),
            xen_major: release.0.into(),
            xen_minor: release.1.into(),
            xen_extra: told.get(extra)?,
            xen_caps: told.get(caps)?,
            xen_scheduler: alloc::format!("{}", told.get(scheduler)?),
            xen_pagesize: u32::try_from(told.get(pagesize)?).unwrap_or(u32::MAX),
            virt_start: told.get(virt_start)?,
            xen_changeset: told.get(changeset)?,
            xen_commandline: told.get(commandline)?,
            // Likewise one that was linked without.
            xen_build_id: told.get(build_id).unwrap_or_default(),
            cc_compiler: compiled.compiler,
            cc_compile_by: compiled.by,
            cc_compile_domain: compiled.domain,
            cc_compile_date: compiled.date,
        })
    }

    /// A part of Xen's console ring. One exit.
    ///
    /// A ring may be far larger than our heap (Xen's `conring_size=`), so whoever wants all of it asks part by part. What
    /// Xen prints meanwhile comes in a later part; clearing reaches no further than what was read, so nothing is lost by it.
    ///
    /// # Errors
    /// Xen refused.
    pub fn dmesg(&self, request: ConsoleRead) -> Result<ConsolePart, XenError> {
        let after = if request.clear { AfterReading::Clear } else { AfterReading::Keep };
        let part = self.xen.read_console(request.from, CONSOLE_PART, after).map_err(told)?;
        // Xen begins with the oldest byte where it has no more what was asked for.
        let began = part.next.wrapping_sub(part.text.len() as u32);
        Ok(ConsolePart {
            lost: request.from.map_or(0, |from| began.wrapping_sub(from)),
            next: part.next,
            is_last: part.text.len() < CONSOLE_PART,
            text: part.text,
        })
    }

    /// How many event channels of ours are in use.
    fn event_channels(&self) -> u32 {
        let own = self.xen.own_domain();
        let mut used = 0;
        for first in (0..MOST_PORTS).step_by(PORTS_AT_ONCE as usize) {
            let mut questions = self.xen.batch();
            let ports = first..first + PORTS_AT_ONCE;
            let asked: Vec<_> =
                ports.map(|port| questions.add(evtchn::status(own, EvtchnPort(port)))).collect();
            let Ok(told) = questions.issue() else { return used };
            for ticket in asked {
                match told.get(ticket) {
                    Ok(status) if status.state == EvtchnState::Closed => {}
                    Ok(_) => used += 1,
                    // Xen has no ports from here on.
                    Err(_) => return used,
                }
            }
        }
        used
    }

    /// What the control domain itself uses. An exit, and one for each 256 event channels.
    pub fn usage(&self, own: OwnMemory) -> Usage {
        let memory = self.xen.current_reservation(self.xen.own_domain()).unwrap_or_else(|error| {
            log::warn!("our own memory is not known: {error}");
            xen_abi::Pages(0)
        });
        let event_channels = self.event_channels();
        let spent = self.xen.counters();
        let Bytes(memory) = memory.bytes();
        Usage {
            memory,
            heap_used: own.heap_used,
            heap_size: own.heap_size,
            images: self.images_bytes(),
            kernel_image: own.kernel_image,
            event_channels,
            exits: spent.exits,
            hypercalls: spent.hypercalls,
        }
    }
}

fn place(cpu: &CpuTopology) -> CpuPlace {
    CpuPlace {
        core: cpu.core.unwrap_or(UNKNOWN),
        socket: cpu.socket.unwrap_or(UNKNOWN),
        node: cpu.node.unwrap_or(UNKNOWN),
    }
}

fn node(node: &NodeMemory) -> Node {
    Node { total_kib: node.total.0 >> 10, free_kib: node.free.0 >> 10, distances: node.distances.clone() }
}
