//! All of the machine: a simulated Xen, the control domain on it, and guests.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use control::{Control, Host};
use hypercall::Xen;
use image::testing::Elf;
use link::Micros;
use proto::domain::{Action, CreateRequest, DomainConfig};
use proto::image::{ImageId, ImageOffer, SharedMemoryUse};
use proto::wire::StreamChannel;
use sha2::{Digest, Sha256};
use sim_xen::{Config, SimXen};
use toolstack::About;
use xen_abi::DomId;

use crate::executor::Task;
use crate::guest::{Agent, Behaviour, Gate};
use crate::host::SimHost;
use crate::log;

/// How long the machine has been up when a test begins, in nanoseconds.
const UP_NS: u64 = 5_000_000_000;
/// More rounds than this are not needed until all tasks wait for something.
const MOST_ROUNDS: usize = 100_000;

/// How a machine begins.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Xen and its hardware.
    pub xen: Config,
}

/// A guest that a test wants.
#[derive(Clone, Debug)]
pub struct Guest {
    /// What it is to be; its kernel is set by [`World::create`].
    pub config: DomainConfig,
    /// It stays paused.
    pub paused: bool,
    /// What it does about requests.
    pub behaviour: Behaviour,
}

impl Guest {
    /// A guest of 64 MiB and one vCPU that obeys.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let config = DomainConfig {
            name: name.into(),
            uuid: None,
            memory_kib: 64 << 10,
            max_memory_kib: 64 << 10,
            vcpus: 1,
            max_vcpus: 1,
            cpus: Vec::new(),
            pool: None,
            weight: None,
            cap: None,
            kernel: ImageId([0; 32]),
            kernel_name: "/boot/kernel".into(),
            ramdisk: None,
            ramdisk_name: String::new(),
            cmdline: String::new(),
            on_poweroff: Action::Destroy,
            on_reboot: Action::Restart,
            on_crash: Action::Restart,
        };
        Self { config, paused: false, behaviour: Behaviour::Obeys }
    }
}

/// A kernel that Xen can start; it is 16 MiB away from anything that runs.
#[must_use]
pub fn kernel() -> Vec<u8> {
    Elf::pvh(b"\xf4\xeb\xfd", 3).build()
}

/// The machine. Lives on one thread.
pub struct World {
    /// The hypervisor and its guests, seen from inside.
    pub sim: &'static SimXen,
    /// The control domain.
    pub control: &'static Control<&'static SimXen, SimHost>,
    /// Whether time jumps to the next deadline when nothing else happens.
    pub time_jumps: Cell<bool>,
    host: SimHost,
    /// What guests of a name do; others obey.
    behaviours: RefCell<BTreeMap<String, Behaviour>>,
    agents: RefCell<BTreeMap<DomId, Task>>,
    gate: Rc<Gate>,
    running: RefCell<Vec<DomId>>,
    started: Instant,
}

impl World {
    pub(crate) fn new(setup: Setup) -> Self {
        log::init();
        let sim: &'static SimXen = Box::leak(Box::new(SimXen::new(setup.xen)));
        let xen: &'static Xen<&'static SimXen> =
            Box::leak(Box::new(Xen::probe(sim).expect("a release that is known")));
        let host = SimHost::new(xen, UP_NS);
        let about = About {
            host: "box".into(),
            release: "0.1.0".into(),
            version: "nanodom 0.1.0".into(),
            machine: "x86_64".into(),
        };
        let control = Control::new(xen, host.clone(), about);
        control.start();
        let world = World {
            sim,
            control,
            time_jumps: Cell::new(false),
            host,
            behaviours: RefCell::default(),
            agents: RefCell::default(),
            gate: Rc::default(),
            running: RefCell::default(),
            started: Instant::now(),
        };
        world.settle();
        world
    }

    /// Creates a guest as hostctl would, and lets it start.
    ///
    /// # Panics
    /// The toolstack refuses.
    pub fn create(&self, guest: Guest) -> u16 {
        let Guest { mut config, paused, behaviour } = guest;
        config.kernel = self.kernel();
        self.behaviours.borrow_mut().insert(config.name.clone(), behaviour);
        let request = CreateRequest { config, paused };
        let created = self.finish(self.control.toolstack.create(request)).expect("the guest can be created");
        self.settle();
        created.domid
    }

    /// What guests of this name do, those that are yet to be created too.
    pub fn behave(&self, name: &str, behaviour: Behaviour) {
        self.behaviours.borrow_mut().insert(name.into(), behaviour);
    }

    /// Ends a guest for a reason of its own (`SHUTDOWN_...`).
    ///
    /// # Panics
    /// There is none.
    pub fn end(&self, domid: u16, reason: u32) {
        self.sim.guest(DomId(domid)).shutdown(reason).expect("the guest is there");
        self.settle();
    }

    /// Lets time pass, in nanoseconds.
    pub fn pass(&self, span_ns: u64) {
        self.host.0.clock.pass(span_ns);
        self.settle();
    }

    /// Lets time pass until the next deadline; says whether there was one.
    pub(crate) fn jump(&self) -> bool {
        self.host.0.clock.jump()
    }

    /// Puts the kernel into the image cache, as an upload does.
    fn kernel(&self) -> ImageId {
        let container = image::container::pack(&kernel());
        let offer = ImageOffer {
            id: ImageId(Sha256::digest(&container).into()),
            stored_len: container.len() as u64,
            channel: StreamChannel(1),
            shared_memory: SharedMemoryUse::Unreachable,
        };
        let upload = self.control.toolstack.begin_image(&offer).expect("there is room for it");
        if let Some(mut upload) = upload {
            assert_eq!(upload.write(&container), container.len());
            upload.finish().expect("it came whole");
        }
        offer.id
    }

    /// Runs a piece of the control domain's work to its end, and all else meanwhile.
    ///
    /// # Panics
    /// It waits for something that does not come by itself.
    pub fn finish<T: 'static>(&self, work: impl Future<Output = T> + 'static) -> T {
        let result: Rc<RefCell<Option<T>>> = Rc::default();
        let place = result.clone();
        self.host.spawn_detached(async move {
            let value = work.await;
            place.borrow_mut().replace(value);
        });
        self.settle();
        result.take().expect("nothing is left to wait for")
    }

    /// Runs until nothing goes on without time or hostctl.
    ///
    /// # Panics
    /// It goes on for ever.
    pub fn settle(&self) {
        for _ in 0..MOST_ROUNDS {
            self.tend_agents();
            self.host.0.events.dispatch(self.sim);
            if !self.host.0.executor.run_ready() {
                return;
            }
        }
        panic!("it goes on for ever");
    }

    /// Starts agents of new guests, ends those of guests that are gone.
    fn tend_agents(&self) {
        let alive = self.sim.domains();
        let mut running: Vec<DomId> = alive.clone();
        running.retain(|&domid| self.sim.guest(domid).is_running());
        let gone: Vec<Task> = {
            let mut agents = self.agents.borrow_mut();
            let ids: Vec<DomId> = agents.keys().copied().filter(|domid| !alive.contains(domid)).collect();
            ids.iter().filter_map(|domid| agents.remove(domid)).collect()
        };
        drop(gone);
        for &domid in &running {
            if !self.agents.borrow().contains_key(&domid) {
                let agent = Agent {
                    sim: self.sim,
                    events: self.host.0.events.clone(),
                    gate: self.gate.clone(),
                    domid,
                    behaviour: self.behaviour_of(domid),
                };
                let task = self.host.spawn(agent.run());
                self.agents.borrow_mut().insert(domid, task);
            }
        }
        if *self.running.borrow() != running {
            *self.running.borrow_mut() = running;
            self.gate.open();
        }
    }

    fn behaviour_of(&self, domid: DomId) -> Behaviour {
        let store = self.control.store.borrow();
        let name = store.read(&format!("/local/domain/{}/name", domid.0)).unwrap_or_default();
        let behaviours = self.behaviours.borrow();
        let named = std::str::from_utf8(name).ok().and_then(|name| behaviours.get(name));
        named.copied().unwrap_or(Behaviour::Obeys)
    }

    /// The line's clock, which is the computer's own.
    pub(crate) fn line_now(&self) -> Micros {
        Micros(UP_NS / 1000 + self.started.elapsed().as_micros() as u64)
    }

    /// Was the machine told to end?
    pub(crate) fn has_ended(&self) -> bool {
        self.host.0.ended.get().is_some()
    }
}
