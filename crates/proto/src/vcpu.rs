//! Virtual processors: what they do, and on which CPUs they may.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::domain::DomainRef;
use crate::error::{DomainError, XenError};

/// CPUs above this one are in no set: Xen has no more on any machine.
pub const MAX_CPU: u32 = 4095;

/// A set of CPUs.
///
/// A bit each, the lowest bit of the first byte is CPU 0. Bytes of zeroes behind the last CPU change nothing, and two sets that
/// differ only in them are not told apart by [`CpuSet::iter`] or in print.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct CpuSet(pub Vec<u8>);

impl CpuSet {
    /// Adds a CPU; one above [`MAX_CPU`] is left out.
    pub fn insert(&mut self, cpu: u32) {
        if cpu > MAX_CPU {
            return;
        }
        let byte = cpu as usize / 8;
        if self.0.len() <= byte {
            self.0.resize(byte + 1, 0);
        }
        self.0[byte] |= 1 << (cpu % 8);
    }

    /// Removes a CPU.
    pub fn remove(&mut self, cpu: u32) {
        if let Some(byte) = self.0.get_mut(cpu as usize / 8) {
            *byte &= !(1 << (cpu % 8));
        }
    }

    /// Is this CPU in it?
    #[must_use]
    pub fn has(&self, cpu: u32) -> bool {
        self.0.get(cpu as usize / 8).is_some_and(|byte| byte & 1 << (cpu % 8) != 0)
    }

    /// Is none in it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|&byte| byte == 0)
    }

    /// Its CPUs, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        (0..=MAX_CPU).take(self.0.len().saturating_mul(8)).filter(|&cpu| self.has(cpu))
    }

    /// The same set without CPUs above [`MAX_CPU`], so that it takes no more memory than a set can be worth.
    #[must_use]
    pub fn bounded(&self) -> CpuSet {
        const BYTES: usize = (MAX_CPU as usize + 1) / 8;
        CpuSet(self.0[..self.0.len().min(BYTES)].to_vec())
    }

    /// Those that are in the other one too.
    #[must_use]
    pub fn within(&self, other: &CpuSet) -> CpuSet {
        self.iter().filter(|&cpu| other.has(cpu)).collect()
    }
}

impl FromIterator<u32> for CpuSet {
    fn from_iter<I: IntoIterator<Item = u32>>(cpus: I) -> Self {
        let mut set = CpuSet::default();
        for cpu in cpus {
            set.insert(cpu);
        }
        set
    }
}

impl fmt::Display for CpuSet {
    /// Ranges, as `0-1,3`; nothing if it is empty.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for first in self.iter().filter(|&cpu| cpu == 0 || !self.has(cpu - 1)) {
            let last = (first..=MAX_CPU).take_while(|&cpu| self.has(cpu)).last().unwrap_or(first);
            write!(f, "{separator}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

/// Asks for vCPUs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct VcpuQuery {
    /// Of these domains, in this order; of all, by name, if there is none.
    pub domains: Vec<DomainRef>,
    /// How many domains to leave out: as many as earlier answers had.
    pub skip: u32,
}

/// vCPUs of domains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct VcpuListing {
    /// The CPUs that the machine has.
    pub cpus: CpuSet,
    /// Whole domains; one that ended meanwhile is left out.
    pub domains: Vec<DomainVcpus>,
    /// How many domains this answer is about, with those that are left out.
    pub nr_domains: u32,
    /// There are more domains, for which there was no room: ask again.
    pub has_more: bool,
}

/// One domain's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DomainVcpus {
    /// Its name.
    pub name: String,
    /// Its id.
    pub domid: u16,
    /// All of its vCPUs, by number.
    pub vcpus: Vec<VcpuInfo>,
}

/// What a vCPU does at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct VcpuInfo {
    /// Its number.
    pub vcpu: u32,
    /// It is up.
    pub is_online: bool,
    /// It waits for an event.
    pub is_blocked: bool,
    /// It is on a CPU.
    pub is_running: bool,
    /// The CPU that it is on, or was on last.
    pub cpu: u32,
    /// Processor time used, in nanoseconds.
    pub cpu_time_ns: u64,
    /// The CPUs that it may use at all.
    pub hard: CpuSet,
    /// The CPUs that it prefers.
    pub soft: CpuSet,
}

/// Why vCPUs were not listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum VcpuListError {
    /// No domain has this name, id or uuid.
    NotFound(String),
    /// Xen refused.
    Xen(XenError),
}

/// Pins vCPUs to CPUs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct PinRequest {
    /// Of this domain.
    pub domain: DomainRef,
    /// This one; all, where `None`.
    pub vcpu: Option<u32>,
    /// The CPUs that it may use at all.
    pub hard: CpuSet,
    /// The CPUs that it is to prefer; as before, where `None`.
    pub soft: Option<CpuSet>,
}

/// Why vCPUs were not pinned. Those before the one that is named were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum PinError {
    /// Not with this domain.
    Domain(DomainError),
    /// The domain has no such vCPU.
    NoVcpu {
        /// What was asked for.
        vcpu: u32,
        /// How many it has.
        vcpus: u32,
    },
    /// The machine has none of these CPUs.
    NoCpu {
        /// The vCPU that was to be pinned.
        vcpu: u32,
        /// The CPUs that the machine has.
        cpus: CpuSet,
    },
    /// Xen refused.
    Xen {
        /// The vCPU that was to be pinned.
        vcpu: u32,
        /// What it said.
        error: XenError,
    },
}
