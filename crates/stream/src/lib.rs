//! A domain's memory as it travels, and as it is kept.
//!
//! * [`dump`]: a core dump on its way from the control domain to the host: records of registers and pages, of which pages of
//!   zeroes cost nothing. Whoever reads them bounds and checks them.
//! * [`core_file`]: the file that becomes of it: Xen's ELF core format, with program headers besides, so that a debugger finds
//!   memory by its address.
//!
//! Neither knows an executor, a line or a disk: the one appends to vectors and takes bytes as they come, the other says
//! which bytes belong where.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod core_file;
pub mod dump;

/// Bytes of a page.
pub const PAGE: usize = xen_abi::PAGE_SIZE;

/// Bytes of a vCPU's registers: `struct vcpu_guest_context`.
pub const REGISTERS: usize = size_of::<xen_abi::arch_x86::xen::VcpuGuestContext>();
