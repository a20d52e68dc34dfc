//! What the tests share.
#![allow(dead_code, reason = "each test uses its part")]

use hypercall::{CreateDomain, Xen};
use sim_xen::SimXen;
use xen_abi::DomId;
use xen_abi::arch_x86::save::{
    HVM_FILE_MAGIC, HVM_FILE_VERSION, HVM_SAVE_CODE_CPU, HVM_SAVE_CODE_END, HVM_SAVE_CODE_HEADER, HwCpu,
    SaveDescriptor, SaveHeader,
};
use zerocopy::{FromZeros, IntoBytes};

/// All releases that we know.
pub(crate) const RELEASES: std::ops::RangeInclusive<u16> = 14..=22;

/// Runs a test on a fresh host of every release.
pub(crate) fn on_every_release(test: impl Fn(&SimXen, &Xen<&SimXen>)) {
    for minor in RELEASES {
        let sim = SimXen::release(minor);
        let xen = Xen::probe(&sim).unwrap();
        test(&sim, &xen);
    }
}

/// A domain with one vCPU.
pub(crate) fn small() -> CreateDomain {
    CreateDomain::pvh([7; 16], 1)
}

/// The state of a vCPU 0 that starts at `rip`.
pub(crate) fn start_at(rip: u64) -> Vec<u8> {
    let mut cpu = HwCpu::new_zeroed();
    cpu.rip = rip;
    let header = SaveHeader { magic: HVM_FILE_MAGIC, version: HVM_FILE_VERSION, ..SaveHeader::new_zeroed() };
    let mut records = Vec::new();
    for (typecode, body) in [
        (HVM_SAVE_CODE_HEADER, header.as_bytes()),
        (HVM_SAVE_CODE_CPU, cpu.as_bytes()),
        (HVM_SAVE_CODE_END, &[]),
    ] {
        records.extend(SaveDescriptor { typecode, instance: 0, length: body.len() as u32 }.as_bytes());
        records.extend(body);
    }
    records
}

/// A committed domain that would run if it were unpaused.
pub(crate) fn runnable(xen: &Xen<&SimXen>) -> DomId {
    let domain = xen.create_domain(&small()).unwrap();
    xen.max_vcpus(domain.id(), 1).unwrap();
    xen.set_hvm_context(domain.id(), &start_at(0x10_0000)).unwrap();
    domain.commit()
}
