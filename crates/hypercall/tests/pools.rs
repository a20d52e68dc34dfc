//! CPU pools and the parameters of their schedulers, on the simulated Xen of every release.

mod common;

use common::{RELEASES, runnable};
use hypercall::{CreateDomain, Scheduler, Xen};
use sim_xen::{Config, SimXen};
use xen_abi::domctl::{SchedRtds, XEN_DOMCTL_SCHEDRT_EXTRA};
use xen_abi::sysctl::{Credit2Schedule, CreditSchedule};
use xen_abi::{DomId, Errno, VcpuId};

/// Runs a test on hosts of every release with twelve CPUs: their bitmaps take more than a byte.
fn on_every_release(test: impl Fn(&Xen<&SimXen>)) {
    for minor in RELEASES {
        let schedulers = vec![Scheduler::CREDIT2, Scheduler::RTDS, Scheduler::CREDIT];
        let sim = SimXen::new(Config { minor, cpus: 12, schedulers, ..Config::default() });
        test(&Xen::probe(&sim).unwrap());
    }
}

#[test]
fn cpus_go_from_pool_to_pool() {
    on_every_release(|xen| {
        let first = xen.cpupool_from(0, 12).unwrap();
        assert_eq!((first.id, first.scheduler, first.domains), (0, Scheduler::CREDIT2, 1));
        assert_eq!(first.cpus, (0..12).collect::<Vec<_>>());
        assert_eq!(xen.cpupool_from(1, 12).unwrap_err().errno, Errno::ENOENT);
        for cpu in [3, 11] {
            xen.cpupool_remove_cpu(0, cpu).unwrap();
        }
        assert_eq!(xen.free_cpus(12).unwrap(), [3, 11]);
        let id = xen.create_cpupool(Scheduler::RTDS).unwrap();
        xen.cpupool_add_cpu(id, 11).unwrap();
        assert_eq!(xen.cpupool_add_cpu(id, 0).unwrap_err().errno, Errno::ENODEV);
        // The first one at or behind an id.
        let second = xen.cpupool_from(1, 12).unwrap();
        assert_eq!((second.id, second.scheduler, second.domains), (id, Scheduler::RTDS, 0));
        assert_eq!(second.cpus, [11]);
        // A shorter bitmap tells of fewer CPUs, and is not written behind its end.
        assert_eq!(xen.cpupool_from(1, 8).unwrap().cpus, []);
        assert_eq!(xen.destroy_cpupool(id).unwrap_err().errno, Errno::EBUSY);
        xen.cpupool_remove_cpu(id, 11).unwrap();
        xen.destroy_cpupool(id).unwrap();
        assert_eq!(xen.create_cpupool(Scheduler::NULL).unwrap_err().errno, Errno::ENOENT);
    });
}

#[test]
fn a_domain_moves_and_its_vcpus_get_budgets() {
    on_every_release(|xen| {
        let dom = runnable(xen);
        xen.cpupool_remove_cpu(0, 1).unwrap();
        let id = xen.create_cpupool(Scheduler::RTDS).unwrap();
        assert_eq!(xen.cpupool_move_domain(id, dom).unwrap_err().errno, Errno::ENOENT);
        xen.cpupool_add_cpu(id, 1).unwrap();
        assert_eq!(xen.rtds(dom, VcpuId(0), 1).unwrap_err().errno, Errno::EINVAL);
        xen.cpupool_move_domain(id, dom).unwrap();
        assert_eq!(xen.domain_info(dom).unwrap().cpupool, id);
        assert_eq!(xen.cpupool_move_domain(id, DomId(0)).unwrap_err().errno, Errno::EPERM);
        let wish = SchedRtds { period: 20_000, budget: 5_000, flags: 0 };
        assert_eq!(xen.rtds(dom, VcpuId(0), 1).unwrap()[0].flags, XEN_DOMCTL_SCHEDRT_EXTRA);
        assert_eq!(xen.set_rtds(dom, &[(VcpuId(0), wish)]), Ok(1));
        let set = xen.rtds(dom, VcpuId(0), 1).unwrap()[0];
        assert_eq!((set.period, set.budget, set.flags), (20_000, 5_000, 0));
        let late = SchedRtds { budget: 30_000, ..wish };
        assert_eq!(xen.set_rtds(dom, &[(VcpuId(0), late)]).unwrap_err().errno, Errno::EINVAL);
        assert_eq!(xen.rtds(dom, VcpuId(1), 1).unwrap_err().errno, Errno::EINVAL);
    });
}

#[test]
fn a_pools_scheduler_is_read_and_set() {
    on_every_release(|xen| {
        let credit = xen.create_cpupool(Scheduler::CREDIT).unwrap();
        let wish = CreditSchedule { tslice_ms: 5, ..xen.credit_schedule(credit).unwrap() };
        xen.set_credit_schedule(credit, wish).unwrap();
        assert_eq!(xen.credit_schedule(credit).unwrap().tslice_ms, 5);
        let too_long = CreditSchedule { tslice_ms: 1001, ..wish };
        assert_eq!(xen.set_credit_schedule(credit, too_long).unwrap_err().errno, Errno::EINVAL);
        xen.set_credit2_schedule(0, Credit2Schedule { ratelimit_us: 500 }).unwrap();
        assert_eq!(xen.credit2_schedule(0).unwrap().ratelimit_us, 500);
        assert_eq!(xen.credit2_schedule(credit).unwrap_err().errno, Errno::EINVAL);
        assert_eq!(xen.credit_schedule(7).unwrap_err().errno, Errno::ESRCH);
    });
}

#[test]
fn a_domain_is_created_in_its_pool_and_not_at_all_where_that_cannot_be() {
    on_every_release(|xen| {
        let pool = xen.create_cpupool(Scheduler::CREDIT2).unwrap();
        let wish = CreateDomain { cpupool: pool, ..CreateDomain::pvh([1; 16], 1) };
        if !CreateDomain::knows_pools(xen.abi()) {
            let domain = xen.create_domain(&wish).unwrap();
            assert_eq!(xen.domain_info(domain.id()).unwrap().cpupool, 0);
            return;
        }
        assert_eq!(xen.create_domain(&wish).err().unwrap().errno, Errno::ENODEV, "a pool without processors");
        let nowhere = CreateDomain { cpupool: 9, ..wish.clone() };
        assert_eq!(xen.create_domain(&nowhere).err().unwrap().errno, Errno::ESRCH);
        xen.cpupool_remove_cpu(0, 1).unwrap();
        xen.cpupool_add_cpu(pool, 1).unwrap();
        let domain = xen.create_domain(&wish).unwrap();
        assert_eq!(xen.domain_info(domain.id()).unwrap().cpupool, pool);
    });
}
