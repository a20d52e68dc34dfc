//! Operations on the host. Source: public/sysctl.h.

pub(crate) mod cpupool;

use xen_abi::domctl::{GetDomainInfo414, GetDomainInfo415, GetDomainInfo416};
use xen_abi::sysctl::{
    self as abi, CpuPoolOp, CpuTopo, CpuTopoInfo, DebugKeys, GetDomainInfoList, MemInfo, NumaInfo,
    PhysInfo414, PhysInfo417, ReadConsole, SchedulerOp, Sysctl, XEN_SYSCTL_PHYSCAP_HAP,
    XEN_SYSCTL_PHYSCAP_HVM,
};
use xen_abi::{DomId, Errno};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use super::domctl::info;
use super::{Answer, Request};
use crate::access::{read, read_many, write, write_nth};
use crate::state::State;

/// The command's own structure.
fn payload<P: FromBytes>(arg: &Sysctl) -> P {
    let Ok((payload, _)) = P::read_from_prefix(arg.u.as_bytes()) else {
        unreachable!("no command's is longer")
    };
    payload
}

fn answer<P: IntoBytes + Immutable>(arg: &mut Sysctl, payload: &P) {
    arg.u.as_mut_bytes()[..size_of::<P>()].copy_from_slice(payload.as_bytes());
}

/// # Safety
/// As for [`hypercall::Door::call`].
pub(super) unsafe fn handle(request: Request<'_>) -> Answer {
    let Request { state, args: [address, ..], .. } = request;
    // SAFETY: every sysctl takes a `Sysctl`, and buffers as long as its own structure says.
    unsafe {
        let mut arg: Sysctl = read(address)?;
        if arg.interface_version != state.sysctl_version() {
            return Err(Errno::EACCES);
        }
        match arg.cmd {
            abi::XEN_SYSCTL_READCONSOLE => {
                let mut own: ReadConsole = payload(&arg);
                read_console(state, &mut own)?;
                answer(&mut arg, &own);
            }
            abi::XEN_SYSCTL_PHYSINFO => physinfo(state, &mut arg),
            abi::XEN_SYSCTL_SCHED_ID => {
                let sched_id = state.pools[&0].scheduler;
                answer(&mut arg, &abi::SchedId { sched_id });
            }
            abi::XEN_SYSCTL_GETDOMAININFOLIST => {
                let mut own: GetDomainInfoList = payload(&arg);
                own.num_domains = match state.config.minor {
                    14 => list::<GetDomainInfo414>(state, &own, info::v414)?,
                    15 => list::<GetDomainInfo415>(state, &own, info::v415)?,
                    _ => list::<GetDomainInfo416>(state, &own, info::v416)?,
                };
                answer(&mut arg, &own);
            }
            abi::XEN_SYSCTL_DEBUG_KEYS => {
                let own: DebugKeys = payload(&arg);
                let keys: Vec<u8> = read_many(own.keys, own.nr_keys as usize)?;
                state.debug_keys.extend(keys);
            }
            // Xen fills what there is room for, and says so; only without a buffer it tells how many there are.
            abi::XEN_SYSCTL_CPUTOPOINFO => {
                let mut own: CpuTopoInfo = payload(&arg);
                let mut cpus = state.config.cpus;
                if own.cputopo != 0 {
                    cpus = cpus.min(own.num_cpus);
                    // A CPU that is the only one has no core's number.
                    let alone = state.config.cpus == 1;
                    for cpu in 0..cpus {
                        let core = if alone { abi::XEN_INVALID_CORE_ID } else { cpu };
                        write_nth(own.cputopo, cpu as usize, &CpuTopo { core, socket: 0, node: 0 })?;
                    }
                }
                own.num_cpus = cpus;
                answer(&mut arg, &own);
            }
            abi::XEN_SYSCTL_NUMAINFO => {
                let mut own: NumaInfo = payload(&arg);
                let has_buffer = own.meminfo != 0 || own.distance != 0;
                let nodes = if has_buffer { own.num_nodes.min(1) } else { 1 };
                if own.meminfo != 0 && nodes > 0 {
                    let memory = MemInfo {
                        memsize: state.config.memory.bytes().0,
                        memfree: xen_abi::Pages(state.free_pages()).bytes().0,
                    };
                    write_nth(own.meminfo, 0, &memory)?;
                }
                if own.distance != 0 && nodes > 0 {
                    write_nth(own.distance, 0, &10u32)?;
                }
                own.num_nodes = nodes;
                answer(&mut arg, &own);
            }
            abi::XEN_SYSCTL_CPUPOOL_OP => {
                let mut own: CpuPoolOp = payload(&arg);
                cpupool::handle(state, &mut own)?;
                answer(&mut arg, &own);
            }
            abi::XEN_SYSCTL_SCHEDULER_OP => {
                let mut own: SchedulerOp = payload(&arg);
                cpupool::scheduler(state, &mut own)?;
                answer(&mut arg, &own);
            }
            _ => return Err(Errno::EOPNOTSUPP),
        }
        write(address, &arg)?;
    }
    Ok(0)
}

/// # Safety
/// The buffer is as long as the structure says.
unsafe fn read_console(state: &mut State, own: &mut ReadConsole) -> Result<(), Errno> {
    let console = &mut state.console;
    let from = if own.incremental != 0 { own.index } else { console.start };
    // An index from before the ring's start (or from nowhere) starts with what there is.
    let skip = from.wrapping_sub(console.start);
    let skip = if skip > console.ring.len() as u32 { 0 } else { skip };
    let bytes = console.ring.iter().copied().skip(skip as usize).take(own.count as usize);
    let mut count = 0;
    for byte in bytes {
        // SAFETY: the caller's promise.
        unsafe { write_nth(own.buffer, count as usize, &byte)? };
        count += 1;
    }
    own.index = console.start.wrapping_add(skip).wrapping_add(count);
    own.count = count;
    // What was not read stays.
    if own.clear != 0 {
        console.ring.drain(..(skip + count) as usize);
        console.start = own.index;
    }
    Ok(())
}

fn physinfo(state: &State, arg: &mut Sysctl) {
    macro_rules! fill {
        ($type:ident) => {
            answer(
                arg,
                &$type {
                    threads_per_core: 1,
                    cores_per_socket: state.config.cpus,
                    nr_cpus: state.config.cpus,
                    max_cpu_id: state.config.cpus - 1,
                    nr_nodes: 1,
                    cpu_khz: 2_000_000,
                    capabilities: XEN_SYSCTL_PHYSCAP_HVM | XEN_SYSCTL_PHYSCAP_HAP,
                    total_pages: state.config.memory.0,
                    free_pages: state.free_pages(),
                    max_mfn: state.config.memory.0 - 1,
                    ..$type::new_zeroed()
                },
            )
        };
    }
    if state.config.minor < 17 { fill!(PhysInfo414) } else { fill!(PhysInfo417) }
}

/// # Safety
/// The buffer is as long as the structure says.
unsafe fn list<I: IntoBytes + Immutable>(
    state: &State,
    own: &GetDomainInfoList,
    describe: fn(DomId, &crate::domain::Domain) -> I,
) -> Result<u32, Errno> {
    let mut count = 0;
    for (id, domain) in state.domains.range(own.first_domain..).take(own.max_domains as usize) {
        // SAFETY: the caller's promise.
        unsafe { write_nth(own.buffer, count as usize, &describe(*id, domain))? };
        count += 1;
    }
    Ok(count)
}
