//! Where output goes: stdout for results, stderr for what went wrong.
//!
//! Commands write to an [`Output`], never to `println!`, so that tests read exactly what a user would see. A closed
//! pipe is no error: the program ends quietly, as if all had been read.

use std::io::{self, IsTerminal, Write};

/// The two places that a command writes to.
pub struct Output {
    /// Results.
    pub stdout: Box<dyn Write>,
    /// Diagnosis.
    pub stderr: Box<dyn Write>,
    /// Stdout is a terminal: colours, and no control characters of guests.
    pub is_terminal: bool,
}

impl Output {
    /// The program's own stdout and stderr. Stdout is buffered until [`Output::flush`] or the end.
    pub fn standard() -> Output {
        Output {
            stdout: Box::new(io::BufWriter::new(io::stdout())),
            stderr: Box::new(io::stderr()),
            is_terminal: io::stdout().is_terminal(),
        }
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

    /// Writes one value to stdout as a line of JSON.
    ///
    /// # Errors
    /// Whatever writing gives.
    pub fn json(&mut self, value: &serde_json::Value) -> io::Result<()> {
        writeln!(self.stdout, "{value}")
    }

    /// Writes one line to stderr, after everything written to stdout so far. A closed stderr is no reason to fail.
    pub fn complain(&mut self, text: &str) {
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

/// Makes control characters visible (`^[` for escape), all but newline, carriage return and tab.
pub fn visible(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\n' | b'\r' | b'\t' => out.push(byte),
            0..=0x1f | 0x7f => out.extend([b'^', byte ^ 0x40]),
            _ => out.push(byte),
        }
    }
    out
}

/// A uuid in its usual form.
pub fn uuid_text(uuid: &[u8; 16]) -> String {
    let hex: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
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
        let mut out =
            Output { stdout: Box::new(stdout.clone()), stderr: Box::new(stderr.clone()), is_terminal: false };
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
    }

    #[test]
    fn a_uuid_is_printed_in_groups() {
        let uuid = core::array::from_fn(|i| i as u8 * 0x11);
        assert_eq!(uuid_text(&uuid), "00112233-4455-6677-8899-aabbccddeeff");
    }
}
