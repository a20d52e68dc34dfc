//! What the kernel does as a guest: it says who it is, and ends when it is told to.
//!
//! Another domain serves the store over the ring page that the builder of this one left, and its console over another. Nothing
//! of this is privileged. The nodes are those that every guest has: `name` and `domid` to be read, `data/` and `control/`
//! its own (docs/misc/xenstore-paths.pandoc).

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;

use hypercall::{Xen, calls};
use x86_64::instructions::{hlt, interrupts};
use xen_abi::hvm::params::{
    HVM_PARAM_CONSOLE_EVTCHN, HVM_PARAM_CONSOLE_PFN, HVM_PARAM_STORE_EVTCHN, HVM_PARAM_STORE_PFN,
};
use xen_abi::sched::{SHUTDOWN_POWEROFF, SHUTDOWN_REBOOT};
use xen_abi::xen::DOMID_SELF;
use xen_abi::{EvtchnPort, Gfn};
use xenstore::client::{Client, ClientError, Nodes, RingClient};

use crate::clock::Clock;
use crate::device_memory::DeviceMemory;
use crate::events::{Events, Port};
use crate::machine::Machine;
use crate::paging::{DIRECT_MAP_END, PAGE};
use crate::system::{Basics, must};
use crate::{early, executor, pv_console};

/// Where the toolstack asks us to end.
const SHUTDOWN: &str = "control/shutdown";

/// Meets Xen, opens the console and starts the tasks.
///
/// # Panics
/// If Xen refuses what it refuses to no guest, or the domain's builder left no rings: one line says what.
pub fn start(machine: Machine) -> (Rc<Events>, &'static Clock) {
    let xen: &'static Xen<Machine> = match Xen::unprivileged(machine) {
        Ok(xen) => Box::leak(Box::new(xen)),
        Err(error) => panic!("{error}"),
    };
    let (page, port) = ring(xen, HVM_PARAM_CONSOLE_PFN, HVM_PARAM_CONSOLE_EVTCHN);
    pv_console::init(page, port);
    let Basics { events, clock } = Basics::new(xen);
    let abi = xen.abi();
    log::info!("{} on Xen {}.{}, a guest", env!("CARGO_PKG_VERSION"), abi.major, abi.minor);
    let (page, port) = ring(xen, HVM_PARAM_STORE_PFN, HVM_PARAM_STORE_EVTCHN);
    let transport = RingClient::new(page, events.listen(xen, port));
    let client: &'static Client = Box::leak(Box::new(Client::new()));
    executor::spawn(drive(client, transport)).detach();
    executor::spawn(async move {
        if let Err(error) = live(client).await {
            log::error!("xenstore: {error}");
        }
    })
    .detach();
    (events, clock)
}

/// A page that is shared with whoever serves us, and our end of its event channel.
fn ring(xen: &Xen<Machine>, pfn: u32, evtchn: u32) -> (DeviceMemory, EvtchnPort) {
    let param = |index| must(xen.run(calls::hvm::param(DOMID_SELF, index)));
    let start = Gfn(param(pfn)).address().0;
    let port = u32::try_from(param(evtchn)).unwrap_or(0);
    assert!((1..DIRECT_MAP_END).contains(&start) && port != 0, "the builder left no ring (parameter {pfn})");
    // SAFETY: 1. The builder set the page aside: it lies in no memory that memory.rs hands out. 2. The first 4 GiB stay
    // mapped. 3. Each parameter is asked for once, so there is one user.
    (unsafe { DeviceMemory::new(start..start + PAGE) }, EvtchnPort(port))
}

/// Moves the store's bytes until the connection is over.
async fn drive(client: &Client, mut transport: RingClient<DeviceMemory, Port>) {
    let fault = match transport.connect().await {
        Ok(()) => client.drive(transport).await,
        Err(fault) => {
            client.fail(fault);
            fault
        }
    };
    log::error!("xenstore: the connection is over: {fault}");
}

async fn live(client: &Client) -> Result<(), ClientError> {
    let name = client.read("name").await?;
    let domid = client.read("domid").await?;
    log::info!("xenstore: this is {}, domain {}", text(&name), text(&domid));
    let publish = client.transact(async |tx| {
        tx.write("data/version", concat!("nanodom ", env!("CARGO_PKG_VERSION"))).await?;
        tx.write("control/feature-poweroff", "1").await?;
        tx.write("control/feature-reboot", "1").await
    });
    publish.await?;
    client.watch(SHUTDOWN, SHUTDOWN, None).await?;
    loop {
        client.next_event().await?;
        obey(client).await?;
    }
}

/// Looks what is asked of us, says that it was heard (by an empty value), and does it.
async fn obey(client: &Client) -> Result<(), ClientError> {
    let take = client.transact(async |tx| {
        let asked = match tx.read(SHUTDOWN).await {
            Err(ClientError::Refused(xenstore::Error::NotFound)) => String::new(),
            asked => text(&asked?),
        };
        if !asked.is_empty() {
            tx.write(SHUTDOWN, "").await?;
        }
        Ok(asked)
    });
    match take.await?.as_str() {
        "" => {}
        "poweroff" | "halt" => end("powers off", SHUTDOWN_POWEROFF),
        "reboot" => end("reboots", SHUTDOWN_REBOOT),
        other => log::warn!("asked for '{other}', which this kernel cannot do"),
    }
    Ok(())
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

fn end(what: &str, reason: u32) -> ! {
    log::info!("{what}, as it was told to");
    interrupts::disable();
    early::shutdown(reason);
    loop {
        hlt();
    }
}
