//! CPU pools and their schedulers. Source: public/sysctl.h.

use std::collections::{BTreeMap, BTreeSet};

use xen_abi::domctl::{XEN_SCHEDULER_CREDIT, XEN_SCHEDULER_CREDIT2};
use xen_abi::sysctl::{
    self as abi, CpuPoolOp, Credit2Schedule, CreditSchedule, SchedulerOp, XEN_SYSCTL_CPUPOOL_PAR_ANY,
};
use xen_abi::xen::XenctlBitmap;
use xen_abi::{DomId, Errno};
use zerocopy::{FromBytes, IntoBytes};

use crate::access::write_nth;
use crate::config::Config;
use crate::state::State;

/// A pool of CPUs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pool {
    pub(crate) scheduler: u32,
    pub(crate) cpus: BTreeSet<u32>,
    credit: [u32; 3],
    credit2: u32,
}

impl Pool {
    fn new(scheduler: u32) -> Self {
        // A slice of 30 ms, runs of 1 ms at least, no delay; credit2 has the runs as well.
        Pool { scheduler, cpus: BTreeSet::new(), credit: [30, 1000, 0], credit2: 1000 }
    }

    /// What there is at boot: one pool with all CPUs.
    pub(crate) fn at_boot(config: &Config) -> BTreeMap<u32, Pool> {
        let scheduler = config.schedulers.first().map_or(XEN_SCHEDULER_CREDIT2, |first| first.0);
        BTreeMap::from([(0, Pool { cpus: (0..config.cpus).collect(), ..Pool::new(scheduler) })])
    }
}

impl State {
    fn free_cpus(&self) -> BTreeSet<u32> {
        (0..self.config.cpus).filter(|cpu| self.pools.values().all(|pool| !pool.cpus.contains(cpu))).collect()
    }

    fn domains_in(&self, pool: u32) -> u32 {
        self.domains.values().filter(|domain| domain.cpupool == pool).count() as u32
    }
}

/// # Safety
/// The bitmap is as long as it says.
unsafe fn tell(map: &XenctlBitmap, cpus: &BTreeSet<u32>) -> Result<(), Errno> {
    for n in 0..map.nr_bits.div_ceil(8) {
        let byte = (0..8).filter(|bit| cpus.contains(&(n * 8 + bit))).fold(0u8, |byte, bit| byte | 1 << bit);
        // SAFETY: the caller's promise.
        unsafe { write_nth(map.bitmap, n as usize, &byte)? };
    }
    Ok(())
}

/// # Safety
/// The bitmap is as long as it says.
pub(super) unsafe fn handle(state: &mut State, own: &mut CpuPoolOp) -> Result<(), Errno> {
    let domains = state.domains_in(own.cpupool_id);
    match own.op {
        abi::XEN_SYSCTL_CPUPOOL_OP_CREATE => {
            let last = state.pools.last_key_value().map_or(0, |(id, _)| *id);
            let id = if own.cpupool_id == XEN_SYSCTL_CPUPOOL_PAR_ANY { last + 1 } else { own.cpupool_id };
            if state.pools.len() >= 2 * state.config.cpus as usize {
                return Err(Errno::ENOSPC);
            }
            if state.pools.contains_key(&id) {
                return Err(Errno::EEXIST);
            }
            if state.config.schedulers.iter().all(|known| known.0 != own.sched_id) {
                return Err(Errno::ENOENT);
            }
            state.pools.insert(id, Pool::new(own.sched_id));
            own.cpupool_id = id;
        }
        abi::XEN_SYSCTL_CPUPOOL_OP_DESTROY => {
            let pool = state.pools.get(&own.cpupool_id).ok_or(Errno::ENOENT)?;
            if domains > 0 || !pool.cpus.is_empty() {
                return Err(Errno::EBUSY);
            }
            state.pools.remove(&own.cpupool_id);
        }
        abi::XEN_SYSCTL_CPUPOOL_OP_INFO => {
            let (id, pool) = state.pools.range(own.cpupool_id..).next().ok_or(Errno::ENOENT)?;
            (own.cpupool_id, own.sched_id, own.n_dom) = (*id, pool.scheduler, state.domains_in(*id));
            // SAFETY: the caller's promise.
            unsafe { tell(&own.cpumap, &pool.cpus)? };
        }
        // SAFETY: the caller's promise.
        abi::XEN_SYSCTL_CPUPOOL_OP_FREEINFO => unsafe { tell(&own.cpumap, &state.free_cpus())? },
        abi::XEN_SYSCTL_CPUPOOL_OP_ADDCPU => {
            let is_free = state.free_cpus().contains(&own.cpu);
            let pool = state.pools.get_mut(&own.cpupool_id).ok_or(Errno::ENOENT)?;
            if !is_free {
                return Err(Errno::ENODEV);
            }
            pool.cpus.insert(own.cpu);
        }
        abi::XEN_SYSCTL_CPUPOOL_OP_RMCPU => {
            let pool = state.pools.get_mut(&own.cpupool_id).ok_or(Errno::ENOENT)?;
            if own.cpupool_id == 0 && own.cpu == 0 {
                return Err(Errno::EINVAL);
            }
            if !pool.cpus.contains(&own.cpu) {
                return Err(Errno::EADDRNOTAVAIL);
            }
            if domains > 0 && pool.cpus.len() == 1 {
                return Err(Errno::EBUSY);
            }
            pool.cpus.remove(&own.cpu);
        }
        abi::XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN => {
            let id = u16::try_from(own.domid).map(DomId).map_err(|_| Errno::ESRCH)?;
            if id == DomId(0) {
                return Err(Errno::EPERM);
            }
            let has_cpu = state.pools.get(&own.cpupool_id).is_some_and(|pool| !pool.cpus.is_empty());
            let domain = state.domain(id)?;
            if domain.cpupool == own.cpupool_id {
                return Ok(());
            }
            if !has_cpu {
                return Err(Errno::ENOENT);
            }
            domain.cpupool = own.cpupool_id;
            domain.schedule_anew();
        }
        _ => return Err(Errno::ENOSYS),
    }
    Ok(())
}

/// A run of at least so many microseconds: none, or within Xen's bounds.
fn is_ratelimit(us: u32) -> bool {
    us == 0 || (100..=500_000).contains(&us)
}

/// What a pool's scheduler is set to.
pub(super) fn scheduler(state: &mut State, own: &mut SchedulerOp) -> Result<(), Errno> {
    let is_change = match own.cmd {
        abi::XEN_SYSCTL_SCHEDOP_PUTINFO => true,
        abi::XEN_SYSCTL_SCHEDOP_GETINFO => false,
        _ => return Err(Errno::EINVAL),
    };
    let pool = state.pools.get_mut(&own.cpupool_id).ok_or(Errno::ESRCH)?;
    if pool.scheduler != own.sched_id {
        return Err(Errno::EINVAL);
    }
    let room = own.u.as_mut_bytes();
    match pool.scheduler {
        XEN_SCHEDULER_CREDIT => {
            let (wish, _) = CreditSchedule::read_from_prefix(room).map_err(|_| Errno::EINVAL)?;
            let is_good = (1..=1000).contains(&wish.tslice_ms)
                && is_ratelimit(wish.ratelimit_us)
                && wish.ratelimit_us <= wish.tslice_ms * 1000
                && wish.vcpu_migr_delay_us <= 100_000;
            if is_change {
                if !is_good {
                    return Err(Errno::EINVAL);
                }
                pool.credit = [wish.tslice_ms, wish.ratelimit_us, wish.vcpu_migr_delay_us];
            }
            room[..12].copy_from_slice(pool.credit.as_bytes());
        }
        XEN_SCHEDULER_CREDIT2 => {
            let (wish, _) = Credit2Schedule::read_from_prefix(room).map_err(|_| Errno::EINVAL)?;
            if is_change {
                if !is_ratelimit(wish.ratelimit_us) {
                    return Err(Errno::EINVAL);
                }
                pool.credit2 = wish.ratelimit_us;
            }
            room[..4].copy_from_slice(pool.credit2.as_bytes());
        }
        // The others have nothing to be set, and do not mind being asked.
        _ => {}
    }
    Ok(())
}
