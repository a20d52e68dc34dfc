//! The broker: owns a line, which has one end, for its users, who are many.
//!
//! The first hostctl that needs a line starts a broker for it ([`start`]); later ones find it by its socket. A lock keeps
//! it the only one. It ends when the line ends or, on a line that is no lab's, when nobody has needed it for a while.

mod client;
pub mod hub;
pub mod ipc;
mod keeping;
pub mod place;
pub mod server;
pub mod start;
