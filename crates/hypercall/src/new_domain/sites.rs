//! Which domains are under construction.
//!
//! As long as a domain is, its bytes may be borrowed ([`GuestPages`](super::GuestPages)), so nobody may run it or map it as
//! memory that others write. Domains are named by numbers that Xen uses again, so no token could tell: each call looks.

use alloc::collections::BTreeMap;

use spin::Mutex;
use xen_abi::DomId;

/// Names one construction for ever: a number of a domain may be used again while an old [`NewDomain`](super::NewDomain)
/// of that number is still around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Site(u64);

/// The domains under construction at one hypervisor, each with the latest site of its number. Every [`Door`](crate::Door)
/// leads to one of these; what is in it is for this crate alone.
#[derive(Debug, Default)]
pub struct Sites(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    sites: BTreeMap<DomId, Site>,
    opened: u64,
}

impl Sites {
    /// No domain is under construction.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Inner { sites: BTreeMap::new(), opened: 0 }))
    }

    /// The construction of `dom` begins. An older one of the same number is over: its domain is gone.
    pub(crate) fn open(&self, dom: DomId) -> Site {
        let mut inner = self.0.lock();
        inner.opened += 1;
        let site = Site(inner.opened);
        inner.sites.insert(dom, site);
        site
    }

    /// The construction is over; says whether it still went on.
    pub(crate) fn close(&self, dom: DomId, site: Site) -> bool {
        let mut inner = self.0.lock();
        let goes_on = inner.sites.get(&dom) == Some(&site);
        if goes_on {
            inner.sites.remove(&dom);
        }
        goes_on
    }

    /// Whether this construction goes on.
    pub(crate) fn is_open(&self, dom: DomId, site: Site) -> bool {
        self.0.lock().sites.get(&dom) == Some(&site)
    }

    /// Whether a domain of this number is under construction.
    pub(crate) fn contains(&self, dom: DomId) -> bool {
        self.0.lock().sites.contains_key(&dom)
    }
}
