//! `hostctl lab`: machines for tests, each a QEMU with Xen and a control domain.
//!
//! A lab is a directory ([`dir`]) and a QEMU. QEMU's parent is a small process of ours ([`keeper`]), which outlives the
//! command that started it and notes how QEMU ended.

pub mod dir;
pub mod down;
pub mod files;
pub mod keeper;
pub mod log;
pub mod process;
pub mod qemu;
pub mod qmp;
pub mod run;
pub mod status;
pub mod up;
pub mod which;
