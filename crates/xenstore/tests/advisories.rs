//! The classes of published advisories on xenstored, each as a test that the attack fails.
//!
//! Memory and termination of the C daemon that have no counterpart here (double frees, failed allocations of a talloc context) are
//! covered by the language, and by the tests that throw arbitrary bytes at the server.

mod common;

use common::{CONTROL, World, err, ok, value};
use xen_abi::DomId;
use xenstore::wire::MessageType as Type;

/// Watch events told that nodes exist which the watcher could not read.
#[test]
fn xsa_115_watches_do_not_leak_what_cannot_be_read() {
    let mut world = World::new();
    for path in ["/", "/local", "/local/domain/1", "/local/domain/1/secret"] {
        world.watch(2, path, "t").unwrap();
    }
    world.events(2);
    world.write(1, "secret", "x").unwrap();
    world.set_perms(1, "secret", "n1 r3").unwrap();
    world.rm(1, "secret").unwrap();
    assert_eq!(world.events(2), Vec::<String>::new());
    world.write(1, "open", "x").unwrap();
    world.set_perms(1, "open", "n1 r2").unwrap();
    assert_eq!(world.events(2).len(), 3);
    // Losing the right to read is the last that is told.
    world.set_perms(1, "open", "n1").unwrap();
    assert_eq!(world.events(2).len(), 3);
    world.write(1, "open", "y").unwrap();
    assert_eq!(world.events(2), Vec::<String>::new());
}

/// A guest that writes all the time kept the transactions of others from ever committing.
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

/// Guests used memory and nodes without limit: by events nobody read, by watches, by transactions' nodes.
#[test]
fn xsa_326_and_its_kin_nothing_is_kept_without_being_charged() {
    let mut world = World::new();
    world.set_perms(2, "/local/domain/2", "r2").unwrap();
    // 326, 419: events for a guest that does not read them; 421: many nodes in a transaction; 416: permissions.
    for index in 0..128 {
        world.watch(1, "/local/domain/2", &index.to_string()).unwrap();
    }
    for index in 0..900 {
        let _ = world.write(2, &format!("{}/{index}", index % 9), "");
    }
    assert!(world.events(1).len() <= 64 + 128);
    let mut refused = 0;
    let tx = world.start(1);
    for index in 0..3000 {
        let payload = format!("{}/{index}\0", index % 50);
        refused += u32::from(world.ask(1, tx, Type::MKDIR, payload.as_bytes()) == err("ENOSPC"));
    }
    assert!(refused >= 2000);
    let usage = world.store.usage(DomId(1)).unwrap();
    assert!(usage.memory <= 256 << 10, "{usage:?}");
}

/// Nodes of a domain that is gone belonged to the next one with its number.
#[test]
fn xsa_322_a_new_domain_does_not_get_the_rights_of_the_old_one() {
    let mut world = World::new();
    world.write(2, "shared", "secret").unwrap();
    world.set_perms(2, "shared", "n2 b1").unwrap();
    world.write(CONTROL, "/vm/1", "x").unwrap();
    world.set_perms(CONTROL, "/vm/1", "n0 b1").unwrap();
    world.store.release(DomId(1));
    assert_eq!(world.perms(2, "shared"), value("n2\0"));
    world.add_domain(1);
    assert_eq!(world.read(1, "/local/domain/2/shared"), err("EACCES"));
    assert_eq!(world.write(1, "/vm/1", "y"), err("EACCES"));
    world.check();
}

/// A right given to a domain before it existed was there for whoever came first.
#[test]
fn xsa_322_rights_are_not_given_in_advance() {
    let mut world = World::new();
    world.write(1, "a", "x").unwrap();
    assert_eq!(world.set_perms(1, "a", "n1 b7"), ok());
    assert_eq!(world.set_perms(CONTROL, "/local/domain/1/a", "n7"), err("ENOENT"));
    world.add_domain(7);
    assert_eq!(world.read(7, "/local/domain/1/a"), err("EACCES"));
}

/// Paths near the limit crashed the server.
#[test]
fn xsa_323_long_paths_are_refused_before_anything_is_done() {
    let mut world = World::new();
    for len in [2047, 2048, 2049, 3071, 3072, 3073, 4095] {
        for lead in ["", "/", "@"] {
            let path = format!("{lead}{}", "a".repeat(len - lead.len()));
            for ty in [Type::READ, Type::WRITE, Type::MKDIR, Type::RM, Type::GET_PERMS, Type::UNWATCH] {
                let _ = world.ask(1, 0, ty, format!("{path}\0").as_bytes());
            }
            let _ = world.watch(1, &path, "");
        }
    }
    world.events(1);
}

/// Malformed and empty strings, and every type in every state, crashed one server or the other.
#[test]
fn xsa_324_and_425_odd_watch_paths_are_answered() {
    let mut world = World::new();
    for path in ["/", "@", "@x/y", "a", "@releaseDomain/", "@releaseDomain/x", "//", ""] {
        let _ = world.watch(1, path, "t");
        let _ = world.watch(CONTROL, path, "t");
    }
    world.write(1, "a", "").unwrap();
    world.store.release(DomId(2));
    world.store.release(DomId(1));
    world.add_domain(1);
    world.write(1, "a", "").unwrap();
}

/// Changing the owner let nodes pass from guest to guest, and with them their cost.
#[test]
fn xsa_352_only_the_control_domain_changes_owners() {
    let mut world = World::new();
    world.write(1, "a", "x").unwrap();
    assert_eq!(world.set_perms(1, "a", "n2"), err("EPERM"));
    assert_eq!(world.set_perms(1, "a", "n2 b1"), err("EPERM"));
    let before = world.store.usage(DomId(2)).unwrap();
    assert_eq!(world.set_perms(CONTROL, "/local/domain/1/a", "n2"), ok());
    assert_eq!(world.store.usage(DomId(2)).unwrap().nodes, before.nodes + 1);
    world.check();
}

/// The root node's permissions were not checked for some requests.
#[test]
fn xsa_353_the_root_node_is_a_node_like_others() {
    let mut world = World::new();
    assert_eq!(world.rm(1, "/"), err("EACCES"));
    assert_eq!(world.write(1, "/", "x"), err("EACCES"));
    assert_eq!(world.set_perms(1, "/", "b1"), err("EACCES"));
    assert_eq!(world.list(1, "/"), err("EACCES"));
    assert_eq!(world.perms(1, "/"), err("EACCES"));
    assert_eq!(world.rm(CONTROL, "/"), err("EINVAL"));
    assert_eq!(world.list(CONTROL, "/"), value("local\0tool\0"));
}

/// A domain's transaction, committed after it had lost its rights, or its counterpart had gone.
#[test]
fn xsa_417_a_commit_is_judged_by_todays_domains() {
    let mut world = World::new();
    let tx = world.start(CONTROL);
    world.ask(CONTROL, tx, Type::MKDIR, b"/given\0").unwrap();
    world.ask(CONTROL, tx, Type::SET_PERMS, b"/given\0n1\0").unwrap();
    world.store.release(DomId(1));
    world.add_domain(1);
    assert_eq!(world.end(CONTROL, tx, true), err("EAGAIN"), "domain 1 is another domain now");
    let tx = world.start(CONTROL);
    world.ask(CONTROL, tx, Type::MKDIR, b"/given\0").unwrap();
    world.ask(CONTROL, tx, Type::SET_PERMS, b"/given\0n1\0").unwrap();
    world.end(CONTROL, tx, true).unwrap();
    world.check();
    world.store.release(DomId(1));
    assert_eq!(world.read(CONTROL, "/given"), err("ENOENT"), "no orphan is left");
}

/// Deep trees exhausted the stack.
#[test]
fn xsa_418_a_tree_as_deep_as_paths_allow_is_harmless() {
    let mut world = World::new();
    world.store.quota_mut(Some(DomId(1))).unwrap().memory = 1 << 20;
    world.store.quota_mut(Some(DomId(1))).unwrap().nodes = 0;
    let deep = "a/".repeat(1023) + "b";
    world.write(1, &deep, "x").unwrap();
    world.watch(1, &deep, "t").unwrap();
    world.events(1);
    let tx = world.start(1);
    world.ask(1, tx, Type::RM, b"a\0").unwrap();
    world.end(1, tx, true).unwrap();
    assert_eq!(world.events(1), [format!("{deep} t")]);
    world.write(1, &deep, "x").unwrap();
    world.store.release(DomId(1));
    world.check();
}

/// Guests orphaned nodes, or had others' removed, by nesting them in each other's directories.
#[test]
fn xsa_415_teardown_removes_what_is_owned_wherever_it_is() {
    let mut world = World::new();
    world.mkdir(2, "open").unwrap();
    world.set_perms(2, "open", "n2 b1").unwrap();
    world.write(1, "/local/domain/2/open/theirs", "x").unwrap();
    world.set_perms(1, "/local/domain/2/open/theirs", "b1 b2").unwrap();
    world.write(2, "open/theirs/mine", "y").unwrap();
    world.write(2, "keep", "z").unwrap();
    world.watch(2, "open", "t").unwrap();
    world.events(2);
    let before = world.store.usage(DomId(2)).unwrap();
    world.store.release(DomId(1));
    assert_eq!(world.read(2, "open/theirs"), err("ENOENT"));
    assert_eq!(world.read(2, "open"), value(""));
    assert_eq!(world.read(2, "keep"), value("z"));
    assert_eq!(world.store.usage(DomId(2)).unwrap().nodes, before.nodes - 1);
    assert_eq!(world.events(2), ["open/theirs t"]);
    world.check();
}

/// Numbers that do not fit were cut, and hit something else.
#[test]
fn xsa_420_numbers_are_taken_whole_or_not_at_all() {
    let mut world = World::new();
    world.write(1, "a", "x").unwrap();
    for perm in ["r65536", "r4294967297", "r99999999999999999999", "r-1", "r+1", "r 1", "r0x1"] {
        assert_eq!(
            world.set_perms(1, "a", &format!("n1\0{perm}").replace(' ', "_")),
            err("EINVAL"),
            "{perm}"
        );
    }
    for offset in ["4294967296", "-1", "99999999999999999999"] {
        let payload = format!("/local/domain/1\0{offset}\0");
        assert_eq!(world.ask(1, 0, Type::DIRECTORY_PART, payload.as_bytes()), err("EINVAL"));
    }
    for depth in ["-1", "4294967296", ""] {
        assert_eq!(world.ask(1, 0, Type::WATCH, format!("a\0t\0{depth}\0").as_bytes()), err("EINVAL"));
    }
    assert_eq!(world.ask(CONTROL, 0, Type::RELEASE, b"65537\0"), err("EINVAL"));
}

/// A domain that goes in the middle of things.
#[test]
fn xsa_483_teardown_is_one_step() {
    let mut world = World::new();
    let baseline = world.store.usage(DomId(2)).unwrap();
    for round in 0..3 {
        world.watch(1, "@releaseDomain", "t").unwrap();
        world.watch(1, "/", "t").unwrap();
        let tx = world.start(1);
        world.ask(1, tx, Type::WRITE, b"a/b\0x").unwrap();
        world.write(1, "c/d", "x").unwrap();
        let other = world.start(2);
        let _ = world.ask(2, other, Type::READ, b"/local/domain/1/c\0");
        let old = world.conn(1);
        world.store.release(DomId(1));
        assert!(world.store.next_event(old).is_none());
        assert_eq!(world.end(2, other, true), ok(), "round {round}");
        assert_eq!(world.store.usage(DomId(1)), None);
        world.add_domain(1);
        assert_eq!(world.list(1, "/local/domain/1"), value(""));
    }
    assert_eq!(world.store.usage(DomId(2)).unwrap(), baseline);
    world.check();
}
