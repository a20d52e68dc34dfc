//! Domains made and destroyed.

mod common;

use std::cell::Cell;
use std::pin::pin;
use std::task::{Context, Waker};

use common::{World, config, domain, finish, kernel, turns};
use proto::domain::{CreateRequest, DomainConfig, DomainState};
use proto::error::{CreateError, DomainError};
use ring::Shared;
use sim_xen::Config;
use xen_abi::hvm::params::{HVM_PARAM_CONSOLE_EVTCHN, HVM_PARAM_CONSOLE_PFN, HVM_PARAM_STORE_PFN};
use xen_abi::{DomId, Errno, EvtchnPort, Gfn, Pages};

#[test]
fn a_domain_is_made_listed_and_destroyed_and_nothing_is_left() {
    let world = World::new();
    let request = world.smallest("a");
    let before = world.before();
    let created = world.create(request);

    world.platform.now_ns.set(world.platform.now_ns.get() + 3_000_000_000);
    let list = world.stack.list().unwrap();
    assert_eq!(list.len(), 2);
    let (dom0, a) = (&list[0], &list[1]);
    assert_eq!(dom0.name, "Domain-0");
    assert_eq!((a.name.as_str(), a.domid, a.uuid), ("a", created.domid, created.uuid));
    assert_eq!((a.memory_kib, a.max_memory_kib), (8 << 10, 8 << 10));
    assert_eq!((a.max_vcpus, a.uptime_ms, a.shutdown), (1, 3000, None));
    assert!(!a.state.contains(DomainState::PAUSED));
    assert!(world.sim.guest(DomId(created.domid)).is_running());
    for word in ["a".to_string(), created.domid.to_string(), toolstack::name::Uuid(created.uuid).to_string()]
    {
        assert_eq!(&world.stack.find(&domain(&word)).unwrap(), a);
    }

    world.destroy("a");
    world.assert_clean(&before);
    assert_eq!(world.stack.find(&domain("a")), Err(DomainError::NotFound));
}

#[test]
fn the_smallest_guest_takes_eight_exits_and_seven_if_it_stays_paused() {
    let world = World::new();
    for (paused, exits) in [(false, 8), (true, 7)] {
        let request = CreateRequest { paused, ..world.smallest("a") };
        world.sim.reset_counts();
        let created = world.create(request);
        assert_eq!(world.sim.exits(), exits, "{:?}", world.sim.counts());
        assert_eq!(u64::from(created.exits), exits);
        assert_eq!(u64::from(created.hypercalls), world.sim.hypercalls());
        world.destroy("a");
    }
}

#[test]
fn destroying_takes_three_exits() {
    let world = World::new();
    world.create(world.smallest("a"));
    world.sim.reset_counts();
    world.destroy("a");
    assert_eq!(world.sim.exits(), 3, "unmap, close, destroy: {:?}", world.sim.counts());
}

#[test]
fn the_hundredth_domain_costs_what_the_first_did() {
    let world = World::on(Config { memory: Pages(2048 << 8), ..Config::default() });
    let request = world.smallest("0");
    let before = world.before();
    let costs: Vec<_> = (0..100)
        .map(|n| {
            let config = DomainConfig { name: n.to_string(), ..request.config.clone() };
            let created = world.create(CreateRequest { config, paused: false });
            (created.exits, created.hypercalls)
        })
        .collect();
    assert_eq!(costs[99], costs[0]);
    world.sim.reset_counts();
    assert_eq!(world.stack.list().unwrap().len(), 101);
    assert_eq!(world.sim.exits(), 1);
    for n in 0..100 {
        // By name: "3" is a name here, whatever id it has.
        world.destroy(&n.to_string());
    }
    world.assert_clean(&before);
}

#[test]
fn a_domain_that_is_to_stay_paused_does() {
    let world = World::new();
    let created = world.create(CreateRequest { paused: true, ..world.smallest("a") });
    let guest = world.sim.guest(DomId(created.domid));
    assert!(!guest.is_running());
    assert!(world.stack.find(&domain("a")).unwrap().state.contains(DomainState::PAUSED));
    assert_eq!(world.stack.pause(&domain("a")), Ok(()), "pausing twice is pausing once");
    assert_eq!(world.stack.unpause(&domain("a")), Ok(()));
    assert!(guest.is_running());
    assert_eq!(world.stack.unpause(&domain("a")), Ok(()), "one that runs stays as it is");
    assert_eq!(world.stack.pause(&domain("a")), Ok(()));
    assert!(!guest.is_running());
}

#[test]
fn a_guest_finds_its_rings_its_ports_and_its_nodes() {
    let world = World::new();
    let created = world.create(world.smallest("a"));
    let (domid, guest) = (created.domid, world.sim.guest(DomId(created.domid)));
    let console_page = Gfn(guest.param(HVM_PARAM_CONSOLE_PFN));
    let node = |key: &str| world.read(&format!("/local/domain/{domid}/{key}"));
    assert_eq!(node("console/ring-ref"), Some(console_page.0.to_string()));
    assert_eq!(node("console/port"), Some(guest.param(HVM_PARAM_CONSOLE_EVTCHN).to_string()));
    assert_eq!(node("store/ring-ref"), Some(guest.param(HVM_PARAM_STORE_PFN).to_string()));
    assert_eq!(node("name").as_deref(), Some("a"));
    assert_eq!(node("memory/target").as_deref(), Some("8192"));
    assert!(world.store.borrow().is_introduced(DomId(domid)));

    // What the guest writes into its pages is what the tasks see, and its notifications arrive.
    let served = world.platform.served.borrow();
    let channels = &served[&DomId(domid)];
    guest.page(console_page).store_u32(3084, 7);
    assert_eq!(channels.console.page.load_u32(3084), 7);
    channels.store.page.store_u32(2052, 9);
    assert_eq!(guest.page(Gfn(guest.param(HVM_PARAM_STORE_PFN))).load_u32(2052), 9);
    guest.notify(EvtchnPort(guest.param(HVM_PARAM_CONSOLE_EVTCHN) as u32)).unwrap();
    assert!(world.sim.take_events().contains(&channels.console.port));
}

#[test]
fn what_a_guest_printed_last_is_kept_when_it_is_destroyed() {
    let world = World::new();
    let created = world.create(world.smallest("a"));
    let guest = world.sim.guest(DomId(created.domid));
    let page = guest.page(Gfn(guest.param(HVM_PARAM_CONSOLE_PFN)));
    page.write(1024, b"last words");
    page.store_u32(3084, 10);
    world.destroy("a");
    assert_eq!(world.printed("a"), "last words");
}

#[test]
fn a_task_that_ends_late_finds_its_window_shut_and_keeps_no_memory() {
    let world = World::new();
    let request = world.smallest("a");
    let before = world.before();
    let created = world.create(request);
    world.platform.is_lazy.set(true);
    world.destroy("a");
    let late = world.platform.late.take();
    assert_eq!(late[0].domid, DomId(created.domid));
    assert!(late[0].console.page.is_shut() && late[0].store.page.is_shut());
    world.assert_clean(&before);
}

#[test]
fn of_two_creates_at_once_of_one_name_one_wins() {
    let world = World::new();
    let request = world.smallest("a");
    let mut context = Context::from_waker(Waker::noop());
    let big = CreateRequest {
        config: DomainConfig {
            ramdisk: Some(world.upload(&kernel::packed(&noise(5 << 20)))),
            memory_kib: 32 << 10,
            max_memory_kib: 32 << 10,
            ..request.config.clone()
        },
        paused: false,
    };
    let mut first = pin!(world.stack.create(big));
    assert!(first.as_mut().poll(&mut context).is_pending(), "it gives way");
    let domid = world.sim.domains()[0].0;
    let second = finish(world.stack.create(request));
    assert_eq!(second, Err(CreateError::NameInUse { domid: Some(domid) }));
    assert_eq!(world.names(), ["Domain-0", "a"], "one that is being built has its name");
    assert_eq!(
        world.stack.find(&domain("a")),
        Err(DomainError::NotFound),
        "and cannot be meddled with by it"
    );
    let by_id = domain(&domid.to_string());
    assert_eq!(world.stack.find(&by_id), Err(DomainError::NotStarted), "nor by its id");
    assert_eq!(world.stack.unpause(&by_id), Err(DomainError::NotStarted));
    assert_eq!(finish(world.stack.destroy(&by_id)), Err(DomainError::NotStarted));
    assert_eq!(finish(first).unwrap().domid, domid);
}

#[test]
fn a_create_that_is_given_up_anywhere_leaves_nothing() {
    let world = World::new();
    let ramdisk = world.upload(&kernel::packed(&noise(5 << 20)));
    let request = world.smallest("a");
    let config = DomainConfig {
        ramdisk: Some(ramdisk),
        memory_kib: 32 << 10,
        max_memory_kib: 32 << 10,
        ..request.config
    };
    let before = world.before();
    for most in 0.. {
        let done = turns(world.stack.create(CreateRequest { config: config.clone(), paused: false }), most);
        if let Some(created) = done {
            assert!(most > 5, "it gave way {most} times");
            assert!(created.is_ok());
            break;
        }
        world.assert_nothing_happened(&before);
    }
    world.destroy("a");
    world.assert_clean(&before);
}

#[test]
fn a_destroy_that_is_given_up_is_carried_through() {
    let world = World::new();
    let request = world.smallest("a");
    let before = world.before();
    world.create(request);
    for _ in 0..3 {
        world.sim.fail_next("XEN_DOMCTL_destroydomain", Errno::EAGAIN);
    }
    assert_eq!(turns(world.stack.destroy(&domain("a")), 1), None);
    world.assert_clean(&before);
}

#[test]
fn two_destroys_at_once_both_answer_when_it_is_done() {
    let world = World::new();
    let request = world.smallest("a");
    let before = world.before();
    world.create(request);
    world.sim.fail_next("XEN_DOMCTL_destroydomain", Errno::EAGAIN);
    let mut context = Context::from_waker(Waker::noop());
    let word = domain("a");
    let mut first = pin!(world.stack.destroy(&word));
    let mut second = pin!(world.stack.destroy(&word));
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    assert_eq!(finish(first), Ok(()));
    assert_eq!(finish(second), Ok(()));
    world.assert_clean(&before);
}

#[test]
fn a_domain_that_xen_keeps_can_be_destroyed_again() {
    let world = World::new();
    let request = world.smallest("a");
    let before = world.before();
    world.create(request);
    world.sim.fail_next("XEN_DOMCTL_destroydomain", Errno::EPERM);
    let refused = finish(world.stack.destroy(&domain("a")));
    assert!(matches!(refused, Err(DomainError::Xen(_))), "{refused:?}");
    assert_eq!(world.names(), ["Domain-0", "a"]);
    world.destroy("a");
    world.assert_clean(&before);
}

/// Fails the `n`-th hypercall of a create. None: it does not take so many. Else whether the domain was made nevertheless,
/// and how many pages were left mapped when all was over.
fn create_with_a_failure(n: u64, errno: Errno) -> Option<(bool, usize)> {
    let world = World::new();
    let request = world.smallest("a");
    let before = world.before();
    world.sim.fail_nth(n, errno);
    let result = finish(world.stack.create(request));
    world.sim.clear_faults();
    if world.sim.injected() == 0 {
        assert!(result.is_ok());
        return None;
    }
    if result.is_ok() {
        world.destroy("a");
    }
    let leaks = world.leaks(&before);
    match (&result, leaks.is_empty()) {
        (Err(_), true) => world.assert_nothing_happened(&before),
        (Ok(_), true) => world.assert_clean(&before),
        // Of a page that Xen refuses to unmap there is nothing more to be done.
        (_, false) => {
            assert!(leaks.iter().any(|leak| leak.starts_with("foreign pages mapped")), "{n}: {leaks:?}")
        }
    }
    Some((result.is_ok(), leaks.len().min(1)))
}

#[test]
fn every_hypercall_of_a_create_may_fail_and_nothing_is_left() {
    for errno in [Errno::ENOMEM, Errno::EINVAL, Errno::EPERM] {
        let outcomes: Vec<_> = (0..).map_while(|n| create_with_a_failure(n, errno)).collect();
        assert!(outcomes.len() > 20, "a create takes {} hypercalls", outcomes.len());
        // The builder unmaps its pages in one multicall: it may fail as a whole, or for one page.
        let unmapped = unmapped_by_a_create() + 1;
        let stuck = outcomes.iter().filter(|(_, stuck)| *stuck > 0).count();
        assert_eq!(stuck, unmapped, "{errno:?}");
        let made = outcomes.iter().filter(|(made, stuck)| *made && *stuck == 0).count();
        assert_eq!(made, 0, "{errno:?}");
    }
}

fn unmapped_by_a_create() -> usize {
    let world = World::new();
    let request = world.smallest("a");
    world.sim.reset_counts();
    world.create(request);
    world.sim.count("XENMEM_remove_from_physmap") as usize
}

#[test]
fn pages_that_cannot_be_mapped_or_populated_leave_nothing() {
    let world = World::new();
    let request = world.smallest("a");
    let before = world.before();
    for (op, errno) in
        [("XENMEM_add_to_physmap_batch", Errno::EINVAL), ("XENMEM_populate_physmap", Errno::ENOMEM)]
    {
        for element in 0..2 {
            world.sim.fail_element(op, element, errno);
            let result = finish(world.stack.create(request.clone()));
            world.sim.clear_faults();
            if result.is_ok() {
                // Large pages may be replaced by small ones.
                world.destroy("a");
                world.assert_clean(&before);
            } else {
                world.assert_clean(&before);
            }
        }
    }
}

#[test]
fn without_room_for_its_tasks_a_domain_is_not_made() {
    let world = World::new();
    let request = world.smallest("a");
    let before = world.before();
    world.platform.has_room.set(false);
    assert_eq!(finish(world.stack.create(request)), Err(CreateError::OutOfHeap));
    world.assert_nothing_happened(&before);
}

#[test]
fn a_create_tells_where_its_time_went() {
    let world = World::new();
    let created = world.create(world.smallest("a"));
    let names: Vec<_> = created.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, ["check", "create domain", "build", "open", "start"]);
}

#[test]
fn others_hypercalls_are_not_counted() {
    let world = World::new();
    let ramdisk = world.upload(&kernel::packed(&noise(5 << 20)));
    let request = world.smallest("a");
    let config = DomainConfig {
        ramdisk: Some(ramdisk),
        memory_kib: 32 << 10,
        max_memory_kib: 32 << 10,
        ..request.config
    };
    let alone = world.create(CreateRequest { config: config.clone(), paused: false });
    world.destroy("a");

    let mut context = Context::from_waker(Waker::noop());
    let mut create = pin!(world.stack.create(CreateRequest { config, paused: false }));
    let done = Cell::new(None);
    while done.get().is_none() {
        world.stack.list().unwrap();
        if let std::task::Poll::Ready(created) = create.as_mut().poll(&mut context) {
            done.set(Some(created.unwrap().exits));
        }
    }
    assert_eq!(done.get(), Some(alone.exits));
}

#[test]
fn domains_of_every_release_of_xen_come_and_go() {
    for minor in 14..=22 {
        let world = World::on(Config { minor, ..Config::default() });
        let request = world.smallest("a");
        let before = world.before();
        let created = world.create(request);
        assert!(world.sim.guest(DomId(created.domid)).is_running(), "4.{minor}");
        world.destroy("a");
        world.assert_clean(&before);
    }
}

/// Bytes that do not pack.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u64;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect()
}

#[test]
fn a_kernel_that_is_not_there_is_not_built() {
    let world = World::new();
    let before = world.before();
    let id = common::offer(b"no such image").id;
    let error = finish(world.stack.create(CreateRequest { config: config("a", id), paused: false }));
    assert_eq!(error, Err(CreateError::NoImage(id)));
    world.assert_nothing_happened(&before);
}
