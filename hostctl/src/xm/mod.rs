//! `hostctl xm`: the classic command, spoken to a control domain without xend.
//!
//! Output, texts, errors and exit codes are xm's where scripts could notice; `--json` on every command is ours.

pub mod console;
pub mod cpupool;
pub mod create;
pub mod debug_keys;
pub mod dmesg;
pub mod dump_core;
pub mod failure;
pub mod getopt;
pub mod help;
pub mod info;
pub mod life;
pub mod lifecycle;
pub mod list;
pub mod log;
pub mod memory;
pub mod names;
pub mod pin;
pub mod sched;
pub mod shell;
pub mod shutdown;
pub mod table;
pub mod top;
pub mod uptime;
pub mod vcpu;
pub mod why_not;

use crate::client::Client;
use crate::connect::Options;
use crate::exit;
use crate::output::Output;
use failure::{Failure, NAMES_HINT};
use table::{Command, Found, Words};

/// What a command works with.
pub struct Context<'a> {
    /// Where to write.
    pub out: &'a mut Output,
    /// How to reach the control domain.
    pub link: &'a Options,
    /// `--json` was given.
    pub json: bool,
}

impl Context<'_> {
    /// Reaches the control domain.
    ///
    /// # Errors
    /// There is none, or it cannot be reached.
    pub fn connect(&mut self) -> Result<Client, Failure> {
        Ok(Client::connect(self.link)?)
    }
}

/// Runs `xm` with the words that follow it; returns the exit code.
pub fn run(words: &[String], link: &Options, out: &mut Output) -> u8 {
    out.is_json |= has_json(words);
    let words = words.strip_prefix(&["--json".to_owned()]).unwrap_or(words);
    let code = match words.first().map(String::as_str) {
        None if out.is_json => Ok(out.fail_with(exit::FAILED, "no command was given", Some(LIST_HINT))),
        None => out.text(&help::short()).map(|()| exit::FAILED),
        Some("--help" | "-h") => out.text(&help::long()).map(|()| exit::OK),
        Some(word) => dispatch(word, &words[1..], link, out),
    };
    match code.and_then(|code| out.flush().map(|()| code)) {
        Ok(code) => code,
        Err(error) => output_error(error, out),
    }
}

fn dispatch(word: &str, args: &[String], link: &Options, out: &mut Output) -> std::io::Result<u8> {
    let command = match table::find(word) {
        Some(Found::Command(command)) => command,
        Some(Found::Deprecated(command)) => {
            out.complain(&format!("Command {word} is deprecated.  Please use xm {} instead.", command.name));
            command
        }
        Some(Found::Help) => return out.text(&help::long()).map(|()| exit::OK),
        None => {
            out.fail_with(exit::FAILED, &format!("Subcommand {word} not found!"), Some(LIST_HINT));
            if out.is_json {
                return Ok(exit::FAILED);
            }
            return out.text(&help::short()).map(|()| exit::FAILED);
        }
    };
    if args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--help" || arg == "-h") {
        return out.text(&help::explained(command)).map(|()| exit::FAILED);
    }
    // Behind `--` it is a word like others.
    let nr_options = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    let args: Vec<String> = args
        .iter()
        .enumerate()
        .filter(|(place, arg)| *place > nr_options || *arg != "--json")
        .map(|(_, arg)| arg.clone())
        .collect();
    let Some(run) = command.run else {
        let text = format!("'xm {}' is not available in this release of nanodom", command.name);
        return Ok(out.fail(exit::FAILED, &text));
    };
    if let Some(complaint) = count_complaint(command, &args) {
        if out.is_json {
            return Ok(out.fail_with(exit::FAILED, &complaint, Some(&usage_hint(command))));
        }
        out.fail(exit::FAILED, &format!("{complaint}\n"));
        return out.text(&help::usage(command)).map(|()| exit::FAILED);
    }
    let json = out.is_json;
    match run(&mut Context { out, link, json }, &args) {
        Ok(()) => Ok(exit::OK),
        Err(failure) => report(failure, command, out),
    }
}

/// What is wrong with the number of words, if anything. Options count; a bare `--` does not.
fn count_complaint(command: &Command, args: &[String]) -> Option<String> {
    let given = args.iter().filter(|arg| *arg != "--").count();
    match command.words {
        Words::Exactly(needed) if given != needed => {
            Some(format!("'xm {}' requires {needed} arguments.", command.name))
        }
        Words::Between(least, most) if !(least..=most).contains(&given) => {
            Some(format!("'xm {}' requires between {least} and {most} arguments.", command.name))
        }
        _ => None,
    }
}

/// Says what went wrong, and returns the exit code.
fn report(failure: Failure, command: &Command, out: &mut Output) -> std::io::Result<u8> {
    Ok(match failure {
        Failure::Plain(text) => out.fail(exit::FAILED, &text),
        Failure::WithUsage(text) => {
            out.fail_with(exit::FAILED, &text, Some(&usage_hint(command)));
            if !out.is_json {
                out.text(&help::usage(command))?;
            }
            exit::FAILED
        }
        Failure::Hinted { text, hint } => {
            out.fail_with(exit::FAILED, &text, Some(&hint));
            if !out.is_json {
                out.text(&help::usage(command))?;
            }
            exit::FAILED
        }
        Failure::NoDomain(name) => {
            let text = format!("Domain '{name}' does not exist.");
            out.fail_with(exit::NO_DOMAIN, &text, Some(NAMES_HINT))
        }
        Failure::Code(code, text) => out.fail(code, &text),
        Failure::Silent(code) => code,
        Failure::Signal(signal) => out.stopped(signal),
        Failure::Interrupted if out.is_json => out.fail(exit::FAILED, "Interrupted."),
        Failure::Interrupted => {
            out.line("Interrupted.")?;
            out.complain("");
            exit::FAILED
        }
        Failure::Output(error) => return Err(error),
    })
}

const LIST_HINT: &str = "'xm help' lists the commands";

fn usage_hint(command: &Command) -> String {
    format!("'xm {} --help' shows its usage", command.name)
}

/// `--json` is among the words; behind `--` it is a word like others.
fn has_json(words: &[String]) -> bool {
    words.iter().take_while(|word| *word != "--").any(|word| word == "--json")
}

/// A closed pipe ends the program quietly; anything else is said.
fn output_error(error: std::io::Error, out: &mut Output) -> u8 {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        return exit::OK;
    }
    out.fail(exit::FAILED, &format!("cannot write the output: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::captured;

    fn xm(line: &str) -> (u8, String, String) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        // Whatever lab may be up on this machine is not meant.
        let nowhere = Options { connect: Some("unix:/nowhere".into()), timeout: None, verbose: false };
        captured(|out| run(&words, &nowhere, out))
    }

    #[test]
    fn without_words_the_short_help_is_printed_and_the_exit_code_is_1() {
        assert_eq!(xm(""), (1, help::short(), String::new()));
    }

    #[test]
    fn help_is_long_whatever_follows() {
        for line in ["help", "help --long", "--help", "-h"] {
            assert_eq!(xm(line), (0, help::long(), String::new()), "{line}");
        }
    }

    #[test]
    fn an_unknown_word_is_named_before_the_short_help() {
        assert_eq!(xm("zap 1"), (1, help::short(), "Error: Subcommand zap not found!\n".into()));
    }

    #[test]
    fn help_of_a_command_is_its_usage_with_exit_code_1() {
        let usage = help::explained(table::by_name("list").unwrap());
        assert!(
            usage.ends_with("\nExample:\n  xm list --state=paused\n      list the domains that are paused\n")
        );
        assert_eq!(xm("li x --help"), (1, usage, String::new()));
    }

    #[test]
    fn a_wrong_number_of_words_is_said_with_the_usage() {
        let usage = |name| help::usage(table::by_name(name).unwrap());
        assert_eq!(xm("pause"), (1, usage("pause"), "Error: 'xm pause' requires 1 arguments.\n\n".into()));
        assert_eq!(
            xm("console"),
            (1, usage("console"), "Error: 'xm console' requires between 1 and 3 arguments.\n\n".into())
        );
        assert_eq!(xm("domid -- ").0, 1);
    }

    #[test]
    fn json_behind_two_dashes_is_a_word() {
        assert_eq!(xm("pause -- --json d").2, "Error: 'xm pause' requires 1 arguments.\n\n");
    }

    #[test]
    fn with_json_every_mistake_is_one_object_and_no_usage_is_printed() {
        for (line, error, hint) in [
            ("--json", "no command was given", LIST_HINT),
            ("zap --json", "Subcommand zap not found!", LIST_HINT),
            ("pause --json", "'xm pause' requires 1 arguments.", "'xm pause --help' shows its usage"),
            ("list --json -Q", "option -Q not recognized", "'xm list --help' shows its usage"),
        ] {
            let (code, stdout, stderr) = xm(line);
            let object: serde_json::Value = serde_json::from_str(&stderr).unwrap();
            assert_eq!(
                (code, stdout.as_str(), object),
                (1, "", serde_json::json!({ "error": error, "code": 1, "hint": hint })),
                "{line}"
            );
        }
    }

    #[test]
    fn a_command_of_another_release_says_so_and_fails() {
        assert_eq!(
            xm("save d f"),
            (1, String::new(), "Error: 'xm save' is not available in this release of nanodom\n".into())
        );
    }

    #[test]
    fn an_old_name_is_noticed_on_stderr() {
        let (code, stdout, stderr) = xm("balloon d 64");
        assert_eq!((code, stdout.as_str()), (1, ""));
        assert!(stderr.starts_with("Command balloon is deprecated.  Please use xm mem-set instead.\n"));
    }
}
