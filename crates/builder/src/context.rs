//! The state in which the first vCPU starts, as records for `XEN_DOMCTL_sethvmcontext`.
//!
//! As docs/misc/pvh.pandoc wants it: 32-bit protected mode, flat segments, paging off, interrupts off, ebx = the
//! start info. The memory types are write-back throughout, on all vCPUs: without that all memory would be
//! uncached where nested paging heeds them. The other vCPUs are started by the guest itself, through their APICs.
//!
//! Nothing is asked of Xen first. The header's magic number and version are checked; its other fields say on which
//! CPU a saved guest ran, which for a new one only leads to a line in Xen's log at the level of debugging.

use alloc::vec::Vec;

use xen_abi::arch_x86::save::{
    HVM_FILE_MAGIC, HVM_FILE_VERSION, HVM_SAVE_CODE_CPU, HVM_SAVE_CODE_END, HVM_SAVE_CODE_HEADER,
    HVM_SAVE_CODE_MTRR, HwCpu, HwMtrr, SaveDescriptor, SaveHeader,
};
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// The records for a guest of `vcpus` vCPUs.
pub(crate) fn records(entry: u32, start_info: u64, vcpus: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let header = SaveHeader {
        magic: HVM_FILE_MAGIC,
        version: HVM_FILE_VERSION,
        changeset: u64::MAX, // unknown
        cpuid: 0,
        gtsc_khz: 0, // as it is
    };
    record(&mut out, HVM_SAVE_CODE_HEADER, 0, &header);
    record(&mut out, HVM_SAVE_CODE_CPU, 0, &first_vcpu(entry, start_info));
    for vcpu in 0..vcpus {
        record(&mut out, HVM_SAVE_CODE_MTRR, vcpu as u16, &memory_types());
    }
    record(&mut out, HVM_SAVE_CODE_END, 0, &[0u8; 0]);
    out
}

fn record<T: IntoBytes + Immutable + ?Sized>(out: &mut Vec<u8>, typecode: u16, instance: u16, body: &T) {
    let body = body.as_bytes();
    out.extend_from_slice(SaveDescriptor { typecode, instance, length: body.len() as u32 }.as_bytes());
    out.extend_from_slice(body);
}

fn first_vcpu(entry: u32, start_info: u64) -> HwCpu {
    /// Protected mode; the coprocessor is of the newer kind.
    const CR0: u64 = 1 << 0 | 1 << 4;
    /// The bit that is always set.
    const RFLAGS: u64 = 1 << 1;
    const DR6: u64 = 0xffff_0ff0;
    const DR7: u64 = 0x400;
    /// Attributes as VMX and SVM hold them: present, 32 bits, 4 KiB units; code or data, accessed.
    const CODE: u32 = 0xc9b;
    const DATA: u32 = 0xc93;
    /// A busy 32-bit task state segment.
    const TASK: u32 = 0x8b;
    const TASK_LIMIT: u32 = 0x67;
    HwCpu {
        rip: u64::from(entry),
        rbx: start_info,
        rflags: RFLAGS,
        cr0: CR0,
        dr6: DR6,
        dr7: DR7,
        cs_limit: u32::MAX,
        ds_limit: u32::MAX,
        es_limit: u32::MAX,
        ss_limit: u32::MAX,
        tr_limit: TASK_LIMIT,
        cs_arbytes: CODE,
        ds_arbytes: DATA,
        es_arbytes: DATA,
        ss_arbytes: DATA,
        tr_arbytes: TASK,
        ..HwCpu::new_zeroed()
    }
}

fn memory_types() -> HwMtrr {
    /// As after reset. Source: Intel SDM, volume 3, 12.12.4.
    const PAT: u64 = 0x0007_0406_0007_0406;
    /// Eight variable ranges, fixed ranges, write combining: what Xen gives every vCPU.
    const CAPABILITIES: u64 = 8 | 1 << 8 | 1 << 10;
    const WRITE_BACK: u64 = 6;
    const ENABLED: u64 = 1 << 11;
    HwMtrr {
        msr_pat_cr: PAT,
        msr_mtrr_cap: CAPABILITIES,
        msr_mtrr_def_type: WRITE_BACK | ENABLED,
        ..HwMtrr::new_zeroed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromBytes;

    /// The records' types, instances and bodies.
    fn walk(mut bytes: &[u8]) -> Vec<(u16, u16, &[u8])> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let (head, rest) = SaveDescriptor::read_from_prefix(bytes).unwrap();
            let (body, rest) = rest.split_at(head.length as usize);
            found.push((head.typecode, head.instance, body));
            bytes = rest;
        }
        found
    }

    #[test]
    fn only_the_first_vcpu_gets_registers_and_all_get_memory_types() {
        let bytes = records(0x10_0000, 0x3f_f000, 3);
        let kinds: Vec<(u16, u16)> = walk(&bytes).iter().map(|&(kind, vcpu, _)| (kind, vcpu)).collect();
        assert_eq!(kinds, [(1, 0), (2, 0), (14, 0), (14, 1), (14, 2), (0, 0)]);
    }

    #[test]
    fn the_first_vcpu_starts_at_the_entry_with_the_start_info_in_ebx() {
        let bytes = records(0x10_0000, 0x3f_f000, 1);
        let cpu = HwCpu::read_from_bytes(walk(&bytes)[1].2).unwrap();
        assert_eq!((cpu.rip, cpu.rbx, cpu.cr0, cpu.cr4), (0x10_0000, 0x3f_f000, 0x11, 0));
        assert_eq!((cpu.cs_base, cpu.cs_limit, cpu.msr_efer, cpu.rflags & 1 << 9), (0, u32::MAX, 0, 0));
    }
}
