//! The tasks that serve a guest's rings, and the toolstack's view of the machine.

use alloc::collections::BTreeMap;
use core::cell::RefCell;

use console::SharedConsoles;
use hypercall::{Aperture, Door};
use toolstack::{DomainChannels, Mapping, NoRoom, Platform};
use xen_abi::DomId;
use xenstore::{RingConnection, SharedStore};

use crate::host::Host;

/// The most domains that are served at once: each takes a few KiB of the heap.
const MOST_DOMAINS: usize = 512;

/// The machine, as the toolstack sees it.
pub struct Lent<H: Host> {
    pub(crate) host: H,
    store: &'static SharedStore,
    consoles: &'static SharedConsoles,
    serving: RefCell<BTreeMap<DomId, [H::Task; 2]>>,
}

impl<H: Host> Lent<H> {
    /// A machine that serves nobody yet.
    pub(crate) fn new(host: H, store: &'static SharedStore, consoles: &'static SharedConsoles) -> Self {
        Self { host, store, consoles, serving: RefCell::default() }
    }
}

impl<M: Door + Aperture + 'static, H: Host> Platform<Mapping<'static, M>> for Lent<H> {
    fn now_ns(&self) -> u64 {
        self.host.now_ns()
    }

    fn unix_ms(&self) -> u64 {
        self.host.unix_ms()
    }

    async fn sleep_until(&self, deadline_ns: u64) {
        self.host.sleep_until(deadline_ns).await;
    }

    fn fill_random(&self, out: &mut [u8]) {
        self.host.fill_random(out);
    }

    async fn yield_now(&self) {
        self.host.yield_now().await;
    }

    fn start_services(&self, channels: DomainChannels<Mapping<'static, M>>) -> Result<(), NoRoom> {
        let DomainChannels { domid, console, console_id, store } = channels;
        if self.serving.borrow().len() >= MOST_DOMAINS {
            return Err(NoRoom);
        }
        let console_port = self.host.listen(console.port);
        let consoles = self.consoles;
        let serve_console = self.host.spawn(async move {
            let closed = console::serve(console.page, console_port, console_id, consoles).await;
            log::debug!("d{domid}: console closed: {closed:?}");
        });
        let connection = RingConnection::new(store.page, self.host.listen(store.port));
        let shared_store = self.store;
        let serve_store = self.host.spawn(async move {
            let closed = xenstore::serve(connection, domid, shared_store).await;
            log::debug!("d{domid}: xenstore closed: {closed:?}");
        });
        self.serving.borrow_mut().insert(domid, [serve_console, serve_store]);
        Ok(())
    }

    fn stop_services(&self, domid: DomId) {
        // Dropping a task's handle cancels it.
        let tasks = self.serving.borrow_mut().remove(&domid);
        drop(tasks);
    }
}
