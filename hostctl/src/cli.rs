//! hostctl's command line: one definition for parsing, help, completions and manual pages.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::engine::ArgValueCandidates;

use crate::broker::server;
use crate::bundle::Bundle;
use crate::client::CallError;
use crate::connect::{Line, Options};
use crate::console_log::ConsoleLog;
use crate::coredump::keep::KeepCore;
use crate::lab::dir::LabName;
use crate::lab::up::MachineFailed;
use crate::lab::{down::Down, keeper, log::Log, run::Run, status, up::Up};
use crate::output::Output;
use crate::usage::Usage;
use crate::xenstore::XenStore;
use crate::xenstored::Xenstored;
use crate::{complete, exit, man, xm};

const EXAMPLES: &str = "\
Examples:
  hostctl lab up                                   start Xen and a control domain in QEMU
  hostctl xm create guest.cfg memory=96 -c         create a guest and attach to its console
  hostctl xm list                                  see what runs
  hostctl xm console guest                         Ctrl-] detaches
  hostctl lab down                                 end it all
  hostctl lab run --timeout 60 unikernel.cfg       one guest, its console, its end as exit code
  hostctl --connect unix:/run/line.sock xm info    another control domain

The program called as 'xm' or 'xl' is 'hostctl xm'.";

/// Commands a nanodom control domain: a Xen machine without Linux in domain 0.
#[derive(Parser, Debug)]
#[command(name = "hostctl", version, after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args, Debug)]
struct Global {
    /// The control domain: lab:NAME or unix:/PATH. Otherwise the one lab that is up.
    #[arg(long, global = true, display_order = 901, env = "HOSTCTL_CONNECT", value_name = "LINK", add = ArgValueCandidates::new(complete::links))]
    connect: Option<String>,
    /// Give up after so many seconds.
    #[arg(long, global = true, display_order = 902, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Say on stderr what is done.
    #[arg(short, long, global = true, display_order = 903)]
    verbose: bool,
    /// Print JSON, for programs: results on stdout, errors on stderr.
    #[arg(long, global = true, display_order = 904)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// The classic Xen command: list, create, console, destroy, ... ('hostctl xm help' lists them).
    #[command(disable_help_flag = true)]
    Xm {
        /// The command and its words.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
        words: Vec<OsString>,
    },
    /// Start, inspect and end labs: QEMU with Xen and a control domain.
    #[command(subcommand)]
    Lab(Lab),
    #[command(subcommand)]
    Bundle(Bundle),
    ConsoleLog(ConsoleLog),
    Log(crate::log::Log),
    Usage(Usage),
    #[command(name = "xenstore")]
    XenStore(XenStore),
    Xenstored(Xenstored),
    /// Print a completion script for a shell.
    ///
    /// It asks hostctl at each Tab, and so knows domains and labs. bash: source <(hostctl completions bash). zsh: the same. fish: hostctl completions fish | source.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
        /// What the program is called: 'xm' where that is a link to hostctl.
        #[arg(long, value_name = "NAME", default_value = "hostctl", value_parser = ["hostctl", "xm", "xl"])]
        name: String,
    },
    /// Write manual pages into a directory.
    Man {
        /// The directory.
        dir: PathBuf,
    },
    /// Own a line and serve other hostctls; started by them.
    #[command(hide = true)]
    Broker {
        /// The line.
        #[arg(long)]
        line: String,
        /// End after so many seconds without a client.
        #[arg(long, env = "HOSTCTL_BROKER_IDLE", default_value = "60", value_parser = seconds)]
        idle: Duration,
    },
    #[command(hide = true)]
    KeepCore(KeepCore),
    /// Be the parent of a lab's QEMU; started by `lab up` and `lab run`.
    #[command(hide = true)]
    LabKeeper {
        /// The lab.
        #[arg(value_parser = LabName::parse)]
        name: LabName,
        /// End when this process does.
        #[arg(long)]
        parent: Option<u32>,
    },
}

#[derive(Subcommand, Debug)]
enum Lab {
    Up(Up),
    Down(Down),
    Status(status::Status),
    Log(Log),
    Run(Run),
    List(status::List),
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Runs hostctl with this command line, program name first; returns the exit code.
pub fn run(args: Vec<OsString>, out: &mut Output) -> u8 {
    let code = run_command(args, out);
    out.end();
    code
}

fn run_command(mut args: Vec<OsString>, out: &mut Output) -> u8 {
    let called_as = args.first().map(PathBuf::from);
    let is_xm = called_as
        .as_deref()
        .and_then(|path| path.file_name())
        .is_some_and(|name| name == "xm" || name == "xl");
    match complete::answer(Cli::command, is_xm, &args) {
        Ok(false) => {}
        Ok(true) => return exit::OK,
        Err(error) => return refuse(&error, out),
    }
    if is_xm {
        return run_xm(args.split_off(1), &Options::default(), out);
    }
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            // What was not understood is not known to be `--json`, but that is how it was meant.
            out.is_json = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
            return refuse(&error, out);
        }
    };
    out.is_json = cli.global.json;
    let options =
        Options { connect: cli.global.connect, timeout: cli.global.timeout, verbose: cli.global.verbose };
    let result = dispatch(cli.command, &options, out).and_then(|code| Ok(out.flush().map(|()| code)?));
    result.unwrap_or_else(|error| report(&error, out))
}

/// Help and version, or what is wrong with the command line.
fn refuse(error: &clap::Error, out: &mut Output) -> u8 {
    if error.use_stderr() && out.is_json {
        let text = error.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        return out.fail_with(exit::USAGE, text, Some("'--help' shows how it is used"));
    }
    // A closed stdout is no reason to say more.
    let _ = error.print();
    if error.use_stderr() { exit::USAGE } else { exit::OK }
}

fn dispatch(command: Command, options: &Options, out: &mut Output) -> Result<u8> {
    match command {
        Command::Xm { words } => return Ok(run_xm(words, options, out)),
        Command::Lab(Lab::Up(up)) => return up.run(options, out),
        Command::Lab(Lab::Down(down)) => return down.run(options, out),
        Command::Lab(Lab::Status(status)) => return status.run(options, out),
        Command::Lab(Lab::Log(log)) => return log.run(options, out),
        Command::Lab(Lab::Run(run)) => return run.run(options, out),
        Command::Lab(Lab::List(list)) => return list.run(out),
        Command::Bundle(bundle) => return bundle.run(out),
        Command::ConsoleLog(log) => return log.run(options, out),
        Command::Log(log) => return log.run(options, out),
        Command::Usage(usage) => return usage.run(options, out),
        Command::XenStore(xenstore) => return xenstore.run(options, out),
        Command::Xenstored(xenstored) => return xenstored.run(options, out),
        Command::Completions { shell, name } => complete::script(shell, &name, &mut out.stdout)?,
        Command::Man { dir } => {
            std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
            man::write(complete::whole(Cli::command()), &dir)
                .with_context(|| format!("cannot write manual pages to {}", dir.display()))?;
        }
        Command::Broker { line, idle } => server::run(&Line::parse(&line)?, idle)?,
        Command::KeepCore(keep) => keep.run(options)?,
        Command::LabKeeper { name, parent } => keeper::run(&name, parent)?,
    }
    Ok(exit::OK)
}

fn run_xm(words: Vec<OsString>, options: &Options, out: &mut Output) -> u8 {
    let words: Result<Vec<String>, OsString> = words.into_iter().map(OsString::into_string).collect();
    match words {
        Ok(words) => xm::run(&words, options, out),
        Err(word) => out.fail(exit::FAILED, &format!("a word is not UTF-8: {}", word.to_string_lossy())),
    }
}

/// Says what went wrong, and gives the exit code for it.
fn report(error: &anyhow::Error, out: &mut Output) -> u8 {
    let io_kind = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    if io_kind == Some(io::ErrorKind::BrokenPipe) {
        return exit::OK;
    }
    let code = match error.downcast_ref::<CallError>() {
        Some(CallError::Interrupted(signal)) => return out.stopped(*signal),
        Some(error) => error.exit_code(),
        None if error.is::<MachineFailed>() => exit::MACHINE,
        None => exit::FAILED,
    };
    out.fail(code, &format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::captured;

    fn hostctl(line: &str) -> (u8, String, String) {
        let words = line.split_whitespace().map(OsString::from).collect();
        captured(|out| run(words, out))
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn called_as_xm_it_is_hostctl_xm() {
        for line in ["xm help", "/usr/sbin/xl help", "hostctl xm help", "hostctl xm --help"] {
            assert_eq!(hostctl(line), (0, xm::help::long(), String::new()), "{line}");
        }
    }

    #[test]
    fn options_after_an_xm_command_are_the_commands_own() {
        let (code, _, stderr) = hostctl("hostctl xm list -Q");
        assert_eq!((code, stderr.as_str()), (1, "Error: option -Q not recognized\n"));
    }

    #[test]
    fn manual_pages_and_completions_come_from_the_same_definition() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(hostctl(&format!("hostctl man {}", dir.path().display())).0, 0);
        let page = std::fs::read_to_string(dir.path().join("hostctl-lab-run.1")).unwrap();
        assert!(page.contains("Exit code: 0 the guest powered off"), "{page}");
        let (code, script, _) = hostctl("hostctl completions bash");
        assert!(code == 0 && script.contains("hostctl"));
    }
}
