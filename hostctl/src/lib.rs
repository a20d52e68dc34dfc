//! hostctl: the host's end of a nanodom machine.
//!
//! A command is parsed ([`cli`], [`xm`]), reaches its control domain through a broker that owns the line ([`connect`], [`client`],
//! [`broker`]), makes typed calls (crate `proto`) and prints what came of them ([`output`]). Labs, machines made of QEMU and
//! Xen, are in [`lab`]. [`xenstored`] is a server of its own, and needs no machine.

pub mod attach;
pub mod broker;
pub mod build;
pub mod bundle;
pub mod cli;
pub mod client;
pub mod clock;
pub mod complete;
pub mod config;
pub mod connect;
pub mod console_log;
pub mod coredump;
pub mod dirs;
pub mod exit;
pub mod lab;
pub mod log;
pub mod log_lines;
pub mod man;
pub mod output;
pub mod pages;
pub mod progress;
pub mod shm;
pub mod terminal;
pub mod upload;
pub mod usage;
pub mod xenstore;
pub mod xenstored;
pub mod xm;

/// 64 random bits from the system.
///
/// # Errors
/// The system has none, or was interrupted.
pub(crate) fn random() -> std::io::Result<u64> {
    let mut bytes = [0; 8];
    let count = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    if count < bytes.len() {
        return Err(std::io::Error::other("the system gave too few random bytes"));
    }
    Ok(u64::from_ne_bytes(bytes))
}
