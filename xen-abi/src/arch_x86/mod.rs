//! The x86 parts of the public headers: public/arch-x86/.

pub mod cpuid;
pub mod save;
pub mod xen;
