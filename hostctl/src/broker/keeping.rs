//! The program that fetches a crashed domain's core: another run of this one, a client of the broker like others.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStdout, Stdio};

use proto::dump::WaitingCore;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::start::another_self;
use crate::output::uuid_text;

/// A core that is being fetched.
#[derive(Debug)]
pub(super) struct Keeping {
    child: Child,
    /// Closed when the program has ended.
    pipe: ChildStdout,
}

impl Keeping {
    /// Starts the program. What it says goes to the broker's log.
    pub(super) fn start(line: &str, core: &WaitingCore) -> io::Result<Keeping> {
        let mut child = another_self()
            .args(["--connect", line, "keep-core"])
            .args(["--id", &core.id.0.to_string(), "--domid", &core.domid.to_string()])
            .args(["--uuid", &uuid_text(&core.uuid)])
            // A name may begin with a dash.
            .arg(format!("--name={}", core.name))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let pipe = child.stdout.take().expect("stdout is a pipe");
        Ok(Keeping { child, pipe })
    }

    /// Readable when the program has ended.
    pub(super) fn ended(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// Whether nothing more is to be done about the core, once the program has ended.
    pub(super) fn outcome(&mut self) -> Option<bool> {
        let mut fds = [PollFd::new(&self.pipe, PollFlags::IN)];
        let is_over = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0);
        // The pipe is closed as the program ends: there is next to nothing to wait for.
        is_over.then(|| self.child.wait().is_ok_and(|status| status.success()))
    }
}
