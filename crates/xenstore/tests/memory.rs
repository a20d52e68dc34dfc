//! How much memory guests can take away from everybody, measured: the control domain's heap has 8 MiB for everything, and a failed
//! allocation there ends the control domain.

mod common;

use common::World;
use common::counting::{Counting, NOW, PEAK};
use xenstore::wire::MessageType as Type;

/// The most that the store may take for 30 guests.
const MOST: usize = 3 << 20;
const GUESTS: u16 = 30;

#[global_allocator]
static COUNTING: Counting = Counting;

/// Lets every guest do its worst, and checks the most that this took.
fn all_do(what: &str, mut worst: impl FnMut(&mut World, u16)) {
    let start = NOW.get();
    let mut world = World::new();
    (4..=GUESTS).for_each(|domid| world.add_domain(domid));
    PEAK.set(NOW.get());
    for domid in 1..=GUESTS {
        worst(&mut world, domid);
    }
    let peak = PEAK.get().saturating_sub(start);
    println!("{what}: {} KiB", peak >> 10);
    assert!(peak <= MOST, "{what}: {peak} bytes");
    // Whoever has little may still do what a Linux guest does when it boots.
    world.add_domain(99);
    for key in ["data/name", "control/feature-poweroff", "device/vif/0/state", "memory/target"] {
        world.write(99, key, "a value").unwrap();
        world.watch(99, key, "token").unwrap();
    }
    let tx = world.start(99);
    world.ask(99, tx, Type::WRITE, b"data/other\0value").unwrap();
    world.end(99, tx, true).unwrap();
    world.check();
}

/// Makes nodes until the store refuses.
fn fill(world: &mut World, domid: u16, value: &str) -> usize {
    (0..2000).take_while(|n| world.write(domid, &format!("f/{}/{n}", n % 16), value).is_ok()).count()
}

#[test]
fn values() {
    all_do("values", |world, domid| {
        fill(world, domid, &"x".repeat(1900));
    });
}

#[test]
fn small_nodes() {
    all_do("small nodes", |world, domid| {
        fill(world, domid, "");
    });
}

#[test]
fn deep_nodes() {
    all_do("deep nodes", |world, domid| {
        for n in 0..100 {
            let _ = world.mkdir(domid, &format!("{n}{}", "/a".repeat(900)));
            let _ = world.mkdir(domid, &format!("{n}{}", "/a".repeat(100)));
        }
    });
}

#[test]
fn permissions() {
    all_do("permissions", |world, domid| {
        for n in 0..1000 {
            let path = format!("p{n}");
            if world.mkdir(domid, &path).is_err()
                || world.set_perms(domid, &path, &format!("n{domid} r1 r2 r3 r4")).is_err()
            {
                return;
            }
        }
    });
}

#[test]
fn deep_watches() {
    all_do("deep watches", |world, domid| {
        for n in 0..128 {
            let _ = world.watch(domid, &format!("w{n}{}", "/a".repeat(1000)), "t");
            let _ = world.watch(domid, &format!("w{n}{}", "/a".repeat(40)), "t");
        }
    });
}

#[test]
fn events_that_nobody_reads() {
    all_do("events", |world, domid| {
        for n in 0..128 {
            let _ = world.watch(domid, "/", &format!("{n}"));
        }
        for n in 0..40 {
            let _ = world.write(domid, &format!("{}{n}", "x".repeat(1500)), "");
            let _ = world.rm(domid, &format!("{}{n}", "x".repeat(1500)));
        }
    });
}

#[test]
fn transactions_that_remember() {
    all_do("transactions", |world, domid| {
        for _ in 0..10 {
            let Ok(tx) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.start(domid))) else {
                return;
            };
            for n in 0..1000 {
                let path = format!("t{n}/a/b\0{}", "x".repeat(if n % 2 == 0 { 0 } else { 1500 }));
                if world.ask(domid, tx, Type::WRITE, path.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
}

/// What a guest writes over or removes lives on in the snapshots of open transactions.
#[test]
fn old_versions() {
    all_do("old versions", |world, domid| {
        for _ in 0..10 {
            world.start(domid);
            fill(world, domid, &"x".repeat(1900));
            let _ = world.rm(domid, "f");
        }
        fill(world, domid, &"x".repeat(1900));
    });
}

/// The nodes of a domain that is gone may lie anywhere, under long paths that others made.
#[test]
fn a_release_needs_little_memory_itself() {
    let mut world = World::new();
    let long = format!("/local/domain/1/{}", "x".repeat(1900));
    world.mkdir(1, &long).unwrap();
    world.set_perms(1, &long, "b1").unwrap();
    let mut made = 0;
    while made < 900 && world.write(2, &format!("{long}/{made}"), "").is_ok() {
        made += 1;
    }
    assert!(made > 20, "{made}");
    let before = NOW.get();
    PEAK.set(before);
    world.store.release(xen_abi::DomId(2));
    while world.store.work(1000) {}
    let more = PEAK.get().saturating_sub(before);
    assert!(more < 600 << 10, "{more}");
    assert_eq!(world.list(1, &long), Ok(String::new()));
    world.check();
}
