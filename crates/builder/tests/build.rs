//! Building guests on a simulated Xen.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use builder::{BuildError, Built, Images, Plan, PlanInput, build};
use hypercall::calls::{domctl, memory};
use hypercall::{CreateDomain, Xen, XenError};
use image::container::pack;
use image::testing::{Elf, Load, note};
use image::{Container, KernelHeaders, ReadError};
use sim_xen::{Config, SimXen};
use xen_abi::hvm::params;
use xen_abi::{DomId, Errno, EvtchnPort, Gfn, GuestPhys, KiB, Pages, VcpuId};

const MIB: u64 = 1 << 20;

/// Bytes that are not zero and differ from page to page.
fn pattern(len: u64, seed: u64) -> Vec<u8> {
    (0..len).map(|n| ((n / 4096).wrapping_mul(31) + n + seed) as u8 | 1).collect()
}

/// Drives a future that waits for nothing but its own pauses; counts them.
fn run<T>(future: impl Future<Output = T>) -> (T, usize) {
    let mut future = pin!(future);
    let mut polls = 0;
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return (done, polls);
        }
        polls += 1;
    }
}

/// Lets others run once.
async fn pause() {
    let mut waited = false;
    std::future::poll_fn(
        |_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending },
    )
    .await;
}

/// What a guest is built of.
struct Recipe {
    loads: Vec<Load>,
    ramdisk: Vec<u8>,
    memory: KiB,
    vcpus: u32,
}

impl Recipe {
    /// Three pages of kernel, of which the last is zeroes.
    fn smallest() -> Self {
        let loads = vec![Load { address: MIB, bytes: pattern(0x1800, 1), memory_size: 0x3000 }];
        Recipe { loads, ramdisk: vec![], memory: KiB(32 << 10), vcpus: 1 }
    }

    /// Segments that share a page, straddle blocks and windows, and end in zeroes; a ramdisk.
    fn large() -> Self {
        let load = |address, len, memory_size| Load { address, bytes: pattern(len, address), memory_size };
        Recipe {
            loads: vec![
                load(MIB, 5 * MIB + 0x123, 5 * MIB + 0x800),
                load(6 * MIB + 0x900, 0x2000, 3 * MIB),
                load(20 * MIB, 0, 0x5000),
            ],
            ramdisk: pattern(3 * MIB + 77, 9),
            memory: KiB(64 << 10),
            vcpus: 4,
        }
    }

    fn kernel(&self) -> Vec<u8> {
        let notes = note(b"Xen\0", 18, &(MIB as u32).to_le_bytes(), 4);
        Elf { loads: self.loads.clone(), notes, ..Elf::pvh(b"", 0) }.build()
    }

    fn plan(&self) -> Plan {
        Plan::new(&PlanInput {
            kernel: &KernelHeaders::parse(&mut &self.kernel()[..]).unwrap(),
            ramdisk_len: Some(self.ramdisk.len() as u64),
            cmdline: "console=hvc0 -- init",
            memory: self.memory,
            max_memory: self.memory,
            vcpus: self.vcpus,
            max_vcpus: self.vcpus,
            cpus: &[],
            preferred: &[],
            pool: 0,
            share: None,
        })
        .unwrap()
    }

    fn build(&self, xen: &Xen<&SimXen>) -> Result<(DomId, Built, usize), BuildError> {
        let kernel = pack(&self.kernel());
        let ramdisk = pack(&self.ramdisk);
        self.build_from(xen, &kernel, Some(&ramdisk))
    }

    fn build_from(
        &self,
        xen: &Xen<&SimXen>,
        kernel: &[u8],
        ramdisk: Option<&[u8]>,
    ) -> Result<(DomId, Built, usize), BuildError> {
        let plan = self.plan();
        let mut images = Images {
            kernel: Container::parse(kernel).unwrap().reader(),
            ramdisk: ramdisk.map(|ramdisk| Container::parse(ramdisk).unwrap().reader()),
        };
        let domain = xen.create_domain(&CreateDomain::pvh([1; 16], self.vcpus)).map_err(BuildError::Xen)?;
        let (built, pauses) = run(build(&domain, &plan, &mut images, async || pause().await));
        let built = built?;
        Ok((domain.commit(), built, pauses))
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Fails unless the guest has in its memory what it is to have.
fn check_memory(sim: &SimXen, id: DomId, recipe: &Recipe) {
    let guest = sim.guest(id);
    for load in &recipe.loads {
        let found = guest.bytes(GuestPhys(load.address), load.memory_size as usize);
        let (file, rest) = found.split_at(load.bytes.len());
        assert!(file == load.bytes, "the segment at {:#x}", load.address);
        assert!(rest.iter().all(|&byte| byte == 0), "zeroes of the segment at {:#x}", load.address);
    }
    let cpu = guest.registers(0).unwrap();
    assert_eq!((cpu.rip, cpu.cr0), (MIB, 0x11));
    let block = guest.bytes(GuestPhys(cpu.rbx), 4096);
    assert_eq!(word(&block, 0), 0x1_336e_c578, "magic and version");
    let cmdline = guest.bytes(GuestPhys(word(&block, 24)), 21);
    assert_eq!(cmdline, b"console=hvc0 -- init\0");
    assert!(guest.bytes(GuestPhys(word(&block, 32)), 8) == b"RSD PTR ");
    let modules = word(&block, 8) >> 32;
    assert_eq!(modules, u64::from(!recipe.ramdisk.is_empty()));
    if modules == 1 {
        let module = guest.bytes(GuestPhys(word(&block, 16)), 16);
        assert_eq!(word(&module, 8), recipe.ramdisk.len() as u64);
        assert!(guest.bytes(GuestPhys(word(&module, 0)), recipe.ramdisk.len()) == recipe.ramdisk);
    }
    let map = guest.bytes(GuestPhys(word(&block, 40)), word(&block, 48) as usize * 24);
    let map: Vec<(u64, u64, u64)> =
        map.chunks(24).map(|entry| (word(entry, 0), word(entry, 8), word(entry, 16))).collect();
    let same: Vec<(u64, u64, u64)> = guest
        .memory_map()
        .iter()
        .map(|entry| (entry.addr(), entry.size(), u64::from(entry.r#type)))
        .collect();
    assert_eq!(map, same, "the start info's memory map is Xen's");
}

fn check_services(sim: &SimXen, id: DomId, built: &Built) {
    let guest = sim.guest(id);
    let param = |index| guest.param(index);
    // Binding sets our end pending: the guest may have notified it before.
    let _ = sim.take_events();
    for end in [built.console, built.store] {
        assert!(guest.bytes(end.page.address(), 4096).iter().all(|&byte| byte == 0));
        guest.notify(end.guest_port).unwrap();
        assert_eq!(sim.take_events(), [end.port]);
    }
    assert_eq!(param(params::HVM_PARAM_CONSOLE_PFN), built.console.page.0);
    assert_eq!(param(params::HVM_PARAM_STORE_PFN), built.store.page.0);
    assert_eq!(EvtchnPort(param(params::HVM_PARAM_CONSOLE_EVTCHN) as u32), built.console.guest_port);
    assert_eq!(EvtchnPort(param(params::HVM_PARAM_STORE_EVTCHN) as u32), built.store.guest_port);
    let tables = guest.bytes(GuestPhys(param(params::HVM_PARAM_IDENT_PT)), 4096);
    for (n, entry) in tables.chunks(4).enumerate() {
        assert_eq!(u32::from_le_bytes(entry.try_into().unwrap()), (n as u32) << 22 | 0xe7);
    }
    assert_eq!(guest.tsc_mode(), 2);
    for vcpu in 0..guest.vcpus() {
        assert_eq!(guest.mtrr(vcpu).unwrap().msr_mtrr_def_type, 0x806, "write-back, in use");
    }
}

#[test]
fn guests_of_all_sizes_get_what_they_are_to_have_on_every_release() {
    for release in 14..=22 {
        let sim = SimXen::release(release);
        let xen = Xen::probe(&sim).unwrap();
        for recipe in [Recipe::smallest(), Recipe::large()] {
            let before = sim.snapshot();
            let (id, built, _) = recipe.build(&xen).unwrap();
            check_memory(&sim, id, &recipe);
            check_services(&sim, id, &built);
            assert_eq!(sim.guest(id).vcpus(), recipe.vcpus as usize);
            for end in [built.console, built.store] {
                xen.evtchn_close(end.port).unwrap();
            }
            xen.destroy_domain(id).unwrap();
            sim.assert_clean(&before);
        }
    }
}

#[test]
fn what_the_memory_held_before_is_not_seen_by_the_guest() {
    let sim = SimXen::new(Config { memory: Pages(130 << 8), ..Config::default() });
    let xen = Xen::probe(&sim).unwrap();
    // A living domain fills nearly all memory with rubbish and gives it back: Xen does not scrub it.
    let other = xen.create_domain(&CreateDomain::pvh([2; 16], 1)).unwrap();
    let all: Vec<Gfn> = (0..50).map(|n| Gfn(n * 512)).collect();
    xen.run(domctl::max_mem(xen.abi(), other.id(), KiB(200 << 10))).unwrap();
    assert_eq!(xen.run(memory::populate(other.id(), 9, &all)), Ok(all.len()));
    for gfn in &all {
        sim.guest(other.id()).write(gfn.address(), &vec![0xff; 2 << 20]);
    }
    assert_eq!(xen.run(memory::depopulate(other.id(), 9, &all)), Ok(all.len()));

    for mut recipe in [Recipe::smallest(), Recipe::large()] {
        recipe.memory = KiB(40 << 10);
        let (id, built, _) = recipe.build(&xen).unwrap();
        check_memory(&sim, id, &recipe);
        check_services(&sim, id, &built);
        let untouched = sim.guest(id).bytes(GuestPhys(0x5000), 16);
        assert_eq!(untouched, [0xff; 16], "or this test tries nothing");
    }
}

#[test]
fn the_smallest_guest_costs_five_exits() {
    let sim = SimXen::default();
    let xen = Xen::probe(&sim).unwrap();
    sim.reset_counts();
    let _built = Recipe::smallest().build(&xen).unwrap();
    // createdomain; what goes before; map, unmap; what goes after.
    assert_eq!(sim.exits(), 5, "{:?}", sim.counts());
    assert_eq!(sim.count("XENMEM_populate_physmap"), 2, "large pages, and the special pages");
}

#[test]
fn a_guest_of_two_mebibytes_costs_at_most_sixteen_exits() {
    let sim = SimXen::default();
    let xen = Xen::probe(&sim).unwrap();
    let mut recipe = Recipe::smallest();
    recipe.loads[0] = Load { address: MIB, bytes: pattern(MIB, 1), memory_size: 2 * MIB - 0x4000 };
    sim.reset_counts();
    let (id, built, _) = recipe.build(&xen).unwrap();
    assert!(sim.exits() <= 16, "{} exits: {:?}", sim.exits(), sim.counts());
    check_memory(&sim, id, &recipe);
    check_services(&sim, id, &built);
}

#[test]
fn a_large_guest_costs_an_exit_for_every_two_mebibytes_and_pauses_between() {
    let sim = SimXen::default();
    let xen = Xen::probe(&sim).unwrap();
    sim.reset_counts();
    let recipe = Recipe::large();
    let (_, _, pauses) = recipe.build(&xen).unwrap();
    let windows = recipe.plan().bytes_to_write().div_ceil(2 * MIB);
    // Windows are cut between blocks, so there may be one more.
    let copies = sim.count("GNTTABOP_copy");
    assert!((windows..=windows + 1).contains(&copies), "{copies} copies, {windows} windows");
    assert!(sim.exits() <= 14 + copies, "{:?}", sim.counts());
    assert!(pauses as u64 >= windows, "{pauses} pauses");
}

#[test]
fn of_the_copying_nothing_is_left_in_the_guest() {
    let sim = SimXen::default();
    let xen = Xen::probe(&sim).unwrap();
    let (id, _built, _) = Recipe::large().build(&xen).unwrap();
    assert!(!sim.guest(id).has(Gfn(0xfeff8)), "the grant table is out of its sight");
    xen.add_grant_frame(id, 0, Gfn(0xfeff8)).unwrap();
    let table = sim.guest(id).bytes(Gfn(0xfeff8).address(), 4096);
    assert!(table.iter().all(|&byte| byte == 0), "and grants nothing");
}

#[test]
fn where_copying_is_impossible_pages_are_mapped() {
    let sim = SimXen::default();
    let xen = Xen::probe(&sim).unwrap();
    let before = sim.snapshot();
    let recipe = Recipe::large();
    sim.fail_next("XENMEM_add_to_physmap", Errno::EPERM);
    sim.reset_counts();
    let (id, built, _) = recipe.build(&xen).unwrap();
    assert_eq!((sim.injected(), sim.count("GNTTABOP_copy")), (1, 0));
    check_memory(&sim, id, &recipe);
    check_services(&sim, id, &built);
    for end in [built.console, built.store] {
        xen.evtchn_close(end.port).unwrap();
    }
    xen.destroy_domain(id).unwrap();
    sim.assert_clean(&before);
}

#[test]
fn a_page_that_xen_does_not_copy_is_an_error() {
    let sim = SimXen::default();
    let xen = Xen::probe(&sim).unwrap();
    let before = sim.snapshot();
    sim.fail_element("GNTTABOP_copy", 300, Errno::EINVAL);
    let refused = Recipe::large().build(&xen).map(|_| ());
    let expected = XenError { op: "GNTTABOP_copy", errno: Errno::EIO };
    assert_eq!(refused, Err(BuildError::Xen(expected)));
    sim.assert_clean(&before);
}

#[test]
fn memory_in_pieces_is_taken_in_pieces() {
    let sim = SimXen::default();
    let xen = Xen::probe(&sim).unwrap();
    let recipe = Recipe::smallest();
    sim.fail_element("XENMEM_populate_physmap", 5, Errno::ENOMEM);
    let (id, _, _) = recipe.build(&xen).unwrap();
    assert_eq!(sim.injected(), 1);
    check_memory(&sim, id, &recipe);
    assert_eq!(sim.guest(id).memory(), Pages(recipe.memory.0 / 4 + 3));
}

#[test]
fn a_failure_at_any_hypercall_leaves_nothing_behind() {
    for recipe in [Recipe::smallest(), Recipe::large()] {
        let (kernel, ramdisk) = (pack(&recipe.kernel()), pack(&recipe.ramdisk));
        let mut failures = 0;
        for n in 0.. {
            let sim = SimXen::default();
            let xen = Xen::probe(&sim).unwrap();
            let before = sim.snapshot();
            sim.fail_nth(n, Errno::EPERM);
            match recipe.build_from(&xen, &kernel, Some(&ramdisk)) {
                Err(error) => {
                    let refused = matches!(error, BuildError::Xen(XenError { errno: Errno::EPERM, .. }));
                    assert!(refused, "{n}: {error:?}");
                    sim.assert_clean(&before);
                    failures += 1;
                }
                Ok(_) if sim.injected() == 0 => break,
                // A refused unmapping fails nothing, nor does a refused copier: the guest is complete.
                Ok((id, built, _)) => check_services(&sim, id, &built),
            }
        }
        assert!(failures > 10, "{failures}");
    }
}

#[test]
fn too_little_free_memory_is_said_so_and_all_of_it_is_given_back() {
    let sim = SimXen::new(Config { memory: Pages(40 << 8), ..Config::default() });
    let xen = Xen::probe(&sim).unwrap();
    let before = sim.snapshot();
    let refused = Recipe::smallest().build(&xen).map(|_| ());
    assert!(matches!(refused, Err(BuildError::NotEnoughMemory { .. })), "{refused:?}");
    sim.assert_clean(&before);
}

#[test]
fn damaged_images_are_refused_and_nothing_is_left() {
    let sim = SimXen::default();
    let xen = Xen::probe(&sim).unwrap();
    let before = sim.snapshot();
    let recipe = Recipe::large();
    let kernel = pack(&recipe.kernel());
    let ramdisk = pack(&recipe.ramdisk);
    let damage = |container: &[u8]| {
        let mut bytes = container.to_vec();
        let len = bytes.len();
        bytes[len / 2..].fill(0xff);
        bytes
    };
    let refused = recipe.build_from(&xen, &damage(&kernel), Some(&ramdisk)).map(|_| ());
    assert!(matches!(refused, Err(BuildError::Kernel(ReadError::Damaged(_)))), "{refused:?}");
    let refused = recipe.build_from(&xen, &kernel, Some(&damage(&ramdisk))).map(|_| ());
    assert!(matches!(refused, Err(BuildError::Ramdisk(ReadError::Damaged(_)))), "{refused:?}");
    let refused = recipe.build_from(&xen, &kernel, None).map(|_| ());
    assert!(matches!(refused, Err(BuildError::Ramdisk(ReadError::OutOfRange { .. }))), "{refused:?}");
    sim.assert_clean(&before);
}

#[test]
fn a_build_that_is_abandoned_leaves_nothing() {
    let sim = SimXen::default();
    let xen = Xen::probe(&sim).unwrap();
    let before = sim.snapshot();
    let recipe = Recipe::large();
    let (plan, kernel, ramdisk) = (recipe.plan(), pack(&recipe.kernel()), pack(&recipe.ramdisk));
    for polls in 1..6 {
        let reader = |bytes| Container::parse(bytes).unwrap().reader();
        let mut images = Images { kernel: reader(&kernel), ramdisk: Some(reader(&ramdisk)) };
        let domain = xen.create_domain(&CreateDomain::pvh([1; 16], recipe.vcpus)).unwrap();
        {
            let mut future = pin!(build(&domain, &plan, &mut images, async || pause().await));
            for _ in 0..polls {
                assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            }
        }
        drop(domain);
        sim.assert_clean(&before);
    }
}

#[test]
fn vcpus_are_pinned_without_another_exit_and_a_set_of_no_cpu_that_is_there_is_refused() {
    let build_with = |cpus: &[Vec<u8>]| {
        let recipe = Recipe { vcpus: 3, ..Recipe::smallest() };
        let sim = SimXen::default();
        let xen = Xen::probe(&sim).unwrap();
        let kernel = recipe.kernel();
        let headers = KernelHeaders::parse(&mut &kernel[..]).unwrap();
        let plan = Plan::new(&PlanInput {
            kernel: &headers,
            ramdisk_len: None,
            cmdline: "",
            memory: recipe.memory,
            max_memory: recipe.memory,
            vcpus: 3,
            max_vcpus: 3,
            cpus,
            preferred: &[],
            pool: 0,
            share: None,
        });
        let kernel = pack(&kernel);
        let mut images = Images { kernel: Container::parse(&kernel).unwrap().reader(), ramdisk: None };
        let domain = xen.create_domain(&CreateDomain::pvh([1; 16], 3)).unwrap();
        sim.reset_counts();
        let _built = run(build(&domain, &plan.unwrap(), &mut images, async || ())).0?;
        let exits = sim.exits();
        let sets = [0, 1, 2].map(|vcpu| xen.vcpu_affinity(domain.id(), VcpuId(vcpu), 2).unwrap());
        assert!(sets.iter().all(|set| set.soft == [0b11]), "preferences are another matter");
        Ok::<_, BuildError>((exits, sets.map(|set| set.hard[0])))
    };
    let (exits, anywhere) = build_with(&[]).unwrap();
    assert_eq!(anywhere, [0b11; 3]);
    // Of the last vCPU nothing is said, and sets behind it are nobody's.
    assert_eq!(build_with(&[vec![0b10], vec![]]).unwrap(), (exits, [0b10, 0b11, 0b11]));
    assert_eq!(build_with(&[vec![1], vec![2], vec![0, 0, 0], vec![0xf0]]).unwrap(), (exits, [1, 2, 0b11]));
    let refused = build_with(&[vec![0b1100]]).unwrap_err();
    let expected = XenError { op: "XEN_DOMCTL_setvcpuaffinity", errno: Errno::EINVAL };
    assert_eq!(refused, BuildError::Xen(expected));
}

/// The kernels that are installed here, end to end: unpacked, packed, built, compared.
#[test]
fn installed_linux_kernels_are_built() {
    let files = std::fs::read_dir("/boot").into_iter().flatten().flatten().map(|file| file.path());
    for path in files.filter(|path| path.to_string_lossy().contains("/vmlinuz-")) {
        let Ok(file) = std::fs::read(&path) else { continue };
        let plain = image::host::unpack(&file).unwrap();
        let headers = KernelHeaders::parse(&mut &plain[..]).unwrap();
        let kernel = pack(&plain);
        let sim = SimXen::default();
        let xen = Xen::probe(&sim).unwrap();
        let plan = Plan::new(&PlanInput {
            kernel: &headers,
            ramdisk_len: None,
            cmdline: "console=hvc0",
            memory: KiB(128 << 10),
            max_memory: KiB(128 << 10),
            vcpus: 1,
            max_vcpus: 1,
            cpus: &[],
            preferred: &[],
            pool: 0,
            share: None,
        })
        .unwrap();
        let mut images = Images { kernel: Container::parse(&kernel).unwrap().reader(), ramdisk: None };
        let domain = xen.create_domain(&CreateDomain::pvh([1; 16], 1)).unwrap();
        let _built = run(build(&domain, &plan, &mut images, async || ())).0.unwrap();
        let guest = sim.guest(domain.id());
        for segment in headers.segments() {
            let found = guest.bytes(GuestPhys(segment.address), segment.memory_size as usize);
            let start = segment.offset as usize;
            let file = &plain[start..start + segment.file_size as usize];
            assert!(found[..file.len()] == *file && found[file.len()..].iter().all(|&byte| byte == 0));
        }
    }
}
