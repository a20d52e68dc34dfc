//! One direction of a serial line: a bit rate, a delay, a buffer at its start, and errors.

use std::collections::VecDeque;

use link::Micros;

/// What a line is like.
#[derive(Clone, Copy, Debug)]
pub struct Quality {
    /// Bytes a second.
    pub rate: u64,
    /// From the end of a byte at one end to its arrival at the other.
    pub latency: Micros,
    /// How many bytes its first buffer takes at a time.
    pub fifo: usize,
    /// Errors in a million bytes.
    pub errors: u64,
}

/// 115200 bits a second with a 16550's buffer.
pub const UART: Quality = Quality { rate: 11_520, latency: Micros(200), fifo: 16, errors: 0 };
/// An emulated UART, or a fast USB adapter.
pub const FAST: Quality = Quality { rate: 100_000, latency: Micros(400), fifo: 16, errors: 0 };

impl Quality {
    pub const fn with_errors(self, errors: u64) -> Self {
        Self { errors, ..self }
    }
}

/// Random numbers from a seed (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.roll() as u8).collect()
    }
}

pub struct Wire {
    pub quality: Quality,
    pub cut: bool,
    /// Bytes sent, before any error.
    pub sent: u64,
    dice: Dice,
    /// When the last byte in the buffer will have left.
    busy_until: Micros,
    /// Nanoseconds beyond `busy_until`, so that rates come out exactly.
    rest: u64,
    under_way: VecDeque<(Micros, Vec<u8>)>,
}

impl Wire {
    pub fn new(quality: Quality, seed: u64) -> Self {
        Self {
            quality,
            cut: false,
            sent: 0,
            dice: Dice(seed),
            busy_until: Micros(0),
            rest: 0,
            under_way: VecDeque::new(),
        }
    }

    /// When the buffer takes bytes: as a UART's, when it has run empty.
    pub fn ready_at(&self) -> Micros {
        self.busy_until
    }

    /// Puts bytes into the buffer. They arrive in groups, as from a UART's interrupts.
    pub fn send(&mut self, bytes: &[u8], now: Micros) {
        self.sent += bytes.len() as u64;
        self.busy_until = self.busy_until.max(now);
        for group in bytes.chunks(16) {
            let nanos = group.len() as u64 * 1_000_000_000 / self.quality.rate + self.rest;
            self.rest = nanos % 1000;
            self.busy_until = self.busy_until + Micros(nanos / 1000);
            let damaged = self.damage(group);
            if !self.cut && !damaged.is_empty() {
                self.under_way.push_back((self.busy_until + self.quality.latency, damaged));
            }
        }
    }

    /// Puts foreign bytes on the line, as another program that shares it would.
    pub fn interject(&mut self, text: &[u8], now: Micros) {
        self.send(text, now);
    }

    fn damage(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if self.quality.errors == 0 || self.dice.below(1_000_000) >= self.quality.errors {
                out.push(byte);
                continue;
            }
            match self.dice.below(4) {
                0 => {}
                1 => out.push(byte ^ 1 << self.dice.below(8)),
                2 => out.extend([byte, self.dice.roll() as u8]),
                _ => out.extend([byte, byte]),
            }
        }
        out
    }

    pub fn arrival(&self) -> Option<Micros> {
        self.under_way.front().map(|(at, _)| *at)
    }

    pub fn arrive(&mut self, now: Micros) -> Option<Vec<u8>> {
        self.arrival().filter(|at| *at <= now)?;
        self.under_way.pop_front().map(|(_, bytes)| bytes)
    }
}
