//! Dumps: what is in them, what they cost, and what becomes of the domain.

mod common;

use common::{Stack, World, domain, finish, turns};
use proto::domain::{Action, CreateRequest, DomainConfig, DomainState};
use proto::dump::{DumpError, DumpFailure, DumpPause};
use proto::error::DomainError;
use stream::dump::{Packing, Reader, Record};
use toolstack::{MINIMUM_RESTART_INTERVAL_NS, MOST_DUMPS};
use xen_abi::arch_x86::xen::VcpuGuestContext;
use xen_abi::sched::{SHUTDOWN_CRASH, SHUTDOWN_POWEROFF, SHUTDOWN_WATCHDOG};
use xen_abi::{DomId, Errno, Gfn, GuestPhys, KiB};
use zerocopy::FromBytes;

type Dump<'t> = toolstack::Dump<'t, 'static, common::Machine, common::TestPlatform>;

fn begin<'t>(stack: &'t Stack, name: &str, pause: DumpPause) -> Result<Dump<'t>, DumpError> {
    stack.dump(&domain(name), pause, Packing::Plain)
}

/// All that a dump says.
#[derive(Default)]
struct Said {
    vcpus: Vec<(u32, Vec<u8>)>,
    /// Pages by frame; those of zeroes are none.
    pages: Vec<(u64, Option<Vec<u8>>)>,
    failure: Option<DumpFailure>,
    is_complete: bool,
}

fn listen(dump: &mut Dump<'_>) -> Said {
    let mut bytes = Vec::new();
    while dump.more(&mut bytes) {}
    understand(&bytes)
}

fn understand(bytes: &[u8]) -> Said {
    let mut reader = Reader::default();
    reader.push(bytes);
    let mut said = Said::default();
    while let Some(record) = reader.next_record().unwrap() {
        match record {
            Record::Vcpu { id, registers } => said.vcpus.push((id, registers.to_vec())),
            Record::Pages { first, bytes } => {
                said.pages.extend((first..).zip(bytes.chunks(4096).map(|page| Some(page.to_vec()))));
            }
            Record::Zeroes { first, count } => said.pages.extend((first..first + count).map(|f| (f, None))),
            Record::End => said.is_complete = true,
            Record::Failed(reason) => said.failure = Some(postcard::from_bytes(reason).unwrap()),
        }
    }
    said
}

fn is_paused(world: &World, name: &str) -> bool {
    world.stack.find(&domain(name)).unwrap().state.contains(DomainState::PAUSED)
}

fn in_progress(world: &World, name: &str) -> Option<String> {
    let uuid = toolstack::name::Uuid(world.stack.find(&domain(name)).unwrap().uuid);
    world.read(&format!("/vm/{uuid}/xend/dumpcore_in_progress"))
}

/// A domain that has written a word.
fn guest(world: &World, name: &str) -> DomId {
    let id = DomId(world.create(world.smallest(name)).domid);
    world.sim.guest(id).write(GuestPhys(0x23_4567), b"a word of the guest's");
    id
}

#[test]
fn a_dump_has_every_page_and_every_register_and_the_domain_runs_on() {
    let world = World::new();
    let id = guest(&world, "a");
    let before = world.before();
    world.sim.reset_counts();
    let mut dump = begin(&world.stack, "a", DumpPause::Reading).unwrap();
    assert_eq!((dump.domid(), dump.name(), dump.pages()), (id.0, "a", 2048 + 3));
    assert!(!world.sim.guest(id).is_running());
    assert_eq!(in_progress(&world, "a").as_deref(), Some("True"));
    world.sim.reset_counts();
    let said = listen(&mut dump);
    assert!(said.is_complete);
    // Registers, 16 windows and the special frames to map and unmap, and a look whether it is still there.
    assert_eq!(world.sim.exits(), 1 + 2 * 17 + 1);
    drop(dump);
    assert_eq!(world.sim.exits(), 1 + 2 * 17 + 1 + 1);
    assert!(world.sim.guest(id).is_running());
    assert_eq!(world.leaks(&before), Vec::<String>::new());
    assert_eq!(world.before(), before, "nodes of the store");

    let frames: Vec<u64> = said.pages.iter().map(|(frame, _)| *frame).collect();
    let expected: Vec<u64> = (0..2048).chain([0xfeffc, 0xfeffe, 0xfefff]).collect();
    assert_eq!(frames, expected);
    let word = said.pages[0x234].1.as_ref().unwrap();
    assert_eq!(&word[0x567..0x567 + 21], b"a word of the guest's");
    for (frame, bytes) in &said.pages {
        let there = world.sim.guest(id).bytes(Gfn(*frame).address(), 4096);
        assert_eq!(bytes.as_deref().unwrap_or(&[0; 4096]), there, "frame {frame:#x}");
    }
    assert_eq!(said.vcpus.len(), 1);
    let registers = VcpuGuestContext::read_from_bytes(&said.vcpus[0].1).unwrap();
    assert_eq!(registers.user_regs[16], u64::from(common::kernel::START), "rip");
}

#[test]
fn beginning_costs_two_exits_and_one_to_pause() {
    let world = World::new();
    guest(&world, "a");
    for (pause, exits) in [(DumpPause::Live, 2), (DumpPause::Reading, 3), (DumpPause::Holding, 3)] {
        world.sim.reset_counts();
        let dump = begin(&world.stack, "a", pause).unwrap();
        assert_eq!(world.sim.exits(), exits, "{pause:?}");
        drop(dump);
    }
}

#[test]
fn a_live_dump_stops_nobody() {
    let world = World::new();
    let id = guest(&world, "a");
    let mut dump = begin(&world.stack, "a", DumpPause::Live).unwrap();
    assert!(world.sim.guest(id).is_running());
    assert!(listen(&mut dump).is_complete);
    drop(dump);
    assert_eq!(world.sim.count("XEN_DOMCTL_pausedomain"), 0);
}

#[test]
fn one_that_was_paused_stays_paused() {
    let world = World::new();
    guest(&world, "a");
    world.stack.pause(&domain("a")).unwrap();
    drop(begin(&world.stack, "a", DumpPause::Reading).unwrap());
    assert!(is_paused(&world, "a"));
    world.stack.unpause(&domain("a")).unwrap();
    assert!(!is_paused(&world, "a"), "it had one pause, not two");
}

#[test]
fn who_pauses_or_unpauses_meanwhile_is_obeyed_afterwards() {
    for (was_paused, wish, then) in
        [(false, false, true), (false, true, false), (true, true, false), (true, false, true)]
    {
        let world = World::new();
        guest(&world, "a");
        if was_paused {
            world.stack.pause(&domain("a")).unwrap();
        }
        let dump = begin(&world.stack, "a", DumpPause::Reading).unwrap();
        match wish {
            true => world.stack.unpause(&domain("a")).unwrap(),
            false => world.stack.pause(&domain("a")).unwrap(),
        }
        assert!(is_paused(&world, "a"), "it is one moment that is dumped");
        drop(dump);
        assert_eq!(is_paused(&world, "a"), then, "paused before: {was_paused}, to run: {wish}");
    }
}

#[test]
fn who_is_resumed_early_runs_while_the_dump_is_still_held() {
    let world = World::new();
    let id = guest(&world, "a");
    let mut dump = begin(&world.stack, "a", DumpPause::Reading).unwrap();
    dump.resume();
    assert!(world.sim.guest(id).is_running());
    world.stack.pause(&domain("a")).unwrap();
    drop(dump);
    assert!(is_paused(&world, "a"), "nobody takes this pause away");
}

#[test]
fn refusals_name_their_reason_and_change_nothing() {
    let world = World::new();
    world.smallest("a");
    let before = world.before();
    let refused = |name: &str| begin(&world.stack, name, DumpPause::Reading).err();
    assert_eq!(refused("nobody"), Some(DumpError::NotFound));
    assert_eq!(refused("77"), Some(DumpError::NotFound));
    assert_eq!(refused("Domain-0"), Some(DumpError::Privileged));
    assert_eq!(refused("0"), Some(DumpError::Privileged));
    let id = guest(&world, "a");
    let dump = begin(&world.stack, "a", DumpPause::Live).unwrap();
    assert_eq!(refused("a"), Some(DumpError::UnderWay));
    assert_eq!(refused(&id.0.to_string()), Some(DumpError::UnderWay));
    drop(dump);
    world.sim.fail_next("XEN_DOMCTL_pausedomain", Errno::EPERM);
    assert!(matches!(refused("a"), Some(DumpError::Xen(error)) if error.call == "XEN_DOMCTL_pausedomain"));
    assert_eq!(in_progress(&world, "a"), None);
    let others: Vec<_> = (0..MOST_DUMPS)
        .map(|n| {
            guest(&world, &format!("b{n}"));
            begin(&world.stack, &format!("b{n}"), DumpPause::Reading).unwrap()
        })
        .collect();
    assert_eq!(refused("a"), Some(DumpError::TooMany { limit: MOST_DUMPS as u16 }));
    drop(others);
    assert_eq!(refused("a"), None);
    world.sim.guest(id).shutdown(SHUTDOWN_POWEROFF).unwrap();
    assert_eq!(refused("a"), Some(DumpError::NotStarted));
    for name in ["a", "b0", "b1", "b2", "b3"] {
        world.destroy(name);
    }
    world.assert_clean(&before);
}

#[test]
fn one_that_crashed_can_be_dumped_and_is_neither_paused_nor_resumed() {
    for reason in [SHUTDOWN_CRASH, SHUTDOWN_WATCHDOG] {
        let world = World::new();
        let id = guest(&world, "a");
        world.sim.guest(id).shutdown(reason).unwrap();
        let mut dump = begin(&world.stack, "a", DumpPause::Reading).unwrap();
        assert!(listen(&mut dump).is_complete);
        drop(dump);
        assert_eq!(world.sim.count("XEN_DOMCTL_pausedomain"), 0);
    }
}

#[test]
fn one_that_is_destroyed_in_the_middle_is_a_failed_dump_and_leaves_nothing() {
    let world = World::new();
    world.smallest("a");
    let before = world.before();
    guest(&world, "a");
    let mut dump = begin(&world.stack, "a", DumpPause::Reading).unwrap();
    let mut bytes = Vec::new();
    for _ in 0..4 {
        assert!(dump.more(&mut bytes));
    }
    world.destroy("a");
    assert!(!dump.more(&mut bytes));
    assert!(!dump.more(&mut bytes), "it has said its last word");
    let said = understand(&bytes);
    assert!(!said.is_complete);
    assert_eq!(said.failure, Some(DumpFailure::Destroyed));
    drop(dump);
    world.assert_clean(&before);
}

#[test]
fn one_that_somebody_else_destroyed_does_not_pass_for_one_without_memory() {
    let world = World::new();
    let id = guest(&world, "a");
    let mut dump = begin(&world.stack, "a", DumpPause::Live).unwrap();
    assert!(dump.more(&mut Vec::new()));
    // Its rings are mapped by us, so it stays a zombie.
    world.stack.xen().destroy_domain(id).unwrap();
    let said = listen(&mut dump);
    assert!(!said.is_complete);
    assert_eq!(said.failure, Some(DumpFailure::Destroyed));
}

#[test]
fn whatever_xen_refuses_is_told_and_nothing_stays_mapped_or_paused() {
    let world = World::new();
    let id = guest(&world, "a");
    let before = world.before();
    let refused = |call: &str| DumpError::Xen(proto::error::XenError { call: call.into(), errno: 1 });
    for call in ["XEN_DOMCTL_getdomaininfo", "XENMEM_maximum_gpfn", "XEN_DOMCTL_pausedomain"] {
        world.sim.fail_next(call, Errno::EPERM);
        assert_eq!(begin(&world.stack, "a", DumpPause::Reading).err(), Some(refused(call)));
        assert_eq!(world.before(), before, "{call}");
        assert!(world.sim.guest(id).is_running());
    }
    for (steps, call) in [
        (0, "XEN_DOMCTL_getvcpucontext"),
        (1, "XENMEM_add_to_physmap_batch"),
        (9, "XENMEM_add_to_physmap_batch"),
        (18, "XEN_DOMCTL_getdomaininfo"),
    ] {
        let mut dump = begin(&world.stack, "a", DumpPause::Reading).unwrap();
        let mut bytes = Vec::new();
        for _ in 0..steps {
            assert!(dump.more(&mut bytes));
        }
        world.sim.fail_next(call, Errno::EPERM);
        let failed = listen(&mut dump).failure;
        assert!(matches!(&failed, Some(DumpFailure::Xen(error)) if error.call == call), "{call}: {failed:?}");
        drop(dump);
        assert_eq!(world.before(), before, "{call} after {steps}");
        assert!(world.sim.guest(id).is_running());
    }
}

#[test]
fn memory_that_was_given_back_is_not_in_the_dump() {
    let world = World::new();
    let id = guest(&world, "a");
    world.stack.xen().depopulate(id, 0, &[Gfn(5), Gfn(6), Gfn(2047)]).unwrap();
    let said = listen(&mut begin(&world.stack, "a", DumpPause::Reading).unwrap());
    assert!(said.is_complete);
    assert_eq!(said.pages.len(), 2048);
    assert!(said.pages.iter().all(|(frame, _)| ![5, 6, 2047].contains(frame)));
}

#[test]
fn memory_above_what_it_was_built_with_is_found_too() {
    let world = World::new();
    let id = guest(&world, "a");
    world.stack.xen().max_mem(id, KiB(16 << 10)).unwrap();
    world.stack.xen().populate(id, 0, &[Gfn(3000), Gfn(0x10_0005)]).unwrap();
    let said = listen(&mut begin(&world.stack, "a", DumpPause::Reading).unwrap());
    let last: Vec<u64> = said.pages.iter().map(|(frame, _)| *frame).skip(2048).collect();
    assert_eq!(last, [3000, 0xfeffc, 0xfeffe, 0xfefff, 0x10_0005]);
}

/// A domain with this rule for crashes, that has crashed.
fn crashed(world: &World, name: &str, on_crash: Action) -> DomId {
    let request = world.smallest(name);
    let config = DomainConfig { on_crash, ..request.config };
    let id = DomId(world.create(CreateRequest { config, ..request }).domid);
    world.end(id.0, SHUTDOWN_CRASH);
    world.obey();
    id
}

#[test]
fn coredump_destroy_keeps_the_crashed_domain_until_a_host_has_its_core() {
    let world = World::new();
    world.smallest("a");
    let before = world.before();
    assert_eq!(turns(world.stack.next_core(&[]), 3), None);
    let id = crashed(&world, "a", Action::CoredumpDestroy);
    assert!(world.stack.find(&domain("a")).unwrap().state.contains(DomainState::CRASHED));
    let core = finish(world.stack.next_core(&[]));
    assert_eq!((core.domid, core.name.as_str()), (id.0, "a"));
    assert_eq!(turns(world.stack.next_core(&[core.id]), 3), None, "who could not keep it is not asked again");
    let mut dump = begin(&world.stack, "a", DumpPause::Reading).unwrap();
    assert_eq!(dump.core(), Some(core.id));
    assert!(listen(&mut dump).is_complete);
    drop(dump);
    finish(world.stack.core_kept(core.id)).unwrap();
    world.assert_clean(&before);
    assert_eq!(turns(world.stack.next_core(&[]), 3), None);
    assert_eq!(finish(world.stack.core_kept(core.id)), Err(DomainError::NotFound));
}

#[test]
fn coredump_restart_serves_again_at_once_and_keeps_the_crashed_one_beside() {
    let world = World::new();
    let id = crashed(&world, "a", Action::CoredumpRestart);
    let again = world.stack.find(&domain("a")).unwrap();
    assert_ne!(again.domid, id.0);
    assert!(world.sim.guest(DomId(again.domid)).is_running());
    let core = finish(world.stack.next_core(&[]));
    assert_eq!((core.domid, core.name.as_str()), (id.0, "a"), "the name that it crashed under");
    let crashed = world.names().into_iter().find(|name| !["a", "Domain-0"].contains(&name.as_str())).unwrap();
    assert_eq!(world.stack.find(&domain(&crashed)).unwrap().uuid, core.uuid, "the uuid that it has now");
    assert_eq!(begin(&world.stack, &crashed, DumpPause::Live).unwrap().core(), Some(core.id));
    assert_eq!(begin(&world.stack, "a", DumpPause::Live).unwrap().core(), None, "its namesake serves");
    finish(world.stack.core_kept(core.id)).unwrap();
    assert_eq!(world.names(), ["Domain-0", "a"]);
}

#[test]
fn one_that_crashes_again_and_again_is_kept_once() {
    let world = World::new();
    crashed(&world, "a", Action::CoredumpRestart);
    for _ in 0..3 {
        world.platform.now_ns.set(world.platform.now_ns.get() + MINIMUM_RESTART_INTERVAL_NS);
        let domid = world.stack.find(&domain("a")).unwrap().domid;
        world.end(domid, SHUTDOWN_CRASH);
        world.obey();
        assert_eq!(world.names().len(), 3, "{:?}", world.names());
    }
    // Too fast: destroyed, as by every rule that restarts.
    let domid = world.stack.find(&domain("a")).unwrap().domid;
    world.end(domid, SHUTDOWN_CRASH);
    world.obey();
    assert_eq!(world.names().len(), 2);
}

#[test]
fn a_core_that_somebody_destroyed_waits_no_more() {
    let world = World::new();
    crashed(&world, "a", Action::CoredumpDestroy);
    world.destroy("a");
    assert_eq!(turns(world.stack.next_core(&[]), 3), None);
}
