//! One look at the host and all its domains, and what it costs.

mod common;

use common::World;
use hypercall::{CreateDomain, Xen};
use proto::domain::DomainState;
use proto::top::{TopRequest, VcpuUse};
use sim_xen::Config;
use xen_abi::{DomId, Errno, Pages};

const DOMAINS: TopRequest = TopRequest { from: 0, vcpus: false };
const VCPUS: TopRequest = TopRequest { from: 0, vcpus: true };

#[test]
fn a_look_tells_what_xen_counts_and_when() {
    let world = World::new();
    let created = world.create(world.smallest("spin"));
    let guest = world.sim.guest(DomId(created.domid));
    guest.spend(0, 2_000_000_000);
    world.platform.now_ns.set(7_000_000_000);
    let top = world.stack.top(DOMAINS).unwrap();
    assert_eq!((top.at_ns, top.nr_cpus, top.cpu_khz), (7_000_000_000, 2, 2_000_000));
    assert_eq!(top.total_memory_kib, 512 << 10);
    assert_eq!(top.free_memory_kib, world.sim.free_memory().kib().0);
    let [own, spin] = &top.domains[..] else { panic!("{:?}", top.domains) };
    assert_eq!((own.domid, own.name.as_str(), own.max_memory_kib), (0, "Domain-0", None), "it has no limit");
    assert_eq!((spin.domid, spin.name.as_str(), spin.nr_vcpus), (created.domid, "spin", 1));
    assert_eq!(spin.cpu_time_ns, 2_000_000_000);
    // With the pages that the builder adds.
    assert_eq!(spin.memory_kib, guest.memory().kib().0);
    assert!(spin.max_memory_kib.is_some_and(|most| most >= spin.memory_kib));
    assert!(spin.state.contains(DomainState::BLOCKED));
    assert!(spin.vcpus.is_empty(), "they were not asked for");
    assert!(spin.networks.is_empty() && spin.vbds.is_empty());
}

#[test]
fn a_look_at_vcpus_tells_each_that_is_online() {
    let world = World::new();
    let mut request = world.smallest("two");
    request.config.max_vcpus = 3;
    request.config.vcpus = 2;
    let domid = world.create(request).domid;
    world.sim.guest(DomId(domid)).spend(1, 5);
    let top = world.stack.top(VCPUS).unwrap();
    let two = top.domains.iter().find(|domain| domain.domid == domid).unwrap();
    let vcpu = |vcpu, cpu_time_ns| VcpuUse { vcpu, cpu_time_ns };
    // Whoever boots brings the others up.
    assert_eq!((two.nr_vcpus, two.vcpus.as_slice()), (3, &[vcpu(0, 0)][..]));
    assert_eq!(two.cpu_time_ns, 5);
}

#[test]
fn a_look_is_one_exit_and_with_vcpus_two() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        world.create(world.smallest(name));
    }
    for (request, exits) in [(DOMAINS, 1), (VCPUS, 2)] {
        world.sim.reset_counts();
        world.stack.top(request).unwrap();
        assert_eq!(world.sim.exits(), exits, "{request:?}");
    }
}

#[test]
fn many_domains_and_vcpus_are_asked_for_in_bounded_portions() {
    let world = World::on(Config { memory: Pages(1 << 20), ..Config::default() });
    let xen = Xen::probe(world.sim).unwrap();
    // With domain 0, the second page is full too, and only the third says that there are no more.
    for n in 0..255u16 {
        let id = xen.create_domain(&CreateDomain::pvh([n as u8; 16], 3)).unwrap().commit();
        xen.max_vcpus(id, 3).unwrap();
    }
    world.sim.reset_counts();
    let mut domains = Vec::new();
    let mut next = Some(0);
    while let Some(from) = next {
        let top = world.stack.top(TopRequest { from, vcpus: true }).unwrap();
        domains.extend(top.domains);
        next = top.next;
    }
    assert!(domains.is_sorted_by(|a, b| a.domid < b.domid));
    assert_eq!(domains.len(), 256);
    assert_eq!(domains.iter().map(|domain| domain.nr_vcpus).sum::<u32>(), 1 + 255 * 3);
    // Two pages with their vCPUs, and an empty one.
    assert_eq!(world.sim.exits(), 2 + 2 + 1);
}

#[test]
fn a_look_says_what_xen_refused() {
    let world = World::new();
    world.sim.fail_next("XEN_SYSCTL_getdomaininfolist", Errno::EPERM);
    let error = world.stack.top(DOMAINS).unwrap_err();
    assert_eq!((error.call.as_str(), error.errno), ("XEN_SYSCTL_getdomaininfolist", 1));
}

#[test]
fn a_domain_that_goes_between_two_questions_is_told_without_its_vcpus() {
    let world = World::new();
    world.create(world.smallest("a"));
    world.sim.fail_next("XEN_DOMCTL_getvcpuinfo", Errno::ESRCH);
    let top = world.stack.top(VCPUS).unwrap();
    assert_eq!(top.domains.iter().map(|domain| domain.vcpus.len()).collect::<Vec<_>>(), [0, 1]);
}
