//! getdomaininfo and getvcpuinfo: one typed answer over three layouts.

use xen_abi::domctl::{
    self as abi, GetDomainInfo414, GetDomainInfo415, GetDomainInfo416, GetVcpuInfo, XEN_DOMINF_SHUTDOWNMASK,
    XEN_DOMINF_SHUTDOWNSHIFT,
};
use xen_abi::{DomId, Mfn, Pages, VcpuId};
use zerocopy::FromZeros;

use super::{Flat, payload};
use crate::call::Call;
use crate::{Abi, DomainInfo, ShutdownReason, VcpuState};

macro_rules! layouts {
    ($($command:ident: $payload:ident;)*) => {$(
        const $command: Flat<$payload> = {
            // SAFETY: public/domctl.h of the release in the type's name pairs them, and `domain_info` uses
            // the command for those releases only; there is no guest handle.
            unsafe { Flat::new("XEN_DOMCTL_getdomaininfo", abi::XEN_DOMCTL_GETDOMAININFO) }
        };

        impl From<$payload> for DomainInfo {
            fn from(raw: $payload) -> Self {
                let has = |flag| raw.flags & flag != 0;
                let reason = (raw.flags >> XEN_DOMINF_SHUTDOWNSHIFT) & XEN_DOMINF_SHUTDOWNMASK;
                DomainInfo {
                    id: raw.domain,
                    dying: has(abi::XEN_DOMINF_DYING),
                    hvm: has(abi::XEN_DOMINF_HVM_GUEST),
                    shutdown: has(abi::XEN_DOMINF_SHUTDOWN).then_some(ShutdownReason(reason)),
                    paused: has(abi::XEN_DOMINF_PAUSED),
                    blocked: has(abi::XEN_DOMINF_BLOCKED),
                    running: has(abi::XEN_DOMINF_RUNNING),
                    debugged: has(abi::XEN_DOMINF_DEBUGGED),
                    xenstore: has(abi::XEN_DOMINF_XS_DOMAIN),
                    hap: has(abi::XEN_DOMINF_HAP),
                    pages: Pages(raw.tot_pages),
                    max_pages: Pages(raw.max_pages),
                    outstanding_pages: Pages(raw.outstanding_pages),
                    shared_pages: Pages(raw.shr_pages),
                    paged_pages: Pages(raw.paged_pages),
                    shared_info: Mfn(raw.shared_info_frame),
                    cpu_time: raw.cpu_time,
                    online_vcpus: raw.nr_online_vcpus,
                    max_vcpu: (raw.max_vcpu_id != u32::MAX).then_some(VcpuId(raw.max_vcpu_id)),
                    ssidref: raw.ssidref,
                    handle: raw.handle,
                    cpupool: raw.cpupool,
                }
            }
        }
    )*};
}

layouts! {
    V414: GetDomainInfo414;
    V415: GetDomainInfo415;
    V416: GetDomainInfo416;
}

/// What Xen knows of a domain.
///
/// Older releases answer about the next domain, if there is none with this identifier:
/// [`Xen::domain_info`](crate::Xen::domain_info) turns that into `ESRCH`.
///
/// Hypercall: `XEN_DOMCTL_getdomaininfo`.
#[must_use]
pub fn domain_info(abi: Abi, dom: DomId) -> Call<DomainInfo> {
    match abi.release() {
        ..15 => {
            V414.call(abi, dom, GetDomainInfo414::new_zeroed(), |r| payload::<GetDomainInfo414>(r).into())
        }
        15 => V415.call(abi, dom, GetDomainInfo415::new_zeroed(), |r| payload::<GetDomainInfo415>(r).into()),
        16.. => {
            V416.call(abi, dom, GetDomainInfo416::new_zeroed(), |r| payload::<GetDomainInfo416>(r).into())
        }
    }
}

/// Bytes of an element of getdomaininfolist.
pub(crate) fn info_size(abi: Abi) -> usize {
    match abi.release() {
        ..15 => size_of::<GetDomainInfo414>(),
        15 => size_of::<GetDomainInfo415>(),
        16.. => size_of::<GetDomainInfo416>(),
    }
}

// SAFETY: public/domctl.h pairs them, in all releases; there is no guest handle.
const VCPU_INFO: Flat<GetVcpuInfo> =
    unsafe { Flat::new("XEN_DOMCTL_getvcpuinfo", abi::XEN_DOMCTL_GETVCPUINFO) };

/// What Xen knows of a vCPU.
///
/// Hypercall: `XEN_DOMCTL_getvcpuinfo`. Fails with `ESRCH`, `EINVAL`: no such vCPU.
#[must_use]
pub fn vcpu_info(abi: Abi, dom: DomId, vcpu: VcpuId) -> Call<VcpuState> {
    let argument = GetVcpuInfo { vcpu: vcpu.0, ..GetVcpuInfo::new_zeroed() };
    VCPU_INFO.call(abi, dom, argument, |reply| {
        let raw: GetVcpuInfo = payload(reply);
        VcpuState {
            online: raw.online != 0,
            blocked: raw.blocked != 0,
            running: raw.running != 0,
            cpu_time: raw.cpu_time,
            cpu: raw.cpu,
        }
    })
}
