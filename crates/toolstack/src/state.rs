//! What Xen's flags say of a domain's state. Source: public/domctl.h (`XEN_DOMINF_*`), public/sched.h (`SHUTDOWN_*`).

use proto::domain::{DomainState, ShutdownReason};
use xen_abi::domctl::{
    XEN_DOMINF_BLOCKED, XEN_DOMINF_DYING, XEN_DOMINF_PAUSED, XEN_DOMINF_RUNNING, XEN_DOMINF_SHUTDOWN,
    XEN_DOMINF_SHUTDOWNMASK, XEN_DOMINF_SHUTDOWNSHIFT,
};

/// How a domain ended, where it has.
pub(crate) fn shutdown_reason(flags: u32) -> Option<ShutdownReason> {
    if flags & XEN_DOMINF_SHUTDOWN == 0 {
        return None;
    }
    Some(match (flags >> XEN_DOMINF_SHUTDOWNSHIFT) & XEN_DOMINF_SHUTDOWNMASK {
        0 => ShutdownReason::Poweroff,
        1 => ShutdownReason::Reboot,
        2 => ShutdownReason::Suspend,
        3 => ShutdownReason::Crash,
        4 => ShutdownReason::Watchdog,
        5 => ShutdownReason::SoftReset,
        // The mask leaves eight bits.
        other => ShutdownReason::Other(other as u8),
    })
}

/// xm's six flags. As libxc had it, one who crashed counts as crashed and not also as shut down.
pub(crate) fn state(flags: u32) -> DomainState {
    let mut state = DomainState::empty();
    for (bit, flag) in [
        (XEN_DOMINF_RUNNING, DomainState::RUNNING),
        (XEN_DOMINF_BLOCKED, DomainState::BLOCKED),
        (XEN_DOMINF_PAUSED, DomainState::PAUSED),
        (XEN_DOMINF_DYING, DomainState::DYING),
    ] {
        state.set(flag, flags & bit != 0);
    }
    match shutdown_reason(flags) {
        Some(ShutdownReason::Crash) => state |= DomainState::CRASHED,
        Some(_) => state |= DomainState::SHUTDOWN,
        None => {}
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_is_told() {
        for (flags, expected) in [
            (0, DomainState::empty()),
            (0x22, DomainState::RUNNING),
            (0x12, DomainState::BLOCKED),
            (0x0a, DomainState::PAUSED),
            (0x0003_0006, DomainState::CRASHED),
            (0x0001_000e, DomainState::SHUTDOWN | DomainState::PAUSED),
            (0x0000_0005, DomainState::SHUTDOWN | DomainState::DYING),
        ] {
            assert_eq!(state(flags), expected, "{flags:#x}");
        }
    }

    #[test]
    fn the_reason_counts_only_with_the_shutdown_flag() {
        assert_eq!(shutdown_reason(0x0003_0002), None);
        assert_eq!(shutdown_reason(0x0000_0004), Some(ShutdownReason::Poweroff));
        assert_eq!(shutdown_reason(0x0001_0004), Some(ShutdownReason::Reboot));
        assert_eq!(shutdown_reason(0x0002_0004), Some(ShutdownReason::Suspend));
        assert_eq!(shutdown_reason(0x0004_0004), Some(ShutdownReason::Watchdog));
        assert_eq!(shutdown_reason(0x0005_0004), Some(ShutdownReason::SoftReset));
        assert_eq!(shutdown_reason(0x00ff_0004), Some(ShutdownReason::Other(255)));
    }
}
