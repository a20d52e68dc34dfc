//! What there is: domains as people see them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use hypercall::calls::sysctl;
use hypercall::{Aperture, Door};
use proto::domain::{DomainInfo, DomainPage, DomainRef};
use proto::error::{DomainError, XenError};
use xen_abi::{DomId, Errno, Pages};

use crate::errors::{domain_error, told};
use crate::name::{DOMAIN_0, Uuid};
use crate::page;
use crate::platform::Platform;
use crate::registry::{Record, Registry, Serial, parse_domid};
use crate::state;
use crate::toolstack::{Mapping, Toolstack};

/// Bytes that a domain takes in an answer at most: its name, its pool's, and numbers.
const DOMAIN: usize = page::NAME + 66 + 100;

/// Whom a word names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The control domain.
    Control,
    /// A domain of ours.
    Ours(Serial, DomId),
    /// An id that no domain of ours has. Xen may know one that somebody else made.
    Foreign(DomId),
}

impl Target {
    pub(crate) fn domid(self) -> DomId {
        match self {
            Target::Control => DomId(0),
            Target::Ours(_, domid) | Target::Foreign(domid) => domid,
        }
    }
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// Every domain, by name. One exit for each 128 domains.
    ///
    /// Domains that somebody else made are there too, named after their id. A domain that was destroyed and that Xen
    /// cannot free yet, since pages of it are mapped somewhere, is called `Zombie-NAME`, as xend called it.
    ///
    /// # Errors
    /// Xen refused.
    pub fn list(&self) -> Result<Vec<DomainInfo>, XenError> {
        let infos = self.infos().map_err(told)?;
        Ok(self.described(&infos))
    }

    /// Domains from an id on, by id: a page. One exit.
    ///
    /// # Errors
    /// Xen refused.
    pub fn list_from(&self, first: u16) -> Result<DomainPage, XenError> {
        let mut infos =
            self.xen.run(sysctl::domain_infos(self.xen.abi(), DomId(first), page::DOMAINS)).map_err(told)?;
        let next = page::cut(&mut infos, |_| DOMAIN);
        self.registry.borrow().retain_shown(&mut infos);
        Ok(DomainPage { domains: infos.iter().map(|info| self.describe(info)).collect(), next })
    }

    /// What Xen told of domains, in people's words, by name.
    pub(crate) fn described(&self, infos: &[hypercall::DomainInfo]) -> Vec<DomainInfo> {
        let is_gone = |info: &&hypercall::DomainInfo| self.registry.borrow().is_gone(info);
        let mut list: Vec<_> =
            infos.iter().filter(|info| !is_gone(info)).map(|info| self.describe(info)).collect();
        list.sort_by(|a, b| a.name.cmp(&b.name).then(a.domid.cmp(&b.domid)));
        list
    }

    /// The one domain that a word names. One exit.
    ///
    /// # Errors
    /// [`DomainError::NotFound`]; [`DomainError::Xen`].
    pub fn find(&self, domain: &DomainRef) -> Result<DomainInfo, DomainError> {
        let target = self.resolve(domain)?;
        let info = self.info_of(target)?;
        Ok(self.describe(&info))
    }

    /// What Xen knows of every domain that there is to people. One exit for each 128 domains.
    pub(crate) fn infos(&self) -> Result<Vec<hypercall::DomainInfo>, hypercall::XenError> {
        let mut infos = self.xen.domain_infos()?;
        self.registry.borrow().retain_shown(&mut infos);
        Ok(infos)
    }

    /// The name under which a domain is shown.
    pub(crate) fn shown_name(&self, info: &hypercall::DomainInfo) -> String {
        let registry = self.registry.borrow();
        identity(&registry, registry.get(info.id), info).0
    }

    fn describe(&self, info: &hypercall::DomainInfo) -> DomainInfo {
        let pool = self.pools.borrow().name(info.cpupool);
        describe(&self.registry.borrow(), info, pool, self.platform.now_ns())
    }

    /// The id of the domain that a word names. No exit: an id that is not ours is answered unasked.
    ///
    /// # Errors
    /// [`DomainError::NotFound`]; [`DomainError::NotStarted`]: it is being built.
    pub fn domid(&self, domain: &DomainRef) -> Result<DomId, DomainError> {
        self.resolve(domain).map(Target::domid)
    }

    /// Whom a word names: by name, else by id, else by uuid.
    ///
    /// # Errors
    /// [`DomainError::NotFound`]; [`DomainError::NotStarted`]: the id of a domain that is being built.
    pub(crate) fn resolve(&self, domain: &DomainRef) -> Result<Target, DomainError> {
        let word = domain.0.as_str();
        if let Some(record) = self.registry.borrow().find(word) {
            return Ok(Target::Ours(record.serial, record.domid));
        }
        if word == DOMAIN_0 || Uuid::parse(word) == Some(Uuid::ZERO) {
            return Ok(Target::Control);
        }
        let shown = word.strip_prefix("(unknown-").and_then(|rest| rest.strip_suffix(')'));
        match parse_domid(shown.unwrap_or(word)) {
            Some(0) => Ok(Target::Control),
            Some(domid) if self.registry.borrow().building(DomId(domid)).is_some() => {
                Err(DomainError::NotStarted)
            }
            Some(domid) => Ok(Target::Foreign(DomId(domid))),
            None => Err(DomainError::NotFound),
        }
    }

    /// What Xen knows of a target.
    pub(crate) fn info_of(&self, target: Target) -> Result<hypercall::DomainInfo, DomainError> {
        match self.xen.domain_info(target.domid()) {
            Err(error) if error.errno == Errno::ESRCH => Err(DomainError::NotFound),
            other => other.map_err(domain_error),
        }
    }
}

fn describe(registry: &Registry, info: &hypercall::DomainInfo, pool: String, now_ns: u64) -> DomainInfo {
    let record = registry.get(info.id);
    let (name, uuid) = identity(registry, record, info);
    // What the builder adds for itself is not what people asked for.
    let own = record.map_or(Pages(0), |_| builder::SPECIAL_PAGES);
    let most = record.map_or(info.max_pages.kib().0, |r| r.config.max_memory_kib);
    let born_ns = match (info.id, record) {
        (DomId(0), _) => Some(0),
        (_, record) => record.map(|r| r.created_ns),
    };
    DomainInfo {
        domid: info.id.0,
        name,
        uuid: uuid.0,
        memory_kib: info.pages.kib().0.saturating_sub(own.kib().0),
        max_memory_kib: most,
        vcpus: info.online_vcpus,
        max_vcpus: info.max_vcpu.map_or(0, |last| last.0.saturating_add(1)),
        pool,
        state: state::state(info),
        is_admin_paused: info.paused && record.is_some_and(|r| r.is_admin_paused),
        is_ending: record.is_some_and(|r| r.is_alive() && r.errands.is_ending()),
        cpu_time_ns: info.cpu_time,
        uptime_ms: born_ns.map_or(0, |born| now_ns.saturating_sub(born) / 1_000_000),
        shutdown: state::shutdown_reason(info),
    }
}

/// The name and uuid under which a domain is shown. Names in parentheses are no legal names, so they hide nobody.
pub(crate) fn identity(
    registry: &Registry,
    record: Option<&Record>,
    info: &hypercall::DomainInfo,
) -> (String, Uuid) {
    if info.id == DomId(0) {
        return (DOMAIN_0.into(), Uuid::ZERO);
    }
    if let Some(record) = record {
        return (record.name.to_string(), record.uuid);
    }
    if let Some((name, uuid)) = registry.building(info.id) {
        return (name.to_string(), uuid);
    }
    let name = match registry.past_name(info.id) {
        Some(name) if info.dying => format!("Zombie-{name}"),
        _ => format!("(unknown-{})", info.id),
    };
    (name, Uuid(info.handle))
}
