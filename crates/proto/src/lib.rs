//! What hostctl and the control domain say to each other.
//!
//! Messages are [postcard](https://postcard.jamesmunns.com) bytes in an envelope ([`wire`]). Each endpoint
//! ([`endpoints`]) has a key, a hash of its path and of the shape of its two types: when two builds differ
//! in a message, the answer is [`wire::Fault::UnknownKey`], never a misread number. [`endpoints::Hello`] is the
//! one endpoint whose types never change, so any two builds can at least say which they are.
//!
//! This crate knows nothing of Xen's structures: hostctl must not depend on a hypervisor version.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod console;
pub mod detail;
pub mod domain;
pub mod dump;
pub mod endpoints;
pub mod error;
pub mod host;
pub mod image;
pub mod journal;
pub mod life;
mod reason;
pub mod resize;
pub mod sched;
pub mod store;
pub mod top;
pub mod vcpu;
pub mod wire;

pub use endpoints::Endpoint;
