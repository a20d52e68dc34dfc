//! Grant tables: versions, sizes, and copies into what a domain's table grants. Nothing can be mapped.
//! Source: public/grant_table.h.

use xen_abi::grant_table::{
    self as abi, GetVersion, GrantCopy, GrantEntryV1, GrantStatus, MapGrantRef, QuerySize, SetVersion,
    UnmapGrantRef,
};
use xen_abi::{DomId, Errno, Gfn, Mfn, PAGE_SIZE};
use zerocopy::FromBytes;

use super::{Answer, Request};
use crate::access::{read, read_nth, write, write_nth};
use crate::state::State;

/// # Safety
/// As for [`hypercall::Door::call`].
pub(super) unsafe fn handle(request: Request<'_>) -> Answer {
    let [command, address, count, ..] = request.args;
    let state = &mut *request.state;
    // SAFETY: each operation takes as many structures as the third register says, of the kind that
    // public/grant_table.h pairs with it.
    unsafe {
        match command as u32 {
            abi::GNTTABOP_QUERY_SIZE => {
                let mut arg: QuerySize = read(address)?;
                match state.living(arg.dom) {
                    Ok(domain) => {
                        arg.nr_frames = 1;
                        arg.max_nr_frames = domain.max_grant_frames;
                        arg.status = GrantStatus::OKAY;
                    }
                    Err(_) => arg.status = GrantStatus::BAD_DOMAIN,
                }
                write(address, &arg)?;
            }
            abi::GNTTABOP_MAP_GRANT_REF => {
                for n in 0..count as usize {
                    let mut arg: MapGrantRef = read_nth(address, n)?;
                    let known = state.living(arg.dom).is_ok();
                    arg.status = if known { GrantStatus::BAD_GNTREF } else { GrantStatus::BAD_DOMAIN };
                    write_nth(address, n, &arg)?;
                }
            }
            abi::GNTTABOP_UNMAP_GRANT_REF => {
                for n in 0..count as usize {
                    let mut arg: UnmapGrantRef = read_nth(address, n)?;
                    arg.status = GrantStatus::BAD_HANDLE;
                    write_nth(address, n, &arg)?;
                }
            }
            abi::GNTTABOP_COPY => {
                let fail = request.state.faults.element(request.op, count as usize);
                for n in 0..count as usize {
                    let mut arg: GrantCopy = read_nth(address, n)?;
                    arg.status = match fail {
                        Some((which, _)) if which == n => GrantStatus::GENERAL_ERROR,
                        _ => copy(request.state, &arg),
                    };
                    write_nth(address, n, &arg)?;
                }
            }
            abi::GNTTABOP_SET_VERSION => {
                let arg: SetVersion = read(address)?;
                if !(1..=2).contains(&arg.version) {
                    return Err(Errno::EINVAL);
                }
                state.domain(xen_abi::DomId(0))?.grant_version = arg.version;
            }
            abi::GNTTABOP_GET_VERSION => {
                let mut arg: GetVersion = read(address)?;
                arg.version = state.domain(arg.dom)?.grant_version;
                write(address, &arg)?;
            }
            _ => return Err(Errno::ENOSYS),
        }
    }
    Ok(0)
}

/// Copies from a frame of domain 0 to a page that a domain grants to it: the one kind of copy that is simulated.
fn copy(state: &mut State, arg: &GrantCopy) -> GrantStatus {
    let ours = state.own_if_self(arg.source.domid) == DomId(0) && arg.flags == abi::GNTCOPY_DEST_GREF;
    let len = usize::from(arg.len);
    let fits = |offset: u16| usize::from(offset) + len <= PAGE_SIZE;
    if !ours || !fits(arg.source.offset) || !fits(arg.dest.offset) {
        return GrantStatus::BAD_COPY_ARG;
    }
    let Some(from) = state.machine_frame(DomId(0), Gfn(arg.source.u)) else { return GrantStatus::BAD_PAGE };
    let to = match granted(state, arg.dest.domid, arg.dest.u) {
        Ok(to) => to,
        Err(status) => return status,
    };
    let mut bytes = vec![0; len];
    state.arena.read(from, arg.source.offset.into(), &mut bytes);
    state.arena.write(to, arg.dest.offset.into(), &bytes);
    GrantStatus::OKAY
}

/// The page that a domain grants to domain 0 for writing.
fn granted(state: &mut State, dom: DomId, grant: u64) -> Result<Mfn, GrantStatus> {
    let table = state.living(dom).map_err(|_| GrantStatus::BAD_DOMAIN)?.grant_table;
    let at = grant as usize * size_of::<GrantEntryV1>();
    let table = table.filter(|_| at < PAGE_SIZE).ok_or(GrantStatus::BAD_GNTREF)?;
    let mut bytes = [0; size_of::<GrantEntryV1>()];
    state.arena.read(table, at, &mut bytes);
    let entry = GrantEntryV1::read_from_bytes(&bytes).map_err(|_| GrantStatus::GENERAL_ERROR)?;
    if entry.flags & (abi::GTF_TYPE_MASK | abi::GTF_READONLY) != abi::GTF_PERMIT_ACCESS || entry.domid.0 != 0
    {
        return Err(GrantStatus::GENERAL_ERROR);
    }
    state.machine_frame(dom, Gfn(u64::from(entry.frame))).ok_or(GrantStatus::BAD_PAGE)
}
