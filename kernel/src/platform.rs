//! What the toolstack asks of the machine: time, chance, and tasks that serve a guest's rings.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::RefCell;

use async_task::Task;
use console::SharedConsoles;
use hypercall::Xen;
use toolstack::{DomainChannels, Mapping, NoRoom, Platform};
use xen_abi::DomId;
use xenstore::{RingConnection, SharedStore};

use crate::clock::Clock;
use crate::events::Events;
use crate::executor;
use crate::machine::Machine;
use crate::random;

/// The most domains that are served at once: each takes a few KiB of our heap.
const MOST_DOMAINS: usize = 512;

/// The toolstack of this machine.
pub type Toolstack = toolstack::Toolstack<'static, Machine, KernelPlatform>;

/// A mapping of a guest's ring pages.
type Pages = Mapping<'static, Machine>;

/// The kernel, as the toolstack sees it.
pub struct KernelPlatform {
    xen: &'static Xen<Machine>,
    events: Rc<Events>,
    clock: &'static Clock,
    store: &'static SharedStore,
    consoles: &'static SharedConsoles,
    serving: RefCell<BTreeMap<DomId, [Task<()>; 2]>>,
}

impl KernelPlatform {
    /// A platform that serves nobody yet.
    pub fn new(
        xen: &'static Xen<Machine>,
        events: Rc<Events>,
        clock: &'static Clock,
        store: &'static SharedStore,
        consoles: &'static SharedConsoles,
    ) -> Self {
        Self { xen, events, clock, store, consoles, serving: RefCell::default() }
    }
}

impl Platform<Pages> for KernelPlatform {
    fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    fn fill_random(&self, out: &mut [u8]) {
        random::fill(out);
    }

    async fn yield_now(&self) {
        executor::yield_now().await;
    }

    fn start_services(&self, channels: DomainChannels<Pages>) -> Result<(), NoRoom> {
        let DomainChannels { domid, console, console_id, store } = channels;
        if self.serving.borrow().len() >= MOST_DOMAINS {
            return Err(NoRoom);
        }
        let console_port = self.events.listen(self.xen, console.port);
        let consoles = self.consoles;
        let serve_console = executor::spawn(async move {
            let closed = console::serve(console.page, console_port, console_id, consoles).await;
            log::debug!("d{domid}: console closed: {closed:?}");
        });
        let connection = RingConnection::new(store.page, self.events.listen(self.xen, store.port));
        let shared_store = self.store;
        let serve_store = executor::spawn(async move {
            let closed = xenstore::serve(connection, domid, shared_store).await;
            log::debug!("d{domid}: xenstore closed: {closed:?}");
        });
        self.serving.borrow_mut().insert(domid, [serve_console, serve_store]);
        Ok(())
    }

    fn stop_services(&self, domid: DomId) {
        // Dropping a task's handle cancels it.
        self.serving.borrow_mut().remove(&domid);
    }
}
