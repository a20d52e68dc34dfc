//! createdomain: one typed call over six layouts.

use xen_abi::DomId;
use xen_abi::arch_x86::xen::{ArchDomainConfig414, ArchDomainConfig415, XEN_X86_MSR_RELAXED};
use xen_abi::domctl::{
    self as abi, Altp2mOptions, CreateDomain414, CreateDomain415, CreateDomain416, CreateDomain417,
    CreateDomain419, CreateDomain421, Domctl,
};
use xen_abi::xen::DOMID_ANY;

use super::Flat;
use crate::call::{Call, Reply};
use crate::{Abi, CreateDomain};

const NAME: &str = "XEN_DOMCTL_createdomain";

/// The first domctl interface in which `DOMID_ANY`, not 0, asks for any free domain: 4.22's.
const ANY_BY_NAME: u32 = 0x18;

macro_rules! commands {
    ($($name:ident: $payload:ty;)*) => {$(
        // SAFETY: public/domctl.h of the release in the type's name pairs them, and `create_domain` uses the
        // command for those releases only; there is no guest handle.
        const $name: Flat<$payload> = unsafe { Flat::new(NAME, abi::XEN_DOMCTL_CREATEDOMAIN) };
    )*};
}

commands! {
    V414: CreateDomain414;
    V415: CreateDomain415;
    V416: CreateDomain416;
    V417: CreateDomain417;
    V419: CreateDomain419;
    V421: CreateDomain421;
}

fn created(reply: &Reply<'_>) -> DomId {
    reply.arg::<Domctl>().domain
}

/// Creates a domain without vCPUs and memory, paused; answers which.
///
/// Nothing destroys it again: see [`Xen::create_domain`](crate::Xen::create_domain).
///
/// Hypercall: `XEN_DOMCTL_createdomain`. Fails with `EINVAL`: a wish that Xen cannot fulfil; `ENOMEM`: no
/// memory, or no identifier is free.
#[must_use]
pub fn create_domain(abi: Abi, wish: &CreateDomain) -> Call<DomId> {
    let any = if abi.domctl >= ANY_BY_NAME { DOMID_ANY } else { DomId(0) };
    // The fields of all releases, under the names that the structures give them.
    let CreateDomain {
        ssidref,
        handle,
        max_vcpus,
        max_evtchn_port,
        max_grant_frames,
        max_maptrack_frames,
        ..
    } = *wish;
    let flags = wish.flags.bits();
    let iommu_opts = 0;
    let grant_opts = wish.max_grant_version & abi::XEN_DOMCTL_GRANT_VERSION_MASK;
    let vmtrace_size = wish.vmtrace_size;
    let cpupool_id = wish.cpupool;
    let emulation_flags = wish.emulation.bits();
    let misc_flags = if wish.relaxed_msrs { XEN_X86_MSR_RELAXED } else { 0 };
    let arch = ArchDomainConfig415 { emulation_flags, misc_flags };

    macro_rules! layout {
        ($command:ident, $type:ident, $arch:expr $(, $field:ident $(: $value:expr)?)*) => {
            $command.call(
                abi,
                any,
                $type {
                    ssidref,
                    handle,
                    flags,
                    iommu_opts,
                    max_vcpus,
                    max_evtchn_port,
                    max_grant_frames,
                    max_maptrack_frames,
                    arch: $arch,
                    $($field $(: $value)?),*
                },
                created,
            )
        };
    }
    match abi.release() {
        ..15 => layout!(V414, CreateDomain414, ArchDomainConfig414 { emulation_flags }),
        15 => layout!(V415, CreateDomain415, arch, vmtrace_size),
        16 => layout!(V416, CreateDomain416, arch, grant_opts, vmtrace_size),
        17..19 => layout!(V417, CreateDomain417, arch, grant_opts, vmtrace_size, cpupool_id),
        19..21 => {
            layout!(V419, CreateDomain419, arch, grant_opts, altp2m_opts: 0, vmtrace_size, cpupool_id)
        }
        21.. => {
            let altp2m = Altp2mOptions { opts: 0, nr: 0 };
            layout!(V421, CreateDomain421, arch, grant_opts, altp2m, vmtrace_size, cpupool_id)
        }
    }
}
