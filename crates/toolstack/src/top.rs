//! One look at the host and all its domains: what `xm top` refreshes itself with.

use alloc::vec::Vec;

use hypercall::calls::{domctl, sysctl};
use hypercall::{Aperture, DomainInfo, Door};
use proto::error::XenError;
use proto::top::{DomainUse, HostTop, TopRequest, VcpuUse};
use xen_abi::{DomId, Pages, VcpuId};

use crate::errors::told;
use crate::list::identity;
use crate::page;
use crate::platform::Platform;
use crate::registry::Registry;
use crate::state;
use crate::toolstack::{Mapping, Toolstack};

/// Bytes that a domain takes in an answer at most, and each of its vCPUs.
const DOMAIN: usize = page::NAME + 80;
const VCPU: usize = 15;
/// vCPUs that are asked for in one exit: bounds the questions to an eighth of a MiB.
const VCPUS: usize = 512;
/// What Xen keeps as the limit of a domain that has none.
const UNLIMITED: Pages = Pages(u32::MAX as u64);

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// What the host has and its domains use, from an id on: a page. One exit; with vCPUs, one more for each 512 of those.
    ///
    /// # Errors
    /// Xen refused.
    pub fn top(&self, request: TopRequest) -> Result<HostTop, XenError> {
        self.look(request).map_err(told)
    }

    fn look(&self, request: TopRequest) -> Result<HostTop, hypercall::XenError> {
        let abi = self.xen.abi();
        let at_ns = self.platform.now_ns();
        let mut questions = self.xen.batch();
        let host = questions.add(sysctl::host_info(abi));
        let infos = questions.add(sysctl::domain_infos(abi, DomId(request.from), page::DOMAINS));
        let told = questions.issue()?;
        let host = told.get(host)?;
        let mut infos = told.get(infos)?;
        let next = page::cut(&mut infos, |info| {
            DOMAIN + if request.vcpus { VCPU * nr_vcpus(info) as usize } else { 0 }
        });
        let registry = self.registry.borrow();
        registry.retain_shown(&mut infos);
        let mut domains: Vec<DomainUse> = infos.iter().map(|info| describe(&registry, info, at_ns)).collect();
        drop(registry);
        if request.vcpus {
            self.ask_vcpus(&mut domains)?;
        }
        Ok(HostTop {
            at_ns,
            nr_cpus: host.cpus,
            cpu_khz: host.cpu_khz,
            total_memory_kib: host.total.kib().0,
            free_memory_kib: host.free.kib().0,
            domains,
            next,
        })
    }

    fn ask_vcpus(&self, domains: &mut [DomainUse]) -> Result<(), hypercall::XenError> {
        let all: Vec<(usize, u32)> =
            domains.iter().enumerate().flat_map(|(at, d)| (0..d.nr_vcpus).map(move |v| (at, v))).collect();
        for some in all.chunks(VCPUS) {
            let mut questions = self.xen.batch();
            let mut tickets = Vec::with_capacity(some.len());
            for &(at, vcpu) in some {
                let dom = DomId(domains[at].domid);
                tickets.push(questions.add(domctl::vcpu_info(self.xen.abi(), dom, VcpuId(vcpu))));
            }
            let told = questions.issue()?;
            for (&(at, vcpu), ticket) in some.iter().zip(tickets) {
                // A domain may have gone since it was listed, and a vCPU that was never made has nothing to tell.
                if let Ok(state) = told.get(ticket)
                    && state.online
                {
                    domains[at].vcpus.push(VcpuUse { vcpu, cpu_time_ns: state.cpu_time });
                }
            }
        }
        Ok(())
    }
}

fn nr_vcpus(info: &DomainInfo) -> u32 {
    info.max_vcpu.map_or(0, |last| last.0.saturating_add(1))
}

fn describe(registry: &Registry, info: &DomainInfo, at_ns: u64) -> DomainUse {
    let (name, _) = identity(registry, registry.get(info.id), info);
    DomainUse {
        domid: info.id.0,
        at_ns,
        name,
        state: state::state(info),
        cpu_time_ns: info.cpu_time,
        memory_kib: info.pages.kib().0,
        max_memory_kib: (info.max_pages < UNLIMITED).then(|| info.max_pages.kib().0),
        nr_vcpus: nr_vcpus(info),
        ssid: info.ssidref,
        vcpus: Vec::new(),
        // Domains have no devices yet.
        networks: Vec::new(),
        vbds: Vec::new(),
    }
}
