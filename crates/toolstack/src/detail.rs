//! All that is known of domains: Xen's facts, shares and pins, and what they were made of.

use alloc::string::String;
use alloc::vec::Vec;

use hypercall::calls::domctl::Affinity;
use hypercall::calls::{domctl, sysctl};
use hypercall::{Aperture, Door};
use proto::detail::{DetailError, DetailListing, DetailQuery, DomainDetail, Rings};
use proto::domain::{DomainInfo, DomainRef};
use proto::error::DomainError;
use xen_abi::{DomId, VcpuId};

use crate::errors::domain_error;
use crate::layout;
use crate::page;
use crate::platform::Platform;
use crate::toolstack::{Mapping, Toolstack};

/// Processors that a pin can name, at most.
const CPUS: u32 = 1024;
/// Calls in one batch: each takes a few hundred bytes while it is under way.
const CALLS: usize = 256;

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// All that is known of some domains; as many as fit into an answer.
    ///
    /// One exit for the list, and one for all further questions.
    ///
    /// # Errors
    /// A word that names no domain; Xen refused.
    pub fn details(&self, query: &DetailQuery) -> Result<DetailListing, DetailError> {
        let list = self.list().map_err(|error| failed(DomainError::Xen(error)))?;
        let chosen: Vec<DomainInfo> = if query.domains.is_empty() {
            list
        } else {
            let find = |domain: &DomainRef| {
                let not_found = || DetailError { word: domain.0.clone(), error: DomainError::NotFound };
                let domid = self.domid(domain).map_err(|_| not_found())?;
                list.iter().find(|info| info.domid == domid.0).cloned().ok_or_else(not_found)
            };
            query.domains.iter().map(find).collect::<Result<_, _>>()?
        };
        let rest = chosen.get(query.skip as usize..).unwrap_or_default();
        let mut calls = 0;
        let fits = rest.iter().take(page::DOMAINS).take_while(|info| {
            calls += questions(info);
            calls <= CALLS
        });
        let count = fits.count().max(1).min(rest.len());
        let mut details = if count == 0 { Vec::new() } else { self.details_of(&rest[..count])? };
        details.truncate(page::fitting(&details, length));
        let has_more = rest.len() > details.len();
        Ok(DetailListing { details, has_more })
    }

    /// As [`Self::details`], in one exit.
    fn details_of(&self, infos: &[DomainInfo]) -> Result<Vec<DomainDetail>, DetailError> {
        let abi = self.xen.abi();
        let mut batch = self.xen.batch();
        let host = batch.add(sysctl::host_info(abi));
        let asked: Vec<_> = infos
            .iter()
            .map(|info| {
                let domid = DomId(info.domid);
                // The one that is not the domain's scheduler is refused.
                let credit = batch.add(domctl::credit(abi, domid));
                let credit2 = batch.add(domctl::credit2(abi, domid));
                let label = batch.add(domctl::domain_info(abi, domid));
                let pin = |vcpu| batch.add(domctl::vcpu_affinity(abi, domid, VcpuId(vcpu), CPUS));
                let pins: Vec<_> = (0..info.max_vcpus).map(pin).collect();
                (credit, credit2, label, pins)
            })
            .collect();
        let told = batch.issue().map_err(|error| failed(domain_error(error)))?;
        let host_cpus = told.get(host).map_err(|error| failed(domain_error(error)))?.max_cpu + 1;
        let registry = self.registry.borrow();
        let details = infos.iter().zip(asked).map(|(info, (credit, credit2, label, pins))| {
            let domid = DomId(info.domid);
            let credit = told.get(credit).ok().map(|share| (share.weight, share.cap));
            let credit2 = told.get(credit2).ok().map(|share| (share.weight, share.cap));
            let record = registry.get(domid);
            let told_of = told.get(label).ok().filter(|told| told.id == domid);
            DomainDetail {
                info: info.clone(),
                config: record.map(|record| record.config.clone()),
                share: credit.or(credit2),
                // One that is gone by now has none.
                cpus: pins
                    .into_iter()
                    .map(|pin| told.get(pin).map(|affinity| pinned(&affinity, host_cpus)).unwrap_or_default())
                    .collect(),
                ssidref: told_of.map_or(0, |told| told.ssidref),
                rings: record.and_then(|_| self.rings_of(domid)),
            }
        });
        Ok(details.collect())
    }

    /// The frames of a domain's rings, as it was told them itself.
    fn rings_of(&self, domid: DomId) -> Option<Rings> {
        let store = self.store.borrow();
        let frame = |key: &str| {
            let value = store.read(&alloc::format!("{}/{key}/ring-ref", layout::domain_path(domid))).ok()?;
            core::str::from_utf8(value).ok()?.parse().ok()
        };
        Some(Rings { store: frame("store")?, console: frame("console")? })
    }
}

/// About how many bytes a domain takes in an answer.
fn length(detail: &DomainDetail) -> usize {
    /// Numbers, and the name and the pool of the moment.
    const OWN: usize = page::NAME + 66 + 200;
    let config = detail.config.as_ref().map_or(0, |config| {
        let texts = [&config.name, &config.kernel_name, &config.ramdisk_name, &config.cmdline];
        let texts: usize = texts.iter().map(|text| text.len()).sum();
        let pins: usize = config.cpus.iter().map(|set| 2 + set.0.len()).sum();
        texts + pins + config.pool.as_ref().map_or(0, |pool| pool.0.len()) + 200
    });
    let pins: usize = detail.cpus.iter().map(|cpus| 2 + 2 * cpus.len()).sum();
    OWN + config + pins
}

/// How much is asked about a domain.
fn questions(info: &DomainInfo) -> usize {
    3 + info.max_vcpus as usize
}

fn failed(error: DomainError) -> DetailError {
    DetailError { word: String::new(), error }
}

/// The processors of a hard affinity; none where it has all that the host has.
fn pinned(affinity: &Affinity, host_cpus: u32) -> Vec<u32> {
    let has = |cpu: &u32| affinity.hard.get(*cpu as usize / 8).is_some_and(|byte| byte >> (cpu % 8) & 1 == 1);
    let cpus: Vec<u32> = (0..host_cpus).filter(has).collect();
    if cpus.len() == host_cpus as usize { Vec::new() } else { cpus }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_names_processors_unless_it_is_all_of_them() {
        let affinity = |hard: &[u8]| Affinity { hard: hard.into(), soft: Vec::new() };
        assert_eq!(pinned(&affinity(&[0b0000_0101]), 4), [0, 2]);
        assert_eq!(pinned(&affinity(&[0b0000_1111]), 4), []);
        assert_eq!(pinned(&affinity(&[0xff, 0xff]), 4), []);
        assert_eq!(pinned(&affinity(&[0, 0b10]), 16), [9]);
        assert_eq!(pinned(&affinity(&[0xff]), 16), [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
