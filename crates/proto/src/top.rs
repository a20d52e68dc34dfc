//! One look at the host and all that its domains use, for `xm top`.

use alloc::string::String;
use alloc::vec::Vec;

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::domain::DomainState;

/// Asks for a look. One answer may not have room for all domains: who wants the others asks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct TopRequest {
    /// Tell of domains from this id on.
    pub from: u16,
    /// Tell of each vCPU too. Costs the hypervisor a question a vCPU.
    pub vcpus: bool,
}

/// What the host has and its domains use, at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct HostTop {
    /// The moment, in nanoseconds on the control domain's clock: differences between looks are exact, however long an answer
    /// takes to travel.
    pub at_ns: u64,
    /// Processors online.
    pub nr_cpus: u32,
    /// Processor frequency in kHz.
    pub cpu_khz: u32,
    /// The machine's memory, in KiB.
    pub total_memory_kib: u64,
    /// Memory that nobody has, in KiB; without what Xen is still scrubbing.
    pub free_memory_kib: u64,
    /// Domains, by id.
    pub domains: Vec<DomainUse>,
    /// Where to go on; nowhere, where these were the last.
    pub next: Option<u16>,
}

/// What a domain uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DomainUse {
    /// Its id.
    pub domid: u16,
    /// When this was so: see [`HostTop::at_ns`].
    pub at_ns: u64,
    /// Its name, as `xm list` shows it.
    pub name: String,
    /// What it is doing.
    pub state: DomainState,
    /// Processor time used, in nanoseconds.
    pub cpu_time_ns: u64,
    /// Memory that it has, in KiB: all of it, with the pages for its start and its rings.
    pub memory_kib: u64,
    /// The most that it may have, in KiB; `None`: no limit.
    pub max_memory_kib: Option<u64>,
    /// vCPUs that it has, online or not.
    pub nr_vcpus: u32,
    /// The security identifier that Xen keeps for it.
    pub ssid: u32,
    /// Its vCPUs that are online, where they were asked for.
    pub vcpus: Vec<VcpuUse>,
    /// Its network interfaces.
    pub networks: Vec<NetworkUse>,
    /// Its block devices.
    pub vbds: Vec<VbdUse>,
}

/// What a vCPU used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct VcpuUse {
    /// Its number.
    pub vcpu: u32,
    /// Processor time used, in nanoseconds.
    pub cpu_time_ns: u64,
}

/// What went through a network interface, both counted as the domain sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct NetworkUse {
    /// Its number.
    pub id: u32,
    /// What came in.
    pub received: Traffic,
    /// What went out.
    pub sent: Traffic,
}

/// Traffic of one direction, since the interface came up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Traffic {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Packets with errors.
    pub errors: u64,
    /// Packets that were dropped.
    pub dropped: u64,
}

/// What a block device did, since it came up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct VbdUse {
    /// Its number, as Linux numbers devices.
    pub id: u32,
    /// How often requests had to wait, all being in use.
    pub out_of_requests: u64,
    /// Requests to read.
    pub reads: u64,
    /// Requests to write.
    pub writes: u64,
    /// Sectors of 512 bytes that were read.
    pub read_sectors: u64,
    /// Sectors of 512 bytes that were written.
    pub written_sectors: u64,
}
