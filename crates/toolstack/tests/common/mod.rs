//! A machine for tests: a simulated Xen, a store, consoles, a platform whose clock and tasks the test holds.
#![allow(dead_code)] // Each test program uses its own part.

pub(crate) mod kernel;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use console::{Consoles, Limits, Reader, SharedConsoles, Start};
use hypercall::Xen;
use proto::domain::{Action, CreateRequest, DomainConfig, DomainRef};
use proto::image::{ImageId, ImageOffer};
use proto::wire::StreamChannel;
use sha2::{Digest, Sha256};
use sim_xen::{Config, SimXen, Snapshot};
use toolstack::{About, DomainChannels, Mapping, NoRoom, Platform, Toolstack};
use xen_abi::DomId;
use xenstore::{SharedStore, Store};

pub(crate) type Machine = &'static SimXen;
pub(crate) type Channels = DomainChannels<Mapping<'static, Machine>>;
pub(crate) type Stack = Toolstack<'static, Machine, TestPlatform>;

/// A platform whose clock stands still unless the test moves it.
#[derive(Clone, Default)]
pub(crate) struct TestPlatform(Rc<Inner>);

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) now_ns: Cell<u64>,
    pub(crate) has_room: Cell<bool>,
    pub(crate) yields: Cell<usize>,
    pub(crate) served: RefCell<BTreeMap<DomId, Channels>>,
    /// Tasks do not end when they are told to.
    pub(crate) is_lazy: Cell<bool>,
    pub(crate) late: RefCell<Vec<Channels>>,
    drawn: Cell<u64>,
}

impl std::ops::Deref for TestPlatform {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Platform<Mapping<'static, Machine>> for TestPlatform {
    fn now_ns(&self) -> u64 {
        self.now_ns.get()
    }

    fn unix_ms(&self) -> u64 {
        self.now_ns.get() / 1_000_000 + 1_000_000_000_000
    }

    async fn sleep_until(&self, deadline_ns: u64) {
        std::future::poll_fn(
            |_| {
                if self.now_ns.get() >= deadline_ns { Poll::Ready(()) } else { Poll::Pending }
            },
        )
        .await;
    }

    fn fill_random(&self, out: &mut [u8]) {
        self.drawn.set(self.drawn.get() + 1);
        let hash = Sha256::digest(self.drawn.get().to_le_bytes());
        out.copy_from_slice(&hash[..out.len()]);
    }

    async fn yield_now(&self) {
        self.yields.set(self.yields.get() + 1);
        let mut gave = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut gave, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn start_services(&self, channels: Channels) -> Result<(), NoRoom> {
        if !self.has_room.get() {
            return Err(NoRoom);
        }
        assert!(self.served.borrow_mut().insert(channels.domid, channels).is_none(), "served twice");
        Ok(())
    }

    fn stop_services(&self, domid: DomId) {
        let channels = self.served.borrow_mut().remove(&domid).expect("stopped whom it serves");
        if self.is_lazy.get() {
            self.late.borrow_mut().push(channels);
        }
    }
}

/// All of it. What lives for ever in a kernel is leaked.
pub(crate) struct World {
    pub(crate) sim: Machine,
    pub(crate) store: &'static SharedStore,
    pub(crate) consoles: &'static SharedConsoles,
    pub(crate) platform: TestPlatform,
    pub(crate) stack: Stack,
}

/// What there was, to be compared with what is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    xen: Snapshot,
    store: Vec<String>,
    consoles: usize,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::on(Config::default())
    }

    pub(crate) fn on(config: Config) -> Self {
        let sim: Machine = Box::leak(Box::new(SimXen::new(config)));
        let xen = Box::leak(Box::new(Xen::probe(sim).unwrap()));
        let store = Box::leak(Box::new(RefCell::new(Store::new(DomId(0)))));
        let consoles = Box::leak(Box::new(RefCell::new(Consoles::new(Limits::default()))));
        let platform = TestPlatform::default();
        platform.has_room.set(true);
        platform.now_ns.set(5_000_000_000);
        let about = About {
            host: "box".into(),
            release: "0.1.0".into(),
            version: "test".into(),
            machine: "x86_64".into(),
        };
        let stack = Toolstack::new(xen, platform.clone(), store, consoles, about);
        World { sim, store, consoles, platform, stack }
    }

    /// The tasks that follow domains' rules: one of either kind.
    pub(crate) async fn obeying(&self) {
        let mut rules = pin!(self.stack.obey_rules());
        let mut rebuilds = pin!(self.stack.obey_rebuilds());
        std::future::poll_fn(|context| {
            let _ = rules.as_mut().poll(context);
            let _ = rebuilds.as_mut().poll(context);
            Poll::Pending
        })
        .await
    }

    /// Follows the rules of the domains that have ended by now.
    pub(crate) fn obey(&self) {
        assert_eq!(turns(self.obeying(), 2000), None);
    }

    /// Puts an image into the cache, as an upload does.
    pub(crate) fn upload(&self, container: &[u8]) -> ImageId {
        let offer = offer(container);
        if let Some(mut upload) = self.stack.begin_image(&offer).unwrap() {
            for chunk in container.chunks(1000) {
                assert_eq!(upload.write(chunk), chunk.len());
            }
            upload.finish().unwrap();
        }
        offer.id
    }

    /// A domain of the smallest kernel, which is in the cache.
    pub(crate) fn smallest(&self, name: &str) -> CreateRequest {
        let kernel = self.upload(&kernel::container());
        CreateRequest { config: config(name, kernel), paused: false }
    }

    pub(crate) fn create(&self, request: CreateRequest) -> proto::domain::Created {
        finish(self.stack.create(request)).unwrap()
    }

    pub(crate) fn destroy(&self, name: &str) {
        finish(self.stack.destroy(&domain(name))).unwrap();
    }

    /// A guest ends by itself, and the control domain's interrupt handler has run.
    pub(crate) fn end(&self, domid: u16, reason: u32) {
        self.sim.guest(DomId(domid)).shutdown(reason).unwrap();
        self.stack.on_virq_dom_exc().unwrap();
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.stack.list().unwrap().into_iter().map(|d| d.name).collect()
    }

    pub(crate) fn before(&self) -> Before {
        let mut store = Vec::new();
        walk(&self.store.borrow(), "/", &mut store);
        Before { xen: self.sim.snapshot(), store, consoles: self.consoles.borrow().list().count() }
    }

    /// What Xen has more, or less, than before.
    pub(crate) fn leaks(&self, before: &Before) -> Vec<String> {
        self.sim.leaks(&before.xen)
    }

    /// Demands that all is as it was, but for what dead domains printed.
    #[track_caller]
    pub(crate) fn assert_clean(&self, before: &Before) {
        self.sim.assert_clean(&before.xen);
        assert_eq!(self.before().store, before.store, "nodes of the store");
        assert_eq!(self.consoles.borrow().list().filter(|info| info.is_live).count(), 0, "live consoles");
        assert!(self.platform.served.borrow().is_empty(), "somebody is still served");
        assert_eq!(self.names(), ["Domain-0"]);
    }

    /// Demands that all is as it was.
    #[track_caller]
    pub(crate) fn assert_nothing_happened(&self, before: &Before) {
        self.assert_clean(before);
        assert_eq!(self.before().consoles, before.consoles, "consoles");
    }

    pub(crate) fn read(&self, path: &str) -> Option<String> {
        let store = self.store.borrow();
        store.read(path).ok().map(|value| String::from_utf8(value.to_vec()).unwrap())
    }

    /// What a domain printed, dead or alive.
    pub(crate) fn printed(&self, name: &str) -> String {
        let consoles = self.consoles.borrow();
        let id = consoles.find(|info| info.name == name).unwrap();
        let mut reader: Reader = consoles.reader(id, Start::Oldest).unwrap();
        let mut bytes = [0; 4096];
        let len = consoles.read(&mut reader, &mut bytes).map_or(0, |read| read.len);
        String::from_utf8(bytes[..len].to_vec()).unwrap()
    }
}

fn walk(store: &Store, path: &str, found: &mut Vec<String>) {
    for name in store.list(path).unwrap() {
        let child = format!("{}/{name}", path.trim_end_matches('/'));
        found.push(child.clone());
        walk(store, &child, found);
    }
}

pub(crate) fn offer(container: &[u8]) -> ImageOffer {
    ImageOffer {
        id: ImageId(Sha256::digest(container).into()),
        stored_len: container.len() as u64,
        channel: StreamChannel(1),
        shared_memory: proto::image::SharedMemoryUse::Unreachable,
    }
}

pub(crate) fn config(name: &str, kernel: ImageId) -> DomainConfig {
    DomainConfig {
        name: name.into(),
        uuid: None,
        memory_kib: 8 << 10,
        max_memory_kib: 8 << 10,
        vcpus: 1,
        max_vcpus: 1,
        cpus: Vec::new(),
        pool: None,
        weight: None,
        cap: None,
        kernel,
        kernel_name: "/boot/kernel".into(),
        ramdisk: None,
        ramdisk_name: "".into(),
        cmdline: "console=hvc0".into(),
        on_poweroff: Action::Destroy,
        on_reboot: Action::Restart,
        on_crash: Action::Restart,
    }
}

pub(crate) fn domain(word: &str) -> DomainRef {
    DomainRef(word.into())
}

/// Runs a future that only ever gives way.
pub(crate) fn finish<T>(future: impl Future<Output = T>) -> T {
    match turns(future, 1_000_000) {
        Some(result) => result,
        None => panic!("it never ends"),
    }
}

/// Gives a future so many turns, then drops it.
pub(crate) fn turns<T>(future: impl Future<Output = T>, most: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..most).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    })
}

/// A cpio archive ("newc") of regular files.
pub(crate) fn cpio(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, content) in files.iter().copied().chain([("TRAILER!!!", &b""[..])]) {
        let fields = [1, 0o100_644, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0];
        archive.extend(b"070701");
        archive.extend(fields.map(|field| format!("{field:08x}")).concat().bytes());
        for part in [[name.as_bytes(), b"\0"].concat().as_slice(), content] {
            archive.extend(part);
            archive.resize(archive.len().next_multiple_of(4), 0);
        }
    }
    archive
}
