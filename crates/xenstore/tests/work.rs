//! What a removal leaves to do is done in steps of bounded size, whoever removes what and however.

mod common;

use common::counting::{Counting, FREED, TAKEN};
use common::{CONTROL, World, err, ok, value};
use xen_abi::DomId;
use xenstore::wire::MessageType as Type;
use xenstore::{Access, Error, Limits, Perm, tend};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Nodes of a tree that is large for everybody.
const LARGE: usize = 12_000;
/// What each has: more than fits into a node itself.
const VALUE: &str = "with memory of its own";
/// Allocations that one node may free: itself, its text, its permissions, its part of a block.
const A_NODE: usize = 4;
/// Allocations that a request may free with its own small work.
const A_REQUEST: usize = 5000 * A_NODE;

fn freed<R>(what: impl FnOnce() -> R) -> (usize, R) {
    let before = FREED.get();
    let done = what();
    (FREED.get() - before, done)
}

/// A world with a large tree at `/big`, of which every tenth node is domain 1's.
fn large() -> World {
    large_with(Limits::small())
}

fn large_with(limits: Limits) -> World {
    let mut world = World::with_limits(limits);
    world.store.quota_mut(Some(DomId(1))).unwrap().nodes = 0;
    let perms = [Perm::new(DomId(1), Access::Both)];
    let done = world.store.control(|store| {
        (0..LARGE).try_for_each(|n| {
            let path = format!("/big/{}/{n}", n % 100);
            if n % 10 == 0 { store.write_with(&path, VALUE, &perms) } else { store.write(&path, VALUE) }
        })
    });
    done.unwrap();
    while world.store.work(1000) {}
    world
}

/// Does the rest in steps, and returns how much was freed; each step within its bounds.
fn in_steps(world: &mut World) -> usize {
    let mut all = 0;
    while world.store.has_work() {
        let (step, _) = freed(|| world.store.work(500));
        assert!(step <= 600 * A_NODE, "a step of 500 freed {step}");
        all += step;
    }
    all
}

fn check_gone(mut world: World) {
    assert_eq!(world.list(CONTROL, "/big"), err("ENOENT"));
    let rest = in_steps(&mut world);
    assert!(rest > LARGE, "{rest}: most was left for later");
    assert_eq!(world.store.usage(DomId(1)).unwrap().nodes, 1);
    world.check();
}

#[test]
fn a_request_unlinks_and_the_rest_is_done_later() {
    let mut world = large();
    let (at_once, reply) = freed(|| world.rm(CONTROL, "/big"));
    assert_eq!(reply, ok());
    assert!(at_once <= A_REQUEST, "{at_once}");
    check_gone(world);
}

#[test]
fn the_toolstack_unlinks_and_the_rest_is_done_later() {
    let mut world = large();
    let (at_once, _) = freed(|| world.store.control(|store| store.rm("/big")).unwrap());
    assert!(at_once <= A_REQUEST, "{at_once}");
    check_gone(world);
}

#[test]
fn a_transaction_unlinks_and_the_rest_is_done_later() {
    let mut world = large();
    let tx = world.start(CONTROL);
    let (at_once, _) = freed(|| world.ask(CONTROL, tx, Type::RM, b"/big\0").unwrap());
    assert!(at_once <= A_REQUEST, "{at_once}");
    world.write(2, "elsewhere", "x").unwrap();
    let (at_once, reply) = freed(|| world.end(CONTROL, tx, true));
    assert_eq!(reply, ok());
    assert!(at_once <= A_REQUEST, "{at_once}");
    check_gone(world);
}

#[test]
fn a_snapshot_that_kept_it_alive_gives_it_up_in_steps() {
    let mut world = large_with(Limits::upstream());
    let tx = world.start(2);
    world.rm(CONTROL, "/big").unwrap();
    let kept = in_steps(&mut world);
    assert!(kept < LARGE / 10, "{kept}: the snapshot has it still");
    let (at_once, _) = freed(|| world.end(2, tx, false));
    assert!(at_once <= A_REQUEST, "{at_once}");
    let rest = in_steps(&mut world);
    assert!(rest > LARGE, "{rest}");
    world.check();
}

#[test]
fn what_failed_in_the_toolstack_is_freed_in_steps() {
    let mut world = World::new();
    let mut before = 0;
    let done = world.store.control(|store| {
        (0..LARGE).try_for_each(|n| store.write(&format!("/big/{}/{n}", n % 100), VALUE))?;
        before = FREED.get();
        store.write("bad path", "")
    });
    let at_once = FREED.get() - before;
    assert_eq!(done, Err(Error::Invalid));
    // The notes of what was done go at once; they took as long to make.
    assert!(at_once <= LARGE + A_REQUEST, "{at_once}");
    assert!(in_steps(&mut world) > LARGE);
}

/// The accounts and the heap take the same subtree apart, and neither a copy of it.
#[test]
fn what_is_removed_is_not_copied_to_be_taken_apart() {
    let mut world = large();
    let before = TAKEN.get();
    world.rm(CONTROL, "/big").unwrap();
    in_steps(&mut world);
    let taken = TAKEN.get() - before;
    // A block of a directory has 48 nodes at most.
    assert!(taken < LARGE / 48, "{taken} pieces of memory for {LARGE} nodes");
    world.check();
}

/// Where snapshots may not hold back so much.
#[test]
fn a_snapshot_that_moves_on_gives_it_up_in_steps() {
    let mut world = large();
    let tx = world.start(2);
    world.rm(CONTROL, "/big").unwrap();
    assert!(in_steps(&mut world) > LARGE);
    assert_eq!(world.end(2, tx, true), ok());
    world.check();
}

/// Nobody who removes his own things and then makes new ones is told that there is no room.
#[test]
fn quotas_that_are_used_up_are_settled_first() {
    let mut world = large();
    let memory = world.store.usage(DomId(1)).unwrap().memory;
    *world.store.quota_mut(Some(DomId(1))).unwrap() =
        xenstore::Quota { memory: memory as u32 + 100, ..quota(&mut world) };
    assert_eq!(world.write(1, "more", ""), err("ENOSPC"));
    world.rm(CONTROL, "/big").unwrap();
    assert!(world.store.has_work());
    assert_eq!(world.write(1, "more", ""), ok());
    in_steps(&mut world);
    world.check();
}

fn quota(world: &mut World) -> xenstore::Quota {
    *world.store.quota_mut(Some(DomId(1))).unwrap()
}

#[test]
fn the_nodes_of_the_dead_are_found_in_steps_and_are_nobodys_meanwhile() {
    let mut world = large();
    let (at_once, ()) = freed(|| world.store.release(DomId(1)));
    assert!(at_once <= A_REQUEST, "{at_once}");
    assert!(world.store.has_work());
    world.add_domain(1);
    let last = format!("/big/99/{}", LARGE - 1);
    let theirs = format!("/big/90/{}", LARGE - 10);
    assert_eq!(world.read(CONTROL, &theirs), value(VALUE), "not found yet");
    assert_eq!(world.set_perms(1, &theirs, "n1"), err("EACCES"));
    assert_eq!(world.store.usage(DomId(1)).unwrap().nodes, 1);
    let rest = in_steps(&mut world);
    assert!(rest > 0);
    assert_eq!(world.read(CONTROL, &theirs), err("ENOENT"));
    assert_eq!(world.read(CONTROL, &last), value(VALUE));
    world.check();
}

/// One dies while the search for another one's nodes is under way.
#[test]
fn all_the_dead_are_found_whenever_they_died() {
    let mut world = large();
    world.store.control(|store| store.write_with("/a", "", &[Perm::new(DomId(2), Access::None)])).unwrap();
    world.store.release(DomId(1));
    for _ in 0..5 {
        assert!(world.store.work(500));
    }
    world.store.release(DomId(2));
    in_steps(&mut world);
    assert_eq!(world.read(CONTROL, "/a"), err("ENOENT"));
    assert_eq!(world.read(CONTROL, "/big/0/0"), err("ENOENT"));
    world.check();
}

/// While a search is under way, others change what it walks over.
#[test]
fn a_search_goes_on_when_the_place_where_it_was_is_gone() {
    let mut world = large();
    world.store.release(DomId(1));
    let mut removed = 0;
    while world.store.work(100) {
        world.rm(CONTROL, &format!("/big/{}", removed % 100)).unwrap();
        world.write(CONTROL, &format!("/big/{}/new", removed % 50), "").unwrap();
        removed += 1;
    }
    assert!(removed > 10);
    world.check();
}

#[test]
fn watches_inside_hear_of_it_in_steps() {
    let mut world = large();
    for n in 0..5000 {
        world.store.watch(world.conn(CONTROL), &format!("/big/{}/{n}", n % 100), "t").unwrap();
    }
    world.events(CONTROL);
    world.rm(CONTROL, "/big").unwrap();
    // Set afterwards: there was nothing to remove when it was.
    world.store.watch(world.conn(CONTROL), "/big/99/99", "late").unwrap();
    in_steps(&mut world);
    let events = world.events(CONTROL);
    let told = events.iter().filter(|event| event.ends_with(" t")).count();
    assert_eq!((told, events.len()), (5000, 5001));
    world.check();
}

#[test]
fn a_connection_with_many_watches_is_closed_in_steps() {
    let mut world = World::new();
    let conn = world.store.connect_control();
    for n in 0..LARGE {
        world.store.watch(conn, &format!("/w/{}/{n}", n % 100), "t").unwrap();
    }
    let (at_once, ()) = freed(|| world.store.disconnect(conn));
    assert!(at_once <= 2 * A_REQUEST, "{at_once}");
    assert!(world.store.has_work());
    world.write(CONTROL, "/w/1/1", "x").unwrap();
    while world.store.work(500) {}
    assert_eq!(world.store.usage(DomId(CONTROL)).unwrap().watches, 0);
}

/// A host that does nothing about it: then whoever asks for something does a little.
#[test]
fn requests_do_the_work_if_nobody_else_does() {
    let mut world = large();
    world.rm(CONTROL, "/big").unwrap();
    let mut asked = 0;
    while world.store.has_work() {
        let (step, _) = freed(|| world.read(2, "none"));
        assert!(step < 300 * A_NODE, "{step}");
        asked += 1;
    }
    assert!(asked > 100, "{asked}");
}

#[test]
fn a_task_does_the_work_when_there_is_some() {
    use std::cell::RefCell;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake};

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let store = RefCell::new(xenstore::Store::new(DomId(0)));
    let woken = Arc::new(Count(AtomicUsize::new(0)));
    let waker = woken.clone().into();
    let mut cx = Context::from_waker(&waker);
    let mut task = pin!(tend(&store));
    assert!(task.as_mut().poll(&mut cx).is_pending());
    assert_eq!(woken.0.load(Ordering::Relaxed), 0, "it sleeps");
    let fill = |store: &mut xenstore::Control<'_>| {
        (0..LARGE).try_for_each(|n| store.write(&format!("/big/{}/{n}", n % 100), VALUE))
    };
    store.borrow_mut().control(fill).unwrap();
    store.borrow_mut().control(|store| store.rm("/big")).unwrap();
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    let mut turns = 0;
    while store.borrow().has_work() {
        assert!(task.as_mut().poll(&mut cx).is_pending());
        turns += 1;
    }
    assert!(turns > LARGE / 2000, "{turns}");
}

/// A commit compares what was read; not as often as it was read.
#[test]
fn a_list_that_is_read_over_and_over_is_compared_once() {
    let mut world = World::new();
    for index in 0..400 {
        world.write(1, &format!("d/{index:x}"), "").unwrap();
    }
    let commit = |world: &mut World, reads: usize| {
        let tx = world.start(1);
        for _ in 0..reads {
            world.ask(1, tx, Type::DIRECTORY, b"d\0").unwrap();
        }
        for index in 0..400 {
            world.write(1, &format!("d/{index:x}"), "").unwrap();
        }
        let (freed, told) = freed(|| world.end(1, tx, true));
        assert_eq!(told, ok());
        freed
    };
    let (one, many) = (commit(&mut world, 1), commit(&mut world, 201));
    // Each read leaves its record, and no more.
    assert!(many <= one + 200 * A_NODE, "{one} {many}");
    world.check();
}
