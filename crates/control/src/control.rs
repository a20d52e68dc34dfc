//! What the tasks share, and how it is built.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::RefCell;

use console::{Consoles, Limits, SharedConsoles};
use hypercall::calls::evtchn;
use hypercall::{Aperture, Door, Xen};
use link::line::Line;
use link::{BootId, Config, Event, Link, Micros};
use ring::EventChannel;
use toolstack::{About, BUILDS, Toolstack};
use uploads::{Downloads, Uploads};
use xen_abi::VcpuId;
use xen_abi::xen::VIRQ_DOM_EXC;
use xenstore::{SharedStore, Store};

use crate::host::Host;
use crate::rpc::Calls;
use crate::services::Lent;

/// Domains that are destroyed at the same time by their rules.
const DESTRUCTIONS: usize = 4;

/// Guests' output takes an eighth of the heap at most.
const CONSOLE_LIMITS: Limits = Limits { log: 64 << 10, total: 1 << 20, input: 4 << 10, dead: 16 };

/// How long Xen is left alone when it would not say which domains ended, in nanoseconds.
const LOOK_AGAIN_NS: u64 = 1_000_000_000;

/// The toolstack of a machine.
pub type Stack<M, H> = Toolstack<'static, M, Lent<H>>;

/// Everything that is built at boot and lives for ever.
pub struct Control<M: Door + Aperture + 'static, H: Host> {
    /// The hypervisor.
    pub xen: &'static Xen<M>,
    /// The store of all domains.
    pub store: &'static SharedStore,
    /// Guests' consoles.
    pub consoles: &'static SharedConsoles,
    /// Domains and images.
    pub toolstack: Stack<M, H>,
    /// The link to hostctl.
    pub line: Rc<Line>,
    /// Images on their way in.
    pub(crate) uploads: Uploads,
    /// The turn at the way out through shared memory.
    pub(crate) downloads: Downloads,
    /// Calls that run or were answered lately.
    pub(crate) calls: Calls<H>,
    /// Names this boot.
    pub(crate) boot_id: BootId,
    /// The clock when all this was built.
    pub(crate) booted_ns: u64,
}

impl<M: Door + Aperture + 'static, H: Host> Control<M, H> {
    /// A control domain in which nothing runs yet. What it owns lives for ever, as it does itself.
    pub fn new(xen: &'static Xen<M>, host: H, about: About) -> &'static Self {
        let store: &'static SharedStore = Box::leak(Box::new(RefCell::new(Store::new(xen.own_domain()))));
        let consoles: &'static SharedConsoles =
            Box::leak(Box::new(RefCell::new(Consoles::new(CONSOLE_LIMITS))));
        let mut random = [0; 8];
        host.fill_random(&mut random);
        let boot_id = BootId::new(u64::from_le_bytes(random));
        let booted_ns = host.now_ns();
        let link = Link::new(Config::kernel(), boot_id, Micros(booted_ns / 1000));
        let toolstack = Toolstack::new(xen, Lent::new(host, store, consoles), store, consoles, about);
        Box::leak(Box::new(Self {
            xen,
            store,
            consoles,
            toolstack,
            line: Rc::new(Line::new(link)),
            uploads: Uploads::default(),
            downloads: Downloads::default(),
            calls: Calls::new(),
            boot_id,
            booted_ns,
        }))
    }

    /// The machine.
    pub fn host(&self) -> &H {
        &self.toolstack.platform().host
    }

    /// Starts the tasks that run for ever, all but the one that drives the line.
    pub fn start(&'static self) {
        self.run(async {
            xenstore::tend(self.store).await;
        });
        match self.xen.run(evtchn::bind_virq(VIRQ_DOM_EXC, VcpuId(0))) {
            Ok(port) => {
                let port = self.host().listen(port);
                self.run(self.watch_domains(port));
            }
            Err(error) => log::error!("domains that end will not be seen: {error}"),
        }
        for _ in 0..DESTRUCTIONS {
            self.run(async {
                self.toolstack.obey_rules().await;
            });
        }
        for _ in 0..BUILDS {
            self.run(async {
                self.toolstack.obey_rebuilds().await;
            });
        }
        self.run(async {
            self.toolstack.hear_guests().await;
        });
        self.run(async {
            self.toolstack.mind_requests().await;
        });
    }

    /// Sees domains that end by themselves.
    async fn watch_domains(&'static self, port: H::Port) {
        loop {
            port.wait().await;
            while let Err(error) = self.toolstack.on_virq_dom_exc() {
                log::error!("domains that ended are not seen: {}: errno {}", error.call, error.errno);
                self.sleep_ns(LOOK_AGAIN_NS).await;
            }
        }
    }

    /// What the line's task was told by the link.
    pub fn on_event(&'static self, event: Event) {
        match event {
            Event::Message(message) => self.receive(&message),
            Event::Up { peer, resumed } => {
                log::debug!("link: up, peer {:x}{}", peer.get(), if resumed { ", resumed" } else { "" });
            }
            Event::Down(reason) => {
                log::debug!("link: down: {reason}");
                self.calls.link_down(&reason);
            }
            // Somebody else's text on a line of our own: nobody here reads it. What is of streams has been delivered.
            _ => (),
        }
    }

    /// Runs a task to its end.
    pub(crate) fn run(&self, future: impl Future<Output = ()> + 'static) {
        let host = self.host();
        host.detach(host.spawn(future));
    }

    pub(crate) async fn sleep_ns(&self, span_ns: u64) {
        let host = self.host();
        host.sleep_until(host.now_ns() + span_ns).await;
    }
}
