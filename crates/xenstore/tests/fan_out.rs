//! How many watches a change concerns is for guests to say. Whoever makes the change, and whoever waits behind him, must not take longer
//! for it: a request tells a bounded number, and the rest is work. Counted in events, which is what telling makes.

mod common;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake};

use common::counting::{Counting, NOW, PEAK};
use common::{CONTROL, World, ok};
use xen_abi::DomId;
use xenstore::Limits;
use xenstore::wire::MessageType as Type;

#[global_allocator]
static COUNTING: Counting = Counting;

/// How many watches a request tells, at most.
const AT_ONCE: usize = 64 + 48;
/// The units of work of a step. So few, that no queue of events becomes full.
const STEP: usize = 128;
/// How many such a step tells, at most.
const A_STEP: usize = STEP / 4 + 1;
/// Guests that help each other.
const COLLUDERS: std::ops::RangeInclusive<u16> = 10..=19;
/// The watches that each may have.
const WATCHES: usize = 128;

/// Guests with all their watches on directories above everything.
fn colluders(paths: &[&str]) -> World {
    let mut world = World::with_limits(Limits::upstream());
    world.set_perms(CONTROL, "/", "r0").unwrap();
    world.set_perms(CONTROL, "/local", "r0").unwrap();
    world.set_perms(1, "/local/domain/1", "r1").unwrap();
    for domid in COLLUDERS {
        world.add_domain(domid);
        for n in 0..WATCHES {
            world.watch(domid, paths[n % paths.len()], &format!("{n}")).unwrap();
        }
    }
    while world.store.work(512) {}
    deaf(&mut world);
    world
}

/// Takes all events that wait; returns how many there were.
fn deaf(world: &mut World) -> usize {
    COLLUDERS.map(|domid| world.events(domid).len()).sum()
}

#[test]
fn one_write_tells_a_bounded_number_at_once_and_all_in_the_end() {
    for paths in [&["/"][..], &["/", "/local", "/local/domain/1", "/local/domain/1/a"]] {
        let mut world = colluders(paths);
        world.write(1, "a", "x").unwrap();
        let at_once = deaf(&mut world);
        assert!(at_once > 0 && at_once <= AT_ONCE, "{at_once}");
        let mut all = at_once;
        while world.store.has_work() {
            world.store.work(STEP);
            let step = deaf(&mut world);
            assert!(step <= A_STEP, "{step} in a step");
            all += step;
        }
        assert_eq!(all, WATCHES * 10);
        world.check();
    }
}

#[test]
fn a_commit_tells_no_more_at_once_than_a_write() {
    let mut world = colluders(&["/"]);
    let tx = world.start(1);
    for n in 0..200 {
        world.ask(1, tx, Type::WRITE, format!("d/{n}\0x").as_bytes()).unwrap();
    }
    assert_eq!(world.end(1, tx, true), ok());
    let at_once = deaf(&mut world);
    assert!(at_once > 0 && at_once <= AT_ONCE, "{at_once}");
    let (mut all, mut heard) = (at_once, BTreeSet::new());
    while world.store.has_work() {
        world.store.work(STEP);
        let step: Vec<String> = COLLUDERS.flat_map(|domid| world.events(domid)).collect();
        assert!(step.len() <= A_STEP, "{}", step.len());
        all += step.len();
        heard.extend(step);
    }
    // Each of 1280 watches hears of each of 200 nodes.
    assert_eq!(all, WATCHES * 10 * 200);
    assert!(heard.len() >= WATCHES * 199, "{}", heard.len());
    world.check();
}

#[test]
fn a_removal_and_an_end_tell_no_more_at_once_than_a_write() {
    let mut world = colluders(&["/local/domain/1/a/b/c"]);
    world.write(1, "a/b/c", "x").unwrap();
    while world.store.work(512) {}
    deaf(&mut world);
    world.rm(1, "a").unwrap();
    let at_once = deaf(&mut world);
    assert!(at_once > 0 && at_once <= AT_ONCE, "{at_once}");
    let mut all = at_once;
    while world.store.has_work() {
        world.store.work(STEP);
        let step = deaf(&mut world);
        assert!(step <= A_STEP, "{step}");
        all += step;
    }
    assert_eq!(all, WATCHES * 10);
    let mut world = colluders(&["@releaseDomain"]);
    world.set_perms(CONTROL, "@releaseDomain", "r0").unwrap();
    world.store.release(DomId(2));
    let at_once = deaf(&mut world);
    assert!(at_once > 0 && at_once <= AT_ONCE, "{at_once}");
    while world.store.work(512) {}
    assert_eq!(at_once + deaf(&mut world), WATCHES * 10);
}

/// Whatever waits to be told is told in the order of the changes, to each connection.
#[test]
fn events_come_in_the_order_of_the_changes() {
    let mut world = colluders(&["/"]);
    world.add_domain(20);
    world.watch(20, "/local/domain/1", "t").unwrap();
    world.events(20);
    let mut expected = Vec::new();
    for n in 0..10 {
        world.write(1, &format!("n{n}"), "x").unwrap();
        expected.push(format!("/local/domain/1/n{n} t"));
        world.write(CONTROL, &format!("/local/domain/1/c{n}"), "x").unwrap();
        expected.push(format!("/local/domain/1/c{n} t"));
        deaf(&mut world);
    }
    // Set when the changes were made already: it hears of none of them, but that it is set.
    world.watch(20, "/local", "late").unwrap();
    expected.push("/local late".into());
    world.rm(1, "n0").unwrap();
    expected.extend(["/local/domain/1/n0 t".into(), "/local/domain/1/n0 late".into()]);
    let mut heard = world.events(20);
    while world.store.work(64) {
        heard.extend(world.events(20));
    }
    heard.extend(world.events(20));
    // The walk goes from the top down.
    expected.swap(21, 22);
    assert_eq!(heard, expected);
}

/// Who may know is decided by the permissions at the change, however late it is told.
#[test]
fn permissions_are_those_of_the_moment() {
    let mut world = colluders(&["/"]);
    world.add_domain(20);
    world.watch(20, "/local/domain/1", "t").unwrap();
    world.events(20);
    world.set_perms(1, "/local/domain/1", "n1").unwrap();
    world.write(1, "secret", "x").unwrap();
    assert!(world.store.has_work());
    world.set_perms(1, "secret", "r1").unwrap();
    world.set_perms(1, "/local/domain/1", "r1").unwrap();
    world.write(1, "open", "x").unwrap();
    world.set_perms(1, "/local/domain/1", "n1").unwrap();
    world.set_perms(1, "open", "n1").unwrap();
    let mut heard = world.events(20);
    while world.store.work(64) {
        heard.extend(world.events(20));
    }
    heard.extend(world.events(20));
    // Each change of permissions that gives or takes the right to know; of the write to `secret` nothing.
    let told = ["/local/domain/1", "/local/domain/1/secret", "/local/domain/1", "/local/domain/1/open"];
    let told: Vec<String> = told.iter().map(|path| format!("{path} t")).collect();
    assert_eq!(heard[..4], told[..]);
    assert_eq!(heard.iter().filter(|event| event.contains("secret")).count(), 1);
}

/// What waits to be told survives a restart, and goes on where it was.
#[test]
fn what_waits_survives_a_restart() {
    let mut world = colluders(&["/", "/local"]);
    world.write(1, "a", "x").unwrap();
    world.rm(1, "a").unwrap();
    let mut all = deaf(&mut world);
    world.store = xenstore::Store::restore(&world.store.save()).unwrap();
    while world.store.work(100) {
        all += deaf(&mut world);
        world.store = xenstore::Store::restore(&world.store.save()).unwrap();
    }
    all += deaf(&mut world);
    assert_eq!(all, WATCHES * 10 * 2);
}

/// Watchers and writers come and go in the middle of it.
#[test]
fn domains_that_die_meanwhile_are_told_nothing_and_hold_up_nobody() {
    let mut world = colluders(&["/", "/local/domain"]);
    world.write(1, "a", "x").unwrap();
    world.store.release(DomId(1));
    for domid in [10, 12, 19] {
        world.store.release(DomId(domid));
    }
    for n in 0..60 {
        let payload = format!("/\0{n}\0");
        assert_eq!(world.ask(11, 0, Type::UNWATCH, payload.as_bytes()).is_ok(), n % 2 == 0);
    }
    while world.store.work(50) {}
    let left: usize = [11, 13, 14, 15, 16, 17, 18].map(|domid| world.events(domid).len()).iter().sum();
    assert!(left > 6 * WATCHES, "{left}");
    world.check();
}

/// A host that does nothing about it, and guests that write as fast as they can: what waits is bounded all the same.
#[test]
fn what_waits_to_be_told_is_bounded() {
    let mut world = colluders(&["/"]);
    let start = NOW.get();
    PEAK.set(start);
    let long = "x".repeat(1500);
    for round in 0..400 {
        for domid in [1, 10, 11] {
            let _ = world.write(domid, &format!("{long}{}", round % 7), "x");
            let _ = world.rm(domid, &format!("{long}{}", (round + 3) % 7));
        }
        if round % 50 == 0 {
            deaf(&mut world);
        }
    }
    let more = PEAK.get() - start;
    assert!(more < 700 << 10, "{more}");
    while world.store.work(512) {}
    world.check();
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whoever has made much to be told waits for it; nobody else does.
#[test]
fn who_makes_much_to_be_told_waits_until_it_is() {
    let mut world = colluders(&["/"]);
    let woken = Arc::new(Count(AtomicUsize::new(0)));
    let waker = woken.clone().into();
    let mut cx = Context::from_waker(&waker);
    let (writer, other) = (world.conn(1), world.conn(2));
    let mut written = 0;
    while world.store.poll_ready(writer, &mut cx).is_ready() {
        world.write(1, &format!("n{written}"), "x").unwrap();
        deaf(&mut world);
        written += 1;
        assert!(written < 100, "it never has to wait");
    }
    assert!(written > 3, "{written}");
    assert!(world.store.is_ready(other));
    assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    while !world.store.is_ready(writer) {
        assert!(world.store.work(100));
        deaf(&mut world);
    }
    assert_eq!(woken.0.load(Ordering::Relaxed), 1, "it is told when it may go on");
    // Such a task is the server's of a guest: it takes no request meanwhile, and does when it may.
    while world.store.is_ready(writer) {
        world.write(1, &format!("n{written}"), "x").unwrap();
        deaf(&mut world);
        written += 1;
    }
    let store = RefCell::new(world.store);
    let taken = RefCell::new(0);
    let mut task = pin!(xenstore::serve_again(Endless(&taken), writer, &store));
    for _ in 0..5 {
        assert!(task.as_mut().poll(&mut cx).is_pending());
        assert_eq!(*taken.borrow(), 0);
    }
    while store.borrow_mut().work(512) {}
    assert!(matches!(task.as_mut().poll(&mut cx), Poll::Pending));
    assert!(*taken.borrow() > 0);
}

/// A guest that asks without end.
struct Endless<'a>(&'a RefCell<usize>);

impl xenstore::Connection for Endless<'_> {
    fn offer(&mut self, _: u32) {}

    async fn recv(&mut self) -> Result<xenstore::wire::Request, xenstore::Broken> {
        *self.0.borrow_mut() += 1;
        Ok(xenstore::wire::Request { ty: Type::READ, req_id: 1, tx_id: 0, payload: b"a\0".to_vec() })
    }

    async fn send(&mut self, _: &[u8]) -> Result<(), xenstore::Broken> {
        Ok(())
    }

    fn restart(&mut self) {}

    fn fail(&mut self, _: xenstore::Broken) {}
}
