//! The terminal is as before, whatever ended `xm console`.

mod fake;

use std::fs::File;
use std::os::fd::AsFd;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use fake::{Fake, Order};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

/// A terminal with `xm console guest1` in it.
struct Session {
    fake: Fake,
    user: File,
    terminal: File,
    before: String,
    child: Child,
}

fn settings(terminal: impl AsFd) -> String {
    format!("{:?}", tcgetattr(terminal).unwrap())
}

impl Session {
    fn start() -> Session {
        let fake = Fake::start();
        let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&user).unwrap();
        unlockpt(&user).unwrap();
        let name = ptsname(&user, Vec::new()).unwrap().into_string().unwrap();
        let terminal = File::options().read(true).write(true).open(name).unwrap();
        let before = settings(&terminal);
        let child = fake
            .hostctl(&["xm", "console", "guest1"])
            .stdin(terminal.try_clone().unwrap())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let session = Session { fake, user: user.into(), terminal, before, child };
        session.fake.until("the console is open", |world| world.consoles == 1);
        let start = Instant::now();
        while tcgetattr(&session.terminal).unwrap().local_modes.contains(LocalModes::ICANON) {
            assert!(start.elapsed() < Duration::from_secs(10), "the terminal is never made raw");
            std::thread::sleep(Duration::from_millis(5));
        }
        session
    }

    fn end(mut self) -> i32 {
        let status = self.child.wait().unwrap();
        assert_eq!(settings(&self.terminal), self.before);
        status.code().unwrap_or(-1)
    }
}

#[test]
fn after_detaching() {
    let mut session = Session::start();
    std::io::Write::write_all(&mut session.user, b"ls\r\x1d").unwrap();
    session.fake.until("typing arrives as it is", |world| world.typed == b"ls\r");
    assert_eq!(session.end(), 0);
}

#[test]
fn after_a_signal() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 1)] {
        let session = Session::start();
        kill_process(Pid::from_child(&session.child), signal).unwrap();
        assert_eq!(session.end(), code);
    }
}

#[test]
fn after_the_line_and_the_broker_are_lost() {
    let session = Session::start();
    session.fake.order(Order::Cut);
    assert_eq!(session.end(), 1);
    let session = Session::start();
    let broker = Pid::from_raw(session.fake.brokers()[0] as i32).unwrap();
    kill_process(broker, Signal::KILL).unwrap();
    assert_eq!(session.end(), 1);
}

#[test]
fn after_the_domains_end() {
    let session = Session::start();
    session.fake.order(Order::End(proto::domain::Ended::Destroyed));
    assert_eq!(session.end(), 0);
}
