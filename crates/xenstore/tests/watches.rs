//! Watches: what fires, for whom, with which path, and what happens to those who do not listen.

mod common;

use common::{CONTROL, World, err, ok};
use xen_abi::DomId;
use xenstore::wire::MessageType as Type;

#[test]
fn a_watch_fires_at_once_and_on_every_change_below() {
    let mut world = World::new();
    assert_eq!(world.watch(CONTROL, "/local/domain/1", "t"), ok());
    assert_eq!(world.events(CONTROL), ["/local/domain/1 t"]);
    world.write(1, "a/b", "x").unwrap();
    world.mkdir(1, "a/b").unwrap();
    world.set_perms(1, "a", "n1 r2").unwrap();
    assert_eq!(world.events(CONTROL), ["/local/domain/1/a/b t", "/local/domain/1/a t"]);
    world.rm(1, "a").unwrap();
    world.rm(1, "a").unwrap();
    assert_eq!(world.events(CONTROL), ["/local/domain/1/a t"]);
    world.write(2, "elsewhere", "x").unwrap();
    world.read(1, "x").unwrap_err();
    assert_eq!(world.events(CONTROL), Vec::<String>::new());
}

#[test]
fn relative_watches_have_relative_events() {
    let mut world = World::new();
    world.watch(1, "a", "rel").unwrap();
    world.watch(1, "/local/domain/1/a", "abs").unwrap();
    world.events(1);
    world.write(1, "a/b", "x").unwrap();
    assert_eq!(world.events(1), ["a/b rel", "/local/domain/1/a/b abs"]);
}

#[test]
fn watches_inside_a_removed_tree_fire_on_their_own_path() {
    let mut world = World::new();
    world.write(1, "a/b/c", "x").unwrap();
    for path in ["a/b/c", "a/b/none", "a"] {
        world.watch(1, path, "t").unwrap();
    }
    world.events(1);
    world.rm(1, "a").unwrap();
    assert_eq!(world.events(1), ["a/b/c t", "a t"]);
}

#[test]
fn depth_limits_how_far_below_counts() {
    let mut world = World::new();
    world.ask(1, 0, Type::WATCH, b"a\0d0\x000\0").unwrap();
    world.ask(1, 0, Type::WATCH, b"a\0d1\x001\0").unwrap();
    world.events(1);
    world.write(1, "a", "").unwrap();
    world.write(1, "a/b", "").unwrap();
    world.write(1, "a/b/c", "").unwrap();
    assert_eq!(world.events(1), ["a d0", "a d1", "a/b d1"]);
}

#[test]
fn a_watch_is_set_once_and_ends_with_unwatch() {
    let mut world = World::new();
    world.watch(1, "a", "t").unwrap();
    assert_eq!(world.watch(1, "a", "t"), err("EEXIST"));
    assert_eq!(world.watch(1, "/local/domain/1/a", "t"), err("EEXIST"));
    assert_eq!(world.watch(2, "/local/domain/1/a", "t"), ok());
    world.write(1, "a", "x").unwrap();
    assert_eq!(world.ask(1, 0, Type::UNWATCH, b"a\0other\0"), err("ENOENT"));
    assert_eq!(world.ask(1, 0, Type::UNWATCH, b"a\0t\0"), ok());
    assert_eq!(world.ask(1, 0, Type::UNWATCH, b"a\0t\0"), err("ENOENT"));
    assert_eq!(world.events(1), Vec::<String>::new(), "nothing comes after the reply to UNWATCH");
    assert_eq!(world.store.usage(DomId(1)).unwrap().watches, 0);
}

#[test]
fn reset_watches_ends_watches_and_transactions() {
    let mut world = World::new();
    let before = world.store.usage(DomId(1)).unwrap();
    world.watch(1, "a", "t").unwrap();
    let tx = world.start(1);
    world.ask(1, tx, Type::WRITE, b"a\0x").unwrap();
    assert_eq!(world.ask(1, 0, Type::RESET_WATCHES, b"\0"), ok());
    assert_eq!(world.end(1, tx, true), err("ENOENT"));
    assert_eq!(world.events(1), Vec::<String>::new());
    assert_eq!(world.store.usage(DomId(1)).unwrap(), before);
}

/// Events of a transaction come when it is committed, and only those of what changed.
#[test]
fn transactions_fire_when_committed() {
    let mut world = World::new();
    world.write(1, "old", "").unwrap();
    world.watch(CONTROL, "/local/domain/1", "t").unwrap();
    world.events(CONTROL);
    let tx = world.start(1);
    for payload in ["new\0x", "gone\0x", "old\0x"] {
        world.ask(1, tx, Type::WRITE, payload.as_bytes()).unwrap();
    }
    world.ask(1, tx, Type::RM, b"gone\0").unwrap();
    assert_eq!(world.events(CONTROL), Vec::<String>::new());
    world.end(1, tx, true).unwrap();
    assert_eq!(world.events(CONTROL), ["/local/domain/1/new t", "/local/domain/1/old t"]);
    let tx = world.start(1);
    world.ask(1, tx, Type::WRITE, b"new\0y").unwrap();
    world.end(1, tx, false).unwrap();
    assert_eq!(world.events(CONTROL), Vec::<String>::new());
}

#[test]
fn domains_coming_and_going_are_told_to_those_who_may_know() {
    let mut world = World::new();
    for domid in [CONTROL, 1, 2] {
        for path in ["@introduceDomain", "@releaseDomain"] {
            world.watch(domid, path, "t").unwrap();
        }
        world.events(domid);
    }
    world.ask(CONTROL, 0, Type::WATCH, b"@releaseDomain\0which\x001\0").unwrap();
    world.watch(CONTROL, "@releaseDomain/4", "four").unwrap();
    world.events(CONTROL);
    assert_eq!(world.set_perms(1, "@releaseDomain", "n1"), err("EACCES"));
    assert_eq!(world.perms(1, "@releaseDomain"), err("EACCES"));
    world.set_perms(CONTROL, "@releaseDomain", "n0 r2").unwrap();
    assert_eq!(world.perms(2, "@releaseDomain"), Ok("n0\0r2\0".into()));
    world.add_domain(4);
    assert_eq!(world.events(CONTROL), ["@introduceDomain t"]);
    world.store.shut_down(DomId(4));
    world.store.shut_down(DomId(4));
    let told = ["@releaseDomain t", "@releaseDomain/4 which", "@releaseDomain/4 four"];
    assert_eq!(world.events(CONTROL), told);
    world.store.release(DomId(4));
    assert_eq!(world.events(CONTROL), told);
    assert_eq!(world.events(2), ["@releaseDomain t"]);
    assert_eq!(world.events(1), Vec::<String>::new());
}

#[test]
fn the_same_event_waits_once() {
    let mut world = World::new();
    world.watch(1, "a", "t").unwrap();
    for _ in 0..1000 {
        world.write(1, "a", "x").unwrap();
    }
    assert_eq!(world.events(1), ["a t"]);
}

/// A guest that does not read its events makes nothing grow, and learns later that it has missed some.
#[test]
fn a_deaf_guest_is_owed_one_event_a_watch() {
    let mut world = World::new();
    world.watch(1, "a", "t").unwrap();
    world.watch(1, "b", "t").unwrap();
    world.events(1);
    for index in 0..500 {
        world.write(1, &format!("a/{index}"), "").unwrap();
    }
    world.write(1, "b", "").unwrap();
    let events = world.events(1);
    assert!(events.len() < 70, "{}", events.len());
    assert_eq!(events[events.len() - 2..], ["a t", "b t"]);
    assert_eq!(world.events(1), Vec::<String>::new());
}

#[test]
fn many_watches_come_and_go_without_a_trace() {
    let mut world = World::new();
    let before = world.store.usage(DomId(1)).unwrap();
    for round in 0..3 {
        for index in 0..100 {
            world.watch(1, &format!("w{round}/x/{index}"), "t").unwrap();
        }
        world.write(1, &format!("w{round}/x/7"), "").unwrap();
        assert!(world.events(1).contains(&format!("w{round}/x/7 t")));
        for index in 0..100 {
            let payload = format!("w{round}/x/{index}\0t\0");
            world.ask(1, 0, Type::UNWATCH, payload.as_bytes()).unwrap();
        }
        world.rm(1, &format!("w{round}")).unwrap();
    }
    assert_eq!(world.store.usage(DomId(1)).unwrap(), before);
}

/// As a driver domain's toolstack needs it: the special names are the control domain's until it lets somebody know.
#[test]
fn a_guest_that_may_know_watches_the_ends_of_domains() {
    let mut world = World::new();
    for (domid, token) in [(2, "any"), (3, "any")] {
        world.watch(domid, "@releaseDomain", token).unwrap();
        world.ask(domid, 0, Type::WATCH, b"@releaseDomain\0which\x001\0").unwrap();
        world.watch(domid, "@releaseDomain/4", "four").unwrap();
        world.events(domid);
    }
    let end_one = |world: &mut World, domid: u16| {
        world.add_domain(domid);
        world.store.release(DomId(domid));
    };
    end_one(&mut world, 4);
    assert_eq!(world.events(2), Vec::<String>::new(), "private to the control domain by default");
    assert_eq!(world.set_perms(CONTROL, "@releaseDomain", "n0 r2"), ok());
    end_one(&mut world, 4);
    assert_eq!(world.events(2), ["@releaseDomain any", "@releaseDomain/4 which", "@releaseDomain/4 four"]);
    end_one(&mut world, 5);
    assert_eq!(world.events(2), ["@releaseDomain any", "@releaseDomain/5 which"]);
    assert_eq!(world.events(3), Vec::<String>::new(), "others still may not");
    // The right is this domain's, and not the next one's with its number (XSA-322).
    world.store.release(DomId(2));
    world.add_domain(2);
    world.watch(2, "@releaseDomain", "any").unwrap();
    world.events(2);
    end_one(&mut world, 4);
    assert_eq!(world.events(2), Vec::<String>::new());
    // And it can be taken back, or given to all.
    assert_eq!(world.set_perms(CONTROL, "@releaseDomain", "r0"), ok());
    end_one(&mut world, 4);
    assert_eq!(world.events(2), ["@releaseDomain any"]);
    assert_eq!(world.set_perms(CONTROL, "@releaseDomain", "n0"), ok());
    end_one(&mut world, 4);
    assert_eq!(world.events(2), Vec::<String>::new());
}
