//! Byte rings over memory that is shared with a peer who may lie.
//!
//! Xen's xenstore, console and vchan interfaces are all the same thing: a power-of-two buffer in shared memory
//! and two free-running 32-bit indices, one moved by the producer and one by the consumer. This crate is that
//! arithmetic, once, with the peer's index taken as an allegation:
//!
//! * An index is loaded once a call, checked, and the checked copy is used. Data is copied out before it is
//!   looked at.
//! * Indices that are more than the ring's size apart are a [`RingError`]. It is sticky: that ring end stays dead
//!   until a new one is made, and nobody else's ring is concerned.
//! * Whatever the indices say, only bytes of the ring's own buffer are ever touched.
//!
//! Both indices live in the shared page and nowhere else, because some frontends (hvmloader, boot loaders) reset
//! an idle ring by zeroing the page before the next program uses it. A peer that moves *our* index harms itself:
//! it loses or repeats its own bytes.
//!
//! # When to notify
//!
//! A ring end that moved its index (any [`Consumer::read`] or [`Producer::write`] that returned more than zero) owes the peer one
//! notification before it sleeps: the peer may be asleep, waiting for bytes or for room. One notification may pay for any
//! number of moves in both directions, so do all the work first, notify once, then wait. Having moved nothing,
//! owe nothing. After a notification look at the rings again before sleeping only if [`EventChannel::wait`]
//! does not latch; ours does.
//!
//! The crate knows no memory and no hypervisor: [`Shared`] and [`EventChannel`] are what it asks for. [`testing`]
//! has both for tests.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "testing"))]
extern crate alloc;

mod byte_ring;
mod event;
pub mod layout;
mod shared;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use byte_ring::{Consumer, Producer, RingError};
pub use event::EventChannel;
pub use layout::Layout;
pub use shared::Shared;
