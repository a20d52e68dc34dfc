//! The harness of the tests on a real Xen: QEMU runs Debian's Xen, the kernel is its domain 0, `hostctl` commands it.
//!
//! `cargo xtask test` builds what the tests need and runs them; the demo and the benchmark use the same parts.

pub mod artifacts;
pub mod cpio;
pub mod ramdisk;
