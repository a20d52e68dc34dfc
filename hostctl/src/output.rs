//! Where output goes: stdout for results, stderr for what went wrong.
//!
//! Commands write to an [`Output`], never to `println!`, so that tests read exactly what a user would see. A closed
//! pipe is no error: the program ends quietly, as if all had been read.
//!
//! What went wrong is one sentence; behind its last semicolon stands what to do about it. With `--json` the two are
//! told apart: one object on stderr, with `error`, `code` (the exit code) and `hint`. What else there is to say is in its `notes`;
//! where nothing went wrong, they are an object of their own.

use std::io::{self, IsTerminal, Write};

use serde_json::{Map, Value, json};

use crate::exit;

/// The two places that a command writes to.
pub struct Output {
    /// Results.
    pub stdout: Box<dyn Write>,
    /// Diagnosis.
    pub stderr: Box<dyn Write>,
    /// Stdout is a terminal: colours, and no control characters of guests.
    pub is_terminal: bool,
    /// `--json` was given: results and errors are for programs.
    pub is_json: bool,
    /// With `--json`: what was noted, until an error takes it along or [`Output::end`] says it.
    notes: Vec<String>,
}

impl Output {
    /// The program's own stdout and stderr. Stdout is buffered until [`Output::flush`] or the end.
    pub fn standard() -> Output {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        Output::new(Box::new(io::BufWriter::new(stdout)), Box::new(io::stderr()), is_terminal)
    }

    /// Two other places.
    pub fn new(stdout: Box<dyn Write>, stderr: Box<dyn Write>, is_terminal: bool) -> Output {
        Output { stdout, stderr, is_terminal, is_json: false, notes: Vec::new() }
    }

    /// Writes text to stdout.
    ///
    /// # Errors
    /// Whatever writing gives.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.stdout.write_all(text.as_bytes())
    }

    /// Writes one line to stdout.
    ///
    /// # Errors
    /// Whatever writing gives.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.stdout, "{text}")
    }

    /// Writes one value to stdout as a line of JSON, in characters that no terminal obeys.
    ///
    /// # Errors
    /// Whatever writing gives.
    pub fn json(&mut self, value: &Value) -> io::Result<()> {
        writeln!(self.stdout, "{}", json_text(value))
    }

    /// Writes one line to stderr, after everything written to stdout so far; with `--json` it waits for the error that it
    /// belongs to, or for [`Output::end`]. A closed stderr is no reason to fail.
    pub fn complain(&mut self, text: &str) {
        if self.is_json {
            self.notes.push(text.to_owned());
        } else {
            self.say(text);
        }
    }

    /// Says why the command fails; returns the exit code that was given. Lines behind the first are detail, such as
    /// the ends of logs.
    pub fn fail(&mut self, code: u8, text: &str) -> u8 {
        self.fail_with(code, text, None)
    }

    /// As [`Output::fail`]; the hint is for programs only, since people are told in another way.
    pub fn fail_with(&mut self, code: u8, text: &str, hint: Option<&str>) -> u8 {
        if !self.is_json {
            self.say(&format!("Error: {text}"));
            return code;
        }
        let (first, detail) = text.trim_end().split_once('\n').unwrap_or((text.trim_end(), ""));
        let (error, own_hint) = error_and_hint(first);
        let mut object = Map::new();
        object.insert("error".into(), error.into());
        object.insert("code".into(), code.into());
        object.insert("hint".into(), own_hint.or(hint).into());
        if !detail.is_empty() {
            object.insert("detail".into(), detail.into());
        }
        if !self.notes.is_empty() {
            object.insert("notes".into(), json!(std::mem::take(&mut self.notes)));
        }
        self.say(&json_text(&Value::Object(object)));
        code
    }

    /// A signal ended the command: people know that they sent it. Returns the exit code for it.
    pub fn stopped(&mut self, signal: i32) -> u8 {
        let code = exit::by_signal(signal);
        if self.is_json { self.fail(code, &format!("stopped by signal {signal}")) } else { code }
    }

    /// The command is over: what was noted, and no error took along, is said now.
    pub fn end(&mut self) {
        if !self.notes.is_empty() {
            let object = json!({ "notes": std::mem::take(&mut self.notes) });
            self.say(&json_text(&object));
        }
    }

    fn say(&mut self, text: &str) {
        let _ = self.stdout.flush();
        let _ = writeln!(self.stderr, "{text}");
    }

    /// Writes bytes that guests had a hand in: as they are, or, on a terminal, with control characters made visible.
    ///
    /// # Errors
    /// Whatever writing gives.
    pub fn foreign(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_terminal { self.stdout.write_all(&visible(bytes)) } else { self.stdout.write_all(bytes) }
    }

    /// Hands on everything written so far.
    ///
    /// # Errors
    /// Whatever writing gives.
    pub fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }
}

/// A value as JSON on one line. JSON lets the control characters from 0x7f on stand as they are, and guests' text may have them,
/// so they are escaped here: they can only be in strings.
fn json_text(value: &Value) -> String {
    let mut text = String::new();
    for character in value.to_string().chars() {
        match character {
            '\u{7f}'..='\u{9f}' => text.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => text.push(character),
        }
    }
    text
}

/// Makes control characters visible (`^[` for escape), all but newline, carriage return and tab.
///
/// Terminals have more of them above 0x7f: 0x9b is an escape with a bracket, as a byte to some and as a character of UTF-8 to
/// others. They become `M-^[`, as `cat -v` writes them. Of what is no UTF-8 the other bytes stay as they are.
pub fn visible(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\n' | '\r' | '\t' => out.push(character as u8),
                _ if character.is_control() => put_visible(character as u8, &mut out),
                _ => out.extend(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        for &byte in chunk.invalid() {
            if (0x80..=0x9f).contains(&byte) { put_visible(byte, &mut out) } else { out.push(byte) }
        }
    }
    out
}

/// Writes a control character, one of those below 0x80 or of the same behind it.
fn put_visible(control: u8, out: &mut Vec<u8>) {
    if control >= 0x80 {
        out.extend(b"M-");
    }
    out.extend([b'^', control & 0x7f ^ 0x40]);
}

/// How many bytes at the end are the beginning of a character of UTF-8: more may follow.
pub fn nr_unfinished(bytes: &[u8]) -> usize {
    let tail = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    let may_go_on = std::str::from_utf8(tail).is_err_and(|error| error.error_len().is_none());
    if may_go_on { tail.len() } else { 0 }
}

/// Takes a sentence apart at its last semicolon that is not within parentheses.
fn error_and_hint(text: &str) -> (&str, Option<&str>) {
    let mut depth = 0usize;
    let mut last = None;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ';' if depth == 0 && text[at..].starts_with("; ") => last = Some(at),
            _ => {}
        }
    }
    last.map_or((text, None), |at| (&text[..at], Some(&text[at + 2..])))
}

/// A uuid in its usual form.
pub fn uuid_text(uuid: &[u8; 16]) -> String {
    xmcfg::uuid::text(uuid)
}

#[cfg(test)]
pub(crate) mod testing {
    //! An [`Output`] whose text a test can read.

    use std::cell::RefCell;
    use std::io::{self, Write};
    use std::rc::Rc;

    use super::Output;

    #[derive(Clone, Default)]
    struct Sink(Rc<RefCell<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Runs `body` with an output, and returns what it gave and what it wrote to stdout and stderr.
    pub(crate) fn captured<T>(body: impl FnOnce(&mut Output) -> T) -> (T, String, String) {
        let (stdout, stderr) = (Sink::default(), Sink::default());
        let mut out = Output::new(Box::new(stdout.clone()), Box::new(stderr.clone()), false);
        let result = body(&mut out);
        let text = |sink: Sink| String::from_utf8(sink.0.borrow().clone()).expect("output is text");
        (result, text(stdout), text(stderr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_shows_escapes_instead_of_obeying_them() {
        assert_eq!(visible(b"a\x1b[31m\tb\r\n\x7f\x00"), b"a^[[31m\tb\r\n^?^@");
        // The same escape of one byte, and as a character; letters of UTF-8 have such bytes too, and stay.
        assert_eq!(visible(b"\x9b31m"), b"M-^[31m");
        assert_eq!(visible("\u{9b}31m \u{df} \u{2013}".as_bytes()), "M-^[31m \u{df} \u{2013}".as_bytes());
        assert_eq!(visible(b"\xc3\x9b\xc2"), b"\xc3\x9b\xc2");
    }

    #[test]
    fn a_character_is_unfinished_until_its_last_byte() {
        let text = "a\u{2013}".as_bytes();
        assert_eq!([0, 1, 2, 3, 4].map(|len| nr_unfinished(&text[..len])), [0, 0, 1, 2, 0]);
        // Whatever follows, this is no character.
        assert_eq!(nr_unfinished(b"\xe2\x28"), 0);
        assert_eq!(nr_unfinished(b"\xff"), 0);
        assert_eq!(nr_unfinished(b"\xff\xe2"), 1);
    }

    #[test]
    fn with_json_an_error_is_one_object_that_tells_the_hint_apart() {
        let failed = |text: &str| {
            let (code, stdout, stderr) = testing::captured(|out| {
                out.is_json = true;
                out.complain("by the way");
                out.fail(4, text)
            });
            assert_eq!((code, stdout.as_str()), (4, ""));
            serde_json::from_str::<Value>(&stderr).unwrap()
        };
        assert_eq!(
            failed("it broke (a; b); mend it\nlog line 1\nlog line 2\n"),
            json!({
                "error": "it broke (a; b)", "code": 4, "hint": "mend it", "detail": "log line 1\nlog line 2",
                "notes": ["by the way"],
            })
        );
        assert_eq!(
            failed("it broke"),
            json!({ "error": "it broke", "code": 4, "hint": null, "notes": ["by the way"] })
        );
    }

    #[test]
    fn with_json_no_control_character_reaches_a_terminal() {
        let value = json!({ "guest": "\u{9b}31m\u{7f}\u{80}\u{9f}\u{1b}[m \u{a0}\u{e4}" });
        let ((), stdout, _) = testing::captured(|out| out.json(&value).unwrap());
        assert_eq!(stdout, "{\"guest\":\"\\u009b31m\\u007f\\u0080\\u009f\\u001b[m \u{a0}\u{e4}\"}\n");
        assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap(), value);
        let (_, _, stderr) = testing::captured(|out| {
            out.is_json = true;
            out.fail(1, "no \u{9b}31m")
        });
        assert!(!stderr.contains(|c: char| c.is_control() && c != '\n'), "{stderr:?}");
    }

    #[test]
    fn with_json_notes_of_a_command_that_succeeds_are_an_object() {
        let noted = |body: fn(&mut Output)| {
            testing::captured(|out| {
                out.is_json = true;
                body(out);
                out.end();
            })
        };
        let ((), stdout, stderr) = noted(|out| out.complain("by the way"));
        assert_eq!((stdout.as_str(), stderr.as_str()), ("", "{\"notes\":[\"by the way\"]}\n"));
        assert_eq!(noted(|_| ()).2, "");
        // Said once.
        let ((), _, stderr) = noted(|out| {
            out.complain("by the way");
            out.fail(1, "it broke");
        });
        assert_eq!(stderr.lines().count(), 1);
    }

    #[test]
    fn without_json_an_error_is_a_line() {
        let (_, _, stderr) = testing::captured(|out| {
            out.complain("by the way");
            out.fail_with(4, "it broke; mend it", Some("for programs"))
        });
        assert_eq!(stderr, "by the way\nError: it broke; mend it\n");
    }

    #[test]
    fn a_uuid_is_printed_in_groups() {
        let uuid = core::array::from_fn(|i| i as u8 * 0x11);
        assert_eq!(uuid_text(&uuid), "00112233-4455-6677-8899-aabbccddeeff");
    }
}
