//! What Xen tells of domains and vCPUs.

use xen_abi::domctl::{
    Domctl, GetDomainInfo414, GetDomainInfo415, GetDomainInfo416, GetVcpuInfo, XEN_DOMCTL_CDF_HAP,
    XEN_DOMINF_BLOCKED, XEN_DOMINF_DYING, XEN_DOMINF_HAP, XEN_DOMINF_HVM_GUEST, XEN_DOMINF_PAUSED,
    XEN_DOMINF_SHUTDOWN, XEN_DOMINF_SHUTDOWNSHIFT,
};
use xen_abi::{DomId, Errno};
use zerocopy::FromZeros;

use crate::domain::Domain;
use crate::state::State;

fn flags(id: DomId, domain: &Domain) -> u32 {
    let flag = |yes: bool, bit: u32| if yes { bit } else { 0 };
    flag(domain.dying, XEN_DOMINF_DYING)
        | flag(domain.hvm(), XEN_DOMINF_HVM_GUEST)
        | flag(domain.flags & XEN_DOMCTL_CDF_HAP != 0, XEN_DOMINF_HAP)
        | flag(domain.pauses > 0, XEN_DOMINF_PAUSED)
        // No guest code runs, so that every guest waits, once it was let run and until it has shut down; the caller runs.
        | flag(id.0 != 0 && domain.started && domain.shutdown.is_none(), XEN_DOMINF_BLOCKED)
        | flag(id.0 == 0, xen_abi::domctl::XEN_DOMINF_RUNNING)
        | domain.shutdown.map_or(0, |reason| XEN_DOMINF_SHUTDOWN | reason << XEN_DOMINF_SHUTDOWNSHIFT)
}

macro_rules! layouts {
    ($($name:ident: $type:ident;)*) => {$(
        /// The answer in the layout of this release.
        pub(in crate::ops) fn $name(id: DomId, domain: &Domain) -> $type {
            let mut info = $type::new_zeroed();
            info.domain = id;
            info.flags = flags(id, domain);
            info.tot_pages = domain.pages;
            info.max_pages = domain.max_pages;
            info.nr_online_vcpus = domain.vcpus.iter().filter(|vcpu| vcpu.up).count() as u32;
            info.max_vcpu_id = (domain.vcpus.len() as u32).wrapping_sub(1);
            info.cpu_time = domain.vcpus.iter().map(|vcpu| vcpu.cpu_time).sum();
            info.ssidref = domain.ssidref;
            info.handle = domain.handle;
            info.cpupool = domain.cpupool;
            info.arch_config.emulation_flags = domain.emulation;
            info
        }
    )*};
}

layouts! {
    v414: GetDomainInfo414;
    v415: GetDomainInfo415;
    v416: GetDomainInfo416;
}

/// Releases before this one (4.x) answer the next domain where there is none with the identifier.
const EXACT: u16 = 18;

/// What `XEN_DOMCTL_getdomaininfo` does.
pub(super) fn answer(state: &State, arg: &mut Domctl) -> Result<(), Errno> {
    let minor = state.config.minor;
    let found = if minor < EXACT {
        state.domains.range(arg.domain..).next()
    } else {
        state.domains.get_key_value(&arg.domain)
    };
    let (id, domain) = found.ok_or(Errno::ESRCH)?;
    arg.domain = *id;
    match minor {
        ..15 => super::answer(arg, &v414(*id, domain)),
        15 => super::answer(arg, &v415(*id, domain)),
        16.. => super::answer(arg, &v416(*id, domain)),
    }
    Ok(())
}

/// What `XEN_DOMCTL_getvcpuinfo` does.
pub(super) fn vcpu(domain: &Domain, own: &mut GetVcpuInfo) -> Result<(), Errno> {
    if own.vcpu >= domain.max_vcpus {
        return Err(Errno::EINVAL);
    }
    let vcpu = domain.vcpus.get(own.vcpu as usize).ok_or(Errno::ESRCH)?;
    own.online = u8::from(vcpu.up);
    own.blocked = u8::from(vcpu.up && !vcpu.running);
    own.running = u8::from(vcpu.running);
    own.cpu_time = vcpu.cpu_time;
    own.cpu = vcpu.processor;
    Ok(())
}
