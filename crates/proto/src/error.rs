//! What can go wrong inside a call.
//!
//! Each variant is something that a caller could do differently, and names the thing and the numbers. The words
//! that a person reads are chosen by hostctl.

use alloc::string::String;

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::image::ImageId;
use crate::sched::{PoolRef, Scheduler};

/// Xen refused a hypercall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct XenError {
    /// The operation, by its C name: `XEN_DOMCTL_createdomain`.
    pub call: String,
    /// Xen's errno (public/errno.h), positive.
    pub errno: u16,
}

/// A command on an existing domain did not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum DomainError {
    /// No domain has this name, id or uuid.
    NotFound,
    /// Not with the control domain.
    Privileged,
    /// Not in the state that it is in.
    NotStarted,
    /// Xen refused.
    Xen(XenError),
    /// Too many streams are open.
    TooManyStreams {
        /// How many may be.
        limit: u16,
    },
    /// The offered channel carries a stream already, or is the RPC channel.
    ChannelInUse,
}

/// A domain was not built; nothing of it is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum CreateError {
    /// The name is empty or has a letter that names may not have.
    BadName,
    /// A domain, existing or being built, has this name.
    NameInUse {
        /// Its id, once it has one.
        domid: Option<u16>,
    },
    /// A domain has this uuid.
    UuidInUse {
        /// Its id.
        domid: u16,
    },
    /// No memory was asked for, or less than the smallest guest takes.
    TooLittleMemory {
        /// What was asked for, in KiB.
        asked_kib: u64,
        /// The least that works for this image, in KiB.
        least_kib: u64,
    },
    /// The machine has not enough free memory.
    NotEnoughMemory {
        /// What building it takes, in KiB.
        needed_kib: u64,
        /// What is free, in KiB.
        free_kib: u64,
    },
    /// No vCPU, or more than Xen or the builder can give.
    BadVcpus {
        /// What was asked for.
        asked: u32,
        /// The most that works.
        most: u32,
    },
    /// The maximum is below what it starts with.
    MaxBelowStart,
    /// Of the CPUs that a vCPU may run on, none is there, in its pool.
    NoCpu,
    /// No pool of processors has this name or id.
    NoPool(PoolRef),
    /// This pool has no processor.
    PoolHasNoCpu(PoolRef),
    /// A weight or a cap was asked for, and its pool has this scheduler, which knows neither.
    NoShares(Scheduler),
    /// Weights go from 1 to 65535.
    BadWeight,
    /// The cap is too high.
    BadCap {
        /// 100 for each vCPU.
        most: u32,
    },
    /// The command line is longer than the boot protocol takes.
    CmdlineTooLong {
        /// Its length in bytes.
        len: u32,
        /// The longest that works.
        most: u32,
    },
    /// An image is not in the cache; upload it first.
    NoImage(ImageId),
    /// The kernel cannot be booted.
    BadKernel(BadKernel),
    /// The ramdisk's container is damaged.
    BadRamdisk,
    /// Kernel, ramdisk and tables do not fit into the memory.
    DoesNotFit {
        /// What they take, in KiB.
        needed_kib: u64,
        /// What the domain has, in KiB.
        memory_kib: u64,
    },
    /// The control domain itself is out of memory.
    OutOfHeap,
    /// Xen refused.
    Xen(XenError),
    /// The request was abandoned before the domain was complete.
    Cancelled,
}

/// Why a kernel image cannot be booted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum BadKernel {
    /// It ends before its headers or segments do.
    Truncated {
        /// Bytes that the headers promise.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// It is no ELF file.
    NotElf,
    /// It is an ELF file, but for another machine, byte order or purpose.
    WrongElf,
    /// It has no `XEN_ELFNOTE_PHYS32_ENTRY` note.
    NotPvh,
    /// A segment or the entry point lies where it cannot: outside of 32 bits, wrapping, overlapping.
    BadSegment {
        /// Its physical address.
        address: u64,
        /// Its size in memory.
        size: u64,
    },
    /// The container's compressed blocks are damaged.
    Corrupt,
}

/// An image was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum ImageError {
    /// Empty, or larger than the control domain takes.
    BadLength {
        /// The longest that works, in bytes.
        most: u64,
    },
    /// The machine has not enough free memory for it.
    NotEnoughMemory {
        /// What it takes, in KiB.
        needed_kib: u64,
        /// What is free, in KiB.
        free_kib: u64,
    },
    /// What arrived does not have the announced hash.
    HashMismatch,
    /// The stream ended early.
    Incomplete {
        /// Bytes that came.
        received: u64,
        /// Bytes that were announced.
        expected: u64,
    },
    /// No upload of this image is under way.
    NotBegun,
    /// The offered channel carries a stream already, or is the RPC channel.
    ChannelInUse,
    /// So many streams are open already.
    TooManyStreams {
        /// How many may be.
        limit: u16,
    },
    /// Xen refused.
    Xen(XenError),
}
