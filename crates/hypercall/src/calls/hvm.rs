//! Parameters of HVM and PVH domains. Source: public/hvm/hvm_op.h and public/hvm/params.h.

use xen_abi::hvm::hvm_op::{
    EvtchnUpcallVector, HVMOP_GET_PARAM, HVMOP_SET_EVTCHN_UPCALL_VECTOR, HVMOP_SET_PARAM, HvmParam,
};
use xen_abi::{DomId, VcpuId};

use crate::Nr;
use crate::call::{Call, Op, nothing};

// SAFETY: public/hvm/hvm_op.h pairs them; there is no guest handle.
const SET_PARAM: Op<HvmParam> = unsafe { Op::new("HVMOP_set_param", Nr::HVM_OP, HVMOP_SET_PARAM) };
// SAFETY: public/hvm/hvm_op.h pairs them; there is no guest handle.
const GET_PARAM: Op<HvmParam> = unsafe { Op::new("HVMOP_get_param", Nr::HVM_OP, HVMOP_GET_PARAM) };
// SAFETY: public/hvm/hvm_op.h pairs them; there is no guest handle.
const SET_UPCALL: Op<EvtchnUpcallVector> =
    unsafe { Op::new("HVMOP_set_evtchn_upcall_vector", Nr::HVM_OP, HVMOP_SET_EVTCHN_UPCALL_VECTOR) };

/// Sets the parameter `HVM_PARAM_...` of `dom`.
///
/// Hypercall: `HVMOP_set_param`. Fails with `ESRCH`: no such domain; `EINVAL`: no such parameter or value;
/// `EEXIST`: can be set only once; `EPERM`: not by us.
#[must_use]
pub fn set_param(dom: DomId, index: u32, value: u64) -> Call<()> {
    SET_PARAM.call(HvmParam { domid: dom, pad: 0, index, value }, nothing)
}

/// Reads the parameter `HVM_PARAM_...` of `dom`.
///
/// Hypercall: `HVMOP_get_param`. Fails with `ESRCH`: no such domain; `EINVAL`: no such parameter.
#[must_use]
pub fn param(dom: DomId, index: u32) -> Call<u64> {
    GET_PARAM.call(HvmParam { domid: dom, pad: 0, index, value: 0 }, |reply| reply.arg::<HvmParam>().value)
}

/// Says which vector brings events to a vCPU of ours.
///
/// Hypercall: `HVMOP_set_evtchn_upcall_vector`. Fails with `EINVAL`: vector below 16; `ENOENT`: no such
/// vCPU.
#[must_use]
pub fn set_upcall_vector(vcpu: VcpuId, vector: u8) -> Call<()> {
    SET_UPCALL.call(EvtchnUpcallVector { vcpu, vector, _pad: [0; 3] }, nothing)
}
