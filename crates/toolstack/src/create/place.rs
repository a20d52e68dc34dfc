//! Where a new domain is to run, and how much: its pool, its share, its pins.
//!
//! Whoever asks for a domain is told what cannot be had. A domain that goes on after its end is better off with less than not at
//! all: what cannot be had any more it goes on without, and that is entered into the journal.

use alloc::vec::Vec;

use builder::Share;
use hypercall::{Aperture, CpuPool, Door, Scheduler};
use proto::error::CreateError;
use proto::sched::{PoolError, PoolRef};
use proto::vcpu::CpuSet;
use xen_abi::domctl::{SchedCredit, SchedCredit2};

use super::Life;
use crate::errors::create_error;
use crate::platform::Platform;
use crate::pools::{self, FIRST};
use crate::sched;
use crate::toolstack::{Mapping, Toolstack};

/// Where a domain is to run, and how much.
pub(super) struct Place {
    pub(super) pool: u32,
    pub(super) share: Option<Share>,
    /// What it goes on without.
    pub(super) losses: Vec<CreateError>,
}

impl Place {
    /// Goes on without something, if the domain goes on at all.
    fn lose(&mut self, life: &Life, why: CreateError) -> Result<(), CreateError> {
        if life.follows.is_none() {
            return Err(why);
        }
        self.losses.push(why);
        Ok(())
    }
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// Finds what a life asks for; the life is as it can be had then, and its pool is called by name.
    ///
    /// No exit for a new domain in the first pool, once that one's scheduler is known; else one.
    ///
    /// # Errors
    /// Of a new domain, what cannot be had; of any, that Xen does not tell.
    pub(super) fn place(&self, life: &mut Life) -> Result<Place, CreateError> {
        let mut place = Place { pool: FIRST, share: None, losses: Vec::new() };
        let word = life.config.pool.take().filter(|pool| !self.pools.borrow().is_first(pool));
        let mut pool = None;
        if let Some(word) = word {
            match self.usable_pool(&word)? {
                Ok(found) => {
                    place.pool = found.id;
                    // An id becomes a name, which its next life finds too.
                    life.config.pool = self.pools.borrow().reference(found.id);
                    pool = Some(found);
                }
                Err(why) => place.lose(life, why)?,
            }
        }
        match self.share(&place, life)? {
            Ok(share) => place.share = share,
            Err(why) => {
                place.lose(life, why)?;
                (life.config.weight, life.config.cap) = (None, None);
            }
        }
        if life.follows.is_some() && life.config.cpus.iter().any(|set| !set.is_empty()) {
            let pool = match pool {
                Some(pool) => pool,
                None => self.first_pool().map_err(create_error)?,
            };
            lose_pins(&mut place, life, &pool)?;
        }
        Ok(place)
    }

    /// The pool that a word names, or why it is of no use.
    fn usable_pool(&self, word: &PoolRef) -> Result<Result<CpuPool, CreateError>, CreateError> {
        match self.find_pool(word) {
            Ok(pool) if pool.cpus.is_empty() => Ok(Err(CreateError::PoolHasNoCpu(word.clone()))),
            Ok(pool) => Ok(Ok(pool)),
            Err(PoolError::Xen(error)) => Err(CreateError::Xen(error)),
            Err(_) => Ok(Err(CreateError::NoPool(word.clone()))),
        }
    }

    /// A life's share in the terms of its pool's scheduler, or why there is none.
    fn share(&self, place: &Place, life: &Life) -> Result<Result<Option<Share>, CreateError>, CreateError> {
        let (weight, cap, budgets) = (life.config.weight, life.config.cap, &life.kept.budgets);
        let wants_share = weight.is_some() || cap.is_some();
        if !wants_share && budgets.is_empty() {
            return Ok(Ok(None));
        }
        let most = sched::most_cap(life.config.max_vcpus);
        if weight == Some(0) {
            return Ok(Err(CreateError::BadWeight));
        }
        if cap.is_some_and(|cap| u32::from(cap) > most) {
            return Ok(Err(CreateError::BadCap { most }));
        }
        let scheduler = self.scheduler_of(place.pool).map_err(create_error)?;
        // To both, a weight of 0 is the one that the domain has. A new domain has no cap.
        let (weight, cap) = (weight.unwrap_or(0), cap.unwrap_or(0));
        Ok(Ok(Some(match scheduler {
            Scheduler::RTDS if !wants_share => Share::Rtds(budgets.clone()),
            // Budgets are of a life under rtds: its pool is gone, which is told already.
            _ if !wants_share => return Ok(Ok(None)),
            Scheduler::CREDIT => Share::Credit(SchedCredit { weight, cap }),
            Scheduler::CREDIT2 => Share::Credit2(SchedCredit2 { weight, cap }),
            other => return Ok(Err(CreateError::NoShares(pools::scheduler(other)))),
        })))
    }
}

/// Takes away the pins to processors of which its pool has none.
fn lose_pins(place: &mut Place, life: &mut Life, pool: &CpuPool) -> Result<(), CreateError> {
    let there: CpuSet = pool.cpus.iter().copied().collect();
    let is_lost = |set: &CpuSet| !set.is_empty() && set.within(&there).is_empty();
    if !life.config.cpus.iter().any(is_lost) {
        return Ok(());
    }
    place.lose(life, CreateError::NoCpu)?;
    life.config.cpus.iter_mut().filter(|set| is_lost(set)).for_each(|set| *set = CpuSet::default());
    Ok(())
}
