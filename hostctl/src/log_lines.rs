//! Logs and consoles on stdout: as they are for people, one object a line for programs.

use std::io;

use serde_json::json;

use crate::output::{Output, nr_unfinished};

/// A line that is longer is cut into several objects.
const LONGEST: usize = 64 << 10;

/// How bytes are written for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// As they are: a guest's console is the output itself.
    Raw,
    /// On a terminal, control characters are made visible.
    Safe,
}

/// Writes a log that comes in pieces.
#[derive(Debug)]
pub struct LogLines {
    text: Text,
    /// The last line, or for people the last character, as far as it has come.
    partial: Vec<u8>,
}

impl LogLines {
    /// At a log's beginning.
    pub fn new(text: Text) -> LogLines {
        LogLines { text, partial: Vec::new() }
    }

    /// Writes the next piece; with `--json` as `{"line": ...}` for each line that is whole.
    ///
    /// # Errors
    /// Whatever writing gives.
    pub fn write(&mut self, bytes: &[u8], out: &mut Output) -> io::Result<()> {
        match (out.is_json, self.text) {
            (false, Text::Raw) => out.stdout.write_all(bytes)?,
            (false, Text::Safe) => {
                // What is safe is told of whole characters.
                self.partial.extend_from_slice(bytes);
                let whole = self.partial.len() - nr_unfinished(&self.partial);
                out.foreign(&self.partial[..whole])?;
                self.partial.drain(..whole);
            }
            (true, _) => {
                for part in bytes.split_inclusive(|byte| *byte == b'\n') {
                    self.partial.extend_from_slice(part);
                    if part.ends_with(b"\n") || self.partial.len() >= LONGEST {
                        self.end(out)?;
                    }
                }
            }
        }
        out.flush()
    }

    /// Writes what is left of the last line or character.
    ///
    /// # Errors
    /// Whatever writing gives.
    pub fn end(&mut self, out: &mut Output) -> io::Result<()> {
        if self.partial.is_empty() {
            return Ok(());
        }
        let line = std::mem::take(&mut self.partial);
        if !out.is_json {
            return out.foreign(&line);
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        out.json(&json!({ "line": String::from_utf8_lossy(line) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::captured;

    fn written(text: Text, is_json: bool, pieces: &[&[u8]]) -> String {
        let (_, stdout, _) = captured(|out| {
            out.is_json = is_json;
            out.is_terminal = true;
            let mut lines = LogLines::new(text);
            for piece in pieces {
                lines.write(piece, out).unwrap();
            }
            lines.end(out).unwrap();
        });
        stdout
    }

    #[test]
    fn for_programs_each_line_is_an_object_however_it_arrives() {
        assert_eq!(
            written(Text::Raw, true, &[b"on", b"e\r\n\nt\xff\x1b", b"o"]),
            "{\"line\":\"one\"}\n{\"line\":\"\"}\n{\"line\":\"t\u{fffd}\\u001bo\"}\n"
        );
    }

    #[test]
    fn a_line_without_an_end_is_cut_and_not_kept_for_ever() {
        let endless = vec![b'x'; LONGEST];
        let text = written(Text::Raw, true, &[&endless, &endless, b"y"]);
        assert_eq!(text.lines().map(str::len).collect::<Vec<_>>(), [LONGEST + 11, LONGEST + 11, 12]);
    }

    #[test]
    fn for_people_the_bytes_are_as_they_came() {
        assert_eq!(written(Text::Raw, false, &[b"a\x1b", b"b\n"]), "a\x1bb\n");
    }

    #[test]
    fn on_a_terminal_no_escape_slips_through_between_two_pieces_and_no_letter_breaks() {
        assert_eq!(written(Text::Safe, false, &[b"a\xc2", b"\x9b31m\x1b"]), "aM-^[31m^[");
        assert_eq!(written(Text::Safe, false, &[b"\xe2", b"\x80", b"\x93!"]), "\u{2013}!");
    }
}
