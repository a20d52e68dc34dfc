//! The hypervisor as its control domain sees it.

mod composed;
mod methods;

use core::sync::atomic::{AtomicU64, Ordering};

use xen_abi::xen::DOMID_SELF;
use xen_abi::{DomId, Errno};

pub use composed::Partial;

use crate::abi::{self, Abi, ProbeError};
use crate::call::{Call, RawCall, Reply};
use crate::new_domain::Sites;
use crate::{Batch, Door, XenError};

/// The hypervisor behind a door, with the ABI that it speaks.
///
/// `M` is the machine: a [`Door`], for mappings an [`Aperture`](crate::Aperture) too. Which domains are under construction
/// the door knows ([`Door::sites`]), so that a second one of these does no harm.
pub struct Xen<M> {
    machine: M,
    abi: Abi,
    own: DomId,
    exits: AtomicU64,
    hypercalls: AtomicU64,
}

/// What has gone through the door so far.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counters {
    /// How often the CPU went to Xen and back. A multicall counts once.
    pub exits: u64,
    /// Hypercalls. A multicall counts for what is in it.
    pub hypercalls: u64,
}

impl<M: Door> Xen<M> {
    /// Asks Xen for its version and finds out which domctl and sysctl interfaces it speaks.
    ///
    /// # Errors
    /// [`ProbeError`]: one line that names Xen's release and those that we know.
    pub fn probe(machine: M) -> Result<Self, ProbeError> {
        Self::meet(machine, abi::probe)
    }

    /// Asks Xen for its version alone: for a domain that may make only the calls that every guest may.
    ///
    /// # Errors
    /// [`ProbeError::NoXen`].
    pub fn unprivileged(machine: M) -> Result<Self, ProbeError> {
        Ok(Self::meet(machine, abi::version_alone)?.as_domain(DOMID_SELF))
    }

    fn meet(machine: M, probe: fn(&Self) -> Result<Abi, ProbeError>) -> Result<Self, ProbeError> {
        let mut xen = Xen {
            machine,
            abi: Abi::default(),
            own: DomId(0),
            exits: AtomicU64::new(0),
            hypercalls: AtomicU64::new(0),
        };
        xen.abi = probe(&xen)?;
        Ok(xen)
    }

    /// Says which domain we are, where that is not domain 0. Needed to raise our own memory limit.
    #[must_use]
    pub fn as_domain(mut self, own: DomId) -> Self {
        self.own = own;
        self
    }

    /// Which domain we are.
    #[must_use]
    pub fn own_domain(&self) -> DomId {
        self.own
    }

    /// The ABI that this Xen speaks.
    #[must_use]
    pub fn abi(&self) -> Abi {
        self.abi
    }

    /// The machine.
    #[must_use]
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// The domains under construction.
    pub(crate) fn sites(&self) -> &Sites {
        self.machine.sites()
    }

    /// What has gone through the door so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            exits: self.exits.load(Ordering::Relaxed),
            hypercalls: self.hypercalls.load(Ordering::Relaxed),
        }
    }

    /// Issues one call.
    ///
    /// # Errors
    /// What Xen answered, with the operation's name.
    pub fn run<T>(&self, call: Call<T>) -> Result<T, XenError> {
        let Call { mut raw, decode } = call;
        let value = self.issue(&mut raw).map_err(|errno| XenError { op: raw.name, errno })?;
        Ok(decode(&Reply { value, raw: &raw }))
    }

    /// Starts a batch: calls that will be issued together.
    #[must_use]
    pub fn batch(&self) -> Batch<'_, M> {
        Batch::new(self)
    }

    fn issue(&self, raw: &mut RawCall) -> Result<u64, Errno> {
        let registers = raw.registers();
        self.count(1);
        // SAFETY: the invariant of `RawCall`; it is borrowed exclusively and stays where it is until Xen is
        // done, and what is read of it later is read anew, behind the exposed addresses.
        let answer = unsafe { self.machine.call(raw.nr, registers) };
        Errno::from_answer(answer)
    }

    pub(crate) fn count(&self, hypercalls: u64) {
        self.exits.fetch_add(1, Ordering::Relaxed);
        self.hypercalls.fetch_add(hypercalls, Ordering::Relaxed);
    }
}
