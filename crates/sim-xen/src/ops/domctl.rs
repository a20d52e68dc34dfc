//! Operations on domains. Source: public/domctl.h.

pub(super) mod info;
mod schedule;

use xen_abi::domctl::{
    self as abi, Domctl, GetVcpuInfo, HvmContext, MaxMem, MaxVcpus, PagingMempool, SendTrigger,
    SetDomainHandle, SetTimeOffset, ShadowOp, TscInfo, VcpuContext,
};
use xen_abi::{DomId, Errno, KiB, PAGE_SIZE};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::{Answer, Request};
use crate::access::{read, read_many, write};
use crate::context;
use crate::domain::{VCPU_OVERHEAD, Vcpu};
use crate::state::State;

const US: DomId = DomId(0);

/// The command's own structure.
pub(super) fn payload<P: FromBytes>(arg: &Domctl) -> P {
    let Ok((payload, _)) = P::read_from_prefix(arg.u.as_bytes()) else {
        unreachable!("no command's is longer")
    };
    payload
}

pub(super) fn answer<P: IntoBytes + Immutable>(arg: &mut Domctl, payload: &P) {
    arg.u.as_mut_bytes()[..size_of::<P>()].copy_from_slice(payload.as_bytes());
}

/// # Safety
/// As for [`hypercall::Door::call`].
pub(super) unsafe fn handle(request: Request<'_>) -> Answer {
    let Request { state, args: [address, ..], .. } = request;
    // SAFETY: every domctl takes a `Domctl`.
    let mut arg: Domctl = unsafe { read(address)? };
    if arg.interface_version != state.domctl_version() {
        return Err(Errno::EACCES);
    }
    match arg.cmd {
        abi::XEN_DOMCTL_CREATEDOMAIN => arg.domain = state.create(&arg)?,
        abi::XEN_DOMCTL_GETDOMAININFO => info::answer(state, &mut arg)?,
        _ => {
            // Domctls take identifiers, not names: `DOMID_SELF` is nobody.
            if !state.domains.contains_key(&arg.domain) {
                return Err(Errno::ESRCH);
            }
            // SAFETY: buffers are as long as the command's own structure says.
            unsafe { on_domain(state, &mut arg)? };
        }
    }
    // SAFETY: as above.
    unsafe { write(address, &arg)? };
    Ok(0)
}

/// # Safety
/// Buffers are as long as the command's own structure says.
unsafe fn on_domain(state: &mut State, arg: &mut Domctl) -> Result<(), Errno> {
    let id = arg.domain;
    let minor = state.config.minor;
    match arg.cmd {
        abi::XEN_DOMCTL_DESTROYDOMAIN => state.destroy(id)?,
        abi::XEN_DOMCTL_PAUSEDOMAIN => {
            not_us(id)?;
            state.domain(id)?.pauses += 1;
        }
        abi::XEN_DOMCTL_UNPAUSEDOMAIN => {
            let domain = state.domain(id)?;
            domain.pauses = domain.pauses.checked_sub(1).ok_or(Errno::EINVAL)?;
            domain.started = true;
        }
        abi::XEN_DOMCTL_RESUMEDOMAIN => {
            not_us(id)?;
            state.domain(id)?.shutdown = None;
        }
        abi::XEN_DOMCTL_MAX_VCPUS => max_vcpus(state, id, payload::<MaxVcpus>(arg).max)?,
        abi::XEN_DOMCTL_MAX_MEM => state.domain(id)?.max_pages = KiB(payload::<MaxMem>(arg).max_memkb).0 >> 2,
        abi::XEN_DOMCTL_SET_PAGING_MEMPOOL_SIZE if minor >= 17 => {
            let PagingMempool { size } = payload(arg);
            if !size.is_multiple_of(PAGE_SIZE as u64) {
                return Err(Errno::EINVAL);
            }
            set_pool(state, id, size / PAGE_SIZE as u64)?;
        }
        abi::XEN_DOMCTL_GET_PAGING_MEMPOOL_SIZE if minor >= 17 => {
            let size = state.domain(id)?.pool * PAGE_SIZE as u64;
            answer(arg, &PagingMempool { size });
        }
        abi::XEN_DOMCTL_SHADOW_OP => {
            let mut own: ShadowOp = payload(arg);
            match own.op {
                abi::XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION => set_pool(state, id, u64::from(own.mb) << 8)?,
                abi::XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION => {
                    own.mb = state.domain(id)?.pool.div_ceil(256) as u32;
                }
                _ => return Err(Errno::EINVAL),
            }
            answer(arg, &own);
        }
        abi::XEN_DOMCTL_SETTSCINFO => {
            not_us(id)?;
            let TscInfo { tsc_mode, .. } = payload(arg);
            if tsc_mode > 2 {
                return Err(Errno::EINVAL);
            }
            state.domain(id)?.tsc_mode = tsc_mode;
        }
        abi::XEN_DOMCTL_SETDOMAINHANDLE => state.domain(id)?.handle = payload::<SetDomainHandle>(arg).handle,
        abi::XEN_DOMCTL_SETTIMEOFFSET => {
            state.domain(id)?.time_offset = payload::<SetTimeOffset>(arg).time_offset_seconds;
        }
        abi::XEN_DOMCTL_SENDTRIGGER => {
            let own: SendTrigger = payload(arg);
            let vcpus = state.domain(id)?.vcpus.len() as u32;
            match own.trigger {
                abi::XEN_DOMCTL_SENDTRIGGER_NMI if own.vcpu < vcpus => {}
                // A PVH guest has no buttons.
                abi::XEN_DOMCTL_SENDTRIGGER_POWER | abi::XEN_DOMCTL_SENDTRIGGER_SLEEP => {}
                abi::XEN_DOMCTL_SENDTRIGGER_NMI => return Err(Errno::ESRCH),
                _ => return Err(Errno::ENOSYS),
            }
        }
        abi::XEN_DOMCTL_GETVCPUINFO => {
            let mut own: GetVcpuInfo = payload(arg);
            info::vcpu(state.domain(id)?, &mut own)?;
            answer(arg, &own);
        }
        abi::XEN_DOMCTL_GETVCPUCONTEXT => {
            let own: VcpuContext = payload(arg);
            not_us(id)?;
            let vcpu = state.domain(id)?.vcpus.get(own.vcpu as usize).ok_or(Errno::EINVAL)?;
            let registers = context::registers(vcpu).ok_or(Errno::ENODATA)?;
            // SAFETY: the caller's promise.
            unsafe { write(own.ctxt, &registers)? };
        }
        abi::XEN_DOMCTL_GETHVMCONTEXT => {
            not_us(id)?;
            let mut own: HvmContext = payload(arg);
            // SAFETY: the caller's promise.
            unsafe { get_context(state, id, &mut own)? };
            answer(arg, &own);
        }
        abi::XEN_DOMCTL_SETHVMCONTEXT => {
            not_us(id)?;
            let own: HvmContext = payload(arg);
            // SAFETY: the caller's promise.
            let records: Vec<u8> = unsafe { read_many(own.buffer, own.size as usize)? };
            context::load(state.domain(id)?, &records)?;
        }
        // SAFETY: the caller's promise.
        _ => unsafe { schedule::handle(state, arg)? },
    }
    Ok(())
}

fn not_us(id: DomId) -> Result<(), Errno> {
    if id == US { Err(Errno::EINVAL) } else { Ok(()) }
}

fn max_vcpus(state: &mut State, id: DomId, count: u32) -> Result<(), Errno> {
    not_us(id)?;
    let domain = state.domain(id)?;
    if count != domain.max_vcpus {
        return Err(Errno::EINVAL);
    }
    let missing = u64::from(count) - domain.vcpus.len() as u64;
    if state.free_pages() < missing * VCPU_OVERHEAD {
        return Err(Errno::ENOMEM);
    }
    state.domain(id)?.vcpus.resize(count as usize, Vcpu::new());
    Ok(())
}

fn set_pool(state: &mut State, id: DomId, pages: u64) -> Result<(), Errno> {
    not_us(id)?;
    let more = pages.saturating_sub(state.domain(id)?.pool);
    if state.free_pages() < more {
        return Err(Errno::ENOMEM);
    }
    state.living(id)?.pool = pages;
    Ok(())
}

/// # Safety
/// The buffer is as long as the structure says.
unsafe fn get_context(state: &mut State, id: DomId, own: &mut HvmContext) -> Result<(), Errno> {
    let domain = state.domain(id)?;
    if !domain.hvm() {
        return Err(Errno::EINVAL);
    }
    let records = context::save(domain);
    if own.buffer != 0 {
        if (own.size as usize) < records.len() {
            return Err(Errno::ENOSPC);
        }
        // SAFETY: the caller's promise.
        unsafe { write(own.buffer, records.as_slice())? };
    }
    own.size = records.len() as u32;
    Ok(())
}
