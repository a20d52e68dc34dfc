//! Domains: what they are to be, and what they are.

use alloc::string::String;
use alloc::vec::Vec;

use bitflags::bitflags;
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::image::ImageId;
use crate::sched::PoolRef;
use crate::vcpu::CpuSet;

/// A word that names a domain: its name, id or uuid, as a person typed it.
///
/// Names win over ids, ids over uuids, as in xm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DomainRef(pub String);

/// A domain's uuid.
pub type Uuid = [u8; 16];

/// What a domain is to be: everything that building it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DomainConfig {
    /// Unique among domains; letters, digits and `_-.:+`.
    pub name: String,
    /// Drawn by the control domain where `None`.
    pub uuid: Option<Uuid>,
    /// Memory at start, in KiB.
    pub memory_kib: u64,
    /// The most memory that it may ever have, in KiB; at least `memory_kib`.
    pub max_memory_kib: u64,
    /// vCPUs online at start.
    pub vcpus: u32,
    /// vCPUs that it may ever have; at least `vcpus`.
    pub max_vcpus: u32,
    /// The CPUs that its first vCPUs may run on; any, of one that has no set here or an empty one.
    pub cpus: Vec<CpuSet>,
    /// The pool of processors that it runs on; the first one where `None`.
    pub pool: Option<PoolRef>,
    /// Its share in relation to other domains', 1 to 65535; what its scheduler gives without being asked where `None`.
    pub weight: Option<u16>,
    /// The most that it gets, in per cent of one processor, 0 for no limit; at most 100 for each of `max_vcpus`.
    pub cap: Option<u16>,
    /// The kernel.
    pub kernel: ImageId,
    /// What people call the kernel: its path where the domain was created, or its name in the bundle.
    pub kernel_name: String,
    /// The initial ramdisk.
    pub ramdisk: Option<ImageId>,
    /// What people call the ramdisk, as `kernel_name`; empty where there is none.
    pub ramdisk_name: String,
    /// The kernel's command line.
    pub cmdline: String,
    /// What follows when it powers itself off.
    pub on_poweroff: Action,
    /// What follows when it reboots itself.
    pub on_reboot: Action,
    /// What follows when it crashes.
    pub on_crash: Action,
}

/// What follows the end of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Action {
    /// It is destroyed.
    Destroy,
    /// It is destroyed and built anew from the same configuration.
    Restart,
    /// It is left as it is, for inspection.
    Preserve,
    /// It is left under another name and built anew under its own.
    RenameRestart,
    /// It is left until a host has a dump of its memory, then destroyed.
    CoredumpDestroy,
    /// It is left under another name until a host has a dump of its memory, and built anew under its own at once.
    CoredumpRestart,
}

/// Asks for a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct CreateRequest {
    /// What it is to be.
    pub config: DomainConfig,
    /// Leave it paused.
    pub paused: bool,
}

/// A domain was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Created {
    /// Its id.
    pub domid: u16,
    /// Its uuid.
    pub uuid: Uuid,
    /// Where the time went, in order.
    pub phases: Vec<Phase>,
    /// Exits to the hypervisor that it took (a multicall counts once).
    pub exits: u32,
    /// Hypercalls in those exits.
    pub hypercalls: u32,
}

/// One stage of a longer piece of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Phase {
    /// What was done.
    pub name: String,
    /// How long it took, in microseconds.
    pub us: u32,
}

/// What a domain is at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DomainInfo {
    /// Its id.
    pub domid: u16,
    /// Its name; `Domain-0` for the control domain.
    pub name: String,
    /// Its uuid; all zeros for the control domain.
    pub uuid: Uuid,
    /// Memory that it has, in KiB.
    pub memory_kib: u64,
    /// The most that it may have, in KiB.
    pub max_memory_kib: u64,
    /// vCPUs online.
    pub vcpus: u32,
    /// vCPUs that it may ever have.
    pub max_vcpus: u32,
    /// The pool of processors that it runs on, by its name.
    pub pool: String,
    /// What it is doing.
    pub state: DomainState,
    /// A person paused it, not the toolstack.
    pub is_admin_paused: bool,
    /// It was asked to end, and has not yet.
    pub is_ending: bool,
    /// Processor time used, in nanoseconds.
    pub cpu_time_ns: u64,
    /// Time since it was created (for domain 0: since the machine started), in milliseconds.
    pub uptime_ms: u64,
    /// How it ended, where it has.
    pub shutdown: Option<ShutdownReason>,
}

/// Some of the domains: one answer has no room for any number of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DomainPage {
    /// Those with the next ids, by id.
    pub domains: Vec<DomainInfo>,
    /// Where to go on; nowhere, where these were the last.
    pub next: Option<u16>,
}

bitflags! {
    /// xm's six state flags.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct DomainState: u8 {
        /// On a processor now.
        const RUNNING = 1 << 0;
        /// Waiting for something.
        const BLOCKED = 1 << 1;
        /// Paused by the toolstack.
        const PAUSED = 1 << 2;
        /// Shut down.
        const SHUTDOWN = 1 << 3;
        /// Shut down with the reason "crash".
        const CRASHED = 1 << 4;
        /// Being taken apart.
        const DYING = 1 << 5;
    }
}

impl Schema for DomainState {
    const SCHEMA: &'static postcard_schema::schema::NamedType = <u8 as Schema>::SCHEMA;
}

/// Why a domain ended by itself: `SHUTDOWN_*` of public/sched.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum ShutdownReason {
    /// It powered off.
    Poweroff,
    /// It rebooted.
    Reboot,
    /// It suspended.
    Suspend,
    /// It crashed.
    Crash,
    /// Its watchdog fired.
    Watchdog,
    /// It asked for a soft reset.
    SoftReset,
    /// A number that this release does not know.
    Other(u8),
}

/// How a domain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Ended {
    /// By itself.
    Shutdown(ShutdownReason),
    /// Somebody destroyed it.
    Destroyed,
}
