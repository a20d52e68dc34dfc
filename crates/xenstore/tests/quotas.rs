//! Quotas: charged before use, per domain, given back.

mod common;

use common::{CONTROL, World, err, ok};
use xen_abi::DomId;
use xenstore::Limits;
use xenstore::wire::MessageType as Type;

#[test]
fn nodes_are_limited_and_given_back() {
    let mut world = World::new();
    // Its home is one of them.
    for index in 1..1000 {
        world.write(1, &format!("{}/{}", index % 10, index), "").unwrap_or_else(|error| {
            // The ten directories count too.
            assert!(index >= 989, "{index}: {error}");
            String::new()
        });
    }
    assert_eq!(world.store.usage(DomId(1)).unwrap().nodes, 1000);
    assert_eq!(world.write(1, "more", ""), err("ENOSPC"));
    assert_eq!(world.write(1, "1", "a value is no node"), ok());
    assert_eq!(world.write(2, "more", ""), ok());
    assert_eq!(world.write(CONTROL, "/local/domain/1/more", ""), ok());
    world.rm(1, "1").unwrap();
    assert_eq!(world.write(1, "again", ""), ok());
    world.check();
}

#[test]
fn the_nodes_of_a_transaction_count_too() {
    let mut world = World::new();
    world.store.quota_mut(Some(DomId(1))).unwrap().nodes = 4;
    let tx = world.start(1);
    for name in ["a", "b", "c"] {
        world.ask(1, tx, Type::MKDIR, format!("{name}\0").as_bytes()).unwrap();
    }
    assert_eq!(world.ask(1, tx, Type::MKDIR, b"d\0"), err("ENOSPC"));
    // Meanwhile the room is taken outside.
    world.mkdir(1, "x").unwrap();
    assert_eq!(world.end(1, tx, true), err("EAGAIN"));
    assert_eq!(world.store.usage(DomId(1)).unwrap().nodes, 2);
    world.check();
}

#[test]
fn watches_transactions_and_permissions_are_limited() {
    let mut world = World::new();
    for index in 0..128 {
        world.watch(1, "a", &index.to_string()).unwrap();
    }
    assert_eq!(world.watch(1, "a", "one more"), err("ENOSPC"));
    for _ in 0..10 {
        world.start(1);
    }
    assert_eq!(world.ask(1, 0, Type::TRANSACTION_START, b"\0"), err("ENOSPC"));
    world.write(1, "a", "").unwrap();
    assert_eq!(world.set_perms(1, "a", "n1 r2 r3 r2 r3"), ok());
    assert_eq!(world.set_perms(1, "a", "n1 r2 r3 r2 r3 r2"), err("ENOSPC"));
    assert_eq!(world.set_perms(CONTROL, "/local/domain/1/a", "n1 r2 r3 r2 r3 r2"), ok());
}

#[test]
fn a_node_is_limited_in_size_whatever_makes_it_large() {
    let mut world = World::new();
    let limit = 2048 - 16 - 8;
    assert_eq!(world.write(1, "a", &"x".repeat(limit)), ok());
    assert_eq!(world.write(1, "a", &"x".repeat(limit + 1)), err("ENOSPC"));
    assert_eq!(world.set_perms(1, "a", "n1 r2"), err("ENOSPC"));
    assert_eq!(world.write(1, "a/b", ""), err("ENOSPC"));
    assert_eq!(world.write(1, "b", &"x".repeat(limit + 1)), err("ENOSPC"));
    assert_eq!(world.write(CONTROL, "/local/domain/1/a", &"x".repeat(4000)), ok());
    let mut made = 0;
    while world.write(1, &format!("d/{made:07}"), "").is_ok() {
        made += 1;
    }
    assert_eq!(made, limit / 8);
    world.check();
}

#[test]
fn a_transaction_is_limited_in_nodes() {
    let mut world = World::new();
    world.store.quota_mut(Some(DomId(1))).unwrap().transaction_nodes = 3;
    let tx = world.start(1);
    for path in ["a\0", "b\0", "c\0", "a\0", "b\0"] {
        assert_eq!(world.ask(1, tx, Type::READ, path.as_bytes()), err("ENOENT"));
    }
    assert_eq!(world.ask(1, tx, Type::READ, b"d\0"), err("ENOSPC"));
    assert_eq!(world.end(1, tx, true), ok());
}

#[test]
fn memory_is_limited_over_everything_a_guest_can_keep() {
    let mut world = World::new();
    world.store.quota_mut(Some(DomId(1))).unwrap().memory = 20_000;
    let before = world.store.usage(DomId(1)).unwrap();
    let mut made = 0;
    while world.write(1, &format!("{made}"), &"x".repeat(1900)).is_ok() {
        made += 1;
    }
    assert!((8..=10).contains(&made), "{made}");
    assert_eq!(world.watch(1, "w/".repeat(100).trim_end_matches('/'), "t"), err("ENOSPC"));
    for index in 0..made {
        world.rm(1, &index.to_string()).unwrap();
    }
    assert_eq!(world.store.usage(DomId(1)).unwrap(), before);
    let tx = world.start(1);
    let mut reads = 0;
    while world.ask(1, tx, Type::READ, b"a\0") == err("ENOENT") {
        reads += 1;
    }
    assert!((50..100).contains(&reads), "a transaction's record is charged: {reads}");
    world.end(1, tx, false).unwrap();
    assert_eq!(world.store.usage(DomId(1)).unwrap(), before);
}

#[test]
fn paths_are_limited() {
    let mut world = World::new();
    let deep = |len: usize| "a/".repeat(len / 2) + "b";
    assert_eq!(world.read(1, &deep(2046)), err("ENOENT"));
    assert_eq!(world.read(1, &deep(2048)), err("EINVAL"));
    assert_eq!(world.write(CONTROL, &format!("/{}", "a".repeat(3071)), ""), ok());
    assert_eq!(world.write(CONTROL, &format!("/{}", "a".repeat(3072)), ""), err("EINVAL"));
}

/// What a transaction makes is charged when it is asked for, so that its end needs nothing that was given away meanwhile.
#[test]
fn a_commit_has_the_memory_that_it_was_granted() {
    let mut world = World::new();
    let limit = 256 << 10;
    world.store.quota_mut(Some(DomId(1))).unwrap().memory = limit as u32;
    let tx = world.start(1);
    let deep = format!("a{}\0", "/a".repeat(600));
    world.ask(1, tx, Type::MKDIR, deep.as_bytes()).unwrap();
    let mut watches = 0;
    while world.watch(1, &format!("w{watches}{}", "/a".repeat(20)), "t").is_ok() {
        watches += 1;
    }
    assert!(watches > 0);
    assert_eq!(world.end(1, tx, true), ok());
    let usage = world.store.usage(DomId(1)).unwrap();
    assert!(usage.memory <= limit, "{usage:?}");
    assert_eq!((usage.nodes, usage.transactions), (602, 0));
    world.check();
}

/// Nodes are counted at the end. What the domain made meanwhile counts then.
#[test]
fn a_commit_keeps_within_the_quota() {
    let mut world = World::new();
    world.store.quota_mut(Some(DomId(1))).unwrap().nodes = 20;
    let tx = world.start(1);
    assert_eq!(world.ask(1, tx, Type::MKDIR, b"a/b/c\0"), ok());
    while world.write(1, &format!("d{}", world.store.usage(DomId(1)).unwrap().nodes), "").is_ok() {}
    assert_eq!(world.end(1, tx, true), err("EAGAIN"));
    let usage = world.store.usage(DomId(1)).unwrap();
    assert_eq!((usage.nodes, usage.transactions), (20, 0));
    world.check();
}

/// Writes until it is refused; returns what the domain uses then.
fn fill(world: &mut World, domid: u16) -> usize {
    let value = "x".repeat(1900);
    for index in 0..999 {
        match world.write(domid, &index.to_string(), &value) {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error, "ENOSPC");
                break;
            }
        }
    }
    world.store.usage(DomId(domid)).unwrap().memory
}

#[test]
fn who_takes_much_of_the_pool_leaves_as_much() {
    const NODE: usize = 4096;
    let pool = Limits::small().pool as usize;
    let mut world = World::new();
    // One after the other comes to half of what is left, to within a node for each.
    for domid in 1..=3 {
        let used = fill(&mut world, domid);
        assert!(used.abs_diff(pool >> domid) < 2 * NODE, "{domid}: {used}");
    }
    // The first has more than is left now, and gets no more until it has given some back.
    assert_eq!(world.write(1, "more", "x"), err("ENOSPC"));
    for domid in 4..40 {
        world.add_domain(domid);
        // However full the pool is, a newcomer has its share.
        assert!(fill(&mut world, domid) >= Limits::small().share as usize - NODE, "{domid}");
    }
    let used: usize = (1..40).map(|domid| world.store.usage(DomId(domid)).unwrap().memory).sum();
    assert!(used <= pool + 39 * Limits::small().share as usize, "{used}");
    world.check();
}

#[test]
fn a_lone_guest_has_all_the_nodes_that_upstream_allows() {
    let mut world = World::new();
    // Its home, 37 directories, and what is in them; the names in one directory are bounded too.
    for index in 0..962 {
        let path = format!("{}/a-name-of-some-length-{index}", index % 37);
        assert_eq!(world.write(1, &path, "and a value of some length, too"), ok(), "{index}");
    }
    assert_eq!(world.store.usage(DomId(1)).unwrap().nodes, 1000);
    assert_eq!(world.write(1, "one-more", ""), err("ENOSPC"));
}
