//! The harness of the tests on a real Xen: QEMU runs Debian's Xen, the kernel is its domain 0, `hostctl` commands it.
//!
//! `cargo xtask test` builds what the tests need and runs them; the demo and the benchmark use the same parts.

pub mod artifacts;
pub mod console;
pub mod cpio;
pub mod linux;
pub mod machine;
pub mod process;
pub mod ramdisk;

pub use console::Console;
pub use machine::{Boot, Machine};
