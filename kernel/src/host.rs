//! What the pure crates ask of the machine, and how this one gives it.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::future::Future;
use core::task::Waker;

use async_task::Task;
use control::Host;
use hypercall::Xen;
use toolstack::OwnMemory;
use xen_abi::EvtchnPort;
use xen_abi::sched::SHUTDOWN_POWEROFF;

use crate::clock::Clock;
use crate::device_memory::DeviceMemory;
use crate::events::{Events, Port};
use crate::machine::Machine;
use crate::{executor, heap, layout, log_ring, panic, random, shared_memory};

/// The control domain on this machine.
pub type Control = control::Control<Machine, KernelHost>;

/// The kernel, as the control domain sees it.
pub struct KernelHost {
    xen: &'static Xen<Machine>,
    events: Rc<Events>,
    clock: &'static Clock,
    /// Looked for when first needed, since looking costs exits.
    shared_memory: OnceCell<Option<Rc<DeviceMemory>>>,
}

impl KernelHost {
    /// The machine, once it has events and time.
    pub fn new(xen: &'static Xen<Machine>, events: Rc<Events>, clock: &'static Clock) -> Self {
        Self { xen, events, clock, shared_memory: OnceCell::new() }
    }
}

impl Host for KernelHost {
    type Port = Port;
    type Task = Task<()>;
    type Memory = DeviceMemory;

    fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    fn unix_ms(&self) -> u64 {
        self.clock.unix_ms()
    }

    async fn sleep_until(&self, deadline_ns: u64) {
        self.clock.sleep_until(deadline_ns).await;
    }

    fn fill_random(&self, out: &mut [u8]) {
        random::fill(out);
    }

    async fn yield_now(&self) {
        executor::yield_now().await;
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Task<()> {
        executor::spawn(future)
    }

    fn detach(&self, task: Task<()>) {
        task.detach();
    }

    fn listen(&self, port: EvtchnPort) -> Port {
        self.events.listen(self.xen, port)
    }

    fn shared_memory(&self) -> Option<Rc<DeviceMemory>> {
        self.shared_memory.get_or_init(|| shared_memory::find(self.xen).map(Rc::new)).clone()
    }

    fn own_memory(&self) -> OwnMemory {
        let heap = heap::usage();
        let image = layout::image();
        OwnMemory {
            heap_used: heap.used as u64,
            heap_size: heap.size as u64,
            kernel_image: image.end - image.start,
        }
    }

    fn read_log(&self, from: u64, out: &mut Vec<u8>) -> u64 {
        log_ring::read(from, out)
    }

    fn wake_on_log(&self, seen: u64, waker: &Waker) -> bool {
        log_ring::wake_on_more(seen, waker)
    }

    fn end(&self, code: u8) {
        panic::end(code, SHUTDOWN_POWEROFF)
    }
}
