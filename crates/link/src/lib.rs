//! Reliable channels over a bad line: what lies between bytes of a UART and calls with answers.
//!
//! Both ends of a line that may lose, damage, insert and repeat bytes (but never reorders them) hold a [`Link`].
//! It makes of the line one channel of messages and many streams of bytes, each whole and in order, and says at once
//! when the other end restarted. It does no input or output and has no clock: bytes and the time are passed in,
//! so the kernel's UART task, hostctl's broker and the tests drive the same code.
//!
//! # Driving it
//!
//! Three things may happen, and after each of them, as after any call on the link, the same three are looked at:
//!
//! ```text
//! bytes came            link.receive(&bytes, now)
//! the line takes bytes  while link.wants_transmit(): n = link.transmit(&mut buffer, now); write buffer[..n]
//! link.deadline() came  link.tick(now)
//!
//! then:  every event of link.poll_event() is handled (most handlers call the link again),
//!        the line is watched for room only while link.wants_transmit(),
//!        the timer is set to link.deadline(), or stopped.
//! ```
//!
//! On [`Event::Down`] the tables of [`rpc`] are told the reason, and unless it is [`DownReason::Lost`] all streams are
//! gone. On [`Event::Up`] that is not `resumed`, the asking end repeats what [`rpc::Pending::resend`] gives.
//! A `Foreign` event is for the log.
//!
//! # Layers, from the line up
//!
//! `encoding` finds frames among bytes; `frame`, `hello` and `record` are the format; `sender` and `receiver` the
//! two halves of the window; `message`, `stream` and `streams` what rides on it; `session` joins these; `link` is the
//! outside, with `handshake` and `timers`. [`line`] shares a link among tasks.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod channel_set;
mod config;
mod encoding;
mod event;
mod frame;
mod handshake;
mod hello;
pub mod line;
mod link;
mod message;
mod queue;
mod receiver;
mod record;
pub mod rpc;
mod rtt;
mod sender;
mod session;
mod stream;
mod streams;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod timers;
mod varint;

pub use config::{Config, MAX_RECORD, MAX_WINDOW, Role};
pub use encoding::{Cobs, Encoding, Piece};
pub use event::{BootId, Channel, DownReason, Event, SendError, StreamError, Violation};
pub use link::{Link, Stats};
pub use time::Micros;

/// The version of everything below messages. The hello's first bytes never change, so any two versions
/// can tell each other apart.
pub const LINK_VERSION: u16 = 1;
