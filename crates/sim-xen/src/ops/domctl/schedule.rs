//! Where vCPUs run, and how much.

use xen_abi::Errno;
use xen_abi::domctl::{
    self as abi, Domctl, SchedCredit2, SchedParamVcpu, SchedRtds, SchedVcpus, SchedulerOp, VcpuAffinity,
    XEN_DOMCTL_SCHEDOP_GETINFO, XEN_DOMCTL_SCHEDOP_GETVCPUINFO, XEN_DOMCTL_SCHEDOP_PUTINFO,
    XEN_DOMCTL_SCHEDOP_PUTVCPUINFO, XEN_DOMCTL_SCHEDRT_EXTRA, XEN_VCPUAFFINITY_HARD, XEN_VCPUAFFINITY_SOFT,
};
use xen_abi::xen::XenctlBitmap;
use zerocopy::{FromBytes, IntoBytes};

use super::{answer, payload};
use crate::access::{read_many, read_nth, write_nth};
use crate::domain::Domain;
use crate::state::State;

/// # Safety
/// Buffers are as long as the command's own structure says.
pub(super) unsafe fn handle(state: &mut State, arg: &mut Domctl) -> Result<(), Errno> {
    match arg.cmd {
        abi::XEN_DOMCTL_SCHEDULER_OP => {
            let mut own: SchedulerOp = payload(arg);
            // SAFETY: the caller's promise.
            unsafe { scheduler(state, arg, &mut own)? };
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

/// # Safety
/// The array of vCPUs is as long as it says.
unsafe fn scheduler(state: &mut State, arg: &Domctl, own: &mut SchedulerOp) -> Result<(), Errno> {
    let pool = state.domain(arg.domain)?.cpupool;
    if state.pools.get(&pool).is_none_or(|pool| pool.scheduler != own.sched_id) {
        return Err(Errno::EINVAL);
    }
    if own.cmd > XEN_DOMCTL_SCHEDOP_GETVCPUINFO {
        return Err(Errno::EINVAL);
    }
    let domain = state.domain(arg.domain)?;
    match own.sched_id {
        abi::XEN_SCHEDULER_CREDIT | abi::XEN_SCHEDULER_CREDIT2 => share(domain, own),
        // SAFETY: the caller's promise.
        abi::XEN_SCHEDULER_RTDS => unsafe { rtds(domain, own) },
        // The others keep nothing for a domain, and do not mind being asked.
        _ => Ok(()),
    }
}

/// Weight and cap. The two schedulers have the same structure, and other rules.
fn share(domain: &mut Domain, own: &mut SchedulerOp) -> Result<(), Errno> {
    let room = &mut own.u.as_mut_bytes()[..size_of::<SchedCredit2>()];
    match own.cmd {
        XEN_DOMCTL_SCHEDOP_GETINFO => {
            let (weight, cap) = domain.share;
            room.copy_from_slice(SchedCredit2 { weight, cap }.as_bytes());
        }
        XEN_DOMCTL_SCHEDOP_PUTINFO => {
            let wish = SchedCredit2::read_from_bytes(room).map_err(|_| Errno::EINVAL)?;
            if wish.weight != 0 {
                domain.share.0 = wish.weight;
            }
            match own.sched_id {
                abi::XEN_SCHEDULER_CREDIT if wish.cap == u16::MAX => {}
                // credit2 looks at the cap when it has set the weight.
                abi::XEN_SCHEDULER_CREDIT2 if usize::from(wish.cap) > 100 * domain.vcpus.len() => {
                    return Err(Errno::EINVAL);
                }
                _ => domain.share.1 = wish.cap,
            }
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

/// Vcpus that RTDS does in one call, where others wait for the CPU.
const AT_ONCE: u32 = 64;

/// # Safety
/// The array of vCPUs is as long as it says.
unsafe fn rtds(domain: &mut Domain, own: &mut SchedulerOp) -> Result<(), Errno> {
    let is_change = match own.cmd {
        XEN_DOMCTL_SCHEDOP_PUTVCPUINFO => true,
        XEN_DOMCTL_SCHEDOP_GETVCPUINFO => false,
        _ => return Err(Errno::EOPNOTSUPP),
    };
    let mut list = SchedVcpus::read_from_bytes(own.u.as_bytes()).map_err(|_| Errno::EINVAL)?;
    let count = list.nr_vcpus.min(AT_ONCE);
    for n in 0..count as usize {
        // SAFETY: the caller's promise.
        let mut one: SchedParamVcpu = unsafe { read_nth(list.vcpus, n)? };
        let vcpu = domain.vcpus.get_mut(one.vcpuid as usize).ok_or(Errno::EINVAL)?;
        if is_change {
            let [period, budget, flags] = one.u;
            if budget < 10 || period < budget {
                return Err(Errno::EINVAL);
            }
            vcpu.rtds = SchedRtds { period, budget, flags: flags & XEN_DOMCTL_SCHEDRT_EXTRA };
        } else {
            one.u = [vcpu.rtds.period, vcpu.rtds.budget, vcpu.rtds.flags];
            // SAFETY: the caller's promise.
            unsafe { write_nth(list.vcpus, n, &one)? };
        }
    }
    list.nr_vcpus = count;
    own.u.as_mut_bytes().copy_from_slice(list.as_bytes());
    Ok(())
}

/// # Safety
/// The bitmaps that the flags name are as long as they say.
unsafe fn affinity(state: &mut State, arg: &Domctl, own: &VcpuAffinity) -> Result<(), Errno> {
    let cpus = state.config.cpus;
    let pool = state.domain(arg.domain)?.cpupool;
    let usable = state.pools.get(&pool).map(|pool| pool.cpus.clone()).unwrap_or_default();
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
            let has = |cpu: &u32| hard.get(*cpu as usize / 8).is_some_and(|byte| byte >> (cpu % 8) & 1 == 1);
            if !usable.iter().any(has) {
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
