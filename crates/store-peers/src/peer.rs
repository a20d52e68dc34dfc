//! A server's process.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::xen::{Prepared, Xen};

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerKind {
    /// The one written in C.
    C,
    /// oxenstored.
    OCaml,
}

impl PeerKind {
    /// Both.
    pub const ALL: [PeerKind; 2] = [PeerKind::C, PeerKind::OCaml];
    /// The Debian package that has both.
    pub const PACKAGE: &str = "xen-utils-4.17";

    /// One word for it, as programs take it.
    pub fn word(self) -> &'static str {
        match self {
            PeerKind::C => "c",
            PeerKind::OCaml => "ocaml",
        }
    }

    fn program(self) -> &'static Path {
        Path::new(match self {
            PeerKind::C => "/usr/lib/xen-4.17/bin/xenstored",
            PeerKind::OCaml => "/usr/lib/xen-4.17/bin/oxenstored",
        })
    }

    /// Whether Debian's package is here.
    pub fn is_installed(self) -> bool {
        self.program().exists()
    }
}

impl fmt::Display for PeerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PeerKind::C => "C xenstored",
            PeerKind::OCaml => "oxenstored",
        })
    }
}

/// What a guest may use. The values by default are the C server's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nodes owned.
    pub nodes: u32,
    /// Bytes of a node.
    pub node_size: u32,
    /// Watches set.
    pub watches: u32,
    /// Transactions open.
    pub transactions: u32,
    /// Bytes of a path.
    pub path_max: u32,
    /// Whether the limits on writes and conflicts a second are out of the way. (Ours has none.)
    pub is_unhurried: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            nodes: 1000,
            node_size: 2048,
            watches: 128,
            transactions: 10,
            path_max: 2048,
            is_unhurried: false,
        }
    }
}

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct Peer {
    process: Child,
    xen: Xen,
    socket: PathBuf,
    /// Removed last.
    _dir: TempDir,
}

impl Peer {
    /// Starts a server with the limits that Debian gives it, and waits until its socket can be connected to.
    ///
    /// # Errors
    /// It is not installed, or did not come up.
    pub fn start(kind: PeerKind) -> io::Result<Self> {
        Self::start_with(kind, None)
    }

    /// As [`Self::start`], with limits of one's own.
    ///
    /// # Errors
    /// As there.
    pub fn start_with(kind: PeerKind, limits: Option<&Limits>) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("store-peer.").tempdir()?;
        let prepared = Prepared::new(dir.path())?;
        let socket = dir.path().join("socket");
        let mut command = Command::new(kind.program());
        match kind {
            PeerKind::C => c_arguments(&mut command, limits),
            PeerKind::OCaml => ocaml_arguments(&mut command, limits, dir.path())?,
        }
        command.env("LD_PRELOAD", env!("XENLESS")).env("XENLESS", dir.path());
        // The C server keeps its files there.
        command.env("XENSTORED_PATH", &socket).env("XENSTORED_RUNDIR", dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = command.spawn()?;
        let started = prepared.connect(|| matches!(process.try_wait(), Ok(None))).and_then(|xen| {
            wait_for(&socket)?;
            Ok(xen)
        });
        match started {
            Ok(xen) => Ok(Peer { process, xen, socket, _dir: dir }),
            Err(error) => {
                end(&mut process);
                Err(io::Error::new(error.kind(), format!("{kind}: {error}")))
            }
        }
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Its process, for its CPU time and memory.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// How it ended, if it has. Waits a little, for one that is about to.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        for _ in 0..100 {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// The Xen that it sees.
    pub fn xen(&self) -> &Xen {
        &self.xen
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// Kills: at SIGTERM oxenstored writes its store to /run/xenstored.
fn end(process: &mut Child) {
    // Both fail only if it has ended by itself.
    let _ = process.kill();
    let _ = process.wait();
}

fn c_arguments(command: &mut Command, limits: Option<&Limits>) {
    command.arg("--no-fork");
    let Some(limits) = limits else { return };
    let mut limit = |name: &str, value: u32| {
        command.arg(name).arg(value.to_string());
    };
    limit("--entry-nb", limits.nodes);
    limit("--entry-size", limits.node_size);
    // It lets through one more than it is told of these two.
    limit("--watch-nb", limits.watches.saturating_sub(1));
    limit("--transaction", limits.transactions.saturating_sub(1));
    limit("--path-max", limits.path_max);
    if limits.is_unhurried {
        command.args(["--timeout", "watch-event=0"]).env("XENLESS_CLOCK", "1000");
    }
}

/// oxenstored takes its limits from a file.
fn ocaml_arguments(command: &mut Command, limits: Option<&Limits>, dir: &Path) -> io::Result<()> {
    let mut lines = vec![
        format!("pid-file = {}/pid", dir.display()),
        format!("xenstored-log-file = {}/log", dir.display()),
        "xenstored-kva = /proc/xen/xsd_kva".into(),
        "xenstored-port = /proc/xen/xsd_port".into(),
        "persistent = false".into(),
        "perms-activate = true".into(),
        "perms-watch-activate = true".into(),
        "quota-activate = true".into(),
        "merge-activate = true".into(),
    ];
    if let Some(limits) = limits {
        lines.push(format!("quota-maxentity = {}", limits.nodes));
        lines.push(format!("quota-maxsize = {}", limits.node_size));

        // It, too, lets through one more of these two.
        lines.push(format!("quota-maxwatch = {}", limits.watches.saturating_sub(1)));
        lines.push(format!("quota-transaction = {}", limits.transactions.saturating_sub(1)));
        lines.push(format!("quota-path-max = {}", limits.path_max));
        if limits.is_unhurried {
            lines.push("conflict-burst-limit = 1000000000.0".into());
        }
    }
    let config = dir.join("oxenstored.conf");
    fs::write(&config, lines.join("\n") + "\n")?;
    command.arg("--config-file").arg(&config).arg("--no-fork");
    Ok(())
}

/// Waits until somebody listens on the socket.
fn wait_for(socket: &Path) -> io::Result<()> {
    let start = Instant::now();
    loop {
        match std::os::unix::net::UnixStream::connect(socket) {
            Ok(_) => return Ok(()),
            Err(error) if start.elapsed() > Duration::from_secs(10) => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}
