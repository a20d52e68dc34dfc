//! Giving a domain its memory.

use hypercall::calls::memory::populate;
use hypercall::{Call, Door, Xen};
use xen_abi::{DomId, Pages};

use super::BuildError;
use crate::plan::Extents;

/// Large extents that are tried again in smaller ones at a time: bounds the list that travels to 32 KiB.
const AGAIN_AT_ONCE: usize = 8;

/// The call that populates these.
pub(super) fn call(domain: DomId, extents: &Extents) -> Call<usize> {
    populate(domain, extents.order, &extents.at)
}

/// Where the call only did the first `done` extents, does the others in smaller pieces: the host's free memory may
/// be in pieces.
pub(super) fn complete<M: Door>(
    xen: &Xen<M>,
    domain: DomId,
    extents: &Extents,
    done: usize,
) -> Result<(), BuildError> {
    let left = extents.at.get(done..).unwrap_or_default();
    for some in left.chunks(AGAIN_AT_ONCE) {
        let some = Extents { order: extents.order, at: some.into() };
        let missing = Pages((left.len() as u64) << extents.order);
        let smaller = some.smaller().ok_or(BuildError::NotEnoughMemory { missing })?;
        let done = xen.run(call(domain, &smaller))?;
        complete(xen, domain, &smaller, done)?;
    }
    Ok(())
}
