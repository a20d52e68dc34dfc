//! Pausing and destroying.

use hypercall::{Aperture, Door};
use proto::domain::{DomainRef, Ended, ShutdownReason};
use proto::error::DomainError;
use xen_abi::{DomId, Errno};

use crate::errors::domain_error;
use crate::list::Target;
use crate::platform::Platform;
use crate::registry::{Serial, Stage};
use crate::state;
use crate::toolstack::{Mapping, Toolstack};

/// Xen asks for the rest of a long destruction with this number, where its own continuation did not do.
const ERESTART: Errno = Errno(85);
/// How often a destruction is continued when nobody can wait for it any more. Each turn frees something.
const MAX_TURNS: usize = 100_000;

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// Stops a domain's vCPUs. One that is paused or has crashed stays as it is.
    ///
    /// # Errors
    /// [`DomainError::NotFound`]; [`DomainError::Privileged`]: the control domain; [`DomainError::NotStarted`]: it has shut down or is
    /// being destroyed; [`DomainError::Xen`].
    pub fn pause(&self, domain: &DomainRef) -> Result<(), DomainError> {
        let target = self.not_control(domain)?;
        let info = self.info_of(target)?;
        match state::shutdown_reason(&info) {
            _ if info.dying => Err(DomainError::NotStarted),
            Some(ShutdownReason::Crash) => Ok(()),
            Some(_) => Err(DomainError::NotStarted),
            None if self.dumps.defer(target, false) => {
                self.note_pause(target, true);
                Ok(())
            }
            // Xen counts pauses; people do not.
            None if info.paused => {
                self.note_pause(target, true);
                Ok(())
            }
            None => {
                self.xen.pause_domain(target.domid()).map_err(domain_error)?;
                self.note_pause(target, true);
                log::info!("d{}: paused", target.domid());
                Ok(())
            }
        }
    }

    /// Lets a domain's vCPUs run. One that runs stays as it is.
    ///
    /// # Errors
    /// [`DomainError::NotFound`]; [`DomainError::Privileged`]: the control domain; [`DomainError::NotStarted`]: it has shut down,
    /// crashed or is being destroyed; [`DomainError::Xen`].
    pub fn unpause(&self, domain: &DomainRef) -> Result<(), DomainError> {
        let target = self.not_control(domain)?;
        let info = self.info_of(target)?;
        if info.dying || info.shutdown.is_some() {
            return Err(DomainError::NotStarted);
        }
        self.note_pause(target, false);
        if info.paused && !self.dumps.defer(target, true) {
            self.xen.unpause_domain(target.domid()).map_err(domain_error)?;
            log::info!("d{}: unpaused", target.domid());
        }
        Ok(())
    }

    /// Notes whether a person wants a domain to be paused: xend's "admin pause".
    fn note_pause(&self, target: Target, is_admin_paused: bool) {
        if let Target::Ours(serial, _) = target
            && let Some(record) = self.registry.borrow_mut().by_serial_mut(serial)
        {
            record.is_admin_paused = is_admin_paused;
        }
    }

    /// Ends a domain at once, without asking it, and without following any rule of its configuration.
    ///
    /// The answer means that its memory is free. Once begun it is carried through, also when the future is dropped. Two at once
    /// of one domain both answer when it is done.
    ///
    /// # Errors
    /// [`DomainError::NotFound`]; [`DomainError::Privileged`]: the control domain; [`DomainError::Xen`]: Xen keeps it.
    pub async fn destroy(&self, domain: &DomainRef) -> Result<(), DomainError> {
        match self.not_control(domain)? {
            Target::Ours(serial, _) => self.destroy_ours(serial).await,
            // What Xen does not know is not found; nothing of it is ours to clean up.
            target => {
                self.info_of(target)?;
                Demolition { toolstack: self, domid: target.domid(), ours: None }.finish().await
            }
        }
    }

    /// Destroys a domain of ours; see [`Self::destroy`].
    pub(crate) async fn destroy_ours(&self, serial: Serial) -> Result<(), DomainError> {
        let begun = {
            let mut registry = self.registry.borrow_mut();
            registry.by_serial_mut(serial).map(|r| (r.domid, core::mem::replace(&mut r.stage, Stage::Dying)))
        };
        match begun {
            None => Ok(()),
            Some((_, Stage::Dying)) => self.destroyed_by_another(serial).await,
            Some((domid, before)) => {
                let from_ns = self.platform.now_ns();
                self.end_services(domid);
                Demolition { toolstack: self, domid, ours: Some((serial, before)) }.finish().await?;
                log::info!("d{domid}: destroyed in {} us", (self.platform.now_ns() - from_ns) / 1000);
                Ok(())
            }
        }
    }

    /// Waits for a destruction that is under way.
    async fn destroyed_by_another(&self, serial: Serial) -> Result<(), DomainError> {
        self.ends
            .until(|| match self.registry.borrow().by_serial(serial) {
                Some(record) if record.stage == Stage::Dying => None,
                // It was refused; whoever began it has the reason.
                Some(_) => Some(Err(DomainError::NotStarted)),
                None => Some(Ok(())),
            })
            .await
    }

    pub(crate) fn not_control(&self, domain: &DomainRef) -> Result<Target, DomainError> {
        match self.resolve(domain)? {
            Target::Control => Err(DomainError::Privileged),
            target => Ok(target),
        }
    }
}

/// A destruction under way. Dropped before its end, it finishes at once: half a domain helps nobody.
struct Demolition<'t, 'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> {
    toolstack: &'t Toolstack<'x, M, P>,
    domid: DomId,
    /// A domain of ours: who it is, and in which stage it was. Nothing once it is done.
    ours: Option<(Serial, Stage)>,
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Demolition<'_, 'x, M, P> {
    async fn finish(mut self) -> Result<(), DomainError> {
        loop {
            if let Some(result) = self.turn() {
                return result;
            }
            self.toolstack.platform.yield_now().await;
        }
    }

    /// Frees a part; answers when all is free or Xen refused.
    fn turn(&mut self) -> Option<Result<(), DomainError>> {
        let result = match self.toolstack.xen.destroy_domain(self.domid) {
            Err(error) if [Errno::EAGAIN, ERESTART].contains(&error.errno) => return None,
            Err(error) if error.errno != Errno::ESRCH => Err(domain_error(error)),
            // Freed now, or gone before.
            _ => Ok(()),
        };
        if let Some((serial, before)) = self.ours.take() {
            match &result {
                Ok(()) => self.toolstack.forget(serial, Ended::Destroyed),
                Err(why) => self.give_up(serial, before, why),
            }
        }
        Some(result)
    }

    /// Xen keeps the domain: it is there to be looked at and destroyed again.
    fn give_up(&self, serial: Serial, before: Stage, why: &DomainError) {
        log::error!("d{}: not destroyed: {why:?}", self.domid);
        if let Some(record) = self.toolstack.registry.borrow_mut().by_serial_mut(serial) {
            record.stage = before;
        }
        let mut to_follow = self.toolstack.to_follow.borrow_mut();
        if before == Stage::Ended && !to_follow.contains(&serial) {
            // Its rule's turn may have come while it seemed to be going.
            to_follow.push_back(serial);
        }
        drop(to_follow);
        self.toolstack.ends.wake_all();
    }
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Drop for Demolition<'_, 'x, M, P> {
    fn drop(&mut self) {
        if self.ours.is_some() {
            // The last of the turns takes `ours` whatever Xen says, or gives up.
            let _ = (0..MAX_TURNS).find_map(|_| self.turn());
        }
    }
}
