//! The differential test of the store: the same histories of requests against our own `xenstore`, the C xenstored and oxenstored.
//!
//! * [`history`]: what a history is, and how it is written down. [`generate`]: random ones, from a seed.
//! * [`server`]: what the three have in common; `ours` in process, `peer` as a process.
//! * [`compare`]: runs one history and [`report`]s where answers or watch events differ. [`rules`]: the differences that are wanted, each
//!   by name.
//! * [`shrink`]: makes a history that shows a difference short.
//!
//! Servers are fresh for every history, so that histories are independent. `docs/xenstore-differences.md` explains every rule.

pub mod compare;
pub mod generate;
pub mod history;
mod ours;
mod peer;
mod random;
pub mod report;
pub mod rules;
pub mod server;
pub mod shrink;
mod text;

pub use store_peers::PeerKind;
