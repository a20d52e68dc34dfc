//! A `hostctl xenstored` of the test's own, and clients that check each reply's ids.
#![allow(dead_code, unreachable_pub)] // Each test file uses its part of this.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use store_peers::{Client, Message};
use tempfile::TempDir;

/// A server in a directory of its own. Dropped, it is killed.
pub struct Server {
    process: Child,
    dir: TempDir,
}

impl Server {
    /// A server on `socket` in a new directory.
    pub fn start() -> Self {
        Self::with_domains(&[])
    }

    /// One that also serves these domains, each on the socket `domain-N`.
    pub fn with_domains(domids: &[u16]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), domids)
    }

    fn start_in(dir: TempDir, domids: &[u16]) -> Self {
        let mut command = hostctl(&dir.path().join("socket"));
        for domid in domids {
            command
                .arg("--domain")
                .arg(format!("{domid}={}", dir.path().join(domain_file(*domid)).display()));
        }
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("listening on "), "the server says {line:?}");
        Server { process, dir }
    }

    /// Kills the server and starts another in the same directory.
    pub fn kill_and_start_again(mut self) -> Self {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let kept = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        drop(self);
        Self::start_in(kept, &[])
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    pub fn connect(&self) -> Talker {
        Talker::new(&self.socket())
    }

    pub fn connect_as(&self, domid: u16) -> Talker {
        Talker::new(&self.dir.path().join(domain_file(domid)))
    }

    /// Sends a signal and waits for the end.
    pub fn end(&mut self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
        self.process.wait().unwrap()
    }

    /// Resident memory, in KiB.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// How often it went to sleep so far.
    pub fn sleeps(&self) -> u64 {
        self.status("voluntary_ctxt_switches:")
    }

    fn status(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// How many files the server has open.
    pub fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn domain_file(domid: u16) -> String {
    format!("domain-{domid}")
}

/// `hostctl xenstored --socket PATH`.
pub fn hostctl(socket: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostctl"));
    command.args(["xenstored", "--socket"]).arg(socket).stdin(Stdio::null());
    command
}

/// What came back: the payload, or the error's name.
pub type Reply = Result<String, String>;

pub const DIRECTORY: u32 = 1;
pub const READ: u32 = 2;
pub const WATCH: u32 = 4;
pub const UNWATCH: u32 = 5;
pub const START: u32 = 6;
pub const END: u32 = 7;
pub const INTRODUCE: u32 = 8;
pub const RELEASE: u32 = 9;
pub const WRITE: u32 = 11;
pub const MKDIR: u32 = 12;
pub const RM: u32 = 13;
pub const SET_PERMS: u32 = 14;
pub const EVENT: u32 = 15;
pub const ERROR: u32 = 16;

/// A client that asks and checks that it is answered, in order and once.
pub struct Talker {
    client: Client,
    next_id: u32,
    /// Asked and not answered yet: (type, id, transaction).
    asked: std::collections::VecDeque<(u32, u32, u32)>,
    /// Paths and tokens of events that came before replies.
    pub events: Vec<String>,
}

impl Talker {
    pub fn new(socket: &Path) -> Self {
        let client = Client::connect(socket).unwrap();
        Talker { client, next_id: 1, asked: Default::default(), events: Vec::new() }
    }

    /// Sends a request and does not wait.
    pub fn send(&mut self, ty: u32, tx_id: u32, payload: &str) {
        let req_id = self.next_id;
        self.next_id += 1;
        self.client.send(&Message { ty, req_id, tx_id, payload: payload.into() }).unwrap();
        self.asked.push_back((ty, req_id, tx_id));
    }

    /// The reply to the oldest request that has none.
    pub fn reply(&mut self) -> Reply {
        let (ty, req_id, tx_id) = self.asked.pop_front().expect("something was asked");
        loop {
            let message = self.client.recv().unwrap();
            let text = String::from_utf8(message.payload).unwrap();
            if message.ty == EVENT {
                self.events.push(text);
                continue;
            }
            assert_eq!((message.req_id, message.tx_id), (req_id, tx_id), "the reply has its request's ids");
            if message.ty == ERROR {
                return Err(text.trim_end_matches('\0').to_owned());
            }
            assert_eq!(message.ty, ty);
            return Ok(text);
        }
    }

    pub fn ask(&mut self, ty: u32, tx_id: u32, payload: &str) -> Reply {
        self.send(ty, tx_id, payload);
        self.reply()
    }

    /// Waits for an event.
    pub fn event(&mut self) -> String {
        if !self.events.is_empty() {
            return self.events.remove(0);
        }
        let message = self.client.recv().unwrap();
        assert_eq!(message.ty, EVENT);
        String::from_utf8(message.payload).unwrap()
    }

    /// Opens a transaction.
    pub fn start(&mut self) -> u32 {
        self.ask(START, 0, "\0").unwrap().trim_end_matches('\0').parse().unwrap()
    }

    /// The server has closed the connection.
    pub fn is_cut_off(&mut self) -> bool {
        self.client.recv().is_err_and(|error| {
            matches!(error.kind(), std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset)
        })
    }

    /// The same, where events may have come before.
    pub fn is_cut_off_after_events(&mut self) -> bool {
        loop {
            match self.client.recv() {
                Ok(message) => assert_eq!(message.ty, EVENT),
                Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
            }
        }
    }
}
