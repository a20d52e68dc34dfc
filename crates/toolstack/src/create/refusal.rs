//! Why a domain cannot be built, in the protocol's terms.

use builder::{BuildError, MAX_CMDLINE, MAX_VCPUS, Plan, PlanError};
use hypercall::{Aperture, Door, XenError};
use image::{KernelError, ReadError};
use proto::error::{BadKernel, CreateError};
use xen_abi::{Errno, KiB, Pages};

use crate::errors::create_error;
use crate::platform::Platform;
use crate::toolstack::{Mapping, Toolstack};

/// A kernel that cannot be booted.
pub(super) fn kernel(error: KernelError) -> CreateError {
    CreateError::BadKernel(match error {
        KernelError::Truncated { expected, found } => BadKernel::Truncated { expected, found },
        KernelError::NotElf => BadKernel::NotElf,
        // So many segments has no kernel; whatever the file is for, it is not for booting.
        KernelError::WrongElf | KernelError::TooManySegments => BadKernel::WrongElf,
        KernelError::NotPvh => BadKernel::NotPvh,
        KernelError::BadSegment { address, size } => BadKernel::BadSegment { address, size },
        KernelError::Unreadable(error) => {
            return unreadable(error, CreateError::BadKernel(BadKernel::Corrupt));
        }
    })
}

/// An image that cannot be unpacked.
fn unreadable(error: ReadError, damaged: CreateError) -> CreateError {
    match error {
        ReadError::OutOfMemory { .. } => CreateError::OutOfHeap,
        ReadError::OutOfRange { .. } | ReadError::Damaged(_) => damaged,
    }
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// A configuration that no guest can have.
    pub(super) fn impossible(&self, error: PlanError) -> CreateError {
        match error {
            PlanError::TooLittleMemory { asked, least } => {
                CreateError::TooLittleMemory { asked_kib: asked.0, least_kib: least.0 }
            }
            PlanError::TooMuchMemory { asked } => self.too_much(asked),
            PlanError::BadVcpus { asked } => CreateError::BadVcpus { asked, most: MAX_VCPUS },
            PlanError::MaxBelowStart => CreateError::MaxBelowStart,
            PlanError::CmdlineTooLong { len } => CreateError::CmdlineTooLong {
                len: u32::try_from(len).unwrap_or(u32::MAX),
                most: MAX_CMDLINE as u32,
            },
            PlanError::DoesNotFit { needed, memory } => {
                CreateError::DoesNotFit { needed_kib: needed.0, memory_kib: memory.0 }
            }
            PlanError::BadSegment { address, size } => {
                CreateError::BadKernel(BadKernel::BadSegment { address, size })
            }
        }
    }

    /// A building that failed.
    pub(super) fn not_built(&self, plan: &Plan, error: BuildError) -> CreateError {
        match error {
            BuildError::NotEnoughMemory { .. } => self.too_much(plan.host_memory().kib()),
            BuildError::Kernel(error) => unreadable(error, CreateError::BadKernel(BadKernel::Corrupt)),
            BuildError::Ramdisk(error) => unreadable(error, CreateError::BadRamdisk),
            BuildError::Xen(error) => self.refused(plan, error),
        }
    }

    /// A refusal of Xen's. That it has no memory left is told with the numbers.
    pub(super) fn refused(&self, plan: &Plan, error: XenError) -> CreateError {
        match error.errno {
            Errno::ENOMEM => self.too_much(plan.host_memory().kib()),
            // The vCPUs are there, so it is the CPUs.
            Errno::EINVAL if error.op == "XEN_DOMCTL_setvcpuaffinity" => CreateError::NoCpu,
            _ => create_error(error),
        }
    }

    fn too_much(&self, needed: KiB) -> CreateError {
        // An estimate of the moment: another domain may be on its way.
        let free = self.xen.free_memory().unwrap_or(Pages(0));
        CreateError::NotEnoughMemory { needed_kib: needed.0, free_kib: free.kib().0 }
    }
}
