//! Opening a built domain to the world: its nodes in xenstore, its console, the tasks that serve it.

use builder::{Built, ServiceEnd};
use console::ConsoleId;
use hypercall::{Aperture, Door};
use proto::error::{CreateError, XenError};
use xen_abi::{DomId, Errno};

use super::Life;
use crate::errors::create_error;
use crate::layout::{self, Facts, GuestChannel, Identity};
use crate::name::{DomainName, Uuid};
use crate::platform::{NoRoom, Platform};
use crate::services::{Ports, Services};
use crate::toolstack::{Mapping, Toolstack};

/// What has been opened of a domain. Dropped before [`Self::keep`], all of it is closed again.
pub(super) struct Open<'t, 'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> {
    toolstack: &'t Toolstack<'x, M, P>,
    domid: DomId,
    uuid: Uuid,
    /// Our ends of the ports, until the services have them.
    ports: Option<Ports>,
    console: Option<ConsoleId>,
    is_kept: bool,
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// Opens a domain that has been built. The guard owns the ports of `built` from here on.
    pub(super) fn open(
        &self,
        domid: DomId,
        name: &DomainName,
        life: &Life,
        built: &Built,
    ) -> Result<Open<'_, 'x, M, P>, CreateError> {
        let ports = Ports { console: built.console.port, store: built.store.port };
        let mut open = Open {
            toolstack: self,
            domid,
            uuid: life.uuid,
            ports: Some(ports),
            console: None,
            is_kept: false,
        };
        let rings = [built.console.page, built.store.page];
        let mapping = self.xen.map_foreign(domid, &rings).map_err(create_error)?;
        self.enter_store(domid, name, life, built)?;
        let console = self.consoles.borrow_mut().open(domid, name.as_str(), life.uuid.0);
        open.console = Some(console);
        self.start_services(domid, Services::new(mapping, console, ports)).map_err(|NoRoom| {
            log::error!("d{domid}: no room for the tasks that would serve it");
            CreateError::OutOfHeap
        })?;
        open.ports = None;
        Ok(open)
    }

    /// Writes what the domain and its tools find in the store, and begins to serve it.
    fn enter_store(
        &self,
        domid: DomId,
        name: &DomainName,
        life: &Life,
        built: &Built,
    ) -> Result<(), CreateError> {
        let pool = self.pools.borrow().name_in(&life.config);
        let channel = |end: &ServiceEnd| GuestChannel { ring: end.page, port: end.guest_port };
        let nodes = layout::nodes(&Facts {
            identity: Identity {
                domid,
                name,
                uuid: life.uuid,
                config: &life.config,
                pool: &pool,
                restarts: life.restarts,
                born_ms: self.platform.unix_ms(),
            },
            console: channel(&built.console),
            store: channel(&built.store),
        });
        let mut store = self.store.borrow_mut();
        store.register(domid);
        let written = store.control(|tree| {
            // Somebody else's domain may have left nodes under this id.
            tree.rm(&layout::domain_path(domid))?;
            tree.rm(&layout::vm_path(life.uuid))?;
            layout::write(tree, &nodes)
        });
        written.map_err(|error| {
            // The paths are legal and the control domain has no quota; so this is a bug, but not one to die of.
            log::error!("d{domid}: xenstore refuses its nodes: {error}");
            CreateError::Xen(XenError { call: "XS_WRITE".into(), errno: Errno::EIO.0 })
        })?;
        store.introduce(domid);
        Ok(())
    }
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Open<'_, 'x, M, P> {
    /// Leaves everything open.
    pub(super) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Drop for Open<'_, 'x, M, P> {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        self.toolstack.end_services(self.domid);
        if let Some(ports) = self.ports {
            self.toolstack.close_ports(ports);
        }
        if let Some(console) = self.console {
            self.toolstack.consoles.borrow_mut().discard(console);
        }
        self.toolstack.remove_from_store(self.domid, self.uuid);
    }
}
