//! The servers that are measured, each a process on a socket of its own.

use std::fs::ReadDir;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};
use store_peers::{Peer, PeerKind};
use tempfile::TempDir;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `hostctl xenstored`.
    Ours,
    /// One of Debian's.
    Peer(PeerKind),
    /// None: something that answers each request without looking at it ([`super::echo`]).
    Nothing,
}

impl Kind {
    /// In the order in which they take turns.
    pub(super) const ALL: [Kind; 4] =
        [Kind::Ours, Kind::Peer(PeerKind::C), Kind::Peer(PeerKind::OCaml), Kind::Nothing];
}

/// A running server. Dropped, it ends.
pub(super) enum Server {
    Own { process: Child, socket: PathBuf, _dir: TempDir },
    Peer(Peer),
}

impl Server {
    /// Starts a server and waits until it can be connected to.
    pub(super) fn start(kind: Kind, hostctl: &Path) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let socket = dir.path().join("socket");
        let mut command = match kind {
            Kind::Peer(kind) => return Ok(Self::Peer(Peer::start(kind)?)),
            Kind::Ours => {
                let mut command = Command::new(hostctl);
                command.args(["xenstored", "--socket"]).arg(&socket);
                command
            }
            Kind::Nothing => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["bench", "store", "--echo"]).arg(&socket);
                command
            }
        };
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let said = process.stdout.take().context("its stdout is a pipe")?;
        let server = Self::Own { process, socket, _dir: dir };
        BufReader::new(said).read_line(&mut line)?;
        ensure!(line.starts_with("listening"), "the server did not come up");
        Ok(server)
    }

    pub(super) fn socket(&self) -> &Path {
        match self {
            Self::Own { socket, .. } => socket,
            Self::Peer(peer) => peer.socket(),
        }
    }

    fn pid(&self) -> u32 {
        match self {
            Self::Own { process, .. } => process.id(),
            Self::Peer(peer) => peer.pid(),
        }
    }

    /// CPU time that it has used, in us.
    pub(super) fn cpu_us(&self) -> Result<f64> {
        self.clock().us()
    }

    /// What tells its CPU time, to be read from any thread.
    pub(super) fn clock(&self) -> Clock {
        Clock { pid: self.pid() }
    }

    /// Lets all its threads run on these processors.
    pub(super) fn keep_to(&self, cpus: &CpuSet) -> Result<()> {
        for task in tasks(self.pid())? {
            let number = task?.file_name().into_string().ok().and_then(|name| name.parse().ok());
            let task = number.and_then(Pid::from_raw).context("a thread without a number")?;
            sched_setaffinity(Some(task), cpus).context("cannot choose the server's processors")?;
        }
        Ok(())
    }

    /// Resident memory, in MiB.
    pub(super) fn memory_mib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        Ok(kib.context("no VmRSS")? / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Own { process, .. } = self {
            // Both fail only if it has ended.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// What tells a server's CPU time.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    pid: u32,
}

impl Clock {
    /// CPU time that all threads have used, in us, as the scheduler counts it (proc(5), the first field of `schedstat`).
    pub(super) fn us(self) -> Result<f64> {
        let mut sum = 0.0;
        for task in tasks(self.pid)? {
            let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
            let ns = text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
            sum += ns.with_context(|| format!("not understood: {text}"))? / 1000.0;
        }
        Ok(sum)
    }
}

/// A process's threads.
fn tasks(pid: u32) -> Result<ReadDir> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/task"))?)
}
