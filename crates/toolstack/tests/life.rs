//! Another name, a new beginning, a pressed button.

mod common;

use common::{World, domain, finish, turns};
use proto::detail::{DetailQuery, DomainDetail};
use proto::domain::{Action, CreateRequest, DomainConfig};
use proto::error::{CreateError, DomainError, XenError};
use proto::life::{RenameError, RenameRequest, ResetError, Trigger, TriggerError, TriggerRequest};
use proto::resize::MemoryWish;
use toolstack::name::Uuid;
use xen_abi::sched::{SHUTDOWN_CRASH, SHUTDOWN_POWEROFF, SHUTDOWN_REBOOT};
use xen_abi::{DomId, Errno};

fn running(world: &World, name: &str, rule: Action) -> u16 {
    let request = world.smallest(name);
    let config = DomainConfig { on_poweroff: rule, on_reboot: rule, on_crash: rule, ..request.config };
    world.create(CreateRequest { config, ..request }).domid
}

fn rename(world: &World, from: &str, to: &str) -> Result<(), RenameError> {
    world.stack.rename(&RenameRequest { domain: domain(from), name: to.into() })
}

#[test]
fn a_new_name_is_seen_everywhere_and_the_old_one_is_free() {
    let world = World::new();
    let domid = running(&world, "a", Action::Restart);
    let uuid = Uuid(world.stack.find(&domain("a")).unwrap().uuid);
    world.sim.reset_counts();
    assert_eq!(rename(&world, "a", "b"), Ok(()));
    assert_eq!(world.sim.exits(), 0);
    assert_eq!(world.names(), ["Domain-0", "b"]);
    assert_eq!(world.read(&format!("/local/domain/{domid}/name")).as_deref(), Some("b"));
    assert_eq!(world.read(&format!("/vm/{uuid}/name")).as_deref(), Some("b"));
    assert!(world.consoles.borrow().find(|info| info.name == "b" && info.is_live).is_some());
    running(&world, "a", Action::Destroy);
    world.destroy("a");
    // Its next life has the new name as well.
    world.end(domid, SHUTDOWN_REBOOT);
    world.obey();
    assert_eq!(world.names(), ["Domain-0", "b"]);
    world.destroy("b");
}

#[test]
fn a_name_that_cannot_be_had_changes_nothing() {
    let world = World::new();
    running(&world, "a", Action::Destroy);
    let b = running(&world, "b", Action::Destroy);
    for (from, to, error) in [
        ("a", "b", RenameError::NameInUse { domid: Some(b) }),
        ("a", "Domain-0", RenameError::NameInUse { domid: Some(0) }),
        ("a", "", RenameError::BadName),
        ("a", "a b", RenameError::BadName),
        ("nobody", "c", RenameError::Domain(DomainError::NotFound)),
        ("77", "c", RenameError::Domain(DomainError::NotFound)),
        ("Domain-0", "c", RenameError::Domain(DomainError::Privileged)),
    ] {
        assert_eq!(rename(&world, from, to), Err(error), "{from} {to}");
    }
    assert_eq!(rename(&world, "a", "a"), Ok(()), "its own name is no other's");
    assert_eq!(world.names(), ["Domain-0", "a", "b"]);
}

#[test]
fn one_that_is_being_destroyed_keeps_its_name() {
    let world = World::new();
    running(&world, "a", Action::Destroy);
    world.sim.fail_next("XEN_DOMCTL_destroydomain", Errno::EAGAIN);
    let word = domain("a");
    let mut destroy = std::pin::pin!(world.stack.destroy(&word));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(destroy.as_mut().poll(&mut context).is_pending());
    assert_eq!(rename(&world, "a", "b"), Err(RenameError::Domain(DomainError::NotStarted)));
    let reset = finish(world.stack.reset(&domain("a")));
    assert_eq!(reset, Err(ResetError::Refused(DomainError::NotStarted)));
    finish(destroy).unwrap();
}

#[test]
fn a_reset_domain_begins_anew_and_keeps_who_it_is() {
    let world = World::new();
    world.smallest("a");
    let before = world.before();
    let old = running(&world, "a", Action::Destroy);
    let uuid = world.stack.find(&domain("a")).unwrap().uuid;
    world.stack.pause(&domain("a")).unwrap();
    let created = finish(world.stack.reset(&domain("a"))).unwrap();
    assert_ne!(created.domid, old);
    let now = world.stack.find(&domain("a")).unwrap();
    assert_eq!((now.domid, now.uuid), (created.domid, uuid));
    assert!(world.sim.guest(DomId(now.domid)).is_running());
    let count = world.read(&format!("/vm/{}/xend/restart_count", Uuid(uuid)));
    assert_eq!(count.as_deref(), Some("0"), "a reset is no restart of its own");
    world.destroy("a");
    world.assert_clean(&before);
}

#[test]
fn a_crashed_domain_that_was_kept_can_be_reset_and_one_that_shut_down_not() {
    let world = World::new();
    let crashed = running(&world, "crashed", Action::Preserve);
    let off = running(&world, "off", Action::Preserve);
    world.end(crashed, SHUTDOWN_CRASH);
    world.end(off, SHUTDOWN_POWEROFF);
    world.obey();
    assert!(finish(world.stack.reset(&domain("crashed"))).is_ok());
    for (name, error) in [
        ("off", DomainError::NotStarted),
        ("nobody", DomainError::NotFound),
        ("Domain-0", DomainError::Privileged),
    ] {
        assert_eq!(finish(world.stack.reset(&domain(name))), Err(ResetError::Refused(error)), "{name}");
    }
}

#[test]
fn a_dead_one_that_was_kept_under_another_name_comes_back_under_that() {
    let world = World::new();
    let domid = running(&world, "a", Action::RenameRestart);
    world.end(domid, SHUTDOWN_CRASH);
    world.obey();
    let living = world.stack.find(&domain("a")).unwrap().domid;
    let kept = world.stack.find(&domain(&domid.to_string())).unwrap().name;
    let again = finish(world.stack.reset(&domain(&kept))).unwrap();
    assert_eq!(world.stack.find(&domain(&kept)).unwrap().domid, again.domid);
    assert_eq!(world.stack.find(&domain("a")).unwrap().domid, living, "the one that took its place lives on");
}

#[test]
fn a_domain_that_was_told_to_have_too_little_is_not_destroyed_by_a_reset() {
    let world = World::new();
    let domid = running(&world, "a", Action::Destroy);
    world.stack.set_memory(&MemoryWish { domain: domain("a"), kib: 4 }).unwrap();
    let reset = finish(world.stack.reset(&domain("a")));
    assert!(matches!(reset, Err(ResetError::Impossible(_))), "{reset:?}");
    assert!(world.sim.guest(DomId(domid)).is_running());
}

#[test]
fn a_domain_whose_image_is_gone_is_not_destroyed_by_a_reset() {
    let world = World::on(sim_xen::Config { memory: xen_abi::Pages(40 << 8), ..Default::default() });
    let domid = running(&world, "a", Action::Destroy);
    for n in 0..10u8 {
        world.upload(&vec![n; 2 << 20]);
    }
    let kernel = common::offer(&common::kernel::container()).id;
    let error = ResetError::Impossible(CreateError::NoImage(kernel));
    assert_eq!(finish(world.stack.reset(&domain("a"))), Err(error));
    assert!(world.sim.guest(DomId(domid)).is_running());
}

#[test]
fn a_reset_that_cannot_be_finished_says_that_the_domain_is_lost() {
    let world = World::new();
    world.smallest("a");
    let before = world.before();
    running(&world, "a", Action::Restart);
    world.sim.fail_next("XEN_DOMCTL_createdomain", Errno::EPERM);
    let error = CreateError::Xen(XenError { call: "XEN_DOMCTL_createdomain".into(), errno: Errno::EPERM.0 });
    assert_eq!(finish(world.stack.reset(&domain("a"))), Err(ResetError::Lost(error)));
    world.assert_clean(&before);
}

#[test]
fn a_reset_that_is_given_up_leaves_the_old_domain_or_none() {
    let world = World::new();
    world.smallest("a");
    let before = world.before();
    for turn in 0..4 {
        running(&world, "a", Action::Destroy);
        world.sim.fail_next("XEN_DOMCTL_destroydomain", Errno::EAGAIN);
        let done = turns(world.stack.reset(&domain("a")), turn);
        world.sim.clear_faults();
        if done.is_some() || turn == 0 {
            world.destroy("a");
        }
        world.assert_clean(&before);
    }
}

fn trigger(world: &World, name: &str, trigger: Trigger, vcpu: u32) -> Result<(), TriggerError> {
    world.stack.trigger(&TriggerRequest { domain: domain(name), trigger, vcpu })
}

#[test]
fn an_nmi_is_sent_to_a_vcpu_that_there_is() {
    let world = World::new();
    running(&world, "a", Action::Destroy);
    assert_eq!(trigger(&world, "a", Trigger::Nmi, 0), Ok(()));
    assert_eq!(world.sim.count("XEN_DOMCTL_sendtrigger"), 1);
    assert_eq!(trigger(&world, "a", Trigger::Nmi, 1), Err(TriggerError::NoVcpu { vcpus: 1 }));
    assert_eq!(trigger(&world, "a", Trigger::Nmi, u32::MAX), Err(TriggerError::NoVcpu { vcpus: 1 }));
}

#[test]
fn what_a_pvh_guest_or_this_xen_does_not_have_is_said_and_not_pretended() {
    let world = World::new();
    running(&world, "a", Action::Destroy);
    for button in [Trigger::Power, Trigger::Sleep, Trigger::S3Resume] {
        assert_eq!(trigger(&world, "a", button, 0), Err(TriggerError::NoAcpi));
    }
    assert_eq!(world.sim.count("XEN_DOMCTL_sendtrigger"), 0);
    for unknown in [Trigger::Reset, Trigger::Init] {
        let error = XenError { call: "XEN_DOMCTL_sendtrigger".into(), errno: Errno::ENOSYS.0 };
        assert_eq!(trigger(&world, "a", unknown, 0), Err(TriggerError::Unknown(error)));
    }
}

#[test]
fn those_who_cannot_be_triggered_are_refused() {
    let world = World::new();
    let dead = running(&world, "dead", Action::Preserve);
    world.end(dead, SHUTDOWN_CRASH);
    for (name, error) in [
        ("nobody", DomainError::NotFound),
        ("Domain-0", DomainError::Privileged),
        ("dead", DomainError::NotStarted),
    ] {
        assert_eq!(trigger(&world, name, Trigger::Nmi, 0), Err(TriggerError::Domain(error)), "{name}");
    }
}

#[test]
fn a_pause_is_an_admins_until_somebody_unpauses() {
    let world = World::new();
    let paused = CreateRequest { paused: true, ..world.smallest("a") };
    world.create(paused);
    let is_admins = || world.stack.find(&domain("a")).unwrap().is_admin_paused;
    assert!(!is_admins(), "it was only never started");
    world.stack.pause(&domain("a")).unwrap();
    assert!(is_admins());
    world.stack.unpause(&domain("a")).unwrap();
    assert!(!is_admins());
}

#[test]
fn a_hundred_domains_are_listed_in_one_exit() {
    let world = World::on(sim_xen::Config { memory: xen_abi::Pages(2 << 18), ..Default::default() });
    for n in 0..100 {
        running(&world, &format!("g{n}"), Action::Destroy);
    }
    world.sim.reset_counts();
    assert_eq!(world.stack.list().unwrap().len(), 101);
    assert_eq!((world.sim.exits(), world.sim.hypercalls()), (1, 1));
}

fn query(names: &[&str], skip: u32) -> DetailQuery {
    DetailQuery { domains: names.iter().map(|name| domain(name)).collect(), skip }
}

fn details_of(world: &World, names: &[&str]) -> Vec<DomainDetail> {
    let listing = world.stack.details(&query(names, 0)).unwrap();
    assert!(!listing.has_more);
    listing.details
}

#[test]
fn details_that_are_too_long_for_one_answer_come_in_several() {
    let world = World::new();
    for n in 0..25 {
        let request = world.smallest(&format!("g{n:02}"));
        let config = DomainConfig { cmdline: "x".repeat(2000), ..request.config };
        world.create(CreateRequest { config, ..request });
    }
    let first = world.stack.details(&query(&[], 0)).unwrap();
    assert!(first.has_more);
    let second = world.stack.details(&query(&[], first.details.len() as u32)).unwrap();
    assert!(!second.has_more);
    assert_eq!(first.details.len() + second.details.len(), 26);
    let beyond = world.stack.details(&query(&[], 27)).unwrap();
    assert_eq!((beyond.details.len(), beyond.has_more), (0, false));
}

#[test]
fn details_of_many_take_one_exit_for_the_list_and_one_for_all_questions() {
    let world = World::new();
    for n in 0..30 {
        running(&world, &format!("g{n:02}"), Action::Destroy);
    }
    world.sim.reset_counts();
    let details = details_of(&world, &[]);
    assert_eq!(world.sim.exits(), 2);
    assert_eq!(details.len(), 31);
    let names: Vec<_> = details.iter().map(|detail| detail.info.name.as_str()).collect();
    assert!(names.is_sorted(), "{names:?}");
    let some = details_of(&world, &["g07", "Domain-0"]);
    assert_eq!((some[0].clone(), some[1].clone()), (details[8].clone(), details[0].clone()));
}

#[test]
fn details_have_what_a_domain_was_made_of_and_where_its_rings_are() {
    let world = World::new();
    let domid = running(&world, "a", Action::Preserve);
    let detail = details_of(&world, &["a"]).remove(0);
    let config = detail.config.unwrap();
    assert_eq!((config.kernel_name.as_str(), config.on_crash), ("/boot/kernel", Action::Preserve));
    assert_eq!(detail.share, Some((256, 0)));
    assert_eq!((detail.cpus, detail.ssidref), (vec![vec![]], 0));
    let frame = |key: &str| world.read(&format!("/local/domain/{domid}/{key}/ring-ref")).unwrap();
    let rings = detail.rings.unwrap();
    assert_eq!((rings.store.to_string(), rings.console.to_string()), (frame("store"), frame("console")));
    let control = details_of(&world, &["0"]).remove(0);
    assert_eq!((control.config, control.rings), (None, None));
}

#[test]
fn details_of_a_name_that_no_domain_has_are_none_and_name_it() {
    let world = World::new();
    running(&world, "a", Action::Destroy);
    for word in ["nobody", "77"] {
        let error = world.stack.details(&query(&["a", word], 0)).unwrap_err();
        assert_eq!((error.word.as_str(), error.error), (word, DomainError::NotFound));
    }
    world.sim.fail_next("XEN_SYSCTL_getdomaininfolist", Errno::EPERM);
    let error = world.stack.details(&query(&[], 0)).unwrap_err();
    assert!(matches!((error.word.as_str(), error.error), ("", DomainError::Xen(_))));
}
