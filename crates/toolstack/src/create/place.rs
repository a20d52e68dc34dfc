//! Where a new domain is to run, and how much: its pool and its share.

use builder::Share;
use hypercall::{Aperture, Door, Scheduler};
use proto::domain::DomainConfig;
use proto::error::CreateError;
use proto::sched::{PoolError, PoolRef};
use xen_abi::domctl::{SchedCredit, SchedCredit2};

use crate::errors::create_error;
use crate::platform::Platform;
use crate::pools::{self, FIRST};
use crate::sched;
use crate::toolstack::{Mapping, Toolstack};

/// Where a domain is to run, and how much.
pub(super) struct Place {
    pub(super) pool: u32,
    pub(super) share: Option<Share>,
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// Finds what a configuration asks for. No exit for the first pool, once its scheduler is known; else one.
    ///
    /// # Errors
    /// The pool is not there or cannot be used; its scheduler knows no shares, or not such ones.
    pub(super) fn place(&self, config: &DomainConfig) -> Result<Place, CreateError> {
        let pool = match &config.pool {
            Some(pool) if !self.pools.borrow().is_first(pool) => self.usable_pool(pool)?,
            _ => FIRST,
        };
        let share = match (config.weight, config.cap) {
            (None, None) => None,
            (weight, cap) => Some(self.share(pool, config.max_vcpus, weight, cap)?),
        };
        Ok(Place { pool, share })
    }

    fn usable_pool(&self, word: &PoolRef) -> Result<u32, CreateError> {
        let pool = self.find_pool(word).map_err(|error| match error {
            PoolError::Xen(error) => CreateError::Xen(error),
            _ => CreateError::NoPool(word.clone()),
        })?;
        if pool.cpus.is_empty() { Err(CreateError::PoolHasNoCpu(word.clone())) } else { Ok(pool.id) }
    }

    fn share(
        &self,
        pool: u32,
        vcpus: u32,
        weight: Option<u16>,
        cap: Option<u16>,
    ) -> Result<Share, CreateError> {
        let scheduler = self.scheduler_of(pool).map_err(create_error)?;
        let most = sched::most_cap(vcpus);
        if weight == Some(0) {
            return Err(CreateError::BadWeight);
        }
        if cap.is_some_and(|cap| u32::from(cap) > most) {
            return Err(CreateError::BadCap { most });
        }
        // To both, a weight of 0 is the one that the domain has. A new domain has no cap.
        let (weight, cap) = (weight.unwrap_or(0), cap.unwrap_or(0));
        match scheduler {
            Scheduler::CREDIT => Ok(Share::Credit(SchedCredit { weight, cap })),
            Scheduler::CREDIT2 => Ok(Share::Credit2(SchedCredit2 { weight, cap })),
            other => Err(CreateError::NoShares(pools::scheduler(other))),
        }
    }
}
