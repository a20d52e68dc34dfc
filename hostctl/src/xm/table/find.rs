//! Which command a word means, and which ones the short help names.

use super::{Command, commands};

/// The commands of the short help, in its order.
pub static COMMON: &[&str] = &[
    "console",
    "vncviewer",
    "create",
    "new",
    "delete",
    "destroy",
    "dump-core",
    "help",
    "list",
    "mem-set",
    "migrate",
    "pause",
    "reboot",
    "reset",
    "restore",
    "resume",
    "save",
    "shell",
    "shutdown",
    "start",
    "suspend",
    "top",
    "unpause",
    "uptime",
    "usb-add",
    "usb-del",
    "domstate",
    "vcpu-set",
];

/// What `help` does, for the lists of commands.
pub const HELP_ABOUT: &str = "Print all commands.";

/// Old names of commands, and their new ones.
static ALIASES: &[(&str, &str)] = &[
    ("balloon", "mem-set"),
    ("set-vcpus", "vcpu-set"),
    ("vif-list", "network-list"),
    ("vbd-create", "block-attach"),
    ("vbd-destroy", "block-detach"),
    ("vbd-list", "block-list"),
    ("pool-create", "cpupool-create"),
    ("pool-new", "cpupool-new"),
    ("pool-start", "cpupool-start"),
    ("pool-list", "cpupool-list"),
    ("pool-destroy", "cpupool-destroy"),
    ("pool-delete", "cpupool-delete"),
    ("pool-cpu-add", "cpupool-cpu-add"),
    ("pool-cpu-remove", "cpupool-cpu-remove"),
    ("pool-migrate", "cpupool-migrate"),
];

/// What a word means as a command.
pub enum Found {
    /// A command, by its name or a unique beginning.
    Command(&'static Command),
    /// A command by an old name.
    Deprecated(&'static Command),
    /// `help`.
    Help,
}

/// Looks a word up: exact name, old name, `help`, unique beginning of more than one letter.
pub fn find(word: &str) -> Option<Found> {
    if let Some(command) = by_name(word) {
        return Some(Found::Command(command));
    }
    if let Some((_, new)) = ALIASES.iter().find(|(old, _)| *old == word) {
        return by_name(new).map(Found::Deprecated);
    }
    if word == "help" {
        return Some(Found::Help);
    }
    let mut fitting = commands().filter(|command| word.len() > 1 && command.name.starts_with(word));
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Some(Found::Command(one)),
        _ => None,
    }
}

/// The command of exactly this name.
pub fn by_name(name: &str) -> Option<&'static Command> {
    commands().find(|command| command.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(word: &str) -> Option<&'static str> {
        find(word).map(|found| match found {
            Found::Command(command) | Found::Deprecated(command) => command.name,
            Found::Help => "help",
        })
    }

    #[test]
    fn a_command_is_found_by_name_old_name_and_unique_beginning() {
        for (word, name) in [
            ("list", Some("list")),
            ("li", Some("list")),
            ("l", None),
            ("dom", None),
            ("domi", Some("domid")),
            ("cre", Some("create")),
            ("balloon", Some("mem-set")),
            ("pool-list", Some("cpupool-list")),
            ("help", Some("help")),
            ("ls", None),
            ("zap", None),
        ] {
            assert_eq!(name_of(word), name, "{word}");
        }
    }

    #[test]
    fn every_command_of_this_release_has_an_example_of_itself() {
        for command in commands().filter(|command| command.run.is_some()) {
            let notes =
                command.notes().unwrap_or_else(|| panic!("xm {} has no notes (notes.rs)", command.name));
            let line = notes.example.0;
            assert_eq!(line.split(' ').nth(1), Some(command.name), "{line}");
        }
    }

    #[test]
    fn every_common_command_and_every_new_name_exists() {
        for name in COMMON.iter().filter(|name| **name != "help").chain(ALIASES.iter().map(|(_, new)| new)) {
            assert!(by_name(name).is_some(), "{name}");
        }
    }
}
