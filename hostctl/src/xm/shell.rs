//! `xm shell`: a prompt that takes xm's commands, one a line.

use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::Signal;

use super::failure::Failure;
use super::{Context, table};
use crate::client::{CallError, Signals};
use crate::exit;

const BANNER: &str = "The Xen Master. Type \"help\" for a list of functions.";
const PROMPT: &str = "xm> ";

/// The longest line, in bytes: more than any command takes.
const LONGEST: usize = 128 << 10;

/// Runs the command. Mistakes and failures of commands do not leave the shell; the end of input does, and so does a signal.
///
/// # Errors
/// A signal came, or the output cannot be written.
pub fn run(context: &mut Context<'_>, _: &[String]) -> Result<(), Failure> {
    let mut input = Input { signals: Signals::get()?, bytes: Vec::new(), is_over: false };
    if !context.json {
        context.out.line(BANNER)?;
    }
    loop {
        if !context.json {
            context.out.text(PROMPT)?;
        }
        context.out.flush()?;
        let Some(line) = input.line()? else {
            if !context.json {
                context.out.line("")?;
            }
            return Ok(());
        };
        let line = match line {
            Line::Whole(line) => String::from_utf8(line).map_err(|_| "the line is not UTF-8"),
            Line::TooLong => Err("the line is too long"),
        };
        match line {
            Ok(line) if obey(context, line.trim())? => return Ok(()),
            Ok(_) => {}
            Err(why) => drop(context.out.fail(exit::FAILED, why)),
        }
    }
}

/// A line that was read.
enum Line {
    Whole(Vec<u8>),
    /// Nothing of it was kept.
    TooLong,
}

/// Lines from stdin. Signals are heard while the next one is awaited, whatever it is that brings them.
struct Input {
    signals: &'static Signals,
    /// What was read and is no whole line yet.
    bytes: Vec<u8>,
    is_over: bool,
}

impl Input {
    /// The next line; `None` at the end.
    fn line(&mut self) -> Result<Option<Line>, Failure> {
        let mut is_too_long = false;
        loop {
            if let Some(signal) = self.signals.take() {
                return Err(CallError::Interrupted(signal).into());
            }
            if let Some(end) = self.bytes.iter().position(|&byte| byte == b'\n') {
                let line = self.bytes.drain(..=end).collect();
                return Ok(Some(if is_too_long { Line::TooLong } else { Line::Whole(line) }));
            }
            if self.is_over {
                let rest = std::mem::take(&mut self.bytes);
                return Ok(match is_too_long {
                    true => Some(Line::TooLong),
                    false => (!rest.is_empty()).then_some(Line::Whole(rest)),
                });
            }
            if self.bytes.len() > LONGEST {
                self.bytes.clear();
                is_too_long = true;
            }
            self.read()?;
        }
    }

    /// Waits for bytes or a signal, and reads the bytes.
    fn read(&mut self) -> io::Result<()> {
        let stdin = io::stdin();
        let fds = std::iter::once(stdin.as_fd()).chain(self.signals.fds());
        let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        match poll(&mut fds, None) {
            Ok(_) if !fds[0].revents().is_empty() => {}
            Ok(_) | Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let mut part = [0; 4096];
        match rustix::io::read(stdin.as_fd(), &mut part) {
            // A terminal that is gone has no more lines either.
            Ok(0) | Err(Errno::IO) => self.is_over = true,
            Ok(count) => self.bytes.extend_from_slice(&part[..count]),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
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
            // Ctrl-C ends the command; these end the shell with it.
            let code = done?;
            if [Signal::TERM, Signal::HUP].iter().any(|signal| code == exit::by_signal(signal.as_raw())) {
                return Err(Failure::Silent(code));
            }
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
