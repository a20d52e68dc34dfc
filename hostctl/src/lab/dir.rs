//! A lab's directory: what it is made of, which labs there are, and which of them are up.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::process::Process;
use crate::connect::ConnectError;
use crate::dirs;

/// A lab's name: a file name without surprises.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LabName(String);

impl LabName {
    /// Checks a name: letters, digits, `_`, and, not at its start, `-` and `.`; 40 at most, since sockets' paths are short.
    ///
    /// # Errors
    /// [`ConnectError::BadLabName`].
    pub fn parse(text: &str) -> Result<LabName, ConnectError> {
        let fits = (1..=40).contains(&text.len())
            && !text.starts_with(['.', '-'])
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if fits { Ok(LabName(text.into())) } else { Err(ConnectError::BadLabName(text.into())) }
    }

    /// The name of this process's `lab run`.
    pub fn temporary() -> LabName {
        LabName(format!("run-{}", std::process::id()))
    }

    /// The lab belongs to a `lab run`, and goes with it.
    pub fn is_temporary(&self) -> bool {
        self.0.starts_with("run-")
    }
}

impl fmt::Display for LabName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of a lab: `lab.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Its name.
    pub name: LabName,
    /// QEMU, once it runs.
    pub qemu: Option<Process>,
    /// QEMU's parent, once it runs.
    pub keeper: Option<Process>,
    /// When the lab was started, in seconds since 1970.
    pub created: u64,
    /// Which Xen was asked for.
    pub xen: String,
    /// The hypervisor's file.
    pub xen_file: PathBuf,
    /// The control domain's kernel.
    pub kernel: PathBuf,
    /// The bundle, if any.
    pub bundle: Option<PathBuf>,
    /// There is an IOMMU.
    pub iommu: bool,
    /// The machine's memory in MiB.
    pub memory_mib: u32,
    /// The control domain's memory in MiB.
    pub dom0_memory_mib: u32,
    /// The machine's processors.
    pub cpus: u32,
    /// QEMU and its arguments; paths are relative to the lab's directory.
    pub command: Vec<String>,
}

/// How QEMU ended: `exit.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Its exit status, if it ended by itself.
    pub status: Option<i32>,
    /// The signal that ended it, otherwise.
    pub signal: Option<i32>,
}

impl Ending {
    /// What this says about the machine.
    pub fn meaning(&self) -> String {
        match (self.status, self.signal) {
            (Some(255), _) => "the control domain panicked".into(),
            (Some(0), _) => "QEMU was told to end, or the machine reset itself".into(),
            (Some(1), _) => "the machine was halted, or QEMU could not start".into(),
            (Some(status), _) if status % 2 == 1 => {
                format!("the machine was halted with code {}", status / 2)
            }
            (Some(status), _) => format!("QEMU ended with status {status}"),
            (None, Some(signal)) => format!("QEMU was ended by signal {signal}"),
            (None, None) => "QEMU ended".into(),
        }
    }
}

/// A lab's directory.
#[derive(Clone, Debug)]
pub struct LabDir {
    path: PathBuf,
    name: LabName,
}

impl LabDir {
    /// The directory of the lab of this name, which need not exist.
    pub fn of(name: &LabName) -> LabDir {
        LabDir { path: labs().join(&name.0), name: name.clone() }
    }

    /// The lab's name.
    pub fn name(&self) -> &LabName {
        &self.name
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The socket that is COM2: the link.
    pub fn serial_socket(&self) -> PathBuf {
        self.file("serial.sock")
    }

    /// QEMU's control socket.
    pub fn qmp_socket(&self) -> PathBuf {
        self.file("qmp.sock")
    }

    /// The shared memory.
    pub fn shared_memory(&self) -> PathBuf {
        self.file("shm")
    }

    /// What came out of COM1: Xen's console, with the control domain's.
    pub fn xen_log(&self) -> PathBuf {
        self.file("xen.log")
    }

    /// What QEMU said.
    pub fn qemu_log(&self) -> PathBuf {
        self.file("qemu.log")
    }

    /// What the broker noted.
    pub fn broker_log(&self) -> PathBuf {
        self.file("broker.log")
    }

    /// Where the logs of the last lab of this name are kept after its end.
    pub fn old_logs(&self) -> PathBuf {
        dirs::runtime().join("logs").join(&self.name.0)
    }

    /// What is known of the lab; `None` if there is none, or it never got that far.
    ///
    /// Its processes will be killed and its sockets trusted, so a record that another user could have written is none.
    pub fn record(&self) -> Option<Record> {
        if !dirs::is_runtime_own() {
            return None;
        }
        read_json(&self.file("lab.json"))
    }

    /// Writes what is known of the lab, all or nothing.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_record(&self, record: &Record) -> io::Result<()> {
        write_json(&self.file("lab.json"), record)
    }

    /// How QEMU ended, once it has.
    pub fn ending(&self) -> Option<Ending> {
        read_json(&self.file("exit.json"))
    }

    /// Notes how QEMU ended.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_ending(&self, ending: &Ending) -> io::Result<()> {
        write_json(&self.file("exit.json"), ending)
    }

    /// Says whether the lab's QEMU runs.
    pub fn is_running(&self) -> bool {
        self.record().and_then(|record| record.qemu).is_some_and(|qemu| qemu.is_alive())
    }

    /// Says whether there is such a directory.
    pub fn exists(&self) -> bool {
        self.path.is_dir()
    }

    /// Locks the lab's name against another `up` or `down`; `None` when one is at it.
    ///
    /// # Errors
    /// The lock's file cannot be made.
    pub fn lock(&self) -> io::Result<Option<File>> {
        dirs::make_private(&labs())?;
        let path = self.lock_path();
        let file = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The lock's file: beside the directory, which comes and goes.
    pub(super) fn lock_path(&self) -> PathBuf {
        labs().join(format!(".{}.lock", self.name))
    }

    /// All labs that have a directory, by name.
    pub fn all() -> Vec<LabDir> {
        let entries = fs::read_dir(labs()).into_iter().flatten().flatten();
        let mut names: Vec<LabName> =
            entries.filter_map(|entry| LabName::parse(entry.file_name().to_str()?).ok()).collect();
        names.sort();
        names.iter().map(LabDir::of).filter(LabDir::exists).collect()
    }

    /// The names of the labs that are up.
    pub fn running() -> Vec<LabName> {
        LabDir::all().into_iter().filter(LabDir::is_running).map(|dir| dir.name).collect()
    }
}

fn labs() -> PathBuf {
    dirs::runtime().join("labs")
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let next = path.with_extension("next");
    fs::write(&next, serde_json::to_vec_pretty(value)?)?;
    fs::rename(&next, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_file_names_without_surprises() {
        for good in ["default", "a", "ci-3.x_1"] {
            assert!(LabName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", ".x", "-x", "a/b", "a b", "a,b", &"x".repeat(41)] {
            assert!(LabName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn qemus_status_says_what_the_machine_did() {
        let status = |status| Ending { status: Some(status), signal: None }.meaning();
        assert_eq!(status(255), "the control domain panicked");
        assert_eq!(status(7), "the machine was halted with code 3");
        assert!(status(0).contains("reset"));
        assert_eq!(Ending { status: None, signal: Some(9) }.meaning(), "QEMU was ended by signal 9");
    }
}
