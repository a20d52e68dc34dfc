//! Typed hypercalls over one unsafe door.
//!
//! * [`Door`] is the one way to the hypervisor: a real one executes `vmmcall` or `vmcall` ([`door`]), a
//!   simulated one decodes the same bytes in a test (crate `sim-xen`).
//! * [`Xen::probe`] finds out which release speaks, and every call then uses its layouts: Xen 4.14 to 4.22.
//! * [`calls`] describes each operation once, as a [`Call`]. [`Xen`] issues one at a time, [`Batch`] many in
//!   one multicall: an exit costs more than anything that travels with it.
//! * What must be undone is owned: [`NewDomain`], [`SharedMapping`], [`ClaimedMemory`] clean up when dropped.
//!
//! Hypercalls are synchronous: when a method returns, Xen no longer touches any buffer of the call.

#![no_std]

extern crate alloc;

mod abi;
mod batch;
mod call;
pub mod calls;
mod claimed;
pub mod door;
mod error;
mod frame_ranges;
mod mapping;
mod new_domain;
mod types;
mod xen;

pub use abi::{Abi, ProbeError};
pub use batch::{Batch, Done, Ticket};
pub use call::Call;
pub use claimed::ClaimedMemory;
pub use door::{Aperture, Door};
pub use error::XenError;
pub use frame_ranges::FrameRanges;
pub use mapping::{SharedMapping, SparseMapping};
pub use new_domain::{FinishedDomain, GuestPages, NewDomain, PageCopier, Sites};
pub use types::*;
pub use xen::{Counters, Partial, Xen};
pub use xen_abi::xen::Nr;
