//! Event channels.

use std::collections::{BTreeMap, VecDeque};

use xen_abi::{DomId, Errno, EvtchnPort, Virq};

use crate::state::State;

/// A domain's ports.
#[derive(Default)]
pub(crate) struct Ports {
    pub(crate) highest: u32,
    pub(crate) open: BTreeMap<EvtchnPort, Port>,
    pub(crate) pending: VecDeque<EvtchnPort>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Port {
    Unbound(DomId),
    Connected(DomId, EvtchnPort),
    Virq(Virq, u32),
    Pirq(u32),
    Ipi,
}

impl Ports {
    pub(crate) fn new(highest: u32) -> Self {
        Ports { highest, ..Ports::default() }
    }

    /// Opens the lowest free port.
    pub(crate) fn open(&mut self, port: Port) -> Result<EvtchnPort, Errno> {
        let free = (1..=self.highest)
            .map(EvtchnPort)
            .find(|number| !self.open.contains_key(number))
            .ok_or(Errno::ENOSPC)?;
        self.open.insert(free, port);
        Ok(free)
    }

    pub(crate) fn set_pending(&mut self, port: EvtchnPort) {
        if !self.pending.contains(&port) {
            self.pending.push_back(port);
        }
    }
}

impl State {
    /// What `EVTCHNOP_alloc_unbound` does.
    pub(crate) fn alloc_unbound(&mut self, dom: DomId, remote: DomId) -> Result<EvtchnPort, Errno> {
        let remote = self.own_if_self(remote);
        let dom = self.own_if_self(dom);
        self.living(dom)?.ports.open(Port::Unbound(remote))
    }

    /// What `EVTCHNOP_bind_interdomain` does, for `local`.
    pub(crate) fn bind_interdomain(
        &mut self,
        local: DomId,
        remote: DomId,
        remote_port: EvtchnPort,
    ) -> Result<EvtchnPort, Errno> {
        let remote = self.own_if_self(remote);
        match self.domain(remote)?.ports.open.get(&remote_port) {
            Some(Port::Unbound(whom)) if *whom == local => {}
            _ => return Err(Errno::EINVAL),
        }
        let port = self.living(local)?.ports.open(Port::Connected(remote, remote_port))?;
        self.domain(remote)?.ports.open.insert(remote_port, Port::Connected(local, port));
        // Xen lets the new port look once: the other end may have sent before it was bound.
        self.domain(local)?.ports.set_pending(port);
        Ok(port)
    }

    /// What `EVTCHNOP_send` does, for `from`.
    pub(crate) fn send(&mut self, from: DomId, port: EvtchnPort) -> Result<(), Errno> {
        match self.domain(from)?.ports.open.get(&port).copied() {
            Some(Port::Connected(to, there)) => {
                if let Ok(domain) = self.domain(to) {
                    domain.ports.set_pending(there);
                }
                Ok(())
            }
            Some(Port::Ipi) => {
                self.domain(from)?.ports.set_pending(port);
                Ok(())
            }
            // The other end is gone, or not there yet: dropped silently.
            Some(Port::Unbound(_)) => Ok(()),
            _ => Err(Errno::EINVAL),
        }
    }

    /// What `EVTCHNOP_close` does, for `from`. The other end becomes unbound.
    pub(crate) fn close(&mut self, from: DomId, port: EvtchnPort) -> Result<(), Errno> {
        let ports = &mut self.domain(from)?.ports;
        let closed = ports.open.remove(&port).ok_or(Errno::EINVAL)?;
        ports.pending.retain(|pending| *pending != port);
        if let Port::Connected(to, there) = closed
            && let Ok(domain) = self.domain(to)
        {
            domain.ports.open.insert(there, Port::Unbound(from));
        }
        Ok(())
    }

    /// Raises a virtual interrupt of domain 0.
    pub(crate) fn raise(&mut self, virq: Virq) {
        if let Ok(domain) = self.domain(DomId(0)) {
            let bound =
                domain.ports.open.iter().find(|(_, port)| matches!(port, Port::Virq(v, _) if *v == virq));
            if let Some(port) = bound.map(|(number, _)| *number) {
                domain.ports.set_pending(port);
            }
        }
    }

    /// Takes the pending ports of a domain, oldest first.
    pub(crate) fn take_events(&mut self, dom: DomId) -> Vec<EvtchnPort> {
        self.domain(dom).map(|domain| domain.ports.pending.drain(..).collect()).unwrap_or_default()
    }
}
