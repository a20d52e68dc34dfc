//! Memory and vCPUs of domains that run: what they are told, what is refused, what their next life starts with.

mod common;

use common::{World, domain};
use proto::domain::{Action, CreateRequest, DomainConfig};
use proto::error::{CreateError, DomainError};
use proto::journal::{Entry, Event};
use proto::resize::{DomainMemory, DomainVcpuCount, MemoryWish, ResizeError, VcpuWish};
use sim_xen::Config;
use xen_abi::sched::{SHUTDOWN_POWEROFF, SHUTDOWN_REBOOT};
use xen_abi::{DomId, Errno, KiB, Pages};

const MIB: u64 = 1 << 10;

/// A domain "a" of 8 MiB that may have 16, and of two vCPUs of which one is online.
fn world() -> (World, u16) {
    let world = World::new();
    let domid = world.create(request(&world)).domid;
    (world, domid)
}

fn request(world: &World) -> CreateRequest {
    let request = world.smallest("a");
    let config = DomainConfig {
        max_memory_kib: 16 * MIB,
        max_vcpus: 2,
        on_crash: Action::Preserve,
        ..request.config.clone()
    };
    CreateRequest { config, ..request }
}

fn memory(word: &str, kib: u64) -> MemoryWish {
    MemoryWish { domain: domain(word), kib }
}

fn vcpus(word: &str, count: u32) -> VcpuWish {
    VcpuWish { domain: domain(word), count }
}

/// What stands in the store about the domain with this id.
fn node(world: &World, domid: u16, key: &str) -> String {
    world.read(&format!("/local/domain/{domid}/{key}")).unwrap()
}

fn vm_node(world: &World, key: &str) -> String {
    let uuid = toolstack::name::Uuid(world.stack.find(&domain("a")).unwrap().uuid);
    world.read(&format!("/vm/{uuid}/{key}")).unwrap()
}

#[test]
fn a_domain_finds_its_new_target_in_one_exit() {
    let (world, domid) = world();
    for kib in [4 * MIB, 12 * MIB] {
        world.sim.reset_counts();
        let answer = world.stack.set_memory(&memory("a", kib)).unwrap();
        assert_eq!(world.sim.exits(), 1, "{:?}", world.sim.counts());
        // No balloon works here.
        let expected = DomainMemory { current_kib: 8 * MIB, target_kib: kib, most_kib: 16 * MIB };
        assert_eq!(answer, expected);
        assert_eq!(node(&world, domid, "memory/target"), kib.to_string());
        assert_eq!(vm_node(&world, "memory"), (kib / MIB).to_string());
    }
    assert_eq!(node(&world, domid, "memory/static-max"), "8192", "that is about how it was booted");
    assert_eq!(world.stack.set_memory(&memory(&domid.to_string(), 16 * MIB)).unwrap().target_kib, 16 * MIB);
}

#[test]
fn a_watch_tells_the_guest_of_each_change() {
    let (world, domid) = world();
    let conn = world.store.borrow_mut().connect_control();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut fired = || {
        let mut store = world.store.borrow_mut();
        std::iter::from_fn(|| store.poll_event(conn, &mut context).is_ready().then_some(())).count()
    };
    for key in ["memory/target", "cpu/1/availability"] {
        world.store.borrow_mut().watch(conn, &format!("/local/domain/{domid}/{key}"), "t").unwrap();
    }
    assert_eq!(fired(), 2, "a new watch fires");
    world.stack.set_memory(&memory("a", 4 * MIB)).unwrap();
    assert_eq!(fired(), 1);
    world.stack.set_vcpus(&vcpus("a", 2)).unwrap();
    assert_eq!(fired(), 1);
}

#[test]
fn a_target_is_neither_nothing_nor_above_the_maximum() {
    let (world, domid) = world();
    for (kib, refusal) in [
        (0, ResizeError::Zero),
        (16 * MIB + 1, ResizeError::AboveMaximum { most: 16 * MIB }),
        (u64::MAX, ResizeError::AboveMaximum { most: 16 * MIB }),
    ] {
        assert_eq!(world.stack.set_memory(&memory("a", kib)), Err(refusal));
    }
    assert_eq!(node(&world, domid, "memory/target"), "8192");
}

#[test]
fn what_the_machine_does_not_have_is_refused_with_the_numbers() {
    let world = World::on(Config { memory: Pages(64 << 8), ..Config::default() });
    let request = request(&world);
    let config = DomainConfig { max_memory_kib: 256 * MIB, ..request.config };
    let domid = world.create(CreateRequest { config, paused: false }).domid;
    let free_kib = world.sim.free_memory().kib().0;
    // The images that nobody needs go first, so a little more may be free at the end.
    match world.stack.set_memory(&memory("a", 256 * MIB)).unwrap_err() {
        ResizeError::NotEnoughMemory { needed_kib, free_kib: told } => {
            assert_eq!(needed_kib, 248 * MIB);
            assert!(told >= free_kib, "{told} KiB of {free_kib}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(node(&world, domid, "memory/target"), "8192");
    let all = 8 * MIB + world.sim.free_memory().kib().0;
    assert_eq!(world.stack.set_memory(&memory("a", all)).unwrap().target_kib, all);
}

#[test]
fn an_image_that_nobody_needs_makes_room_for_a_domain_that_grows() {
    let world = World::on(Config { memory: Pages(64 << 8), ..Config::default() });
    let request = request(&world);
    // The domain itself may need its kernel again, unless it is never restarted.
    let config = DomainConfig { max_memory_kib: 256 * MIB, on_reboot: Action::Destroy, ..request.config };
    world.create(CreateRequest { config, paused: false });
    let all = 8 * MIB + world.sim.free_memory().kib().0;
    world.sim.reset_counts();
    assert_eq!(world.stack.set_memory(&memory("a", all + 4)).unwrap().target_kib, all + 4);
    assert_eq!(world.stack.usage(own()).images, 0);
}

fn own() -> toolstack::OwnMemory {
    toolstack::OwnMemory { heap_used: 0, heap_size: 0, kernel_image: 0 }
}

#[test]
fn the_maximum_is_xens_limit_too_and_its_page_tables_have_room() {
    let (world, domid) = world();
    let id = DomId(domid);
    let xen = world.stack.xen();
    let (limit, pool) = (|| xen.domain_info(id).unwrap().max_pages.kib().0, || xen.paging_pool(id).unwrap());
    let before = (limit(), pool());

    world.sim.reset_counts();
    let answer = world.stack.set_max_memory(&memory("a", 24 * MIB)).unwrap();
    assert_eq!(world.sim.exits(), 3, "{:?}", world.sim.counts());
    assert_eq!(answer, DomainMemory { current_kib: 8 * MIB, target_kib: 8 * MIB, most_kib: 24 * MIB });
    assert_eq!(limit(), before.0 + 8 * MIB);
    assert_eq!(pool(), builder::paging_pool(KiB(24 * MIB), 2));
    assert!(pool() > before.1);
    assert_eq!(vm_node(&world, "maxmem"), "24");
    assert_eq!(world.stack.find(&domain("a")).unwrap().max_memory_kib, 24 * MIB);
    assert_eq!(world.stack.set_memory(&memory("a", 24 * MIB)).unwrap().target_kib, 24 * MIB);
    world.stack.set_memory(&memory("a", 8 * MIB)).unwrap();

    world.sim.reset_counts();
    world.stack.set_max_memory(&memory("a", 8 * MIB)).unwrap();
    assert_eq!(world.sim.exits(), 2, "{:?}", world.sim.counts());
    assert_eq!(limit(), before.0 - 8 * MIB);
}

#[test]
fn a_maximum_is_not_below_the_target_and_not_beyond_any_guest() {
    let (world, _) = world();
    for (kib, refusal) in [
        (0, ResizeError::Zero),
        (8 * MIB - 1, ResizeError::BelowTarget { target_kib: 8 * MIB }),
        (builder::MAX_MEMORY.0 + 1, ResizeError::TooMuch { most_kib: builder::MAX_MEMORY.0 }),
        (u64::MAX, ResizeError::TooMuch { most_kib: builder::MAX_MEMORY.0 }),
    ] {
        assert_eq!(world.stack.set_max_memory(&memory("a", kib)), Err(refusal));
    }
    assert_eq!(vm_node(&world, "maxmem"), "16");
}

#[test]
fn a_maximum_whose_page_tables_the_machine_cannot_hold_is_refused_and_takes_nothing() {
    let (world, domid) = world();
    let pool = || world.stack.xen().paging_pool(DomId(domid)).unwrap();
    let before = (pool(), world.sim.free_memory());
    match world.stack.set_max_memory(&memory("a", builder::MAX_MEMORY.0)).unwrap_err() {
        ResizeError::NotEnoughMemory { needed_kib, free_kib } => {
            // A page for each MiB.
            assert_eq!(needed_kib, 4 * (builder::MAX_MEMORY.0 / MIB - 16));
            assert!(free_kib < needed_kib);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((pool(), world.sim.free_memory()), before);
    assert_eq!(vm_node(&world, "maxmem"), "16");
}

#[test]
fn a_limit_that_somebody_else_lowered_is_raised_before_a_domain_grows() {
    let (world, domid) = world();
    let xen = world.stack.xen();
    let before = xen.domain_info(DomId(domid)).unwrap().max_pages;
    xen.max_mem(DomId(domid), KiB(8 * MIB)).unwrap();
    world.sim.reset_counts();
    world.stack.set_memory(&memory("a", 12 * MIB)).unwrap();
    assert_eq!(world.sim.exits(), 2);
    assert_eq!(xen.domain_info(DomId(domid)).unwrap().max_pages, before);
}

#[test]
fn vcpus_are_called_online_and_offline_in_one_exit() {
    let (world, domid) = world();
    let available = |world: &World| {
        let of = |n| node(world, domid, &format!("cpu/{n}/availability"));
        (of(0), of(1), vm_node(world, "vcpu_avail"))
    };
    let (online, offline) = ("online".to_string(), "offline".to_string());
    assert_eq!(available(&world), (online.clone(), offline.clone(), "1".into()));
    world.sim.reset_counts();
    let answer = world.stack.set_vcpus(&vcpus("a", 2)).unwrap();
    assert_eq!(world.sim.exits(), 1);
    assert_eq!(answer, DomainVcpuCount { online: 1, target: 2, most: 2 });
    assert_eq!(available(&world), (online.clone(), online.clone(), "3".into()));
    world.stack.set_vcpus(&vcpus("a", 1)).unwrap();
    assert_eq!(available(&world), (online, offline, "1".into()));
    for (count, refusal) in [
        (0, ResizeError::Zero),
        (3, ResizeError::AboveMaximum { most: 2 }),
        (u32::MAX, ResizeError::AboveMaximum { most: 2 }),
    ] {
        assert_eq!(world.stack.set_vcpus(&vcpus("a", count)), Err(refusal));
    }
}

#[test]
fn the_control_domain_keeps_its_size() {
    let (world, _) = world();
    let privileged = ResizeError::Domain(DomainError::Privileged);
    for word in ["Domain-0", "0"] {
        assert_eq!(world.stack.set_memory(&memory(word, MIB)), Err(privileged.clone()));
        assert_eq!(world.stack.set_max_memory(&memory(word, MIB)), Err(privileged.clone()));
        assert_eq!(world.stack.set_vcpus(&vcpus(word, 2)), Err(ResizeError::AboveMaximum { most: 1 }));
        assert_eq!(world.stack.set_vcpus(&vcpus(word, 0)), Err(ResizeError::Zero));
        let one = DomainVcpuCount { online: 1, target: 1, most: 1 };
        assert_eq!(world.stack.set_vcpus(&vcpus(word, 1)), Ok(one));
    }
}

#[test]
fn who_is_not_there_not_ours_or_not_alive_is_told_apart() {
    let (world, domid) = world();
    let all = |word: &str| {
        let (memory, vcpus) = (memory(word, 8 * MIB), vcpus(word, 1));
        let stack = &world.stack;
        [
            stack.set_memory(&memory).unwrap_err(),
            stack.set_max_memory(&memory).unwrap_err(),
            stack.set_vcpus(&vcpus).unwrap_err(),
        ]
    };
    let not_found = ResizeError::Domain(DomainError::NotFound);
    for word in ["nobody", "77", ""] {
        assert_eq!(all(word), [(); 3].map(|()| not_found.clone()), "{word}");
    }
    let foreign = world.stack.xen().create_domain(&hypercall::CreateDomain::pvh([9; 16], 1)).unwrap();
    assert_eq!(all(&foreign.id().0.to_string()), [(); 3].map(|()| ResizeError::Foreign));
    drop(foreign);

    // It has ended, and nobody has noticed yet; then its rule is to keep it.
    world.sim.guest(DomId(domid)).shutdown(xen_abi::sched::SHUTDOWN_CRASH).unwrap();
    let not_started = [(); 3].map(|()| ResizeError::Domain(DomainError::NotStarted));
    assert_eq!(all("a"), not_started);
    world.stack.on_virq_dom_exc().unwrap();
    world.obey();
    assert_eq!(all("a"), not_started);
    world.destroy("a");
    assert_eq!(all("a"), [(); 3].map(|()| not_found.clone()));
}

#[test]
fn what_xen_refuses_is_told_and_changes_nothing() {
    let (world, domid) = world();
    for op in ["XEN_DOMCTL_getdomaininfo", "XEN_SYSCTL_physinfo"] {
        world.sim.fail_next(op, Errno::EPERM);
        match world.stack.set_memory(&memory("a", 4 * MIB)).unwrap_err() {
            ResizeError::Domain(DomainError::Xen(error)) => {
                assert_eq!((error.call.as_str(), error.errno), (op, 1))
            }
            other => panic!("{other:?}"),
        }
    }
    for op in ["XEN_DOMCTL_set_paging_mempool_size", "XEN_DOMCTL_max_mem"] {
        world.sim.fail_next(op, Errno::ENOMEM);
        assert!(world.stack.set_max_memory(&memory("a", 32 * MIB)).is_err(), "{op}");
    }
    assert_eq!(node(&world, domid, "memory/target"), "8192");
    assert_eq!(vm_node(&world, "maxmem"), "16");
}

#[test]
fn the_next_life_starts_with_what_the_last_one_was_told() {
    let (world, domid) = world();
    let before = world.before();
    world.stack.set_max_memory(&memory("a", 20 * MIB)).unwrap();
    world.stack.set_memory(&memory("a", 12 * MIB)).unwrap();
    world.stack.set_vcpus(&vcpus("a", 2)).unwrap();
    world.end(domid, SHUTDOWN_REBOOT);
    world.obey();
    let next = world.stack.find(&domain("a")).unwrap();
    assert_ne!(next.domid, domid);
    assert_eq!((next.memory_kib, next.max_memory_kib), (12 * MIB, 20 * MIB));
    assert_eq!(node(&world, next.domid, "memory/static-max"), (12 * MIB).to_string());
    assert_eq!(node(&world, next.domid, "cpu/1/availability"), "online");
    drop(before);
    world.end(next.domid, SHUTDOWN_POWEROFF);
    world.obey();
    assert_eq!(world.names(), ["Domain-0"]);
}

#[test]
fn a_life_that_would_have_too_little_memory_has_what_the_last_one_started_with() {
    let (world, domid) = world();
    world.stack.set_memory(&memory("a", 4)).unwrap();
    world.end(domid, SHUTDOWN_REBOOT);
    world.obey();
    let next = world.stack.find(&domain("a")).unwrap();
    assert_ne!(next.domid, domid);
    assert_eq!(next.memory_kib, 8 * MIB);
    let why = world.stack.journal(0).entries.into_iter().find_map(|entry| match entry.event {
        Event::NotKept { name, why } if name == "a" => Some(why),
        _ => None,
    });
    assert!(matches!(why, Some(CreateError::DoesNotFit { memory_kib: 4, .. })), "{why:?}");
}

#[test]
fn a_domain_that_cannot_be_built_again_is_kept_as_it_ended() {
    let (world, domid) = world();
    world.stack.set_memory(&memory("a", 4)).unwrap();
    world.stack.set_max_memory(&memory("a", 8)).unwrap();
    world.end(domid, SHUTDOWN_REBOOT);
    world.obey();
    let kept = world.stack.find(&domain("a")).unwrap();
    assert_eq!(kept.domid, domid, "not destroyed: what it wrote last can be looked at");
    let entries = world.stack.journal(0).entries;
    let is_told = |entry: &Entry| matches!(&entry.event, Event::NotCreated { name, .. } if name == "a");
    assert_eq!(entries.iter().filter(|entry| is_told(entry)).count(), 1);
    world.destroy("a");
}
