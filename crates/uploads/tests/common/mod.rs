//! A control domain that takes images in: a toolstack over a simulated Xen, a line with a host, shared memory.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use console::{Consoles, Limits, SharedConsoles};
use hypercall::Xen;
use link::testing::Desk;
use link::{Channel, Event, Micros};
use proto::error::ImageError;
use proto::image::{ImageId, ImageOffer, SharedMemoryUse, Upload};
use proto::wire::StreamChannel;
use ring::layout;
use ring::testing::Memory;
use ring::{Layout, Producer};
use sha2::{Digest, Sha256};
use sim_xen::{Config, SimXen, Snapshot};
use toolstack::{About, DomainChannels, Mapping, NoRoom, Platform, Toolstack};
use uploads::{Begun, PATIENCE_NS, SHARED_LEN, Uploads};
use xen_abi::DomId;
use xenstore::{SharedStore, Store};

type Machine = &'static SimXen;

/// A platform that is never asked for anything: no domain is created here.
pub(crate) struct Idle;

impl Platform<Mapping<'static, Machine>> for Idle {
    fn now_ns(&self) -> u64 {
        0
    }

    fn unix_ms(&self) -> u64 {
        0
    }

    async fn sleep_until(&self, _: u64) {}

    fn fill_random(&self, _: &mut [u8]) {}

    async fn yield_now(&self) {}

    fn start_services(&self, _: DomainChannels<Mapping<'static, Machine>>) -> Result<(), NoRoom> {
        Err(NoRoom)
    }

    fn stop_services(&self, _: DomId) {}
}

/// Somebody's question what became of an upload, and the answer.
pub(crate) type Answer = Rc<RefCell<Option<Result<(), ImageError>>>>;

/// The time, as a task of the control domain waits for it.
#[derive(Clone, Default)]
struct Alarm(Rc<(Cell<u64>, RefCell<Vec<Waker>>)>);

impl Alarm {
    async fn wait(&self, span_ns: u64) {
        let until = self.0.0.get() + span_ns;
        poll_fn(|context| {
            if self.0.0.get() >= until {
                return Poll::Ready(());
            }
            self.0.1.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn set(&self, now_ns: u64) {
        self.0.0.set(now_ns);
        self.0.1.take().into_iter().for_each(Waker::wake);
    }
}

/// All of it. What lives for ever in a kernel is leaked.
pub(crate) struct World {
    pub(crate) desk: Desk,
    pub(crate) sim: Machine,
    pub(crate) stack: &'static Toolstack<'static, Machine, Idle>,
    pub(crate) uploads: &'static Uploads,
    pub(crate) memory: Rc<Memory>,
    alarm: Alarm,
    clean: Snapshot,
}

/// The ring in the shared memory.
pub(crate) const RING: Layout = layout::vchan::left(20, 4096);

impl World {
    pub(crate) fn new() -> Self {
        Self::on(Config::default())
    }

    pub(crate) fn on(config: Config) -> Self {
        let sim: Machine = Box::leak(Box::new(SimXen::new(config)));
        let xen = Box::leak(Box::new(Xen::probe(sim).unwrap()));
        let store: &'static SharedStore = Box::leak(Box::new(RefCell::new(Store::new(DomId(0)))));
        let consoles: &'static SharedConsoles =
            Box::leak(Box::new(RefCell::new(Consoles::new(Limits::default()))));
        let about = About {
            host: "box".into(),
            release: "0.1.0".into(),
            version: "test".into(),
            machine: "x86_64".into(),
        };
        let (desk, alarm) = (Desk::new(), Alarm::default());
        alarm.set(desk.now.0 * 1000);
        World {
            desk,
            sim,
            stack: Box::leak(Box::new(Toolstack::new(xen, Idle, store, consoles, about))),
            uploads: Box::leak(Box::default()),
            memory: Rc::new(Memory::new(SHARED_LEN)),
            alarm,
            clean: sim.snapshot(),
        }
    }

    /// The call that begins an upload, with the stream opened at the host before.
    pub(crate) fn begin(&mut self, offer: &ImageOffer) -> Result<Upload, ImageError> {
        if let Some(channel) = Channel::new(offer.channel.0) {
            self.desk.host.stream_open(channel).expect("it is free at the host");
        }
        let memory = self.memory.clone();
        let transfer = match self.uploads.begin(self.stack, &self.desk.line, offer, || Some(memory))? {
            Begun::Present => return Ok(Upload::Present),
            Begun::Later => return Ok(Upload::Later),
            Begun::Transfer(transfer) => transfer,
        };
        let way = transfer.way();
        let alarm = self.alarm.clone();
        self.desk.spawn(transfer.run(async || {}, async move || alarm.wait(PATIENCE_NS).await));
        self.desk.settle();
        Ok(way)
    }

    /// The call that asks what became of an upload.
    pub(crate) fn ask(&mut self, id: ImageId) -> Answer {
        let (uploads, stack) = (self.uploads, self.stack);
        let answer = self.desk.spawn(async move { uploads.finish(stack, id).await });
        self.desk.settle();
        answer
    }

    /// The host writes so many bytes of a stream, as fast as it takes them.
    pub(crate) fn write(&mut self, number: u16, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = self.desk.host.stream_write(channel(number), bytes).expect("it is open");
            assert!(taken > 0, "the stream stands still");
            bytes = &bytes[taken..];
            self.desk.settle();
        }
    }

    /// The host writes to the shared memory, and rings the bell for each write; waits for bells where there is no room.
    pub(crate) fn write_shared(&mut self, number: u16, bytes: &[u8]) {
        let mut ring = Producer::new(RING);
        let mut sent = 0;
        while sent < bytes.len() {
            let end = bytes.len().min(sent + RING.size() / 2);
            let count = ring.write(&*self.memory, &bytes[sent..end]).unwrap();
            sent += count;
            if count > 0 {
                self.write(number, &[1]);
            } else {
                assert!(!self.desk.host_bytes(channel(number)).is_empty(), "no bell, and no room");
            }
        }
    }

    /// The host says that it writes nothing more.
    pub(crate) fn end(&mut self, number: u16) {
        self.desk.host.stream_close(channel(number));
        self.desk.settle();
    }

    /// Lets time pass for the line and for the tasks.
    pub(crate) fn pass_ns(&mut self, span_ns: u64) {
        self.desk.pass(Micros(span_ns / 1000));
        self.alarm.set(self.desk.now.0 * 1000);
        self.desk.settle();
    }

    pub(crate) fn was_reset(&self, number: u16) -> bool {
        self.desk.host_events.contains(&Event::StreamReset(channel(number)))
    }

    /// Whether no memory is claimed for images that are under way.
    pub(crate) fn is_clean(&self) -> bool {
        self.sim.leaks(&self.clean).is_empty()
    }

    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        self.sim.assert_clean(&self.clean);
    }
}

pub(crate) fn channel(number: u16) -> Channel {
    Channel::new(number).expect("not 0")
}

pub(crate) fn image(seed: u32, len: usize) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 13) as u8).collect()
}

pub(crate) fn offer(bytes: &[u8], number: u16) -> ImageOffer {
    ImageOffer {
        id: ImageId(Sha256::digest(bytes).into()),
        stored_len: bytes.len() as u64,
        channel: StreamChannel(number),
        shared_memory: SharedMemoryUse::Unreachable,
    }
}

pub(crate) fn shared(bytes: &[u8], number: u16) -> ImageOffer {
    ImageOffer { shared_memory: SharedMemoryUse::IfFree, ..offer(bytes, number) }
}

pub(crate) fn awaited(bytes: &[u8], number: u16) -> ImageOffer {
    ImageOffer { shared_memory: SharedMemoryUse::Awaited, ..offer(bytes, number) }
}
