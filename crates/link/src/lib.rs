//! Reliable channels over a bad line: what lies between bytes of a UART and calls with answers.
//!
//! Both ends of a line that may lose, damage, insert and repeat bytes (but never reorders them) hold a [`Link`].
//! It makes of the line one channel of messages and many streams of bytes, each whole and in order, and says at once
//! when the other end restarted. It does no input or output and has no clock: bytes and the time are passed in,
//! so the kernel's UART task, hostctl's broker and the tests drive the same code.
//!
//! See [`Link`] for how to drive it.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod config;
mod encoding;
mod event;
mod frame;
mod handshake;
mod hello;
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
