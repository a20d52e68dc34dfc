//! Pages of other domains: what is seen through them, and what becomes of them.

mod common;

use common::{on_every_release, runnable, small};
use hypercall::{NewDomain, Xen};
use ring::Shared;
use sim_xen::{Config, SimXen};
use xen_abi::xen::{DOMID_SELF, VIRQ_DOM_EXC};
use xen_abi::{DomId, Errno, Gfn, GuestPhys, KiB, Pages, VcpuId};

fn frames(first: u64, count: u64) -> Vec<Gfn> {
    Gfn(first).range(Pages(count)).collect()
}

/// A new domain with memory at frames 0 to 15 and 512 to 1023.
fn furnished<'x>(xen: &'x Xen<&'x SimXen>) -> NewDomain<'x, &'x SimXen> {
    let domain = xen.create_domain(&small()).unwrap();
    xen.max_mem(domain.id(), KiB(4 * 528)).unwrap();
    xen.populate(domain.id(), 0, &frames(0, 16)).unwrap();
    xen.populate(domain.id(), 9, &[Gfn(512)]).unwrap();
    domain
}

#[test]
fn what_is_written_into_a_mapping_is_in_the_guest() {
    on_every_release(|sim, xen| {
        let domain = furnished(xen);
        let guest = sim.guest(domain.id());
        let mut pages = domain.map(&[Gfn(3), Gfn(700), Gfn(1)]).unwrap();
        assert_eq!(pages.pages(), [Gfn(3), Gfn(700), Gfn(1)]);
        let bytes = pages.bytes();
        assert_eq!(bytes.len(), 3 * 4096);
        assert!(bytes.iter().all(|byte| *byte == 0));
        // Across the border of two pages that are far apart in the guest.
        bytes[4090..4102].copy_from_slice(b"hello, world");
        bytes[2 * 4096] = 0x55;
        assert_eq!(guest.bytes(GuestPhys(3 * 4096 + 4090), 6), b"hello,");
        assert_eq!(guest.bytes(GuestPhys(700 * 4096), 6), b" world");
        assert_eq!(guest.bytes(GuestPhys(4096), 1), [0x55]);
        guest.write(GuestPhys(4097), b"back");
        assert_eq!(&pages.bytes()[2 * 4096..][..5], b"\x55back");
    });
}

#[test]
fn a_page_that_is_mapped_is_not_copied_to() {
    on_every_release(|sim, xen| {
        let domain = furnished(xen);
        let mut copier = domain.copier(Gfn(100), Pages(2)).unwrap();
        copier.staging().fill(0x77);
        let first = domain.map(&[Gfn(3)]).unwrap();
        let copies = [(0, Gfn(2)), (1, Gfn(3))];
        assert_eq!(copier.copy(&copies).err().map(|error| error.errno), Some(Errno::EBUSY));
        assert_eq!(sim.count("GNTTABOP_copy"), 0, "not even the page that is not mapped");
        drop(first);
        copier.copy(&copies).unwrap();
        assert!(sim.guest(domain.id()).bytes(GuestPhys(2 * 4096), 2 * 4096).iter().all(|&byte| byte == 0x77));
        // The grant table itself is mapped as long as the copier lives.
        assert_eq!(copier.copy(&[(0, Gfn(100))]).err().map(|error| error.errno), Some(Errno::EBUSY));
    });
}

#[test]
fn a_page_is_mapped_as_plain_bytes_only_once() {
    on_every_release(|_, xen| {
        let domain = furnished(xen);
        let first = domain.map(&frames(0, 4)).unwrap();
        let busy = |pages: &[Gfn]| domain.map(pages).err().map(|error| error.errno);
        assert_eq!(busy(&frames(3, 2)), Some(Errno::EBUSY));
        assert_eq!(busy(&[Gfn(8), Gfn(8)]), Some(Errno::EBUSY));
        assert_eq!(busy(&frames(4, 2)), None);
        assert_eq!(busy(&[]), Some(Errno::EINVAL));
        drop(first);
        assert_eq!(busy(&frames(3, 2)), None);
    });
}

#[test]
fn all_pages_are_mapped_or_none() {
    on_every_release(|sim, xen| {
        let domain = furnished(xen);
        let before = sim.snapshot();
        // Holes in the middle and at the end; good pages after them.
        for pages in [&[Gfn(1), Gfn(99), Gfn(2), Gfn(3)][..], &[Gfn(99)], &[Gfn(1), Gfn(2), Gfn(99)]] {
            let error = domain.map(pages).err().expect("an error");
            assert_eq!((error.op, error.errno), ("XENMEM_add_to_physmap_batch", Errno::EINVAL));
            sim.assert_clean(&before);
        }
        sim.fail_element("XENMEM_add_to_physmap_batch", 5, Errno::ENOMEM);
        assert_eq!(domain.map(&frames(0, 16)).err().map(|e| e.errno), Some(Errno::ENOMEM));
        sim.assert_clean(&before);
        // What failed can be tried again.
        let _ = domain.map(&frames(0, 16)).unwrap();
    });
}

#[test]
fn mapping_costs_an_exit_for_each_2048_pages_and_unmapping_one_for_each_512() {
    let sim = SimXen::default();
    let xen = Xen::probe(&sim).unwrap();
    let domain = xen.create_domain(&small()).unwrap();
    xen.max_mem(domain.id(), KiB(4 * 8192)).unwrap();
    let large: Vec<Gfn> = (0..16).map(|n| Gfn(n * 512)).collect();
    xen.populate(domain.id(), 9, &large).unwrap();
    for (pages, map, unmap) in [(1, 1, 1), (512, 1, 1), (2048, 1, 4), (5000, 3, 10)] {
        sim.reset_counts();
        let mapping = domain.map(&frames(0, pages)).unwrap();
        assert_eq!(sim.exits(), map);
        drop(mapping);
        assert_eq!(sim.exits() - map, unmap);
        assert_eq!(sim.count("XENMEM_remove_from_physmap"), pages);
    }
}

#[test]
fn what_one_xen_builds_another_of_the_same_machine_neither_runs_nor_shares() {
    let sim = SimXen::default();
    let (xen, other) = (Xen::probe(&sim).unwrap(), Xen::probe(&sim).unwrap());
    let domain = furnished(&xen);
    let id = domain.id();
    let mut pages = domain.map(&[Gfn(5)]).unwrap();
    let busy = Some(Errno::EBUSY);
    assert_eq!(other.unpause_domain(id).err().map(|error| error.errno), busy);
    assert_eq!(other.map_foreign(id, &[Gfn(5)]).err().map(|error| error.errno), busy);
    assert_eq!(other.add_grant_frame(id, 0, Gfn(99)).err().map(|error| error.errno), busy);
    pages.bytes().fill(1);
    drop(pages);
    let _ = domain.commit();
    let _ = other.map_foreign(id, &[Gfn(5)]).unwrap();
}

#[test]
fn frames_that_could_not_be_unmapped_are_not_lent_again() {
    for op in ["XENMEM_remove_from_physmap", "multicall"] {
        let sim = SimXen::default();
        let xen = Xen::probe(&sim).unwrap();
        let domain = furnished(&xen);
        let before = sim.snapshot();
        let mapping = domain.map(&frames(0, 2)).unwrap();
        sim.fail_next(op, Errno::EINVAL);
        drop(mapping);
        // Still lent: nothing else can be mapped over what is still there.
        assert!(sim.leaks(&before).iter().any(|leak| leak.starts_with("aperture frames lent: 0")));
        let _ = domain.map(&frames(4, 8)).unwrap();
    }
}

#[test]
fn a_full_aperture_is_told_apart_from_xens_errors() {
    let sim = SimXen::new(Config { aperture: Pages(8), ..Config::default() });
    let xen = Xen::probe(&sim).unwrap();
    let domain = furnished(&xen);
    let error = domain.map(&frames(0, 9)).err().expect("an error");
    assert_eq!(error.to_string(), "aperture: ENOSPC (no space left)");
    let _ = domain.map(&frames(0, 8)).unwrap();
}

#[test]
fn a_new_domain_that_is_dropped_leaves_nothing() {
    on_every_release(|sim, xen| {
        let before = sim.snapshot();
        let domain = furnished(xen);
        xen.max_vcpus(domain.id(), 1).unwrap();
        let pages = domain.map(&frames(0, 16)).unwrap();
        drop(pages);
        drop(domain);
        sim.assert_clean(&before);
    });
}

#[test]
fn a_committed_domain_stays_and_has_nothing_mapped() {
    on_every_release(|sim, xen| {
        let domain = furnished(xen);
        let mut pages = domain.map(&[Gfn(5)]).unwrap();
        pages.bytes().fill(0xa5);
        drop(pages);
        let id = domain.commit();
        assert_eq!(sim.domains(), [id]);
        assert_eq!(sim.guest(id).bytes(GuestPhys(5 * 4096 + 17), 2), [0xa5; 2]);
        assert!(xen.domain_info(id).unwrap().paused);
        let port = xen.evtchn_bind_virq(VIRQ_DOM_EXC, VcpuId(0)).unwrap();
        xen.destroy_domain(id).unwrap();
        assert_eq!(sim.take_events(), [port]);
        assert_eq!(sim.domains(), []);
    });
}

#[test]
fn as_long_as_a_domain_is_under_construction_it_neither_runs_nor_is_shared() {
    on_every_release(|sim, xen| {
        let domain = furnished(xen);
        let id = domain.id();
        let mut pages = domain.map(&[Gfn(5)]).unwrap();
        let bytes = pages.bytes();
        sim.reset_counts();
        assert_eq!(xen.unpause_domain(id).map_err(|error| error.errno), Err(Errno::EBUSY));
        assert_eq!(xen.map_foreign(id, &[Gfn(5)]).err().map(|error| error.errno), Some(Errno::EBUSY));
        assert_eq!(xen.add_grant_frame(id, 0, Gfn(99)).map_err(|error| error.errno), Err(Errno::EBUSY));
        assert_eq!(sim.exits(), 0, "Xen is not even asked");
        bytes.fill(1);
        drop(pages);
        // Others are not concerned, and so is this one as soon as it is finished.
        let other = runnable(xen);
        xen.unpause_domain(other).unwrap();
        let domain = domain.finish();
        let shared = xen.map_foreign(id, &[Gfn(5)]).unwrap();
        assert_eq!(shared.load_u32(0), 0x0101_0101);
        drop(shared);
        xen.add_grant_frame(id, 0, Gfn(99)).unwrap();
        // Finished, it is still destroyed unless it is kept.
        drop(domain);
        assert_eq!(sim.domains(), [other]);
    });
}

#[test]
fn a_domain_that_somebody_else_destroyed_is_no_way_into_the_next_of_its_number() {
    let sim = SimXen::default();
    let xen = Xen::probe(&sim).unwrap();
    let first = furnished(&xen);
    let id = first.id();
    xen.destroy_domain(id).unwrap();
    // Xen counts through all numbers before it uses one again.
    let next = loop {
        let domain = xen.create_domain(&small()).unwrap();
        if domain.id() == id {
            break domain;
        }
    };
    xen.max_mem(id, KiB(64)).unwrap();
    xen.populate(id, 0, &frames(0, 16)).unwrap();
    let mut pages = next.map(&frames(0, 4)).unwrap();
    let stale = |result: Result<(), hypercall::XenError>| result.map_err(|error| error.errno);
    assert_eq!(stale(first.map(&frames(0, 4)).map(drop)), Err(Errno::ESRCH));
    assert_eq!(stale(first.abandon()), Err(Errno::ESRCH));
    assert_eq!(sim.domains(), [id], "the new one is not the old one's to destroy");
    pages.bytes().fill(1);
    drop(pages);
    assert_eq!(stale(xen.unpause_domain(id)), Err(Errno::EBUSY), "it is still under construction");
    let _ = next.commit();
    assert_eq!(sim.domains(), [id]);
}

#[test]
fn a_shared_page_is_seen_by_both_sides_at_once() {
    on_every_release(|sim, xen| {
        let id = furnished(xen).commit();
        let shared = xen.map_foreign(id, &[Gfn(2), Gfn(4)]).unwrap();
        let guest = sim.guest(id);
        let page = guest.page(Gfn(4));
        shared.store_u32(4096 + 8, 0xdead_beef);
        assert_eq!(page.load_u32(8), 0xdead_beef);
        page.store_u32(12, 7);
        assert_eq!(shared.load_u32(4096 + 12), 7);
        // Every alignment of start and length.
        let pattern: Vec<u8> = (1..=64).collect();
        for start in 0..9 {
            for length in 0..40 {
                shared.write(4096 + 100 + start, &pattern[..length]);
                assert_eq!(guest.bytes(GuestPhys(4 * 4096 + 100 + start as u64), length), pattern[..length]);
                let mut back = vec![0; length];
                shared.read(4096 + 100 + start, &mut back);
                assert_eq!(back, pattern[..length]);
            }
        }
        assert_eq!(shared.len(), 8192);
    });
}

#[test]
#[should_panic(expected = "access to 4 bytes at 4096 of a mapping of 4096")]
fn access_outside_a_mapping_is_a_bug() {
    let sim = SimXen::default();
    let xen = Xen::probe(&sim).unwrap();
    let id = furnished(&xen).commit();
    let _ = xen.map_foreign(id, &[Gfn(2)]).unwrap().load_u32(4096);
}

#[test]
fn a_domain_with_a_page_mapped_stays_a_zombie_until_it_is_unmapped() {
    on_every_release(|sim, xen| {
        let before = sim.snapshot();
        let id = runnable(xen);
        xen.max_mem(id, KiB(16)).unwrap();
        xen.populate(id, 0, &frames(0, 4)).unwrap();
        let ring = xen.map_foreign(id, &[Gfn(1)]).unwrap();
        xen.destroy_domain(id).unwrap();
        let zombie = xen.domain_info(id).unwrap();
        assert!(zombie.dying);
        assert_eq!(zombie.pages, Pages(1));
        // What it wrote last can still be read.
        assert_eq!(ring.load_u32(0), 0);
        assert_eq!(xen.map_foreign(id, &[Gfn(1)]).err().map(|e| e.errno), Some(Errno::EINVAL));
        drop(ring);
        assert_eq!(xen.domain_info(id).unwrap_err().errno, Errno::ESRCH);
        sim.assert_clean(&before);
    });
}

#[test]
fn foreign_pages_are_other_domains_pages() {
    on_every_release(|sim, xen| {
        let before = sim.snapshot();
        let refused = |dom| xen.map_foreign(dom, &[Gfn(0)]).err().map(|error| error.errno);
        assert_eq!(refused(DomId(42)), Some(Errno::ESRCH));
        assert!(refused(DomId(0)).is_some());
        assert!(refused(DOMID_SELF).is_some());
        sim.assert_clean(&before);
    });
}
