//! Images: kernels and ramdisks, how they travel, and what is in them.
//!
//! * [`container`] is the format in which an image travels and is cached: independent lz4 blocks behind a table,
//!   so that any part is unpacked straight to where it belongs.
//! * [`kernel`] finds out what a kernel's ELF headers ask for. The host refuses a bad kernel with it before
//!   anything is sent, and the control domain, which trusts nobody, asks it again.
//! * `host` (feature `host`, needs std) packs images, unpacks the payloads of bzImages and keeps packed images
//!   in a cache on disk.
//!
//! An image is known by the SHA-256 of its container: [`ImageId`].

#![cfg_attr(not(feature = "host"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod container;
#[cfg(feature = "host")]
pub mod host;
pub mod kernel;
mod source;
#[cfg(feature = "testing")]
pub mod testing;

pub use container::{Container, ContainerError, Reader};
pub use kernel::{KernelError, KernelHeaders, Segment};
pub use source::{ReadAt, ReadError};

/// What an image is known by: the SHA-256 of its container's bytes.
pub type ImageId = [u8; 32];
