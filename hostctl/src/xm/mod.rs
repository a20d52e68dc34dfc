//! `hostctl xm`: the classic command, spoken to a control domain without xend.
//!
//! Output, texts, errors and exit codes are xm's where scripts could notice; `--json` on every command is ours.

pub mod console;
pub mod create;
pub mod dmesg;
pub mod failure;
pub mod getopt;
pub mod help;
pub mod info;
pub mod lifecycle;
pub mod list;
pub mod names;
pub mod table;
pub mod uptime;

use crate::client::Client;
use crate::connect::Options;
use crate::exit;
use crate::output::Output;
use failure::Failure;
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
    let code = match words.first().map(String::as_str) {
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
            out.complain(&format!("Error: Subcommand {word} not found!"));
            return out.text(&help::short()).map(|()| exit::FAILED);
        }
    };
    if args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--help" || arg == "-h") {
        return out.text(&help::usage(command)).map(|()| exit::FAILED);
    }
    // Behind `--` it is a word like others.
    let nr_options = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    let json = args[..nr_options].iter().any(|arg| arg == "--json");
    let args: Vec<String> = args
        .iter()
        .enumerate()
        .filter(|(place, arg)| *place > nr_options || *arg != "--json")
        .map(|(_, arg)| arg.clone())
        .collect();
    let Some(run) = command.run else {
        out.complain(&format!("Error: 'xm {}' is not available in this release of nanodom", command.name));
        return Ok(exit::FAILED);
    };
    if let Some(complaint) = count_complaint(command, &args) {
        out.complain(&format!("Error: {complaint}\n"));
        return out.text(&help::usage(command)).map(|()| exit::FAILED);
    }
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
    match failure {
        Failure::Plain(text) => out.complain(&format!("Error: {text}")),
        Failure::WithUsage(text) => {
            out.complain(&format!("Error: {text}"));
            out.text(&help::usage(command))?;
        }
        Failure::NoDomain(name) => {
            out.complain(&format!("Error: Domain '{name}' does not exist."));
            return Ok(exit::NO_DOMAIN);
        }
        Failure::Code(code, text) => {
            out.complain(&format!("Error: {text}"));
            return Ok(code);
        }
        Failure::Silent(code) => return Ok(code),
        Failure::Interrupted => {
            out.line("Interrupted.")?;
            out.complain("");
        }
        Failure::Output(error) => return Err(error),
    }
    Ok(exit::FAILED)
}

/// A closed pipe ends the program quietly; anything else is said.
fn output_error(error: std::io::Error, out: &mut Output) -> u8 {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        return exit::OK;
    }
    out.complain(&format!("Error: cannot write the output: {error}"));
    exit::FAILED
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::captured;

    fn xm(line: &str) -> (u8, String, String) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        captured(|out| run(&words, &Options::default(), out))
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
        let usage = help::usage(table::by_name("list").unwrap());
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
        assert_eq!(xm("pause --json").2, "Error: 'xm pause' requires 1 arguments.\n\n");
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
