//! What xend did: which domains there are, how they are made and ended, what follows when they end, and which
//! images are kept to make them of.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod bundle;
pub mod images;
mod layout;
pub mod name;
pub mod platform;
mod registry;
mod rings;
mod rules;
mod state;
mod waiters;

pub use platform::{Channel, DomainChannels, NoRoom, Platform};
pub use rings::RingPage;
