//! `lab log`: what a lab's parts wrote, of a live lab or of the last one of that name.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap_complete::engine::ArgValueCandidates;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;

use super::dir::{LabDir, LabName};
use super::down::those_up;
use super::which::which;
use crate::client::Signals;
use crate::complete;
use crate::connect::Options;
use crate::log_lines::{LogLines, Text};
use crate::output::Output;

/// Print a lab's log: by default the machine's console, which is Xen's and the control domain's.
#[derive(clap::Args, Debug)]
pub struct Log {
    /// The lab; also one that is down, whose logs are kept until the next of its name. Otherwise that of
    /// HOSTCTL_CONNECT, or the only one.
    #[arg(value_parser = LabName::parse, add = ArgValueCandidates::new(complete::labs))]
    name: Option<LabName>,
    /// Go on printing what comes, until the lab ends.
    #[arg(short, long)]
    follow: bool,
    /// The machine's console (the default).
    #[arg(long, group = "which")]
    xen: bool,
    /// What QEMU said.
    #[arg(long, group = "which")]
    qemu: bool,
    /// What the broker noted, and text on the line that was no frame.
    #[arg(long, group = "which")]
    broker: bool,
}

impl Log {
    /// Runs the command.
    ///
    /// # Errors
    /// There is no such lab or log, or several could be meant.
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<u8> {
        let file = match (self.qemu, self.broker) {
            (true, _) => "qemu.log",
            (_, true) => "broker.log",
            _ => "xen.log",
        };
        let dir = LabDir::of(&which(self.name.as_ref(), options)?);
        let path = if dir.exists() { dir.file(file) } else { dir.old_logs().join(file) };
        if !dir.exists() && !path.exists() {
            bail!("there is no lab '{}'{}", dir.name(), those_up());
        }
        let mut log = File::open(&path).with_context(|| format!("no log {}", path.display()))?;
        let mut lines = LogLines::new(Text::Safe);
        copy(&mut log, &mut lines, out)?;
        let code =
            if self.follow { follow(&dir, &mut log, &path, &mut lines, out)? } else { crate::exit::OK };
        lines.end(out)?;
        Ok(code)
    }
}

fn copy(log: &mut File, lines: &mut LogLines, out: &mut Output) -> io::Result<()> {
    let mut buffer = [0; 65536];
    loop {
        match log.read(&mut buffer)? {
            0 => return out.flush(),
            count => lines.write(&buffer[..count], out)?,
        }
    }
}

/// Prints what is added, woken by the file system; looks twice a second whether the lab still lives.
fn follow(
    dir: &LabDir,
    log: &mut File,
    path: &std::path::Path,
    lines: &mut LogLines,
    out: &mut Output,
) -> Result<u8> {
    let signals = Signals::get()?;
    let changes = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    inotify::add_watch(&changes, path, inotify::WatchFlags::MODIFY)?;
    loop {
        let is_running = dir.is_running();
        copy(log, lines, out)?;
        if !is_running {
            return Ok(crate::exit::OK);
        }
        let mut fds = vec![PollFd::new(&changes, PollFlags::IN)];
        fds.extend(signals.fds().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let limit = Timespec::try_from(Duration::from_millis(500)).ok();
        match poll(&mut fds, limit.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
        if let Some(signal) = signals.take() {
            return Ok(out.stopped(signal));
        }
        let mut events = [0; 4096];
        while rustix::io::read(changes.as_fd(), &mut events).is_ok_and(|count| count > 0) {}
    }
}
