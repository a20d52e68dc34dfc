//! Domain 0's own vCPUs. Source: public/vcpu.h.

use xen_abi::Errno;
use xen_abi::vcpu::{
    RegisterVcpuInfo, RunstateInfo, SetPeriodicTimer, SetSingleshotTimer, VCPUOP_GET_RUNSTATE_INFO,
    VCPUOP_IS_UP, VCPUOP_REGISTER_VCPU_INFO, VCPUOP_SET_PERIODIC_TIMER, VCPUOP_SET_SINGLESHOT_TIMER,
    VCPUOP_STOP_PERIODIC_TIMER, VCPUOP_STOP_SINGLESHOT_TIMER,
};
use xen_abi::xen::VcpuInfo;
use zerocopy::FromZeros;

use super::{Answer, Request};
use crate::access::{read, write};

/// # Safety
/// As for [`hypercall::Door::call`].
pub(super) unsafe fn handle(request: Request<'_>) -> Answer {
    let Request { state, args: [command, vcpu, address, ..], .. } = request;
    if vcpu != 0 {
        return Err(Errno::ENOENT);
    }
    // SAFETY: each operation takes the structure that public/vcpu.h pairs with it.
    unsafe {
        match command as u32 {
            VCPUOP_IS_UP => return Ok(1),
            VCPUOP_STOP_PERIODIC_TIMER => {}
            VCPUOP_SET_PERIODIC_TIMER => {
                if read::<SetPeriodicTimer>(address)?.period_ns < 1_000_000 {
                    return Err(Errno::EINVAL);
                }
            }
            VCPUOP_SET_SINGLESHOT_TIMER => {
                state.timer = Some(read::<SetSingleshotTimer>(address)?.timeout_abs_ns);
            }
            VCPUOP_STOP_SINGLESHOT_TIMER => state.timer = None,
            VCPUOP_GET_RUNSTATE_INFO => write(address, &RunstateInfo::new_zeroed())?,
            VCPUOP_REGISTER_VCPU_INFO => {
                let arg: RegisterVcpuInfo = read(address)?;
                if arg.offset as usize > 4096 - size_of::<VcpuInfo>() {
                    return Err(Errno::EINVAL);
                }
            }
            _ => return Err(Errno::ENOSYS),
        }
    }
    Ok(0)
}
