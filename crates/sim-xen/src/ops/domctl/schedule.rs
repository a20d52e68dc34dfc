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
/// The bitmaps that the flags name are as long as they say.
unsafe fn affinity(state: &mut State, arg: &Domctl, own: &VcpuAffinity) -> Result<(), Errno> {
    let cpus = state.config.cpus;
    let domain = state.domain(arg.domain)?;
    if own.vcpu >= domain.max_vcpus || own.flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT) == 0 {
        return Err(Errno::EINVAL);
    }
    let vcpu = domain.vcpus.get_mut(own.vcpu as usize).ok_or(Errno::ESRCH)?;
    let [has_hard, has_soft] =
        [XEN_VCPUAFFINITY_HARD, XEN_VCPUAFFINITY_SOFT].map(|flag| own.flags & flag != 0);
    if arg.cmd == abi::XEN_DOMCTL_SETVCPUAFFINITY {
        // SAFETY: the caller's promise.
        let read = |map: &XenctlBitmap| unsafe { read_many(map.bitmap, map.nr_bits.div_ceil(8) as usize) };
        if has_hard {
            let hard: Vec<u8> = read(&own.cpumap_hard)?;
            if there(&hard, cpus).iter().all(|&byte| byte == 0) {
                return Err(Errno::EINVAL);
            }
            vcpu.hard = hard;
        }
        if has_soft {
            vcpu.soft = read(&own.cpumap_soft)?;
        }
    }
    for (is_asked, map, bits) in
        [(has_hard, &own.cpumap_hard, &vcpu.hard), (has_soft, &own.cpumap_soft, &vcpu.soft)]
    {
        if !is_asked {
            continue;
        }
        let bits = there(bits, cpus);
        for n in 0..map.nr_bits.div_ceil(8) as usize {
            // SAFETY: the caller's promise.
            unsafe { write_nth(map.bitmap, n, &bits.get(n).copied().unwrap_or(0))? };
        }
    }
    Ok(())
}

/// The part of a set that exists.
fn there(bits: &[u8], cpus: u32) -> Vec<u8> {
    (0..cpus.div_ceil(8))
        .map(|n| {
            let last = u8::MAX >> (8 - (cpus - 8 * n).min(8));
            bits.get(n as usize).copied().unwrap_or(0) & last
        })
        .collect()
}
