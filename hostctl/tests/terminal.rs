//! What people see: the terminal is as before, whatever ended `xm console`; Ctrl-] is heard; long work is shown.

mod fake;
mod pty;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use fake::{Fake, Order, noise};
use pty::{pair, read_until};
use rustix::process::{Pid, Signal, kill_process};
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
        let (user, terminal) = pair();
        let before = settings(&terminal);
        let child = fake
            .hostctl(&["xm", "console", "guest1"])
            .stdin(terminal.try_clone().unwrap())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let session = Session { fake, user, terminal, before, child };
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
    session.user.write_all(b"ls\r\x1d").unwrap();
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

#[test]
fn control_and_bracket_is_heard_behind_a_paste_that_the_guest_does_not_take() {
    let session = Session::start();
    session.fake.world.lock().unwrap().is_deaf = true;
    let mut user = session.user.try_clone().unwrap();
    // More than the line, the broker and the sockets take; a terminal holds 4 KiB itself.
    let typist = std::thread::spawn(move || {
        let mut paste = vec![b'x'; 3 << 20];
        paste.push(0x1d);
        user.write_all(&paste)
    });
    let start = Instant::now();
    while !typist.is_finished() {
        if start.elapsed() > Duration::from_secs(30) {
            kill_process(Pid::from_child(&session.child), Signal::KILL).unwrap();
            panic!("the paste is not read, and so is no Ctrl-]");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    typist.join().unwrap().unwrap();
    assert_eq!(session.end(), 0);
}

#[test]
fn a_pipe_longer_than_what_may_wait_arrives_whole_at_a_guest_that_says_nothing() {
    let fake = Fake::start();
    fake.world.lock().unwrap().is_mute = true;
    let mut child = fake.spawn(&["xm", "console", "guest1"]);
    let text: Vec<u8> = (0..1 << 20).map(|n| b'a' + (n / 7 % 26) as u8).collect();
    let mut stdin = child.stdin.take().unwrap();
    let typed = text.clone();
    let typist = std::thread::spawn(move || stdin.write_all(&typed));
    let start = Instant::now();
    while fake.world.lock().unwrap().typed.len() < text.len() {
        if start.elapsed() > Duration::from_secs(60) {
            kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
            panic!("only {} of {} bytes arrived", fake.world.lock().unwrap().typed.len(), text.len());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(fake.world.lock().unwrap().typed == text);
    typist.join().unwrap().unwrap();
    fake.order(Order::End(proto::domain::Ended::Destroyed));
    assert_eq!(fake::finish(child).code, 0);
}

#[test]
fn a_long_pipe_that_ends_in_control_and_bracket_arrives_whole() {
    let fake = Fake::start();
    fake.world.lock().unwrap().is_mute = true;
    let mut child = fake.spawn(&["xm", "console", "guest1"]);
    let text: Vec<u8> = (0..1 << 20).map(|n| b'a' + (n / 7 % 26) as u8).collect();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&text).unwrap();
    stdin.write_all(b"\x1d and what stands behind it").unwrap();
    drop(stdin);
    // Once the command has ended, the guest has all of it.
    let done = fake::finish(child);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    let typed = fake.world.lock().unwrap().typed.clone();
    assert!(typed == text, "{} of {} bytes arrived", typed.len(), text.len());
}

#[test]
fn what_a_guest_did_not_take_before_control_and_bracket_is_told() {
    let lost = "the guest did not take all that was typed";
    for (words, note) in [
        (&["xm", "console", "guest1"][..], format!("hostctl: {lost}\n")),
        (&["--json", "xm", "console", "guest1"], format!("{{\"notes\":[\"hostctl: {lost}\"]}}\n")),
    ] {
        let fake = Fake::start();
        fake.world.lock().unwrap().is_deaf = true;
        let (mut user, terminal) = pair();
        let mut command = fake.hostctl(words);
        let mut child = command.stdin(terminal).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        fake.until("the console is open", |world| world.consoles == 1);
        user.write_all(b"anybody?\x1d").unwrap();
        let mut told = String::new();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert_eq!((child.wait().unwrap().code(), told), (Some(0), note));
    }
}

/// What is drawn while an upload or a build goes on, and ends, under these settings. It ends when `awaited` is there, else
/// long after it would be.
fn drawn(settings: &[(&str, &str)], on_terminal: bool, holds_upload: bool, awaited: Option<&str>) -> String {
    let fake = Fake::start();
    {
        let mut world = fake.world.lock().unwrap();
        world.is_deaf = holds_upload;
        world.holds_creations = true;
    }
    let ramdisk = fake.file("ramdisk", &noise(1 << 20));
    let ramdisk = format!("ramdisk={}", ramdisk.display());
    let mut words = vec!["xm", "create", "-q", "/dev/null", "name=g", "kernel=bundle:k"];
    if holds_upload {
        words.push(&ramdisk);
    }
    let (mut user, terminal) = pair();
    let mut command = fake.hostctl(&words);
    command.env("TERM", "xterm").env_remove("NO_COLOR").envs(settings.iter().copied()).stdout(Stdio::null());
    if on_terminal {
        command.stderr(terminal);
    } else {
        drop(terminal);
        command.stderr(Stdio::piped());
    }
    let mut child = command.spawn().unwrap();
    drop(command);
    let call = if holds_upload { "image/begin" } else { "domain/create" };
    fake.until("the work is under way", |world| world.paths.contains(&call));
    let mut bytes = Vec::new();
    match awaited {
        Some(text) => read_until(&mut user, text, &mut bytes),
        // A bar would be due after a second.
        None => std::thread::sleep(Duration::from_millis(1600)),
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    fake.order(Order::Release);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    match child.stderr.take() {
        Some(mut stderr) => drop(stderr.read_to_end(&mut bytes).unwrap()),
        // The last writer is gone: reading ends with an error, not with an end.
        None => drop(user.read_to_end(&mut bytes)),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn an_upload_of_over_a_second_shows_a_bar_and_clears_it() {
    let text = drawn(&[], true, true, Some("sending the ramdisk ["));
    assert!(text.contains(" of 1.0"), "{text:?}");
    assert!(text.contains("\r\x1b[2K"), "the line is cleared: {text:?}");
    assert!(!text.contains("\x1b[3") && !text.contains("\x1b[1m"), "no colours: {text:?}");
}

#[test]
fn a_build_of_over_a_second_is_named() {
    let text = drawn(&[("NO_COLOR", "1")], true, false, Some("building domain 'g'"));
    assert!(!text.contains("\x1b[3"), "no colours: {text:?}");
}

#[test]
fn nothing_is_drawn_where_it_cannot_be_taken_back() {
    for (settings, on_terminal) in [(&[("TERM", "dumb")][..], true), (&[("TERM", "")], true), (&[], false)] {
        let text = drawn(settings, on_terminal, true, None);
        assert!(!text.contains("sending") && !text.contains('\x1b'), "{settings:?}: {text:?}");
    }
}

#[test]
fn a_shell_on_a_pipe_ends_by_a_signal() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 1)] {
        let fake = Fake::start();
        let mut child = fake.spawn(&["xm", "shell"]);
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"domid guest1\n").unwrap();
        let mut said = [0; 64];
        let mut stdout = child.stdout.take().unwrap();
        let mut heard = String::new();
        while !heard.ends_with("1\nxm> ") {
            let count = stdout.read(&mut said).unwrap();
            assert!(count > 0, "{heard}");
            heard.push_str(&String::from_utf8_lossy(&said[..count]));
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        // Its input stays open.
        assert_eq!(pty::end(&mut child), Some(code), "{signal:?}");
    }
}
