//! Operations on our own vCPUs. Source: public/vcpu.h.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Mfn;

constants! {
    /// Gives a vCPU its first state.
    VCPUOP_INITIALISE: u32 = 0;
    /// Brings a vCPU up.
    VCPUOP_UP: u32 = 1;
    /// Takes a vCPU down.
    VCPUOP_DOWN: u32 = 2;
    /// Is the vCPU up?
    VCPUOP_IS_UP: u32 = 3;
    /// How long the vCPU was in which state.
    VCPUOP_GET_RUNSTATE_INFO: u32 = 4;
    /// Starts the periodic timer.
    VCPUOP_SET_PERIODIC_TIMER: u32 = 6;
    /// Stops the periodic timer.
    VCPUOP_STOP_PERIODIC_TIMER: u32 = 7;
    /// Starts the one-shot timer.
    VCPUOP_SET_SINGLESHOT_TIMER: u32 = 8;
    /// Stops the one-shot timer.
    VCPUOP_STOP_SINGLESHOT_TIMER: u32 = 9;
    /// Says where the vCPU's shared structure shall be.
    VCPUOP_REGISTER_VCPU_INFO: u32 = 10;

    /// Runs on a CPU.
    RUNSTATE_RUNNING: u32 = 0;
    /// Could run, but has no CPU.
    RUNSTATE_RUNNABLE: u32 = 1;
    /// Waits for an event.
    RUNSTATE_BLOCKED: u32 = 2;
    /// Paused or down.
    RUNSTATE_OFFLINE: u32 = 3;

    /// Flag of set_singleshot_timer: a time that has passed is an error.
    VCPU_SSHOTTMR_FUTURE: u32 = 1;
}

/// Answer of get_runstate_info. C: `struct vcpu_runstate_info`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RunstateInfo {
    /// Out: `RUNSTATE_...`.
    pub state: u32,
    /// Not used.
    pub _pad: u32,
    /// Out: since when, in system time.
    pub state_entry_time: u64,
    /// Out: nanoseconds in each state.
    pub time: [u64; 4],
}
assert_layout!(
    RunstateInfo = "vcpu_runstate_info", 4.x 14 to 22, size 48,
    state @ 0, _pad @ 4, state_entry_time @ 8, time @ 16,
);

/// Argument of set_periodic_timer. C: `struct vcpu_set_periodic_timer`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SetPeriodicTimer {
    /// In: nanoseconds.
    pub period_ns: u64,
}
assert_layout!(SetPeriodicTimer = "vcpu_set_periodic_timer", 4.x 14 to 22, size 8, period_ns @ 0);

/// Argument of set_singleshot_timer. C: `struct vcpu_set_singleshot_timer`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SetSingleshotTimer {
    /// In: when, in system time.
    pub timeout_abs_ns: u64,
    /// In: `VCPU_SSHOTTMR_...`.
    pub flags: u32,
    /// Zero.
    pub _pad: u32,
}
assert_layout!(
    SetSingleshotTimer = "vcpu_set_singleshot_timer", 4.x 14 to 22, size 16,
    timeout_abs_ns @ 0, flags @ 8, _pad @ 12,
);

/// Argument of register_vcpu_info. C: `struct vcpu_register_vcpu_info`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RegisterVcpuInfo {
    /// In: the frame (of our own, in a translated domain).
    pub mfn: Mfn,
    /// In: bytes from the frame's start.
    pub offset: u32,
    /// Zero.
    pub rsvd: u32,
}
assert_layout!(
    RegisterVcpuInfo = "vcpu_register_vcpu_info", 4.x 14 to 22, size 16,
    mfn @ 0, offset @ 8, rsvd @ 12,
);
