//! A domain's console and its way to xenstore, from our end: what is open while it lives.

use console::{ConsoleId, Pump};
use hypercall::{Aperture, Door, calls};
use ring::{Shared, layout};
use xen_abi::{DomId, EvtchnPort};

use crate::platform::{Channel, DomainChannels, NoRoom, Platform};
use crate::rings::RingPages;
use crate::toolstack::{Mapping, Toolstack};

/// What is open of a domain's two channels.
pub(crate) struct Services<R> {
    pages: RingPages<R>,
    console: ConsoleId,
    ports: Ports,
}

/// Our ends of a domain's two event channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) console: EvtchnPort,
    pub(crate) store: EvtchnPort,
}

/// Which page of the mapping is which.
const CONSOLE_PAGE: usize = 0;
const STORE_PAGE: usize = 1;

impl<R: Shared> Services<R> {
    /// `mapping`: the console's page, then the store's.
    pub(crate) fn new(mapping: R, console: ConsoleId, ports: Ports) -> Self {
        Self { pages: RingPages::new(mapping), console, ports }
    }

    fn channels(&self, domid: DomId) -> DomainChannels<R> {
        DomainChannels {
            domid,
            console: Channel { page: self.pages.page(CONSOLE_PAGE), port: self.ports.console },
            console_id: self.console,
            store: Channel { page: self.pages.page(STORE_PAGE), port: self.ports.store },
        }
    }
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// Starts the tasks that serve a domain. If that fails, its pages are unmapped; its ports and its console are the
    /// caller's to close.
    pub(crate) fn start_services(
        &self,
        domid: DomId,
        services: Services<Mapping<'x, M>>,
    ) -> Result<(), NoRoom> {
        self.platform.start_services(services.channels(domid))?;
        self.services.borrow_mut().insert(domid, services);
        Ok(())
    }

    /// Ends the tasks that serve a domain, keeps what its console still had to say, unmaps its pages and closes our
    /// ports. Does nothing if that was done. The console's log stays readable.
    pub(crate) fn end_services(&self, domid: DomId) {
        let Some(services) = self.services.borrow_mut().remove(&domid) else { return };
        self.platform.stop_services(domid);
        self.drain_console(&services);
        self.consoles.borrow_mut().close(services.console);
        let ports = services.ports;
        drop(services);
        self.close_ports(ports);
    }

    /// Closes our ends of a domain's event channels, in one exit.
    pub(crate) fn close_ports(&self, ports: Ports) {
        let mut batch = self.xen.batch();
        for port in [ports.console, ports.store] {
            batch.add(calls::evtchn::close(port));
        }
        if let Err(error) = batch.issue().and_then(|done| done.all()) {
            log::error!("a guest's event channel stays open: {error}");
        }
    }

    /// Takes what is left in the console's ring. The guest may still run, but it is being destroyed: one ring's
    /// worth is enough.
    fn drain_console(&self, services: &Services<Mapping<'x, M>>) {
        let mut pump = Pump::new(services.pages.page(CONSOLE_PAGE));
        // A ring whose indices make no sense has nothing to tell.
        let _ = pump.pump(services.console, &mut self.consoles.borrow_mut());
    }

    /// Whether a domain ever put a request into its ring to xenstore. What a guest claims here serves only to explain its silence.
    pub(crate) fn has_spoken(&self, domid: DomId) -> bool {
        let services = self.services.borrow();
        services.get(&domid).is_some_and(|s| layout::xenstore::REQ.was_used(&s.pages.page(STORE_PAGE)))
    }

    /// A domain's console.
    pub(crate) fn console_of(&self, domid: DomId) -> Option<ConsoleId> {
        self.services.borrow().get(&domid).map(|services| services.console)
    }
}
