//! Operations on HVM and PVH domains. Source: public/hvm/hvm_op.h.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{DomId, VcpuId};

constants! {
    /// Sets a parameter.
    HVMOP_SET_PARAM: u32 = 0;
    /// Reads a parameter.
    HVMOP_GET_PARAM: u32 = 1;
    /// Says which vector brings a vCPU's events.
    HVMOP_SET_EVTCHN_UPCALL_VECTOR: u32 = 23;
}

/// Argument of set_param and get_param. C: `struct xen_hvm_param`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HvmParam {
    /// In: the domain.
    pub domid: DomId,
    /// Zero.
    pub pad: u16,
    /// In: `HVM_PARAM_...`.
    pub index: u32,
    /// In or out: its value.
    pub value: u64,
}
assert_layout!(HvmParam = "xen_hvm_param", 4.x 14 to 22, size 16, domid @ 0, pad @ 2, index @ 4, value @ 8);

/// Argument of set_evtchn_upcall_vector. C: `struct xen_hvm_evtchn_upcall_vector`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct EvtchnUpcallVector {
    /// In: the vCPU.
    pub vcpu: VcpuId,
    /// In: the vector.
    pub vector: u8,
    /// Zero.
    pub _pad: [u8; 3],
}
assert_layout!(
    EvtchnUpcallVector = "xen_hvm_evtchn_upcall_vector", 4.x 14 to 22, size 8,
    vcpu @ 0, vector @ 4, _pad @ 5,
);
