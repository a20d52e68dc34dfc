//! What Xen tells of a domain, in the words that people know.

use hypercall::DomainInfo;
use proto::domain::{DomainState, ShutdownReason};

/// How a domain ended, where it has.
pub(crate) fn shutdown_reason(info: &DomainInfo) -> Option<ShutdownReason> {
    use hypercall::ShutdownReason as Xens;
    Some(match info.shutdown? {
        Xens::POWEROFF => ShutdownReason::Poweroff,
        Xens::REBOOT => ShutdownReason::Reboot,
        Xens::SUSPEND => ShutdownReason::Suspend,
        Xens::CRASH => ShutdownReason::Crash,
        Xens::WATCHDOG => ShutdownReason::Watchdog,
        Xens::SOFT_RESET => ShutdownReason::SoftReset,
        // Xen has eight bits for it.
        Xens(other) => ShutdownReason::Other(other as u8),
    })
}

/// xm's six flags. As libxc had it, one who crashed counts as crashed and not also as shut down.
pub(crate) fn state(info: &DomainInfo) -> DomainState {
    let mut state = DomainState::empty();
    state.set(DomainState::RUNNING, info.running);
    state.set(DomainState::BLOCKED, info.blocked);
    state.set(DomainState::PAUSED, info.paused);
    state.set(DomainState::DYING, info.dying);
    match shutdown_reason(info) {
        Some(ShutdownReason::Crash) => state |= DomainState::CRASHED,
        Some(_) => state |= DomainState::SHUTDOWN,
        None => {}
    }
    state
}

#[cfg(test)]
mod tests {
    use hypercall::ShutdownReason as Xens;
    use xen_abi::{DomId, Mfn, Pages};

    use super::*;

    fn info() -> DomainInfo {
        DomainInfo {
            id: DomId(1),
            dying: false,
            hvm: true,
            shutdown: None,
            paused: false,
            blocked: false,
            running: false,
            debugged: false,
            xenstore: false,
            hap: true,
            pages: Pages(0),
            max_pages: Pages(0),
            outstanding_pages: Pages(0),
            shared_pages: Pages(0),
            paged_pages: Pages(0),
            shared_info: Mfn(0),
            cpu_time: 0,
            online_vcpus: 1,
            max_vcpu: None,
            ssidref: 0,
            handle: [0; 16],
            cpupool: 0,
        }
    }

    #[test]
    fn every_flag_is_told() {
        let base = info();
        let down = |reason| DomainInfo { shutdown: Some(reason), ..info() };
        assert_eq!(state(&base), DomainState::empty());
        for (info, expected) in [
            (DomainInfo { running: true, ..info() }, DomainState::RUNNING),
            (DomainInfo { blocked: true, ..info() }, DomainState::BLOCKED),
            (DomainInfo { paused: true, ..info() }, DomainState::PAUSED),
            (DomainInfo { dying: true, ..info() }, DomainState::DYING),
            (down(Xens::CRASH), DomainState::CRASHED),
            (DomainInfo { paused: true, ..down(Xens::REBOOT) }, DomainState::SHUTDOWN | DomainState::PAUSED),
        ] {
            assert_eq!(state(&info), expected, "{info:?}");
        }
    }

    #[test]
    fn every_reason_has_its_word() {
        for (reason, expected) in [
            (Xens::POWEROFF, ShutdownReason::Poweroff),
            (Xens::REBOOT, ShutdownReason::Reboot),
            (Xens::SUSPEND, ShutdownReason::Suspend),
            (Xens::CRASH, ShutdownReason::Crash),
            (Xens::WATCHDOG, ShutdownReason::Watchdog),
            (Xens::SOFT_RESET, ShutdownReason::SoftReset),
            (Xens(255), ShutdownReason::Other(255)),
        ] {
            assert_eq!(shutdown_reason(&DomainInfo { shutdown: Some(reason), ..info() }), Some(expected));
        }
        assert_eq!(shutdown_reason(&info()), None);
    }
}
