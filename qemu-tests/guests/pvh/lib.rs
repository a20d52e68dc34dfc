//! What the guests share: entry, hypercalls, their console, their store ring and their end.
//!
//! A guest here trusts its toolstack, has one vCPU and takes no interrupt; it is as small as it can be. It gives
//! `#[unsafe(no_mangle)] extern "C" fn guest_main() -> !`.
#![no_std]

pub mod ring;
pub mod xen;

mod die;

pub use ring::Console;

core::arch::global_asm!(include_str!("start.S"));
