//! Scheduling, and how a domain ends. Source: public/sched.h.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::DomId;

constants! {
    /// Gives up the rest of the time slice.
    SCHEDOP_YIELD: u32 = 0;
    /// Sleeps until an event comes.
    SCHEDOP_BLOCK: u32 = 1;
    /// Ends this domain.
    SCHEDOP_SHUTDOWN: u32 = 2;
    /// Sleeps until one of several ports is pending.
    SCHEDOP_POLL: u32 = 3;
    /// Ends another domain.
    SCHEDOP_REMOTE_SHUTDOWN: u32 = 4;
    /// Sets the reason without ending.
    SCHEDOP_SHUTDOWN_CODE: u32 = 5;
    /// Starts, pokes or stops a watchdog.
    SCHEDOP_WATCHDOG: u32 = 6;

    /// The domain exited.
    SHUTDOWN_POWEROFF: u32 = 0;
    /// The domain wants to start again.
    SHUTDOWN_REBOOT: u32 = 1;
    /// The domain suspended.
    SHUTDOWN_SUSPEND: u32 = 2;
    /// The domain crashed.
    SHUTDOWN_CRASH: u32 = 3;
    /// The domain's watchdog fired.
    SHUTDOWN_WATCHDOG: u32 = 4;
    /// The domain wants to start afresh with its memory (kexec).
    SHUTDOWN_SOFT_RESET: u32 = 5;
}

/// Argument of shutdown. C: `struct sched_shutdown`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Shutdown {
    /// In: `SHUTDOWN_...`.
    pub reason: u32,
}
assert_layout!(Shutdown = "sched_shutdown", 4.x 14 to 22, size 4, reason @ 0);

/// Argument of poll. C: `struct sched_poll`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Poll {
    /// In: the address of the ports.
    pub ports: u64,
    /// In: how many.
    pub nr_ports: u32,
    /// Zero.
    pub _pad: u32,
    /// In: until when at most, in system time; 0 for ever.
    pub timeout: u64,
}
assert_layout!(Poll = "sched_poll", 4.x 14 to 22, size 24, ports @ 0, nr_ports @ 8, _pad @ 12, timeout @ 16);

/// Argument of remote_shutdown. C: `struct sched_remote_shutdown`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RemoteShutdown {
    /// In: the domain.
    pub domain_id: DomId,
    /// Zero.
    pub _pad: u16,
    /// In: `SHUTDOWN_...`.
    pub reason: u32,
}
assert_layout!(
    RemoteShutdown = "sched_remote_shutdown", 4.x 14 to 22, size 8,
    domain_id @ 0, _pad @ 2, reason @ 4,
);

/// Argument of watchdog. C: `struct sched_watchdog`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Watchdog {
    /// In: which watchdog; 0 for a new one.
    pub id: u32,
    /// In: seconds; 0 stops it.
    pub timeout: u32,
}
assert_layout!(Watchdog = "sched_watchdog", 4.x 14 to 22, size 8, id @ 0, timeout @ 4);
