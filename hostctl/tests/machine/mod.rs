//! hostctl, run against a simulated control domain.
#![allow(dead_code, unreachable_pub, reason = "every test program uses its own part")]

#[path = "../done/mod.rs"]
mod done;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use done::Done;
use sim_control::{Setup, SimControl};

/// A control domain, and a directory for hostctl to run in.
pub struct Machine {
    // Before the directory, in which its socket is.
    pub control: SimControl,
    dir: tempfile::TempDir,
}

impl Machine {
    pub fn start(setup: Setup) -> Machine {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let control = SimControl::start(&dir.path().join("line"), setup);
        Machine { control, dir }
    }

    /// Where hostctl runs.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.dir().join(name);
        std::fs::write(&path, content).expect("the file can be written");
        path
    }

    /// hostctl with these words, reaching this machine.
    pub fn hostctl(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostctl"));
        command
            .args(words)
            .env("HOSTCTL_CONNECT", format!("unix:{}", self.control.line().display()))
            .env("HOSTCTL_BROKER_IDLE", "2")
            .env("XDG_RUNTIME_DIR", self.dir())
            .env("NANODOM_CACHE", self.dir().join("cache"))
            .env("HOSTCTL_DUMP_DIR", self.dir().join("dumps"))
            .env("TZ", "UTC")
            .env("TERM", "dumb")
            .current_dir(self.dir())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, words: &[&str]) -> Done {
        self.run_with(words, b"")
    }

    /// Runs hostctl, and types this; its stdin is not at its end before it is.
    pub fn run_with(&self, words: &[&str], typed: &[u8]) -> Done {
        let mut command = self.hostctl(words);
        if !typed.is_empty() {
            command.stdin(Stdio::piped());
        }
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("hostctl starts");
        let mut stdin = child.stdin.take();
        if let Some(stdin) = &mut stdin {
            // It may have ended already.
            let _ = stdin.write_all(typed);
        }
        let done = Done::of(child.wait_with_output().expect("hostctl ends"));
        drop(stdin);
        done
    }
}
