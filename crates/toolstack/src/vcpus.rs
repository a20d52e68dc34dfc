//! vCPUs: what they do, and on which CPUs they may.

use alloc::format;
use alloc::vec::Vec;

use hypercall::calls::domctl::{self, Affinity, Pin};
use hypercall::calls::sysctl;
use hypercall::{Aperture, CpuTopology, Door, Ticket, VcpuState};
use proto::domain::DomainInfo;
use proto::error::DomainError;
use proto::vcpu::{
    CpuSet, DomainVcpus, PinError, PinRequest, VcpuInfo, VcpuListError, VcpuListing, VcpuQuery,
};
use xen_abi::{DomId, Errno, VcpuId};

use crate::errors::{domain_error, told};
use crate::list::Target;
use crate::page;
use crate::platform::Platform;
use crate::toolstack::{Mapping, Toolstack};

/// Domains and CPUs that are asked for at first.
const DOMAINS: usize = 128;
const CPUS: usize = 128;
/// vCPUs in one multicall: two calls each, so that arguments and answers take 64 KiB at most.
const VCPUS_AT_ONCE: usize = 64;
/// Bytes of a domain in an answer, its vCPUs aside, and of a vCPU, its two sets of CPUs aside.
const DOMAIN: usize = page::NAME + 6;
const VCPU: usize = 32;

/// A vCPU of a domain in a listing, and the answers to come.
struct Question {
    domain: usize,
    vcpu: u32,
    state: Ticket<VcpuState>,
    affinity: Ticket<Affinity>,
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// vCPUs of the named domains, or of all by name: of whole domains, until there are enough for one answer.
    ///
    /// One exit for domains and CPUs, and one for each 64 vCPUs; more where there are more than 127 domains or 128 CPUs. Other
    /// tasks get their turn in between, and a domain that is gone by then is left out.
    ///
    /// # Errors
    /// [`VcpuListError::NotFound`]; [`VcpuListError::Xen`]. Nothing is told then.
    pub async fn vcpus(&self, query: &VcpuQuery) -> Result<VcpuListing, VcpuListError> {
        let xen = |error: hypercall::XenError| VcpuListError::Xen(told(error));
        let (all, cpus) = self.domains_and_cpus().map_err(xen)?;
        let mut chosen = self.choose(query, all)?;
        chosen.drain(..chosen.len().min(query.skip as usize));
        let vcpu = VCPU + 2 * cpus.0.len();
        let fits = page::fitting(&chosen, |domain| DOMAIN + domain.max_vcpus as usize * vcpu);
        let has_more = fits < chosen.len();
        chosen.truncate(fits);
        let mut domains = Vec::new();
        let mut wanted = Vec::new();
        for domain in chosen {
            wanted.extend((0..domain.max_vcpus).map(|vcpu| (domains.len(), vcpu)));
            domains.push(DomainVcpus { name: domain.name, domid: domain.domid, vcpus: Vec::new() });
        }
        for (n, some) in wanted.chunks(VCPUS_AT_ONCE).enumerate() {
            if n > 0 {
                self.platform.yield_now().await;
            }
            self.ask_states(&mut domains, some, &cpus).map_err(xen)?;
        }
        // One that died meanwhile is no more. An unnamed domain without vCPUs has nothing to show either.
        let nr_domains = u32::try_from(domains.len()).unwrap_or(u32::MAX);
        domains.retain(|domain| !domain.vcpus.is_empty());
        Ok(VcpuListing { cpus, domains, nr_domains, has_more })
    }

    /// Every domain, by name, and the CPUs that the machine has.
    fn domains_and_cpus(&self) -> Result<(Vec<DomainInfo>, CpuSet), hypercall::XenError> {
        let abi = self.xen.abi();
        let mut questions = self.xen.batch();
        let infos = questions.add(sysctl::domain_infos(abi, DomId(0), DOMAINS));
        let host = questions.add(sysctl::host_info(abi));
        let topology = questions.add(sysctl::cpu_topology(abi, CPUS));
        let told = questions.issue()?;
        let mut infos = told.get(infos)?;
        if infos.len() == DOMAINS {
            infos = self.xen.domain_infos()?;
        }
        let cpus = self.cpus(told.get(host)?.max_cpu, told.get(topology)?)?;
        Ok((self.described(&infos), cpus))
    }

    /// The CPUs that the machine has, of which the first ones are known.
    fn cpus(&self, last: u32, mut topology: Vec<CpuTopology>) -> Result<CpuSet, hypercall::XenError> {
        let count = last as usize + 1;
        if count > CPUS {
            topology = self.xen.cpu_topology(count)?;
        }
        // Of one that is not there nothing is known; one that is there may lack a core's number, if it is the only one.
        let is_there = |cpu: &CpuTopology| cpu.core.or(cpu.socket).or(cpu.node).is_some();
        Ok((0..).zip(&topology).filter(|(_, cpu)| is_there(cpu)).map(|(n, _)| n).collect())
    }

    /// The domains that a query is about.
    fn choose(&self, query: &VcpuQuery, all: Vec<DomainInfo>) -> Result<Vec<DomainInfo>, VcpuListError> {
        if query.domains.is_empty() {
            return Ok(all);
        }
        let find = |word| {
            let domid = self.resolve(word).ok()?.domid();
            all.iter().find(|domain| domain.domid == domid.0).cloned()
        };
        let named = |word| find(word).ok_or_else(|| VcpuListError::NotFound(word.0.clone()));
        query.domains.iter().map(named).collect()
    }

    /// Asks what these vCPUs do, in one exit.
    fn ask_states(
        &self,
        domains: &mut [DomainVcpus],
        wanted: &[(usize, u32)],
        cpus: &CpuSet,
    ) -> Result<(), hypercall::XenError> {
        let abi = self.xen.abi();
        // The sets that Xen has of CPUs that are not there are of no interest.
        let room = cpus.0.len() as u32 * 8;
        let mut batch = self.xen.batch();
        let mut questions = Vec::with_capacity(wanted.len());
        for &(domain, vcpu) in wanted {
            let (id, number) = (DomId(domains[domain].domid), VcpuId(vcpu));
            let state = batch.add(domctl::vcpu_info(abi, id, number));
            let affinity = batch.add(domctl::vcpu_affinity(abi, id, number, room));
            questions.push(Question { domain, vcpu, state, affinity });
        }
        let told = batch.issue()?;
        for Question { domain, vcpu, state, affinity } in questions {
            let (state, affinity) = match (told.get(state), told.get(affinity)) {
                (Ok(state), Ok(affinity)) => (state, affinity),
                // It has never been made, or is gone with its domain.
                (Err(error), _) | (_, Err(error)) if [Errno::ESRCH, Errno::EINVAL].contains(&error.errno) => {
                    continue;
                }
                (Err(error), _) | (_, Err(error)) => return Err(error),
            };
            domains[domain].vcpus.push(VcpuInfo {
                vcpu,
                is_online: state.online,
                is_blocked: state.blocked,
                is_running: state.running,
                cpu: state.cpu,
                cpu_time_ns: state.cpu_time,
                hard: CpuSet(affinity.hard).within(cpus),
                soft: CpuSet(affinity.soft).within(cpus),
            });
        }
        Ok(())
    }

    /// Pins vCPUs of a domain to CPUs; those of ours stay pinned in the domain's next life. Two exits, and one more for each
    /// 64 vCPUs behind the first.
    ///
    /// # Errors
    /// [`PinError`]: which vCPU was not pinned, and why. Those before it were.
    pub fn pin(&self, request: &PinRequest) -> Result<(), PinError> {
        let target = self.resolve(&request.domain).map_err(PinError::Domain)?;
        let (nr_vcpus, cpus) = self.vcpus_and_cpus(target).map_err(PinError::Domain)?;
        let (first, last) = match request.vcpu {
            Some(vcpu) if vcpu >= nr_vcpus => return Err(PinError::NoVcpu { vcpu, vcpus: nr_vcpus }),
            Some(vcpu) => (vcpu, vcpu + 1),
            None => (0, nr_vcpus),
        };
        let (hard, soft) = (request.hard.bounded(), request.soft.as_ref().map(CpuSet::bounded));
        if hard.within(&cpus).is_empty() {
            return Err(PinError::NoCpu { vcpu: first, cpus });
        }
        let pin = Pin { hard: Some(&hard.0), soft: soft.as_ref().map(|soft| &soft.0[..]) };
        let vcpus: Vec<u32> = (first..last).collect();
        for some in vcpus.chunks(VCPUS_AT_ONCE) {
            let mut batch = self.xen.batch();
            let calls: Vec<_> = some
                .iter()
                .map(|&vcpu| {
                    let call = domctl::set_vcpu_affinity(self.xen.abi(), target.domid(), VcpuId(vcpu), &pin);
                    (vcpu, batch.add(call))
                })
                .collect();
            let refused = |vcpu| move |error| PinError::Xen { vcpu, error: told(error) };
            let done = batch.issue().map_err(refused(first))?;
            for (vcpu, call) in calls {
                done.get(call).map_err(refused(vcpu))?;
                self.note_pin(target, vcpu, &hard, soft.as_ref());
            }
        }
        let which = request.vcpu.map_or("all vCPUs".into(), |vcpu| format!("vCPU {vcpu}"));
        log::info!("d{}: {which} pinned to CPUs {hard}", target.domid());
        Ok(())
    }

    /// How many vCPUs a living domain has, and the CPUs that the machine has.
    fn vcpus_and_cpus(&self, target: Target) -> Result<(u32, CpuSet), DomainError> {
        let (abi, domid) = (self.xen.abi(), target.domid());
        let mut questions = self.xen.batch();
        let info = questions.add(domctl::domain_info(abi, domid));
        let host = questions.add(sysctl::host_info(abi));
        let topology = questions.add(sysctl::cpu_topology(abi, CPUS));
        let told = questions.issue().map_err(domain_error)?;
        let info = match told.get(info) {
            // Old releases answer about the next domain where there is none.
            Ok(info) if info.id != domid => return Err(DomainError::NotFound),
            Err(error) if error.errno == Errno::ESRCH => return Err(DomainError::NotFound),
            other => other.map_err(domain_error)?,
        };
        let nr_vcpus = info.max_vcpu.map_or(0, |last| last.0.saturating_add(1));
        if info.dying || info.shutdown.is_some() || nr_vcpus == 0 {
            return Err(DomainError::NotStarted);
        }
        let last = told.get(host).map_err(domain_error)?.max_cpu;
        let topology = told.get(topology).map_err(domain_error)?;
        Ok((nr_vcpus, self.cpus(last, topology).map_err(domain_error)?))
    }

    /// Keeps for a domain's next life where a vCPU is pinned, and what it prefers.
    fn note_pin(&self, target: Target, vcpu: u32, hard: &CpuSet, soft: Option<&CpuSet>) {
        let Target::Ours(serial, _) = target else { return };
        let mut registry = self.registry.borrow_mut();
        let Some(record) = registry.by_serial_mut(serial) else { return };
        let sets = [(&mut record.config.cpus, Some(hard)), (&mut record.kept.preferred, soft)];
        for (sets, set) in sets {
            let Some(set) = set else { continue };
            if sets.len() <= vcpu as usize {
                sets.resize(vcpu as usize + 1, CpuSet::default());
            }
            sets[vcpu as usize] = set.clone();
        }
    }
}
