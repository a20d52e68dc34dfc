//! Domains that end by themselves: noticing, following their rules, and telling those who wait.

use alloc::string::String;

use hypercall::{Aperture, Door};
use proto::domain::{Action, DomainConfig, DomainRef, Ended, ShutdownReason};
use proto::error::{CreateError, DomainError, XenError};
use proto::journal::{Event, Who};

use crate::create::Life;
use crate::errors::told;
use crate::layout::{self, Identity};
use crate::list::Target;
use crate::name::DomainName;
use crate::platform::Platform;
use crate::registry::{Serial, Stage};
use crate::rules::{Restarts, Verdict, restarts_by, verdict};
use crate::state;
use crate::toolstack::{Mapping, Toolstack};

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// Looks which domains have ended; call it when `VIRQ_DOM_EXC` came. One exit for each 128 domains.
    ///
    /// Wakes those who wait for an end, and leaves the rules to [`Self::obey_rules`].
    ///
    /// # Errors
    /// Xen refused to tell. Call it again.
    pub fn on_virq_dom_exc(&self) -> Result<(), XenError> {
        let infos = self.xen.domain_infos().map_err(told)?;
        let alive: alloc::vec::Vec<_> = {
            let registry = self.registry.borrow();
            registry.iter().filter(|r| r.stage == Stage::Alive).map(|r| (r.serial, r.domid)).collect()
        };
        for (serial, domid) in alive {
            match infos.iter().find(|i| i.id == domid) {
                Some(info) if !info.dying => {
                    if let Some(reason) = state::shutdown_reason(info) {
                        self.note_end(serial, reason);
                    }
                }
                // Somebody else destroyed it. As long as we have its pages mapped it could not even go.
                _ => {
                    log::warn!("d{domid}: destroyed by somebody else");
                    if let Some(name) = self.name_of(serial) {
                        let why = None;
                        self.note(Who::Stranger, Event::Destroyed { name, domid: domid.0, why });
                    }
                    self.forget(serial, Ended::Destroyed);
                }
            }
        }
        Ok(())
    }

    fn note_end(&self, serial: Serial, reason: ShutdownReason) {
        let mut registry = self.registry.borrow_mut();
        let Some(record) = registry.by_serial_mut(serial) else { return };
        record.stage = Stage::Ended;
        record.ended = Some(reason);
        let last_end = layout::last_end_node(record.uuid, reason);
        log::info!("d{} {}: ended: {reason:?}", record.domid, record.name);
        self.store.borrow_mut().shut_down(record.domid);
        self.to_follow.borrow_mut().push_back(serial);
        let event = Event::Ended { name: record.name.as_str().into(), domid: record.domid.0, reason };
        drop(registry);
        self.write_nodes(&[last_end]);
        self.note(Who::Guest, event);
        self.ends.wake_all();
    }

    /// Follows the rules of domains that ended, as far as they only free or keep something, for ever: the life of a task. There may
    /// be several, so that a domain whose destruction takes long holds up no other one.
    pub async fn obey_rules(&self) -> ! {
        loop {
            let serial = self.ends.until(|| self.next_to_follow(false)).await;
            self.follow_rule(serial).await;
        }
    }

    /// Follows the rules of domains that are to be built anew, for ever: the life of a task. There may be several; each build takes
    /// its turn.
    pub async fn obey_rebuilds(&self) -> ! {
        loop {
            self.ends.until(|| self.place_to_follow(true)).await;
            let _turn = self.builds.take().await;
            // Another task may have been quicker.
            if let Some(serial) = self.next_to_follow(true) {
                self.follow_rule(serial).await;
            }
        }
    }

    /// Takes a domain that ended out of the queue: the first one that is to be built anew, or that is not.
    fn next_to_follow(&self, rebuilds: bool) -> Option<Serial> {
        let at = self.place_to_follow(rebuilds)?;
        self.to_follow.borrow_mut().remove(at)
    }

    fn place_to_follow(&self, rebuilds: bool) -> Option<usize> {
        self.to_follow.borrow().iter().position(|&serial| self.is_rebuild(serial) == rebuilds)
    }

    fn is_rebuild(&self, serial: Serial) -> bool {
        matches!(self.verdict(serial), Some((Verdict::Follow(action), _)) if restarts_by(action))
    }

    /// What is to be done with a domain that ended, and how it ended. None: somebody was quicker, it is gone or going.
    fn verdict(&self, serial: Serial) -> Option<(Verdict, ShutdownReason)> {
        let registry = self.registry.borrow();
        let record = registry.by_serial(serial)?;
        let reason = record.ended.filter(|_| record.stage == Stage::Ended)?;
        Some((verdict(&record.config, reason, record.restarts, self.platform.now_ns()), reason))
    }

    async fn follow_rule(&self, serial: Serial) {
        let Some((verdict, reason)) = self.verdict(serial) else { return };
        let Some(mut life) = self.next_life(serial, reason) else { return };
        let name = &life.config.name.clone();
        log::info!("{name}: rule for {reason:?}: {verdict:?}");
        let (action, too_fast_ns) = match verdict {
            Verdict::Follow(action) => (action, None),
            Verdict::TooFast { elapsed_ns } => {
                let seconds = elapsed_ns / 1_000_000_000;
                log::error!(
                    "{name}: restarting too fast ({seconds} s since the last restart): destroyed instead"
                );
                (Action::Destroy, Some(elapsed_ns))
            }
        };
        let restarts = restarts_by(action);
        let _followed = restarts.then(|| self.follow_up(serial));
        self.note(Who::Rule, Event::Rule { name: name.clone(), reason, action, too_fast_ns });
        // Afterwards it would be too late to find out.
        if restarts && let Err(why) = self.make_buildable(&mut life, serial) {
            log::error!("{name}: not restarted: {why:?}");
            self.note(life.who, Event::NotCreated { name: name.clone(), why });
            self.preserve(serial);
            return;
        }
        let began_ns = self.platform.now_ns();
        let is_out_of_the_way = match action {
            Action::Preserve => {
                self.preserve(serial);
                return;
            }
            Action::CoredumpDestroy => {
                self.preserve(serial);
                self.await_core(serial);
                return;
            }
            Action::CoredumpRestart if !self.has_core_of(name) => {
                self.rename_for_restart(serial).inspect(|()| self.await_core(serial))
            }
            Action::Destroy | Action::Restart | Action::CoredumpRestart => {
                let domid = self.registry.borrow().by_serial(serial).map_or(0, |record| record.domid.0);
                let result = self.destroy_ours(serial).await;
                let why = result.as_ref().err().cloned();
                self.note_since(began_ns, Who::Rule, Event::Destroyed { name: name.clone(), domid, why });
                result
            }
            Action::RenameRestart => self.rename_for_restart(serial),
        };
        if let Err(why) = is_out_of_the_way {
            log::error!("{name}: its rule was not followed: {why:?}");
            // Nobody follows it a second time.
            self.preserve(serial);
            return;
        }
        if restarts {
            let began_ns = self.platform.now_ns();
            // Nobody can have taken the name in between: there is no await from its release to its reservation.
            let built = self.build(&life, false).await;
            self.note_built(began_ns, Who::Rule, name, &built);
            if let Err(why) = built {
                log::error!("{name}: not restarted: {why:?}");
            }
        }
    }

    fn name_of(&self, serial: Serial) -> Option<String> {
        self.registry.borrow().by_serial(serial).map(|record| record.name.as_str().into())
    }

    /// Sees to it that a life can be built: with the memory that the one before started with, where that was told since to have less
    /// than its kernel takes.
    fn make_buildable(&self, life: &mut Life, serial: Serial) -> Result<(), CreateError> {
        let Err(why) = self.can_build(&life.config) else { return Ok(()) };
        let booted_kib = self.registry.borrow().by_serial(serial).map_or(0, |record| record.booted_kib);
        let memory_kib = booted_kib.min(life.config.max_memory_kib);
        let config = DomainConfig { memory_kib, ..life.config.clone() };
        if self.can_build(&config).is_err() {
            return Err(why);
        }
        log::warn!("{}: has {memory_kib} KiB of memory again: {why:?}", config.name);
        self.note(life.who, Event::NotKept { name: config.name.clone(), why });
        life.config = config;
        Ok(())
    }

    /// The same domain once more.
    fn next_life(&self, serial: Serial, ended: ShutdownReason) -> Option<Life> {
        let registry = self.registry.borrow();
        let record = registry.by_serial(serial)?;
        Some(Life {
            config: record.config.clone(),
            uuid: record.uuid,
            kept: record.kept.clone(),
            restarts: record.restarts.next(ended, self.platform.now_ns()),
            follows: Some(serial),
            who: Who::Rule,
        })
    }

    /// Promises that a life will be continued, until what this returns is dropped.
    pub(crate) fn follow_up(&self, serial: Serial) -> Followed<'_, 'x, M, P> {
        let mut registry = self.registry.borrow_mut();
        registry.set_followed(serial, true);
        if let Some(record) = registry.by_serial(serial) {
            let in_progress = layout::vm_node(record.uuid, "xend/restart_in_progress", "True");
            drop(registry);
            self.write_nodes(&[in_progress]);
        }
        Followed { toolstack: self, serial }
    }

    fn preserve(&self, serial: Serial) {
        let mut registry = self.registry.borrow_mut();
        let Some(record) = registry.by_serial_mut(serial) else { return };
        record.stage = Stage::Preserved;
        let completed = layout::domain_node(record.domid, "xend/shutdown_completed", "True");
        drop(registry);
        self.write_nodes(&[completed]);
        self.ends.wake_all();
    }

    /// Keeps a dead domain under another name and uuid, so that its own are free.
    fn rename_for_restart(&self, serial: Serial) -> Result<(), DomainError> {
        let uuid = self.draw_uuid(None);
        let name = DomainName::for_renamed(uuid);
        let born_ms = self.platform.unix_ms();
        let (domid, old, nodes) = {
            let mut registry = self.registry.borrow_mut();
            let record = registry.by_serial_mut(serial).ok_or(DomainError::NotFound)?;
            let (domid, old) = (record.domid, record.uuid);
            record.name = name.clone();
            record.uuid = uuid;
            record.stage = Stage::Preserved;
            let restarts = Restarts { last_end: record.ended, ..record.restarts };
            let config = &record.config;
            let pool = &self.pools.borrow().name_in(config);
            let identity = Identity { domid, name: &name, uuid, config, pool, restarts, born_ms };
            let mut nodes = layout::identity_nodes(&identity);
            nodes.push(layout::domain_node(domid, "xend/shutdown_completed", "True"));
            (domid, old, nodes)
        };
        if let Err(error) = self.xen.set_handle(domid, uuid.0) {
            log::warn!("d{domid}: Xen keeps the old uuid: {error}");
        }
        let renamed = self.store.borrow_mut().control(|tree| {
            tree.rm(&layout::vm_path(old))?;
            layout::write(tree, &nodes)
        });
        if let Err(error) = renamed {
            log::error!("d{domid}: xenstore keeps the old name: {error}");
        }
        if let Some(console) = self.console_of(domid) {
            self.consoles.borrow_mut().rename(console, name.as_str());
        }
        log::info!("d{domid}: preserved as {name}");
        Ok(())
    }

    /// Waits until a domain has ended, by itself or not. One that ended lately answers at once.
    ///
    /// # Errors
    /// [`DomainError::NotFound`]: none has this name, id or uuid, nor had one lately. [`DomainError::Privileged`]: the
    /// control domain, whose end nobody could tell.
    pub async fn wait(&self, domain: &DomainRef) -> Result<Ended, DomainError> {
        match self.resolve(domain) {
            Ok(Target::Control) => Err(DomainError::Privileged),
            Ok(Target::Ours(serial, _)) => Ok(self.ends.until(|| self.end_of(serial)).await),
            Ok(Target::Foreign(_)) | Err(_) => {
                let registry = self.registry.borrow();
                registry.find_past(&domain.0).map(|past| past.ended).ok_or(DomainError::NotFound)
            }
        }
    }

    /// How a domain of ours ended; None while it lives.
    fn end_of(&self, serial: Serial) -> Option<Ended> {
        let registry = self.registry.borrow();
        match registry.by_serial(serial) {
            Some(record) => record.ended.map(Ended::Shutdown),
            // So many ended since that this one is forgotten: it is gone, at any rate.
            None => Some(registry.past(serial).map_or(Ended::Destroyed, |past| past.ended)),
        }
    }
}

/// A life is about to be continued. Dropped when its next one has begun, or will not.
pub(crate) struct Followed<'t, 'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> {
    toolstack: &'t Toolstack<'x, M, P>,
    serial: Serial,
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Drop for Followed<'_, 'x, M, P> {
    fn drop(&mut self) {
        self.toolstack.registry.borrow_mut().set_followed(self.serial, false);
        self.toolstack.ends.wake_all();
    }
}
