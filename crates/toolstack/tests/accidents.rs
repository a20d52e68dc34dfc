//! Bad input: each has its own answer, and nothing is left.

mod common;

use common::{World, finish, kernel};
use proto::domain::{CreateRequest, DomainConfig};
use proto::error::{BadKernel, CreateError};
use proto::image::ImageId;
use sim_xen::Config;
use xen_abi::{DomId, Pages};

/// What comes of a changed configuration of the smallest guest, on a machine of 64 MiB.
fn refused(change: impl FnOnce(&World, &mut DomainConfig)) -> CreateError {
    let world = World::on(Config { memory: Pages(64 << 8), ..Config::default() });
    let mut request = world.smallest("a");
    change(&world, &mut request.config);
    let before = world.before();
    let free = world.sim.free_memory();
    let error = finish(world.stack.create(request)).unwrap_err();
    world.assert_nothing_happened(&before);
    assert_eq!(world.sim.free_memory(), free);
    assert_eq!(world.sim.count("XEN_DOMCTL_createdomain"), 0, "it could have been known before");
    error
}

fn with_kernel(file: &[u8]) -> CreateError {
    refused(|world, config| config.kernel = world.upload(&kernel::packed(file)))
}

#[test]
fn names() {
    for name in ["", "a b", "a/b", "../x", "ä", &"x".repeat(256)] {
        assert_eq!(refused(|_, config| config.name = name.into()), CreateError::BadName, "{name:?}");
    }
    let taken = refused(|_, config| config.name = "Domain-0".into());
    assert_eq!(taken, CreateError::NameInUse { domid: Some(0) });
    assert_eq!(refused(|_, config| config.uuid = Some([0; 16])), CreateError::UuidInUse { domid: 0 });
}

#[test]
fn a_name_or_uuid_that_a_domain_has() {
    let world = World::new();
    let request = world.smallest("a");
    let a = world.create(request.clone());
    let error = finish(world.stack.create(request.clone()));
    assert_eq!(error, Err(CreateError::NameInUse { domid: Some(a.domid) }));
    let config = DomainConfig { name: "b".into(), uuid: Some(a.uuid), ..request.config };
    let error = finish(world.stack.create(CreateRequest { config, paused: false }));
    assert_eq!(error, Err(CreateError::UuidInUse { domid: a.domid }));
    assert!(world.sim.guest(DomId(a.domid)).is_running());
    assert_eq!(world.names(), ["Domain-0", "a"]);
}

#[test]
fn memory() {
    let set = |kib| {
        move |_: &World, config: &mut DomainConfig| {
            config.memory_kib = kib;
            config.max_memory_kib = kib;
        }
    };
    assert!(matches!(refused(set(0)), CreateError::TooLittleMemory { asked_kib: 0, least_kib: 1.. }));
    assert!(matches!(refused(set(64)), CreateError::DoesNotFit { needed_kib: 1024.., memory_kib: 64 }));
    for kib in [1 << 20, 1 << 30, 1 << 40, u64::MAX] {
        let error = refused(set(kib));
        let CreateError::NotEnoughMemory { needed_kib, free_kib } = error else { panic!("{kib}: {error:?}") };
        assert!(needed_kib >= kib && free_kib <= 48 << 10, "{kib}: {error:?}");
    }
    let below = refused(|_, config| config.max_memory_kib = config.memory_kib - 1);
    assert_eq!(below, CreateError::MaxBelowStart);
}

#[test]
fn vcpus() {
    for count in [0, 129, u32::MAX] {
        let error = refused(|_, config| (config.vcpus, config.max_vcpus) = (count, count));
        assert_eq!(error, CreateError::BadVcpus { asked: count, most: 128 });
    }
    assert_eq!(refused(|_, config| config.vcpus = 2), CreateError::MaxBelowStart);
}

#[test]
fn command_lines() {
    let len = builder::MAX_CMDLINE as u32 + 1;
    let error = refused(|_, config| config.cmdline = "x".repeat(len as usize));
    assert_eq!(error, CreateError::CmdlineTooLong { len, most: len - 1 });
}

#[test]
fn images_that_are_not_there() {
    let id = ImageId([9; 32]);
    assert_eq!(refused(|_, config| config.kernel = id), CreateError::NoImage(id));
    assert_eq!(refused(|_, config| config.ramdisk = Some(id)), CreateError::NoImage(id));
}

#[test]
fn kernels_that_cannot_boot() {
    let elf = kernel::elf();
    assert_eq!(with_kernel(b"#!/bin/sh\n"), CreateError::BadKernel(BadKernel::NotElf));
    assert_eq!(with_kernel(b""), CreateError::BadKernel(BadKernel::NotElf));
    for len in [20, 60, elf.len() - 1] {
        let error = with_kernel(&elf[..len]);
        let CreateError::BadKernel(BadKernel::Truncated { expected, found }) = error else {
            panic!("{len}: {error:?}")
        };
        assert!(expected > found && found == len as u64, "{len}: {error:?}");
    }
    let mut other = elf.clone();
    other[18] = 40; // EM_ARM
    assert_eq!(with_kernel(&other), CreateError::BadKernel(BadKernel::WrongElf));
    let mut not_pvh = elf.clone();
    let note = not_pvh.windows(4).position(|four| four == b"Xen\0").unwrap();
    not_pvh[note - 4] = 17;
    assert_eq!(with_kernel(&not_pvh), CreateError::BadKernel(BadKernel::NotPvh));
    let mut far = elf.clone();
    far[52 + 12..52 + 16].copy_from_slice(&0xffff_f000u32.to_le_bytes());
    assert!(matches!(with_kernel(&far), CreateError::BadKernel(BadKernel::BadSegment { .. })));
}

#[test]
fn a_kernel_larger_than_the_memory() {
    let mut elf = kernel::elf();
    elf[52 + 20..52 + 24].copy_from_slice(&(100u32 << 20).to_le_bytes()); // memory size
    let error = with_kernel(&elf);
    assert!(
        matches!(error, CreateError::DoesNotFit { needed_kib: 102_400.., memory_kib: 8192 }),
        "{error:?}"
    );
}

#[test]
fn a_ramdisk_larger_than_the_memory() {
    let error = refused(|world, config| {
        config.ramdisk = Some(world.upload(&kernel::packed(&vec![0; 9 << 20])));
    });
    assert!(matches!(error, CreateError::DoesNotFit { needed_kib: 9216.., memory_kib: 8192 }), "{error:?}");
}

#[test]
fn containers_that_are_none() {
    let corrupt = CreateError::BadKernel(BadKernel::Corrupt);
    assert_eq!(refused(|world, config| config.kernel = world.upload(b"junk")), corrupt);
    let junk = refused(|world, config| config.ramdisk = Some(world.upload(b"junk")));
    assert_eq!(junk, CreateError::BadRamdisk);
}

#[test]
fn blocks_that_cannot_be_unpacked_are_found_while_building() {
    let world = World::new();
    let mut request = world.smallest("a");
    let mut container = kernel::packed(&b"text ".repeat(1000));
    let len = container.len();
    container[len - 8..].fill(0xff);
    request.config.ramdisk = Some(world.upload(&container));
    let before = world.before();
    assert_eq!(finish(world.stack.create(request)), Err(CreateError::BadRamdisk));
    world.assert_nothing_happened(&before);
}

#[test]
fn memory_that_cached_images_hold_is_given_up_for_a_guest() {
    let world = World::on(Config { memory: Pages(64 << 8), ..Config::default() });
    let request = world.smallest("a");
    let unneeded = world.upload(&vec![1; 20 << 20]);
    let config = DomainConfig { memory_kib: 36 << 10, max_memory_kib: 36 << 10, ..request.config };
    world.create(CreateRequest { config: config.clone(), paused: false });
    assert_eq!(world.stack.images_present(&[unneeded, config.kernel]), [false, true]);
}
