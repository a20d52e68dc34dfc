//! Event channels, the control domain's and the guests'.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use hypercall::{Xen, calls};
use ring::EventChannel;
use sim_xen::SimXen;
use xen_abi::{DomId, EvtchnPort};

/// Wakes one task; remembers one wake-up that came early.
type Latch = Signal<NoopRawMutex, ()>;

/// Who listens to which port of which domain.
#[derive(Default)]
pub(crate) struct Events {
    ports: RefCell<BTreeMap<(DomId, EvtchnPort), Rc<Latch>>>,
}

impl Events {
    fn listen(&self, domid: DomId, port: EvtchnPort) -> Rc<Latch> {
        let latch = Rc::new(Latch::new());
        self.ports.borrow_mut().insert((domid, port), latch.clone());
        latch
    }

    fn forget(&self, domid: DomId, port: EvtchnPort, latch: &Rc<Latch>) {
        // A port that was given out again meanwhile is another's.
        let mut ports = self.ports.borrow_mut();
        if ports.get(&(domid, port)).is_some_and(|other| Rc::ptr_eq(other, latch)) {
            ports.remove(&(domid, port));
        }
    }

    /// Takes what is pending anywhere, and wakes who waits for it.
    pub(crate) fn dispatch(&self, sim: &SimXen) {
        let own = sim.take_events().into_iter().map(|port| (DomId(0), port));
        let guests = sim
            .domains()
            .into_iter()
            .flat_map(|domid| sim.guest(domid).take_events().into_iter().map(move |port| (domid, port)));
        for end in own.chain(guests) {
            if let Some(latch) = self.ports.borrow().get(&end) {
                latch.signal(());
            }
        }
    }
}

/// A port of the control domain.
pub struct Port {
    xen: &'static Xen<&'static SimXen>,
    events: Rc<Events>,
    port: EvtchnPort,
    latch: Rc<Latch>,
}

impl Port {
    pub(crate) fn new(xen: &'static Xen<&'static SimXen>, events: &Rc<Events>, port: EvtchnPort) -> Self {
        Self { xen, events: events.clone(), port, latch: events.listen(DomId(0), port) }
    }
}

impl EventChannel for Port {
    async fn wait(&self) {
        self.latch.wait().await;
    }

    fn notify(&self) {
        // As in the kernel: the other end may be gone.
        let _ = self.xen.run(calls::evtchn::send(self.port));
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.events.forget(DomId(0), self.port, &self.latch);
    }
}

/// A guest's end of a port.
pub(crate) struct GuestPort {
    sim: &'static SimXen,
    events: Rc<Events>,
    domid: DomId,
    port: EvtchnPort,
    latch: Rc<Latch>,
}

impl GuestPort {
    pub(crate) fn new(sim: &'static SimXen, events: &Rc<Events>, domid: DomId, port: EvtchnPort) -> Self {
        Self { sim, events: events.clone(), domid, port, latch: events.listen(domid, port) }
    }
}

impl EventChannel for GuestPort {
    async fn wait(&self) {
        self.latch.wait().await;
    }

    fn notify(&self) {
        // It may be gone by now.
        let _ = self.sim.guest(self.domid).notify(self.port);
    }
}

impl Drop for GuestPort {
    fn drop(&mut self) {
        self.events.forget(self.domid, self.port, &self.latch);
    }
}
