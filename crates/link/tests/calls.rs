//! Calls over a bad line: each is carried out once and answered once, whatever happens in between.

mod common;

use std::collections::{BTreeMap, VecDeque};

use common::wire::{Dice, FAST, Quality, UART};
use common::{HOST, KERNEL, World};
use link::rpc::{Begin, Bounds, Finish, Pending, ReplyCache};
use link::{Config, DownReason, Event, Micros};

const BOUNDS: Bounds = Bounds { running: 32, arguments: 64 * 1024, ids: 256, replies: 64 * 1024 };

/// A request is its id and some bytes; the answer is the id and the bytes reversed.
fn answer(request: &[u8]) -> Vec<u8> {
    let (id, body) = request.split_at(8);
    [id, &body.iter().rev().copied().collect::<Vec<u8>>()].concat()
}

fn id_of(message: &[u8]) -> u64 {
    u64::from_le_bytes(message[..8].try_into().expect("every message starts with an id"))
}

/// Both programs: one that asks, with a few calls side by side, and one that carries out.
struct Programs {
    world: World,
    dice: Dice,
    pending: Pending<u64, Vec<u8>>,
    to_ask: u64,
    asked: u64,
    answered: u64,
    failed: u64,
    cache: ReplyCache<u64>,
    /// Calls that run, with their requests and when they will be done.
    running: VecDeque<(Micros, Vec<u8>)>,
    /// How often each call was carried out.
    carried_out: BTreeMap<u64, u32>,
    downs: Vec<DownReason>,
}

impl Programs {
    fn new(quality: Quality, seed: u64, to_ask: u64) -> Self {
        Self {
            world: World::new(quality, seed),
            dice: Dice(seed),
            pending: Pending::new(),
            to_ask,
            asked: 0,
            answered: 0,
            failed: 0,
            cache: ReplyCache::new(BOUNDS),
            running: VecDeque::new(),
            carried_out: BTreeMap::new(),
            downs: Vec::new(),
        }
    }

    fn finished(&self) -> bool {
        self.answered + self.failed == self.to_ask
    }

    fn step(&mut self) {
        self.ask();
        let done = self.running.front().map(|(at, _)| *at);
        let at = self.world.next().into_iter().chain(done).min().expect("an unfinished call has a deadline");
        self.world.step(at.max(self.world.now));
        self.finish();
        while let Some(event) = self.world.links[KERNEL].poll_event() {
            self.on_kernel_event(event);
        }
        while let Some(event) = self.world.links[HOST].poll_event() {
            self.on_host_event(event);
        }
        let now = self.world.now;
        self.world.links[HOST].set_waiting(!self.pending.is_empty(), now);
    }

    fn ask(&mut self) {
        while self.world.links[HOST].is_up() && self.asked < self.to_ask && self.pending.len() < 4 {
            let length = if self.dice.below(50) == 0 { 3000 } else { self.dice.below(60) };
            let id = self.asked << 32 | self.dice.below(1 << 32);
            let request = [&id.to_le_bytes()[..], &self.dice.bytes(length as usize)].concat();
            self.world.links[HOST].send_message(request.clone()).expect("few wait");
            assert!(self.pending.insert(id, request.clone(), request).is_none());
            self.asked += 1;
        }
    }

    fn finish(&mut self) {
        while self.running.front().is_some_and(|(at, _)| *at <= self.world.now) {
            let Some((_, request)) = self.running.pop_front() else { return };
            let reply = answer(&request);
            *self.carried_out.entry(id_of(&request)).or_default() += 1;
            if self.cache.finish(id_of(&request), &reply) == Finish::Send {
                // Refused only when the session has just ended: the host asks again.
                let _ = self.world.links[KERNEL].send_message(reply);
            }
        }
    }

    fn on_kernel_event(&mut self, event: Event) {
        match event {
            Event::Message(request) => match self.cache.begin(id_of(&request), request.len()) {
                Begin::Run => {
                    let takes = Micros(self.dice.below(3000));
                    let at = self.running.back().map_or(self.world.now, |(at, _)| *at) + takes;
                    self.running.push_back((at, request));
                }
                Begin::Done(reply) => {
                    let reply = reply.to_vec();
                    self.world.links[KERNEL].send_message(reply).expect("few wait");
                }
                Begin::Running => {}
                other => panic!("{other:?}"),
            },
            Event::Down(reason) => self.cache.link_down(&reason),
            _ => {}
        }
    }

    fn on_host_event(&mut self, event: Event) {
        match event {
            Event::Message(reply) => {
                let request = self.pending.answered(id_of(&reply)).expect("an answer comes once");
                assert_eq!(reply, answer(&request));
                self.answered += 1;
            }
            Event::Down(reason) => {
                self.failed += self.pending.link_down(&reason).len() as u64;
                self.downs.push(reason);
            }
            Event::Up { resumed: false, .. } => {
                for request in self.pending.resend() {
                    self.world.links[HOST].send_message(request.to_vec()).expect("few wait");
                }
            }
            _ => {}
        }
    }

    fn assert_each_carried_out_once(&self) {
        assert_eq!(self.carried_out.len() as u64, self.to_ask);
        assert!(self.carried_out.values().all(|times| *times == 1));
    }
}

#[test]
fn ten_thousand_calls_at_a_thousandth_error_a_byte_are_each_answered_and_carried_out_once() {
    let mut programs = Programs::new(FAST.with_errors(1000), 7, 10_000);
    while !programs.finished() {
        programs.step();
    }
    assert_eq!(programs.answered, 10_000);
    assert_eq!(programs.downs, []);
    programs.assert_each_carried_out_once();
    let stats = programs.world.links[HOST].stats();
    assert!(stats.repeated > 500 && stats.foreign > 10_000, "the line was not bad at all: {stats:?}");
}

#[test]
fn calls_survive_a_line_that_is_cut_for_seconds_again_and_again() {
    let mut programs = Programs::new(UART.with_errors(1000), 11, 1_000);
    let mut change = programs.world.now;
    let mut cut = true;
    while !programs.finished() {
        if programs.world.now >= change {
            cut = !cut;
            programs.world.cut(cut);
            // Often longer than it takes to be called lost.
            let span = programs.dice.below(if cut { 9_000 } else { 2_500 });
            change = programs.world.now + Micros::from_millis(span);
        }
        programs.step();
    }
    assert_eq!(programs.answered, 1_000);
    programs.assert_each_carried_out_once();
    let lost = programs.downs.iter().filter(|reason| **reason == DownReason::Lost).count();
    assert!(lost >= 2, "the cuts were too short to matter: {:?}", programs.downs);
    assert_eq!(lost, programs.downs.len(), "the session did not survive: {:?}", programs.downs);
}

#[test]
fn calls_survive_a_session_that_is_reset_under_them() {
    let mut programs = Programs::new(FAST.with_errors(300), 13, 2_000);
    let mut steps = 0;
    while !programs.finished() {
        steps += 1;
        if steps % 3_000 == 0 {
            // Another program says hello on the same line, once, and is gone: the session breaks, the two ends remain.
            let hello = common::raw::on_line(&common::raw::hello(1, false, (99 + steps, 0), (0, 0)));
            let now = programs.world.now;
            programs.world.wires[HOST].interject(&hello, now);
        }
        programs.step();
    }
    assert_eq!(programs.answered, 2_000);
    programs.assert_each_carried_out_once();
    assert!(programs.downs.contains(&DownReason::PeerReset), "{:?}", programs.downs);
}

#[test]
fn calls_fail_at_once_when_the_control_domain_restarted_and_those_after_it_succeed() {
    let mut programs = Programs::new(FAST, 17, 50);
    while programs.answered < 20 || programs.running.is_empty() {
        programs.step();
    }
    programs.world.restart(KERNEL, Config::kernel());
    programs.cache = ReplyCache::new(BOUNDS);
    programs.running.clear();
    let restarted = programs.world.now;
    while programs.downs.is_empty() {
        programs.step();
    }
    assert!(matches!(programs.downs[..], [DownReason::PeerRestarted { .. }]), "{:?}", programs.downs);
    assert!(programs.world.now.since(restarted) < Micros::from_millis(20));
    assert!(programs.failed > 0);
    while !programs.finished() {
        programs.step();
    }
    assert!(programs.carried_out.values().all(|times| *times == 1));
}
