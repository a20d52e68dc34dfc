//! Memory claimed from Xen and given back.

mod common;

use common::{on_every_release, small};
use hypercall::Xen;
use sim_xen::{Config, SimXen};
use xen_abi::{Errno, Gfn, GuestPhys, KiB, Pages};

#[test]
fn claimed_memory_can_be_used_and_goes_back() {
    on_every_release(|sim, xen| {
        let before = sim.snapshot();
        let free = sim.free_memory();
        let mut memory = xen.claim(Pages(1500)).unwrap();
        assert_eq!(memory.len(), 1500 * 4096);
        assert_eq!(free.0 - sim.free_memory().0, 1500);
        memory.fill(0x5a);
        assert!(memory.iter().all(|byte| *byte == 0x5a));
        drop(memory);
        sim.assert_clean(&before);
    });
}

#[test]
fn large_claims_use_large_pages() {
    let sim = SimXen::default();
    let xen = Xen::probe(&sim).unwrap();
    sim.reset_counts();
    let memory = xen.claim(Pages(64 << 8)).unwrap();
    // What we have, one list of 32 large pages.
    assert_eq!(
        sim.counts().into_iter().collect::<Vec<_>>(),
        [("XENMEM_populate_physmap", 1), ("XEN_DOMCTL_getdomaininfo", 1)]
    );
    drop(memory);
    assert_eq!(sim.count("XENMEM_decrease_reservation"), 1);
}

#[test]
fn what_was_in_claimed_memory_is_not_seen_by_the_next_owner() {
    let sim = SimXen::new(Config { memory: Pages(32 << 8), ..Config::default() });
    let xen = Xen::probe(&sim).unwrap();
    let mut secret = xen.claim(Pages(600)).unwrap();
    secret.fill(0xee);
    drop(secret);
    // A guest that gets nearly all of the host's memory finds no trace.
    let domain = xen.create_domain(&small()).unwrap();
    let all = sim.free_memory().0 / 512 - 1;
    xen.max_mem(domain.id(), KiB(all * 2048)).unwrap();
    let large: Vec<Gfn> = (0..all).map(|n| Gfn(n * 512)).collect();
    xen.populate(domain.id(), 9, &large).unwrap();
    let guest = sim.guest(domain.id());
    for page in large {
        assert!(guest.bytes(GuestPhys(page.0 * 4096), 2 << 20).iter().all(|byte| *byte == 0));
    }
}

#[test]
fn our_own_limit_is_raised_where_needed() {
    on_every_release(|sim, xen| {
        sim.limit_own_memory(Pages((16 << 8) + 10));
        let small = xen.claim(Pages(10)).unwrap();
        assert_eq!(sim.count("XEN_DOMCTL_max_mem"), 0);
        let large = xen.claim(Pages(100)).unwrap();
        assert_eq!(sim.count("XEN_DOMCTL_max_mem"), 1);
        assert_eq!((small.len(), large.len()), (10 * 4096, 100 * 4096));
    });
}

#[test]
fn a_claim_beyond_the_hosts_memory_fails_and_leaves_nothing() {
    for minor in common::RELEASES {
        let sim = &SimXen::new(Config { minor, memory: Pages(32 << 8), ..Config::default() });
        let xen = Xen::probe(sim).unwrap();
        let before = sim.snapshot();
        let too_much = Pages(sim.free_memory().0 + 1);
        let error = xen.claim(too_much).err().expect("an error");
        assert_eq!(error.to_string(), "XENMEM_populate_physmap: ENOMEM (out of memory)");
        sim.assert_clean(&before);
        assert_eq!(xen.claim(Pages(0)).err().map(|e| e.errno), Some(Errno::EINVAL));
        assert_eq!(
            xen.claim(Pages(1 << 40)).err().map(|e| (e.op, e.errno)),
            Some(("aperture", Errno::ENOSPC))
        );
        sim.assert_clean(&before);
    }
}

#[test]
fn scattered_memory_is_taken_in_small_pages() {
    let sim = SimXen::new(Config { memory: Pages(8 << 8), own: Pages(256), ..Config::default() });
    let xen = Xen::probe(&sim).unwrap();
    // Leave free every other page only.
    let domain = xen.create_domain(&small()).unwrap();
    let free = sim.free_memory().0;
    xen.max_mem(domain.id(), KiB(4 * free)).unwrap();
    let all: Vec<Gfn> = Gfn(0).range(Pages(free)).collect();
    xen.populate(domain.id(), 0, &all).unwrap();
    let odd: Vec<Gfn> = all.iter().copied().filter(|gfn| gfn.0 % 2 == 1).collect();
    xen.depopulate(domain.id(), 0, &odd).unwrap();

    let before = sim.snapshot();
    let mut memory = xen.claim(Pages(700)).unwrap();
    memory.fill(1);
    drop(memory);
    sim.assert_clean(&before);
}

#[test]
fn a_failure_at_any_step_of_a_claim_leaves_nothing() {
    on_every_release(|sim, xen| {
        sim.limit_own_memory(Pages(16 << 8));
        let before = sim.snapshot();
        for step in 0.. {
            sim.limit_own_memory(Pages(16 << 8));
            sim.fail_nth(step, Errno::ENOMEM);
            let happened = sim.injected();
            let claimed = xen.claim(Pages(1100));
            if sim.injected() == happened {
                assert!(claimed.is_ok());
                assert!(step >= 4, "a claim takes at least that many steps, not {step}");
                sim.clear_faults();
                break;
            }
            drop(claimed);
            sim.assert_clean(&before);
        }
    });
}
