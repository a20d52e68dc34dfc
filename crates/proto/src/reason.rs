//! Why something was refused, in a few words: for the journal, whose readers have not seen the command's own output.
//!
//! Whoever typed a command is told at length, by hostctl, with the name of the thing and the way out.

use core::fmt::{Display, Formatter, Result};

use crate::dump::DumpError;
use crate::error::{CreateError, DomainError, XenError};
use crate::life::{RenameError, ResetError, Silence, SysrqError, TriggerError};
use crate::resize::ResizeError;
use crate::sched::{PoolError, SchedError, TuningError};
use crate::vcpu::PinError;

macro_rules! reasons {
    ($($error:ty { $($variant:pat => $($text:expr),+;)+ })+) => {$(
        impl Display for $error {
            fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                match self {
                    $($variant => write!(f, $($text),+),)+
                }
            }
        }
    )+};
}

reasons! {
    XenError {
        XenError { call, errno } => "Xen refuses {call}: errno {errno}";
    }
    DomainError {
        DomainError::NotFound => "there is no such domain";
        DomainError::Privileged => "not with the control domain";
        DomainError::NotStarted => "not in the state that it is in";
        DomainError::Xen(error) => "{error}";
        DomainError::TooManyStreams { limit } => "{limit} streams are open already";
        DomainError::ChannelInUse => "the channel is in use";
    }
    CreateError {
        CreateError::BadName => "the name is not allowed";
        CreateError::NameInUse { .. } => "another domain has the name";
        CreateError::UuidInUse { domid } => "domain {domid} has the uuid";
        CreateError::TooLittleMemory { asked_kib, least_kib } => "{asked_kib} KiB of memory, and it takes {least_kib}";
        CreateError::NotEnoughMemory { needed_kib, free_kib } => "it takes {needed_kib} KiB of memory, and {free_kib} are free";
        CreateError::BadVcpus { asked, most } => "{asked} vCPUs, and 1 to {most} are possible";
        CreateError::MaxBelowStart => "a maximum is below what it starts with";
        CreateError::NoCpu => "a vCPU may run on no CPU that is there";
        CreateError::NoPool(pool) => "there is no pool {}", pool.0;
        CreateError::PoolHasNoCpu(pool) => "pool {} has no processor", pool.0;
        CreateError::NoShares(scheduler) => "its pool's scheduler, {scheduler}, knows no weights";
        CreateError::BadWeight => "weights go from 1 to 65535";
        CreateError::BadCap { most } => "caps go from 0 to {most}";
        CreateError::CmdlineTooLong { len, most } => "the command line has {len} bytes, and {most} are possible";
        CreateError::NoImage(_) => "an image is no longer there";
        CreateError::BadKernel(_) => "the kernel cannot be booted";
        CreateError::BadRamdisk => "the ramdisk is damaged";
        CreateError::DoesNotFit { needed_kib, memory_kib } => "kernel and ramdisk take {needed_kib} KiB, and it has {memory_kib}";
        CreateError::OutOfHeap => "the control domain is out of memory";
        CreateError::Xen(error) => "{error}";
        CreateError::Cancelled => "it was given up";
    }
    RenameError {
        RenameError::Domain(error) => "{error}";
        RenameError::BadName => "the name is not allowed";
        RenameError::NameInUse { .. } => "another domain has the name";
    }
    ResetError {
        ResetError::Refused(error) => "{error}";
        ResetError::Impossible(error) => "it could not be built again: {error}";
        ResetError::Lost(error) => "it is destroyed, and was not built again: {error}";
    }
    TriggerError {
        TriggerError::Domain(error) => "{error}";
        TriggerError::NoVcpu { vcpus } => "it has {vcpus} vCPUs";
        TriggerError::NoAcpi => "it has no ACPI power management";
        TriggerError::Unknown(error) => "{error}";
    }
    Silence {
        Silence::Paused => "it is paused";
        Silence::NeverSpoke => "it has never used xenstore";
        Silence::NoDriver => "it has not announced that it obeys";
        Silence::Unanswered => "it does not answer";
    }
    SysrqError {
        SysrqError::Domain(error) => "{error}";
        SysrqError::BadLetter => "the key is no printable letter";
        SysrqError::NotTaken(why) => "it was not taken: {why}";
        SysrqError::Occupied(why) => "the one before it was not taken: {why}";
    }
    ResizeError {
        ResizeError::Domain(error) => "{error}";
        ResizeError::Foreign => "somebody else made it";
        ResizeError::Zero => "nothing is too little";
        ResizeError::AboveMaximum { most } => "it may have {most} at most";
        ResizeError::BelowTarget { target_kib } => "it was told to have {target_kib} KiB";
        ResizeError::TooMuch { most_kib } => "a guest can have {most_kib} KiB at most";
        ResizeError::NotEnoughMemory { needed_kib, free_kib } => "it takes {needed_kib} KiB of memory, and {free_kib} are free";
    }
    PinError {
        PinError::Domain(error) => "{error}";
        PinError::NoVcpu { vcpus, .. } => "it has {vcpus} vCPUs";
        PinError::NoCpu { cpus, .. } => "the machine has the CPUs {cpus}";
        PinError::Xen { vcpu, error } => "vCPU {vcpu}: {error}";
    }
    SchedError {
        SchedError::Domain(error) => "{error}";
        SchedError::Scheduler(scheduler) => "its pool's scheduler is {scheduler}";
        SchedError::Weight => "weights go from 1 to 65535";
        SchedError::Cap { most } => "caps go from 0 to {most}";
        SchedError::NoVcpu(vcpu) => "it has no vCPU {vcpu}";
        SchedError::Budget { period_us, budget_us } => "a budget of {budget_us} us in {period_us} us is not possible";
    }
    PoolError {
        PoolError::NotFound => "there is no such pool";
        PoolError::NameInUse => "another pool has the name";
        PoolError::BadName => "the name is not allowed";
        PoolError::NoScheduler => "Xen has no such scheduler";
        PoolError::NotFree(cpu) => "CPU {cpu} is not free";
        PoolError::TooFewFree { free } => "{free} CPUs are free";
        PoolError::NotInPool(cpu) => "CPU {cpu} is not in it";
        PoolError::NoNode(node) => "there is no NUMA node {node}";
        PoolError::HasDomains(count) => "{count} domains are in it";
        PoolError::HasNoCpu => "it has no CPU";
        PoolError::LastCpu(cpu) => "CPU {cpu} is its last one, and domains are in it";
        PoolError::First => "CPU 0 stays in the first pool, and that pool stays";
        PoolError::Divided => "there are several pools already";
        PoolError::Domain(error) => "{error}";
        PoolError::Xen(error) => "{error}";
    }
    TuningError {
        TuningError::NotFound => "there is no such pool";
        TuningError::Scheduler(scheduler) => "its scheduler is {scheduler}";
        TuningError::Xen(error) => "{error}";
    }
    DumpError {
        DumpError::NotFound => "there is no such domain";
        DumpError::Privileged => "not of the control domain";
        DumpError::NotStarted => "not in the state that it is in";
        DumpError::Paravirtual => "it is a paravirtual guest";
        DumpError::UnderWay => "another dump of it is under way";
        DumpError::TooMany { limit } => "{limit} dumps are under way already";
        DumpError::Later => "the shared memory is in use";
        DumpError::TooManyStreams { limit } => "{limit} streams are open already";
        DumpError::ChannelInUse => "the channel is in use";
        DumpError::Xen(error) => "{error}";
    }
}
