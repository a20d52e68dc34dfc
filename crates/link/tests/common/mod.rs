//! Two ends and a bad line between them, in virtual time: every run of a seed is the same.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

pub mod raw;
pub mod wire;

use link::{BootId, Config, Event, Link, Micros};

use wire::{Quality, Wire};

/// The ends of a [`World`].
pub const HOST: usize = 0;
pub const KERNEL: usize = 1;

/// A host and a control domain that share a line.
pub struct World {
    pub now: Micros,
    pub links: [Link; 2],
    /// `wires[end]` carries what `end` sends.
    pub wires: [Wire; 2],
    boots: u64,
}

impl World {
    pub fn new(quality: Quality, seed: u64) -> Self {
        Self::with_configs([Config::host(), Config::kernel()], quality, seed)
    }

    pub fn with_configs([host, kernel]: [Config; 2], quality: Quality, seed: u64) -> Self {
        let now = Micros(1_000_000);
        Self {
            now,
            links: [Link::new(host, BootId::new(1), now), Link::new(kernel, BootId::new(2), now)],
            wires: [Wire::new(quality, seed), Wire::new(quality, !seed)],
            boots: 2,
        }
    }

    /// Starts an end anew: its memory is lost, the line's bytes under way are not.
    pub fn restart(&mut self, end: usize, config: Config) {
        self.boots += 1;
        self.links[end] = Link::new(config, BootId::new(self.boots), self.now);
    }

    /// Cuts or mends the line, both ways.
    pub fn cut(&mut self, cut: bool) {
        self.wires.iter_mut().for_each(|wire| wire.cut = cut);
    }

    /// When something will happen next, by itself.
    pub fn next(&self) -> Option<Micros> {
        let of_end = |end: usize| {
            let sends = self.links[end].wants_transmit().then(|| self.wires[end].ready_at().max(self.now));
            [sends, self.links[end].deadline().map(|at| at.max(self.now)), self.wires[1 - end].arrival()]
        };
        of_end(HOST).into_iter().chain(of_end(KERNEL)).flatten().min()
    }

    /// Lets the next thing happen, unless it is later than `until`; `false` if nothing did. Time then is `until`.
    pub fn step(&mut self, until: Micros) -> bool {
        let Some(at) = self.next().filter(|at| *at <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = at;
        for end in [HOST, KERNEL] {
            while let Some(bytes) = self.wires[1 - end].arrive(at) {
                self.links[end].receive(&bytes, at);
            }
            if self.links[end].deadline().is_some_and(|due| due <= at) {
                self.links[end].tick(at);
            }
            if self.links[end].wants_transmit() && self.wires[end].ready_at() <= at {
                let mut bytes = vec![0; self.wires[end].quality.fifo];
                let count = self.links[end].transmit(&mut bytes, at);
                self.wires[end].send(&bytes[..count], at);
            }
        }
        true
    }

    /// Runs for `span`, collecting each end's events.
    pub fn run(&mut self, span: Micros) -> [Vec<Event>; 2] {
        let until = self.now + span;
        let mut seen = [Vec::new(), Vec::new()];
        while self.step(until) {
            for (link, seen) in self.links.iter_mut().zip(&mut seen) {
                seen.extend(std::iter::from_fn(|| link.poll_event()));
            }
        }
        seen
    }

    /// Runs until both ends are up; panics if that takes longer than ten seconds.
    pub fn connect(&mut self) {
        let until = self.now + Micros::from_millis(10_000);
        while !self.links.iter().all(Link::is_up) {
            assert!(self.step(until), "the two ends did not find each other");
        }
        for link in &mut self.links {
            while link.poll_event().is_some() {}
        }
    }
}

/// Events without foreign bytes: what a bad line makes of frames is of no interest to most tests.
pub fn without_foreign(events: Vec<Event>) -> Vec<Event> {
    events.into_iter().filter(|event| !matches!(event, Event::Foreign { .. })).collect()
}
