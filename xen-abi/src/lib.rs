//! Xen's public ABI as types: the structures and constants of the public headers, for the releases
//! 4.14 to 4.22 on x86_64. No logic, no unsafe code, nothing of ours beneath it.
//!
//! * One file a header, under the header's name; fields and constants keep their C names (constants in
//!   capitals), so that a reader finds them in Xen's headers.
//! * A structure that differs between releases is one type a layout, named after the first release that
//!   has it ([`domctl::CreateDomain414`], [`domctl::CreateDomain415`], ...).
//! * Padding is a named field. A C enum that Xen fills is a newtype or an integer with constants, never a
//!   Rust enum.
//! * Every type says its layout with `assert_layout!`, every constant is made by `constants!`: both are
//!   compared, in a test, with tables that a C compiler computed from each release's headers.

#![no_std]
#![forbid(unsafe_code)]

#[macro_use]
pub mod layout;

pub mod arch_x86;
pub mod domctl;
pub mod elfnote;
pub mod errno;
pub mod event_channel;
pub mod grant_table;
pub mod hvm;
mod ids;
pub mod io;
pub mod memory;
pub mod physdev;
pub mod sched;
pub mod sysctl;
pub mod time;
mod units;
pub mod vcpu;
pub mod version;
pub mod xen;

pub use errno::Errno;
pub use ids::{DomId, EvtchnPort, Gfn, GrantRef, GuestPhys, Mfn, Pfn, VcpuId, Virq};
pub use units::{Bytes, KiB, PAGE_SHIFT, PAGE_SIZE, Pages};
