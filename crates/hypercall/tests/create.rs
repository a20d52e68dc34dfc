//! A whole create, as a toolstack would do it, with a failure at each of its steps.

mod common;

use common::{RELEASES, small, start_at};
use hypercall::{Xen, XenError, calls};
use sim_xen::SimXen;
use xen_abi::domctl::TSC_MODE_NEVER_EMULATE;
use xen_abi::hvm::params::{HVM_PARAM_CONSOLE_EVTCHN, HVM_PARAM_CONSOLE_PFN};
use xen_abi::memory::{E820_RAM, E820Entry};
use xen_abi::xen::DOMID_SELF;
use xen_abi::{Bytes, DomId, Errno, EvtchnPort, Gfn, KiB, Pages};

const CONSOLE: Gfn = Gfn(0xfeff8);

/// Creates, fills and starts a guest of 8 MiB; answers its identifier and our port of its console.
fn create(xen: &Xen<&SimXen>) -> Result<(DomId, EvtchnPort), XenError> {
    let abi = xen.abi();
    let domain = xen.create_domain(&small())?;
    let id = domain.id();
    let large: Vec<Gfn> = (0..4).map(|n| Gfn(n * 512)).collect();
    let mut batch = xen.batch();
    let _ = batch.add(calls::domctl::set_paging_pool(abi, id, Bytes(1 << 20)));
    let _ = batch.add(calls::domctl::max_vcpus(abi, id, 1));
    let _ = batch.add(calls::domctl::max_mem(abi, id, KiB((8 << 10) + 4)));
    let _ = batch.add(calls::domctl::set_tsc_mode(abi, id, TSC_MODE_NEVER_EMULATE));
    let _ = batch.add(calls::memory::set_memory_map(id, &[E820Entry::new(0, 8 << 20, E820_RAM)]));
    let large_done = batch.add(calls::memory::populate(id, 9, &large));
    let console_done = batch.add(calls::memory::populate(id, 0, &[CONSOLE]));
    let port = batch.add(calls::evtchn::alloc_unbound(id, DOMID_SELF));
    let done = batch.issue()?;
    done.all()?;
    if done.get(large_done)? != 4 || done.get(console_done)? != 1 {
        return Err(XenError::new("XENMEM_populate_physmap", Errno::ENOMEM));
    }
    let theirs = done.get(port)?;

    let mut image = domain.map(&Gfn(256).range(Pages(20)).collect::<Vec<_>>())?;
    image.bytes().fill(0xf4);
    drop(image);

    let mut batch = xen.batch();
    let _ = batch.add(calls::hvm::set_param(id, HVM_PARAM_CONSOLE_PFN, CONSOLE.0));
    let _ = batch.add(calls::hvm::set_param(id, HVM_PARAM_CONSOLE_EVTCHN, u64::from(theirs.0)));
    let _ = batch.add(calls::domctl::set_hvm_context(abi, id, &start_at(256 << 12)));
    batch.issue()?.all()?;
    let ours = xen.evtchn_bind_interdomain(id, theirs)?;
    let domain = domain.finish();
    if let Err(error) = xen.unpause_domain(id) {
        // The port is the toolstack's to close; the domain goes by itself.
        xen.evtchn_close(ours)?;
        return Err(error);
    }
    Ok((domain.commit(), ours))
}

#[test]
fn a_guest_is_created_in_few_exits() {
    for minor in RELEASES {
        let sim = SimXen::release(minor);
        let xen = Xen::probe(&sim).unwrap();
        sim.reset_counts();
        let (id, _) = create(&xen).unwrap();
        assert_eq!(sim.exits(), 7, "{:?}", sim.counts());
        let guest = sim.guest(id);
        assert!(guest.is_running());
        assert_eq!(guest.memory(), Pages(2049));
        assert_eq!(guest.param(HVM_PARAM_CONSOLE_PFN), CONSOLE.0);
        assert_eq!(guest.registers(0).unwrap().rip, 256 << 12);
        assert_eq!(guest.bytes(Gfn(275).address(), 4096), [0xf4; 4096]);
    }
}

#[test]
fn a_failure_at_any_step_leaves_nothing() {
    for minor in RELEASES {
        let mut failed = 0;
        for step in 0.. {
            let sim = SimXen::release(minor);
            let xen = Xen::probe(&sim).unwrap();
            let before = sim.snapshot();
            sim.fail_nth(step, Errno::ENOMEM);
            let created = create(&xen);
            sim.clear_faults();
            if sim.injected() == 0 {
                created.unwrap();
                assert!(step > 15 + 20, "only {step} steps");
                // All but the unmapping of 20 pages, which has its own test.
                assert_eq!(failed, step - 21);
                break;
            }
            if let Err(error) = created {
                assert_eq!(error.errno, Errno::ENOMEM);
                let leaks = sim.leaks(&before);
                assert!(leaks.is_empty(), "4.{minor}, step {step}, {error}: {leaks:#?}");
                failed += 1;
            }
        }
    }
}

#[test]
fn a_host_without_memory_is_told_and_left_as_it_was() {
    let sim = SimXen::new(sim_xen::Config {
        memory: Pages(20 << 8),
        own: Pages(16 << 8),
        ..sim_xen::Config::default()
    });
    let xen = Xen::probe(&sim).unwrap();
    let before = sim.snapshot();
    assert_eq!(create(&xen).unwrap_err().errno, Errno::ENOMEM);
    sim.assert_clean(&before);
}
