//! Commands on a life as a whole: another name, a new beginning, a pressed button.

use core::mem;

use hypercall::{Aperture, Door};
use proto::domain::{Created, DomainConfig, DomainRef, ShutdownReason};
use proto::error::DomainError;
use proto::journal::Who;
use proto::life::{RenameError, RenameRequest, ResetError, Trigger, TriggerError, TriggerRequest};
use xen_abi::Errno;
use xen_abi::domctl;

use crate::create::Life;
use crate::errors::{domain_error, told};
use crate::layout;
use crate::list::Target;
use crate::name::DomainName;
use crate::platform::Platform;
use crate::registry::{Stage, Taken};
use crate::state;
use crate::toolstack::{Mapping, Toolstack};

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// Gives a domain another name, under which it is also built anew. No exit.
    ///
    /// # Errors
    /// See [`RenameError`]: a name that is illegal or another's; the control domain; one that is going, or is not ours.
    pub fn rename(&self, request: &RenameRequest) -> Result<(), RenameError> {
        let serial = match self.not_control(&request.domain).map_err(RenameError::Domain)? {
            Target::Ours(serial, _) => serial,
            target => {
                let found = self.info_of(target).map_err(RenameError::Domain);
                return found.and(Err(RenameError::Domain(DomainError::NotStarted)));
            }
        };
        let name = DomainName::parse(&request.name).ok_or(RenameError::BadName)?;
        let (domid, uuid, old) = {
            let mut registry = self.registry.borrow_mut();
            match registry.by_serial(serial) {
                None => return Err(RenameError::Domain(DomainError::NotFound)),
                Some(record) if record.stage == Stage::Dying => {
                    return Err(RenameError::Domain(DomainError::NotStarted));
                }
                Some(_) => {}
            }
            registry.is_free(&name, serial).map_err(|taken| match taken {
                Taken::Name(domid) | Taken::Uuid(domid) => {
                    RenameError::NameInUse { domid: domid.map(|domid| domid.0) }
                }
            })?;
            let record = registry.by_serial_mut(serial).ok_or(RenameError::Domain(DomainError::NotFound))?;
            record.config.name = request.name.clone();
            (record.domid, record.uuid, mem::replace(&mut record.name, name.clone()))
        };
        self.write_nodes(&layout::name_nodes(domid, uuid, &name));
        if let Some(console) = self.console_of(domid) {
            self.consoles.borrow_mut().rename(console, name.as_str());
        }
        log::info!("d{domid}: {old} is now called {name}");
        Ok(())
    }

    /// Destroys a domain and builds it anew, at once and without asking it, from the same configuration and with the same
    /// uuid. It runs afterwards, also if it was paused.
    ///
    /// Takes its turn among those who build. Its images are held from before the destruction, so that they cannot be thrown out in between.
    ///
    /// # Errors
    /// See [`ResetError`]: it says whether the old domain is still there.
    pub async fn reset(&self, domain: &DomainRef) -> Result<Created, ResetError> {
        let _turn = self.builds.take().await;
        let target = self.not_control(domain).map_err(ResetError::Refused)?;
        let info = self.info_of(target).map_err(ResetError::Refused)?;
        let serial = match (target, state::shutdown_reason(&info)) {
            (Target::Ours(serial, _), None | Some(ShutdownReason::Crash)) if !info.dying => serial,
            _ => return Err(ResetError::Refused(DomainError::NotStarted)),
        };
        let life = {
            let registry = self.registry.borrow();
            let record = registry.by_serial(serial).filter(|r| r.stage != Stage::Dying);
            let record = record.ok_or(ResetError::Refused(DomainError::NotStarted))?;
            Life {
                // One that was kept under another name comes back under that.
                config: DomainConfig { name: record.name.as_str().into(), ..record.config.clone() },
                uuid: record.uuid,
                kept: record.kept.clone(),
                restarts: record.restarts,
                follows: Some(serial),
                who: Who::Command,
            }
        };
        let kernel = self.image(life.config.kernel).map_err(ResetError::Impossible)?;
        let ramdisk =
            life.config.ramdisk.map(|id| self.image(id)).transpose().map_err(ResetError::Impossible)?;
        // Afterwards it would be too late to find out.
        self.can_build(&life.config).map_err(ResetError::Impossible)?;
        let _followed = self.follow_up(serial);
        self.destroy_ours(serial).await.map_err(ResetError::Refused)?;
        // Nobody can have taken the name in between: there is no await from its release to its reservation.
        let built = self.build(&life, false).await.map_err(ResetError::Lost);
        drop((kernel, ramdisk));
        built
    }

    /// Presses a button of a domain, or sends it an interrupt. Two exits; one where the domain cannot have it.
    ///
    /// # Errors
    /// See [`TriggerError`].
    pub fn trigger(&self, request: &TriggerRequest) -> Result<(), TriggerError> {
        let target = self.not_control(&request.domain).map_err(TriggerError::Domain)?;
        let info = self.info_of(target).map_err(TriggerError::Domain)?;
        if info.dying || info.shutdown.is_some() {
            return Err(TriggerError::Domain(DomainError::NotStarted));
        }
        let vcpus = info.max_vcpu.map_or(0, |last| last.0.saturating_add(1));
        if request.vcpu >= vcpus {
            return Err(TriggerError::NoVcpu { vcpus });
        }
        let number = match request.trigger {
            Trigger::Nmi => domctl::XEN_DOMCTL_SENDTRIGGER_NMI,
            Trigger::Reset => domctl::XEN_DOMCTL_SENDTRIGGER_RESET,
            Trigger::Init => domctl::XEN_DOMCTL_SENDTRIGGER_INIT,
            // All guests here are PVH. Xen gives them no ACPI power management: it takes these and does nothing.
            Trigger::Power | Trigger::Sleep | Trigger::S3Resume => return Err(TriggerError::NoAcpi),
        };
        self.xen.send_trigger(target.domid(), number, request.vcpu).map_err(|error| match error.errno {
            Errno::ENOSYS | Errno::EOPNOTSUPP | Errno::EINVAL => TriggerError::Unknown(told(error)),
            Errno::ESRCH => TriggerError::NoVcpu { vcpus },
            _ => TriggerError::Domain(domain_error(error)),
        })?;
        log::info!("d{}: triggered: {:?} for vcpu {}", target.domid(), request.trigger, request.vcpu);
        Ok(())
    }
}
