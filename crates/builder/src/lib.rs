//! Builds PVH guests: from images and wishes to memory, tables and a first vCPU that is ready to run.
//!
//! * [`Plan::new`] decides everything, without Xen: the memory map, what lies where, ACPI tables, the start info, the
//!   state of the first vCPU. Every refusal comes from here, before a domain exists.
//! * [`build`] carries a plan out on a [`NewDomain`](hypercall::NewDomain), in few exits: what goes before the
//!   memory is written travels in one multicall, what goes after it in another. Only frames that are written are
//!   touched: few are mapped, many are copied into by Xen.
//!
//! ```text
//! 0 ........ kernel ........ ramdisk | boot block | (hole) .. special pages .. 4 GiB .. more memory
//!            at its addresses          start info, command line, memory map, ACPI
//! ```
//!
//! Ramdisk and boot block lie at the top of the memory below 1 GiB, for the sake of kernels that map no more at
//! first, and away from the kernel, for the sake of those that take what follows them for free memory.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod acpi;
mod block;
mod build;
mod context;
mod fill;
mod layout;
mod plan;

pub use build::{BuildError, Built, Images, ServiceEnd, build};
pub use layout::frames_within;
pub use plan::{
    MAX_CMDLINE, MAX_MEMORY, MAX_VCPUS, Plan, PlanError, PlanInput, SPECIAL_PAGES, Share, memory_limit,
    paging_pool,
};
