//! Domains that are made in a pool, with a weight and a cap.

mod common;

use common::{World, domain, finish};
use hypercall::Scheduler as Number;
use proto::domain::{CreateRequest, DomainConfig};
use proto::error::CreateError;
use proto::sched::*;
use sim_xen::Config;
use xen_abi::Errno;

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
    world.stack.scheduled(Some(&domain("a"))).unwrap().remove(0)
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
fn a_share_costs_no_exit_a_pool_one_and_before_4_17_two() {
    for (minor, place, exits) in [
        (17, None, 8),
        (17, Some("Pool-0"), 8),
        (17, Some("fast"), 9),
        (17, Some("1"), 9),
        (16, Some("fast"), 10),
    ] {
        let world = world(minor, Scheduler::Credit2);
        let request = placed(&world, place, Some(300), Some(20));
        world.stack.scheduled(None).unwrap();
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
