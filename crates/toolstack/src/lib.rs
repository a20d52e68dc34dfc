//! What xend did: which domains there are, how they are made and ended, what follows when they end, and which
//! images are kept to make them of.
//!
//! [`Toolstack`] is all of it. It calls the hypervisor, writes what domains find in xenstore and opens their
//! consoles; what only the machine can give (time, chance, tasks) it takes from a [`Platform`].
//!
//! * Making: [`Toolstack::create`]. Everything is checked first; then it is all or nothing, also if the caller
//!   goes away in the middle.
//! * Looking: [`Toolstack::list`], [`Toolstack::details`], [`Toolstack::find`], [`Toolstack::host_info`], [`Toolstack::dmesg`],
//!   [`Toolstack::top`], [`Toolstack::usage`].
//! * Resizing: [`Toolstack::set_memory`], [`Toolstack::set_max_memory`], [`Toolstack::set_vcpus`].
//! * vCPUs: [`Toolstack::vcpus`], [`Toolstack::pin`].
//! * Scheduling: [`Toolstack::scheduled`], [`Toolstack::schedule`], [`Toolstack::pools`], [`Toolstack::change_pools`].
//! * Ending: [`Toolstack::pause`], [`Toolstack::unpause`], [`Toolstack::destroy`].
//! * Asking: [`Toolstack::ask_to_end`], [`Toolstack::follow`], [`Toolstack::sysrq`]; [`Toolstack::hear_guests`] notices the answers.
//! * A life as a whole: [`Toolstack::rename`], [`Toolstack::reset`], [`Toolstack::trigger`].
//! * Ends that nobody asked for: [`Toolstack::on_virq_dom_exc`] notices, [`Toolstack::obey_rules`] follows the domains'
//!   rules, [`Toolstack::wait`] tells.
//! * Dumping: [`Toolstack::dump`]; crashed domains that wait for a host to keep a dump, [`Toolstack::next_core`].
//! * Images: [`Toolstack::add_bundle`], [`Toolstack::begin_image`], and [`images`].
//!
//! * What was done and why: [`Toolstack::journal`], which commands enter through [`Toolstack::on_command`].
//!
//! It refuses to touch the control domain, and forgets everything about a domain when that is gone, but for
//! how the last few ended.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod bundle;
mod cores;
mod create;
mod detail;
mod dump;
mod ends;
mod errors;
mod host;
pub mod images;
mod journal;
mod layout;
mod life;
mod list;
mod meter;
pub mod name;
mod page;
pub mod platform;
mod pools;
mod power;
mod race;
mod registry;
mod requests;
mod resize;
mod rings;
mod rules;
mod sched;
mod services;
mod state;
mod toolstack;
mod top;
mod turns;
mod vcpus;
mod waiters;

pub use dump::{Dump, MOST_DUMPS};
pub use host::OwnMemory;
pub use images::ImageUpload;
pub use platform::{Channel, DomainChannels, NoRoom, Platform};
pub use requests::UNRESPONSIVE_NS;
pub use rings::RingPage;
pub use rules::MINIMUM_RESTART_INTERVAL_NS;
pub use toolstack::{About, BUILDS, Mapping, Toolstack};
