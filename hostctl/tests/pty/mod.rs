//! A terminal, and a person at it.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "every test program uses its own part")]

use std::fs::File;
use std::io::Read;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A terminal: the user's end and the program's.
pub fn pair() -> (File, File) {
    let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&user).unwrap();
    unlockpt(&user).unwrap();
    let name = ptsname(&user, Vec::new()).unwrap().into_string().unwrap();
    let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&user, size).unwrap();
    let terminal = File::options().read(true).write(true).open(name).unwrap();
    (user.into(), terminal)
}

/// Reads what is drawn until this is among it.
pub fn read_until(user: &mut File, text: &str, bytes: &mut Vec<u8>) {
    let start = Instant::now();
    let mut part = [0; 4096];
    while !String::from_utf8_lossy(bytes).contains(text) {
        assert!(start.elapsed() < Duration::from_secs(20), "{text:?} is never drawn");
        let mut fds = [PollFd::new(&*user, PollFlags::IN)];
        if poll(&mut fds, Some(&Timespec { tv_sec: 1, tv_nsec: 0 })).unwrap() > 0 {
            let count = user.read(&mut part).unwrap();
            bytes.extend(&part[..count]);
        }
    }
}

/// Waits for a program's end, and ends it where it goes on; its exit code, if it ended by itself.
pub fn end(child: &mut Child) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if start.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
