//! More or less of a domain while it runs: its balloon's target, its maximum of memory, its vCPUs.
//!
//! A domain changes its size itself: it is told through xenstore, and its drivers give or take. What is checked here is what it
//! could not know: that the machine has the memory, and that no maximum is passed. What a domain was told is kept in its
//! configuration, so that its next life starts with it.

use alloc::vec::Vec;

use builder::{MAX_MEMORY, SPECIAL_PAGES, memory_limit, paging_pool};
use hypercall::calls::{domctl, sysctl};
use hypercall::{Aperture, DomainInfo, Door};
use proto::domain::DomainConfig;
use proto::error::{DomainError, XenError};
use proto::resize::{DomainMemory, DomainVcpuCount, MemoryWish, ResizeError, VcpuWish};
use xen_abi::{DomId, Errno, KiB, Pages};

use crate::errors::domain_error;
use crate::layout::{self, Node};
use crate::list::Target;
use crate::name::Uuid;
use crate::platform::Platform;
use crate::registry::Serial;
use crate::toolstack::{Mapping, Toolstack};

/// A domain of ours that is to change.
struct Subject {
    serial: Serial,
    domid: DomId,
    uuid: Uuid,
    config: DomainConfig,
}

fn xen_error(error: hypercall::XenError) -> ResizeError {
    ResizeError::Domain(domain_error(error))
}

/// What is left of a domain's memory when the builder's own pages are taken away.
fn memory(info: &DomainInfo) -> Pages {
    Pages(info.pages.0.saturating_sub(SPECIAL_PAGES.0))
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// Tells a domain how much memory to have. It is for its balloon driver to obey; of one without, nothing changes.
    ///
    /// One exit; one or two more where images have to make room.
    ///
    /// # Errors
    /// [`ResizeError::Zero`]; [`ResizeError::AboveMaximum`]; [`ResizeError::NotEnoughMemory`]: the host could not give what it
    /// lacks; [`ResizeError::Foreign`]; [`ResizeError::Domain`].
    pub fn set_memory(&self, wish: &MemoryWish) -> Result<DomainMemory, ResizeError> {
        let subject = self.subject(self.resolve(&wish.domain)?)?;
        let most_kib = subject.config.max_memory_kib;
        match wish.kib {
            0 => return Err(ResizeError::Zero),
            kib if kib > most_kib => return Err(ResizeError::AboveMaximum { most: most_kib }),
            _ => {}
        }
        let (info, free) = self.ask(&subject)?;
        self.find_room(Pages((wish.kib / 4).saturating_sub(memory(&info).0)), free)?;
        let limit = memory_limit(KiB(most_kib));
        if info.max_pages.kib().0 < limit.0 {
            self.xen.max_mem(subject.domid, limit).map_err(xen_error)?;
        }

        let config = DomainConfig { memory_kib: wish.kib, ..subject.config.clone() };
        self.tell(&subject, config, layout::target_nodes)?;
        log::info!("d{}: memory: {} KiB now, {} KiB wanted", subject.domid, memory(&info).kib().0, wish.kib);
        Ok(DomainMemory { current_kib: memory(&info).kib().0, target_kib: wish.kib, most_kib })
    }

    /// Demands that the host has what a domain lacks, of which `free` was told, giving up images that nobody needs where it has
    /// to.
    fn find_room(&self, needed: Pages, free: Pages) -> Result<(), ResizeError> {
        if needed <= free {
            return Ok(());
        }
        let free = self.free_for(needed).map_err(xen_error)?;
        if free < needed {
            let (needed_kib, free_kib) = (needed.kib().0, free.kib().0);
            return Err(ResizeError::NotEnoughMemory { needed_kib, free_kib });
        }
        Ok(())
    }

    /// Sets the most memory that a domain may have. Two exits; three where it is raised, since the pool for its nested page
    /// tables must grow first.
    ///
    /// # Errors
    /// [`ResizeError::Zero`]; [`ResizeError::TooMuch`]; [`ResizeError::BelowTarget`]; [`ResizeError::NotEnoughMemory`]: for the
    /// page tables; [`ResizeError::Foreign`]; [`ResizeError::Domain`].
    pub fn set_max_memory(&self, wish: &MemoryWish) -> Result<DomainMemory, ResizeError> {
        let subject = self.subject(self.resolve(&wish.domain)?)?;
        let target_kib = subject.config.memory_kib;
        match wish.kib {
            0 => return Err(ResizeError::Zero),
            kib if kib < target_kib => return Err(ResizeError::BelowTarget { target_kib }),
            kib if kib > MAX_MEMORY.0 => return Err(ResizeError::TooMuch { most_kib: MAX_MEMORY.0 }),
            _ => {}
        }
        let (info, free) = self.ask(&subject)?;
        let pool = |kib| paging_pool(KiB(kib), subject.config.max_vcpus);
        let (before, after) = (pool(subject.config.max_memory_kib), pool(wish.kib));
        if after > before {
            // Xen takes page after page until there are no more, and keeps those that it got.
            self.find_room(Pages(after.pages_up().0 - before.pages_up().0), free)?;
            self.xen.set_paging_pool(subject.domid, after).map_err(xen_error)?;
        }
        self.xen.max_mem(subject.domid, memory_limit(KiB(wish.kib))).map_err(xen_error)?;

        let config = DomainConfig { max_memory_kib: wish.kib, ..subject.config.clone() };
        self.tell(&subject, config, layout::maximum_nodes)?;
        log::info!("d{}: memory: {} KiB at most", subject.domid, wish.kib);
        Ok(DomainMemory { current_kib: memory(&info).kib().0, target_kib, most_kib: wish.kib })
    }

    /// Tells a domain how many of its vCPUs, from the first, to have online. It is for the domain to obey. One exit.
    ///
    /// Of the control domain, only what is so already is accepted: it does not watch its own vCPUs.
    ///
    /// # Errors
    /// [`ResizeError::Zero`]; [`ResizeError::AboveMaximum`]; [`ResizeError::Foreign`]; [`ResizeError::Domain`].
    pub fn set_vcpus(&self, wish: &VcpuWish) -> Result<DomainVcpuCount, ResizeError> {
        let target = self.resolve(&wish.domain)?;
        let count = wish.count;
        if count == 0 {
            return Err(ResizeError::Zero);
        }
        if target == Target::Control {
            let info = self.info_of(target)?;
            let most = info.max_vcpu.map_or(0, |last| last.0.saturating_add(1));
            return match count {
                _ if count > most => Err(ResizeError::AboveMaximum { most: most.into() }),
                _ if count == info.online_vcpus => Ok(DomainVcpuCount { online: count, target: count, most }),
                _ => Err(ResizeError::Domain(DomainError::Privileged)),
            };
        }
        let subject = self.subject(target)?;
        let most = subject.config.max_vcpus;
        if count > most {
            return Err(ResizeError::AboveMaximum { most: most.into() });
        }
        let info = self.living(subject.domid, self.xen.domain_info(subject.domid))?;
        let config = DomainConfig { vcpus: count, ..subject.config.clone() };
        self.tell(&subject, config, layout::availability_nodes)?;
        log::info!("d{}: vCPUs: {} online now, {count} wanted", subject.domid, info.online_vcpus);
        Ok(DomainVcpuCount { online: info.online_vcpus, target: count, most })
    }

    /// Whom a change is about.
    fn subject(&self, target: Target) -> Result<Subject, ResizeError> {
        match target {
            Target::Control => Err(ResizeError::Domain(DomainError::Privileged)),
            Target::Foreign(_) => {
                self.info_of(target)?;
                Err(ResizeError::Foreign)
            }
            Target::Ours(serial, domid) => {
                let registry = self.registry.borrow();
                let record = registry.by_serial(serial).ok_or(DomainError::NotFound)?;
                Ok(Subject { serial, domid, uuid: record.uuid, config: record.config.clone() })
            }
        }
    }

    /// What Xen tells of a living domain, and how much memory the host has free. One exit.
    fn ask(&self, subject: &Subject) -> Result<(DomainInfo, Pages), ResizeError> {
        let abi = self.xen.abi();
        let mut questions = self.xen.batch();
        let info = questions.add(domctl::domain_info(abi, subject.domid));
        let host = questions.add(sysctl::host_info(abi));
        let told = questions.issue().map_err(xen_error)?;
        let info = self.living(subject.domid, told.get(info))?;
        Ok((info, told.get(host).map_err(xen_error)?.free))
    }

    /// What Xen told of a domain, if that lives.
    fn living(
        &self,
        domid: DomId,
        info: Result<DomainInfo, hypercall::XenError>,
    ) -> Result<DomainInfo, ResizeError> {
        match info {
            // Old releases answer about the next domain where there is none.
            Ok(info) if info.id != domid => Err(DomainError::NotFound.into()),
            Ok(info) if info.dying || info.shutdown.is_some() => Err(DomainError::NotStarted.into()),
            Err(error) if error.errno == Errno::ESRCH => Err(DomainError::NotFound.into()),
            other => other.map_err(xen_error),
        }
    }

    /// Writes what a domain is told into the store, for its watches to fire, and into its configuration.
    fn tell(
        &self,
        subject: &Subject,
        config: DomainConfig,
        nodes: fn(DomId, Uuid, &DomainConfig) -> Vec<Node>,
    ) -> Result<(), ResizeError> {
        let nodes = nodes(subject.domid, subject.uuid, &config);
        // Who may read them stays as it is: setting that would fire the watches a second time.
        let told = self
            .store
            .borrow_mut()
            .control(|tree| nodes.iter().try_for_each(|node| tree.write(&node.path, &node.value)));
        told.map_err(|error| {
            // The paths are legal and the control domain has no quota; so this is a bug, but not one to die of.
            log::error!("d{}: xenstore refuses what it is to be told: {error}", subject.domid);
            DomainError::Xen(XenError { call: "XS_WRITE".into(), errno: Errno::EIO.0 })
        })?;
        if let Some(record) = self.registry.borrow_mut().by_serial_mut(subject.serial) {
            record.config = config;
        }
        Ok(())
    }
}
