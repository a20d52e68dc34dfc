//! A control domain without Xen: crate `link` on a unix socket, and canned answers. And hostctl, run against it.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "every test program uses its own part")]

mod store;

use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use link::{BootId, Channel, Config, Event, Link, Micros};
use proto::Endpoint;
use proto::console::ConsoleOpened;
use proto::domain::{Created, DomainInfo, DomainPage, DomainRef, DomainState, Ended, Phase};
use proto::endpoints::*;
use proto::error::{CreateError, DomainError, ImageError};
use proto::host::{ConsolePart, Greeting};
use proto::image::{SharedMemoryUse, Upload};
use proto::wire::{Fault, Request, RequestId, Response};

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

    /// The broker's log, for messages of failing tests.
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

/// What a run of hostctl gave.
#[derive(Debug, PartialEq, Eq)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    pub fn of(output: Output) -> Done {
        Done {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub fn finish(child: Child) -> Done {
    Done::of(child.wait_with_output().expect("hostctl ends"))
}

struct Machine {
    world: Arc<Mutex<World>>,
    orders: Receiver<Order>,
    start: Instant,
    boot: u64,
    link: Link,
    waits: Vec<RequestId>,
    held: Vec<RequestId>,
    consoles: Vec<Channel>,
    /// Uploads: bytes so far, or through memory.
    uploads: HashMap<Channel, Incoming>,
    answers: HashMap<RequestId, Vec<u8>>,
    /// Answers that the link did not take yet.
    unsent: VecDeque<Vec<u8>>,
    finishing: Option<RequestId>,
    stores: store::Stores,
}

struct Incoming {
    expected: usize,
    received: usize,
    memory: Option<(hostctl::shm::SharedMemory, ring::Consumer)>,
}

impl Machine {
    fn new(world: Arc<Mutex<World>>, orders: Receiver<Order>) -> Machine {
        Machine {
            world,
            orders,
            start: Instant::now(),
            boot: 1000,
            link: Link::new(Config::kernel(), BootId::new(1000), Micros(0)),
            waits: Vec::new(),
            held: Vec::new(),
            consoles: Vec::new(),
            uploads: HashMap::new(),
            answers: HashMap::new(),
            unsent: VecDeque::new(),
            finishing: None,
            stores: store::Stores::new(),
        }
    }

    fn now(&self) -> Micros {
        Micros(self.start.elapsed().as_micros() as u64)
    }

    fn run(&mut self, listener: &UnixListener) {
        listener.set_nonblocking(true).expect("sockets can be non-blocking");
        let mut line: Option<UnixStream> = None;
        loop {
            match self.orders.try_recv() {
                Ok(Order::Quit) | Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
                Ok(Order::Cut) => line = None,
                Ok(order) => self.obey(order),
                Err(std::sync::mpsc::TryRecvError::Empty) => {}
            }
            if let Ok((stream, _)) = listener.accept() {
                stream.set_nonblocking(false).expect("sockets can block");
                stream.set_read_timeout(Some(Duration::from_millis(1))).expect("reads can have a limit");
                line = Some(stream);
            }
            match &mut line {
                Some(stream) => {
                    if !self.serve(stream) {
                        line = None;
                    }
                }
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// One round on the line; false when it is gone.
    fn serve(&mut self, stream: &mut UnixStream) -> bool {
        let mut buffer = [0; 65536];
        match stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => {
                let now = self.now();
                self.link.receive(&buffer[..count], now);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return false,
        }
        let now = self.now();
        self.link.tick(now);
        self.send();
        while let Some(event) = self.link.poll_event() {
            self.on_event(event);
        }
        self.stores.send(&mut self.link);
        self.world.lock().unwrap().stores = self.stores.nr_open();
        loop {
            let count = self.link.transmit(&mut buffer, now);
            if count == 0 {
                return true;
            }
            if stream.write_all(&buffer[..count]).is_err() {
                return false;
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Restart => {
                self.boot += 1;
                self.link = Link::new(Config::kernel(), BootId::new(self.boot), self.now());
                self.answers.clear();
                self.waits.clear();
                self.held.clear();
                self.consoles.clear();
            }
            Order::End(ended) => {
                for id in std::mem::take(&mut self.waits) {
                    self.answer::<DomainWait>(id, &Ok(ended));
                }
                for console in std::mem::take(&mut self.consoles) {
                    self.link.stream_close(console);
                }
            }
            Order::Release => {
                for id in std::mem::take(&mut self.held) {
                    self.create_now(id);
                }
            }
            Order::Print(bytes) => {
                for console in self.consoles.clone() {
                    let _ = self.link.stream_write(console, &bytes);
                }
            }
            Order::Cut | Order::Quit => unreachable!("handled by the loop"),
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Message(bytes) => {
                let request: Request = postcard::from_bytes(&bytes).expect("a request");
                match self.answers.get(&request.id) {
                    Some(answer) => {
                        let _ = self.link.send_message(answer.clone());
                    }
                    // It runs; its answer comes when it is ready.
                    None if self.held.contains(&request.id) => {}
                    None => self.on_request(request),
                }
            }
            Event::StreamData(channel, bytes) if self.stores.has(channel) => {
                self.link.stream_consumed(channel, bytes.len());
                if !self.stores.receive(channel, &bytes) {
                    self.stores.close(channel);
                    self.link.stream_close(channel);
                }
            }
            Event::StreamReset(channel) | Event::StreamEnd(channel) if self.stores.has(channel) => {
                self.stores.close(channel);
                self.link.stream_reset(channel);
            }
            Event::StreamData(channel, bytes) => {
                if self.world.lock().unwrap().is_deaf {
                    return;
                }
                self.link.stream_consumed(channel, bytes.len());
                if let Some(incoming) = self.uploads.get_mut(&channel) {
                    match &mut incoming.memory {
                        Some((memory, consumer)) => {
                            let mut part = vec![0; 1 << 20];
                            let count = consumer.read(memory, &mut part).expect("the ring is whole");
                            incoming.received += count;
                            let _ = self.link.stream_write(channel, &[1]);
                        }
                        None => incoming.received += bytes.len(),
                    }
                    self.check_upload();
                } else {
                    let mut world = self.world.lock().unwrap();
                    world.typed.extend(&bytes);
                    if !world.is_mute {
                        let _ = self.link.stream_write(channel, &bytes);
                    }
                }
            }
            // The end is behind what is typed, and that is not taken.
            Event::StreamEnd(channel)
                if self.consoles.contains(&channel) && self.world.lock().unwrap().is_deaf => {}
            Event::StreamReset(channel) | Event::StreamEnd(channel) if self.consoles.contains(&channel) => {
                self.consoles.retain(|console| *console != channel);
                self.world.lock().unwrap().consoles = self.consoles.len();
                self.link.stream_reset(channel);
            }
            _ => {}
        }
    }

    fn check_upload(&mut self) {
        let done = self.uploads.iter().find(|(_, incoming)| incoming.received >= incoming.expected);
        if let (Some((&channel, _)), Some(id)) = (done, self.finishing) {
            let incoming = self.uploads.remove(&channel).expect("it was found");
            self.world.lock().unwrap().uploads.push((incoming.received, incoming.memory.is_some()));
            self.finishing = None;
            self.link.stream_reset(channel);
            self.answer::<ImageFinish>(id, &Ok(()));
        }
    }

    fn answer<E: Endpoint>(&mut self, id: RequestId, body: &E::Response) {
        let body = postcard::to_allocvec(body).expect("encodable");
        self.reply(id, Ok(body));
    }

    fn reply(&mut self, id: RequestId, result: Result<Vec<u8>, Fault>) {
        let bytes = postcard::to_allocvec(&Response { id, result }).expect("encodable");
        self.answers.insert(id, bytes.clone());
        self.unsent.push_back(bytes);
        self.send();
    }

    /// Sends what the link takes now.
    fn send(&mut self) {
        while let Some(bytes) = self.unsent.pop_front() {
            if let Err(link::SendError::Full) = self.link.send_message(bytes.clone()) {
                self.unsent.push_front(bytes);
                return;
            }
        }
    }

    fn find(&self, name: &DomainRef) -> Result<DomainInfo, DomainError> {
        let world = self.world.lock().unwrap();
        let by_name = world.domains.iter().find(|domain| domain.name == name.0);
        let by_id = || world.domains.iter().find(|domain| domain.domid.to_string() == name.0);
        let by_uuid =
            || world.domains.iter().find(|domain| hostctl::output::uuid_text(&domain.uuid) == name.0);
        by_name.or_else(by_id).or_else(by_uuid).cloned().ok_or(DomainError::NotFound)
    }

    fn act(&mut self, request: &Request, change: impl Fn(&mut DomainInfo)) -> Result<(), DomainError> {
        let found = self.find(&body::<DomainPause>(request))?;
        if found.domid == 0 {
            return Err(DomainError::Privileged);
        }
        let mut world = self.world.lock().unwrap();
        world.domains.iter_mut().filter(|domain| domain.domid == found.domid).for_each(change);
        Ok(())
    }

    fn create_now(&mut self, id: RequestId) {
        let mut world = self.world.lock().unwrap();
        let config = world.created.last().expect("it was recorded").config.clone();
        let mut info = domain(&config.name, 7);
        info.uuid = config.uuid.unwrap_or([7; 16]);
        world.domains.push(info.clone());
        drop(world);
        let phases = vec![Phase { name: "build".into(), us: 1500 }];
        let created = Created { domid: 7, uuid: info.uuid, phases, exits: 30, hypercalls: 55 };
        self.answer::<DomainCreate>(id, &Ok(created));
    }

    fn on_request(&mut self, request: Request) {
        let id = request.id;
        let path = ALL.iter().find(|(_, key)| *key == request.key).map(|(path, _)| *path);
        let is_foreign = self.world.lock().unwrap().is_foreign;
        let Some(path) = path.filter(|path| !is_foreign || *path == Hello::PATH) else {
            return self.reply(id, Err(Fault::UnknownKey));
        };
        self.world.lock().unwrap().paths.push(path);
        match path {
            Hello::PATH if self.world.lock().unwrap().greets => self.answer::<Hello>(
                id,
                &Greeting {
                    version: "9.9.9".into(),
                    boot_id: self.boot,
                    xen: "4.17.6".into(),
                    uptime_ms: 5,
                    paths: ALL.iter().map(|(path, _)| path.to_string()).collect(),
                },
            ),
            Hello::PATH => {}
            DomainList::PATH => {
                let domains = self.world.lock().unwrap().domains.clone();
                self.answer::<DomainList>(id, &Ok(DomainPage { domains, next: None }));
            }
            DomainFind::PATH => {
                let found = self.find(&body::<DomainFind>(&request));
                self.answer::<DomainFind>(id, &found);
            }
            DomainPause::PATH => {
                let done = self.act(&request, |domain| domain.state |= DomainState::PAUSED);
                self.answer::<DomainPause>(id, &done);
            }
            DomainUnpause::PATH => {
                let done = self.act(&request, |domain| domain.state -= DomainState::PAUSED);
                self.answer::<DomainUnpause>(id, &done);
            }
            DomainDestroy::PATH => {
                let found = self.find(&body::<DomainDestroy>(&request));
                let done = self.act(&request, |_| ());
                if let (Ok(found), Ok(())) = (found, &done) {
                    self.world.lock().unwrap().domains.retain(|domain| domain.domid != found.domid);
                }
                self.answer::<DomainDestroy>(id, &done);
            }
            DomainWait::PATH => self.waits.push(id),
            DomainCreate::PATH => {
                let mut world = self.world.lock().unwrap();
                world.created.push(body::<DomainCreate>(&request));
                let (refuses, holds) = (world.refuses_creation.clone(), world.holds_creations);
                drop(world);
                match refuses {
                    Some(error) => self.answer::<DomainCreate>(id, &Err(error)),
                    None if holds => self.held.push(id),
                    None => self.create_now(id),
                }
            }
            ConsoleOpenStream::PATH => {
                let open = body::<ConsoleOpenStream>(&request);
                let found = self.find(&open.domain);
                if let Ok(found) = &found {
                    let channel = Channel::new(open.channel.0).expect("a stream's channel");
                    self.link.stream_open(channel).expect("the channel is free");
                    let opened = ConsoleOpened { domid: found.domid, lost: 0 };
                    self.answer::<ConsoleOpenStream>(id, &Ok(opened));
                    let text = self.world.lock().unwrap().console_text.clone();
                    let _ = self.link.stream_write(channel, &text);
                    if open.follow {
                        self.consoles.push(channel);
                        self.world.lock().unwrap().consoles = self.consoles.len();
                    } else {
                        self.link.stream_close(channel);
                    }
                } else {
                    self.answer::<ConsoleOpenStream>(id, &Err(DomainError::NotFound));
                }
            }
            ImagesPresent::PATH => {
                let ids = body::<ImagesPresent>(&request);
                self.answer::<ImagesPresent>(id, &vec![false; ids.len()]);
            }
            ImagesBundled::PATH => {
                self.answer::<ImagesBundled>(id, &vec![("k".into(), proto::image::ImageId([1; 32]))]);
            }
            ImageBegin::PATH => {
                let offer = body::<ImageBegin>(&request);
                let channel = Channel::new(offer.channel.0).expect("a stream's channel");
                self.link.stream_open(channel).expect("the channel is free");
                let is_reachable = offer.shared_memory != SharedMemoryUse::Unreachable;
                let memory = self.world.lock().unwrap().shared_memory.clone().filter(|_| is_reachable);
                let memory = memory.map(|path| {
                    let memory = hostctl::shm::SharedMemory::open(&path).expect("the shared memory");
                    (memory, ring::Consumer::new(hostctl::shm::RING))
                });
                let way = if memory.is_some() { Upload::SharedMemory } else { Upload::Line };
                let incoming = Incoming { expected: offer.stored_len as usize, received: 0, memory };
                self.uploads.insert(channel, incoming);
                self.answer::<ImageBegin>(id, &Ok(way));
            }
            ImageFinish::PATH => {
                if self.uploads.is_empty() {
                    self.answer::<ImageFinish>(id, &Err(ImageError::NotBegun));
                } else {
                    self.finishing = Some(id);
                    self.check_upload();
                }
            }
            HostLog::PATH => {
                let channel = Channel::new(body::<HostLog>(&request).channel.0).expect("a stream's channel");
                self.link.stream_open(channel).expect("the channel is free");
                self.answer::<HostLog>(id, &Ok(()));
                let _ = self.link.stream_write(channel, b"INFO up\n");
                self.link.stream_close(channel);
            }
            StoreOpenStream::PATH if self.world.lock().unwrap().refuses_stores => {
                self.answer::<StoreOpenStream>(id, &Err(DomainError::TooManyStreams { limit: 32 }));
            }
            StoreOpenStream::PATH => {
                let channel = body::<StoreOpenStream>(&request).channel.0;
                let channel = Channel::new(channel).expect("a stream's channel");
                self.link.stream_open(channel).expect("the channel is free");
                self.stores.open(channel);
                self.answer::<StoreOpenStream>(id, &Ok(()));
            }
            HostDmesg::PATH => {
                let mut text = b"(XEN) one\n(XEN) two\x1b[31m".to_vec();
                text.resize(text.len() + self.world.lock().unwrap().dmesg_padding, b'.');
                let part = ConsolePart { next: text.len() as u32, text, lost: 0, is_last: true };
                self.answer::<HostDmesg>(id, &Ok(part));
            }
            _ => self.reply(id, Err(Fault::UnknownKey)),
        }
    }
}

fn body<E: Endpoint>(request: &Request) -> E::Request {
    postcard::from_bytes(&request.body).expect("the endpoint's request")
}
