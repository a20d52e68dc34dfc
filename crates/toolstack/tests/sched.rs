//! Shares, budgets and pools, against the very rules that Xen's schedulers have.

mod common;

use common::{World, domain};
use hypercall::Scheduler as Number;
use proto::error::DomainError;
use proto::sched::*;
use sim_xen::Config;
use xen_abi::Errno;

/// A host of so many processors whose Xen has these schedulers; the first one is used.
fn world(cpus: u32, schedulers: &[Number]) -> World {
    World::on(Config { cpus, schedulers: schedulers.to_vec(), ..Config::default() })
}

fn share(word: &str, weight: Option<i64>, cap: Option<i64>) -> SchedChange {
    let under = vec![Scheduler::Credit, Scheduler::Credit2];
    SchedChange { domain: domain(word), change: Change::Share { under, weight, cap } }
}

fn budget(vcpu: Option<u32>, period_us: u32, budget_us: u32, has_extra: Option<bool>) -> BudgetChange {
    BudgetChange { vcpu, period_us: Some(period_us), budget_us: Some(budget_us), has_extra }
}

fn budgets(word: &str, changes: &[BudgetChange]) -> SchedChange {
    SchedChange { domain: domain(word), change: Change::Budgets(changes.to_vec()) }
}

fn parameters(world: &World, word: &str) -> Parameters {
    world.stack.scheduled(&domain(word)).unwrap().parameters
}

fn pool(word: &str) -> PoolRef {
    PoolRef(word.into())
}

fn new_pool(name: &str, scheduler: Scheduler, cpus: Cpus) -> PoolConfig {
    PoolConfig { name: name.into(), scheduler, cpus }
}

#[test]
fn a_listing_of_many_domains_is_one_list_and_one_multicall() {
    let world = World::new();
    for n in 0..20 {
        world.create(world.smallest(&format!("d{n:02}")));
    }
    // The first pool's scheduler is learnt once.
    world.stack.scheduled_from(0).unwrap();
    world.sim.reset_counts();
    let all = world.stack.scheduled_from(0).unwrap().domains;
    assert_eq!((all.len(), world.sim.exits()), (21, 2));
    assert_eq!(world.sim.count("XEN_SYSCTL_getdomaininfolist"), 1);
    assert_eq!(world.sim.count("XEN_DOMCTL_scheduler_op"), 21);
    assert_eq!((all[0].name.as_str(), all[0].pool.as_str()), ("Domain-0", "Pool-0"));
    assert_eq!(all[1].parameters, Parameters::Share(Share { weight: 256, cap: 0 }));
}

#[test]
fn what_is_not_given_stays_under_both_schedulers() {
    for scheduler in [Number::CREDIT, Number::CREDIT2] {
        let world = world(2, &[scheduler]);
        world.create(world.smallest("a"));
        let is = |weight, cap| assert_eq!(parameters(&world, "a"), Parameters::Share(Share { weight, cap }));
        world.stack.schedule(&share("a", None, Some(50))).unwrap();
        is(256, 50);
        world.stack.schedule(&share("a", Some(512), None)).unwrap();
        is(512, 50);
        world.stack.schedule(&share("a", None, Some(0))).unwrap();
        is(512, 0);
    }
}

#[test]
fn a_change_takes_three_exits_and_under_credit_two() {
    for (scheduler, name, exits) in
        [(Number::CREDIT, Scheduler::Credit, 2), (Number::CREDIT2, Scheduler::Credit2, 3)]
    {
        let world = world(2, &[scheduler]);
        world.create(world.smallest("a"));
        world.stack.scheduled_from(0).unwrap();
        world.sim.reset_counts();
        assert_eq!(world.stack.schedule(&share("a", Some(300), None)), Ok(name));
        assert_eq!(world.sim.exits(), exits);
    }
}

#[test]
fn shares_out_of_range_are_refused_and_change_nothing() {
    let world = World::new();
    world.create(world.smallest("a"));
    for weight in [0, -1, 65536, i64::MAX, i64::MIN] {
        assert_eq!(
            world.stack.schedule(&share("a", Some(weight), None)),
            Err(SchedError::Weight),
            "{weight}"
        );
    }
    for cap in [-1, 101, 65535, i64::MAX] {
        let refused = world.stack.schedule(&share("a", Some(1), Some(cap)));
        assert_eq!(refused, Err(SchedError::Cap { most: 100 }), "{cap}");
    }
    assert_eq!(parameters(&world, "a"), Parameters::Share(Share { weight: 256, cap: 0 }));
    let nobody = world.stack.schedule(&share("nobody", Some(1), None));
    assert_eq!(nobody, Err(SchedError::Domain(DomainError::NotFound)));
    world.sim.fail_next("XEN_DOMCTL_scheduler_op", Errno::EPERM);
    assert!(matches!(world.stack.schedule(&share("a", Some(1), None)), Err(SchedError::Domain(_))));
}

#[test]
fn another_scheduler_is_named() {
    let world = world(2, &[Number::RTDS]);
    let refused = world.stack.schedule(&share("0", Some(1), None));
    assert_eq!(refused, Err(SchedError::Scheduler(Scheduler::Rtds)));
    let world = World::new();
    let refused = world.stack.schedule(&budgets("0", &[budget(None, 10_000, 5_000, None)]));
    assert_eq!(refused, Err(SchedError::Scheduler(Scheduler::Credit2)));
    let only = Change::Share { under: vec![Scheduler::Credit], weight: Some(1), cap: None };
    let refused = world.stack.schedule(&SchedChange { domain: domain("0"), change: only });
    assert_eq!(refused, Err(SchedError::Scheduler(Scheduler::Credit2)));
}

#[test]
fn budgets_are_each_vcpus_own() {
    let world = world(2, &[Number::RTDS]);
    let mut request = world.smallest("a");
    (request.config.vcpus, request.config.max_vcpus) = (2, 2);
    world.create(request);
    let first = Budget { period_us: 10_000, budget_us: 4_000, has_extra: true };
    assert_eq!(parameters(&world, "a"), Parameters::Budgets(vec![first; 2]));
    let change = budget(Some(1), 20_000, 5_000, Some(false));
    assert_eq!(world.stack.schedule(&budgets("a", &[change])), Ok(Scheduler::Rtds));
    let second = Budget { period_us: 20_000, budget_us: 5_000, has_extra: false };
    assert_eq!(parameters(&world, "a"), Parameters::Budgets(vec![first, second]));
    let all = BudgetChange { vcpu: None, period_us: Some(30_000), budget_us: None, has_extra: None };
    world.stack.schedule(&budgets("a", &[all])).unwrap();
    let both = [first, second].map(|budget| Budget { period_us: 30_000, ..budget });
    assert_eq!(parameters(&world, "a"), Parameters::Budgets(both.to_vec()));
}

#[test]
fn impossible_budgets_are_refused_before_any_is_set() {
    let world = world(2, &[Number::RTDS]);
    world.create(world.smallest("a"));
    let before = parameters(&world, "a");
    for (period_us, budget_us) in [(1000, 1001), (9, 9), (1000, 0)] {
        let changes = [budget(Some(0), 5_000, 5_000, None), budget(None, period_us, budget_us, None)];
        let refused = world.stack.schedule(&budgets("a", &changes));
        assert_eq!(refused, Err(SchedError::Budget { period_us, budget_us }));
    }
    let refused = world.stack.schedule(&budgets("a", &[budget(Some(1), 1000, 1000, None)]));
    assert_eq!(refused, Err(SchedError::NoVcpu(1)));
    assert_eq!(parameters(&world, "a"), before);
}

#[test]
fn more_vcpus_than_xen_does_at_once_are_told_and_set() {
    let world = world(2, &[Number::RTDS]);
    let mut request = world.smallest("a");
    (request.config.vcpus, request.config.max_vcpus) = (100, 100);
    world.create(request);
    world.stack.schedule(&budgets("a", &[budget(None, 50_000, 20, Some(false))])).unwrap();
    let wanted = Budget { period_us: 50_000, budget_us: 20, has_extra: false };
    assert_eq!(parameters(&world, "a"), Parameters::Budgets(vec![wanted; 100]));
}

#[test]
fn a_scheduler_without_parameters_is_told_as_such() {
    let world = world(2, &[Number::NULL]);
    assert_eq!(parameters(&world, "0"), Parameters::None);
}

#[test]
fn a_pools_life() {
    let world = world(4, &[Number::CREDIT2, Number::CREDIT]);
    // The image stays in the cache.
    let guest = world.smallest("a");
    let before = world.before();
    let first = Pool {
        id: 0,
        name: "Pool-0".into(),
        scheduler: Scheduler::Credit2,
        cpus: vec![0, 1, 2, 3],
        domains: 1,
    };
    assert_eq!(world.stack.pools(), Ok(vec![first]));
    assert_eq!(world.stack.host_info().unwrap().free_cpus, 0);
    let modify = |change| world.stack.change_pools(&change);
    modify(PoolChange::Remove(pool("Pool-0"), Cpus::These(vec![3, 2]))).unwrap();
    assert_eq!(world.stack.host_info().unwrap().free_cpus, 2);
    let made = world.stack.create_pool(&new_pool("fast", Scheduler::Credit, Cpus::Some(1))).unwrap();
    assert_eq!((made.id, made.cpus.as_slice()), (1, &[2][..]));
    assert_eq!(world.read("/local/pool/1/name").as_deref(), Some("fast"));
    modify(PoolChange::Add(pool("1"), Cpus::These(vec![3]))).unwrap();
    world.create(guest);
    world.stack.schedule(&share("a", Some(512), None)).unwrap();
    modify(PoolChange::Migrate(domain("a"), pool("fast"))).unwrap();
    assert_eq!(world.stack.find(&domain("a")).unwrap().pool, "fast");
    // Another scheduler begins anew.
    let moved = &world.stack.scheduled(&domain("a")).unwrap();
    assert_eq!((moved.scheduler, moved.pool.as_str()), (Scheduler::Credit, "fast"));
    assert_eq!(moved.parameters, Parameters::Share(Share { weight: 256, cap: 0 }));
    assert_eq!(modify(PoolChange::Destroy(pool("fast"))), Err(PoolError::HasDomains(1)));
    modify(PoolChange::Rename(pool("fast"), "slow".into())).unwrap();
    modify(PoolChange::Migrate(domain("a"), pool("Pool-0"))).unwrap();
    modify(PoolChange::Destroy(pool("slow"))).unwrap();
    assert_eq!(world.read("/local/pool/1/name"), None);
    modify(PoolChange::Add(pool("Pool-0"), Cpus::Some(2))).unwrap();
    assert_eq!(world.stack.pools().unwrap().len(), 1);
    world.destroy("a");
    world.assert_clean(&before);
}

#[test]
fn pools_say_what_is_wrong() {
    let world = world(2, &[Number::CREDIT2]);
    let create = |name: &str, scheduler, cpus| world.stack.create_pool(&new_pool(name, scheduler, cpus));
    let modify = |change| world.stack.change_pools(&change);
    let credit2 = Scheduler::Credit2;
    assert_eq!(create("a", credit2, Cpus::Some(1)), Err(PoolError::TooFewFree { free: 0 }));
    assert_eq!(create("a", credit2, Cpus::These(vec![1])), Err(PoolError::NotFree(1)));
    assert_eq!(modify(PoolChange::Remove(pool("Pool-0"), Cpus::These(vec![0]))), Err(PoolError::First));
    assert_eq!(modify(PoolChange::Remove(pool("0"), Cpus::These(vec![7]))), Err(PoolError::NotInPool(7)));
    modify(PoolChange::Remove(pool("Pool-0"), Cpus::These(vec![1]))).unwrap();
    assert_eq!(create("a", Scheduler::Rtds, Cpus::Some(1)), Err(PoolError::NoScheduler));
    for name in ["", "7", "a b", "/", &"x".repeat(65)] {
        assert_eq!(create(name, credit2, Cpus::Some(1)), Err(PoolError::BadName), "{name:?}");
    }
    assert_eq!(create("Pool-0", credit2, Cpus::Some(1)), Err(PoolError::NameInUse));
    assert_eq!(create("a", credit2, Cpus::Node(3)), Err(PoolError::NoNode(3)));
    world.sim.fail_next("XEN_SYSCTL_cpupool_op", Errno::EPERM);
    assert!(matches!(create("a", credit2, Cpus::Some(1)), Err(PoolError::Xen(_))));
    create("a", credit2, Cpus::These(vec![])).unwrap();
    world.create(world.smallest("g"));
    assert_eq!(modify(PoolChange::Migrate(domain("g"), pool("a"))), Err(PoolError::HasNoCpu));
    modify(PoolChange::Add(pool("a"), Cpus::Some(1))).unwrap();
    modify(PoolChange::Migrate(domain("g"), pool("a"))).unwrap();
    assert_eq!(modify(PoolChange::Remove(pool("a"), Cpus::Some(1))), Err(PoolError::LastCpu(1)));
    for word in ["nobody", "9"] {
        assert_eq!(modify(PoolChange::Destroy(pool(word))), Err(PoolError::NotFound));
    }
    assert_eq!(modify(PoolChange::Destroy(pool("Pool-0"))), Err(PoolError::First));
    assert_eq!(
        modify(PoolChange::Migrate(domain("0"), pool("a"))),
        Err(PoolError::Domain(DomainError::Privileged))
    );
    assert_eq!(
        modify(PoolChange::Migrate(domain("x"), pool("a"))),
        Err(PoolError::Domain(DomainError::NotFound))
    );
    assert_eq!(modify(PoolChange::SplitNuma), Err(PoolError::Divided));
}

#[test]
fn a_pool_that_cannot_get_its_processors_is_not_made() {
    let world = world(3, &[Number::CREDIT2]);
    world.stack.change_pools(&PoolChange::Remove(pool("0"), Cpus::These(vec![1, 2]))).unwrap();
    let made = |n| {
        world.sim.clear_faults();
        world.sim.fail_nth(n, Errno::ENOMEM);
        world.stack.create_pool(&new_pool("a", Scheduler::Credit2, Cpus::Some(2)))
    };
    let failed = (0..).take_while(|n| made(*n).is_err()).count();
    assert!(failed >= 5, "each of its hypercalls may fail; {failed} did");
    world.sim.clear_faults();
    // The last one had nothing to fail: that one was made, and no other is left.
    let pools = world.stack.pools().unwrap();
    assert_eq!(pools.iter().map(|pool| pool.name.as_str()).collect::<Vec<_>>(), ["Pool-0", "a"]);
    assert_eq!(pools[1].cpus, [1, 2]);
}

#[test]
fn pools_that_somebody_else_made_are_seen() {
    let world = world(4, &[Number::CREDIT2]);
    let other = hypercall::Xen::probe(world.sim).unwrap();
    world.stack.pools().unwrap();
    for _ in 0..3 {
        other.create_cpupool(Number::CREDIT2).unwrap();
    }
    other.destroy_cpupool(2).unwrap();
    let names = || world.stack.pools().unwrap().into_iter().map(|pool| pool.name).collect::<Vec<_>>();
    assert_eq!(names(), ["Pool-0", "Pool-1", "Pool-3"]);
    world.sim.reset_counts();
    assert_eq!(names(), ["Pool-0", "Pool-1", "Pool-3"]);
    assert_eq!(world.sim.exits(), 1);
    other.destroy_cpupool(3).unwrap();
    assert_eq!(names(), ["Pool-0", "Pool-1"]);
}

#[test]
fn one_node_gives_the_first_pool_its_name() {
    let world = World::new();
    world.stack.change_pools(&PoolChange::SplitNuma).unwrap();
    assert_eq!(world.stack.pools().unwrap()[0].name, "Pool-node0");
    assert_eq!(world.read("/local/pool/0/name").as_deref(), Some("Pool-node0"));
}

#[test]
fn a_pools_scheduler_is_told_and_set() {
    let tuning = |tslice_ms, ratelimit_us| PoolTuning {
        pool: pool("Pool-0"),
        scheduler: Scheduler::Credit,
        tslice_ms,
        ratelimit_us,
        migration_delay_us: None,
    };
    let world = world(2, &[Number::CREDIT]);
    let set = world.stack.tune_pool(&tuning(Some(5), None)).unwrap();
    assert_eq!((set.tslice_ms, set.ratelimit_us, set.migration_delay_us), (Some(5), 1000, Some(0)));
    assert_eq!(world.stack.tune_pool(&tuning(None, None)), Ok(set));
    assert!(matches!(world.stack.tune_pool(&tuning(Some(5000), None)), Err(TuningError::Xen(_))));
    let wish = PoolTuning { scheduler: Scheduler::Credit2, ..tuning(None, Some(200)) };
    assert_eq!(world.stack.tune_pool(&wish), Err(TuningError::Scheduler(Scheduler::Credit)));
    let wish = PoolTuning { pool: pool("x"), ..tuning(None, None) };
    assert_eq!(world.stack.tune_pool(&wish), Err(TuningError::NotFound));
    let world = World::new();
    let wish = PoolTuning { scheduler: Scheduler::Credit2, ..tuning(None, Some(200)) };
    assert_eq!(world.stack.tune_pool(&wish).map(|set| set.ratelimit_us), Ok(200));
}

#[test]
fn debug_keys_reach_xen_in_one_exit() {
    let world = World::new();
    world.sim.reset_counts();
    world.stack.debug_keys("hq").unwrap();
    assert_eq!((world.sim.debug_keys(), world.sim.exits()), (b"hq".to_vec(), 1));
}
