//! A xenstore server: the tree of names and values through which Xen's domains find each other.
//!
//! * [`wire`]: messages as bytes. [`StorePath`], [`Perm`]: what is in them, checked. [`Quota`], [`Limits`]: what guests may use.
//! * [`Store`]: the tree, the domains, their connections, watches and transactions. It knows no hypervisor: the toolstack tells it
//!   which domains there are ([`Store::register`], [`Store::introduce`], [`Store::release`]).
//! * [`Host`]: what it asks of the program around it, where requests reach beyond the store.
//! * [`Store::save`], [`Store::restore`]: all of it as bytes, for a restart that nobody notices.
//! * [`Control`]: how the toolstack in the same process reads and writes, many nodes at once.
//! * [`serve`]: one guest's connection, from its first request to its end. [`RingConnection`] is that connection over a
//!   shared page and an event channel.
//! * [`client`]: the other end of the same protocol.
//!
//! Behaviour is that of `docs/misc/xenstore.txt` and of the C server; where they leave a choice, or ours differs, the place
//! says so.
//!
//! # Work
//!
//! No call takes longer for how large a subtree is that it removes. What is left to do afterwards is done in small steps by the host of the
//! store: [`tend`], spawned once, or [`Store::has_work`], [`Store::poll_work`] and [`Store::work`].
//!
//! Nor does one take longer for how many watches it concerns: it tells some, and the rest is work too. A host that reads a connection's
//! next request only when [`Store::poll_ready`] says so (as [`serve`] does) never has it wait for that.
//!
//! # What guests cannot do
//!
//! Every request gets one reply, in order. Nothing a guest sends panics, recurses along a depth of its choosing or is kept without
//! being charged to a quota first. A guest that stops reading its replies stops being served, alone; its watch events wait in a queue of
//! fixed length, and when that is full each watch owes at most one event, on its own path. Permissions
//! name a domain's life and not its number, so that the next domain with that number inherits nothing.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod children;
pub mod client;
mod connection;
mod control;
mod domain;
mod draft;
mod error;
mod events;
mod history;
mod host;
mod ledger;
mod node;
mod ops;
mod path;
mod perms;
mod quota;
mod requests;
mod ring_connection;
mod save;
mod serve;
mod sessions;
mod store;
mod sweep;
mod telling;
mod text;
mod transaction;
mod tree;
mod watch;
pub mod wire;
mod work;

pub use connection::{ConnId, WatchEvent};
pub use control::{Control, Events};
pub use error::Error;
pub use host::{Host, NoXen};
pub use path::{StorePath, home};
pub use perms::{Access, Perm};
pub use quota::{Limits, Quota, Usage};
pub use ring_connection::RingConnection;
pub use save::RestoreError;
pub use serve::{Broken, Closed, Connection, serve, serve_again};
pub use store::{SharedStore, Store};
pub use work::tend;
