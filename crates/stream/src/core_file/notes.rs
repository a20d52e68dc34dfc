//! The notes of a core: Xen's, and one for each vCPU. Sources: public/elfnote.h, and Linux's `struct elf_prstatus`.

use alloc::vec::Vec;

use xen_abi::arch_x86::xen::VcpuGuestContext;
use xen_abi::elfnote::{
    ELF_NOTE_NAME, XEN_ELFNOTE_DUMPCORE_FORMAT_VERSION, XEN_ELFNOTE_DUMPCORE_HEADER,
    XEN_ELFNOTE_DUMPCORE_NONE, XEN_ELFNOTE_DUMPCORE_XEN_VERSION,
};
use xen_abi::version::{XEN_CAPABILITIES_INFO_LEN, XEN_CHANGESET_INFO_LEN, XEN_EXTRAVERSION_LEN};
use zerocopy::{FromBytes, FromZeros};

use crate::{PAGE, REGISTERS};

/// `XC_CORE_MAGIC_HVM`: frames are guest frames.
const MAGIC_HVM: u64 = 0xf00f_ebee;
/// The version of Xen's core format: 0.1.
const FORMAT_VERSION: u64 = 1;
/// `NT_PRSTATUS`, of notes named `CORE`.
const NT_PRSTATUS: u32 = 1;

/// The Xen that the domain ran on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XenVersion<'a> {
    /// 4, of 4.17.
    pub major: u64,
    /// 17, of 4.17.
    pub minor: u64,
    /// The rest, `.6-pre`.
    pub extra: &'a str,
    /// The compiler that built it.
    pub compiler: &'a str,
    /// Who built it.
    pub compile_by: &'a str,
    /// Where it was built.
    pub compile_domain: &'a str,
    /// When it was built.
    pub compile_date: &'a str,
    /// What guests it runs.
    pub capabilities: &'a str,
    /// Its source revision.
    pub changeset: &'a str,
    /// Where its own addresses begin.
    pub virt_start: u64,
}

/// Xen's four notes.
pub(super) fn of_xen(vcpus: usize, pages: u64, xen: &XenVersion<'_>) -> Vec<u8> {
    let mut notes = Vec::new();
    note(&mut notes, ELF_NOTE_NAME, XEN_ELFNOTE_DUMPCORE_NONE, &[]);
    let header = words(&[MAGIC_HVM, vcpus as u64, pages, PAGE as u64]);
    note(&mut notes, ELF_NOTE_NAME, XEN_ELFNOTE_DUMPCORE_HEADER, &header);
    note(&mut notes, ELF_NOTE_NAME, XEN_ELFNOTE_DUMPCORE_XEN_VERSION, &version(xen));
    let format = words(&[FORMAT_VERSION]);
    note(&mut notes, ELF_NOTE_NAME, XEN_ELFNOTE_DUMPCORE_FORMAT_VERSION, &format);
    notes
}

/// `struct xen_dumpcore_elfnote_xen_version_desc`.
fn version(xen: &XenVersion<'_>) -> Vec<u8> {
    let mut desc = words(&[xen.major, xen.minor]);
    for (text, room) in [
        (xen.extra, XEN_EXTRAVERSION_LEN),
        // struct xen_compile_info
        (xen.compiler, 64),
        (xen.compile_by, 16),
        (xen.compile_domain, 32),
        (xen.compile_date, 32),
        (xen.capabilities, XEN_CAPABILITIES_INFO_LEN),
        (xen.changeset, XEN_CHANGESET_INFO_LEN),
    ] {
        let end = desc.len() + room;
        // A zero ends the text in any case.
        desc.extend(text.bytes().take(room - 1));
        desc.resize(end, 0);
    }
    desc.extend(words(&[xen.virt_start, PAGE as u64]));
    desc
}

/// A vCPU's general registers, as debuggers know those of a thread: `struct elf_prstatus`. Threads are numbered from 1 on.
pub(super) fn of_vcpu(id: u32, registers: &[u8; REGISTERS]) -> Vec<u8> {
    let context =
        VcpuGuestContext::read_from_bytes(registers).unwrap_or_else(|_| VcpuGuestContext::new_zeroed());
    let [
        r15,
        r14,
        r13,
        r12,
        rbp,
        rbx,
        r11,
        r10,
        r9,
        r8,
        rax,
        rcx,
        rdx,
        rsi,
        rdi,
        _error,
        rip,
        cs,
        rflags,
        rsp,
        ss,
        es,
        ds,
        fs,
        gs,
    ] = context.user_regs;
    // Selectors have 16 bits; Xen keeps other things behind some.
    let [cs, ss, es, ds, fs, gs] = [cs, ss, es, ds, fs, gs].map(|selector| selector & 0xffff);
    let gs_base = if cs & 3 == 0 { context.gs_base_kernel } else { context.gs_base_user };
    let mut desc = alloc::vec![0; 32];
    desc.extend(id.wrapping_add(1).to_le_bytes());
    desc.resize(112, 0);
    let no_system_call = u64::MAX;
    desc.extend(words(&[
        r15,
        r14,
        r13,
        r12,
        rbp,
        rbx,
        r11,
        r10,
        r9,
        r8,
        rax,
        rcx,
        rdx,
        rsi,
        rdi,
        no_system_call,
        rip,
        cs,
        rflags,
        rsp,
        ss,
        context.fs_base,
        gs_base,
        ds,
        es,
        fs,
        gs,
    ]));
    desc.resize(336, 0);
    let mut notes = Vec::new();
    note(&mut notes, b"CORE\0", NT_PRSTATUS, &desc);
    notes
}

fn note(out: &mut Vec<u8>, name: &[u8], kind: u32, desc: &[u8]) {
    for word in [name.len() as u32, desc.len() as u32, kind] {
        out.extend(word.to_le_bytes());
    }
    for part in [name, desc] {
        out.extend(part);
        out.resize(out.len().next_multiple_of(4), 0);
    }
}

/// Numbers as they lie in a file.
pub(super) fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
