//! Pools of processors: Xen numbers them, we name them.
//!
//! A pool's scheduler is chosen when it is made and never changes, so what Xen told of it once is kept. Names are ours, and in
//! the store under `/local/pool/ID/name`, where xend and libxl had them; a pool that somebody else made is called `Pool-ID`.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use hypercall::calls::sysctl;
use hypercall::{Aperture, CpuPool, Door};
use proto::domain::DomainConfig;
use proto::error::{DomainError, XenError};
use proto::sched::{Cpus, Pool, PoolChange, PoolConfig, PoolError, PoolRef, Scheduler};
use xen_abi::{DomId, Errno};

use crate::errors::{domain_error, told};
use crate::layout;
use crate::list::Target;
use crate::name::DomainName;
use crate::platform::Platform;
use crate::registry::Kept;
use crate::toolstack::{Mapping, Toolstack};

/// The pool that is there from the start, and stays.
pub(crate) const FIRST: u32 = 0;
/// Its name until it gets another one.
pub(crate) const FIRST_POOL: &str = "Pool-0";
/// The longest name, in bytes.
const LONGEST: usize = 64;

/// What is known of pools.
#[derive(Debug, Default)]
pub(crate) struct Pools(BTreeMap<u32, Known>);

#[derive(Debug)]
struct Known {
    /// Nothing for one that has no name of ours.
    name: Option<String>,
    scheduler: hypercall::Scheduler,
}

impl Pools {
    /// A pool's name, whether we know it or not.
    pub(crate) fn name(&self, id: u32) -> String {
        match self.0.get(&id).and_then(|known| known.name.as_ref()) {
            Some(name) => name.clone(),
            None => format!("Pool-{id}"),
        }
    }

    /// What names a pool in a domain's configuration: nothing for the first one.
    pub(crate) fn reference(&self, id: u32) -> Option<PoolRef> {
        (id != FIRST).then(|| PoolRef(self.name(id)))
    }

    /// The name of the pool that a configuration has, after it was looked up.
    pub(crate) fn name_in(&self, config: &DomainConfig) -> String {
        config.pool.as_ref().map_or_else(|| self.name(FIRST), |pool| pool.0.clone())
    }

    /// Whether a word is the first pool's name, which no other pool can have.
    pub(crate) fn is_first(&self, word: &PoolRef) -> bool {
        word.0 == self.name(FIRST)
    }

    /// Notes what Xen told.
    fn note(&mut self, pool: &CpuPool) {
        let known = self.0.entry(pool.id).or_insert(Known { name: None, scheduler: pool.scheduler });
        known.scheduler = pool.scheduler;
    }

    fn describe(&self, pool: &CpuPool) -> Pool {
        Pool {
            id: pool.id,
            name: self.name(pool.id),
            scheduler: scheduler(pool.scheduler),
            cpus: pool.cpus.clone(),
            domains: pool.domains,
        }
    }
}

/// A scheduler as the protocol has it.
pub(crate) fn scheduler(number: hypercall::Scheduler) -> Scheduler {
    match number {
        hypercall::Scheduler::CREDIT => Scheduler::Credit,
        hypercall::Scheduler::CREDIT2 => Scheduler::Credit2,
        hypercall::Scheduler::RTDS => Scheduler::Rtds,
        hypercall::Scheduler::NULL => Scheduler::Null,
        hypercall::Scheduler::ARINC653 => Scheduler::Arinc653,
        hypercall::Scheduler(other) => Scheduler::Other(other),
    }
}

/// A scheduler as Xen has it.
fn number(scheduler: Scheduler) -> hypercall::Scheduler {
    match scheduler {
        Scheduler::Credit => hypercall::Scheduler::CREDIT,
        Scheduler::Credit2 => hypercall::Scheduler::CREDIT2,
        Scheduler::Rtds => hypercall::Scheduler::RTDS,
        Scheduler::Null => hypercall::Scheduler::NULL,
        Scheduler::Arinc653 => hypercall::Scheduler::ARINC653,
        Scheduler::Other(other) => hypercall::Scheduler(other),
    }
}

fn refused(error: hypercall::XenError) -> PoolError {
    PoolError::Xen(told(error))
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// Every pool, in the order of their ids. One exit, and two for each pool that was not known.
    ///
    /// # Errors
    /// Xen refused.
    pub fn pools(&self) -> Result<Vec<Pool>, XenError> {
        let found = self.ask_pools().map_err(told)?;
        let pools = self.pools.borrow();
        Ok(found.iter().map(|pool| pools.describe(pool)).collect())
    }

    /// All pools that Xen has. Each question is for the first pool from an id on, so behind each known one another may show up.
    fn ask_pools(&self) -> Result<Vec<CpuPool>, hypercall::XenError> {
        let most = self.nr_cpus()?;
        let abi = self.xen.abi();
        let mut from: Vec<u32> = self.pools.borrow().0.keys().map(|id| id.saturating_add(1)).collect();
        from.insert(0, FIRST);
        let mut questions = self.xen.batch();
        let tickets: Vec<_> =
            from.iter().map(|from| questions.add(sysctl::cpupool_from(abi, *from, most))).collect();
        let answers = questions.issue()?;
        let mut found = BTreeMap::new();
        for ticket in tickets {
            let mut next = answers.get(ticket);
            loop {
                match next {
                    // Seen from the pool before it.
                    Ok(pool) if found.contains_key(&pool.id) => break,
                    Ok(pool) => {
                        let behind = pool.id.saturating_add(1);
                        let is_known = from.contains(&behind);
                        found.insert(pool.id, pool);
                        if is_known {
                            break;
                        }
                        next = self.xen.cpupool_from(behind, most);
                    }
                    Err(error) if error.errno == Errno::ENOENT => break,
                    Err(error) => return Err(error),
                }
            }
        }
        let mut pools = self.pools.borrow_mut();
        pools.0.retain(|id, _| found.contains_key(id));
        found.values().for_each(|pool| pools.note(pool));
        Ok(found.into_values().collect())
    }

    /// How many processors a set of them has to have room for. One exit, once.
    pub(crate) fn nr_cpus(&self) -> Result<u32, hypercall::XenError> {
        if let Some(known) = self.nr_cpus.get() {
            return Ok(known);
        }
        let count = self.xen.host_info()?.max_cpu.saturating_add(1);
        self.nr_cpus.set(Some(count));
        Ok(count)
    }

    /// The pool that stays. One exit, once the machine's processors are known.
    pub(crate) fn first_pool(&self) -> Result<CpuPool, hypercall::XenError> {
        let pool = self.xen.cpupool_from(FIRST, self.nr_cpus()?)?;
        self.pools.borrow_mut().note(&pool);
        Ok(pool)
    }

    /// The scheduler of the pool with this id. No exit for one that is known.
    pub(crate) fn scheduler_of(&self, id: u32) -> Result<hypercall::Scheduler, hypercall::XenError> {
        if let Some(known) = self.pools.borrow().0.get(&id) {
            return Ok(known.scheduler);
        }
        let pool = self.xen.cpupool_from(id, self.nr_cpus()?)?;
        self.pools.borrow_mut().note(&pool);
        Ok(pool.scheduler)
    }

    /// The pool that a word names: by its name, else by its id. One exit.
    pub(crate) fn find_pool(&self, word: &PoolRef) -> Result<CpuPool, PoolError> {
        let all = self.ask_pools().map_err(refused)?;
        let pools = self.pools.borrow();
        let by_name = all.iter().find(|pool| pools.name(pool.id) == word.0);
        let id = || word.0.parse::<u32>().ok().filter(|_| word.0.bytes().all(|b| b.is_ascii_digit()));
        by_name.or_else(|| all.iter().find(|pool| Some(pool.id) == id())).cloned().ok_or(PoolError::NotFound)
    }

    /// Makes a pool of free processors: all or nothing.
    ///
    /// Four exits: which pools and which free processors there are, the pool, its processors.
    ///
    /// # Errors
    /// See [`PoolError`].
    pub fn create_pool(&self, config: &PoolConfig) -> Result<Pool, PoolError> {
        let all = self.ask_pools().map_err(refused)?;
        self.check_new_name(&config.name)?;
        let cpus = self.free_cpus(&config.cpus)?;
        let id = self.xen.create_cpupool(number(config.scheduler)).map_err(|error| match error.errno {
            Errno::ENOENT | Errno::EINVAL => PoolError::NoScheduler,
            _ => refused(error),
        })?;
        let pool = CpuPool { id, scheduler: number(config.scheduler), domains: 0, cpus: Vec::new() };
        if let Err(why) = self.add_cpus(&pool, &cpus) {
            if let Err(error) = self.xen.destroy_cpupool(id) {
                log::error!("pool {id} is left, without processors: {error}");
            }
            return Err(why);
        }
        debug_assert!(all.iter().all(|other| other.id != id), "Xen gives an id once");
        self.pools.borrow_mut().note(&pool);
        self.rename_pool(id, &config.name);
        log::info!("pool {id} ({}): {} processors, {}", config.name, cpus.len(), config.scheduler);
        Ok(self.pools.borrow().describe(&CpuPool { cpus, ..pool }))
    }

    /// Changes pools.
    ///
    /// # Errors
    /// See [`PoolError`].
    pub fn change_pools(&self, change: &PoolChange) -> Result<(), PoolError> {
        match change {
            PoolChange::Destroy(pool) => self.destroy_pool(&self.find_pool(pool)?),
            PoolChange::Add(pool, cpus) => {
                let pool = self.find_pool(pool)?;
                let cpus = self.free_cpus(cpus)?;
                self.add_cpus(&pool, &cpus)
            }
            PoolChange::Remove(pool, cpus) => {
                let pool = self.find_pool(pool)?;
                self.remove_cpus(&pool, &self.cpus_of(&pool, cpus)?)
            }
            PoolChange::Migrate(domain, pool) => self.move_domain(domain, &self.find_pool(pool)?),
            PoolChange::Rename(pool, name) => {
                let pool = self.find_pool(pool)?;
                if self.pools.borrow().name(pool.id) == *name {
                    return Ok(());
                }
                self.check_new_name(name)?;
                self.rename_pool(pool.id, name);
                Ok(())
            }
            PoolChange::SplitNuma => self.split_numa(),
        }
    }

    fn check_new_name(&self, name: &str) -> Result<(), PoolError> {
        // A number would be taken for an id.
        let is_number = name.bytes().all(|b| b.is_ascii_digit());
        if is_number || name.len() > LONGEST || DomainName::parse(name).is_none() {
            return Err(PoolError::BadName);
        }
        let pools = self.pools.borrow();
        if pools.0.keys().any(|id| pools.name(*id) == name) { Err(PoolError::NameInUse) } else { Ok(()) }
    }

    fn rename_pool(&self, id: u32, name: &str) {
        let before = self.pools.borrow().reference(id);
        if let Some(known) = self.pools.borrow_mut().0.get_mut(&id) {
            known.name = Some(name.into());
        }
        self.write_pool(id, Some(name));
        let mut nodes = Vec::new();
        for record in self.registry.borrow_mut().iter_mut().filter(|record| record.config.pool == before) {
            record.config.pool = self.pools.borrow().reference(id);
            nodes.push(layout::pool_node(record.uuid, name));
        }
        self.write_nodes(&nodes);
    }

    /// Writes a pool's name into the store, or takes its nodes away.
    fn write_pool(&self, id: u32, name: Option<&str>) {
        let path = layout::pool_path(id);
        let written = self.store.borrow_mut().control(|tree| match name {
            Some(name) => tree.write(&format!("{path}/name"), name.as_bytes()),
            None => tree.rm(&path),
        });
        if let Err(error) = written {
            log::error!("pool {id}: xenstore refuses its name: {error}");
        }
    }

    /// The processors that are meant, which must be in no pool.
    fn free_cpus(&self, wanted: &Cpus) -> Result<Vec<u32>, PoolError> {
        let most = self.nr_cpus().map_err(refused)?;
        let free = self.xen.free_cpus(most).map_err(refused)?;
        match wanted {
            Cpus::Some(count) => match free.get(..*count as usize) {
                Some(cpus) => Ok(cpus.to_vec()),
                None => Err(PoolError::TooFewFree { free: free.len() as u32 }),
            },
            Cpus::These(cpus) => match cpus.iter().find(|cpu| !free.contains(cpu)) {
                Some(cpu) => Err(PoolError::NotFree(*cpu)),
                None => Ok(distinct(cpus)),
            },
            Cpus::Node(node) => {
                let cpus = self.cpus_of_node(*node)?;
                Ok(cpus.into_iter().filter(|cpu| free.contains(cpu)).collect())
            }
        }
    }

    /// The processors that are meant, which must be in this pool.
    fn cpus_of(&self, pool: &CpuPool, wanted: &Cpus) -> Result<Vec<u32>, PoolError> {
        match wanted {
            Cpus::Some(count) => {
                let from = pool.cpus.len().saturating_sub(*count as usize);
                Ok(pool.cpus[from..].to_vec())
            }
            Cpus::These(cpus) => match cpus.iter().find(|cpu| !pool.cpus.contains(cpu)) {
                Some(cpu) => Err(PoolError::NotInPool(*cpu)),
                None => Ok(distinct(cpus)),
            },
            Cpus::Node(node) => {
                let cpus = self.cpus_of_node(*node)?;
                Ok(cpus.into_iter().filter(|cpu| pool.cpus.contains(cpu)).collect())
            }
        }
    }

    fn cpus_of_node(&self, node: u32) -> Result<Vec<u32>, PoolError> {
        let most = self.nr_cpus().map_err(refused)?;
        let topology = self.xen.cpu_topology(most as usize).map_err(refused)?;
        let cpus = (0..most).zip(&topology).filter(|(_, place)| place.node == Some(node));
        let cpus: Vec<u32> = cpus.map(|(cpu, _)| cpu).collect();
        if cpus.is_empty() { Err(PoolError::NoNode(node)) } else { Ok(cpus) }
    }

    /// Puts free processors into a pool, in one exit: all or none.
    fn add_cpus(&self, pool: &CpuPool, cpus: &[u32]) -> Result<(), PoolError> {
        let abi = self.xen.abi();
        let mut additions = self.xen.batch();
        let tickets: Vec<_> =
            cpus.iter().map(|cpu| additions.add(sysctl::cpupool_add_cpu(abi, pool.id, *cpu))).collect();
        let answers = additions.issue().map_err(refused)?;
        let mut added = Vec::new();
        let mut why = None;
        for (cpu, ticket) in cpus.iter().zip(tickets) {
            match answers.get(ticket) {
                Ok(()) => added.push(*cpu),
                Err(error) => why = why.or(Some(error)),
            }
        }
        let Some(why) = why else { return Ok(()) };
        for cpu in added {
            if let Err(error) = self.xen.cpupool_remove_cpu(pool.id, cpu) {
                log::error!("processor {cpu} stays in pool {}: {error}", pool.id);
            }
        }
        Err(refused(why))
    }

    /// Takes processors out of a pool, one after the other; after an error those before it are out.
    fn remove_cpus(&self, pool: &CpuPool, cpus: &[u32]) -> Result<(), PoolError> {
        if pool.id == FIRST && cpus.contains(&0) {
            return Err(PoolError::First);
        }
        for cpu in cpus {
            self.xen.cpupool_remove_cpu(pool.id, *cpu).map_err(|error| match error.errno {
                Errno::EBUSY => PoolError::LastCpu(*cpu),
                Errno::EADDRNOTAVAIL => PoolError::NotInPool(*cpu),
                _ => refused(error),
            })?;
        }
        Ok(())
    }

    fn destroy_pool(&self, pool: &CpuPool) -> Result<(), PoolError> {
        if pool.id == FIRST {
            return Err(PoolError::First);
        }
        if pool.domains > 0 {
            return Err(PoolError::HasDomains(pool.domains));
        }
        self.remove_cpus(pool, &pool.cpus)?;
        self.xen.destroy_cpupool(pool.id).map_err(refused)?;
        self.pools.borrow_mut().0.remove(&pool.id);
        self.write_pool(pool.id, None);
        log::info!("pool {} is no more", pool.id);
        Ok(())
    }

    fn move_domain(&self, domain: &proto::domain::DomainRef, pool: &CpuPool) -> Result<(), PoolError> {
        let target = self.resolve(domain).map_err(PoolError::Domain)?;
        if target.domid() == DomId(0) {
            // Xen moves only other domains than the one that asks.
            return Err(PoolError::Domain(DomainError::Privileged));
        }
        if pool.cpus.is_empty() {
            return Err(PoolError::HasNoCpu);
        }
        self.xen.cpupool_move_domain(pool.id, target.domid()).map_err(|error| match error.errno {
            Errno::ESRCH => PoolError::Domain(DomainError::NotFound),
            _ => PoolError::Domain(domain_error(error)),
        })?;
        log::info!("d{}: moved into pool {}", target.domid(), pool.id);
        self.note_move(target, pool.id);
        Ok(())
    }

    /// Keeps for a domain's next life in which pool it is. What it was told about its scheduling before, the other scheduler does
    /// not know, nor are its vCPUs pinned any more: Xen lets them run on all processors of the new pool.
    fn note_move(&self, target: Target, id: u32) {
        let Target::Ours(serial, _) = target else { return };
        let mut registry = self.registry.borrow_mut();
        let Some(record) = registry.by_serial_mut(serial) else { return };
        let pools = self.pools.borrow();
        let pool = pools.reference(id);
        if record.config.pool == pool {
            // Xen did nothing.
            return;
        }
        let config = &mut record.config;
        (config.pool, config.weight, config.cap) = (pool, None, None);
        config.cpus.clear();
        record.kept = Kept::default();
        let node = layout::pool_node(record.uuid, &pools.name(id));
        drop((registry, pools));
        self.write_nodes(&[node]);
    }

    /// Leaves the first pool the processors of processor 0's node, and gives each other node a pool of its own with the same
    /// scheduler.
    fn split_numa(&self) -> Result<(), PoolError> {
        let all = self.ask_pools().map_err(refused)?;
        let [first] = &all[..] else { return Err(PoolError::Divided) };
        let most = self.nr_cpus().map_err(refused)?;
        let topology = self.xen.cpu_topology(most as usize).map_err(refused)?;
        let mut nodes: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (cpu, place) in (0..most).zip(&topology) {
            if let Some(node) = place.node {
                nodes.entry(node).or_default().push(cpu);
            }
        }
        let own = topology.first().and_then(|place| place.node).unwrap_or(0);
        self.rename_pool(first.id, &format!("Pool-node{own}"));
        for (node, cpus) in nodes.into_iter().filter(|(node, _)| *node != own) {
            let there: Vec<u32> = cpus.iter().copied().filter(|cpu| first.cpus.contains(cpu)).collect();
            self.remove_cpus(first, &there)?;
            let config = PoolConfig {
                name: format!("Pool-node{node}"),
                scheduler: scheduler(first.scheduler),
                cpus: Cpus::These(cpus),
            };
            self.create_pool(&config)?;
        }
        Ok(())
    }
}

/// The same processors, each once.
fn distinct(cpus: &[u32]) -> Vec<u32> {
    let mut cpus = cpus.to_vec();
    cpus.sort_unstable();
    cpus.dedup();
    cpus
}
