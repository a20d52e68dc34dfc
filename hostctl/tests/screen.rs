//! `xm top` on a terminal: it ends when it is to, and nothing that a terminal sends or does holds it up.

mod machine;
mod pty;

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Stdio};

use machine::Machine;
use pty::{pair, read_until};
use sim_control::Setup;

/// A terminal with `xm top` on it, that has drawn.
struct Screen {
    user: File,
    child: Child,
    _machine: Machine,
}

impl Screen {
    fn start(words: &[&str]) -> Screen {
        let machine = Machine::start(Setup::default());
        let (mut user, terminal) = pair();
        let mut command = machine.hostctl(&[&["xm", "top"], words].concat());
        command.env("TERM", "xterm").stdout(terminal.try_clone().unwrap()).stderr(Stdio::null());
        let child = command.stdin(terminal).spawn().unwrap();
        drop(command);
        read_until(&mut user, "Domain-0", &mut Vec::new());
        Screen { user, child, _machine: machine }
    }

    /// The exit code; what is drawn meanwhile is read.
    fn end(mut self) -> Option<i32> {
        let mut user = self.user.try_clone().unwrap();
        let reader = std::thread::spawn(move || drop(user.read_to_end(&mut Vec::new())));
        let code = pty::end(&mut self.child);
        // The last end of the program's side is closed: reading ends.
        reader.join().unwrap();
        code
    }
}

#[test]
fn it_ends_when_its_terminal_is_gone() {
    let Screen { user, mut child, _machine } = Screen::start(&[]);
    drop(user);
    assert_eq!(pty::end(&mut child), Some(1));
}

#[test]
fn half_an_escape_sequence_holds_up_nothing() {
    let mut screen = Screen::start(&["-d", "0.1", "-i", "8"]);
    screen.user.write_all(b"\x1b[1;").unwrap();
    assert_eq!(screen.end(), Some(0), "eight looks are shown, and that is all");
}

#[test]
fn it_is_left_by_letters_by_escape_and_by_control_and_c() {
    for key in ["q", "\x1b", "\x03", "\x1b[Aq"] {
        let mut screen = Screen::start(&[]);
        screen.user.write_all(key.as_bytes()).unwrap();
        assert_eq!(screen.end(), Some(0), "{key:?}");
    }
}
