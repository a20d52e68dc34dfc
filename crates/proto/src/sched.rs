//! Schedulers and pools of processors: which there are, what they are set to, and what they are to be.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::domain::DomainRef;
use crate::error::{DomainError, XenError};

/// A scheduler of Xen's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Scheduler {
    /// The classic one, of weights and caps.
    Credit,
    /// Its successor, of weights and caps too.
    Credit2,
    /// Real time: a budget in every period.
    Rtds,
    /// A processor for each virtual one.
    Null,
    /// A fixed table of times.
    Arinc653,
    /// A number that this release does not know.
    Other(u32),
}

impl Scheduler {
    /// The scheduler that Xen's command line calls so.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Some(match word {
            "credit" => Self::Credit,
            "credit2" => Self::Credit2,
            "rtds" => Self::Rtds,
            "null" => Self::Null,
            "arinc653" => Self::Arinc653,
            _ => return None,
        })
    }
}

/// Xen's own word for it.
impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Credit => "credit",
            Self::Credit2 => "credit2",
            Self::Rtds => "rtds",
            Self::Null => "null",
            Self::Arinc653 => "arinc653",
            Self::Other(number) => return write!(f, "scheduler {number}"),
        })
    }
}

/// A domain's share under credit and credit2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Share {
    /// In relation to the other domains'; 256 is usual.
    pub weight: u16,
    /// The most that it gets, in per cent of one processor; 0 for no limit.
    pub cap: u16,
}

/// A virtual processor's time under rtds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Budget {
    /// Microseconds.
    pub period_us: u32,
    /// What it gets in each period, in microseconds.
    pub budget_us: u32,
    /// It may have more where nobody else wants it.
    pub has_extra: bool,
}

/// What a scheduler knows of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Parameters {
    /// Under credit and credit2.
    Share(Share),
    /// Under rtds, one for each virtual processor.
    Budgets(Vec<Budget>),
    /// The scheduler keeps nothing for a domain.
    None,
}

/// A domain, and how it is scheduled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Scheduled {
    /// Its id.
    pub domid: u16,
    /// Its name.
    pub name: String,
    /// Its pool's name.
    pub pool: String,
    /// Its pool's scheduler.
    pub scheduler: Scheduler,
    /// What that knows of it.
    pub parameters: Parameters,
}

/// Asks how domains are scheduled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum SchedQuery {
    /// This one.
    One(DomainRef),
    /// Those from this id on, by id.
    From(u16),
}

/// How some domains are scheduled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct SchedPage {
    /// The domains.
    pub domains: Vec<Scheduled>,
    /// Where to go on; nowhere, where these were the last.
    pub next: Option<u16>,
}

/// A change of how a domain is scheduled. What is `None` stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct SchedChange {
    /// The domain.
    pub domain: DomainRef,
    /// What is to change.
    pub change: Change,
}

/// See [`SchedChange`]. Numbers are as they were typed: the control domain knows the ranges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Change {
    /// The share under one of these schedulers.
    Share {
        /// Those that will do.
        under: Vec<Scheduler>,
        /// The weight, 1 to 65535.
        weight: Option<i64>,
        /// The cap, 0 to 100 for each virtual processor.
        cap: Option<i64>,
    },
    /// The budgets under rtds.
    Budgets(Vec<BudgetChange>),
}

/// A change of virtual processors' time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct BudgetChange {
    /// The virtual processor; `None` for all.
    pub vcpu: Option<u32>,
    /// Microseconds.
    pub period_us: Option<u32>,
    /// Microseconds.
    pub budget_us: Option<u32>,
    /// See [`Budget::has_extra`].
    pub has_extra: Option<bool>,
}

/// A domain's scheduling cannot be told or changed; then nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum SchedError {
    /// The domain is not there, or Xen refused.
    Domain(DomainError),
    /// Its pool has this scheduler, which knows no such thing.
    Scheduler(Scheduler),
    /// Weights go from 1 to 65535.
    Weight,
    /// Caps go from 0 to this.
    Cap {
        /// 100 for each of its virtual processors.
        most: u32,
    },
    /// It has no such virtual processor.
    NoVcpu(u32),
    /// At least 10 microseconds each, and the budget within the period.
    Budget {
        /// Microseconds.
        period_us: u32,
        /// Microseconds.
        budget_us: u32,
    },
}

/// A word that names a pool: its name, else its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct PoolRef(pub String);

/// A pool of processors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Pool {
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Its scheduler.
    pub scheduler: Scheduler,
    /// Its processors.
    pub cpus: Vec<u32>,
    /// How many domains are in it.
    pub domains: u32,
}

/// Which processors are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Cpus {
    /// So many, whichever are free.
    Some(u32),
    /// These.
    These(Vec<u32>),
    /// Those of a NUMA node.
    Node(u32),
}

/// Asks for a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct PoolConfig {
    /// Its name.
    pub name: String,
    /// Its scheduler.
    pub scheduler: Scheduler,
    /// Its processors, which are in no pool so far.
    pub cpus: Cpus,
}

/// A change of pools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum PoolChange {
    /// Ends a pool without domains; its processors are in no pool then.
    Destroy(PoolRef),
    /// Puts free processors into a pool.
    Add(PoolRef, Cpus),
    /// Takes processors out of a pool.
    Remove(PoolRef, Cpus),
    /// Moves a domain into a pool.
    Migrate(DomainRef, PoolRef),
    /// Gives a pool another name.
    Rename(PoolRef, String),
    /// Makes a pool for each NUMA node.
    SplitNuma,
}

/// A pool was not made or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum PoolError {
    /// No pool has this name or id.
    NotFound,
    /// A pool has this name.
    NameInUse,
    /// The name is empty or too long, has letters that names may not have, or is a number.
    BadName,
    /// Xen has no such scheduler.
    NoScheduler,
    /// The processor is in a pool, or not there.
    NotFree(u32),
    /// Fewer processors are in no pool than were asked for.
    TooFewFree {
        /// How many are.
        free: u32,
    },
    /// The processor is not in this pool.
    NotInPool(u32),
    /// The machine has no such NUMA node.
    NoNode(u32),
    /// Domains are in it: so many.
    HasDomains(u32),
    /// It has no processor.
    HasNoCpu,
    /// Its domains need this processor, the last one.
    LastCpu(u32),
    /// Processor 0 stays in the first pool, and that pool stays.
    First,
    /// There are pools beside the first one.
    Divided,
    /// The domain to be moved is not there, or is not to be moved.
    Domain(DomainError),
    /// Xen refused.
    Xen(XenError),
}

/// Looks at a pool's scheduler, and sets what is not `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct PoolTuning {
    /// The pool.
    pub pool: PoolRef,
    /// The scheduler that is meant.
    pub scheduler: Scheduler,
    /// Length of a time slice in milliseconds; credit alone has it.
    pub tslice_ms: Option<u32>,
    /// The shortest run in microseconds.
    pub ratelimit_us: Option<u32>,
    /// How long a virtual processor counts as hot in the cache, in microseconds; credit alone has it.
    pub migration_delay_us: Option<u32>,
}

/// What a pool's scheduler is set to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Tuning {
    /// The pool's name.
    pub pool: String,
    /// See [`PoolTuning`].
    pub tslice_ms: Option<u32>,
    /// See [`PoolTuning`].
    pub ratelimit_us: u32,
    /// See [`PoolTuning`].
    pub migration_delay_us: Option<u32>,
}

/// A pool's scheduler cannot be told or set; then nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum TuningError {
    /// No pool has this name or id.
    NotFound,
    /// The pool has this scheduler instead.
    Scheduler(Scheduler),
    /// Xen refused: a value beyond its range.
    Xen(XenError),
}
