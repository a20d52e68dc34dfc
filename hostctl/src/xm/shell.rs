//! `xm shell`: a prompt that takes xm's commands, one a line.

use std::io::{self, BufRead};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};

use super::failure::Failure;
use super::{Context, table};
use crate::client::{CallError, Signals};

const BANNER: &str = "The Xen Master. Type \"help\" for a list of functions.";
const PROMPT: &str = "xm> ";

/// Runs the command. Mistakes and failures of commands do not leave the shell; the end of input does.
///
/// # Errors
/// A signal came, or the output cannot be written.
pub fn run(context: &mut Context<'_>, _: &[String]) -> Result<(), Failure> {
    let signals = Signals::get()?;
    let stdin = io::stdin();
    let mut input = stdin.lock();
    if !context.json {
        context.out.line(BANNER)?;
    }
    loop {
        if !context.json {
            context.out.text(PROMPT)?;
        }
        context.out.flush()?;
        // What is in the buffer already is no reason to wait.
        if !has_line(&input) {
            wait(signals)?;
        }
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            if !context.json {
                context.out.line("")?;
            }
            return Ok(());
        }
        if obey(context, line.trim())? {
            return Ok(());
        }
    }
}

/// Whether reading gives something at once, without asking the system.
fn has_line(input: &io::StdinLock<'_>) -> bool {
    // Only a terminal is waited for: a pipe that is read to its end needs no signals.
    use std::io::IsTerminal;
    !input.is_terminal()
}

/// Waits for a line or a signal.
fn wait(signals: &Signals) -> Result<(), Failure> {
    loop {
        if let Some(signal) = signals.take() {
            return Err(CallError::Interrupted(signal).into());
        }
        let stdin = io::stdin();
        let fds = std::iter::once(stdin.as_fd()).chain(signals.fds());
        let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        match poll(&mut fds, None) {
            Ok(_) if !fds[0].revents().is_empty() => return Ok(()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
}

/// Carries out a line; says whether it was the last.
fn obey(context: &mut Context<'_>, line: &str) -> Result<bool, Failure> {
    let words = match split(line) {
        Ok(words) => words,
        Err(why) => {
            context.out.fail(1, why);
            return Ok(false);
        }
    };
    let words = match words.split_first() {
        Some((first, rest)) if first == "xm" => rest,
        _ => &words[..],
    };
    match words {
        [] => {}
        [word, ..] if word == "exit" || word == "quit" => return Ok(true),
        [word, ..] if table::find(word).is_none() => {
            let text = format!("Unknown command: {word}");
            if context.json {
                context.out.fail(crate::exit::FAILED, &text);
            } else {
                context.out.line(&format!("*** {text}"))?;
            }
        }
        // It would read the same lines.
        [word, ..] if matches!(table::find(word), Some(table::Found::Command(found)) if found.name == "shell") =>
        {
            context.out.fail(crate::exit::FAILED, "this is the shell");
        }
        [word, rest @ ..] => {
            // On a line of its own it is for that line.
            context.out.is_json = context.json || super::has_json(rest);
            let done = super::dispatch(word, rest, context.link, context.out);
            context.out.is_json = context.json;
            done?;
        }
    }
    Ok(false)
}

/// Divides a line into words, as a shell does: at blanks, but not within quotes; a backslash takes the next letter as it is.
fn split(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (None | Some('"'), '\\') => {
                let next = letters.next().ok_or("the line ends behind a backslash")?;
                word.get_or_insert_default().push(next);
            }
            (Some(open), _) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err("a quotation is not closed");
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_divided_as_shells_do() {
        for (line, words) in [
            ("", vec![]),
            ("  list   -l ", vec!["list", "-l"]),
            ("create 'a b' \"c 'd'\" e\\ f ''", vec!["create", "a b", "c 'd'", "e f", ""]),
            ("x\"y z\"w", vec!["xy zw"]),
            ("'\\'", vec!["\\"]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
        assert!(split("a 'b").is_err() && split("a\\").is_err());
    }
}
