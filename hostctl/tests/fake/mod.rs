//! A control domain without Xen: crate `link` on a unix socket, and canned answers. And hostctl, run against it.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "every test program uses its own part")]

mod calls;
#[path = "../done/mod.rs"]
mod done;
mod line;
mod store;

use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use done::Done;
use line::Machine;
use proto::domain::{DomainInfo, DomainState, Ended};
use proto::error::CreateError;

/// What the fake does on request of a test.
pub enum Order {
    /// Close the line.
    Cut,
    /// Start anew on the next connection or byte: another boot id, no session.
    Restart,
    /// Answer every pending `DomainWait`.
    End(Ended),
    /// Answer the creations that are held back.
    Release,
    /// Send bytes on every open console.
    Print(Vec<u8>),
    /// Stop.
    Quit,
}

/// What tests look at and change while the fake runs.
#[derive(Default)]
pub struct World {
    pub domains: Vec<DomainInfo>,
    pub created: Vec<proto::domain::CreateRequest>,
    pub uploads: Vec<(usize, bool)>,
    pub typed: Vec<u8>,
    pub consoles: usize,
    pub paths: Vec<&'static str>,
    /// Requests other than `Hello` are not understood.
    pub is_foreign: bool,
    /// Creations are held back until `Order::Release`.
    pub holds_creations: bool,
    pub refuses_creation: Option<CreateError>,
    pub greets: bool,
    pub console_text: Vec<u8>,
    pub shared_memory: Option<PathBuf>,
    /// What is typed on consoles and sent as images is not taken: no credit for it is given.
    pub is_deaf: bool,
    /// What is typed on consoles is not echoed.
    pub is_mute: bool,
    /// So many bytes more in every answer to `dmesg`.
    pub dmesg_padding: usize,
    /// Streams to the store that are open.
    pub stores: usize,
    /// Streams to the store are refused.
    pub refuses_stores: bool,
}

/// A control domain without Xen.
pub struct Fake {
    pub dir: tempfile::TempDir,
    pub world: Arc<Mutex<World>>,
    orders: Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

pub fn domain(name: &str, domid: u16) -> DomainInfo {
    DomainInfo {
        domid,
        name: name.into(),
        uuid: [domid as u8; 16],
        memory_kib: 128 * 1024,
        max_memory_kib: 128 * 1024,
        vcpus: 1,
        max_vcpus: 1,
        pool: "Pool-0".into(),
        state: DomainState::BLOCKED,
        is_admin_paused: false,
        is_ending: false,
        cpu_time_ns: 1_500_000_000,
        uptime_ms: 65_000,
        shutdown: None,
    }
}

impl Fake {
    pub fn start() -> Fake {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let world = World {
            domains: vec![domain("Domain-0", 0), domain("guest1", 1)],
            greets: true,
            console_text: b"hello from guest1\r\n".to_vec(),
            ..World::default()
        };
        let world = Arc::new(Mutex::new(world));
        let (orders, receiver) = channel();
        let listener = UnixListener::bind(dir.path().join("line")).expect("a socket");
        let theirs = world.clone();
        let thread = std::thread::spawn(move || Machine::new(theirs, receiver).run(&listener));
        Fake { dir, world, orders, thread: Some(thread) }
    }

    pub fn order(&self, order: Order) {
        self.orders.send(order).expect("the fake runs");
    }

    pub fn line(&self) -> PathBuf {
        self.dir.path().join("line")
    }

    /// hostctl with these words, reaching this fake.
    pub fn hostctl(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostctl"));
        command
            .args(words)
            .env("HOSTCTL_CONNECT", format!("unix:{}", self.line().display()))
            .env("HOSTCTL_BROKER_IDLE", "2")
            .env("XDG_RUNTIME_DIR", self.dir.path())
            .env("NANODOM_CACHE", self.dir.path().join("cache"))
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, words: &[&str]) -> Done {
        Done::of(self.hostctl(words).output().expect("hostctl runs"))
    }

    pub fn xm(&self, line: &str) -> Done {
        let words: Vec<&str> = std::iter::once("xm").chain(line.split_whitespace()).collect();
        self.run(&words)
    }

    pub fn spawn(&self, words: &[&str]) -> Child {
        self.hostctl(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("hostctl starts")
    }

    /// A file with this in it.
    pub fn file(&self, name: &str, text: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).expect("the file can be written");
        path
    }

    /// Waits until something is so.
    pub fn until(&self, what: &str, is_so: impl Fn(&World) -> bool) {
        let start = Instant::now();
        while !is_so(&self.world.lock().unwrap()) {
            assert!(start.elapsed() < Duration::from_secs(20), "never happened: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Makes a lab's directory whose line is this fake, and whose QEMU is this process, or one long gone.
    pub fn lab(&self, name: &str, is_alive: bool) -> PathBuf {
        let dir = self.dir.path().join("nanodom/labs").join(name);
        std::fs::create_dir_all(&dir).expect("the directory can be made");
        let me = hostctl::lab::process::Process::now(std::process::id()).expect("this process runs");
        let started = if is_alive { me.started } else { me.started - 1 };
        let record = serde_json::json!({
            "name": name, "qemu": { "pid": me.pid, "started": started }, "keeper": null, "created": 0, "xen": "4.17",
            "xen_file": "/x", "kernel": "/k", "bundle": null, "iommu": false, "memory_mib": 512,
            "dom0_memory_mib": 16, "cpus": 1, "command": [],
        });
        std::fs::write(dir.join("lab.json"), record.to_string()).expect("the record can be written");
        if !dir.join("serial.sock").exists() {
            std::os::unix::fs::symlink(self.line(), dir.join("serial.sock")).expect("the line can be linked");
        }
        std::fs::File::create(dir.join("shm"))
            .and_then(|file| file.set_len(2 << 20))
            .expect("memory can be made");
        dir
    }

    /// Ids of the brokers of this fake's line.
    pub fn brokers(&self) -> Vec<u32> {
        let me = format!("unix:{}", self.line().display());
        std::fs::read_dir("/proc")
            .expect("/proc is there")
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid: &u32| {
                let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let words: Vec<&[u8]> = words.split(|byte| *byte == 0).collect();
                words.contains(&&b"broker"[..]) && words.contains(&me.as_bytes())
            })
            .collect()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Quit);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the fake control domain panicked");
        }
    }
}

/// Bytes that nothing can compress.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    })
    .take(len)
    .collect()
}

pub fn finish(child: Child) -> Done {
    Done::of(child.wait_with_output().expect("hostctl ends"))
}
