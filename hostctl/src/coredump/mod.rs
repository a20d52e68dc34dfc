//! Core dumps of domains, as files on this machine.

mod draft;
pub mod fetch;
pub mod keep;
pub mod place;
