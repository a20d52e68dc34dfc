//! The toolstack itself: what it owns, and what it is lent.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use core::cell::{Cell, RefCell};

use console::SharedConsoles;
use hypercall::{Aperture, ClaimedMemory, Door, SharedMapping, Xen};
use proto::domain::{Ended, Uuid as RawUuid};
use proto::journal::{Event, Who};
use xen_abi::DomId;
use xenstore::{Events, SharedStore};

use crate::cores::Cores;
use crate::dump::Holds;
use crate::images::ImageCache;
use crate::journal::Journal;
use crate::layout;
use crate::name::Uuid;
use crate::platform::Platform;
use crate::pools::Pools;
use crate::registry::{Registry, Serial};
use crate::services::Services;
use crate::turns::Turns;
use crate::waiters::Waiters;

/// Domains that are built at the same time: each build takes room on the heap to unpack in, and one vCPU builds no faster by doing
/// more at once. One that unpacks a large kernel leaves room for small ones beside it.
pub const BUILDS: usize = 4;

/// A mapping of a guest's ring pages, as this toolstack makes them.
pub type Mapping<'x, M> = SharedMapping<'x, M>;

/// What the control domain tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The machine's name.
    pub host: String,
    /// The control domain's version.
    pub release: String,
    /// How it was built.
    pub version: String,
    /// The processor that it was built for, as `uname -m` names it.
    pub machine: String,
}

/// Which domains there are, how they are made and ended, what follows their end, and the images they are made of.
///
/// One for a machine. Every method takes `&self`: tasks of a cooperative, single-threaded executor share it, and nothing
/// inside stays borrowed across an await.
///
/// `'x` is how long the hypervisor, the store, the consoles and the boot bundle live: for ever, in a kernel.
pub struct Toolstack<'x, M: Door + Aperture, P> {
    pub(crate) xen: &'x Xen<M>,
    pub(crate) platform: P,
    pub(crate) store: &'x SharedStore,
    pub(crate) consoles: &'x SharedConsoles,
    pub(crate) about: About,
    pub(crate) registry: RefCell<Registry>,
    pub(crate) services: RefCell<BTreeMap<DomId, Services<Mapping<'x, M>>>>,
    pub(crate) images: RefCell<ImageCache<'x, ClaimedMemory<'x, M>>>,
    /// What was done.
    pub(crate) journal: Journal,
    pub(crate) pools: RefCell<Pools>,
    /// See [`Self::nr_cpus`], once it was asked.
    pub(crate) nr_cpus: Cell<Option<u32>>,
    /// Rings when something has come of a domain: it ended, was continued, was asked or took a request.
    pub(crate) ends: Waiters,
    /// Our watches on guests' nodes.
    pub(crate) hearing: Events<'x>,
    /// Domains that ended by themselves and whose rule waits to be followed.
    pub(crate) to_follow: RefCell<VecDeque<Serial>>,
    /// Turns to build a domain.
    pub(crate) builds: Turns,
    /// Domains that are dumped.
    pub(crate) dumps: Holds,
    /// Crashed domains of which a host is to keep a dump.
    pub(crate) cores: Cores,
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// A toolstack that knows of no domain but the control domain, whose nodes it writes into the store.
    pub fn new(
        xen: &'x Xen<M>,
        platform: P,
        store: &'x SharedStore,
        consoles: &'x SharedConsoles,
        about: About,
    ) -> Self {
        let written = store.borrow_mut().control(|tree| layout::write(tree, &layout::control_domain_nodes()));
        if let Err(error) = written {
            // The paths are ours and the control domain has no quota, so this says that the store is not what it seems.
            log::error!("xenstore refuses the control domain's nodes: {error}");
        }
        let this = Self {
            xen,
            platform,
            store,
            consoles,
            about,
            registry: RefCell::default(),
            services: RefCell::default(),
            images: RefCell::default(),
            journal: Journal::default(),
            pools: RefCell::default(),
            nr_cpus: Cell::new(None),
            ends: Waiters::default(),
            hearing: Events::new(store),
            to_follow: RefCell::default(),
            builds: Turns::new(BUILDS),
            dumps: Holds::default(),
            cores: Cores::default(),
        };
        let (version, abi) = (this.about.release.clone(), xen.abi());
        this.note(
            Who::Control,
            Event::Started { version, xen: alloc::format!("{}.{}", abi.major, abi.minor) },
        );
        this
    }

    /// The hypervisor.
    pub fn xen(&self) -> &'x Xen<M> {
        self.xen
    }

    /// What the machine gives.
    pub fn platform(&self) -> &P {
        &self.platform
    }

    /// What the control domain tells of itself.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// A uuid that nobody has.
    pub(crate) fn draw_uuid(&self, wanted: Option<RawUuid>) -> Uuid {
        match wanted {
            Some(uuid) => Uuid(uuid),
            None => {
                let mut bytes = [0; 16];
                self.platform.fill_random(&mut bytes);
                Uuid::from_random(bytes)
            }
        }
    }

    /// Removes what we have of a domain that Xen has no more, and tells those who wait for its end.
    pub(crate) fn forget(&self, serial: Serial, ended: Ended) {
        let Some(record) = self.registry.borrow_mut().forget(serial, ended) else { return };
        self.end_services(record.domid);
        self.stop_hearing(&record);
        self.remove_from_store(record.domid, record.uuid);
        self.ends.wake_all();
    }

    /// Writes nodes, in one transaction.
    pub(crate) fn write_nodes(&self, nodes: &[layout::Node]) {
        if let Err(error) = self.store.borrow_mut().control(|tree| layout::write(tree, nodes)) {
            // As with the control domain's: our paths, no quota, and an owner that is registered.
            log::error!("xenstore refuses nodes: {error}");
        }
    }

    /// Removes a domain and its nodes from the store.
    pub(crate) fn remove_from_store(&self, domid: DomId, uuid: Uuid) {
        let mut store = self.store.borrow_mut();
        let removed = store.control(|tree| {
            tree.rm(&layout::domain_path(domid))?;
            tree.rm(&layout::vm_path(uuid))
        });
        if let Err(error) = removed {
            log::error!("d{domid}: xenstore keeps nodes: {error}");
        }
        store.release(domid);
    }
}
