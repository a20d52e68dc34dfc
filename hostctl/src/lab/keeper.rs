//! QEMU's parent: starts it with its sockets made beforehand, and notes how it ended.
//!
//! The sockets exist before QEMU does, so whoever is told "ready" can connect at once and nobody polls for files.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use super::dir::{Ending, LabDir, LabName};
use super::process::Process;
use super::qemu;

/// Runs QEMU for this lab until it ends. Tells the starter on stdout: `ready`, or a reason; closes it when QEMU ended.
///
/// With `parent`, the keeper and QEMU end when that process does.
///
/// # Errors
/// QEMU could not be started, which the starter was told, or its end not be noted.
pub fn run(name: &LabName, parent: Option<u32>) -> io::Result<()> {
    let dir = LabDir::of(name);
    let started = follow(parent).and_then(|()| start(&dir));
    let answer = match &started {
        Ok(_) => "ready".to_owned(),
        Err(error) => error.to_string().replace('\n', " "),
    };
    let _ = writeln!(io::stdout(), "{answer}").and_then(|()| io::stdout().flush());
    let status = started?.wait()?;
    dir.write_ending(&Ending { status: status.code(), signal: status.signal() })
}

/// Ends when `parent` ends.
fn follow(parent: Option<u32>) -> io::Result<()> {
    let Some(parent) = parent else { return Ok(()) };
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let is_there = getppid().is_some_and(|now| u32::try_from(now.as_raw_nonzero().get()) == Ok(parent));
    if is_there { Ok(()) } else { Err(io::Error::other("the command that wanted the lab is gone")) }
}

fn start(dir: &LabDir) -> io::Result<Child> {
    let mut record = dir.record().ok_or_else(|| io::Error::other("the lab has no record"))?;
    // Relative to the directory: a socket's path may have 107 bytes only, wherever the directory is.
    std::env::set_current_dir(dir.path())?;
    let link = listen(Path::new("serial.sock"))?;
    let qmp = listen(Path::new("qmp.sock"))?;
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open("qemu.log")?;
    File::create("shm")?.set_len(qemu::SHARED_MEMORY)?;
    let arguments: Vec<String> = record.command[1..]
        .iter()
        .map(|word| {
            word.replace(qemu::LINK_FD, &link.as_raw_fd().to_string())
                .replace(qemu::QMP_FD, &qmp.as_raw_fd().to_string())
        })
        .collect();
    let mut command = Command::new(&record.command[0]);
    command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    // SAFETY: prctl is async-signal-safe and touches no memory of this process.
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
    }
    let child = command.spawn().map_err(|error| {
        io::Error::new(error.kind(), format!("cannot start {}: {error}", record.command[0]))
    })?;
    record.qemu = Process::now(child.id());
    record.keeper = Process::now(std::process::id());
    dir.write_record(&record)?;
    Ok(child)
}

/// A listening socket that only this user may connect to, and that QEMU inherits.
fn listen(path: &Path) -> io::Result<OwnedFd> {
    let mask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    rustix::process::umask(mask);
    let fd = OwnedFd::from(listener?);
    fcntl_setfd(&fd, FdFlags::empty())?;
    Ok(fd)
}
