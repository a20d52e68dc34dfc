//! What the hypervisor and the machine are.

mod common;

use common::{World, domain, finish};
use hypercall::{CreateDomain, Xen};
use proto::domain::DomainState;
use proto::error::DomainError;
use proto::host::ConsoleRead;
use sim_xen::Config;
use toolstack::OwnMemory;
use xen_abi::{DomId, Errno, Pages};

#[test]
fn info_tells_of_the_machine_in_one_exit() {
    let world = World::new();
    world.sim.reset_counts();
    let info = world.stack.host_info().unwrap();
    assert_eq!(world.sim.exits(), 1);
    assert_eq!((info.host.as_str(), info.release.as_str(), info.version.as_str()), ("box", "0.1.0", "test"));
    assert_eq!((info.xen_major, info.xen_minor), (4, 17));
    assert_eq!(info.nr_cpus, 2);
    assert_eq!(info.topology.len(), 2);
    assert_eq!(info.nodes[0].distances, [10]);
    assert!(info.has_hvm);
    assert_eq!(info.total_memory_kib, 512 << 10);
    assert_eq!(info.free_memory_kib, world.sim.free_memory().kib().0);
    assert_eq!(info.xen_commandline, "console=com1 dom0=pvh");
    assert_eq!(info.xen_pagesize, 4096);
    assert_eq!((info.machine.as_str(), info.max_cpu_id, info.outstanding_claims_kib), ("x86_64", 1, 0));
    assert_eq!((info.sharing_freed_kib, info.sharing_used_kib), (None, None), "this Xen cannot share");
    assert_eq!(info.xen_build_id, b"\xab\xcd simulated build\x01\x02");
    assert!(!info.xen_scheduler.is_empty() && !info.xen_caps.is_empty());
}

#[test]
fn info_of_a_machine_with_more_processors_than_expected_is_complete() {
    let world = World::on(Config { cpus: 200, ..Config::default() });
    assert_eq!(world.stack.host_info().unwrap().topology.len(), 200);
}

#[test]
fn info_says_what_xen_refused() {
    let world = World::new();
    world.sim.fail_next("XEN_SYSCTL_sched_id", Errno::EPERM);
    let error = world.stack.host_info().unwrap_err();
    assert_eq!((error.call.as_str(), error.errno), ("XEN_SYSCTL_sched_id", 1));
}

/// Reads Xen's console ring as hostctl does: part by part, and clears with the last.
fn dmesg(world: &World, clear: bool) -> (Vec<u8>, u32) {
    let (mut text, mut lost) = (Vec::new(), 0);
    let mut request = ConsoleRead { from: None, clear: false };
    loop {
        let part = world.stack.dmesg(request).unwrap();
        text.extend(part.text);
        lost += part.lost;
        if part.is_last && request.clear == clear {
            return (text, lost);
        }
        request = ConsoleRead { from: Some(part.next), clear: clear && part.is_last };
    }
}

#[test]
fn dmesg_is_whole_however_large_the_ring_and_each_part_is_one_exit() {
    let world = World::on(Config { console_ring: 300 << 10, ..Config::default() });
    let text: String = (0..40_000).map(|n| format!("(XEN) {n}\n")).collect();
    world.sim.print(text.as_bytes());
    world.sim.reset_counts();
    let (whole, lost) = dmesg(&world, false);
    assert_eq!((whole.len(), lost), (300 << 10, 0));
    assert!(text.as_bytes().ends_with(&whole));
    assert_eq!(world.sim.exits(), 300 / 32 + 1);
}

#[test]
fn dmesg_clears_what_was_read_and_nothing_that_came_later() {
    let world = World::new();
    world.sim.print(b"(XEN) old\n");
    let first = world.stack.dmesg(ConsoleRead { from: None, clear: false }).unwrap();
    assert_eq!((first.text.as_slice(), first.is_last), (&b"(XEN) old\n"[..], true));
    world.sim.print(b"(XEN) new\n");
    let second = world.stack.dmesg(ConsoleRead { from: Some(first.next), clear: true }).unwrap();
    assert_eq!(second.text, b"(XEN) new\n");
    world.sim.print(b"(XEN) newest\n");
    assert_eq!(dmesg(&world, true).0, b"(XEN) newest\n");
    assert_eq!(dmesg(&world, false).0, b"");
}

#[test]
fn dmesg_counts_what_xen_overwrote_between_two_parts() {
    let world = World::new();
    world.sim.print(b"(XEN) old\n");
    let first = world.stack.dmesg(ConsoleRead { from: None, clear: false }).unwrap();
    world.sim.print(&vec![b'x'; (16 << 10) + 7]);
    let second = world.stack.dmesg(ConsoleRead { from: Some(first.next), clear: false }).unwrap();
    assert_eq!((second.lost, second.text.len(), second.is_last), (7, 16 << 10, true));
}

#[test]
fn usage_counts_memory_and_exits() {
    let world = World::new();
    let image = common::kernel::container();
    world.upload(&image);
    let own = OwnMemory { heap_used: 1, heap_size: 2, kernel_image: 3 };
    let usage = world.stack.usage(own);
    assert_eq!(usage.memory, (16 << 20) + 4096);
    assert_eq!(usage.images, 4096);
    assert_eq!((usage.heap_used, usage.heap_size, usage.kernel_image), (1, 2, 3));
    assert_eq!(usage.exits, world.stack.xen().counters().exits);
}

#[test]
fn usage_counts_event_channels_as_xen_does() {
    let world = World::on(Config { memory: Pages(4 << 18), ..Config::default() });
    let used = || world.stack.usage(OwnMemory { heap_used: 0, heap_size: 0, kernel_image: 0 }).event_channels;
    let before = used();
    for n in 0..150 {
        world.create(world.smallest(&format!("g{n}")));
    }
    assert_eq!(used(), before + 300, "two for each domain");
    for n in 0..150 {
        world.destroy(&format!("g{n}"));
    }
    assert_eq!(used(), before);
}

#[test]
fn the_control_domain_is_always_there_and_not_to_be_touched() {
    let world = World::new();
    world.sim.reset_counts();
    let list = world.stack.list().unwrap();
    assert_eq!(world.sim.exits(), 1);
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].domid, list[0].name.as_str(), list[0].uuid), (0, "Domain-0", [0; 16]));
    assert_eq!(list[0].memory_kib, 16 << 10);
    assert_eq!(list[0].uptime_ms, 5000);
    for word in ["Domain-0", "0", "00000000-0000-0000-0000-000000000000"] {
        assert_eq!(world.stack.find(&domain(word)).unwrap(), list[0]);
        assert_eq!(world.stack.pause(&domain(word)), Err(DomainError::Privileged));
        assert_eq!(world.stack.unpause(&domain(word)), Err(DomainError::Privileged));
        assert_eq!(finish(world.stack.destroy(&domain(word))), Err(DomainError::Privileged));
        assert_eq!(finish(world.stack.wait(&domain(word))), Err(DomainError::Privileged));
    }
    assert_eq!(world.read("/local/domain/0/name").as_deref(), Some("Domain-0"));
    assert_eq!(world.read("/local/domain/0/domid").as_deref(), Some("0"));
}

#[test]
fn domains_that_somebody_else_made_are_shown_and_can_be_ended() {
    let world = World::new();
    let before = world.before();
    let xen = Xen::probe(world.sim).unwrap();
    let foreign = xen.create_domain(&CreateDomain::pvh([7; 16], 1)).unwrap().commit();
    let name = format!("(unknown-{foreign})");
    assert_eq!(world.names(), [name.as_str(), "Domain-0"]);
    let found = world.stack.find(&domain(&foreign.to_string())).unwrap();
    assert_eq!((found.name.as_str(), found.uuid), (name.as_str(), [7; 16]));
    assert!(found.state.contains(DomainState::PAUSED));
    assert_eq!(world.stack.unpause(&domain(&name)), Ok(()));
    assert_eq!(world.stack.find(&domain(&name)).unwrap().state & DomainState::PAUSED, DomainState::empty());
    assert_eq!(world.stack.pause(&domain(&name)), Ok(()));
    world.destroy(&name);
    world.assert_clean(&before);
}

#[test]
fn what_nobody_knows_is_not_found() {
    let world = World::new();
    for word in
        ["", "x", "7", "-1", "+1", "0x1", "70000", "99999999999999999999", "é", "(unknown-7)", "(unknown-)"]
    {
        let word = domain(word);
        assert_eq!(world.stack.find(&word), Err(DomainError::NotFound), "{word:?}");
        assert_eq!(world.stack.pause(&word), Err(DomainError::NotFound), "{word:?}");
        assert_eq!(world.stack.unpause(&word), Err(DomainError::NotFound), "{word:?}");
        assert_eq!(finish(world.stack.destroy(&word)), Err(DomainError::NotFound), "{word:?}");
        assert_eq!(finish(world.stack.wait(&word)), Err(DomainError::NotFound), "{word:?}");
    }
}

#[test]
fn one_that_is_only_waiting_for_xens_bookkeeping_is_not_shown() {
    let world = World::new();
    let xen = Xen::probe(world.sim).unwrap();
    let id: DomId = xen.create_domain(&CreateDomain::pvh([7; 16], 1)).unwrap().commit();
    assert_eq!(world.stack.find(&domain(&id.to_string())).unwrap().memory_kib, Pages(0).0);
    world.destroy(&id.to_string());
    assert_eq!(world.names(), ["Domain-0"]);
}
