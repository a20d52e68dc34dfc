//! Operations on the host. Source: public/sysctl.h.

mod cpupool;

use alloc::vec;
use alloc::vec::Vec;
use core::mem::offset_of;

use xen_abi::domctl::{GetDomainInfo414, GetDomainInfo415, GetDomainInfo416};
use xen_abi::sysctl::{
    self as abi, CpuTopo, CpuTopoInfo, DebugKeys, GetDomainInfoList, MemInfo, NumaInfo, PhysInfo414,
    PhysInfo417, ReadConsole, SchedId, Sysctl,
};
use xen_abi::{Bytes, DomId, Pages};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use super::domctl::info_size;
use crate::call::{Buffer, Call, Place, Reply, nothing};
use crate::{Abi, Capabilities, ConsoleText, CpuTopology, DomainInfo, HostInfo, NodeMemory, Nr, Scheduler};

pub use cpupool::*;

/// Where a command's own structure starts in the argument.
const PAYLOAD: usize = offset_of!(Sysctl, u);

/// A command with its buffers.
///
/// # Safety
/// In the interface version of `abi`, `command` uses a `P`. With this one, and the buffers' addresses filled
/// in, Xen touches nothing but the argument and the buffers, within their lengths.
unsafe fn linked<P: IntoBytes + Immutable, T>(
    name: &'static str,
    command: u32,
    abi: Abi,
    payload: &P,
    buffers: Vec<Buffer>,
    decode: fn(&Reply<'_>) -> T,
) -> Call<T> {
    let mut argument = Sysctl { cmd: command, interface_version: abi.sysctl, ..Sysctl::new_zeroed() };
    argument.u.as_mut_bytes()[..size_of::<P>()].copy_from_slice(payload.as_bytes());
    // SAFETY: every sysctl takes a `Sysctl`; the rest is the caller's promise.
    unsafe { Call::structured(name, Nr::SYSCTL, None, &argument, buffers, decode) }
}

/// The command's own structure as Xen left it.
fn payload<P: FromBytes>(reply: &Reply<'_>) -> P {
    reply.arg_at(PAYLOAD)
}

/// A harmless question in this interface version: `EACCES` says that Xen speaks another.
pub(crate) fn probe(version: u32) -> Call<()> {
    let abi = Abi { sysctl: version, ..Abi::default() };
    // SAFETY: the command writes four bytes of the argument's own room.
    unsafe { linked("XEN_SYSCTL_sched_id", abi::XEN_SYSCTL_SCHED_ID, abi, &(), vec![], nothing) }
}

macro_rules! host_info {
    ($name:ident, $raw:ident) => {
        fn $name(reply: &Reply<'_>) -> HostInfo {
            let raw: $raw = payload(reply);
            HostInfo {
                threads_per_core: raw.threads_per_core,
                cores_per_socket: raw.cores_per_socket,
                cpus: raw.nr_cpus,
                max_cpu: raw.max_cpu_id,
                nodes: raw.nr_nodes,
                max_node: raw.max_node_id,
                cpu_khz: raw.cpu_khz,
                capabilities: Capabilities::from_bits_retain(raw.capabilities),
                total: Pages(raw.total_pages),
                free: Pages(raw.free_pages),
                scrub: Pages(raw.scrub_pages),
                outstanding: Pages(raw.outstanding_pages),
                hw_cap: raw.hw_cap,
            }
        }
    };
}
host_info!(host_info_414, PhysInfo414);
host_info!(host_info_417, PhysInfo417);

/// The first sysctl interface with the longer answer of physinfo: 4.17's.
const LONG_PHYSINFO: u32 = 0x15;

/// Memory and CPUs of the host.
///
/// Hypercall: `XEN_SYSCTL_physinfo`.
#[must_use]
pub fn host_info(abi: Abi) -> Call<HostInfo> {
    let decode = if abi.sysctl >= LONG_PHYSINFO { host_info_417 } else { host_info_414 };
    // SAFETY: the command writes into the argument's own room, whatever its layout.
    unsafe { linked("XEN_SYSCTL_physinfo", abi::XEN_SYSCTL_PHYSINFO, abi, &(), vec![], decode) }
}

/// Which scheduler the boot CPU pool uses.
///
/// Hypercall: `XEN_SYSCTL_sched_id`.
#[must_use]
pub fn scheduler(abi: Abi) -> Call<Scheduler> {
    // SAFETY: there is no guest handle.
    unsafe {
        linked(
            "XEN_SYSCTL_sched_id",
            abi::XEN_SYSCTL_SCHED_ID,
            abi,
            &SchedId { sched_id: 0 },
            vec![],
            |reply| Scheduler(payload::<SchedId>(reply).sched_id),
        )
    }
}

/// What to do with Xen's console ring after reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AfterReading {
    /// Leave it.
    Keep,
    /// Clear it, as far as it was read; what came before is cleared too.
    Clear,
}

/// Reads Xen's console ring: at most `room` bytes from `from` on, or the oldest ones.
///
/// Hypercall: `XEN_SYSCTL_readconsole`.
#[must_use]
pub fn read_console(abi: Abi, from: Option<u32>, room: usize, after: AfterReading) -> Call<ConsoleText> {
    let argument = ReadConsole {
        clear: u8::from(after == AfterReading::Clear),
        incremental: u8::from(from.is_some()),
        index: from.unwrap_or(0),
        count: room as u32,
        ..ReadConsole::new_zeroed()
    };
    let room = Buffer::room(Place::Argument(PAYLOAD + offset_of!(ReadConsole, buffer)), room);
    // SAFETY: Xen writes at most `count` bytes.
    unsafe {
        linked("XEN_SYSCTL_readconsole", abi::XEN_SYSCTL_READCONSOLE, abi, &argument, vec![room], |reply| {
            let raw: ReadConsole = payload(reply);
            let bytes = reply.buffer(0);
            ConsoleText { text: bytes[..bytes.len().min(raw.count as usize)].to_vec(), next: raw.index }
        })
    }
}

/// What Xen knows of up to `most` domains, from `first` on, in order.
///
/// Hypercall: `XEN_SYSCTL_getdomaininfolist`.
#[must_use]
pub fn domain_infos(abi: Abi, first: DomId, most: usize) -> Call<Vec<DomainInfo>> {
    let argument = GetDomainInfoList {
        first_domain: first,
        max_domains: most as u32,
        ..GetDomainInfoList::new_zeroed()
    };
    let at = Place::Argument(PAYLOAD + offset_of!(GetDomainInfoList, buffer));
    let room = Buffer::room(at, most.saturating_mul(info_size(abi)));
    let decode = match abi.release() {
        ..15 => list::<GetDomainInfo414>,
        15 => list::<GetDomainInfo415>,
        16.. => list::<GetDomainInfo416>,
    };
    // SAFETY: Xen writes at most `max_domains` elements of the size that the release gives them.
    unsafe {
        linked(
            "XEN_SYSCTL_getdomaininfolist",
            abi::XEN_SYSCTL_GETDOMAININFOLIST,
            abi,
            &argument,
            vec![room],
            decode,
        )
    }
}

fn list<A: FromBytes + Into<DomainInfo>>(reply: &Reply<'_>) -> Vec<DomainInfo> {
    let count = payload::<GetDomainInfoList>(reply).num_domains as usize;
    reply.elements::<A>(0, count).map(Into::into).collect()
}

/// Presses Xen's debug keys; what they print comes on Xen's console.
///
/// Hypercall: `XEN_SYSCTL_debug_keys`.
#[must_use]
pub fn debug_keys(abi: Abi, keys: &[u8]) -> Call<()> {
    let argument = DebugKeys { keys: 0, nr_keys: keys.len() as u32, _pad: 0 };
    let keys = Buffer::of(Place::Argument(PAYLOAD + offset_of!(DebugKeys, keys)), keys);
    // SAFETY: Xen reads `nr_keys` bytes.
    unsafe {
        linked("XEN_SYSCTL_debug_keys", abi::XEN_SYSCTL_DEBUG_KEYS, abi, &argument, vec![keys], nothing)
    }
}

/// Where the first `most` CPUs are. CPUs that are not there have no core.
///
/// Hypercall: `XEN_SYSCTL_cputopoinfo`. Of more CPUs than `most` Xen tells the first ones, without a word about the others.
#[must_use]
pub fn cpu_topology(abi: Abi, most: usize) -> Call<Vec<CpuTopology>> {
    let argument = CpuTopoInfo { num_cpus: most as u32, _pad: 0, cputopo: 0 };
    let at = Place::Argument(PAYLOAD + offset_of!(CpuTopoInfo, cputopo));
    let room = Buffer::room_for::<CpuTopo>(at, most);
    let decode = |reply: &Reply<'_>| {
        let known = |value, unknown| (value != unknown).then_some(value);
        reply
            .elements::<CpuTopo>(0, payload::<CpuTopoInfo>(reply).num_cpus as usize)
            .map(|raw| CpuTopology {
                core: known(raw.core, abi::XEN_INVALID_CORE_ID),
                socket: known(raw.socket, abi::XEN_INVALID_SOCKET_ID),
                node: known(raw.node, abi::XEN_INVALID_NODE_ID),
            })
            .collect()
    };
    // SAFETY: Xen writes at most `num_cpus` elements.
    unsafe {
        linked("XEN_SYSCTL_cputopoinfo", abi::XEN_SYSCTL_CPUTOPOINFO, abi, &argument, vec![room], decode)
    }
}

/// The memory of the first `most` NUMA nodes, and how far they are from each other.
///
/// Hypercall: `XEN_SYSCTL_numainfo`. Of more nodes than `most` Xen tells the first ones, without a word about the others.
#[must_use]
pub fn node_memory(abi: Abi, most: usize) -> Call<Vec<NodeMemory>> {
    let argument = NumaInfo { num_nodes: most as u32, _pad: 0, meminfo: 0, distance: 0 };
    let at = |field| Place::Argument(PAYLOAD + field);
    let rooms = vec![
        Buffer::room_for::<MemInfo>(at(offset_of!(NumaInfo, meminfo)), most),
        Buffer::room_for::<u32>(at(offset_of!(NumaInfo, distance)), most.saturating_mul(most)),
    ];
    let decode = |reply: &Reply<'_>| {
        let count = payload::<NumaInfo>(reply).num_nodes as usize;
        // A row of distances is as long as there are nodes in the answer.
        let distances: Vec<u32> = reply.elements(1, count.saturating_mul(count)).collect();
        let rows = distances.chunks(count.max(1)).map(<[u32]>::to_vec).chain(core::iter::repeat(Vec::new()));
        reply
            .elements::<MemInfo>(0, count)
            .zip(rows)
            .map(|(raw, distances)| NodeMemory {
                total: Bytes(raw.memsize),
                free: Bytes(raw.memfree),
                distances,
            })
            .collect()
    };
    // SAFETY: Xen writes at most `num_nodes` elements, and as many rows of at most as many distances.
    unsafe { linked("XEN_SYSCTL_numainfo", abi::XEN_SYSCTL_NUMAINFO, abi, &argument, rooms, decode) }
}
