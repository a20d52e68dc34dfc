//! Where vCPUs run, and how much. The scheduler is credit2.

use xen_abi::Errno;
use xen_abi::domctl::{
    self as abi, Domctl, SchedCredit2, SchedulerOp, VcpuAffinity, XEN_DOMCTL_SCHEDOP_GETINFO,
    XEN_DOMCTL_SCHEDOP_PUTINFO, XEN_SCHEDULER_CREDIT2, XEN_VCPUAFFINITY_HARD, XEN_VCPUAFFINITY_SOFT,
};
use xen_abi::xen::XenctlBitmap;
use zerocopy::{FromBytes, IntoBytes};

use super::{answer, payload};
use crate::access::{read_many, write_nth};
use crate::state::State;

/// # Safety
/// Buffers are as long as the command's own structure says.
pub(super) unsafe fn handle(state: &mut State, arg: &mut Domctl) -> Result<(), Errno> {
    match arg.cmd {
        abi::XEN_DOMCTL_SCHEDULER_OP => {
            let mut own: SchedulerOp = payload(arg);
            scheduler(state, arg, &mut own)?;
            answer(arg, &own);
        }
        abi::XEN_DOMCTL_GETVCPUAFFINITY | abi::XEN_DOMCTL_SETVCPUAFFINITY => {
            let own: VcpuAffinity = payload(arg);
            // SAFETY: the caller's promise.
            unsafe { affinity(state, arg, &own)? };
        }
        _ => return Err(Errno::ENOSYS),
    }
    Ok(())
}

fn scheduler(state: &mut State, arg: &Domctl, own: &mut SchedulerOp) -> Result<(), Errno> {
    if own.sched_id != XEN_SCHEDULER_CREDIT2 {
        return Err(Errno::EINVAL);
    }
    let weight = &mut state.domain(arg.domain)?.weight;
    let room = &mut own.u.as_mut_bytes()[..size_of::<SchedCredit2>()];
    match own.cmd {
        XEN_DOMCTL_SCHEDOP_GETINFO => room.copy_from_slice(weight.as_bytes()),
        XEN_DOMCTL_SCHEDOP_PUTINFO => {
            let wish = SchedCredit2::read_from_bytes(room).map_err(|_| Errno::EINVAL)?;
            if wish.weight != 0 {
                weight.weight = wish.weight;
            }
            if wish.cap != u16::MAX {
                weight.cap = wish.cap;
            }
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

/// # Safety
/// The bitmaps are as long as they say.
unsafe fn affinity(state: &mut State, arg: &Domctl, own: &VcpuAffinity) -> Result<(), Errno> {
    let cpus = state.config.cpus;
    let there = (1u64 << cpus) - 1;
    let domain = state.domain(arg.domain)?;
    if own.vcpu >= domain.max_vcpus || own.flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT) == 0 {
        return Err(Errno::EINVAL);
    }
    let vcpu = domain.vcpus.get_mut(own.vcpu as usize).ok_or(Errno::ESRCH)?;
    if arg.cmd == abi::XEN_DOMCTL_SETVCPUAFFINITY {
        // SAFETY: the caller's promise.
        let read = |map: &XenctlBitmap| unsafe { read_many(map.bitmap, map.nr_bits.div_ceil(8) as usize) };
        let hard: Vec<u8> = read(&own.cpumap_hard)?;
        let soft: Vec<u8> = read(&own.cpumap_soft)?;
        if hard.first().is_none_or(|first| u64::from(*first) & there == 0) {
            return Err(Errno::EINVAL);
        }
        (vcpu.hard, vcpu.soft) = (hard, soft);
    }
    for (map, bits) in [(&own.cpumap_hard, &vcpu.hard), (&own.cpumap_soft, &vcpu.soft)] {
        for n in 0..map.nr_bits.div_ceil(8) as usize {
            let byte = bits.get(n).copied().unwrap_or(0) & if n == 0 { there as u8 } else { 0 };
            // SAFETY: the caller's promise.
            unsafe { write_nth(map.bitmap, n, &byte)? };
        }
    }
    Ok(())
}
