//! Domains that are made in a pool, with a weight and a cap.

mod common;

use common::{World, domain, finish};
use hypercall::Scheduler as Number;
use proto::domain::{Action, CreateRequest, DomainConfig};
use proto::error::CreateError;
use proto::journal::Event;
use proto::sched::*;
use proto::vcpu::{CpuSet, PinRequest, VcpuQuery};
use sim_xen::Config;
use toolstack::MINIMUM_RESTART_INTERVAL_NS;
use xen_abi::Errno;
use xen_abi::sched::{SHUTDOWN_CRASH, SHUTDOWN_REBOOT};

fn pool(word: &str) -> PoolRef {
    PoolRef(word.into())
}

/// Four processors, of which the last two are in the pool `fast`, under `scheduler`.
fn world(minor: u16, scheduler: Scheduler) -> World {
    let schedulers = vec![Number::CREDIT2, Number::CREDIT, Number::RTDS, Number::NULL];
    let world = World::on(Config { minor, cpus: 4, schedulers, ..Config::default() });
    let cpus = Cpus::These(vec![2, 3]);
    world.stack.change_pools(&PoolChange::Remove(pool("Pool-0"), cpus.clone())).unwrap();
    world.stack.create_pool(&PoolConfig { name: "fast".into(), scheduler, cpus }).unwrap();
    world
}

fn placed(world: &World, place: Option<&str>, weight: Option<u16>, cap: Option<u16>) -> CreateRequest {
    let request = world.smallest("a");
    let config = DomainConfig { pool: place.map(pool), weight, cap, ..request.config };
    CreateRequest { config, paused: false }
}

fn scheduled(world: &World) -> Scheduled {
    world.stack.scheduled(&domain("a")).unwrap()
}

#[test]
fn a_domain_is_made_in_its_pool_with_its_share_on_every_release() {
    for minor in 14..=22 {
        for scheduler in [Scheduler::Credit, Scheduler::Credit2] {
            let world = world(minor, scheduler);
            let request = placed(&world, Some("fast"), Some(512), Some(50));
            let before = world.before();
            let created = world.create(request);
            let found = scheduled(&world);
            assert_eq!((found.pool.as_str(), found.scheduler), ("fast", scheduler), "4.{minor}");
            assert_eq!(found.parameters, Parameters::Share(Share { weight: 512, cap: 50 }), "4.{minor}");
            assert_eq!(world.stack.find(&domain("a")).unwrap().pool, "fast");
            let uuid = toolstack::name::Uuid(created.uuid);
            assert_eq!(world.read(&format!("/vm/{uuid}/pool_name")).as_deref(), Some("fast"));
            world.destroy("a");
            world.assert_clean(&before);
        }
    }
}

#[test]
fn of_weight_and_cap_either_may_be_left_out() {
    for scheduler in [Scheduler::Credit, Scheduler::Credit2] {
        let world = world(17, scheduler);
        for (weight, cap, is) in
            [(Some(9), None, (9, 0)), (None, Some(9), (256, 9)), (None, Some(0), (256, 0))]
        {
            world.create(placed(&world, Some("fast"), weight, cap));
            let (weight, cap) = is;
            assert_eq!(scheduled(&world).parameters, Parameters::Share(Share { weight, cap }));
            world.destroy("a");
        }
    }
}

#[test]
fn a_share_costs_no_exit_and_a_pool_one() {
    for (minor, place, exits) in [
        (17, None, 8),
        (17, Some("Pool-0"), 8),
        (17, Some("fast"), 9),
        (17, Some("1"), 9),
        (16, Some("fast"), 9),
    ] {
        let world = world(minor, Scheduler::Credit2);
        let request = placed(&world, place, Some(300), Some(20));
        world.stack.scheduled_from(0).unwrap();
        world.sim.reset_counts();
        let created = world.create(request);
        assert_eq!(world.sim.exits(), exits, "4.{minor} {place:?}: {:?}", world.sim.counts());
        assert_eq!(u64::from(created.exits), exits);
    }
}

#[test]
fn what_cannot_be_had_is_said_before_anything_is_built() {
    let world = world(17, Scheduler::Rtds);
    let refused = |place, weight, cap| {
        let request = placed(&world, place, weight, cap);
        let before = world.before();
        let error = finish(world.stack.create(request)).unwrap_err();
        world.assert_nothing_happened(&before);
        error
    };
    assert_eq!(refused(Some("slow"), None, None), CreateError::NoPool(pool("slow")));
    assert_eq!(refused(Some("7"), None, None), CreateError::NoPool(pool("7")));
    assert_eq!(refused(None, Some(0), None), CreateError::BadWeight);
    assert_eq!(refused(None, None, Some(101)), CreateError::BadCap { most: 100 });
    assert_eq!(refused(Some("fast"), Some(1), None), CreateError::NoShares(Scheduler::Rtds));
    assert_eq!(refused(Some("fast"), None, Some(0)), CreateError::NoShares(Scheduler::Rtds));
    let cpus = Cpus::These(vec![2, 3]);
    world.stack.change_pools(&PoolChange::Remove(pool("fast"), cpus)).unwrap();
    assert_eq!(refused(Some("fast"), None, None), CreateError::PoolHasNoCpu(pool("fast")));
}

#[test]
fn every_hypercall_of_a_create_in_a_pool_may_fail_and_nothing_is_left() {
    for minor in [16, 17] {
        let mut nr_failed = 0;
        for n in 0.. {
            let world = world(minor, Scheduler::Credit2);
            let request = placed(&world, Some("fast"), Some(512), Some(50));
            let before = world.before();
            world.sim.fail_nth(n, Errno::EPERM);
            let result = finish(world.stack.create(request));
            world.sim.clear_faults();
            if world.sim.injected() == 0 {
                assert!(result.is_ok());
                break;
            }
            nr_failed += 1;
            if result.is_ok() {
                world.destroy("a");
            }
            let leaks = world.leaks(&before);
            if leaks.is_empty() {
                assert!(result.is_err(), "{n}");
                world.assert_clean(&before);
            } else {
                // Of a page that Xen refuses to unmap there is nothing more to be done.
                assert!(leaks.iter().any(|leak| leak.starts_with("foreign pages mapped")), "{n}: {leaks:?}");
            }
        }
        assert!(nr_failed > 22, "4.{minor}: {nr_failed}");
    }
}

/// The domain `a` reboots by itself.
fn reboot(world: &World) {
    let domid = world.stack.find(&domain("a")).unwrap().domid;
    world.end(domid, SHUTDOWN_REBOOT);
    world.obey();
    let next = world.stack.find(&domain("a")).unwrap().domid;
    assert_ne!(next, domid);
    world.platform.now_ns.set(world.platform.now_ns.get() + 2 * MINIMUM_RESTART_INTERVAL_NS);
}

fn set_share(world: &World, weight: Option<i64>, cap: Option<i64>) {
    let under = vec![Scheduler::Credit, Scheduler::Credit2];
    let change = SchedChange { domain: domain("a"), change: Change::Share { under, weight, cap } };
    world.stack.schedule(&change).unwrap();
}

fn migrate(world: &World, word: &str) {
    world.stack.change_pools(&PoolChange::Migrate(domain("a"), pool(word))).unwrap();
}

fn pin(world: &World, hard: &[u32], soft: Option<&[u32]>) {
    let set = |cpus: &[u32]| cpus.iter().copied().collect::<CpuSet>();
    let request = PinRequest { domain: domain("a"), vcpu: None, hard: set(hard), soft: soft.map(set) };
    world.stack.pin(&request).unwrap();
}

/// Where the only vCPU may run, and where it prefers to.
fn affinity(world: &World) -> (String, String) {
    let query = VcpuQuery { domains: vec![domain("a")], skip: 0 };
    let vcpu = finish(world.stack.vcpus(&query)).unwrap().domains[0].vcpus[0].clone();
    (vcpu.hard.to_string(), vcpu.soft.to_string())
}

fn pool_node(world: &World) -> String {
    let uuid = toolstack::name::Uuid(world.stack.find(&domain("a")).unwrap().uuid);
    world.read(&format!("/vm/{uuid}/pool_name")).unwrap()
}

/// What the domain `a` went on without, oldest first.
fn lost(world: &World) -> Vec<CreateError> {
    let entries = world.stack.journal(0).entries.into_iter();
    let why = entries.filter_map(|entry| match entry.event {
        Event::NotKept { name, why } if name == "a" => Some(why),
        _ => None,
    });
    why.collect()
}

#[test]
fn a_domain_is_scheduled_in_its_next_life_as_in_this_one() {
    for minor in 14..=22 {
        let world = world(minor, Scheduler::Credit);
        let request = placed(&world, Some("1"), Some(512), Some(50));
        let before = world.before();
        world.create(request);
        let is = |weight, cap| {
            let found = scheduled(&world);
            assert_eq!(found.pool, "fast", "4.{minor}");
            assert_eq!(found.parameters, Parameters::Share(Share { weight, cap }), "4.{minor}");
        };
        reboot(&world);
        is(512, 50);
        set_share(&world, Some(300), None);
        pin(&world, &[3], Some(&[0, 2]));
        reboot(&world);
        is(300, 50);
        set_share(&world, None, Some(0));
        finish(world.stack.reset(&domain("a"))).unwrap();
        is(300, 0);
        assert_eq!(affinity(&world), ("3".into(), "0,2".into()), "4.{minor}");
        assert_eq!(lost(&world), []);
        world.destroy("a");
        world.assert_clean(&before);
    }
}

#[test]
fn a_life_beside_the_one_that_is_kept_is_scheduled_as_that_was() {
    let world = world(17, Scheduler::Credit2);
    let request = placed(&world, Some("fast"), Some(77), None);
    let config = DomainConfig { on_crash: Action::RenameRestart, ..request.config };
    let domid = world.create(CreateRequest { config, ..request }).domid;
    world.end(domid, SHUTDOWN_CRASH);
    world.obey();
    let found = scheduled(&world);
    assert_ne!(found.domid, domid);
    assert_eq!(
        (found.pool.as_str(), found.parameters),
        ("fast", Parameters::Share(Share { weight: 77, cap: 0 }))
    );
    let kept = world.stack.find(&domain(&domid.to_string())).unwrap();
    assert_eq!(
        world.read(&format!("/vm/{}/pool_name", toolstack::name::Uuid(kept.uuid))).as_deref(),
        Some("fast")
    );
}

#[test]
fn a_domains_budgets_are_its_next_lifes() {
    let world = world(17, Scheduler::Rtds);
    world.create(placed(&world, Some("fast"), None, None));
    let change =
        BudgetChange { vcpu: None, period_us: Some(20_000), budget_us: Some(5000), has_extra: Some(false) };
    let change = SchedChange { domain: domain("a"), change: Change::Budgets(vec![change]) };
    world.stack.schedule(&change).unwrap();
    let budgets = scheduled(&world).parameters;
    reboot(&world);
    assert_eq!(scheduled(&world).parameters, budgets);
    migrate(&world, "Pool-0");
    reboot(&world);
    assert_eq!(lost(&world), [], "the other scheduler was told of none");
}

#[test]
fn a_domain_that_was_moved_stays_there_with_what_its_new_scheduler_was_told() {
    let world = world(17, Scheduler::Credit);
    world.create(placed(&world, None, Some(512), Some(50)));
    pin(&world, &[1], None);
    migrate(&world, "Pool-0");
    reboot(&world);
    assert_eq!(
        scheduled(&world).parameters,
        Parameters::Share(Share { weight: 512, cap: 50 }),
        "it did not move"
    );
    assert_eq!(affinity(&world).0, "1");
    migrate(&world, "fast");
    assert_eq!(pool_node(&world), "fast");
    let there = scheduled(&world);
    let pins = affinity(&world);
    reboot(&world);
    let next = scheduled(&world);
    assert_eq!((next.pool, next.parameters), (there.pool, there.parameters));
    assert_eq!((affinity(&world), pool_node(&world).as_str()), (pins, "fast"));
    assert_eq!(lost(&world), []);
}

#[test]
fn a_pool_that_gets_another_name_keeps_its_domains() {
    let world = world(17, Scheduler::Credit);
    world.create(placed(&world, Some("fast"), None, None));
    world.stack.change_pools(&PoolChange::Rename(pool("fast"), "faster".into())).unwrap();
    assert_eq!(pool_node(&world), "faster");
    reboot(&world);
    assert_eq!((scheduled(&world).pool.as_str(), pool_node(&world).as_str()), ("faster", "faster"));
    migrate(&world, "Pool-0");
    world.stack.change_pools(&PoolChange::Rename(pool("Pool-0"), "slow".into())).unwrap();
    assert_eq!(pool_node(&world), "slow");
    reboot(&world);
    assert_eq!((scheduled(&world).pool.as_str(), pool_node(&world).as_str()), ("slow", "slow"));
}

#[test]
fn what_is_gone_by_then_a_domain_goes_on_without() {
    let world = world(17, Scheduler::Rtds);
    world.create(placed(&world, Some("fast"), None, None));
    pin(&world, &[3], None);
    world.stack.change_pools(&PoolChange::Remove(pool("fast"), Cpus::These(vec![3]))).unwrap();
    reboot(&world);
    assert_eq!((lost(&world), affinity(&world).0.as_str()), (vec![CreateError::NoCpu], "0-3"));

    // Xen gives a pool up with its last domain only; so it has to be said.
    let domid = world.stack.find(&domain("a")).unwrap().domid;
    world.end(domid, SHUTDOWN_REBOOT);
    for _pool in 0..2 {
        world.sim.fail_next("XEN_SYSCTL_cpupool_op", Errno::ENOENT);
    }
    world.obey();
    assert_eq!(lost(&world), [CreateError::NoCpu, CreateError::NoPool(pool("fast"))]);
    assert_eq!((scheduled(&world).pool.as_str(), pool_node(&world).as_str()), ("Pool-0", "Pool-0"));
}

#[test]
fn every_hypercall_between_two_lives_may_fail_and_nothing_is_left() {
    for minor in [16, 17] {
        let mut nr_failed = 0;
        for n in 0.. {
            let world = world(minor, Scheduler::Credit2);
            let request = placed(&world, Some("fast"), Some(512), Some(50));
            let before = world.before();
            let domid = world.create(request).domid;
            pin(&world, &[2], Some(&[3]));
            world.end(domid, SHUTDOWN_REBOOT);
            world.sim.fail_nth(n, Errno::EPERM);
            world.obey();
            world.sim.clear_faults();
            if world.sim.injected() == 0 {
                assert_eq!(affinity(&world), ("2".into(), "3".into()));
                break;
            }
            nr_failed += 1;
            // It lives again, is kept as it ended, or is gone.
            if world.stack.find(&domain("a")).is_ok() {
                world.destroy("a");
            }
            let leaks = world.leaks(&before);
            if leaks.is_empty() {
                world.assert_clean(&before);
            } else {
                // Of a page that Xen refuses to unmap, or a port that it refuses to close, there is nothing more to be done.
                let is_known =
                    |leak: &String| leak.starts_with("foreign pages mapped") || leak.starts_with("port ");
                assert!(leaks.iter().any(is_known), "{n}: {leaks:?}");
            }
        }
        assert!(nr_failed > 25, "4.{minor}: {nr_failed}");
    }
}
