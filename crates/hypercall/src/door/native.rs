//! Doors that execute the real instruction. Only they need to run on Xen; all else is tested without.
//!
//! The convention on x86_64: number in rax, arguments in rdi, rsi, rdx, r10, r8; the answer in rax. Xen may
//! change the argument registers, when it lets a long hypercall continue after an interruption.

use core::arch::asm;
use core::arch::x86_64::__cpuid;

use xen_abi::xen::Nr;

use crate::{Door, Sites};

/// The domains under construction at the hypervisor that runs this processor.
static SITES: Sites = Sites::new();

/// The door of a CPU with SVM (AMD, Hygon): `vmmcall`.
#[derive(Clone, Copy, Debug, Default)]
pub struct VmmcallDoor;

/// The door of a CPU with VMX (Intel and others): `vmcall`.
#[derive(Clone, Copy, Debug, Default)]
pub struct VmcallDoor;

/// The door of the CPU that we find ourselves on.
#[derive(Clone, Copy, Debug)]
pub enum VendorDoor {
    /// The CPU has SVM.
    Svm(VmmcallDoor),
    /// The CPU has VMX.
    Vmx(VmcallDoor),
}

impl VendorDoor {
    /// Picks by CPUID's vendor. One look is enough: the vendor does not change under a running system.
    #[must_use]
    pub fn detect() -> Self {
        let leaf = __cpuid(0);
        let mut vendor = [0; 12];
        vendor[0..4].copy_from_slice(&leaf.ebx.to_le_bytes());
        vendor[4..8].copy_from_slice(&leaf.edx.to_le_bytes());
        vendor[8..12].copy_from_slice(&leaf.ecx.to_le_bytes());
        Self::of_vendor(&vendor)
    }

    fn of_vendor(vendor: &[u8; 12]) -> Self {
        match vendor {
            b"AuthenticAMD" | b"HygonGenuine" => VendorDoor::Svm(VmmcallDoor),
            _ => VendorDoor::Vmx(VmcallDoor),
        }
    }
}

macro_rules! instruction {
    ($name:literal, $nr:ident, $args:ident) => {{
        let [mut a, mut b, mut c, mut d, mut e] = $args;
        let answer: i64;
        // SAFETY: the caller vouches for the addresses; all that Xen changes is declared: memory (the
        // default of `asm!`), the answer and the argument registers.
        unsafe {
            asm!(
                $name,
                inlateout("rax") $nr.0 => answer,
                inlateout("rdi") a,
                inlateout("rsi") b,
                inlateout("rdx") c,
                inlateout("r10") d,
                inlateout("r8") e,
                options(nostack),
            );
        }
        // What a continuation left in the registers is of no interest.
        let _ = (&mut a, &mut b, &mut c, &mut d, &mut e);
        answer
    }};
}

// SAFETY: number and arguments go to Xen as they are; only Xen touches memory. A processor has one hypervisor, and all
// doors here name its one set of sites.
unsafe impl Door for VmmcallDoor {
    unsafe fn call(&self, nr: Nr, args: [u64; 5]) -> i64 {
        instruction!("vmmcall", nr, args)
    }

    fn sites(&self) -> &Sites {
        &SITES
    }
}

// SAFETY: number and arguments go to Xen as they are; only Xen touches memory. A processor has one hypervisor, and all
// doors here name its one set of sites.
unsafe impl Door for VmcallDoor {
    unsafe fn call(&self, nr: Nr, args: [u64; 5]) -> i64 {
        instruction!("vmcall", nr, args)
    }

    fn sites(&self) -> &Sites {
        &SITES
    }
}

// SAFETY: passes on to a door, with the same sites.
unsafe impl Door for VendorDoor {
    unsafe fn call(&self, nr: Nr, args: [u64; 5]) -> i64 {
        // SAFETY: the caller's promise is passed on.
        unsafe {
            match self {
                VendorDoor::Svm(door) => door.call(nr, args),
                VendorDoor::Vmx(door) => door.call(nr, args),
            }
        }
    }

    fn sites(&self) -> &Sites {
        &SITES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_amd_and_hygon_take_vmmcall() {
        assert!(matches!(VendorDoor::of_vendor(b"AuthenticAMD"), VendorDoor::Svm(_)));
        assert!(matches!(VendorDoor::of_vendor(b"HygonGenuine"), VendorDoor::Svm(_)));
        for vendor in [b"GenuineIntel", b"CentaurHauls", b"  Shanghai  "] {
            assert!(matches!(VendorDoor::of_vendor(vendor), VendorDoor::Vmx(_)));
        }
    }
}
