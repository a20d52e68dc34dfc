//! What the kernel's tasks share, and how it is built.

use alloc::boxed::Box;
use alloc::rc::Rc;

use hypercall::{Aperture, Xen, calls};
use toolstack::About;
use xen_abi::VcpuId;
use xen_abi::hvm::params::{HVM_PARAM_CALLBACK_IRQ, HVM_PARAM_CALLBACK_TYPE_VECTOR};
use xen_abi::xen::{DOMID_SELF, VIRQ_TIMER};

use crate::boot_info::BootInfo;
use crate::clock::Clock;
use crate::cmdline::CommandLine;
use crate::events::Events;
use crate::executor::Wake;
use crate::host::{Control, KernelHost};
use crate::interrupts;
use crate::machine::Machine;
use crate::shared_info::SharedInfo;

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
    /// What all this is for.
    pub control: &'static Control,
    /// The link's UART wants attention.
    pub uart_interrupt: Wake,
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
        let host = KernelHost::new(xen, events.clone(), clock);
        let control = Control::new(xen, host, about(boot.cmdline));
        Box::leak(Box::new(Self { xen, events, clock, control, uart_interrupt: Wake::new() }))
    }
}

/// What this kernel says of itself.
fn about(cmdline: CommandLine) -> About {
    About {
        host: cmdline.value("host").unwrap_or("nanodom").into(),
        release: env!("CARGO_PKG_VERSION").into(),
        version: concat!("nanodom (", env!("NANODOM_BUILD"), ")").into(),
        machine: env!("NANODOM_MACHINE").into(),
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
