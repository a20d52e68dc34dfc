//! Guests that make work on purpose, again and again: what waits stays small, whatever waits besides.

mod common;

use common::counting::{Counting, NOW, PEAK};
use common::{World, ok};
use xen_abi::DomId;
use xenstore::wire::MessageType as Type;

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most memory that waiting work may take for what is made and removed.
const MOST: usize = 2 << 20;
/// The units of work that the host of the store does between two turns of a guest.
const TURN: usize = 1024;

/// Domain 1 makes and removes `path` in its home, `rounds` turns of eight requests; returns the most memory that this took.
fn make_and_remove(world: &mut World, path: &str, rounds: usize) -> usize {
    let (top, _) = path.split_once('/').unwrap();
    let start = NOW.get();
    PEAK.set(start);
    for _ in 0..rounds {
        for _ in 0..4 {
            assert_eq!(world.write(1, path, ""), ok());
            assert_eq!(world.rm(1, top), ok());
        }
        world.store.work(TURN);
    }
    PEAK.get().saturating_sub(start)
}

/// What a removal gives back is used for the next nodes at once; the old ones have to be freed as fast.
#[test]
fn removed_nodes_do_not_pile_up_while_other_work_waits() {
    let mut world = World::new();
    // A store so large that the search for a dead domain's nodes does not end with the request.
    (4..=12).for_each(|domid| world.add_domain(domid));
    for domid in 4..=12 {
        (0..500).take_while(|n| world.write(domid, &format!("f/{}/{n}", n % 16), "").is_ok()).count();
    }
    assert_eq!(world.write(9, "z", ""), ok());
    assert_eq!(world.set_perms(9, "z", "n9 b3"), ok());
    assert_eq!(world.write(3, "/local/domain/9/z/mine", ""), ok());
    world.store.release(DomId(3));
    assert!(world.store.has_work());
    let most = make_and_remove(&mut world, &format!("a{}", "/a".repeat(900)), 100);
    assert!(most <= MOST, "{most}");
    assert_eq!(world.list(9, "z"), Ok(String::new()), "the search came to its end meanwhile");
    while world.store.work(TURN) {}
    world.check();
}

/// Removed subtrees are kept until those are told who watch something inside.
#[test]
fn removals_with_many_watched_places_do_not_pile_up() {
    let mut world = World::new();
    (4..=9).for_each(|domid| world.add_domain(domid));
    for domid in 4..=9 {
        let path = format!("/local/domain/1/p/{domid}{}", "/a".repeat(990));
        assert_eq!(world.watch(domid, &path, "t"), ok());
    }
    let most = make_and_remove(&mut world, &format!("p{}", "/b".repeat(900)), 100);
    assert!(most <= MOST, "{most}");
    while world.store.work(TURN) {}
    world.check();
}

/// Domain 2 has a transaction open while domain 1 does what it likes; returns what domain 2 is told at its end.
fn commit_after(work: impl FnOnce(&mut World)) -> common::Reply {
    let mut world = World::new();
    let tx = world.start(2);
    assert_eq!(world.ask(2, tx, Type::WRITE, b"a\0x"), ok());
    work(&mut world);
    let told = world.end(2, tx, true);
    world.check();
    told
}

/// XSA-206: whoever only writes elsewhere keeps nobody from committing. No snapshot holds what was made after it.
#[test]
fn making_and_removing_does_not_end_the_transactions_of_others() {
    let told = commit_after(|world| {
        make_and_remove(world, &format!("a{}", "/a".repeat(900)), 20);
    });
    assert_eq!(told, ok());
}

#[test]
fn writing_over_and_over_does_not_end_the_transactions_of_others() {
    let told = commit_after(|world| {
        for _ in 0..2000 {
            assert_eq!(world.write(1, "v", &"x".repeat(1500)), ok());
        }
    });
    assert_eq!(told, ok());
}

/// Not even with snapshots of its own, which hold each of the versions: it is those that move on, and with them the memory goes.
#[test]
fn holding_back_many_versions_ends_no_transaction() {
    let told = commit_after(|world| {
        let deep = format!("a{}", "/a".repeat(500));
        let start = NOW.get();
        PEAK.set(start);
        let mut open = Vec::new();
        for _ in 0..20 {
            assert_eq!(world.write(1, &deep, ""), ok());
            open.push(world.start(1));
            assert_eq!(world.rm(1, "a"), ok());
            if open.len() == 10 {
                for tx in open.drain(..) {
                    assert_eq!(world.end(1, tx, true), ok());
                }
            }
        }
        assert!(PEAK.get() - start <= MOST / 2);
    });
    assert_eq!(told, ok());
}
