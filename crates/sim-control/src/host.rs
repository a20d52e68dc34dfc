//! The simulated machine, as the control domain is lent it.

use std::cell::Cell;
use std::rc::Rc;
use std::task::Waker;

use control::Host;
use hypercall::Xen;
use ring::testing::Memory;
use sha2::{Digest, Sha256};
use sim_xen::SimXen;
use toolstack::OwnMemory;
use xen_abi::EvtchnPort;

use crate::clock::Clock;
use crate::events::{Events, Port};
use crate::executor::{Executor, Task, yield_now};
use crate::log;

/// When the machine was started: the first second of 2026, in milliseconds since 1970.
const EPOCH_MS: u64 = 1_767_225_600_000;

/// What the machine lends. Clones are the same machine.
#[derive(Clone)]
pub struct SimHost(pub(crate) Rc<Parts>);

/// What it is made of.
pub(crate) struct Parts {
    pub(crate) xen: &'static Xen<&'static SimXen>,
    pub(crate) executor: Rc<Executor>,
    pub(crate) events: Rc<Events>,
    pub(crate) clock: Clock,
    /// The code with which the machine was ended.
    pub(crate) ended: Cell<Option<u8>>,
    drawn: Cell<u64>,
}

impl SimHost {
    pub(crate) fn new(xen: &'static Xen<&'static SimXen>, now_ns: u64) -> Self {
        Self(Rc::new(Parts {
            xen,
            executor: Rc::default(),
            events: Rc::default(),
            clock: Clock::new(now_ns),
            ended: Cell::new(None),
            drawn: Cell::new(0),
        }))
    }
}

impl SimHost {
    /// Starts a task that runs to its end.
    pub(crate) fn spawn_detached(&self, future: impl Future<Output = ()> + 'static) {
        self.0.executor.spawn(future).detach();
    }
}

impl Host for SimHost {
    type Port = Port;
    type Task = Task;
    type Memory = Memory;

    fn now_ns(&self) -> u64 {
        self.0.clock.now_ns()
    }

    fn unix_ms(&self) -> u64 {
        EPOCH_MS + self.now_ns() / 1_000_000
    }

    async fn sleep_until(&self, deadline_ns: u64) {
        self.0.clock.sleep_until(deadline_ns).await;
    }

    /// The same row of numbers in every run.
    fn fill_random(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            let n = self.0.drawn.replace(self.0.drawn.get() + 1);
            chunk.copy_from_slice(&Sha256::digest(n.to_le_bytes())[..chunk.len()]);
        }
    }

    async fn yield_now(&self) {
        yield_now().await;
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Task {
        self.0.executor.spawn(future)
    }

    fn detach(&self, task: Task) {
        task.detach();
    }

    fn listen(&self, port: EvtchnPort) -> Port {
        Port::new(self.0.xen, &self.0.events, port)
    }

    fn shared_memory(&self) -> Option<Rc<Memory>> {
        None
    }

    fn own_memory(&self) -> OwnMemory {
        OwnMemory { heap_used: 1 << 20, heap_size: 8 << 20, kernel_image: 512 << 10 }
    }

    fn read_log(&self, from: u64, out: &mut Vec<u8>) -> u64 {
        log::read(from, out)
    }

    fn wake_on_log(&self, seen: u64, waker: &Waker) -> bool {
        log::wake_on_more(seen, waker)
    }

    fn end(&self, code: u8) {
        self.0.ended.set(Some(code));
    }
}
