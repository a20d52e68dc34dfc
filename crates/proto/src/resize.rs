//! More or less of a domain while it runs: memory, vCPUs.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::domain::DomainRef;
use crate::error::DomainError;

/// Asks that a domain have, or may have, so much memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct MemoryWish {
    /// Whom it is about.
    pub domain: DomainRef,
    /// In KiB.
    pub kib: u64,
}

/// A domain's memory, in KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DomainMemory {
    /// What it has at this moment.
    pub current_kib: u64,
    /// What it was told to have.
    pub target_kib: u64,
    /// The most that it may have.
    pub most_kib: u64,
}

/// Asks that so many of a domain's vCPUs be online.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct VcpuWish {
    /// Whom it is about.
    pub domain: DomainRef,
    /// The first so many.
    pub count: u32,
}

/// A domain's vCPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DomainVcpuCount {
    /// Online at this moment.
    pub online: u32,
    /// What it was told to have online.
    pub target: u32,
    /// The most that it may have.
    pub most: u32,
}

/// A domain's size was not changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum ResizeError {
    /// Not with this domain.
    Domain(DomainError),
    /// Somebody else made the domain: where it looks for such requests is not known.
    Foreign,
    /// Nothing at all is too little.
    Zero,
    /// More than the domain may have.
    AboveMaximum {
        /// The most that it may have: KiB, or vCPUs.
        most: u64,
    },
    /// The maximum would be below what the domain was told to have.
    BelowTarget {
        /// What it was told to have, in KiB.
        target_kib: u64,
    },
    /// More than any guest can have.
    TooMuch {
        /// The most that any can have, in KiB.
        most_kib: u64,
    },
    /// The machine has not enough free memory.
    NotEnoughMemory {
        /// What the domain would take, in KiB.
        needed_kib: u64,
        /// What is free, in KiB.
        free_kib: u64,
    },
}

impl From<DomainError> for ResizeError {
    fn from(error: DomainError) -> Self {
        ResizeError::Domain(error)
    }
}
