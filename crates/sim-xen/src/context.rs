//! The records of an HVM domain's state.

use xen_abi::Errno;
use xen_abi::arch_x86::save::{
    HVM_FILE_MAGIC, HVM_FILE_VERSION, HVM_SAVE_CODE_CPU, HVM_SAVE_CODE_END, HVM_SAVE_CODE_HEADER,
    HVM_SAVE_CODE_MTRR, HwCpu, HwMtrr, SaveDescriptor, SaveHeader,
};
use xen_abi::arch_x86::xen::{VGCF_I387_VALID, VGCF_ONLINE, VcpuGuestContext};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use crate::domain::{Domain, Vcpu};

/// The highest record type that Xen knows: `HVM_SAVE_CODE_MAX`.
const HIGHEST_CODE: u16 = 20;

fn record(into: &mut Vec<u8>, typecode: u16, instance: u16, body: &(impl IntoBytes + Immutable)) {
    let length = size_of_val(body) as u32;
    into.extend(SaveDescriptor { typecode, instance, length }.as_bytes());
    into.extend(body.as_bytes());
}

/// What `XEN_DOMCTL_gethvmcontext` answers.
pub(crate) fn save(domain: &Domain) -> Vec<u8> {
    let mut records = Vec::new();
    let header = SaveHeader {
        magic: HVM_FILE_MAGIC,
        version: HVM_FILE_VERSION,
        changeset: 0,
        cpuid: 0x0060_0f12,
        gtsc_khz: 2_000_000,
    };
    record(&mut records, HVM_SAVE_CODE_HEADER, 0, &header);
    for (n, vcpu) in (0u16..).zip(&domain.vcpus).filter(|(_, vcpu)| vcpu.up) {
        record(&mut records, HVM_SAVE_CODE_CPU, n, &vcpu.cpu);
    }
    for (n, vcpu) in (0u16..).zip(&domain.vcpus) {
        record(&mut records, HVM_SAVE_CODE_MTRR, n, &vcpu.mtrr);
    }
    record(&mut records, HVM_SAVE_CODE_END, 0, &());
    records
}

/// What `XEN_DOMCTL_getvcpucontext` answers: none for a vCPU that was never up.
pub(crate) fn registers(vcpu: &Vcpu) -> Option<VcpuGuestContext> {
    let cpu = vcpu.up.then_some(&vcpu.cpu)?;
    let mut context = VcpuGuestContext::new_zeroed();
    context.flags = VGCF_I387_VALID | VGCF_ONLINE;
    context.user_regs = [
        cpu.r15, cpu.r14, cpu.r13, cpu.r12, cpu.rbp, cpu.rbx, cpu.r11, cpu.r10, cpu.r9, cpu.r8, cpu.rax,
        cpu.rcx, cpu.rdx, cpu.rsi, cpu.rdi, 0, cpu.rip, 0, cpu.rflags, cpu.rsp, 0, 0, 0, 0, 0,
    ];
    context.ctrlreg[0] = cpu.cr0;
    Some(context)
}

/// What `XEN_DOMCTL_sethvmcontext` does: checks all, then loads; vCPUs without a record go down.
pub(crate) fn load(domain: &mut Domain, records: &[u8]) -> Result<(), Errno> {
    let records = check(domain, records)?;
    domain.vcpus.iter_mut().for_each(|vcpu| vcpu.up = false);
    for (descriptor, body) in records {
        let vcpu = &mut domain.vcpus[usize::from(descriptor.instance)];
        match descriptor.typecode {
            HVM_SAVE_CODE_CPU => {
                vcpu.cpu = HwCpu::read_from_bytes(&body).map_err(|_| Errno::EINVAL)?;
                vcpu.up = true;
            }
            HVM_SAVE_CODE_MTRR => {
                vcpu.mtrr = HwMtrr::read_from_bytes(&body).map_err(|_| Errno::EINVAL)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The records between header and end, if all are well.
fn check(domain: &Domain, mut rest: &[u8]) -> Result<Vec<(SaveDescriptor, Vec<u8>)>, Errno> {
    if domain.dying {
        return Err(Errno::EINVAL);
    }
    let mut next = || -> Result<(SaveDescriptor, Vec<u8>), Errno> {
        let (descriptor, behind) = SaveDescriptor::read_from_prefix(rest).map_err(|_| Errno::ENODATA)?;
        let body = behind.get(..descriptor.length as usize).ok_or(Errno::ENODATA)?;
        rest = &behind[body.len()..];
        Ok((descriptor, body.to_vec()))
    };
    let (first, body) = next()?;
    let header = SaveHeader::read_from_bytes(&body).map_err(|_| Errno::ENODATA)?;
    if first.typecode != HVM_SAVE_CODE_HEADER {
        return Err(Errno::ENODATA);
    }
    if header.magic != HVM_FILE_MAGIC || header.version != HVM_FILE_VERSION {
        return Err(Errno::EINVAL);
    }
    let mut records = Vec::new();
    loop {
        let (descriptor, body) = next()?;
        let length = match descriptor.typecode {
            HVM_SAVE_CODE_END => return Ok(records),
            HVM_SAVE_CODE_CPU => Some(size_of::<HwCpu>()),
            HVM_SAVE_CODE_MTRR => Some(size_of::<HwMtrr>()),
            HVM_SAVE_CODE_HEADER => return Err(Errno::EINVAL),
            code if code > HIGHEST_CODE => return Err(Errno::EINVAL),
            _ => None,
        };
        let known_vcpu = usize::from(descriptor.instance) < domain.vcpus.len();
        if length.is_some_and(|length| length != body.len() || !known_vcpu) {
            return Err(Errno::EINVAL);
        }
        if length.is_some() {
            records.push((descriptor, body));
        }
    }
}
