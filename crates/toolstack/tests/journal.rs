//! What the journal tells of commands, of guests that end by themselves, and of what follows.

mod common;

use common::{World, domain, finish, turns};
use proto::domain::{Action, ShutdownReason};
use proto::error::{CreateError, DomainError};
use proto::journal::{Entry, Event, Who};
use proto::sched::{PoolChange, PoolError, PoolRef};
use xen_abi::sched::{SHUTDOWN_CRASH, SHUTDOWN_POWEROFF};

fn entries(world: &World) -> Vec<Entry> {
    let page = world.stack.journal(0);
    assert_eq!((page.has_more, page.dropped), (false, 0));
    page.entries
}

fn last(world: &World) -> Entry {
    entries(world).pop().expect("something happened")
}

#[test]
fn the_first_entry_is_the_control_domains_own_start() {
    let world = World::new();
    let [start] = &entries(&world)[..] else { panic!("{:?}", entries(&world)) };
    assert_eq!((start.seq, start.who, start.at_ns, start.times), (1, Who::Control, 5_000_000_000, 1));
    assert_eq!(start.event, Event::Started { version: "0.1.0".into(), xen: "4.17".into() });
}

#[test]
fn a_creation_tells_where_its_time_went() {
    let world = World::new();
    let created = world.create(world.smallest("a"));
    let entry = last(&world);
    assert_eq!(entry.who, Who::Command);
    let phases: Vec<&str> = created.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(phases, ["check", "create domain", "build", "open", "start"]);
    assert_eq!(entry.event, Event::Created { name: "a".into(), created });
}

#[test]
fn a_creation_that_fails_tells_why() {
    let world = World::new();
    world.create(world.smallest("a"));
    let refused = finish(world.stack.create(world.smallest("a"))).unwrap_err();
    assert!(matches!(refused, CreateError::NameInUse { .. }));
    assert_eq!(last(&world).event, Event::NotCreated { name: "a".into(), why: refused });
}

#[test]
fn a_command_is_entered_with_its_domain_its_result_and_how_long_it_took() {
    let world = World::new();
    let domid = world.create(world.smallest("a")).domid;
    let word = domain(&domid.to_string());
    let slow = async {
        world.platform.now_ns.set(5_000_700_000);
        world.stack.pause(&word)
    };
    finish(world.stack.on_command("pause", &word, slow)).unwrap();
    let entry = last(&world);
    let command = |what: &str, name: &str, domid, why| Event::Command {
        what: what.into(),
        name: name.into(),
        domid,
        why,
    };
    assert_eq!((entry.who, entry.us), (Who::Command, 700));
    assert_eq!(entry.event, command("pause", "a", Some(domid), None), "by its name, whatever was typed");

    // The name is known even when the domain is gone.
    finish(world.stack.on_command("destroy", &word, world.stack.destroy(&word))).unwrap();
    assert_eq!(last(&world).event, command("destroy", "a", Some(domid), None));

    let nobody = domain("nobody");
    let refused = finish(world.stack.on_command("pause", &nobody, async { world.stack.pause(&nobody) }));
    assert_eq!(refused, Err(DomainError::NotFound));
    assert_eq!(last(&world).event, command("pause", "nobody", None, Some("there is no such domain".into())));
}

#[test]
fn an_end_its_rule_and_what_follows_are_told_one_by_one() {
    let world = World::new();
    let first = world.create(world.smallest("a")).domid;
    world.end(first, SHUTDOWN_CRASH);
    world.obey();
    let all = entries(&world);
    let [.., end, rule, destroyed, created] = &all[..] else { panic!("{all:?}") };
    let (name, reason) = (String::from("a"), ShutdownReason::Crash);
    assert_eq!(
        (end.who, &end.event),
        (Who::Guest, &Event::Ended { name: name.clone(), domid: first, reason })
    );
    let expected = Event::Rule { name: name.clone(), reason, action: Action::Restart, too_fast_ns: None };
    assert_eq!((rule.who, &rule.event), (Who::Rule, &expected));
    let expected = Event::Destroyed { name: name.clone(), domid: first, why: None };
    assert_eq!((destroyed.who, &destroyed.event), (Who::Rule, &expected));
    assert!(matches!(&created.event, Event::Created { name, .. } if name == "a"), "{created:?}");
    assert_eq!(created.who, Who::Rule);
}

#[test]
fn a_restart_that_is_too_fast_is_said_with_the_time() {
    let world = World::new();
    let domid = world.create(world.smallest("a")).domid;
    world.end(domid, SHUTDOWN_CRASH);
    world.obey();
    world.platform.now_ns.set(7_000_000_000);
    let domid = world.stack.find(&domain("a")).unwrap().domid;
    world.end(domid, SHUTDOWN_CRASH);
    world.obey();
    let all = entries(&world);
    let [.., rule, destroyed] = &all[..] else { panic!("{all:?}") };
    assert!(
        matches!(rule.event, Event::Rule { action: Action::Destroy, too_fast_ns: Some(2_000_000_000), .. }),
        "{rule:?}"
    );
    assert_eq!((destroyed.times, destroyed.who), (2, Who::Rule), "both times for the same domain");
}

#[test]
fn a_guest_that_restarts_for_ever_fills_nothing() {
    let world = World::new();
    world.create(world.smallest("loop"));
    world.create(world.smallest("other"));
    for minute in 1..=60u64 {
        world.platform.now_ns.set(minute * 61_000_000_000);
        let domid = world.stack.find(&domain("loop")).unwrap().domid;
        world.end(domid, SHUTDOWN_CRASH);
        world.obey();
    }
    let all = entries(&world);
    // The start, two commands, and the end, the rule, the destruction and the building of the loop.
    assert_eq!(all.len(), 3 + 4, "{all:?}");
    assert!(all[3..].iter().all(|entry| entry.times == 60 && entry.first_ns == 61_000_000_000));
}

#[test]
fn whoever_waits_for_news_hears_of_the_next_entry() {
    let world = World::new();
    let next = world.stack.journal(0).next;
    assert!(turns(world.stack.journal_wait(next), 3).is_none(), "nothing happened yet");
    finish(world.stack.journal_wait(next - 1));
    world.stack.note(Who::Command, Event::Halt { code: 3 });
    finish(world.stack.journal_wait(next));
    assert_eq!(last(&world).event, Event::Halt { code: 3 });
}

#[test]
fn a_domain_that_somebody_else_destroyed_is_theirs() {
    let world = World::new();
    let domid = world.create(world.smallest("a")).domid;
    world.end(domid, SHUTDOWN_POWEROFF);
    world.obey();
    let domid = world.create(world.smallest("b")).domid;
    let xen = hypercall::Xen::probe(world.sim).unwrap();
    xen.destroy_domain(xen_abi::DomId(domid)).unwrap();
    world.stack.on_virq_dom_exc().unwrap();
    let entry = last(&world);
    assert_eq!(
        (entry.who, entry.event),
        (Who::Stranger, Event::Destroyed { name: "b".into(), domid, why: None })
    );
}

#[test]
fn what_is_done_with_pools_is_entered_too() {
    let world = World::new();
    let pool = PoolRef("fast".into());
    let refused = world
        .stack
        .on_pool("cpupool-destroy", "fast", || world.stack.change_pools(&PoolChange::Destroy(pool)));
    assert_eq!(refused, Err(PoolError::NotFound));
    let expected = Event::Command {
        what: "cpupool-destroy".into(),
        name: "pool fast".into(),
        domid: None,
        why: Some("there is no such pool".into()),
    };
    assert_eq!(last(&world).event, expected);
}
