//! createdomain: six layouts of one wish, and what Xen demands of it.

use std::collections::BTreeMap;

use xen_abi::arch_x86::xen::{
    XEN_X86_EMU_ALL, XEN_X86_EMU_LAPIC, XEN_X86_EMU_USE_PIRQ, XEN_X86_EMU_VPCI, XEN_X86_MSR_RELAXED,
};
use xen_abi::domctl::{
    CreateDomain414, CreateDomain415, CreateDomain416, CreateDomain417, CreateDomain419, CreateDomain421,
    Domctl, XEN_DOMCTL_CDF_HAP, XEN_DOMCTL_CDF_HVM, XEN_DOMCTL_CDF_IOMMU, XEN_DOMCTL_CDF_VPMU,
};
use xen_abi::xen::{DOMID_ANY, DOMID_FIRST_RESERVED};
use xen_abi::{DomId, Errno};

use super::domctl::payload;
use crate::domain::{DEFAULT_SHARE, DOMAIN_OVERHEAD, Domain};
use crate::ports::Ports;
use crate::state::State;

/// The most vCPUs of an HVM domain: `HVM_MAX_VCPUS`.
const HVM_MAX_VCPUS: u32 = 128;

/// What all layouts say.
struct Wish {
    ssidref: u32,
    handle: [u8; 16],
    flags: u32,
    iommu_opts: u32,
    max_vcpus: u32,
    max_evtchn_port: u32,
    max_grant_frames: u32,
    grant_version: u32,
    vmtrace_size: u32,
    altp2m: u32,
    cpupool: u32,
    emulation: u32,
    misc: u32,
}

fn wish(minor: u16, arg: &Domctl) -> Wish {
    macro_rules! layout {
        ($type:ident, |$raw:ident| { $($field:ident: $value:expr),* $(,)? }) => {{
            let $raw: $type = payload(arg);
            let defaults = Wish {
                ssidref: $raw.ssidref,
                handle: $raw.handle,
                flags: $raw.flags,
                iommu_opts: $raw.iommu_opts,
                max_vcpus: $raw.max_vcpus,
                max_evtchn_port: $raw.max_evtchn_port,
                max_grant_frames: $raw.max_grant_frames,
                grant_version: 2,
                vmtrace_size: 0,
                altp2m: 0,
                cpupool: 0,
                emulation: $raw.arch.emulation_flags,
                misc: 0,
            };
            Wish { $($field: $value,)* ..defaults }
        }};
    }
    match minor {
        ..15 => layout!(CreateDomain414, |raw| {}),
        15 => layout!(CreateDomain415, |raw| { vmtrace_size: raw.vmtrace_size, misc: raw.arch.misc_flags }),
        16 => layout!(CreateDomain416, |raw| {
            vmtrace_size: raw.vmtrace_size, misc: raw.arch.misc_flags, grant_version: raw.grant_opts,
        }),
        17..19 => layout!(CreateDomain417, |raw| {
            vmtrace_size: raw.vmtrace_size, misc: raw.arch.misc_flags, grant_version: raw.grant_opts,
            cpupool: raw.cpupool_id,
        }),
        19..21 => layout!(CreateDomain419, |raw| {
            vmtrace_size: raw.vmtrace_size, misc: raw.arch.misc_flags, grant_version: raw.grant_opts,
            cpupool: raw.cpupool_id, altp2m: raw.altp2m_opts,
        }),
        21.. => layout!(CreateDomain421, |raw| {
            vmtrace_size: raw.vmtrace_size, misc: raw.arch.misc_flags, grant_version: raw.grant_opts,
            cpupool: raw.cpupool_id, altp2m: u32::from(raw.altp2m.opts) | u32::from(raw.altp2m.nr),
        }),
    }
}

impl Wish {
    /// What Xen demands.
    fn check(&self) -> Result<(), Errno> {
        let has = |flag| self.flags & flag != 0;
        let hvm = has(XEN_DOMCTL_CDF_HVM);
        let pvh_or_hvm = self.emulation == XEN_X86_EMU_LAPIC
            || self.emulation & !XEN_X86_EMU_USE_PIRQ
                == XEN_X86_EMU_ALL & !(XEN_X86_EMU_VPCI | XEN_X86_EMU_USE_PIRQ);
        let good = self.flags < 0x200
            && self.max_vcpus >= 1
            && (!hvm || self.max_vcpus <= HVM_MAX_VCPUS)
            && (hvm || !has(XEN_DOMCTL_CDF_HAP))
            // This host has neither an IOMMU nor the rest.
            && !has(XEN_DOMCTL_CDF_IOMMU | XEN_DOMCTL_CDF_VPMU)
            && self.iommu_opts == 0
            && self.vmtrace_size == 0
            && self.altp2m == 0
            && (1..=2).contains(&self.grant_version)
            && self.max_grant_frames > 0
            && self.misc & !XEN_X86_MSR_RELAXED == 0
            && (!hvm || pvh_or_hvm);
        if good { Ok(()) } else { Err(Errno::EINVAL) }
    }
}

impl State {
    /// An identifier for a new domain: the one that was asked for, or the next that is free.
    fn identifier(&mut self, wanted: DomId) -> Result<DomId, Errno> {
        // From 4.22 on, 0 is a domain's identifier like any other, and to leave the choice has a name.
        let by_name = self.config.minor >= 22;
        let chosen = match wanted {
            DOMID_ANY => None,
            DomId(0) if !by_name => None,
            id if id >= DOMID_FIRST_RESERVED && by_name => return Err(Errno::EEXIST),
            id if id >= DOMID_FIRST_RESERVED => None,
            id => Some(id),
        };
        if let Some(id) = chosen {
            return if self.domains.contains_key(&id) { Err(Errno::EEXIST) } else { Ok(id) };
        }
        let all = 1..DOMID_FIRST_RESERVED.0;
        let free = (self.rover + 1..DOMID_FIRST_RESERVED.0)
            .chain(all)
            .map(DomId)
            .find(|id| !self.domains.contains_key(id))
            .ok_or(Errno::ENOMEM)?;
        self.rover = free.0;
        Ok(free)
    }

    /// What `XEN_DOMCTL_createdomain` does.
    pub(super) fn create(&mut self, arg: &Domctl) -> Result<DomId, Errno> {
        let wish = wish(self.config.minor, arg);
        wish.check()?;
        let pool = self.pools.get(&wish.cpupool).ok_or(Errno::ESRCH)?;
        if pool.cpus.is_empty() {
            return Err(Errno::ENODEV);
        }
        let id = self.identifier(arg.domain)?;
        if self.free_pages() < DOMAIN_OVERHEAD {
            return Err(Errno::ENOMEM);
        }
        let domain = Domain {
            handle: wish.handle,
            ssidref: wish.ssidref,
            flags: wish.flags,
            emulation: wish.emulation,
            cpupool: wish.cpupool,
            max_vcpus: wish.max_vcpus,
            vcpus: Vec::new(),
            pauses: 1,
            shutdown: None,
            dying: false,
            max_pages: 0,
            memory: BTreeMap::new(),
            pages: 0,
            memory_map: Vec::new(),
            params: BTreeMap::new(),
            ports: Ports::new(wish.max_evtchn_port),
            pool: 0,
            tsc_mode: 0,
            time_offset: 0,
            share: DEFAULT_SHARE,
            max_grant_frames: wish.max_grant_frames,
            grant_version: 1,
            grant_table: None,
            started: false,
        };
        self.domains.insert(id, domain);
        Ok(id)
    }
}
