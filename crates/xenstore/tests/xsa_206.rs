//! XSA-206: a guest that writes all the time kept the transactions of others from ever committing.
//!
//! Here writes elsewhere are no conflict, and there is no amount of them that ends a transaction for what it holds back: it moves on to
//! the store of today. Nor does what others take of the guests' pool refuse what a transaction was granted.

mod common;

use common::counting::{Counting, NOW, PEAK};
use common::{CONTROL, World, err, ok, value};
use xen_abi::DomId;
use xenstore::wire::MessageType as Type;

#[global_allocator]
static COUNTING: Counting = Counting;

/// Guests that attack.
const ATTACKERS: std::ops::RangeInclusive<u16> = 4..=8;
/// How many nodes each has.
const NODES: usize = 700;
/// How much memory the attack may take beyond what the attackers own: what may be held back, twice the limit; and the nodes of
/// one removal and of a turn's work.
const MOST: usize = (512 << 10) + (640 << 10);

/// Guests with many nodes, all older than any transaction.
fn attackers(value_len: usize) -> World {
    let mut world = World::new();
    for domid in ATTACKERS {
        world.add_domain(domid);
        for n in 0..NODES {
            if world.write(domid, &format!("old/{}/{n}", n % 20), &"x".repeat(value_len)).is_err() {
                break;
            }
        }
    }
    world.write(2, "read", "before").unwrap();
    world.write(2, "list/one", "").unwrap();
    world.write(2, "gone/deep/down", "").unwrap();
    world
}

/// A transaction of domain 2 that has read, listed, written, made and removed.
fn begin(world: &mut World) -> u32 {
    let tx = world.start(2);
    assert_eq!(world.ask(2, tx, Type::READ, b"read\0"), value("before"));
    assert_eq!(world.ask(2, tx, Type::READ, b"none\0"), err("ENOENT"));
    assert_eq!(world.ask(2, tx, Type::DIRECTORY, b"list\0"), value("one\0"));
    assert_eq!(world.ask(2, tx, Type::WRITE, b"written\0here"), ok());
    assert_eq!(world.ask(2, tx, Type::RM, b"gone\0"), ok());
    tx
}

/// The same requests are answered the same, and the transaction commits.
fn finish(world: &mut World, tx: u32) {
    assert_eq!(world.ask(2, tx, Type::READ, b"read\0"), value("before"));
    assert_eq!(world.ask(2, tx, Type::READ, b"written\0"), value("here"));
    assert_eq!(world.ask(2, tx, Type::READ, b"gone/deep\0"), err("ENOENT"));
    assert_eq!(world.end(2, tx, true), ok());
    assert_eq!(world.read(2, "written"), value("here"));
    assert_eq!(world.list(2, "/local/domain/2"), value("list\0read\0written\0"));
    world.check();
}

#[test]
fn xsa_206_writing_elsewhere_does_not_starve_transactions() {
    let mut world = World::new();
    for round in 0..50 {
        let tx = world.start(2);
        world.ask(2, tx, Type::DIRECTORY, b"/local/domain/2\0").unwrap();
        for index in 0..20 {
            world.write(1, &format!("storm{index}"), &round.to_string()).unwrap();
            world.ask(2, tx, Type::WRITE, format!("mine\0{index}").as_bytes()).unwrap();
        }
        assert_eq!(world.end(2, tx, true), ok(), "round {round}");
    }
}

/// Each version is one that the open transaction's snapshot had; there are several times as many as may be held back.
#[test]
fn xsa_206_rewriting_everything_does_not_end_transactions() {
    let mut world = attackers(200);
    let tx = begin(&mut world);
    let start = NOW.get();
    PEAK.set(start);
    let mut written = 0;
    for round in 0..6 {
        for domid in ATTACKERS {
            for n in 0..NODES {
                let path = format!("old/{}/{n}", n % 20);
                written += usize::from(world.write(domid, &path, &format!("{round:0200}")).is_ok());
            }
        }
    }
    assert!(written > 6 * 2000, "{written}");
    let more = PEAK.get() - start;
    assert!(more <= MOST, "{more}");
    finish(&mut world, tx);
}

/// With a transaction of its own between any two writes, each version is held by one more snapshot, and the way to it with it.
#[test]
fn xsa_206_holding_each_version_does_not_end_transactions() {
    let mut world = attackers(0);
    let deep = format!("deep{}", "/a".repeat(150));
    let tx = begin(&mut world);
    for domid in ATTACKERS {
        let _ = world.write(domid, &deep, "");
    }
    let start = NOW.get();
    PEAK.set(start);
    for round in 0..100 {
        for domid in ATTACKERS {
            let own = world.start(domid);
            let _ = world.write(domid, &deep, &round.to_string());
            let _ = world.write(domid, &format!("old/{}/{round}", round % 20), "x");
            if round % 10 != 9 {
                continue;
            }
            for id in own - 9..=own {
                assert_eq!(world.end(domid, id, true), ok(), "they touched nothing themselves");
            }
        }
    }
    let more = PEAK.get() - start;
    assert!(more <= MOST, "{more}");
    finish(&mut world, tx);
}

#[test]
fn xsa_206_removals_commits_and_permissions_do_not_end_transactions() {
    let mut world = attackers(100);
    let tx = begin(&mut world);
    for domid in ATTACKERS {
        for n in 0..NODES {
            let _ = world.set_perms(domid, &format!("old/{}/{n}", n % 20), &format!("r{domid} b1"));
        }
        for part in 0..20 {
            let own = world.start(domid);
            for n in (part..100).step_by(20) {
                let path = format!("old/{part}/{n}\0new");
                world.ask(domid, own, Type::WRITE, path.as_bytes()).unwrap();
            }
            assert_eq!(world.end(domid, own, true), ok());
            world.rm(domid, &format!("old/{part}")).unwrap();
        }
        for n in 0..NODES {
            let _ = world.write(domid, &format!("new/{}/{n}", n % 20), &"y".repeat(200));
        }
        world.rm(domid, "new").unwrap();
        world.store.work(100);
    }
    finish(&mut world, tx);
}

/// What really conflicts is told, whether before the transaction moves on or after.
#[test]
fn xsa_206_a_transaction_that_moved_on_still_knows_its_conflicts() {
    let storm = |world: &mut World| {
        for domid in ATTACKERS {
            for n in 0..NODES {
                let _ = world.write(domid, &format!("old/{}/{n}", n % 20), &"z".repeat(200));
            }
        }
    };
    type Conflict = fn(&mut World);
    let conflicts: [Conflict; 5] = [
        |world| drop(world.write(2, "read", "after").unwrap()),
        |world| drop(world.write(2, "none", "").unwrap()),
        |world| drop(world.write(2, "list/two", "").unwrap()),
        |world| drop(world.write(CONTROL, "/local/domain/2/written", "by another").unwrap()),
        |world| drop(world.write(2, "gone/deep/down", "changed").unwrap()),
    ];
    for (index, conflict) in conflicts.into_iter().enumerate() {
        for is_late in [false, true] {
            let mut world = attackers(200);
            let tx = begin(&mut world);
            if is_late {
                storm(&mut world);
            }
            conflict(&mut world);
            if !is_late {
                storm(&mut world);
            }
            assert_eq!(world.end(2, tx, true), err("EAGAIN"), "conflict {index}, after moving on: {is_late}");
            world.check();
        }
    }
}

/// What a transaction was granted is its own, whatever others take afterwards.
#[test]
fn xsa_206_using_up_the_pool_does_not_end_transactions() {
    for has_to_be_replayed in [false, true] {
        let mut world = World::new();
        (4..=40).for_each(|domid| world.add_domain(domid));
        let tx = world.start(2);
        for n in 0..30 {
            let payload = format!("large/{n}\0{}", "x".repeat(1500));
            assert_eq!(world.ask(2, tx, Type::WRITE, payload.as_bytes()), ok());
        }
        // They hold memory, and change nothing in the store.
        for domid in 4..=40 {
            let others = world.start(domid);
            for n in 0..1000 {
                let payload = format!("{n}\0{}", "x".repeat(1500));
                if world.ask(domid, others, Type::WRITE, payload.as_bytes()).is_err() {
                    break;
                }
            }
        }
        assert_eq!(world.write(2, "more", &"x".repeat(1500)), err("ENOSPC"), "there is nothing left");
        if has_to_be_replayed {
            world.write(1, "elsewhere", "x").unwrap();
        }
        assert_eq!(world.end(2, tx, true), ok(), "replayed: {has_to_be_replayed}");
        assert!(world.store.usage(DomId(2)).unwrap().memory > 45_000);
        world.check();
    }
}
