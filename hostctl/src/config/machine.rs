//! This machine, as far as a configuration may ask about it.

use std::cell::{Cell, RefCell};

use xmpy::{Host, PathKind, Refusal, System};

use crate::output::Output;

/// Bytes that a script may print, at most; what is more is left out.
const MOST_PRINTED: usize = 1 << 20;

/// This machine, and what scripts printed on it.
#[derive(Debug)]
pub struct Machine {
    system: System,
    printed: RefCell<Vec<(String, bool)>>,
    /// How much more is kept of that.
    room: Cell<usize>,
}

impl Machine {
    /// A machine on which scripts may look around, and with `allow_exec` read files and run commands.
    pub fn new(allow_exec: bool) -> Machine {
        Machine {
            system: System::new(allow_exec, allow_exec),
            printed: RefCell::default(),
            room: Cell::new(MOST_PRINTED),
        }
    }

    /// Hands on what scripts printed: to stdout, as xm did, but for programs, which expect JSON there.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn hand_on(&self, out: &mut Output) -> std::io::Result<()> {
        for (text, to_stderr) in self.printed.take() {
            if to_stderr || out.is_json {
                text.lines().for_each(|line| out.complain(line));
            } else {
                out.foreign(text.as_bytes())?;
            }
        }
        Ok(())
    }
}

impl Host for Machine {
    fn print(&self, text: &str, to_stderr: bool) {
        let Some(room) = self.room.get().checked_sub(text.len() + 1) else { return };
        self.room.set(room);
        let mut printed = self.printed.borrow_mut();
        match printed.last_mut() {
            Some((last, kind)) if *kind == to_stderr => last.push_str(text),
            _ => printed.push((text.to_owned(), to_stderr)),
        }
    }

    fn uname(&self) -> [String; 5] {
        self.system.uname()
    }

    fn environ(&self) -> Vec<(String, String)> {
        self.system.environ()
    }

    fn current_dir(&self) -> Option<String> {
        self.system.current_dir()
    }

    fn path_kind(&self, path: &str) -> Option<PathKind> {
        self.system.path_kind(path)
    }

    fn list_dir(&self, path: &str) -> Result<Vec<String>, Refusal> {
        self.system.list_dir(path)
    }

    fn read_file(&self, path: &str, limit: usize) -> Result<Vec<u8>, Refusal> {
        self.system.read_file(path, limit)
    }

    fn popen(&self, command: &str, limit: usize) -> Result<Vec<u8>, Refusal> {
        self.system.popen(command, limit)
    }

    fn now(&self) -> f64 {
        self.system.now()
    }

    fn random(&self) -> u64 {
        self.system.random()
    }

    fn default_route(&self) -> Option<(String, String)> {
        self.system.default_route()
    }

    fn device_address(&self, device: &str) -> Option<(String, String)> {
        self.system.device_address(device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::captured;

    #[test]
    fn what_a_script_prints_comes_out_in_order_and_never_without_end() {
        let machine = Machine::new(false);
        machine.print("a", false);
        machine.print("b\n", false);
        machine.print("c\n", true);
        (0..MOST_PRINTED).for_each(|_| machine.print("dd", false));
        let (_, stdout, stderr) = captured(|out| {
            machine.hand_on(out).unwrap();
            0
        });
        assert_eq!((&stdout[..5], stderr.as_str()), ("ab\ndd", "c\n"));
        assert!(stdout.len() < MOST_PRINTED, "{}", stdout.len());
    }
}
