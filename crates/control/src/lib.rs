//! The control domain without its machine: what every call from hostctl does, and the tasks behind it.
//!
//! [`Control`] is all of it: the toolstack, the store, guests' consoles, images on their way in, and the line to hostctl. What
//! only a machine can give (tasks, time, chance, event channels) it takes from a [`Host`]: the kernel is one, a
//! simulated machine in tests another, so both carry out the same calls the same way.
//!
//! Whoever drives the line hands its events to [`Control::on_event`], and calls [`Control::hand_answers`] whenever the link may
//! have got room. It refuses what is no request, more calls at once than it has room for, and keeps no state for a line that is
//! gone but the latest answers.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod calls;
mod control;
mod host;
mod rpc;
mod services;
mod streams;

pub use control::{Control, Stack};
pub use host::Host;
pub use services::Lent;
