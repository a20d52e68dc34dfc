//! Debian's C `xenstored` and `oxenstored` of Xen 4.17 as processes of this host, for tests and benchmarks beside our own store.
//!
//! Under each lies a preload of the project's own (`preload/xenless.rs`) that stands in for Xen: [`Peer::start`] gives a server on a unix socket,
//! where every client is domain 0, and [`Peer::xen`] domains that come and go ([`Xen::set_state`]) with rings of their own
//! ([`Xen::ring`]), once somebody has introduced them (`INTRODUCE` with [`RING_PORT`]).
//!
//! x86-64 Linux only. What a server writes to stdout and stderr is dropped; at the end it is killed, and its directory removed.

mod client;
mod page;
mod peer;
mod xen;

pub use client::{Client, Message};
pub use peer::{Limits, Peer, PeerKind};
pub use xen::{DomainState, RING_PORT, Ring, Xen};
