//! The published advisories on xenstored, each as the attack itself, and what has to come of it.
//!
//! All that name either of upstream's servers (the C `xenstored`, and `oxenstored`), by the commits that mention them: 27. Above each
//! is what the attack was and what about this server excludes it. What goes through the page is in [`advisories_ring`]; XSA-206
//! has a file of its own, `xsa_206.rs`.

mod advisories_ring;
mod common;

use common::{CONTROL, World, err, ok, value};
use xen_abi::DomId;
use xenstore::wire::MessageType as Type;

/// A reply too long for a message overran a buffer, or ended the server. Here the length is checked in the one place that makes
/// replies, and what does not fit is an error.
#[test]
fn xsa_72_an_answer_that_does_not_fit_is_an_error() {
    let mut world = World::new();
    let name = |index: u32| format!("{index:0100}");
    for index in 0..60 {
        world.write(CONTROL, &format!("/local/domain/1/long/{}", name(index)), "").unwrap();
    }
    world.set_perms(CONTROL, "/local/domain/1/long", "n1").unwrap();
    assert_eq!(world.list(1, "long"), err("E2BIG"));
    let part = world.ask(1, 0, Type::DIRECTORY_PART, b"long\x000\0").unwrap();
    assert!(part.len() <= 4096 && part.contains(&name(39)), "{}", part.len());
    let tx = world.start(1);
    assert_eq!(world.ask(1, tx, Type::DIRECTORY, b"long\0"), err("E2BIG"));
    assert_eq!(world.end(1, tx, true), ok());
}

/// Watch events told that nodes exist which the watcher could not read. Here every event asks the same rule as a read.
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

/// A domain and its device model that went together freed one connection twice. Here a target is a life of a domain, looked up
/// when it matters; nothing hangs on two parents.
#[test]
fn xsa_233_a_domain_and_its_device_model_go_in_any_order() {
    for order in [[1, 2], [2, 1]] {
        let mut world = World::new();
        assert_eq!(world.ask(CONTROL, 0, Type::SET_TARGET, b"2\x001\0"), ok());
        world.write(1, "a", "x").unwrap();
        assert_eq!(world.write(2, "/local/domain/1/a", "by its model"), ok());
        world.watch(2, "/local/domain/1", "t").unwrap();
        let tx = world.start(2);
        world.ask(2, tx, Type::WRITE, b"/local/domain/1/b\0x").unwrap();
        for domid in order {
            world.store.release(DomId(domid));
        }
        for domid in order {
            world.add_domain(domid);
        }
        world.write(1, "a", "another life").unwrap();
        assert_eq!(world.read(2, "/local/domain/1/a"), err("EACCES"), "the target was another domain");
        world.check();
    }
}

/// Nodes made together with a node below them were not counted. Here whoever makes nodes counts them, one by one.
#[test]
fn xsa_272_every_node_of_a_path_is_counted() {
    let mut world = World::new();
    let before = world.store.usage(DomId(1)).unwrap().nodes;
    world.store.quota_mut(Some(DomId(1))).unwrap().nodes = 100;
    world.write(1, "a/b/c/d", "x").unwrap();
    assert_eq!(world.store.usage(DomId(1)).unwrap().nodes, before + 4);
    let mut made = before + 4;
    for index in 0..200 {
        let (path, depth) = (format!("a/{index}/x/y"), 3);
        let done = if index % 2 == 0 { world.write(1, &path, "") } else { world.mkdir(1, &path) };
        if made + depth <= 100 {
            assert_eq!(done, ok());
            made += depth;
        } else {
            assert_eq!(done, err("ENOSPC"));
        }
    }
    assert_eq!(world.store.usage(DomId(1)).unwrap().nodes, made);
    world.check();
}

/// Nodes of a domain that is gone belonged to the next one with its number. Here an owner is a life of a domain.
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

/// Relative paths near the limit made absolute ones over it, which ended the server. Here a path is legal or not before anything is done
/// with it, and what is checked is what is stored.
#[test]
fn xsa_323_long_paths_are_refused_before_anything_is_done() {
    let mut world = World::new();
    for domid in [DomId(1), DomId(2)] {
        let quota = world.store.quota_mut(Some(domid)).unwrap();
        (quota.node_size, quota.memory) = (0, 0);
    }
    let before = world.store.usage(DomId(1)).unwrap().nodes;
    let home = "/local/domain/1/";
    for len in [2000, 2047, 2048, 2049, 3071, 3072, 3073, 4095] {
        let name = "a".repeat(len);
        for path in [name.clone(), format!("{home}{name}"), format!("@{name}"), format!("/{name}")] {
            if path.len() > 4095 {
                continue;
            }
            let is_legal = len <= 2048 && !path.starts_with('@') && !path.starts_with("/a");
            for ty in [Type::WRITE, Type::MKDIR, Type::READ, Type::GET_PERMS, Type::DIRECTORY, Type::RM] {
                let done = world.ask(1, 0, ty, format!("{path}\0").as_bytes());
                assert_eq!(done.is_ok(), is_legal, "{len} {} {ty:?} {done:?}", &path[..20]);
            }
            let _ = world.watch(1, &path, "t");
            let _ = world.ask(1, 0, Type::UNWATCH, format!("{path}\0t\0").as_bytes());
        }
    }
    assert_eq!(world.store.usage(DomId(1)).unwrap().nodes, before, "what was made was removed");
    world.check();
}

/// A token so long that an event did not fit into a message ended the server. Here such an event is on the watch's own path, which
/// fits: it came with the token in one message.
#[test]
fn xsa_324_an_event_that_does_not_fit_is_made_to_fit() {
    let mut world = World::new();
    world.store.quota_mut(Some(DomId(1))).unwrap().memory = 0;
    let token = "t".repeat(4096 - 2 - 1);
    world.watch(1, "a", &token).unwrap();
    world.watch(1, "b", "short").unwrap();
    world.events(1);
    world.write(1, &format!("a/{}", "x".repeat(2000)), "").unwrap();
    world.write(1, "b", "").unwrap();
    let conn = world.conn(1);
    let event = world.store.next_event(conn).unwrap();
    assert_eq!((&*event.path, event.token.len()), ("a", token.len()));
    assert!(event.message().len() <= 16 + 4096, "{}", event.message().len());
    assert_eq!(world.events(1), ["b short"]);
}

/// Guests used memory without limit, in eight ways: by events that they did not read (also of watches set again and again), by nodes as
/// large and many as allowed, by transactions that touched many nodes, by their requests' own copies. Here everything that stays is
/// charged to a quota first. (What waits between ring and server is tried in [`advisories_ring`].)
#[test]
fn xsa_326_nothing_is_kept_without_being_charged() {
    let mut world = World::new();
    let limit = world.store.quota_mut(Some(DomId(1))).unwrap().memory as usize;
    let memory = |world: &World| world.store.usage(DomId(1)).unwrap().memory;
    // Nodes of the largest size.
    let large = "x".repeat(1900);
    let refused =
        (0..1000).filter(|index| world.write(1, &format!("n{index}"), &large) == err("ENOSPC")).count();
    assert!(refused > 500 && memory(&world) <= limit, "{refused}");
    for index in 0..1000 {
        world.rm(1, &format!("n{index}")).unwrap();
    }
    // Watches with the longest paths and tokens.
    let refused = (0..1000).filter(|index| {
        world.watch(1, &"w/".repeat(900).replace("/w", &format!("/{index}"))[..1000], &large) == err("ENOSPC")
    });
    assert!(refused.count() > 500 && memory(&world) <= limit);
    world.ask(1, 0, Type::RESET_WATCHES, b"\0").unwrap();
    // Events that nobody reads, of many watches and by a helper.
    world.set_perms(2, "/local/domain/2", "r2").unwrap();
    for index in 0..128 {
        world.watch(1, "/local/domain/2", &index.to_string()).unwrap();
    }
    for index in 0..2000 {
        let _ = world.write(2, &format!("{}/{}", index % 9, index % 90), &index.to_string());
    }
    assert!(world.events(1).len() <= 64 + 128);
    // Nodes touched in transactions, and transactions.
    let mut refused = 0;
    for _ in 0..20 {
        let Ok(tx) = world.ask(1, 0, Type::TRANSACTION_START, b"\0") else { continue };
        let tx = tx.trim_end_matches('\0').parse().unwrap();
        for index in 0..3000 {
            let payload = format!("{}/{index}\0", index % 50);
            refused += u32::from(world.ask(1, tx, Type::MKDIR, payload.as_bytes()) == err("ENOSPC"));
        }
    }
    assert!(refused >= 2000 && memory(&world) <= limit, "{refused}");
    world.check();
}

/// Resetting watches left them in an index, uncounted, round after round. Here a watch is one entry, and its index is part of it.
#[test]
fn xsa_330_watches_that_are_reset_are_gone() {
    let mut world = World::new();
    let before = world.store.usage(DomId(1)).unwrap();
    for round in 0..100 {
        for index in 0..128 {
            assert_eq!(world.watch(1, "a", &index.to_string()), ok(), "round {round}");
        }
        assert_eq!(world.watch(1, "a", "one more"), err("ENOSPC"));
        assert_eq!(world.ask(1, 0, Type::RESET_WATCHES, b"\0"), ok());
        let usage = world.store.usage(DomId(1)).unwrap();
        assert_eq!((usage.watches, usage.memory), (0, before.memory));
        assert_eq!(world.events(1), Vec::<String>::new());
    }
    world.watch(1, "a", "last").unwrap();
    world.events(1);
    world.write(1, "a", "x").unwrap();
    assert_eq!(world.events(1), ["a last"], "and nothing of those before");
}

/// Changing the owner let nodes pass from guest to guest, and with them their cost. Here only the control domain does that.
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

/// The root node's permissions were not checked for most requests. Here it is a node like others.
#[test]
fn xsa_353_the_root_node_is_a_node_like_others() {
    let mut world = World::new();
    for tx in [0, world.start(1)] {
        assert_eq!(world.ask(1, tx, Type::RM, b"/\0"), err("EACCES"));
        assert_eq!(world.ask(1, tx, Type::WRITE, b"/\0x"), err("EACCES"));
        assert_eq!(world.ask(1, tx, Type::MKDIR, b"/mine\0"), err("EACCES"));
        assert_eq!(world.ask(1, tx, Type::SET_PERMS, b"/\0b1\0"), err("EACCES"));
        assert_eq!(world.ask(1, tx, Type::DIRECTORY, b"/\0"), err("EACCES"));
        assert_eq!(world.ask(1, tx, Type::GET_PERMS, b"/\0"), err("EACCES"));
    }
    assert_eq!(world.rm(CONTROL, "/"), err("EINVAL"));
    assert_eq!(world.list(CONTROL, "/"), value("local\0tool\0"));
}

/// A node that could not be made was taken back with the accounts of somebody else's memory, which ended the server. Here all is checked
/// and charged before the first node is made.
#[test]
fn xsa_414_what_cannot_be_made_whole_is_not_begun() {
    let mut world = World::new();
    world.store.quota_mut(Some(DomId(1))).unwrap().nodes = 20;
    world.mkdir(1, "a").unwrap();
    let before = world.store.usage(DomId(1)).unwrap();
    let deep = "a/".to_owned() + &"b/".repeat(40) + "c";
    let large = "x".repeat(3000);
    for _ in 0..50 {
        assert_eq!(world.mkdir(1, &deep), err("ENOSPC"), "too many nodes");
        assert_eq!(world.write(1, "a/b/c", &large), err("ENOSPC"), "the last is too large");
        let wide = format!("a/b/{}/d", "x".repeat(2040));
        assert_eq!(world.mkdir(1, &wide), err("ENOSPC"), "one in the middle cannot hold the next one's name");
    }
    assert_eq!(world.list(1, "a"), value(""));
    assert_eq!(world.store.usage(DomId(1)).unwrap(), before);
    world.check();
}

/// A node that could not be made in a transaction left nodes without a parent behind, when the transaction was committed all the same.
/// Here a request that fails changes nothing, inside as outside.
#[test]
fn xsa_415_a_failed_request_leaves_nothing_in_its_transaction() {
    let mut world = World::new();
    world.store.quota_mut(Some(DomId(1))).unwrap().nodes = 20;
    let before = world.store.usage(DomId(1)).unwrap();
    for round in 0..20 {
        let tx = world.start(1);
        let deep = "a/".to_owned() + &"b/".repeat(40) + "c";
        assert_eq!(world.ask(1, tx, Type::MKDIR, format!("{deep}\0").as_bytes()), err("ENOSPC"));
        assert_eq!(
            world.ask(1, tx, Type::WRITE, format!("a/b\0{}", "x".repeat(3000)).as_bytes()),
            err("ENOSPC")
        );
        assert_eq!(world.ask(1, tx, Type::READ, b"a\0"), err("ENOENT"));
        assert_eq!(world.ask(1, tx, Type::WRITE, b"whole\0x"), ok());
        assert_eq!(world.end(1, tx, true), ok(), "round {round}");
        assert_eq!(world.list(1, "/local/domain/1"), value("whole\0"));
        world.rm(1, "whole").unwrap();
    }
    assert_eq!(world.store.usage(DomId(1)).unwrap().nodes, before.nodes);
    world.check();
}

/// Nodes of a deleted domain, made visible by a transaction later on, were the next domain's. Here a commit is judged by the domains
/// that are there when it happens.
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

/// Deep trees exhausted the stack. Here nothing recurses along a depth that a guest chooses.
#[test]
fn xsa_418_a_tree_as_deep_as_paths_allow_is_harmless() {
    // On a stack on which a hundred bytes for each level would be too much.
    let work = || {
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
        world.check();
        world.store.release(DomId(1));
        world.check();
    };
    std::thread::Builder::new().stack_size(96 << 10).spawn(work).unwrap().join().unwrap();
}

/// A domain's nodes in another's directory became the control domain's when it went, whom nobody limits: so two guests made nodes without
/// end. Here what a domain owned goes with it, wherever it is.
#[test]
fn xsa_419_what_a_domain_owned_goes_with_it() {
    let mut world = World::new();
    world.mkdir(2, "open").unwrap();
    world.set_perms(2, "open", "n2 b1").unwrap();
    world.write(2, "keep", "z").unwrap();
    world.watch(2, "open", "t").unwrap();
    world.events(2);
    let before = world.store.usage(DomId(2)).unwrap();
    let all = |world: &World| {
        (0..4).filter_map(|domid| world.store.usage(DomId(domid))).map(|usage| usage.nodes).sum::<usize>()
    };
    let nodes = all(&world);
    for round in 0..20 {
        world.set_perms(2, "open", "n2 b1").unwrap();
        world.write(1, "/local/domain/2/open/theirs", "x").unwrap();
        world.set_perms(1, "/local/domain/2/open/theirs", "b1 b2").unwrap();
        world.write(2, "open/theirs/mine", "y").unwrap();
        for index in 0..40 {
            assert_eq!(world.write(1, &format!("/local/domain/2/open/{index}"), ""), ok(), "round {round}");
        }
        world.events(2);
        world.store.release(DomId(1));
        assert_eq!(world.list(2, "open"), value(""));
        assert!(world.events(2).contains(&"open/theirs t".to_owned()));
        assert_eq!(world.store.usage(DomId(2)).unwrap(), before, "round {round}");
        world.add_domain(1);
        assert_eq!(all(&world), nodes, "round {round}");
    }
    assert_eq!(world.read(2, "keep"), value("z"));
    world.check();
}

/// Numbers that do not fit were cut, and hit something else (or, as a message's length, everybody: see [`advisories_ring`]).
#[test]
fn xsa_420_numbers_are_taken_whole_or_not_at_all() {
    let mut world = World::new();
    world.write(1, "a", "x").unwrap();
    for perm in ["r65536", "r4294967297", "r99999999999999999999", "r-1", "r+1", "r_1", "r0x1"] {
        assert_eq!(world.set_perms(1, "a", &format!("n1\0{perm}")), err("EINVAL"), "{perm}");
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

/// A node made and removed in one transaction ended the commit half way: the other nodes were there, and nobody had been charged. Here
/// a commit is one exchange of trees, with one account.
#[test]
fn xsa_421_what_a_transaction_made_and_removed_is_neither_there_nor_free() {
    let mut world = World::new();
    world.store.quota_mut(Some(DomId(1))).unwrap().nodes = 100;
    let mut made = world.store.usage(DomId(1)).unwrap().nodes;
    for round in 0..40 {
        let tx = world.start(1);
        world.ask(1, tx, Type::MKDIR, b"temporary/inner\0").unwrap_or_default();
        let mut new = 0;
        for index in 0..5 {
            let path = format!("r{round}-{index}\0");
            new += usize::from(world.ask(1, tx, Type::MKDIR, path.as_bytes()) == ok());
        }
        let _ = world.ask(1, tx, Type::RM, b"temporary\0");
        // Somebody else writes, so that all is done once more at the end.
        world.write(2, "x", &round.to_string()).unwrap();
        if world.end(1, tx, true) == ok() {
            made += new;
        }
        assert_eq!(world.store.usage(DomId(1)).unwrap().nodes, made);
        assert!(made <= 100);
        assert_eq!(world.read(1, "temporary"), err("ENOENT"));
        world.check();
    }
    assert!(made > 90, "{made}");
}

/// A transaction that removed what was removed outside meanwhile made an account negative, which ended the server. Here accounts are
/// computed from what the commit really does.
#[test]
fn xsa_440_a_conflict_over_removed_nodes_keeps_the_accounts() {
    let mut world = World::new();
    let before = world.store.usage(DomId(1)).unwrap();
    for commit in [true, false] {
        for name in ["a/b", "a/c", "d"] {
            world.write(1, name, "x").unwrap();
        }
        let tx = world.start(1);
        world.ask(1, tx, Type::RM, b"a\0").unwrap();
        world.ask(1, tx, Type::RM, b"d\0").unwrap();
        world.rm(1, "a").unwrap();
        world.rm(1, "d").unwrap();
        let done = world.end(1, tx, commit);
        assert_eq!(done, if commit { err("EAGAIN") } else { ok() });
        assert_eq!(world.store.usage(DomId(1)).unwrap(), before);
        world.check();
    }
}

/// An illegal path (`/local/domain/`) set no error, and the server ended over a request that was neither done nor refused. Here a request
/// handler returns an answer or an error: there is no third.
#[test]
fn xsa_481_every_illegal_path_is_refused() {
    let mut world = World::new();
    let paths = [
        "/local/domain/",
        "/local/domain/1/",
        "local/domain/",
        "/local//domain",
        "//",
        "",
        "/a b",
        "/local/domain/1/\u{7f}",
    ];
    for domid in [CONTROL, 1] {
        for path in paths {
            for ty in [Type::READ, Type::WRITE, Type::MKDIR, Type::RM, Type::DIRECTORY, Type::GET_PERMS] {
                assert_eq!(
                    world.ask(domid, 0, ty, format!("{path}\0").as_bytes()),
                    err("EINVAL"),
                    "{ty:?} {path:?}"
                );
            }
            assert_eq!(world.set_perms(domid, path, "n1"), err("EINVAL"), "{path:?}");
            assert_eq!(world.watch(domid, path, "t"), err("EINVAL"), "{path:?}");
            assert_eq!(world.ask(domid, 0, Type::UNWATCH, format!("{path}\0t\0").as_bytes()), err("EINVAL"));
            assert_eq!(
                world.ask(domid, 0, Type::DIRECTORY_PART, format!("{path}\x000\0").as_bytes()),
                err("EINVAL")
            );
        }
    }
    world.check();
}

/// A domain that reused a number began with the count of nodes of the one before, and could make fewer each time. Here an account is part
/// of the domain's life.
#[test]
fn xsa_483_a_reused_number_begins_with_an_empty_account() {
    let mut world = World::new();
    let baseline = world.store.usage(DomId(2)).unwrap();
    world.store.quota_mut(None).unwrap().nodes = 50;
    for round in 0..20 {
        world.store.release(DomId(1));
        assert_eq!(world.store.usage(DomId(1)), None);
        world.add_domain(1);
        assert_eq!(world.list(1, "/local/domain/1"), value(""));
        let made = (0..100).filter(|index| world.mkdir(1, &format!("n{index}")) == ok()).count();
        assert_eq!(made, 49, "round {round}: all but its home");
        world.watch(1, "/", "t").unwrap();
        let tx = world.start(1);
        world.ask(1, tx, Type::WRITE, b"n1\0x").unwrap();
        let other = world.start(2);
        let _ = world.ask(2, other, Type::READ, b"/local/domain/1/n1\0");
        let old = world.conn(1);
        world.store.release(DomId(1));
        assert!(world.store.next_event(old).is_none());
        assert_eq!(world.end(2, other, true), ok(), "round {round}");
        world.check();
        world.add_domain(1);
    }
    assert_eq!(world.store.usage(DomId(2)).unwrap(), baseline);
}

/// A reset inside a transaction left the server with a transaction that was gone, and it ended. Here a request names its transaction by
/// number, and the number is looked up each time.
#[test]
fn xsa_484_a_reset_in_the_middle_of_a_transaction_ends_it() {
    let mut world = World::new();
    for round in 0..20 {
        let all: Vec<u32> = (0..10).map(|_| world.start(1)).collect();
        world.ask(1, all[0], Type::WRITE, b"a\0x").unwrap();
        assert_eq!(world.ask(1, 0, Type::TRANSACTION_START, b"\0"), err("ENOSPC"));
        assert_eq!(world.ask(1, all[0], Type::RESET_WATCHES, b"\0"), ok(), "round {round}");
        assert_eq!(world.store.usage(DomId(1)).unwrap().transactions, 0);
        for tx in all {
            assert_eq!(world.ask(1, tx, Type::READ, b"a\0"), err("ENOENT"));
            assert_eq!(world.end(1, tx, true), err("ENOENT"));
        }
        assert_eq!(world.read(1, "a"), err("ENOENT"));
    }
    world.check();
}
