//! Grant tables: versions and sizes. Nobody grants anything here, so that nothing can be mapped.
//! Source: public/grant_table.h.

use xen_abi::Errno;
use xen_abi::grant_table::{
    self as abi, GetVersion, GrantStatus, MapGrantRef, QuerySize, SetVersion, UnmapGrantRef,
};

use super::{Answer, Request};
use crate::access::{read, read_nth, write, write_nth};

/// # Safety
/// As for [`hypercall::Door::call`].
pub(super) unsafe fn handle(request: Request<'_>) -> Answer {
    let Request { state, args: [command, address, count, ..], .. } = request;
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
