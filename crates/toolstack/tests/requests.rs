//! Guests that are asked to end, or sent a system request: those who obey, those who do not, those who die meanwhile.

mod common;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use common::{World, domain, finish, turns};
use proto::domain::{Action, CreateRequest, DomainConfig, Ended, ShutdownReason};
use proto::error::DomainError;
use proto::life::{
    Asked, AskedPage, End, EndRequest, FollowRequest, Life, Outcome, Phase, Silence, Stage, SysrqError,
    SysrqRequest, Whom,
};
use ring::Shared;
use toolstack::UNRESPONSIVE_NS;
use xen_abi::sched::{SHUTDOWN_CRASH, SHUTDOWN_POWEROFF, SHUTDOWN_REBOOT};
use xen_abi::{DomId, Errno, Gfn};
use xenstore::ConnId;
use xenstore::wire::{MessageType, Request};

const PATIENCE_MS: u32 = 10_000;

/// A guest's own connection to the store.
struct Inside<'w> {
    world: &'w World,
    domid: u16,
    conn: ConnId,
}

impl<'w> Inside<'w> {
    fn of(world: &'w World, domid: u16) -> Self {
        let conn = world.store.borrow_mut().connect(DomId(domid)).unwrap();
        Self { world, domid, conn }
    }

    fn ask(&self, ty: MessageType, payload: &[u8]) {
        let request = Request { ty, req_id: 1, tx_id: 0, payload: payload.to_vec() };
        let reply = self.world.store.borrow_mut().handle(self.conn, &request);
        assert_eq!(reply[..4], ty.0.to_le_bytes(), "{reply:?}");
    }

    /// Writes to a node of the guest's own, and lets the toolstack hear of it.
    fn write(&self, key: &str, value: &str) {
        self.ask(MessageType::WRITE, format!("control/{key}\0{value}").as_bytes());
        hear(self.world);
    }

    fn remove(&self, key: &str) {
        self.ask(MessageType::RM, format!("control/{key}\0").as_bytes());
        hear(self.world);
    }

    /// Moves the index of its ring of requests.
    fn speak(&self) {
        let path = format!("/local/domain/{}/store/ring-ref", self.domid);
        let gfn = self.world.read(&path).unwrap().parse().unwrap();
        self.world.sim.guest(DomId(self.domid)).page(Gfn(gfn)).store_u32(2052, 16);
    }
}

/// The toolstack's task has had its turn.
fn hear(world: &World) {
    assert_eq!(turns(world.stack.hear_guests(), 1), None);
}

fn pass(world: &World, ns: u64) {
    world.platform.now_ns.set(world.platform.now_ns.get() + ns);
}

fn running(world: &World, name: &str, rule: Action) -> u16 {
    let request = world.smallest(name);
    let config = DomainConfig { on_poweroff: rule, on_reboot: rule, on_crash: rule, ..request.config };
    world.create(CreateRequest { config, ..request }).domid
}

fn ask(world: &World, name: &str, end: End) -> Asked {
    let whom = Whom::One(domain(name));
    world.stack.ask_to_end(&EndRequest { whom, end }).unwrap().asked.remove(0)
}

fn follow(life: Life, seen: Phase) -> FollowRequest {
    FollowRequest { lives: vec![(life, seen)], patience_ms: PATIENCE_MS }
}

/// How far a life has come now.
fn stage(world: &World, life: Life) -> Stage {
    finish(world.stack.follow(&FollowRequest { lives: vec![(life, Phase::Asked)], patience_ms: 0 })).remove(0)
}

fn request_of(world: &World, domid: u16) -> Option<String> {
    world.read(&format!("/local/domain/{domid}/control/shutdown"))
}

const GONE: fn(ShutdownReason) -> Stage =
    |reason| Stage::Settled { ended: Ended::Shutdown(reason), outcome: Outcome::Gone };

#[test]
fn a_guest_that_obeys_is_followed_from_its_word_to_its_end_without_an_exit() {
    let world = World::new();
    let domid = running(&world, "a", Action::Destroy);
    let inside = Inside::of(&world, domid);
    world.sim.reset_counts();
    let asked = ask(&world, "a", End::Poweroff);
    assert_eq!((asked.domid, asked.name.as_str()), (domid, "a"));
    assert_eq!(request_of(&world, domid).as_deref(), Some("poweroff"));
    let start = world.read(&format!("/local/domain/{domid}/xend/shutdown_start_time"));
    assert_eq!(start.as_deref(), Some("1000000005.00"));

    let (first, second) = (follow(asked.life, Phase::Asked), follow(asked.life, Phase::Taken));
    let mut taken = pin!(world.stack.follow(&first));
    let mut gone = pin!(world.stack.follow(&second));
    let mut context = Context::from_waker(Waker::noop());
    assert!(taken.as_mut().poll(&mut context).is_pending());
    inside.write("shutdown", "");
    assert_eq!(taken.as_mut().poll(&mut context), Poll::Ready(vec![Stage::Taken]));
    assert!(gone.as_mut().poll(&mut context).is_pending());
    assert_eq!(world.sim.exits(), 0);
    assert!(world.stack.find(&domain("a")).unwrap().is_ending);

    world.end(domid, SHUTDOWN_POWEROFF);
    assert_eq!(gone.as_mut().poll(&mut context), Poll::Ready(vec![Stage::Ended]));
    world.obey();
    assert_eq!(stage(&world, asked.life), GONE(ShutdownReason::Poweroff));
}

#[test]
fn each_end_has_its_word() {
    let world = World::new();
    let domid = running(&world, "a", Action::Destroy);
    for (end, word) in [(End::Poweroff, "poweroff"), (End::Halt, "halt"), (End::Reboot, "reboot")] {
        ask(&world, "a", end);
        assert_eq!(request_of(&world, domid).as_deref(), Some(word));
    }
}

#[test]
fn a_word_is_taken_by_emptying_it_removing_it_or_writing_a_nul() {
    let world = World::new();
    let domid = running(&world, "a", Action::Destroy);
    let inside = Inside::of(&world, domid);
    let ways: [fn(&Inside<'_>); 3] = [
        |guest| guest.write("shutdown", ""),
        |guest| guest.remove("shutdown"),
        |guest| guest.write("shutdown", "\0"),
    ];
    for take in ways {
        let life = ask(&world, "a", End::Reboot).life;
        inside.write("shutdown", "later");
        assert!(matches!(stage(&world, life), Stage::Asked(_)), "another word is none");
        take(&inside);
        assert_eq!(stage(&world, life), Stage::Taken);
        // Whatever it writes now concerns nobody.
        inside.write("shutdown", "x");
        assert_eq!(stage(&world, life), Stage::Taken);
    }
}

#[test]
fn a_silent_guest_is_told_about_with_the_reason() {
    let world = World::new();
    let domid = running(&world, "a", Action::Destroy);
    let inside = Inside::of(&world, domid);
    let life = ask(&world, "a", End::Poweroff).life;
    let silence = || {
        let request = follow(life, Phase::Asked);
        let mut follow = pin!(world.stack.follow(&request));
        let mut context = Context::from_waker(Waker::noop());
        assert!(follow.as_mut().poll(&mut context).is_pending(), "it has its time");
        pass(&world, u64::from(PATIENCE_MS) * 1_000_000);
        world.sim.reset_counts();
        let Poll::Ready(stages) = follow.as_mut().poll(&mut context) else { panic!("patience is over") };
        assert_eq!(world.sim.exits(), 1);
        stages[0]
    };
    assert_eq!(silence(), Stage::Asked(Silence::NeverSpoke));
    inside.speak();
    assert_eq!(silence(), Stage::Asked(Silence::NoDriver));
    inside.write("feature-poweroff", "1");
    assert_eq!(silence(), Stage::Asked(Silence::Unanswered));
    world.stack.pause(&domain("a")).unwrap();
    assert_eq!(silence(), Stage::Asked(Silence::Paused));
    // The word stays; a guest that was slow obeys it.
    assert_eq!(request_of(&world, domid).as_deref(), Some("poweroff"));
    inside.write("shutdown", "");
    assert_eq!(stage(&world, life), Stage::Taken);
}

#[test]
fn who_does_not_end_in_time_is_noted_once() {
    let world = World::new();
    let domid = running(&world, "a", Action::Destroy);
    let mut context = Context::from_waker(Waker::noop());
    let mut task = pin!(world.stack.mind_requests());
    let mut turn = || assert!(task.as_mut().poll(&mut context).is_pending());
    let noted = || world.read(&format!("/local/domain/{domid}/xend/unresponsive"));
    turn();
    ask(&world, "a", End::Poweroff);
    turn();
    pass(&world, UNRESPONSIVE_NS - 1);
    turn();
    assert_eq!(noted(), None);
    pass(&world, 1);
    turn();
    assert_eq!(noted().as_deref(), Some("True"));
    // Another request gives it time anew.
    ask(&world, "a", End::Poweroff);
    turn();
    pass(&world, UNRESPONSIVE_NS);
    turn();
}

#[test]
fn all_are_asked_at_once_but_the_control_domain_and_the_dead() {
    let world = World::new();
    running(&world, "a", Action::Destroy);
    running(&world, "b", Action::Destroy);
    let dead = running(&world, "dead", Action::Preserve);
    world.end(dead, SHUTDOWN_CRASH);
    world.obey();
    let request = EndRequest { whom: Whom::From(0), end: End::Poweroff };
    let asked = world.stack.ask_to_end(&request).unwrap().asked;
    assert_eq!(asked.iter().map(|asked| asked.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(World::new().stack.ask_to_end(&request), Ok(AskedPage { asked: vec![], next: None }));
}

#[test]
fn those_who_cannot_be_asked_are_refused() {
    let world = World::new();
    let dead = running(&world, "dead", Action::Preserve);
    world.end(dead, SHUTDOWN_POWEROFF);
    for (name, error) in [
        ("nobody", DomainError::NotFound),
        ("77", DomainError::NotFound),
        ("Domain-0", DomainError::Privileged),
        ("0", DomainError::Privileged),
        ("dead", DomainError::NotStarted),
    ] {
        let request = EndRequest { whom: Whom::One(domain(name)), end: End::Halt };
        assert_eq!(world.stack.ask_to_end(&request), Err(error.clone()), "{name}");
        let sysrq = SysrqRequest { domain: domain(name), letter: b'h', patience_ms: 0 };
        assert_eq!(finish(world.stack.sysrq(&sysrq)), Err(SysrqError::Domain(error)), "{name}");
    }
}

#[test]
fn a_life_that_goes_on_in_another_is_followed_there() {
    let world = World::new();
    let domid = running(&world, "a", Action::Restart);
    let life = ask(&world, "a", End::Reboot).life;
    Inside::of(&world, domid).write("shutdown", "");
    world.end(domid, SHUTDOWN_REBOOT);
    assert_eq!(stage(&world, life), Stage::Ended);
    world.obey();
    let next = world.stack.find(&domain("a")).unwrap();
    let ended = Ended::Shutdown(ShutdownReason::Reboot);
    assert_eq!(
        stage(&world, life),
        Stage::Settled { ended, outcome: Outcome::Restarted { domid: next.domid } }
    );
    assert!(!next.is_ending, "the next life is not asked for anything");
    assert_eq!(request_of(&world, next.domid).as_deref(), Some(""));
    let vm = format!("/vm/{}/xend", toolstack::name::Uuid(next.uuid));
    assert_eq!(world.read(&format!("{vm}/last_shutdown_reason")).as_deref(), Some("reboot"));
    assert_eq!(world.read(&format!("{vm}/restart_in_progress")), None);
}

#[test]
fn a_restart_that_fails_settles_as_gone_and_one_under_way_does_not() {
    let world = World::new();
    let domid = running(&world, "a", Action::Restart);
    let life = ask(&world, "a", End::Reboot).life;
    world.end(domid, SHUTDOWN_REBOOT);
    // The old life is freed, the new one not there yet.
    world.sim.fail_next("XEN_DOMCTL_destroydomain", Errno::EAGAIN);
    world.sim.fail_next("XEN_DOMCTL_max_vcpus", Errno::ENOMEM);
    let mut rules = pin!(world.obeying());
    let mut context = Context::from_waker(Waker::noop());
    assert!(rules.as_mut().poll(&mut context).is_pending());
    assert_eq!(stage(&world, life), Stage::Ended);
    assert_eq!(common::turns(rules, 100), None);
    assert_eq!(stage(&world, life), GONE(ShutdownReason::Reboot));
}

#[test]
fn a_life_that_is_preserved_settles_so_and_scripts_see_it() {
    let world = World::new();
    let domid = running(&world, "a", Action::Preserve);
    let life = ask(&world, "a", End::Poweroff).life;
    world.end(domid, SHUTDOWN_POWEROFF);
    world.obey();
    let ended = Ended::Shutdown(ShutdownReason::Poweroff);
    assert_eq!(stage(&world, life), Stage::Settled { ended, outcome: Outcome::Preserved });
    let completed = world.read(&format!("/local/domain/{domid}/xend/shutdown_completed"));
    assert_eq!(completed.as_deref(), Some("True"));
    let uuid = toolstack::name::Uuid(world.stack.find(&domain("a")).unwrap().uuid);
    let reason = world.read(&format!("/vm/{uuid}/xend/last_shutdown_reason"));
    assert_eq!(reason.as_deref(), Some("poweroff"));
}

#[test]
fn a_guest_that_dies_before_it_has_taken_its_word_is_as_good_as_one_that_took_it() {
    let world = World::new();
    let domid = running(&world, "a", Action::Destroy);
    let life = ask(&world, "a", End::Poweroff).life;
    world.end(domid, SHUTDOWN_CRASH);
    world.obey();
    assert_eq!(stage(&world, life), GONE(ShutdownReason::Crash));
    // An event that was on its way finds nobody.
    hear(&world);

    running(&world, "b", Action::Destroy);
    let life = ask(&world, "b", End::Poweroff).life;
    world.destroy("b");
    let destroyed = Stage::Settled { ended: Ended::Destroyed, outcome: Outcome::Gone };
    assert_eq!(stage(&world, life), destroyed);
    assert_eq!(stage(&world, Life(u64::MAX)), destroyed, "one that nobody knows any more");
}

#[test]
fn requests_leave_nothing_behind() {
    let world = World::new();
    world.smallest("a");
    let before = world.before();
    for n in 0..3 {
        let domid = running(&world, "a", Action::Destroy);
        ask(&world, "a", End::Poweroff);
        assert_eq!(turns(world.stack.sysrq(&sysrq("a")), 1), None);
        if n == 1 {
            Inside::of(&world, domid).write("shutdown", "");
        }
        if n == 2 {
            world.end(domid, SHUTDOWN_POWEROFF)
        } else {
            world.destroy("a")
        }
        world.obey();
    }
    hear(&world);
    world.assert_clean(&before);
    let watches = world.store.borrow().usage(DomId(0)).unwrap().watches;
    assert_eq!(watches, 0);
}

fn sysrq(name: &str) -> SysrqRequest {
    SysrqRequest { domain: domain(name), letter: b's', patience_ms: PATIENCE_MS }
}

#[test]
fn a_system_request_returns_when_the_guest_has_taken_it() {
    let world = World::new();
    let domid = running(&world, "a", Action::Destroy);
    let request = sysrq("a");
    let mut sent = pin!(world.stack.sysrq(&request));
    let mut context = Context::from_waker(Waker::noop());
    assert!(sent.as_mut().poll(&mut context).is_pending());
    assert_eq!(world.read(&format!("/local/domain/{domid}/control/sysrq")).as_deref(), Some("s"));
    Inside::of(&world, domid).write("sysrq", "");
    assert_eq!(sent.as_mut().poll(&mut context), Poll::Ready(Ok(())));
    assert_eq!(request_of(&world, domid).as_deref(), Some(""), "it is asked for nothing else");
}

#[test]
fn a_system_request_that_is_not_taken_is_told_with_the_reason() {
    let world = World::new();
    let domid = running(&world, "a", Action::Destroy);
    let request = sysrq("a");
    let mut sent = pin!(world.stack.sysrq(&request));
    let mut context = Context::from_waker(Waker::noop());
    assert!(sent.as_mut().poll(&mut context).is_pending());
    Inside::of(&world, domid).speak();
    pass(&world, u64::from(PATIENCE_MS) * 1_000_000);
    assert_eq!(sent.as_mut().poll(&mut context), Poll::Ready(Err(SysrqError::NotTaken(Silence::NoDriver))));
}

#[test]
fn a_system_request_may_be_the_guests_end() {
    let world = World::new();
    let domid = running(&world, "a", Action::Destroy);
    let request = sysrq("a");
    let mut sent = pin!(world.stack.sysrq(&request));
    let mut context = Context::from_waker(Waker::noop());
    assert!(sent.as_mut().poll(&mut context).is_pending());
    world.end(domid, SHUTDOWN_CRASH);
    world.obey();
    assert_eq!(sent.as_mut().poll(&mut context), Poll::Ready(Ok(())));

    running(&world, "b", Action::Destroy);
    let request = sysrq("b");
    let mut sent = pin!(world.stack.sysrq(&request));
    assert!(sent.as_mut().poll(&mut context).is_pending());
    world.destroy("b");
    let gone = Err(SysrqError::Domain(DomainError::NotFound));
    assert_eq!(sent.as_mut().poll(&mut context), Poll::Ready(gone));
}

#[test]
fn what_is_no_letter_is_not_sent() {
    let world = World::new();
    let domid = running(&world, "a", Action::Destroy);
    for letter in [0, b' ', b'\n', 0x7f, 0xe4] {
        let request = SysrqRequest { letter, ..sysrq("a") };
        assert_eq!(finish(world.stack.sysrq(&request)), Err(SysrqError::BadLetter), "{letter}");
    }
    assert_eq!(world.read(&format!("/local/domain/{domid}/control/sysrq")).as_deref(), Some(""));
}

#[test]
fn a_second_system_request_waits_until_the_first_is_taken() {
    let world = World::new();
    let domid = running(&world, "a", Action::Destroy);
    let node = || world.read(&format!("/local/domain/{domid}/control/sysrq"));
    let take = || {
        Inside::of(&world, domid).write("sysrq", "");
        assert_eq!(turns(world.stack.hear_guests(), 1), None);
    };
    let requests = [b's', b'u', b'b'].map(|letter| SysrqRequest { letter, ..sysrq("a") });
    let mut context = Context::from_waker(Waker::noop());
    let mut first = pin!(world.stack.sysrq(&requests[0]));
    let mut second = pin!(world.stack.sysrq(&requests[1]));
    let mut third = pin!(world.stack.sysrq(&requests[2]));
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    assert!(third.as_mut().poll(&mut context).is_pending());
    assert_eq!(node().as_deref(), Some("s"), "it was not overwritten");
    take();
    // The next one is there before the first asker looks: it is told of its own nevertheless.
    assert!(second.as_mut().poll(&mut context).is_pending());
    assert!(third.as_mut().poll(&mut context).is_pending());
    assert_eq!(first.as_mut().poll(&mut context), Poll::Ready(Ok(())));
    assert_eq!(node().as_deref(), Some("u"));
    pass(&world, u64::from(PATIENCE_MS) * 1_000_000);
    let silence = Silence::NeverSpoke;
    assert_eq!(second.as_mut().poll(&mut context), Poll::Ready(Err(SysrqError::NotTaken(silence))));
    assert_eq!(third.as_mut().poll(&mut context), Poll::Ready(Err(SysrqError::Occupied(silence))));
    assert_eq!(node().as_deref(), Some("u"));
}
