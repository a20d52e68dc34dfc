//! A whole control domain on a simulated Xen, for tests on a Linux host: the toolstack, store, consoles and calls of the real one
//! (crate `control`), its line served on a unix socket, and guests behind it.
//!
//! [`SimControl`] runs all of it on a thread of its own; [`SimControl::on`] works on its [`World`] between two steps. What outputs show
//! is the same in every run: time stands still unless the test lets it pass or jump, and chance is a row of numbers.
//!
//! Guests run no code, but each has an agent that talks to the store over the guest's own ring, as a kernel does, and does
//! what it is asked, or not: [`Behaviour`].

mod clock;
mod events;
mod executor;
mod guest;
mod host;
mod log;
mod server;
mod world;

pub use guest::Behaviour;
pub use host::SimHost;
pub use server::SimControl;
pub use world::{Guest, Setup, World, kernel};
