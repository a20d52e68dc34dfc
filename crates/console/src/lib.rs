//! Guests' consoles: what they printed, who reads it, what is typed into them.
//!
//! * [`Consoles`] keeps a log for each domain, and for the last domains that are gone. Any number of [`Reader`]s follow a log, each at
//!   its own pace; one that is too slow is told how much it lost. Nobody's slowness reaches the guest.
//! * [`serve`] moves bytes between a guest's console page and its log and input queue, until the domain is gone. It always drains, so a
//!   guest never waits for us, and takes a bounded share at a time, so a guest that floods does not hold up others.
//!
//! All memory is bounded: a log by [`Limits::log`], all logs together by [`Limits::total`], input by [`Limits::input`]. Bytes are kept as
//! they came: whoever shows them to a terminal decides what to do about escape sequences.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod log;
mod pump;
mod registry;

pub use pump::{Closed, Pump, Pumped, serve};
pub use registry::{ConsoleId, Consoles, Gone, Info, Limits, Read, Reader, SharedConsoles, Start};
