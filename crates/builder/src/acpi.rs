//! The ACPI tables of a PVH guest: as few as make Linux run.
//!
//! A PVH guest has local APICs and nothing else that ACPI would describe, so the tables say: reduced hardware, no
//! legacy devices, these processors. Source: the ACPI specification 6.x, chapter 5; Linux arch/x86/platform/pvh.
//!
//! | table | why |
//! |---|---|
//! | RSDP, XSDT | lead to the others |
//! | FADT | hardware-reduced: no SCI, no PM timer, no CMOS clock |
//! | MADT | the local APICs: without it Linux waits for ever for a timer |
//! | DSDT | a processor object for each vCPU |
//!
//! Every vCPU that the guest may ever have is enabled, also those that are not to be online at start. Linux learns the
//! local APIC of an enabled one only, and could never bring up another later ("bad cpu"); as soon as it can read xenstore,
//! it takes those down that `cpu/<n>/availability` calls offline. PV guests always did the same.

use alloc::vec::Vec;

/// What the guest's vCPUs are known by: Xen gives vCPU n the local APIC 2n.
const APIC_STEP: u32 = 2;
const LAPIC_ADDRESS: u32 = 0xfee0_0000;

const HEADER: usize = 36;
const LENGTH: usize = 4;
const CHECKSUM: usize = 9;
const RSDP_LEN: usize = 36;
/// RSDP fields covered by its first checksum.
const RSDP_V1_LEN: usize = 20;
const FADT_LEN: usize = 276;

/// Makes the tables, to lie at `base`, which is a multiple of 16. The RSDP comes first.
pub(crate) fn tables(base: u64, vcpus: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let mut place = |table: &[u8]| {
        out.resize(out.len().next_multiple_of(16), 0);
        let at = base + out.len() as u64;
        out.extend_from_slice(table);
        at
    };
    place(&[0; RSDP_LEN]);
    let dsdt = place(&dsdt(vcpus));
    let fadt = place(&fadt(dsdt));
    let madt = place(&madt(vcpus));
    let xsdt = place(&xsdt(&[fadt, madt]));
    out[..RSDP_LEN].copy_from_slice(&rsdp(xsdt));
    out
}

fn rsdp(xsdt: u64) -> [u8; RSDP_LEN] {
    let mut table = [0; RSDP_LEN];
    table[..8].copy_from_slice(b"RSD PTR ");
    table[9..15].copy_from_slice(b"NANODM");
    table[15] = 2; // revision
    put(&mut table, 20, &(RSDP_LEN as u32).to_le_bytes());
    put(&mut table, 24, &xsdt.to_le_bytes());
    table[8] = checksum(&table[..RSDP_V1_LEN]);
    table[32] = checksum(&table);
    table
}

fn xsdt(tables: &[u64]) -> Vec<u8> {
    let mut table = header(b"XSDT", 1);
    for address in tables {
        table.extend(address.to_le_bytes());
    }
    finish(table)
}

fn fadt(dsdt: u64) -> Vec<u8> {
    /// WBINVD works; C1 works on all processors; no power and no sleep button; reduced hardware.
    const FLAGS: u32 = 1 << 0 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 20;
    /// No VGA to probe for; no CMOS clock.
    const BOOT_FLAGS: u16 = 1 << 2 | 1 << 5;
    /// In microseconds; these mean that there is no such state.
    const NO_C2: u16 = 101;
    const NO_C3: u16 = 1001;
    let mut table = header(b"FACP", 6);
    table.resize(FADT_LEN, 0);
    if let Ok(low) = u32::try_from(dsdt) {
        put(&mut table, 40, &low.to_le_bytes());
    }
    put(&mut table, 96, &NO_C2.to_le_bytes());
    put(&mut table, 98, &NO_C3.to_le_bytes());
    put(&mut table, 109, &BOOT_FLAGS.to_le_bytes());
    put(&mut table, 112, &FLAGS.to_le_bytes());
    put(&mut table, 140, &dsdt.to_le_bytes());
    finish(table)
}

fn madt(vcpus: u32) -> Vec<u8> {
    const LOCAL_APIC: u8 = 0;
    const ENABLED: u32 = 1;
    let mut table = header(b"APIC", 5);
    table.extend(LAPIC_ADDRESS.to_le_bytes());
    table.extend([0; 4]); // flags: no 8259
    for vcpu in 0..vcpus {
        table.extend([LOCAL_APIC, 8, vcpu as u8, (vcpu * APIC_STEP) as u8]);
        table.extend(ENABLED.to_le_bytes());
    }
    finish(table)
}

/// `Scope (\_SB) { Device (Cnnn) { Name (_HID, "ACPI0007") Name (_UID, n) } ... }`
fn dsdt(vcpus: u32) -> Vec<u8> {
    const SCOPE: u8 = 0x10;
    let mut body = Vec::from(*b"\\_SB_");
    for vcpu in 0..vcpus {
        body.extend(processor(vcpu));
    }
    let mut table = header(b"DSDT", 2);
    table.push(SCOPE);
    table.extend(package(body));
    finish(table)
}

fn processor(vcpu: u32) -> Vec<u8> {
    const EXTENDED: u8 = 0x5b;
    const DEVICE: u8 = 0x82;
    const NAME: u8 = 0x08;
    const BYTE: u8 = 0x0a;
    const STRING: u8 = 0x0d;
    let digit = |value: u32| b"0123456789ABCDEF"[(value & 15) as usize];
    let mut body = Vec::from([b'C', digit(vcpu >> 8), digit(vcpu >> 4), digit(vcpu)]);
    body.push(NAME);
    body.extend(*b"_HID");
    body.push(STRING);
    body.extend(*b"ACPI0007\0");
    body.push(NAME);
    body.extend(*b"_UID");
    body.extend([BYTE, vcpu as u8]);
    let mut device = Vec::from([EXTENDED, DEVICE]);
    device.extend(package(body));
    device
}

/// Puts AML's length before a body; it counts itself. Up to 4095 bytes in two bytes, else in three.
fn package(body: Vec<u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 3);
    let (extra, len) = match body.len() {
        0..=0x3e => (0, body.len() + 1),
        0x3f..=0xffd => (1, body.len() + 2),
        _ => (2, body.len() + 3),
    };
    if extra == 0 {
        out.push(len as u8);
    } else {
        out.push((extra << 6) | (len & 15) as u8);
        out.push((len >> 4) as u8);
        if extra == 2 {
            out.push((len >> 12) as u8);
        }
    }
    out.extend(body);
    out
}

fn header(signature: &[u8; 4], revision: u8) -> Vec<u8> {
    let mut table = Vec::with_capacity(HEADER);
    table.extend(signature);
    table.extend([0; 4]); // length, at the end
    table.extend([revision, 0]);
    table.extend(*b"NANODM");
    table.extend(*b"NANODOM ");
    table.extend(1u32.to_le_bytes());
    table.extend(*b"NDOM");
    table.extend(1u32.to_le_bytes());
    table
}

fn finish(mut table: Vec<u8>) -> Vec<u8> {
    let len = table.len() as u32;
    put(&mut table, LENGTH, &len.to_le_bytes());
    table[CHECKSUM] = checksum(&table);
    table
}

fn put(table: &mut [u8], at: usize, bytes: &[u8]) {
    table[at..at + bytes.len()].copy_from_slice(bytes);
}

/// What makes the sum of all bytes zero.
fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |sum, &byte| sum.wrapping_sub(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(bytes: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    }

    fn table_at(bytes: &[u8], base: u64, address: u64) -> &[u8] {
        let at = (address - base) as usize;
        let len = u32::from_le_bytes(bytes[at + LENGTH..at + 8].try_into().unwrap()) as usize;
        &bytes[at..at + len]
    }

    #[test]
    fn every_table_is_found_from_the_root_and_sums_to_zero() {
        for vcpus in [1, 2, 15, 128] {
            let base = 0x3fff_1230;
            let bytes = tables(base, vcpus);
            assert!(bytes.starts_with(b"RSD PTR "));
            assert_eq!(checksum(&bytes[..RSDP_V1_LEN]), 0);
            assert_eq!(checksum(&bytes[..RSDP_LEN]), 0);
            let xsdt = table_at(&bytes, base, word(&bytes, 24));
            let fadt = table_at(&bytes, base, word(xsdt, HEADER));
            let madt = table_at(&bytes, base, word(xsdt, HEADER + 8));
            let dsdt = table_at(&bytes, base, word(fadt, 140));
            for (table, signature) in [(xsdt, b"XSDT"), (fadt, b"FACP"), (madt, b"APIC"), (dsdt, b"DSDT")] {
                assert!(table.starts_with(signature));
                assert_eq!(checksum(table), 0);
            }
            assert_eq!(xsdt.len(), HEADER + 16);
            assert_eq!(madt.len(), 44 + 8 * vcpus as usize);
            assert_eq!(u64::from(u32::from_le_bytes(fadt[40..44].try_into().unwrap())), word(fadt, 140));
        }
    }

    #[test]
    fn each_vcpu_has_twice_its_number_as_apic_and_is_enabled() {
        let table = madt(128);
        for (vcpu, entry) in table[44..].chunks(8).enumerate() {
            assert_eq!(entry, [0, 8, vcpu as u8, 2 * vcpu as u8, 1, 0, 0, 0]);
        }
    }

    #[test]
    fn package_lengths_count_themselves() {
        for len in [0, 0x3e, 0x3f, 0xffd, 0xffe, 5000] {
            let out = package(alloc::vec![0; len]);
            let extra = usize::from(out[0] >> 6);
            let mut stated = usize::from(out[0] & if extra == 0 { 0x3f } else { 15 });
            for n in 0..extra {
                stated |= usize::from(out[1 + n]) << (4 + 8 * n);
            }
            assert_eq!(stated, out.len(), "of {len}");
        }
    }
}
