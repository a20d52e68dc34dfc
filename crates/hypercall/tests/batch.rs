//! Many calls in one exit.

mod common;

use common::{on_every_release, small};
use hypercall::{Counters, calls};
use xen_abi::hvm::params::HVM_PARAM_STORE_EVTCHN;
use xen_abi::memory::{E820_RAM, E820Entry};
use xen_abi::xen::DOMID_SELF;
use xen_abi::{Bytes, DomId, Errno, Gfn, KiB, Pages};

#[test]
fn a_batch_is_one_exit_and_each_call_has_its_own_answer() {
    on_every_release(|sim, xen| {
        let domain = xen.create_domain(&small()).unwrap();
        let (abi, id) = (xen.abi(), domain.id());
        let before = xen.counters();
        sim.reset_counts();

        let map = [E820Entry::new(0, 16 << 20, E820_RAM)];
        let frames: Vec<Gfn> = Gfn(0).range(Pages(100)).collect();
        let mut batch = xen.batch();
        let pool = batch.add(calls::domctl::set_paging_pool(abi, id, Bytes(1 << 20)));
        let vcpus = batch.add(calls::domctl::max_vcpus(abi, id, 9));
        let limit = batch.add(calls::domctl::max_mem(abi, id, KiB(4 * 64)));
        let map = batch.add(calls::memory::set_memory_map(id, &map));
        let populated = batch.add(calls::memory::populate(id, 0, &frames));
        let port = batch.add(calls::evtchn::alloc_unbound(id, DOMID_SELF));
        let info = batch.add(calls::domctl::domain_info(abi, id));
        let param = batch.add(calls::hvm::set_param(DomId(9), HVM_PARAM_STORE_EVTCHN, 1));
        assert_eq!(batch.len(), 8);
        let done = batch.issue().unwrap();

        done.get(pool).unwrap();
        assert_eq!(
            done.get(vcpus).unwrap_err().to_string(),
            "XEN_DOMCTL_max_vcpus: EINVAL (invalid argument)"
        );
        done.get(limit).unwrap();
        done.get(map).unwrap();
        assert_eq!(done.get(populated).unwrap(), 64);
        assert_eq!(done.get(port).unwrap().0, 1);
        assert_eq!(done.get(info).unwrap().pages, Pages(64));
        assert_eq!(done.get(param).unwrap_err().errno, Errno::ESRCH);
        assert_eq!(done.all().unwrap_err().op, "XEN_DOMCTL_max_vcpus");

        let now = xen.counters();
        let counted =
            Counters { exits: now.exits - before.exits, hypercalls: now.hypercalls - before.hypercalls };
        assert_eq!(counted, Counters { exits: 1, hypercalls: 8 });
        assert_eq!((sim.exits(), sim.hypercalls()), (1, 8));
    });
}

#[test]
fn an_empty_batch_costs_nothing() {
    on_every_release(|_, xen| {
        let before = xen.counters();
        let batch = xen.batch();
        assert!(batch.is_empty());
        batch.issue().unwrap().all().unwrap();
        assert_eq!(xen.counters(), before);
    });
}

#[test]
fn a_multicall_that_is_refused_does_nothing() {
    on_every_release(|sim, xen| {
        let domain = xen.create_domain(&small()).unwrap();
        sim.fail_next("multicall", Errno::ENOMEM);
        let mut batch = xen.batch();
        let _ = batch.add(calls::domctl::max_mem(xen.abi(), domain.id(), KiB(4)));
        let error = batch.issue().err().expect("an error");
        assert_eq!((error.op, error.errno), ("multicall", Errno::ENOMEM));
        assert_eq!(xen.domain_info(domain.id()).unwrap().max_pages, Pages(0));
    });
}

#[test]
fn what_follows_a_failure_is_still_done() {
    on_every_release(|sim, xen| {
        let domain = xen.create_domain(&small()).unwrap();
        sim.fail_next("XEN_DOMCTL_max_mem", Errno::EPERM);
        let mut batch = xen.batch();
        let limit = batch.add(calls::domctl::max_mem(xen.abi(), domain.id(), KiB(4)));
        let port = batch.add(calls::evtchn::alloc_unbound(domain.id(), DOMID_SELF));
        let done = batch.issue().unwrap();
        assert_eq!(done.get(limit).unwrap_err().errno, Errno::EPERM);
        assert!(done.get(port).is_ok());
    });
}
