//! Plans: what fits, what is refused, and that nothing lies on anything else.

use alloc::vec;
use alloc::vec::Vec;

use image::testing::{Elf, Load};
use proptest::prelude::*;
use xen_abi::memory::{E820_ACPI, E820_RAM};

use super::*;

const MIB: u64 = 1 << 20;

fn kernel(loads: &[(u64, u64)]) -> KernelHeaders {
    let loads: Vec<Load> = loads
        .iter()
        .map(|&(address, memory_size)| Load {
            address,
            bytes: vec![1; memory_size.min(100) as usize],
            memory_size,
        })
        .collect();
    let entry = loads[0].address as u32;
    let notes = image::testing::note(b"Xen\0", 18, &entry.to_le_bytes(), 4);
    KernelHeaders::parse(&mut &Elf { loads, notes, ..Elf::pvh(b"", 0) }.build()[..]).unwrap()
}

fn input(kernel: &KernelHeaders, memory_kib: u64) -> PlanInput<'_> {
    PlanInput {
        kernel,
        ramdisk_len: None,
        cmdline: "console=hvc0",
        memory: KiB(memory_kib),
        max_memory: KiB(memory_kib),
        vcpus: 1,
        max_vcpus: 1,
        cpus: &[],
        preferred: &[],
        pool: 0,
        share: None,
    }
}

/// Fails if what the plan writes is not in memory, or lies on something else.
fn check_sound(plan: &Plan, kernel: &KernelHeaders, ramdisk_len: u64) {
    let mut frames: Vec<Range<u64>> = Vec::new();
    for extents in &plan.extents {
        for gfn in &extents.at {
            assert!(gfn.0.is_multiple_of(1 << extents.order));
            frames.push(gfn.0 * PAGE..(gfn.0 + (1 << extents.order)) * PAGE);
        }
    }
    frames.sort_by_key(|range| range.start);
    assert!(frames.windows(2).all(|pair| pair[0].end <= pair[1].start), "memory twice");
    let populated: u64 = frames.iter().map(|range| range.end - range.start).sum();
    assert_eq!(populated, (plan.memory.0 + 3) * PAGE);
    let has_memory = |at: u64| frames.iter().any(|range| range.contains(&at));

    let pieces: Vec<Range<u64>> = plan.filling.pieces.iter().map(|piece| piece.at.clone()).collect();
    assert!(pieces.windows(2).all(|pair| pair[0].end <= pair[1].start), "{pieces:x?}");
    for stretch in &plan.filling.stretches {
        assert!((stretch.start..stretch.end).step_by(PAGE_STEP).all(has_memory), "{stretch:x?}");
    }
    for piece in &pieces {
        assert!(plan.filling.stretches.iter().any(|s| s.start <= piece.start && piece.end <= s.end));
    }
    for entry in plan.map.iter().filter(|entry| matches!(entry.r#type, E820_RAM | E820_ACPI)) {
        assert!(has_memory(entry.addr()) && has_memory(entry.addr() + entry.size() - 1));
    }
    let ramdisk = plan.filling.pieces.iter().find(|piece| matches!(piece.source, Source::Ramdisk { .. }));
    assert_eq!(ramdisk.map_or(0, |piece| piece.at.end - piece.at.start), ramdisk_len);
    // Neither ramdisk nor boot block shares a page with a segment, of which the file may hold only a part.
    for piece in &plan.filling.pieces {
        if matches!(piece.source, Source::Ramdisk { .. } | Source::Block { .. }) {
            let pages = crate::layout::pages_of(&piece.at);
            assert!(kernel.segments().iter().all(|s| s.end() <= pages.start || pages.end <= s.address));
        }
    }
}

const PAGE_STEP: usize = PAGE as usize;

#[test]
fn the_smallest_guest_writes_seven_pages() {
    let kernel = kernel(&[(0x10_0000, 0x3000)]);
    let plan = Plan::new(&input(&kernel, 4096)).unwrap();
    check_sound(&plan, &kernel, 0);
    assert_eq!(plan.filling.pages(), Pages(3 + 1 + 3));
    assert_eq!(plan.bytes_to_write(), 7 * PAGE);
}

#[test]
fn a_guest_of_one_mebibyte_works_if_its_kernel_fits() {
    let low = kernel(&[(0x1000, 0x9_0000)]);
    check_sound(&Plan::new(&input(&low, 1024)).unwrap(), &low, 0);
    let high = kernel(&[(0x10_0000, 0x1000)]);
    let refused = Plan::new(&input(&high, 1024)).unwrap_err();
    assert_eq!(refused, PlanError::DoesNotFit { needed: KiB(1024 + 4 + 4), memory: KiB(1024) });
    check_sound(&Plan::new(&input(&high, 1032)).unwrap(), &high, 0);
}

#[test]
fn what_is_called_enough_is_enough() {
    let kernel = kernel(&[(0x100_0000, 0x0300_0123), (0x500_0000, 77)]);
    for ramdisk_len in [0, 1, 31 * MIB + 5] {
        for max_vcpus in [1, 128] {
            let with = |memory: KiB| {
                let ramdisk_len = Some(ramdisk_len);
                Plan::new(&PlanInput {
                    memory,
                    ramdisk_len,
                    max_vcpus,
                    max_memory: memory,
                    ..input(&kernel, 0)
                })
            };
            let Err(PlanError::TooLittleMemory { asked: KiB(0), least }) = with(KiB(0)) else { panic!() };
            check_sound(&with(least).unwrap(), &kernel, ramdisk_len);
            let refused = with(KiB(16 << 10)).unwrap_err();
            assert_eq!(refused, PlanError::DoesNotFit { needed: least, memory: KiB(16 << 10) });
        }
    }
}

#[test]
fn large_guests_have_memory_above_the_hole() {
    let kernel = kernel(&[(0x100_0000, 0x300_0000)]);
    for gib in [1, 3, 4, 5, 64, 1024] {
        let plan = Plan::new(&PlanInput { ramdisk_len: Some(MIB), ..input(&kernel, gib << 20) }).unwrap();
        let ram: u64 = plan
            .map
            .iter()
            .filter(|entry| matches!(entry.r#type, E820_RAM | E820_ACPI))
            .map(|entry| entry.size())
            .sum();
        assert_eq!(ram, gib << 30);
        assert!(plan.extents.iter().all(|extents| extents.at.len() < 2048), "short lists");
    }
}

#[test]
fn every_wish_that_cannot_be_fulfilled_has_its_own_error() {
    let kernel = kernel(&[(0x10_0000, 0x1000)]);
    let good = input(&kernel, 8192);
    let refused = |input: PlanInput<'_>| Plan::new(&input).unwrap_err();
    assert_eq!(refused(PlanInput { vcpus: 0, ..good }), PlanError::BadVcpus { asked: 0 });
    assert_eq!(refused(PlanInput { max_vcpus: 129, ..good }), PlanError::BadVcpus { asked: 129 });
    assert_eq!(refused(PlanInput { vcpus: 2, ..good }), PlanError::MaxBelowStart);
    assert_eq!(refused(PlanInput { max_memory: KiB(8191), ..good }), PlanError::MaxBelowStart);
    let asked = KiB(u64::MAX);
    let too_much = refused(PlanInput { memory: asked, max_memory: asked, ..good });
    assert_eq!(too_much, PlanError::TooMuchMemory { asked });
    let long = "x".repeat(MAX_CMDLINE + 1);
    assert_eq!(
        refused(PlanInput { cmdline: &long, ..good }),
        PlanError::CmdlineTooLong { len: MAX_CMDLINE + 1 }
    );
    let ramdisk_len = Some(u64::MAX);
    assert!(matches!(refused(PlanInput { ramdisk_len, ..good }), PlanError::DoesNotFit { .. }));
    let hole = self::kernel(&[(0x10_0000, 1), (0xfee0_0000, 0x1000)]);
    let refused = Plan::new(&input(&hole, 8 << 20)).unwrap_err();
    assert_eq!(refused, PlanError::BadSegment { address: 0xfee0_0000, size: 0x1000 });
}

#[test]
fn all_vcpus_are_described_and_enabled_so_that_each_can_be_brought_up_later() {
    let kernel = kernel(&[(0x10_0000, 0x1000)]);
    let plan = Plan::new(&PlanInput { vcpus: 2, max_vcpus: 128, ..input(&kernel, 65536) }).unwrap();
    let block = &plan.filling.block;
    let madt = block.windows(4).position(|word| word == b"APIC").unwrap();
    let enabled: Vec<u8> = block[madt + 44..madt + 44 + 128 * 8].chunks(8).map(|entry| entry[4]).collect();
    assert_eq!(enabled, [1; 128]);
    assert!(block.len() <= 3 * PAGE as usize, "{} bytes", block.len());
    check_sound(&plan, &kernel, 0);
}

proptest! {
    #[test]
    fn whatever_is_planned_is_sound(
        sizes in prop::collection::vec((0u64..40 * MIB, 1u64..20 * MIB), 1..6),
        ramdisk_len in prop::option::of(0u64..100 * MIB),
        memory_kib in 0u64..(200 << 10),
        max_vcpus in 1u32..=MAX_VCPUS,
        cmdline in "[ -~]{0,200}",
    ) {
        let mut at = 0;
        let mut loads = Vec::new();
        for (gap, size) in sizes {
            at += gap;
            loads.push((at, size));
            at += size;
        }
        let kernel = kernel(&loads);
        let input = PlanInput { ramdisk_len, cmdline: &cmdline, max_vcpus, ..input(&kernel, memory_kib) };
        match Plan::new(&input) {
            Ok(plan) => check_sound(&plan, &kernel, ramdisk_len.unwrap_or(0)),
            Err(PlanError::DoesNotFit { needed, memory }) => prop_assert!(needed > memory),
            Err(PlanError::TooLittleMemory { .. }) => prop_assert_eq!(memory_kib, 0),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
