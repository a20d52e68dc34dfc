//! The whole command line as clap knows it, with xm's commands from their table: for completion and manual pages.
//!
//! A shell's script asks hostctl itself at each Tab ([`answer`]), so that names of domains and labs are those of now.

use std::ffi::{OsStr, OsString};
use std::io;
use std::time::Duration;

use clap::builder::StyledStr;
use clap::{Arg, ArgAction, ValueHint};
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};

use crate::client::Client;
use crate::connect::Options;
use crate::lab::dir::LabDir;
use crate::pages;
use crate::xm::help::{NOTE, example};
use crate::xm::table::{Command, HELP_ABOUT, commands};

/// Names the shell that asks; set by its script.
const VARIABLE: &str = "HOSTCTL_COMPLETE";
/// How long whoever presses Tab may have to wait.
const PATIENCE: Duration = Duration::from_secs(2);
/// hostctl's own options stand before `xm`: what follows it is xm's.
const NOT_BEHIND_XM: [&str; 3] = ["connect", "timeout", "verbose"];

/// The command line with xm's commands in it.
pub fn whole(hostctl: clap::Command) -> clap::Command {
    hostctl.mut_subcommand("xm", |place| {
        let tree = xm().bin_name("hostctl xm");
        match place.get_about() {
            Some(about) => tree.about(about.clone()),
            None => tree,
        }
    })
}

/// `xm` as a command of its own: those of its commands that this release has.
fn xm() -> clap::Command {
    let help = clap::Command::new("help").about(HELP_ABOUT).disable_help_flag(true);
    let mut tree = clap::Command::new("xm")
        .about("Control, list, and manipulate Xen guest instances.")
        .after_help(NOTE)
        .disable_help_subcommand(true)
        .subcommand(shadowed(help));
    for command in commands().filter(|command| command.run.is_some()) {
        tree = tree.subcommand(shadowed(described(command)));
    }
    tree
}

/// A row of xm's table.
fn described(command: &'static Command) -> clap::Command {
    let mut described = clap::Command::new(command.name)
        .about(command.about)
        .override_usage(format!("xm {} {}", command.name, command.synopsis))
        .after_help(notes(command))
        .disable_help_flag(true);
    for (forms, about) in command.options {
        described = described.arg(option(forms, about));
    }
    let word = |name: &'static str| Arg::new(name).num_args(0..);
    if command.synopsis.contains("<ConfigFile>") {
        described.arg(word("ConfigFile").value_hint(ValueHint::AnyPath).help("The configuration's file."))
    } else if command.synopsis.to_lowercase().contains("dom") {
        let about = "The domain's name, id or uuid.";
        described.arg(word("Domain").add(ArgValueCandidates::new(domains)).help(about))
    } else {
        described
    }
}

/// What a manual page says behind the options.
fn notes(command: &Command) -> String {
    let mut text = example(command);
    if let Some(schema) = command.notes().and_then(|notes| notes.schema) {
        let about = format!("With --json it prints what docs/schema/{schema}.json describes.");
        text.push_str(&format!("\nOutput for programs:\n{about}\n"));
    }
    if !command.refusals().is_empty() {
        text.push_str("\nErrors, with their exit codes:\n");
    }
    for refusal in command.refusals() {
        text.push_str(&format!("  {}  {}\n", refusal.code, refusal.text.replace("[..]", "...")));
    }
    text
}

/// An option from its forms in the table: `-f FILE, --defconfig=FILE`.
fn option(forms: &'static str, about: &'static str) -> Arg {
    let mut arg = Arg::new("").help(about).action(ArgAction::SetTrue);
    for form in forms.split(", ") {
        let (name, value) = form.split_once(['=', ' ']).map_or((form, None), |(name, v)| (name, Some(v)));
        arg = match name.strip_prefix("--") {
            Some(long) => arg.long(long).id(long),
            None => arg.short(name.chars().nth(1)).id(name),
        };
        if let Some(value) = value {
            arg = arg.action(ArgAction::Set).value_name(value.trim_matches(['<', '>']));
        }
    }
    arg
}

/// Keeps hostctl's own options, which clap hands down to every command, out of one of xm's.
fn shadowed(command: clap::Command) -> clap::Command {
    NOT_BEHIND_XM.into_iter().fold(command, |command, name| {
        command.arg(Arg::new(name).long(name).hide(true).action(ArgAction::SetTrue))
    })
}

/// Answers a shell that asks what may stand at the cursor; false when no shell asks.
///
/// # Errors
/// It asks for a shell that is not known, or does not listen.
pub fn answer(hostctl: fn() -> clap::Command, is_xm: bool, args: &[OsString]) -> Result<bool, clap::Error> {
    let tree = || if is_xm { xm() } else { whole(hostctl()) };
    let directory = std::env::current_dir().ok();
    CompleteEnv::with_factory(tree).var(VARIABLE).try_complete(args, directory.as_deref())
}

/// Writes the script that makes a shell ask the program of this name.
///
/// # Errors
/// Whatever writing gives.
pub fn script(shell: Shell, name: &str, out: &mut dyn io::Write) -> io::Result<()> {
    match Shells::builtins().completer(&shell.to_string()) {
        Some(shell) => shell.write_registration(VARIABLE, name, name, name, out),
        None => Err(io::Error::other(format!("there is no completion for {shell}"))),
    }
}

/// The domains that there are now; none where no machine answers soon.
pub fn domains() -> Vec<CompletionCandidate> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let connect = connect_of(&words).or_else(|| std::env::var("HOSTCTL_CONNECT").ok());
    let options = Options { connect, timeout: Some(PATIENCE), verbose: false };
    let Ok(Ok(domains)) = Client::connect(&options).and_then(|mut client| pages::domains(&mut client)) else {
        return Vec::new();
    };
    let about = |domid: u16| StyledStr::from(format!("domain {domid}"));
    domains
        .into_iter()
        .map(|domain| CompletionCandidate::new(domain.name).help(Some(about(domain.domid))))
        .collect()
}

/// The link that the words at the cursor name.
fn connect_of(words: &[OsString]) -> Option<String> {
    let mut words = words.iter().map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        match word.strip_prefix("--connect") {
            Some("") => return words.next().map(String::from),
            Some(rest) if rest.starts_with('=') => return Some(rest[1..].to_owned()),
            _ => {}
        }
    }
    None
}

/// All labs of this user.
pub fn labs() -> Vec<CompletionCandidate> {
    LabDir::all()
        .into_iter()
        .map(|dir| {
            let about = if dir.is_running() { "up" } else { "dead" };
            CompletionCandidate::new(dir.name().to_string()).help(Some(about.into()))
        })
        .collect()
}

/// Links that `--connect` takes.
pub fn links() -> Vec<CompletionCandidate> {
    let labs = LabDir::running().into_iter().map(|name| CompletionCandidate::new(format!("lab:{name}")));
    labs.chain([CompletionCandidate::new(OsStr::new("unix:/"))]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xms_tree_is_consistent_and_has_what_this_release_has() {
        let mut tree = xm();
        tree.build();
        tree.clone().debug_assert();
        let names: Vec<&str> = tree.get_subcommands().map(clap::Command::get_name).collect();
        assert!(names.contains(&"list") && names.contains(&"help") && !names.contains(&"vnet-list"));
    }

    #[test]
    fn options_of_the_table_are_clap_options() {
        let value = option("-f FILE, --defconfig=FILE", "Use this file.");
        assert_eq!((value.get_short(), value.get_long()), (Some('f'), Some("defconfig")));
        assert_eq!(value.get_value_names().unwrap(), ["FILE"]);
        let flag = option("-n, --dryrun", "Try.");
        assert!(matches!(flag.get_action(), ArgAction::SetTrue));
    }

    #[test]
    fn the_link_is_the_one_on_the_command_line() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(connect_of(&words("hostctl --connect lab:a xm list")), Some("lab:a".into()));
        assert_eq!(connect_of(&words("hostctl --connect=lab:b xm list")), Some("lab:b".into()));
        assert_eq!(connect_of(&words("hostctl xm list")), None);
    }
}
