//! Parameters of HVM domains. Source: public/hvm/hvm_op.h.

use xen_abi::hvm::hvm_op::{
    EvtchnUpcallVector, HVMOP_GET_PARAM, HVMOP_SET_EVTCHN_UPCALL_VECTOR, HVMOP_SET_PARAM, HvmParam,
};
use xen_abi::hvm::params::HVM_NR_PARAMS;
use xen_abi::{Errno, VcpuId};

use super::{Answer, Request};
use crate::access::{read, write};

/// # Safety
/// As for [`hypercall::Door::call`].
pub(super) unsafe fn handle(request: Request<'_>) -> Answer {
    let Request { state, args: [command, address, ..], .. } = request;
    // SAFETY: each operation takes the structure that public/hvm/hvm_op.h pairs with it.
    unsafe {
        match command as u32 {
            HVMOP_SET_PARAM => {
                let arg: HvmParam = read(address)?;
                param(state.living(arg.domid)?.hvm(), arg.index)?;
                state.living(arg.domid)?.params.insert(arg.index, arg.value);
            }
            HVMOP_GET_PARAM => {
                let mut arg: HvmParam = read(address)?;
                param(state.domain(arg.domid)?.hvm(), arg.index)?;
                arg.value = state.domain(arg.domid)?.params.get(&arg.index).copied().unwrap_or(0);
                write(address, &arg)?;
            }
            HVMOP_SET_EVTCHN_UPCALL_VECTOR => {
                let arg: EvtchnUpcallVector = read(address)?;
                if arg.vector < 0x10 {
                    return Err(Errno::EINVAL);
                }
                if arg.vcpu != VcpuId(0) {
                    return Err(Errno::ENOENT);
                }
            }
            _ => return Err(Errno::ENOSYS),
        }
    }
    Ok(0)
}

fn param(hvm: bool, index: u32) -> Result<(), Errno> {
    if hvm && index < HVM_NR_PARAMS { Ok(()) } else { Err(Errno::EINVAL) }
}
