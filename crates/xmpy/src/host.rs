//! What of the machine a script may see. Whatever is not overridden is refused or unknown: a script that runs on
//! [`Sealed`] touches nothing.

use std::fmt;

/// Why a host did not do what a script asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not allowed; carries the way to allow it, as a clause ("--allow-exec permits it").
    Denied(String),
    /// It was tried and did not work; carries the reason ("No such file or directory").
    Failed(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(way) => write!(f, "not permitted here ({way})"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// The machine as a script sees it.
pub trait Host {
    /// Takes what the script prints, to stdout (xm's tradition) or, if `to_stderr`, to stderr.
    fn print(&self, _text: &str, _to_stderr: bool) {}

    /// `os.uname()`: system, node, release, version, machine.
    fn uname(&self) -> [String; 5] {
        ["Linux", "localhost", "", "", "x86_64"].map(str::to_owned)
    }

    /// `os.environ`, in no particular order.
    fn environ(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// `os.getcwd()`.
    fn current_dir(&self) -> Option<String> {
        None
    }

    /// What kind of thing `path` is, for `os.path.exists` and its like; `None`: nothing that can be seen.
    fn path_kind(&self, _path: &str) -> Option<PathKind> {
        None
    }

    /// Names in a directory, for `os.listdir`.
    ///
    /// # Errors
    /// Not permitted (the default), or it could not be read.
    fn list_dir(&self, _path: &str) -> Result<Vec<String>, Refusal> {
        Err(Refusal::Denied("this host shows no directories".to_owned()))
    }

    /// Reads a whole file, for `open`, `execfile`, `exec open(..)` and `import`; at most `limit` bytes of it.
    ///
    /// # Errors
    /// Not permitted (the default), or it could not be read, or it is longer.
    fn read_file(&self, _path: &str, _limit: usize) -> Result<Vec<u8>, Refusal> {
        Err(Refusal::Denied("this host reads no files".to_owned()))
    }

    /// Runs a shell command and returns what it printed, at most `limit` bytes, for `os.popen` and its like.
    ///
    /// # Errors
    /// Not permitted (the default), or it could not be run, or it printed more.
    fn popen(&self, _command: &str, _limit: usize) -> Result<Vec<u8>, Refusal> {
        Err(Refusal::Denied("--allow-exec permits it".to_owned()))
    }

    /// Seconds since 1970, for `time.time()`.
    fn now(&self) -> f64 {
        0.0
    }

    /// A random number, for `random`.
    fn random(&self) -> u64 {
        // Not random at all: what a sealed script computes is the same each time.
        4
    }

    /// The gateway's address and the device of the default route.
    fn default_route(&self) -> Option<(String, String)> {
        None
    }

    /// The address and the mask of a network device.
    fn device_address(&self, _device: &str) -> Option<(String, String)> {
        None
    }
}

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A device, a socket, a pipe.
    Other,
}

/// A host with nothing in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sealed;

impl Host for Sealed {}
