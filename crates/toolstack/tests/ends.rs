//! Domains that end by themselves, and what follows.

mod common;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use common::{World, domain, finish};
use proto::domain::{Action, CreateRequest, DomainConfig, DomainState, Ended, ShutdownReason};
use proto::error::DomainError;
use toolstack::MINIMUM_RESTART_INTERVAL_NS;
use xen_abi::sched::{SHUTDOWN_CRASH, SHUTDOWN_POWEROFF, SHUTDOWN_REBOOT, SHUTDOWN_SUSPEND};
use xen_abi::{DomId, Errno};

const CRASHED: Ended = Ended::Shutdown(ShutdownReason::Crash);

fn obey(world: &World) {
    world.obey();
}

/// A running domain that has the same rule for every end.
fn running(world: &World, name: &str, rule: Action) -> u16 {
    let request = world.smallest(name);
    let config = DomainConfig { on_poweroff: rule, on_reboot: rule, on_crash: rule, ..request.config };
    world.create(CreateRequest { config, ..request }).domid
}

#[test]
fn noticing_takes_one_exit_and_nothing_happens_to_those_who_live() {
    let world = World::new();
    running(&world, "a", Action::Destroy);
    world.sim.reset_counts();
    world.stack.on_virq_dom_exc().unwrap();
    assert_eq!(world.sim.exits(), 1);
    obey(&world);
    assert_eq!(world.names(), ["Domain-0", "a"]);
}

#[test]
fn destroy_frees_everything() {
    let world = World::new();
    world.smallest("a");
    let before = world.before();
    let domid = running(&world, "a", Action::Destroy);
    world.end(domid, SHUTDOWN_POWEROFF);
    let info = world.stack.find(&domain("a")).unwrap();
    assert!(info.state.contains(DomainState::SHUTDOWN));
    assert_eq!(info.shutdown, Some(ShutdownReason::Poweroff));
    obey(&world);
    world.assert_clean(&before);
    let ended = finish(world.stack.wait(&domain("a")));
    assert_eq!(ended, Ok(Ended::Shutdown(ShutdownReason::Poweroff)), "it is remembered how it ended");
    assert_eq!(finish(world.stack.wait(&domain(&domid.to_string()))), ended);
}

#[test]
fn restart_builds_the_same_domain_anew_without_the_host() {
    let world = World::new();
    let domid = running(&world, "a", Action::Restart);
    let uuid = world.stack.find(&domain("a")).unwrap().uuid;
    world.end(domid, SHUTDOWN_REBOOT);
    obey(&world);
    let again = world.stack.find(&domain("a")).unwrap();
    assert_ne!(again.domid, domid);
    assert_eq!(again.uuid, uuid);
    assert!(world.sim.guest(DomId(again.domid)).is_running());
    assert_eq!(world.names(), ["Domain-0", "a"]);
    let count = format!("/vm/{}/xend/restart_count", toolstack::name::Uuid(uuid));
    assert_eq!(world.read(&count).as_deref(), Some("1"));
    assert_eq!(world.read(&format!("/local/domain/{domid}")), None);
    assert!(world.read(&format!("/local/domain/{}/name", again.domid)).is_some());
}

#[test]
fn who_dies_again_and_again_is_not_restarted_for_ever() {
    let world = World::new();
    world.smallest("a");
    let before = world.before();
    let first = running(&world, "a", Action::Restart);
    world.end(first, SHUTDOWN_CRASH);
    obey(&world);
    let second = world.stack.find(&domain("a")).expect("one early end is forgiven").domid;
    world.platform.now_ns.set(world.platform.now_ns.get() + MINIMUM_RESTART_INTERVAL_NS - 1);
    world.end(second, SHUTDOWN_CRASH);
    obey(&world);
    world.assert_clean(&before);
}

#[test]
fn who_dies_now_and_then_is_restarted_each_time() {
    let world = World::new();
    let mut domid = running(&world, "a", Action::Restart);
    for _ in 0..5 {
        world.end(domid, SHUTDOWN_REBOOT);
        obey(&world);
        domid = world.stack.find(&domain("a")).unwrap().domid;
        world.platform.now_ns.set(world.platform.now_ns.get() + MINIMUM_RESTART_INTERVAL_NS);
    }
}

#[test]
fn preserve_leaves_it_as_it_is() {
    let world = World::new();
    let domid = running(&world, "a", Action::Preserve);
    world.end(domid, SHUTDOWN_CRASH);
    obey(&world);
    world.stack.on_virq_dom_exc().unwrap();
    obey(&world);
    let info = world.stack.find(&domain("a")).unwrap();
    assert_eq!((info.domid, info.state.contains(DomainState::CRASHED)), (domid, true));
    assert_eq!(world.stack.pause(&domain("a")), Ok(()), "as with xm");
    assert_eq!(world.stack.unpause(&domain("a")), Err(DomainError::NotStarted));
    assert_eq!(finish(world.stack.wait(&domain("a"))), Ok(CRASHED));
    world.destroy("a");
    assert_eq!(finish(world.stack.wait(&domain("a"))), Ok(CRASHED), "its end was its own");
}

#[test]
fn a_suspended_domain_is_left_to_whoever_asked_for_it() {
    let world = World::new();
    let domid = running(&world, "a", Action::Destroy);
    world.end(domid, SHUTDOWN_SUSPEND);
    obey(&world);
    assert_eq!(world.stack.find(&domain("a")).unwrap().shutdown, Some(ShutdownReason::Suspend));
    assert_eq!(world.stack.pause(&domain("a")), Err(DomainError::NotStarted));
}

#[test]
fn rename_restart_keeps_the_dead_one_under_another_name() {
    let world = World::new();
    let domid = running(&world, "a", Action::RenameRestart);
    let uuid = world.stack.find(&domain("a")).unwrap().uuid;
    world.end(domid, SHUTDOWN_CRASH);
    obey(&world);
    let again = world.stack.find(&domain("a")).unwrap();
    assert_ne!(again.domid, domid);
    assert_eq!(again.uuid, uuid);
    let dead = world.stack.find(&domain(&domid.to_string())).unwrap();
    assert_eq!(dead.name, format!("Domain-{}", toolstack::name::Uuid(dead.uuid)));
    assert_ne!(dead.uuid, uuid);
    assert!(dead.state.contains(DomainState::CRASHED));
    assert_eq!(world.read(&format!("/local/domain/{domid}/name")).as_deref(), Some(dead.name.as_str()));
    let path = format!("/vm/{}", toolstack::name::Uuid(uuid));
    assert_eq!(world.read(&format!("/local/domain/{}/vm", again.domid)).as_deref(), Some(path.as_str()));
    assert_eq!(world.read(&format!("{path}/name")).as_deref(), Some("a"));
    world.destroy(&dead.name);
    assert_eq!(world.read(&format!("{path}/name")).as_deref(), Some("a"), "the living one keeps its nodes");
    world.destroy("a");
}

#[test]
fn no_end_waits_for_a_domain_that_is_built_anew_nor_does_another_build() {
    let world = World::new();
    let slow = running(&world, "slow", Action::Restart);
    let quick = running(&world, "quick", Action::Destroy);
    let other = running(&world, "other", Action::Restart);
    let mut context = Context::from_waker(Waker::noop());
    let mut rebuilds = pin!(world.stack.obey_rebuilds());
    world.end(slow, SHUTDOWN_REBOOT);
    world.sim.fail_next("XEN_DOMCTL_destroydomain", Errno::EAGAIN);
    assert!(rebuilds.as_mut().poll(&mut context).is_pending());
    assert_eq!(world.stack.find(&domain("slow")).unwrap().domid, slow, "its destruction is under way");

    world.end(quick, SHUTDOWN_POWEROFF);
    world.end(other, SHUTDOWN_REBOOT);
    world.obey();
    assert_eq!(world.stack.find(&domain("quick")), Err(DomainError::NotFound));
    assert_ne!(world.stack.find(&domain("other")).unwrap().domid, other);
    assert_eq!(world.stack.find(&domain("slow")).unwrap().domid, slow);
    assert!(rebuilds.as_mut().poll(&mut context).is_pending());
    assert_ne!(world.stack.find(&domain("slow")).unwrap().domid, slow);
}

#[test]
fn a_domain_that_is_built_anew_takes_its_turn_among_those_who_build() {
    let world = World::new();
    let mut context = Context::from_waker(Waker::noop());
    let domid = running(&world, "a", Action::Restart);
    let quick = running(&world, "quick", Action::Destroy);
    let request = world.smallest("b");
    let (memory_kib, noise) =
        (32 << 10, (0..5 << 20).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8));
    let ramdisk = Some(world.upload(&common::kernel::packed(&noise.collect::<Vec<u8>>())));
    let mut builds: Vec<_> = (0..toolstack::BUILDS)
        .map(|n| {
            let name = format!("b{n}");
            let config = DomainConfig {
                name,
                ramdisk,
                memory_kib,
                max_memory_kib: memory_kib,
                ..request.config.clone()
            };
            Box::pin(world.stack.create(CreateRequest { config, paused: false }))
        })
        .collect();
    assert!(builds.iter_mut().all(|build| build.as_mut().poll(&mut context).is_pending()), "they give way");

    world.end(domid, SHUTDOWN_REBOOT);
    world.end(quick, SHUTDOWN_POWEROFF);
    world.obey();
    assert_eq!(world.stack.find(&domain("a")).unwrap().domid, domid, "as many are built as may be");
    assert_eq!(world.stack.find(&domain("quick")), Err(DomainError::NotFound), "an end needs no turn");
    finish(builds.remove(0)).unwrap();
    world.obey();
    assert_ne!(world.stack.find(&domain("a")).unwrap().domid, domid);
}

#[test]
fn a_domain_that_waits_for_its_next_life_may_be_destroyed() {
    let world = World::new();
    let domid = running(&world, "a", Action::Restart);
    let mut context = Context::from_waker(Waker::noop());
    world.end(domid, SHUTDOWN_REBOOT);
    world.destroy("a");
    let mut rebuilds = pin!(world.stack.obey_rebuilds());
    assert!(rebuilds.as_mut().poll(&mut context).is_pending());
    world.obey();
    assert_eq!(world.names(), ["Domain-0"]);
}

#[test]
fn a_rule_is_followed_also_when_a_destruction_before_it_was_refused() {
    let world = World::new();
    let domid = running(&world, "a", Action::Restart);
    world.end(domid, SHUTDOWN_REBOOT);
    world.sim.fail_next("XEN_DOMCTL_destroydomain", Errno::EAGAIN);
    world.sim.fail_next("XEN_DOMCTL_destroydomain", Errno::EPERM);
    let word = domain("a");
    let mut destroy = pin!(world.stack.destroy(&word));
    let mut context = Context::from_waker(Waker::noop());
    assert!(destroy.as_mut().poll(&mut context).is_pending());
    world.obey();
    assert!(matches!(destroy.as_mut().poll(&mut context), Poll::Ready(Err(DomainError::Xen(_)))));
    world.obey();
    assert_ne!(world.stack.find(&word).unwrap().domid, domid, "it lives again");
}

#[test]
fn a_rule_that_xen_refuses_is_tried_once() {
    let world = World::new();
    let domid = running(&world, "a", Action::Destroy);
    world.end(domid, SHUTDOWN_POWEROFF);
    world.sim.fail_next("XEN_DOMCTL_destroydomain", Errno::EPERM);
    world.obey();
    assert_eq!(world.stack.find(&domain("a")).unwrap().domid, domid);
    world.destroy("a");
    assert_eq!(world.names(), ["Domain-0"]);
}

#[test]
fn a_restart_that_xen_refuses_leaves_nothing() {
    let world = World::new();
    world.smallest("a");
    let before = world.before();
    let domid = running(&world, "a", Action::Restart);
    world.end(domid, SHUTDOWN_REBOOT);
    world.sim.fail_next("XEN_DOMCTL_max_vcpus", Errno::ENOMEM);
    obey(&world);
    world.assert_clean(&before);
}

#[test]
fn everybody_who_waits_is_told() {
    let world = World::new();
    let domid = running(&world, "a", Action::Destroy);
    let other = running(&world, "b", Action::Destroy);
    let mut context = Context::from_waker(Waker::noop());
    let (by_name, by_id, of_other) = (domain("a"), domain(&domid.to_string()), domain("b"));
    let mut one = pin!(world.stack.wait(&by_name));
    let mut two = pin!(world.stack.wait(&by_id));
    let mut three = pin!(world.stack.wait(&of_other));
    assert!(one.as_mut().poll(&mut context).is_pending());
    assert!(two.as_mut().poll(&mut context).is_pending());
    assert!(three.as_mut().poll(&mut context).is_pending());
    world.end(domid, SHUTDOWN_CRASH);
    assert_eq!(one.as_mut().poll(&mut context), Poll::Ready(Ok(CRASHED)));
    assert_eq!(two.as_mut().poll(&mut context), Poll::Ready(Ok(CRASHED)));
    assert!(three.as_mut().poll(&mut context).is_pending());
    world.destroy(&other.to_string());
    assert_eq!(three.as_mut().poll(&mut context), Poll::Ready(Ok(Ended::Destroyed)));
}

#[test]
fn one_who_waits_for_a_life_is_told_even_if_the_next_has_begun() {
    let world = World::new();
    let domid = running(&world, "a", Action::Restart);
    let word = domain("a");
    let mut context = Context::from_waker(Waker::noop());
    let mut wait = pin!(world.stack.wait(&word));
    assert!(wait.as_mut().poll(&mut context).is_pending());
    world.end(domid, SHUTDOWN_REBOOT);
    obey(&world);
    assert!(world.stack.find(&domain("a")).is_ok());
    let expected = Ok(Ended::Shutdown(ShutdownReason::Reboot));
    assert_eq!(wait.as_mut().poll(&mut context), Poll::Ready(expected));
}

#[test]
fn a_domain_that_somebody_else_destroyed_is_forgotten() {
    let world = World::new();
    world.smallest("a");
    let before = world.before();
    let domid = running(&world, "a", Action::Restart);
    let xen = hypercall::Xen::probe(world.sim).unwrap();
    xen.destroy_domain(DomId(domid)).unwrap();
    world.stack.on_virq_dom_exc().unwrap();
    obey(&world);
    world.assert_clean(&before);
    assert_eq!(finish(world.stack.wait(&domain("a"))), Ok(Ended::Destroyed));
}

#[test]
fn a_refusal_to_tell_changes_nothing() {
    let world = World::new();
    let domid = running(&world, "a", Action::Destroy);
    world.sim.guest(DomId(domid)).shutdown(SHUTDOWN_CRASH).unwrap();
    world.sim.fail_next("XEN_SYSCTL_getdomaininfolist", Errno::EPERM);
    assert!(world.stack.on_virq_dom_exc().is_err());
    obey(&world);
    assert_eq!(world.names(), ["Domain-0", "a"]);
    world.stack.on_virq_dom_exc().unwrap();
    obey(&world);
    assert_eq!(world.names(), ["Domain-0"]);
}

#[test]
fn images_that_a_rule_may_need_are_not_given_up() {
    let world = World::on(sim_xen::Config { memory: xen_abi::Pages(40 << 8), ..Default::default() });
    let domid = running(&world, "a", Action::Restart);
    let kernel = common::offer(&common::kernel::container()).id;
    let others: Vec<_> = (0..8).map(|n| vec![n; 2 << 20]).collect();
    for other in &others {
        world.upload(other);
    }
    assert_eq!(world.stack.images_present(&[kernel]), [true]);
    assert!(!world.stack.images_present(&[common::offer(&others[0]).id])[0], "there was pressure");
    world.end(domid, SHUTDOWN_REBOOT);
    obey(&world);
    assert!(world.stack.find(&domain("a")).is_ok());
}

#[test]
fn two_hundred_lives_leave_nothing() {
    let world = World::new();
    world.smallest("a");
    let before = world.before();
    for _ in 0..200 {
        let domid = running(&world, "a", Action::Destroy);
        world.end(domid, SHUTDOWN_POWEROFF);
        obey(&world);
    }
    world.assert_clean(&before);
}
