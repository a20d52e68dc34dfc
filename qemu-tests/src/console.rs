//! A guest's console, as `hostctl xm console` shows it.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::process::{Done, Running};

/// How much of a console an error shows, in bytes.
const TAIL: usize = 2000;

/// A dialogue with a guest; ends when dropped.
pub struct Console {
    running: Running,
    /// Where the next search begins: behind what was found last.
    at: usize,
}

impl Console {
    /// Attaches by this command.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn attach(command: &mut Command) -> Result<Self> {
        Ok(Self { running: Running::start(command)?, at: 0 })
    }

    /// Waits until the guest says `text` (not empty), behind what was waited for before; returns all up to its end.
    ///
    /// # Errors
    /// It does not within the time, or the console ends first.
    pub fn wait_for(&mut self, text: &str, limit: Duration) -> Result<String> {
        let start = self.at;
        let found = self.running.stdout.wait(Instant::now() + limit, |seen| {
            let fresh = seen.get(start..)?;
            let place = fresh.windows(text.len()).position(|window| window == text.as_bytes())?;
            Some(start + place + text.len())
        });
        let Some(end) = found else {
            let seen = self.seen();
            bail!(
                "the guest did not say {text:?} within {} s; its console:\n{}",
                limit.as_secs(),
                tail(&seen, TAIL)
            );
        };
        self.at = end;
        let said = self.running.stdout.wait(Instant::now(), |seen| Some(seen[start..end].to_vec()));
        Ok(String::from_utf8_lossy(&said.unwrap_or_default()).into_owned())
    }

    /// Types a line.
    ///
    /// # Errors
    /// The console has ended.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        self.running.type_in(&format!("{line}\n"))
    }

    /// Types without ending the line.
    ///
    /// # Errors
    /// The console has ended.
    pub fn type_in(&mut self, text: &str) -> Result<()> {
        self.running.type_in(text)
    }

    /// All that the guest has said.
    pub fn seen(&self) -> String {
        self.running.stdout.text()
    }

    /// Types Ctrl-] and waits for the end.
    ///
    /// # Errors
    /// The console does not end within the time.
    pub fn detach(mut self, limit: Duration) -> Result<Done> {
        self.running.type_in("\x1d")?;
        self.running.finish(limit)
    }

    /// Waits until the console ends by itself.
    ///
    /// # Errors
    /// It does not within the time.
    pub fn finish(self, limit: Duration) -> Result<Done> {
        self.running.finish(limit)
    }
}

/// The last so many bytes of a text, at a character's boundary.
pub(crate) fn tail(text: &str, bytes: usize) -> &str {
    let mut from = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_begins_behind_what_the_last_one_found() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one two; read line; echo got $line two"]);
        let mut console = Console::attach(&mut command).unwrap();
        let limit = Duration::from_secs(10);
        assert_eq!(console.wait_for("two", limit).unwrap(), "one two");
        console.type_line("x").unwrap();
        assert_eq!(console.wait_for("two", limit).unwrap(), "\ngot x two");
        let error = console.wait_for("two", limit).unwrap_err().to_string();
        assert!(error.contains("did not say"), "{error}");
    }
}
