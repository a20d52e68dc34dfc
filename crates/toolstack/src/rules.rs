//! What follows the end of a domain: `on_poweroff`, `on_reboot`, `on_crash`, and the guard against endless restarts.
//!
//! The guard is xend's: a domain that was itself born by a restart and lives for less than
//! [`MINIMUM_RESTART_INTERVAL_NS`] is not restarted once more. One early end is forgiven, because installers and tests
//! reboot soon after their start.

use proto::domain::{Action, DomainConfig, ShutdownReason};

/// The least time between two restarts of a domain: xend's `MINIMUM_RESTART_TIME`, one minute.
pub const MINIMUM_RESTART_INTERVAL_NS: u64 = 60 * 1_000_000_000;

/// A domain's restarts up to now; handed from one life to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Restarts {
    /// How many there were.
    pub(crate) count: u32,
    /// When the last one was, on the platform's clock.
    pub(crate) last_ns: Option<u64>,
    /// How the last life ended.
    pub(crate) last_end: Option<ShutdownReason>,
}

impl Restarts {
    /// One more, now, after such an end.
    pub(crate) fn next(self, ended: ShutdownReason, now_ns: u64) -> Self {
        Self { count: self.count.saturating_add(1), last_ns: Some(now_ns), last_end: Some(ended) }
    }
}

/// What is to be done with a domain that ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// What its configuration says.
    Follow(Action),
    /// Its configuration says "restart", but it was restarted only this long ago: it is destroyed.
    TooFast {
        /// Nanoseconds since the last restart.
        elapsed_ns: u64,
    },
}

/// Looks up what follows.
pub(crate) fn verdict(
    config: &DomainConfig,
    reason: ShutdownReason,
    restarts: Restarts,
    now_ns: u64,
) -> Verdict {
    let action = action(config, reason);
    match restarts.last_ns {
        Some(last) if restarts_by(action) && now_ns.saturating_sub(last) < MINIMUM_RESTART_INTERVAL_NS => {
            Verdict::TooFast { elapsed_ns: now_ns.saturating_sub(last) }
        }
        _ => Verdict::Follow(action),
    }
}

/// Whether any end may lead to building the domain anew.
pub(crate) fn may_restart(config: &DomainConfig) -> bool {
    [config.on_poweroff, config.on_reboot, config.on_crash].into_iter().any(restarts_by)
}

/// Whether this builds the domain anew.
pub(crate) fn restarts_by(action: Action) -> bool {
    matches!(action, Action::Restart | Action::RenameRestart | Action::CoredumpRestart)
}

fn action(config: &DomainConfig, reason: ShutdownReason) -> Action {
    match reason {
        ShutdownReason::Poweroff => config.on_poweroff,
        // A soft reset asks for a fresh start within the same domain. Built anew is the nearest that there is.
        ShutdownReason::Reboot | ShutdownReason::SoftReset => config.on_reboot,
        // The one who asked it to suspend is to decide; nobody else knows what its memory is worth.
        ShutdownReason::Suspend => Action::Preserve,
        ShutdownReason::Crash | ShutdownReason::Watchdog | ShutdownReason::Other(_) => config.on_crash,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proto::image::ImageId;

    use super::*;

    /// The configuration of a domain that is destroyed whatever happens.
    pub(crate) fn config(name: &str) -> DomainConfig {
        DomainConfig {
            name: name.into(),
            uuid: None,
            memory_kib: 8 << 10,
            max_memory_kib: 8 << 10,
            vcpus: 1,
            max_vcpus: 1,
            cpus: Vec::new(),
            pool: None,
            weight: None,
            cap: None,
            kernel: ImageId([1; 32]),
            kernel_name: "k".into(),
            ramdisk: None,
            ramdisk_name: "".into(),
            cmdline: "".into(),
            on_poweroff: Action::Destroy,
            on_reboot: Action::Destroy,
            on_crash: Action::Destroy,
        }
    }

    #[test]
    fn each_end_has_its_rule() {
        let config = DomainConfig {
            on_poweroff: Action::Destroy,
            on_reboot: Action::Restart,
            on_crash: Action::RenameRestart,
            ..config("a")
        };
        for (reason, action) in [
            (ShutdownReason::Poweroff, Action::Destroy),
            (ShutdownReason::Reboot, Action::Restart),
            (ShutdownReason::SoftReset, Action::Restart),
            (ShutdownReason::Suspend, Action::Preserve),
            (ShutdownReason::Crash, Action::RenameRestart),
            (ShutdownReason::Watchdog, Action::RenameRestart),
            (ShutdownReason::Other(9), Action::RenameRestart),
        ] {
            let got = verdict(&config, reason, Restarts::default(), 0);
            assert_eq!(got, Verdict::Follow(action), "{reason:?}");
        }
    }

    #[test]
    fn one_early_end_is_forgiven_a_second_is_not() {
        let config = DomainConfig { on_reboot: Action::Restart, ..config("a") };
        let reboot = |restarts, now| verdict(&config, ShutdownReason::Reboot, restarts, now);
        let never = Restarts::default();
        assert_eq!(reboot(never, 1), Verdict::Follow(Action::Restart));
        let once = never.next(ShutdownReason::Reboot, 1);
        assert_eq!((once.count, once.last_end), (1, Some(ShutdownReason::Reboot)));
        assert_eq!(reboot(once, 2), Verdict::TooFast { elapsed_ns: 1 });
        assert_eq!(reboot(once, 1 + MINIMUM_RESTART_INTERVAL_NS), Verdict::Follow(Action::Restart));
    }

    #[test]
    fn the_guard_does_not_touch_rules_that_restart_nothing() {
        let once = Restarts::default().next(ShutdownReason::Crash, 1);
        let got = verdict(&config("a"), ShutdownReason::Crash, once, 2);
        assert_eq!(got, Verdict::Follow(Action::Destroy));
    }
}
