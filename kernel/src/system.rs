//! What the kernel's tasks share, and how it is built.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::RefCell;

use console::{Consoles, Limits, SharedConsoles};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::semaphore::FairSemaphore;
use hypercall::{Aperture, Xen, calls};
use link::line::Line;
use link::{BootId, Config, Link, Micros};
use toolstack::About;
use uploads::Uploads;
use xen_abi::VcpuId;
use xen_abi::hvm::params::{HVM_PARAM_CALLBACK_IRQ, HVM_PARAM_CALLBACK_TYPE_VECTOR};
use xen_abi::xen::{DOMID_SELF, VIRQ_TIMER};

use xenstore::{SharedStore, Store};

use crate::boot_info::BootInfo;
use crate::clock::Clock;
use crate::cmdline::CommandLine;
use crate::events::Events;
use crate::executor::Wake;
use crate::interrupts;
use crate::machine::Machine;
use crate::platform::{KernelPlatform, Toolstack};
use crate::random;
use crate::shared_info::SharedInfo;
use crate::tasks::rpc::{Calls, MOST_CALLS};
use crate::tasks::upload::SharedMemory;

/// Domains that are built at the same time: one that unpacks a large kernel leaves room for small ones beside it.
const BUILDS: usize = 4;

/// Guests' output takes an eighth of the heap at most.
const CONSOLE_LIMITS: Limits = Limits { log: 64 << 10, total: 1 << 20, input: 4 << 10, dead: 16 };

/// What every kernel needs of its hypervisor, domain 0 or not.
pub struct Basics {
    /// Event channels.
    pub events: Rc<Events>,
    /// The time.
    pub clock: &'static Clock,
}

impl Basics {
    /// Starts events and time.
    ///
    /// # Panics
    /// If Xen refuses what it refuses to nobody: one line says what.
    pub fn new(xen: &'static Xen<Machine>) -> Self {
        let shared = map_shared_info(xen);
        let events = Rc::new(Events::new(shared));
        let callback = u64::from(HVM_PARAM_CALLBACK_TYPE_VECTOR) << 56 | u64::from(interrupts::UPCALL_VECTOR);
        must(xen.run(calls::hvm::set_param(DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, callback)));
        let timer = must(xen.run(calls::evtchn::bind_virq(VIRQ_TIMER, VcpuId(0))));
        let timer = events.listen(xen, timer);
        Self { events, clock: Box::leak(Box::new(Clock::new(shared, xen, timer))) }
    }
}

/// Everything that is built at boot and lives for ever.
pub struct System {
    /// The hypervisor.
    pub xen: &'static Xen<Machine>,
    /// Event channels.
    pub events: Rc<Events>,
    /// The time.
    pub clock: &'static Clock,
    /// The store of all domains.
    pub store: &'static SharedStore,
    /// Guests' consoles.
    pub consoles: &'static SharedConsoles,
    /// Domains and images.
    pub toolstack: Toolstack,
    /// Turns to build a domain.
    pub builds: FairSemaphore<NoopRawMutex, MOST_CALLS>,
    /// Images on their way in.
    pub uploads: Uploads,
    /// The way for them through shared memory.
    pub shared_memory: SharedMemory,
    /// The link to hostctl.
    pub line: Rc<Line>,
    /// The link's UART wants attention.
    pub uart_interrupt: Wake,
    /// Calls that run or were answered lately.
    pub calls: Calls,
    /// Names this boot; drawn at random.
    pub boot_id: BootId,
    /// The clock when all this was built.
    pub booted_ns: u64,
}

impl System {
    /// Meets the hypervisor and starts events, time and the link.
    ///
    /// # Panics
    /// If this Xen is unknown, or refuses what no Xen refuses its domain 0: one line says what.
    pub fn new(machine: Machine, boot: &BootInfo) -> &'static Self {
        let xen = match Xen::probe(machine) {
            Ok(xen) => &*Box::leak(Box::new(xen)),
            Err(error) => panic!("{error}"),
        };
        let Basics { events, clock } = Basics::new(xen);
        let store: &'static SharedStore = Box::leak(Box::new(RefCell::new(Store::new(xen.own_domain()))));
        let consoles: &'static SharedConsoles =
            Box::leak(Box::new(RefCell::new(Consoles::new(CONSOLE_LIMITS))));
        let platform = KernelPlatform::new(xen, events.clone(), clock, store, consoles);
        let toolstack = Toolstack::new(xen, platform, store, consoles, about(boot.cmdline));
        let boot_id = BootId::new(random::next());
        let link = Link::new(Config::kernel(), boot_id, Micros(clock.now_us()));
        Box::leak(Box::new(Self {
            xen,
            events,
            line: Rc::new(Line::new(link)),
            uart_interrupt: Wake::new(),
            calls: Calls::new(),
            boot_id,
            booted_ns: clock.now_ns(),
            clock,
            store,
            consoles,
            toolstack,
            builds: FairSemaphore::new(BUILDS),
            uploads: Uploads::default(),
            shared_memory: SharedMemory::default(),
        }))
    }
}

/// What this kernel says of itself.
fn about(cmdline: CommandLine) -> About {
    About {
        host: cmdline.value("host").unwrap_or("nanodom").into(),
        release: env!("CARGO_PKG_VERSION").into(),
        version: concat!("nanodom ", env!("CARGO_PKG_VERSION")).into(),
    }
}

/// What cannot be done without at boot.
pub fn must<T>(result: Result<T, hypercall::XenError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

fn map_shared_info(xen: &Xen<Machine>) -> SharedInfo {
    let frame = xen.machine().reserve(1).expect("the aperture is still empty");
    // SAFETY: the frame was lent to us just now, and is given back never.
    must(xen.run(unsafe { calls::memory::map_shared_info(frame) }));
    // SAFETY: just mapped, and never unmapped.
    unsafe { SharedInfo::new(xen.machine().address(frame)) }
}
