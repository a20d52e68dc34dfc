//! Making domains.
//!
//! Three steps: check everything, build a domain that nobody serves yet (crate `builder`), open it to the world
//! ([`open`]). Until the last line each step is owned by a guard that undoes it, so an error, a refusal of Xen's and
//! a future that is dropped all end the same way: with nothing left.

mod open;
mod place;
mod refusal;

use alloc::rc::Rc;
use alloc::vec::Vec;

use builder::{Images, MAX_VCPUS, Plan, PlanInput};
use hypercall::{Aperture, ClaimedMemory, CreateDomain, Door};
use image::{Container, KernelHeaders, ReadAt, Reader};
use proto::domain::{CreateRequest, Created, DomainConfig};
use proto::error::{BadKernel, CreateError};
use proto::image::ImageId;
use proto::journal::{Event, Who};
use proto::vcpu::CpuSet;
use xen_abi::{DomId, KiB, Pages};

use self::place::Place;
use crate::images::StoredImage;
use crate::meter::Meter;
use crate::name::{DomainName, Uuid};
use crate::platform::Platform;
use crate::pools::FIRST;
use crate::registry::{Kept, Record, Serial, Stage, Taken};
use crate::requests::Errands;
use crate::rules::Restarts;
use crate::toolstack::{Mapping, Toolstack};

/// A domain that is to be built: for the first time, or anew after its end.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) config: DomainConfig,
    pub(crate) uuid: Uuid,
    /// What it was told about its scheduling in the life before.
    pub(crate) kept: Kept,
    pub(crate) restarts: Restarts,
    /// The life that it continues.
    pub(crate) follows: Option<Serial>,
    /// On whose account.
    pub(crate) who: Who,
}

/// A name and a uuid, held while a domain is being built. Dropped before the domain is admitted, they are free again.
struct Reservation<'t, 'x, M: Door + Aperture, P> {
    toolstack: &'t Toolstack<'x, M, P>,
    serial: Serial,
}

impl<M: Door + Aperture, P> Drop for Reservation<'_, '_, M, P> {
    fn drop(&mut self) {
        // Does nothing if the domain has been admitted.
        self.toolstack.registry.borrow_mut().cancel(self.serial);
    }
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// Builds a domain from images in the cache, and lets it run unless it is to stay paused.
    ///
    /// Takes its turn among those who build. All or nothing: after an error, or when the future is dropped before its end, nothing of the domain is left.
    /// Other tasks get their turn between parts of the work.
    ///
    /// Costs eight exits where the pages to be written are few and its memory comes in large pieces; seven if it is
    /// to stay paused; one more in another pool than the first.
    ///
    /// # Errors
    /// See [`CreateError`]. Everything that can be checked is checked before anything is built.
    pub async fn create(&self, request: CreateRequest) -> Result<Created, CreateError> {
        let _turn = self.builds.take().await;
        let began_ns = self.platform.now_ns();
        let uuid = self.draw_uuid(request.config.uuid);
        let mut config = request.config;
        config.cpus.truncate(MAX_VCPUS as usize);
        config.cpus.iter_mut().for_each(|set| *set = set.bounded());
        let life = Life {
            config,
            uuid,
            kept: Kept::default(),
            restarts: Restarts::default(),
            follows: None,
            who: Who::Command,
        };
        let built = self.build(&life, request.paused).await;
        self.note_built(began_ns, life.who, &life.config.name, &built);
        built
    }

    /// See [`Self::create`].
    pub(crate) async fn build(&self, life: &Life, paused: bool) -> Result<Created, CreateError> {
        let built = self.try_build(life, paused).await;
        if let Err(why) = &built {
            log::info!("create {}: {why:?}", life.config.name);
        }
        built
    }

    async fn try_build(&self, life: &Life, paused: bool) -> Result<Created, CreateError> {
        let mut meter = Meter::start(self.xen, self.platform.now_ns());
        let mut life = life.clone();
        let name = DomainName::parse(&life.config.name).ok_or(CreateError::BadName)?;
        let reservation = self.reserve(name.clone(), life.uuid)?;
        let kernel = self.image(life.config.kernel)?;
        let ramdisk = life.config.ramdisk.map(|id| self.image(id)).transpose()?;
        let mut images = readers(&kernel, ramdisk.as_ref())?;
        let place = self.place(&mut life)?;
        let plan = self.plan(&life.config, Some((&place, &life.kept)), &mut images)?;
        self.find_memory(plan.host_memory())?;
        meter.phase("check", self.platform.now_ns());

        let wish = CreateDomain::pvh(life.uuid.0, life.config.max_vcpus);
        let wish = CreateDomain { cpupool: place.pool, ..wish };
        let domain = self.xen.create_domain(&wish).map_err(|e| self.refused(&plan, e))?;
        self.registry.borrow_mut().note_domid(reservation.serial, domain.id());
        meter.phase("create domain", self.platform.now_ns());

        let breathe = async || meter.give_way(self.xen, &self.platform).await;
        let built = builder::build(&domain, &plan, &mut images, breathe).await;
        let built = built.map_err(|e| self.not_built(&plan, e))?;
        // From here on others may see its memory, and it may run.
        let domain = domain.finish();
        meter.phase("build", self.platform.now_ns());

        let open = self.open(domain.id(), &name, &life, &built)?;
        meter.phase("open", self.platform.now_ns());
        if !paused {
            self.xen.unpause_domain(domain.id()).map_err(|e| self.refused(&plan, e))?;
            meter.phase("start", self.platform.now_ns());
        }
        // Nothing fails from here on.
        open.keep();
        let domid = domain.commit();
        let created = self.created(domid, &life, meter);
        for why in place.losses {
            log::warn!("{name}: goes on without what it had: {why:?}");
            self.note(life.who, Event::NotKept { name: life.config.name.clone(), why });
        }
        self.admit(reservation.serial, domid, name, life);
        Ok(created)
    }

    fn reserve(&self, name: DomainName, uuid: Uuid) -> Result<Reservation<'_, 'x, M, P>, CreateError> {
        match self.registry.borrow_mut().reserve(name, uuid) {
            Ok(serial) => Ok(Reservation { toolstack: self, serial }),
            Err(Taken::Name(domid)) => Err(CreateError::NameInUse { domid: domid.map(|d| d.0) }),
            Err(Taken::Uuid(domid)) => Err(CreateError::UuidInUse { domid: domid.map_or(0, |d| d.0) }),
        }
    }

    /// Looks whether a domain could be built of what is there, without building it.
    ///
    /// # Errors
    /// What [`Self::create`] would say of its kernel, its ramdisk and its sizes.
    pub(crate) fn can_build(&self, config: &DomainConfig) -> Result<(), CreateError> {
        let kernel = self.image(config.kernel)?;
        let ramdisk = config.ramdisk.map(|id| self.image(id)).transpose()?;
        self.plan(config, None, &mut readers(&kernel, ramdisk.as_ref())?).map(drop)
    }

    pub(crate) fn image(
        &self,
        id: ImageId,
    ) -> Result<Rc<StoredImage<'x, ClaimedMemory<'x, M>>>, CreateError> {
        self.images.borrow_mut().get(id).ok_or(CreateError::NoImage(id))
    }

    fn plan(
        &self,
        config: &DomainConfig,
        place: Option<(&Place, &Kept)>,
        images: &mut Images<'_>,
    ) -> Result<Plan, CreateError> {
        let headers = KernelHeaders::parse(&mut images.kernel).map_err(refusal::kernel)?;
        let bits = |sets: &[CpuSet]| sets.iter().map(|set| set.0.clone()).collect::<Vec<_>>();
        let preferred = place.map_or_else(Vec::new, |(_, kept)| bits(&kept.preferred));
        let input = PlanInput {
            kernel: &headers,
            ramdisk_len: images.ramdisk.as_ref().map(Reader::plain_len),
            cmdline: &config.cmdline,
            memory: KiB(config.memory_kib),
            max_memory: KiB(config.max_memory_kib),
            vcpus: config.vcpus,
            max_vcpus: config.max_vcpus,
            cpus: &bits(&config.cpus),
            preferred: &preferred,
            pool: place.map_or(FIRST, |(place, _)| place.pool),
            share: place.and_then(|(place, _)| place.share.as_ref()),
        };
        Plan::new(&input).map_err(|e| self.impossible(e))
    }

    /// Demands that so much memory is free, giving up images that nobody needs where it has to.
    fn find_memory(&self, wanted: Pages) -> Result<(), CreateError> {
        let free = self.free_for(wanted).map_err(crate::errors::create_error)?;
        if free < wanted {
            let (needed_kib, free_kib) = (wanted.kib().0, free.kib().0);
            return Err(CreateError::NotEnoughMemory { needed_kib, free_kib });
        }
        Ok(())
    }

    fn admit(&self, serial: Serial, domid: DomId, name: DomainName, life: Life) {
        self.registry.borrow_mut().admit(Record {
            serial,
            domid,
            name,
            uuid: life.uuid,
            booted_kib: life.config.memory_kib,
            config: life.config,
            kept: life.kept,
            created_ns: self.platform.now_ns(),
            restarts: life.restarts,
            stage: Stage::Alive,
            ended: None,
            follows: life.follows,
            is_admin_paused: false,
            errands: Errands::default(),
        });
    }

    fn created(&self, domid: DomId, life: &Life, meter: Meter) -> Created {
        let spent = meter.spent(self.xen);
        let phases = meter.phases();
        let us: u64 = phases.iter().map(|phase| u64::from(phase.us)).sum();
        log::info!("create {}: d{domid} in {us} us, {} exits", life.config.name, spent.exits);
        let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Created {
            domid: domid.0,
            uuid: life.uuid.0,
            phases,
            exits: small(spent.exits),
            hypercalls: small(spent.hypercalls),
        }
    }
}

/// What a domain is built of, to be read.
fn readers<'a, C: core::ops::Deref<Target = [u8]>>(
    kernel: &'a StoredImage<'_, C>,
    ramdisk: Option<&'a Rc<StoredImage<'_, C>>>,
) -> Result<Images<'a>, CreateError> {
    Ok(Images {
        kernel: reader(kernel).ok_or(CreateError::BadKernel(BadKernel::Corrupt))?,
        ramdisk: match ramdisk {
            Some(ramdisk) => Some(reader(ramdisk).ok_or(CreateError::BadRamdisk)?),
            None => None,
        },
    })
}

/// Reads from an image; None if it is no container.
fn reader<'a, C: core::ops::Deref<Target = [u8]>>(image: &'a StoredImage<'_, C>) -> Option<Reader<'a>> {
    Container::parse(image.container()).ok().map(Container::reader)
}
