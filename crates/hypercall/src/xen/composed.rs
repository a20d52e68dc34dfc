//! Operations that take more than one hypercall, or whose answer needs a second look.

use alloc::vec::Vec;

use xen_abi::domctl::SchedRtds;
use xen_abi::{DomId, Gfn, Pages, VcpuId};

use crate::calls::{domctl, memory, sysctl};
use crate::{DomainInfo, Door, Xen, XenError};

/// Domains asked for in one hypercall: bounds the answer to 14 KiB.
const DOMAINS_AT_ONCE: usize = 128;
/// Extents populated in one hypercall: bounds the list that travels with it to 16 KiB.
const EXTENTS_AT_ONCE: usize = 2048;

impl<M: Door> Xen<M> {
    /// What Xen knows of a domain.
    ///
    /// Hypercall: `XEN_DOMCTL_getdomaininfo`.
    ///
    /// # Errors
    /// `ESRCH`: no such domain.
    pub fn domain_info(&self, dom: DomId) -> Result<DomainInfo, XenError> {
        let info = self.run(domctl::domain_info(self.abi(), dom))?;
        if info.id == dom { Ok(info) } else { Err(domctl::wrong_domain()) }
    }

    /// What Xen knows of all domains, in order. Dying ones are among them.
    ///
    /// Hypercall: `XEN_SYSCTL_getdomaininfolist`, one for each 128 domains.
    ///
    /// # Errors
    /// `EPERM`: not privileged.
    pub fn domain_infos(&self) -> Result<Vec<DomainInfo>, XenError> {
        let mut all = Vec::new();
        let mut first = DomId(0);
        loop {
            let part = self.run(sysctl::domain_infos(self.abi(), first, DOMAINS_AT_ONCE))?;
            let more = part.len() == DOMAINS_AT_ONCE;
            all.extend(part);
            match all.last() {
                Some(last) if more => first = DomId(last.id.0.saturating_add(1)),
                _ => return Ok(all),
            }
        }
    }

    /// Takes one pause of a domain away. It runs when none is left.
    ///
    /// Hypercall: `XEN_DOMCTL_unpausedomain`.
    ///
    /// # Errors
    /// `EBUSY`: it is under construction ([`NewDomain`](crate::NewDomain)). `ESRCH`: no such domain. `EINVAL`: it is not
    /// paused.
    pub fn unpause_domain(&self, dom: DomId) -> Result<(), XenError> {
        self.not_under_construction(dom, "XEN_DOMCTL_unpausedomain")?;
        // SAFETY: none of its bytes are borrowed, as just found.
        self.run(unsafe { domctl::unpause_domain(self.abi(), dom) })
    }

    /// Makes a frame of another domain's grant table appear at a frame of that domain.
    ///
    /// Hypercall: `XENMEM_add_to_physmap`, `XENMAPSPACE_grant_table`.
    ///
    /// # Errors
    /// `EBUSY`: it is under construction ([`NewDomain`](crate::NewDomain)). `EINVAL`: the table may not have so many
    /// frames. `ESRCH`. `EPERM`.
    pub fn add_grant_frame(&self, dom: DomId, index: u64, at: Gfn) -> Result<(), XenError> {
        self.not_under_construction(dom, "XENMEM_add_to_physmap")?;
        self.run(memory::add_grant_frame(dom, index, at))
    }

    /// Refuses what must not be done to a domain whose bytes may be borrowed.
    pub(crate) fn not_under_construction(&self, dom: DomId, op: &'static str) -> Result<(), XenError> {
        if self.sites().contains(dom) { Err(XenError { op, errno: xen_abi::Errno::EBUSY }) } else { Ok(()) }
    }

    /// Puts new memory at frames of another domain: `2^order` pages at each of `extents`.
    ///
    /// Hypercall: `XENMEM_populate_physmap`, one for each 2048 extents.
    ///
    /// # Errors
    /// [`Partial`]: how many extents were done, in order, and why no more. `ENOMEM`: memory or the domain's
    /// limit is exhausted.
    pub fn populate(&self, dom: DomId, order: u32, extents: &[Gfn]) -> Result<(), Partial> {
        let dom = self.another(dom);
        in_parts(extents, |part| self.run(memory::populate(dom, order, part)), "XENMEM_populate_physmap")
    }

    /// Takes memory from frames of another domain.
    ///
    /// Hypercall: `XENMEM_decrease_reservation`, one for each 2048 extents.
    ///
    /// # Errors
    /// [`Partial`]: how many extents were done, in order, and why no more.
    pub fn depopulate(&self, dom: DomId, order: u32, extents: &[Gfn]) -> Result<(), Partial> {
        let dom = self.another(dom);
        in_parts(
            extents,
            |part| self.run(memory::depopulate(dom, order, part)),
            "XENMEM_decrease_reservation",
        )
    }

    /// The domain, or none if it is ourselves: our own memory is not changed by safe calls.
    fn another(&self, dom: DomId) -> DomId {
        if dom == self.own_domain() { xen_abi::xen::DOMID_INVALID } else { dom }
    }

    /// Sets vCPUs' parameters under RTDS, in as many calls as Xen wants: it may do the first ones only.
    ///
    /// Hypercall: `XEN_DOMCTL_scheduler_op`, `PUTVCPUINFO`; none where there is nothing to set.
    ///
    /// # Errors
    /// `EINVAL`: see [`set_rtds`](domctl::set_rtds); the vCPUs before that one are set.
    pub fn set_budgets(&self, dom: DomId, wishes: &[(VcpuId, SchedRtds)]) -> Result<(), XenError> {
        let mut rest = wishes;
        while !rest.is_empty() {
            let done = self.run(domctl::set_rtds(self.abi(), dom, rest))? as usize;
            // None at all would be asked for ever.
            rest = rest.get(done.max(1)..).unwrap_or_default();
        }
        Ok(())
    }

    /// The records of an HVM domain's state.
    ///
    /// Hypercall: `XEN_DOMCTL_gethvmcontext`, twice: the first asks for the size.
    ///
    /// # Errors
    /// `EINVAL`: not an HVM domain.
    pub fn hvm_context(&self, dom: DomId) -> Result<Vec<u8>, XenError> {
        let size = self.run(domctl::hvm_context_size(self.abi(), dom))?;
        self.run(domctl::hvm_context(self.abi(), dom, size))
    }

    /// Free memory of the host.
    ///
    /// Hypercall: `XEN_SYSCTL_physinfo`.
    ///
    /// # Errors
    /// `EPERM`: not privileged.
    pub fn free_memory(&self) -> Result<Pages, XenError> {
        self.run(sysctl::host_info(self.abi())).map(|info| info.free)
    }
}

/// An operation on many extents was done in part.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{error}, after {done} extents")]
pub struct Partial {
    /// How many extents were done: the first ones.
    pub done: usize,
    /// Why no more.
    pub error: XenError,
}

fn in_parts(
    extents: &[Gfn],
    run: impl Fn(&[Gfn]) -> Result<usize, XenError>,
    op: &'static str,
) -> Result<(), Partial> {
    let mut done = 0;
    for part in extents.chunks(EXTENTS_AT_ONCE) {
        let now = run(part).map_err(|error| Partial { done, error })?.min(part.len());
        done += now;
        if now < part.len() {
            return Err(Partial { done, error: XenError { op, errno: xen_abi::Errno::ENOMEM } });
        }
    }
    Ok(())
}
