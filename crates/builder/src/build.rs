//! Carrying a plan out.

mod memory;
mod write;

use alloc::vec::Vec;

use hypercall::calls::domctl::{self, Pin};
use hypercall::calls::{evtchn, hvm, memory as memory_calls, sysctl};
use hypercall::{Aperture, CreateDomain, Door, NewDomain, XenError};
use image::ReadError;
use xen_abi::domctl::TSC_MODE_NEVER_EMULATE;
use xen_abi::hvm::params;
use xen_abi::{EvtchnPort, Gfn, Pages, VcpuId};

pub use crate::fill::Images;
use crate::fill::Unreadable;
use crate::layout::{CONSOLE, IDENT_PT, PAGE, STORE};
use crate::plan::{Plan, Share, demanded};

/// One of the guest's two ways to the control domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceEnd {
    /// The ring's page, zeroed.
    pub page: Gfn,
    /// The event channel as the guest knows it.
    pub guest_port: EvtchnPort,
    /// The event channel as we know it, bound to the guest's. Whoever has it closes it.
    pub port: EvtchnPort,
}

/// A guest was built: it will run as soon as it is unpaused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the ports are open"]
pub struct Built {
    /// Its console.
    pub console: ServiceEnd,
    /// Its way to xenstore.
    pub store: ServiceEnd,
}

/// A guest was not built. The ports that were opened are closed again; the domain is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The host had less free memory than it said.
    #[error("no more memory: {} pages are missing", .missing.0)]
    NotEnoughMemory {
        /// What it did not get, at least.
        missing: Pages,
    },
    /// The kernel cannot be unpacked.
    #[error("the kernel cannot be unpacked: {0}")]
    Kernel(ReadError),
    /// The ramdisk cannot be unpacked, or is not what the plan was made for.
    #[error("the ramdisk cannot be unpacked: {0}")]
    Ramdisk(ReadError),
    /// Xen refused.
    #[error(transparent)]
    Xen(XenError),
}

impl From<XenError> for BuildError {
    fn from(error: XenError) -> Self {
        BuildError::Xen(error)
    }
}

impl From<Unreadable> for BuildError {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Kernel(error) => BuildError::Kernel(error),
            Unreadable::Ramdisk(error) => BuildError::Ramdisk(error),
        }
    }
}

/// Builds the guest that `plan` describes into a domain that was created for its vCPUs and has nothing yet.
///
/// `images` are those that the plan was made for. `breathe` is awaited after each mebibyte that was written, so
/// that building a large guest holds up nobody. Dropping the future leaves the domain half built, nothing mapped, and
/// no port open but the domain's own.
///
/// Exits, where memory comes in large pieces: 4 if no more than 64 pages are written; else 11 to 13, and one for each
/// 512 pages.
///
/// # Errors
/// [`BuildError`]. The domain is of no use then: drop it.
pub async fn build<M: Door + Aperture>(
    domain: &NewDomain<'_, M>,
    plan: &Plan,
    images: &mut Images<'_>,
    mut breathe: impl AsyncFnMut(),
) -> Result<Built, BuildError> {
    let ports = prepare(domain, plan)?;
    write::all(domain, &plan.filling, images, &mut breathe).await?;
    finish(domain, plan, ports)
}

/// The guest's ports for console and xenstore.
struct GuestPorts {
    console: EvtchnPort,
    store: EvtchnPort,
}

/// All that can be done before the memory is written: limits, vCPUs, memory, ports.
fn prepare<M: Door + Aperture>(domain: &NewDomain<'_, M>, plan: &Plan) -> Result<GuestPorts, BuildError> {
    let (xen, id) = (domain.xen(), domain.id());
    let abi = xen.abi();
    let mut batch = xen.batch();
    let first = [
        batch.add(domctl::set_paging_pool(abi, id, plan.pool)),
        batch.add(domctl::max_vcpus(abi, id, plan.max_vcpus)),
        batch.add(domctl::max_mem(abi, id, plan.max_memory)),
        batch.add(domctl::set_tsc_mode(abi, id, TSC_MODE_NEVER_EMULATE)),
        batch.add(memory_calls::set_memory_map(id, &plan.map)),
    ];
    // Before the pins, which a move takes away.
    let is_elsewhere = plan.cpupool != 0 && !CreateDomain::knows_pools(abi);
    let moved = is_elsewhere.then(|| batch.add(sysctl::cpupool_move_domain(abi, plan.cpupool, id)));
    let pinned: Vec<_> = plan
        .pins
        .iter()
        .map(|pin| {
            let wish = Pin { hard: demanded(&pin.hard), soft: demanded(&pin.soft) };
            batch.add(domctl::set_vcpu_affinity(abi, id, pin.vcpu, &wish))
        })
        .collect();
    // After the vCPUs: credit2 measures the cap by them.
    let (share, budgets) = match &plan.share {
        Some(Share::Credit(wish)) => (Some(batch.add(domctl::set_credit(abi, id, *wish))), None),
        Some(Share::Credit2(wish)) => (Some(batch.add(domctl::set_credit2(abi, id, *wish))), None),
        Some(Share::Rtds(budgets)) => {
            let wishes: Vec<_> = (0..).map(VcpuId).zip(budgets.iter().copied()).collect();
            (None, Some((batch.add(domctl::set_rtds(abi, id, &wishes)), wishes)))
        }
        None => (None, None),
    };
    let populated: Vec<_> = plan.extents.iter().map(|extents| batch.add(memory::call(id, extents))).collect();
    let console = batch.add(evtchn::alloc_unbound(id, xen.own_domain()));
    let store = batch.add(evtchn::alloc_unbound(id, xen.own_domain()));

    let done = batch.issue()?;
    for ticket in first.into_iter().chain(moved).chain(pinned).chain(share) {
        done.get(ticket)?;
    }
    if let Some((ticket, wishes)) = budgets {
        let done = done.get(ticket)? as usize;
        xen.set_budgets(id, wishes.get(done..).unwrap_or_default())?;
    }
    for (extents, ticket) in plan.extents.iter().zip(populated) {
        memory::complete(xen, id, extents, done.get(ticket)?)?;
    }
    Ok(GuestPorts { console: done.get(console)?, store: done.get(store)? })
}

/// What comes after the memory was written: parameters, the first vCPU, our ends of the ports.
fn finish<M: Door + Aperture>(
    domain: &NewDomain<'_, M>,
    plan: &Plan,
    ports: GuestPorts,
) -> Result<Built, BuildError> {
    let (xen, id) = (domain.xen(), domain.id());
    let mut batch = xen.batch();
    for (index, value) in [
        (params::HVM_PARAM_STORE_PFN, STORE.0),
        (params::HVM_PARAM_STORE_EVTCHN, u64::from(ports.store.0)),
        (params::HVM_PARAM_CONSOLE_PFN, CONSOLE.0),
        (params::HVM_PARAM_CONSOLE_EVTCHN, u64::from(ports.console.0)),
        (params::HVM_PARAM_IDENT_PT, IDENT_PT.0 * PAGE),
    ] {
        let _ = batch.add(hvm::set_param(id, index, value));
    }
    let _ = batch.add(domctl::set_hvm_context(xen.abi(), id, &plan.records));
    let console = batch.add(evtchn::bind_interdomain(id, ports.console));
    let store = batch.add(evtchn::bind_interdomain(id, ports.store));

    let done = batch.issue()?;
    let ours = [done.get(console), done.get(store)];
    let outcome = done.all().and_then(|()| {
        Ok(Built {
            console: ServiceEnd { page: CONSOLE, guest_port: ports.console, port: ours[0]? },
            store: ServiceEnd { page: STORE, guest_port: ports.store, port: ours[1]? },
        })
    });
    if outcome.is_err() {
        // The batch went on after the failure: our ends must not stay open.
        for port in ours.into_iter().flatten() {
            // Nothing is left to be done if that fails too.
            let _ = xen.run(evtchn::close(port));
        }
    }
    outcome.map_err(BuildError::Xen)
}
