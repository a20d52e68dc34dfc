//! Crashed domains of which a host is to keep a dump: the rules `coredump-destroy` and `coredump-restart`.
//!
//! There is no disk here: the crashed domain, preserved, is its own core until a host has fetched it. Of a name one at most is kept
//! so beside a domain that was restarted, so that one which crashes again and again does not fill the machine.

use core::cell::RefCell;

use alloc::collections::VecDeque;

use hypercall::{Aperture, Door};
use proto::dump::{CoreId, WaitingCore};
use proto::error::DomainError;

use crate::platform::Platform;
use crate::registry::Serial;
use crate::toolstack::{Mapping, Toolstack};

/// Those that wait, oldest first. One that was destroyed meanwhile is noticed when it is looked at.
#[derive(Debug, Default)]
pub(crate) struct Cores(RefCell<VecDeque<Serial>>);

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// A preserved domain is to be kept until a host has its core.
    pub(crate) fn await_core(&self, serial: Serial) {
        self.cores.0.borrow_mut().push_back(serial);
        if let Some(record) = self.registry.borrow().by_serial(serial) {
            log::info!("d{} {}: kept until a host has its core", record.domid, record.name);
        }
        self.ends.wake_all();
    }

    /// Says whether a core of a domain of this configuration's name waits already.
    pub(crate) fn has_core_of(&self, name: &str) -> bool {
        let registry = self.registry.borrow();
        let is_of = |serial: &Serial| registry.by_serial(*serial).is_some_and(|r| r.config.name == name);
        self.cores.0.borrow().iter().any(is_of)
    }

    /// Says whether a host is to keep this domain's core.
    pub(crate) fn awaits_core(&self, serial: Serial) -> bool {
        self.cores.0.borrow().contains(&serial)
    }

    /// Waits for a core that is none of these.
    pub async fn next_core(&self, but: &[CoreId]) -> WaitingCore {
        self.ends.until(|| self.waiting_core(but)).await
    }

    fn waiting_core(&self, but: &[CoreId]) -> Option<WaitingCore> {
        let registry = self.registry.borrow();
        let mut cores = self.cores.0.borrow_mut();
        cores.retain(|&serial| registry.by_serial(serial).is_some());
        let wanted = cores.iter().filter(|serial| !but.contains(&serial.core()));
        let record = wanted.filter_map(|&serial| registry.by_serial(serial)).next()?;
        Some(WaitingCore {
            id: record.serial.core(),
            domid: record.domid.0,
            name: record.config.name.clone(),
            uuid: record.uuid.0,
        })
    }

    /// A host has this core: its domain is destroyed.
    ///
    /// # Errors
    /// [`DomainError::NotFound`]: none waits under this id. [`DomainError::Xen`]: Xen keeps it.
    pub async fn core_kept(&self, id: CoreId) -> Result<(), DomainError> {
        let serial = self.cores.0.borrow().iter().copied().find(|serial| serial.core() == id);
        let serial = serial.ok_or(DomainError::NotFound)?;
        self.destroy_ours(serial).await?;
        self.cores.0.borrow_mut().retain(|&other| other != serial);
        Ok(())
    }
}
