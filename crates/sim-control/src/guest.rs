//! Guests' agents: what a kernel does about the store, done from outside of the guest over its own ring and memory.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Poll, Waker};

use embassy_futures::join::join;
use embassy_futures::select::select;
use ring::{Consumer, EventChannel, Producer, Shared, layout};
use sim_xen::SimXen;
use xen_abi::hvm::params::{
    HVM_PARAM_CONSOLE_EVTCHN, HVM_PARAM_CONSOLE_PFN, HVM_PARAM_STORE_EVTCHN, HVM_PARAM_STORE_PFN,
};
use xen_abi::sched::{SHUTDOWN_CRASH, SHUTDOWN_POWEROFF, SHUTDOWN_REBOOT, SHUTDOWN_SUSPEND};
use xen_abi::{DomId, EvtchnPort, Gfn, KiB, Pages};
use xenstore::Error;
use xenstore::client::{Client, ClientError, Nodes, RingClient};

use crate::events::{Events, GuestPort};

/// What a guest does about requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// What it is asked, as Linux does.
    Obeys,
    /// Nothing, not even saying that it heard.
    Ignores,
    /// It says that it heard, and goes on.
    NeverEnds,
    /// It crashes when it is asked for anything.
    Crashes,
    /// Somebody else destroys it when it is asked for anything.
    Dies,
    /// It never speaks to the store: a guest without the driver.
    Silent,
}

impl Behaviour {
    /// Every behaviour by its word.
    pub const ALL: [(&str, Behaviour); 6] = [
        ("obeys", Behaviour::Obeys),
        ("ignores", Behaviour::Ignores),
        ("never-ends", Behaviour::NeverEnds),
        ("crashes", Behaviour::Crashes),
        ("dies", Behaviour::Dies),
        ("silent", Behaviour::Silent),
    ];
}

/// Where the agents wait while their domains do not run.
#[derive(Default)]
pub(crate) struct Gate(RefCell<Vec<Waker>>);

impl Gate {
    async fn pass(&self, sim: &SimXen, domid: DomId) {
        std::future::poll_fn(|context| {
            if sim.guest(domid).is_running() {
                return Poll::Ready(());
            }
            self.0.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Some domain runs that did not, or the other way about.
    pub(crate) fn open(&self) {
        self.0.take().into_iter().for_each(Waker::wake);
    }
}

/// A page of a guest's memory; all zeros once that is gone.
struct Page {
    sim: &'static SimXen,
    domid: DomId,
    gfn: Gfn,
}

impl Page {
    fn guest_page(&self) -> Option<sim_xen::GuestPage<'_>> {
        let guest = self.sim.guest(self.domid);
        guest.has(self.gfn).then(|| guest.page(self.gfn))
    }
}

impl Shared for Page {
    fn load_u32(&self, offset: usize) -> u32 {
        self.guest_page().map_or(0, |page| page.load_u32(offset))
    }

    fn store_u32(&self, offset: usize, value: u32) {
        if let Some(page) = self.guest_page() {
            page.store_u32(offset, value);
        }
    }

    fn read(&self, offset: usize, into: &mut [u8]) {
        match self.guest_page() {
            Some(page) => page.read(offset, into),
            None => into.fill(0),
        }
    }

    fn write(&self, offset: usize, from: &[u8]) {
        if let Some(page) = self.guest_page() {
            page.write(offset, from);
        }
    }
}

/// One guest's agent.
pub(crate) struct Agent {
    pub(crate) sim: &'static SimXen,
    pub(crate) events: Rc<Events>,
    pub(crate) gate: Rc<Gate>,
    pub(crate) domid: DomId,
    pub(crate) behaviour: Behaviour,
}

impl Agent {
    /// Lives as long as the guest.
    pub(crate) async fn run(self) {
        self.gate.pass(self.sim, self.domid).await;
        self.print("up\n");
        join(self.talk_to_store(), self.talk_to_console()).await;
    }

    async fn talk_to_store(&self) {
        if self.behaviour == Behaviour::Silent {
            return;
        }
        let (page, port) = self.ring(HVM_PARAM_STORE_PFN, HVM_PARAM_STORE_EVTCHN);
        let port = GuestPort::new(self.sim, &self.events, self.domid, port);
        let mut transport = RingClient::new(page, port);
        if transport.connect().await.is_err() {
            return;
        }
        let client = Client::new();
        // Whichever ends first, the guest is over, or has ended its part.
        select(client.drive(transport), self.live(&client)).await;
    }

    /// Echoes what is typed; a line `poweroff` is obeyed.
    async fn talk_to_console(&self) {
        let (page, port) = self.ring(HVM_PARAM_CONSOLE_PFN, HVM_PARAM_CONSOLE_EVTCHN);
        let port = GuestPort::new(self.sim, &self.events, self.domid, port);
        let mut typed = Consumer::new(layout::console::IN);
        let mut line = String::new();
        loop {
            port.wait().await;
            self.gate.pass(self.sim, self.domid).await;
            let mut bytes = [0; 64];
            while let Ok(count @ 1..) = typed.read(&page, &mut bytes) {
                port.notify();
                let text = String::from_utf8_lossy(&bytes[..count]);
                self.print(&text);
                line.push_str(&text);
            }
            if line.lines().any(|line| line == "poweroff") {
                // It runs.
                let _ = self.sim.guest(self.domid).shutdown(SHUTDOWN_POWEROFF);
            }
        }
    }

    fn ring(&self, pfn: u32, evtchn: u32) -> (Page, EvtchnPort) {
        let guest = self.sim.guest(self.domid);
        let page = Page { sim: self.sim, domid: self.domid, gfn: Gfn(guest.param(pfn)) };
        (page, EvtchnPort(guest.param(evtchn) as u32))
    }

    async fn live(&self, client: &Client) -> Result<(), ClientError> {
        for feature in ["poweroff", "reboot", "halt", "suspend"] {
            client.write(&format!("control/feature-{feature}"), "1").await?;
        }
        for path in ["control/shutdown", "control/sysrq", "memory/target", "cpu"] {
            client.watch(path, path, None).await?;
        }
        let static_max = number(&read(client, "memory/static-max").await?);
        let booted_with = self.sim.guest(self.domid).memory();
        loop {
            let event = client.next_event().await?;
            // A paused guest hears later.
            self.gate.pass(self.sim, self.domid).await;
            let guest = self.sim.guest(self.domid);
            match (&event.token[..], self.behaviour) {
                (path @ (b"control/shutdown" | b"control/sysrq"), behaviour) => {
                    let path = String::from_utf8_lossy(path);
                    let asked = read(client, &path).await?;
                    if asked.is_empty() || behaviour == Behaviour::Ignores {
                        continue;
                    }
                    client.write(&path, "").await?;
                    if path == "control/sysrq" { self.sysrq(&asked) } else { self.shut_down(&asked) }
                }
                (b"memory/target", Behaviour::Obeys) => {
                    let missing = static_max.saturating_sub(number(&read(client, "memory/target").await?));
                    // What there is not is not had: the next request may be more modest.
                    let wanted = booted_with.0.saturating_sub(KiB(missing).pages_up().0);
                    let _ = guest.set_memory(Pages(wanted));
                }
                (b"cpu", Behaviour::Obeys) => {
                    for vcpu in 1..guest.vcpus() {
                        let online = read(client, &format!("cpu/{vcpu}/availability")).await? == "online";
                        guest.set_vcpu(vcpu, online);
                    }
                }
                _ => {}
            }
        }
    }

    fn shut_down(&self, word: &str) {
        match word {
            "reboot" => self.end(SHUTDOWN_REBOOT),
            "suspend" => self.end(SHUTDOWN_SUSPEND),
            "poweroff" | "halt" => self.end(SHUTDOWN_POWEROFF),
            other => self.print(&format!("control/shutdown: '{other}'?\n")),
        }
    }

    fn sysrq(&self, letter: &str) {
        self.print(&format!("sysrq: {letter}\n"));
        match letter {
            "c" => self.end(SHUTDOWN_CRASH),
            "b" => self.end(SHUTDOWN_REBOOT),
            "o" => self.end(SHUTDOWN_POWEROFF),
            _ => {}
        }
    }

    /// Ends as it was asked to, or otherwise.
    fn end(&self, reason: u32) {
        // It runs, or it had not heard.
        match self.behaviour {
            Behaviour::Obeys => self.sim.guest(self.domid).shutdown(reason),
            Behaviour::Crashes => self.sim.guest(self.domid).shutdown(SHUTDOWN_CRASH),
            Behaviour::Dies => self.sim.destroy(self.domid),
            Behaviour::Ignores | Behaviour::NeverEnds | Behaviour::Silent => Ok(()),
        }
        .expect("a guest that runs is there");
    }

    fn print(&self, text: &str) {
        let (page, port) = self.ring(HVM_PARAM_CONSOLE_PFN, HVM_PARAM_CONSOLE_EVTCHN);
        // What does not fit is lost; no test prints so much.
        let _ = Producer::new(layout::console::OUT).write(&page, text.as_bytes());
        let _ = self.sim.guest(self.domid).notify(port);
    }
}

/// A node's value; empty where there is none.
async fn read(client: &Client, path: &str) -> Result<String, ClientError> {
    match client.read(path).await {
        Err(ClientError::Refused(Error::NotFound)) => Ok(String::new()),
        value => Ok(String::from_utf8_lossy(&value?).into_owned()),
    }
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or(0)
}
