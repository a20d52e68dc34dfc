//! Every operation, described once as a [`Call`](crate::Call): what goes in, what comes out.
//!
//! [`Xen`](crate::Xen) has a method for each that issues it alone; [`Batch::add`](crate::Batch::add) takes
//! the calls of this module. Operations whose layout or number depends on the release take the
//! [`Abi`](crate::Abi).

pub mod console;
pub mod domctl;
pub mod evtchn;
pub mod grant;
pub mod hvm;
pub mod memory;
pub mod physdev;
pub mod sched;
pub mod sysctl;
pub mod vcpu;
pub mod version;
