//! What follows a domain's end, and the end and the beginning of what manages it, in the words that configurations have for it.

use proto::domain::Action;

/// What happens to a managed domain when its manager begins to work: `on_xend_start`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnStart {
    /// Nothing.
    #[default]
    Ignore,
    /// It is started.
    Start,
}

/// What happens to a managed domain when its manager ends: `on_xend_stop`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnStop {
    /// Nothing.
    #[default]
    Ignore,
    /// It is shut down.
    Shutdown,
    /// It is suspended.
    Suspend,
}

impl OnStart {
    /// Reads the word.
    pub fn named(word: &str) -> Option<OnStart> {
        match word {
            "ignore" => Some(OnStart::Ignore),
            "start" => Some(OnStart::Start),
            _ => None,
        }
    }
}

impl OnStop {
    /// Reads the word.
    pub fn named(word: &str) -> Option<OnStop> {
        match word {
            "ignore" => Some(OnStop::Ignore),
            "shutdown" => Some(OnStop::Shutdown),
            "suspend" => Some(OnStop::Suspend),
            _ => None,
        }
    }
}

/// An end of a domain that has a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// `on_poweroff`.
    Poweroff,
    /// `on_reboot`.
    Reboot,
    /// `on_crash`.
    Crash,
}

impl Event {
    /// xend's word for it, in the error about its rule.
    pub fn word(self) -> &'static str {
        match self {
            Event::Poweroff => "shutdown",
            Event::Reboot => "reboot",
            Event::Crash => "crash",
        }
    }

    /// Reads the rule. Only a crash leaves something to dump.
    pub fn action(self, word: &str) -> Option<Action> {
        match word {
            "destroy" => Some(Action::Destroy),
            "restart" => Some(Action::Restart),
            "preserve" => Some(Action::Preserve),
            "rename-restart" => Some(Action::RenameRestart),
            "coredump-destroy" if self == Event::Crash => Some(Action::CoredumpDestroy),
            "coredump-restart" if self == Event::Crash => Some(Action::CoredumpRestart),
            _ => None,
        }
    }
}

/// A rule in its word.
pub fn word(action: Action) -> &'static str {
    match action {
        Action::Destroy => "destroy",
        Action::Restart => "restart",
        Action::Preserve => "preserve",
        Action::RenameRestart => "rename-restart",
        Action::CoredumpDestroy => "coredump-destroy",
        Action::CoredumpRestart => "coredump-restart",
    }
}

/// What the deprecated variable `restart` stands for: the rules of power-off, reboot and crash.
///
/// `never` is what its documentation promised; xm itself stored a word that xend then refused.
pub fn of_restart(word: &str) -> Option<[Action; 3]> {
    match word {
        "onreboot" => Some([Action::Destroy, Action::Restart, Action::Destroy]),
        "always" => Some([Action::Restart; 3]),
        "never" => Some([Action::Destroy; 3]),
        _ => None,
    }
}
