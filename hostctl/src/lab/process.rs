//! Processes, told apart from later ones with the same number.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use serde::{Deserialize, Serialize};

/// A process: its number, and when it started, since numbers are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since the machine did.
    pub started: u64,
}

impl Process {
    /// The process of this number, if there is one now.
    pub fn now(pid: u32) -> Option<Process> {
        Some(Process { pid, started: start_of(pid)? })
    }

    /// Says whether this very process still runs; one that is dead and not yet waited for does not.
    pub fn is_alive(&self) -> bool {
        start_of(self.pid) == Some(self.started)
    }

    /// Waits until the process ends; false when it did not in time.
    ///
    /// # Errors
    /// The system cannot watch it.
    pub fn wait(&self, limit: Duration) -> io::Result<bool> {
        let Some(pid) = self.handle() else { return Ok(true) };
        let fd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => fd,
            Err(rustix::io::Errno::SRCH) => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        // The number may have been given to another process before the descriptor was made.
        if !self.is_alive() {
            return Ok(true);
        }
        let limit = Timespec::try_from(limit).ok();
        loop {
            match poll(&mut [PollFd::new(&fd, PollFlags::IN)], limit.as_ref()) {
                Ok(ready) => return Ok(ready > 0),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Ends the process without asking it.
    pub fn kill(&self) {
        if let Some(pid) = self.handle().filter(|_| self.is_alive()) {
            // It may end by itself at this moment.
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    fn handle(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.pid).ok()?)
    }
}

/// Field 22 of `/proc/PID/stat`, unless the process is dead.
fn start_of(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, field 2, is in parentheses and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    match fields.next()? {
        "Z" | "X" => None,
        _ => fields.nth(18)?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_one_of_its_number_from_before_is_not() {
        let me = Process::now(std::process::id()).unwrap();
        assert!(me.is_alive());
        assert!(!Process { started: me.started - 1, ..me }.is_alive());
    }

    #[test]
    fn the_end_of_a_process_is_noticed() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::now(child.id()).unwrap();
        assert!(!process.wait(Duration::from_millis(10)).unwrap());
        process.kill();
        assert!(process.wait(Duration::from_secs(10)).unwrap());
        child.wait().unwrap();
        assert!(!process.is_alive());
    }
}
