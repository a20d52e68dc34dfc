//! Transactions: isolation, conflicts, and what they may hold back.

mod common;

use common::{CONTROL, World, err, ok, value};
use xen_abi::DomId;
use xenstore::wire::MessageType as Type;

/// What two writers do, each in a transaction of their own or (the second) outside, and whether the first commits.
struct Case {
    name: &'static str,
    first: &'static [(Type, &'static str)],
    second: &'static [(Type, &'static str)],
    commits: bool,
}

#[test]
fn only_what_truly_conflicts_is_eagain() {
    let cases = [
        Case { name: "nothing else happened", first: &[(Type::READ, "a\0")], second: &[], commits: true },
        Case {
            name: "different nodes of one directory",
            first: &[(Type::WRITE, "d/x\0one")],
            second: &[(Type::WRITE, "d/y\0two")],
            commits: true,
        },
        Case {
            name: "read what was written",
            first: &[(Type::READ, "a\0"), (Type::WRITE, "b\0x")],
            second: &[(Type::WRITE, "a\0changed")],
            commits: false,
        },
        Case {
            name: "read what was written with the same value",
            first: &[(Type::READ, "a\0"), (Type::WRITE, "b\0x")],
            second: &[(Type::WRITE, "a\0a")],
            commits: true,
        },
        Case {
            name: "wrote what was written",
            first: &[(Type::WRITE, "a\0mine")],
            second: &[(Type::WRITE, "a\0theirs")],
            commits: false,
        },
        Case {
            name: "made what was made",
            first: &[(Type::WRITE, "new\0mine")],
            second: &[(Type::WRITE, "new\0theirs")],
            commits: false,
        },
        Case {
            name: "listed what got a child",
            first: &[(Type::DIRECTORY, "d\0"), (Type::WRITE, "b\0x")],
            second: &[(Type::MKDIR, "d/new\0")],
            commits: false,
        },
        Case {
            name: "listed what got a value",
            first: &[(Type::DIRECTORY, "d\0"), (Type::WRITE, "b\0x")],
            second: &[(Type::WRITE, "d\0value")],
            commits: true,
        },
        Case {
            name: "missed what was made",
            first: &[(Type::READ, "none\0"), (Type::WRITE, "b\0x")],
            second: &[(Type::WRITE, "none\0x")],
            commits: false,
        },
        Case {
            name: "removed where something was written",
            first: &[(Type::RM, "d\0")],
            second: &[(Type::WRITE, "d/deep/er\0x")],
            commits: false,
        },
        Case {
            name: "wrote into what was removed",
            first: &[(Type::WRITE, "d/x\0one")],
            second: &[(Type::RM, "d\0")],
            commits: true,
        },
        Case {
            name: "read the permissions that were changed",
            first: &[(Type::GET_PERMS, "a\0")],
            second: &[(Type::SET_PERMS, "a\0r1\0")],
            commits: false,
        },
    ];
    for case in cases {
        let mut world = World::new();
        world.write(1, "a", "a").unwrap();
        world.mkdir(1, "d/deep").unwrap();
        let tx = world.start(1);
        for (ty, payload) in case.first {
            let _ = world.ask(1, tx, *ty, payload.as_bytes());
        }
        for (ty, payload) in case.second {
            world.ask(1, 0, *ty, payload.as_bytes()).unwrap();
        }
        let expected = if case.commits { ok() } else { err("EAGAIN") };
        assert_eq!(world.end(1, tx, true), expected, "{}", case.name);
        world.check();
    }
}

#[test]
fn a_transaction_sees_its_own_changes_and_nobody_elses() {
    let mut world = World::new();
    world.write(1, "a", "old").unwrap();
    let tx = world.start(1);
    world.ask(1, tx, Type::WRITE, b"b\0mine").unwrap();
    world.write(1, "a", "new").unwrap();
    assert_eq!(world.ask(1, tx, Type::READ, b"a\0"), value("old"));
    assert_eq!(world.ask(1, tx, Type::READ, b"b\0"), value("mine"));
    assert_eq!(world.ask(1, tx, Type::DIRECTORY, b"/local/domain/1\0"), value("a\0b\0"));
    assert_eq!(world.read(1, "b"), err("ENOENT"));
    assert_eq!(world.end(1, tx, true), err("EAGAIN"));
    assert_eq!(world.read(1, "b"), err("ENOENT"));
}

#[test]
fn ids_belong_to_their_connection() {
    let mut world = World::new();
    let tx = world.start(1);
    assert_ne!(tx, 0);
    assert_eq!(world.ask(2, tx, Type::READ, b"/local/domain/1\0"), err("ENOENT"));
    assert_eq!(world.end(2, tx, true), err("ENOENT"));
    assert_eq!(world.ask(1, tx, Type::TRANSACTION_START, b"\0"), err("EBUSY"));
    assert_eq!(world.ask(1, tx, Type::TRANSACTION_END, b"x\0"), err("EINVAL"));
    assert_eq!(world.end(1, tx, true), ok());
    assert_eq!(world.end(1, tx, true), err("ENOENT"));
    assert_eq!(world.end(1, 0, true), err("ENOENT"));
}

/// Watches are not part of transactions: their id is not looked at.
#[test]
fn watch_ignores_the_transaction() {
    let mut world = World::new();
    assert_eq!(world.ask(1, 4711, Type::WATCH, b"a\0t\0"), ok());
    assert_eq!(world.ask(1, 4711, Type::UNWATCH, b"a\0t\0"), ok());
    assert_eq!(world.ask(1, 4711, Type::READ, b"a\0"), err("ENOENT"));
}

#[test]
fn the_toolstack_writes_all_or_nothing() {
    let mut world = World::new();
    world.watch(CONTROL, "/x", "t").unwrap();
    world.events(CONTROL);
    let failed = world.store.control(|store| {
        store.write("/x/a", "1")?;
        assert_eq!(store.read("/x/a")?, b"1");
        store.write("bad path", "2")
    });
    assert!(failed.is_err());
    assert!(world.store.read("/x").is_err());
    assert_eq!(world.events(CONTROL), Vec::<String>::new());
    world.store.control(|store| store.write("/x/a", "1")).unwrap();
    assert_eq!(world.store.list("/x").unwrap(), ["a"]);
    assert_eq!(world.events(CONTROL), ["/x/a t"]);
}

/// A snapshot that is never given back must not make the store keep all history: its transaction goes on with today's store, as if it
/// had begun now.
#[test]
fn a_transaction_that_holds_back_too_much_moves_on() {
    let mut world = World::new();
    let write_all = |world: &mut World| {
        for (domid, index) in [1, 3].into_iter().flat_map(|domid| (0..100).map(move |index| (domid, index))) {
            world.write(domid, &format!("n{index}"), &"x".repeat(1900)).unwrap();
        }
    };
    write_all(&mut world);
    world.write(1, "seen", "old").unwrap();
    world.set_perms(1, "seen", "r1").unwrap();
    let [forgotten, conflicting] = [world.start(2), world.start(2)];
    assert_eq!(world.ask(2, forgotten, Type::READ, b"/local/domain/2\0"), value(""));
    assert_eq!(world.ask(2, conflicting, Type::READ, b"/local/domain/1/seen\0"), value("old"));
    world.write(1, "seen", "new").unwrap();
    write_all(&mut world);
    let fresh = world.start(2);
    assert_eq!(world.ask(2, forgotten, Type::WRITE, b"x\0y"), ok());
    assert_eq!(world.end(2, forgotten, true), ok());
    assert_eq!(world.ask(2, conflicting, Type::READ, b"x\0"), err("EAGAIN"), "it is known already");
    assert_eq!(world.end(2, conflicting, true), err("EAGAIN"));
    assert_eq!(world.end(2, fresh, true), ok());
    assert_eq!(world.store.usage(DomId(2)).unwrap().transactions, 0);
}
