//! vCPUs listed and pinned: what is told, what is refused, and what it costs.

mod common;

use common::{World, domain, finish};
use hypercall::CreateDomain;
use proto::domain::{CreateRequest, DomainConfig};
use proto::error::{CreateError, DomainError};
use proto::vcpu::{CpuSet, PinError, PinRequest, VcpuInfo, VcpuListError, VcpuListing, VcpuQuery};
use sim_xen::Config;
use xen_abi::sched::SHUTDOWN_REBOOT;
use xen_abi::{DomId, Errno, Pages};

fn set(cpus: &[u32]) -> CpuSet {
    cpus.iter().copied().collect()
}

fn guest(world: &World, name: &str, vcpus: u32) -> u16 {
    let request = world.smallest(name);
    let config = DomainConfig { vcpus, max_vcpus: vcpus, ..request.config };
    world.create(CreateRequest { config, paused: false }).domid
}

fn query(names: &[&str]) -> VcpuQuery {
    VcpuQuery { domains: names.iter().map(|name| domain(name)).collect(), skip: 0 }
}

fn list(world: &World, names: &[&str]) -> VcpuListing {
    finish(world.stack.vcpus(&query(names))).unwrap()
}

fn pin(world: &World, word: &str, vcpu: Option<u32>, hard: &[u32]) -> Result<(), PinError> {
    world.stack.pin(&PinRequest { domain: domain(word), vcpu, hard: set(hard), soft: None })
}

/// Name, vCPU and hard set of each row.
fn rows(listing: &VcpuListing) -> Vec<(String, u32, String)> {
    let rows = listing.domains.iter().flat_map(|d| d.vcpus.iter().map(move |v| (d, v)));
    rows.map(|(d, v)| (d.name.clone(), v.vcpu, v.hard.to_string())).collect()
}

#[test]
fn all_vcpus_are_listed_by_name_in_two_exits() {
    let world = World::new();
    guest(&world, "b", 2);
    let a = guest(&world, "Alpha", 3);
    world.sim.guest(DomId(a)).runs(1, 1);
    world.sim.guest(DomId(a)).spend(1, 7_200_000_000);
    world.sim.guest(DomId(a)).set_vcpu(2, false);
    world.sim.reset_counts();
    let listing = list(&world, &[]);
    assert_eq!(world.sim.exits(), 2, "{:?}", world.sim.counts());
    assert_eq!(world.sim.hypercalls(), 3 + 2 * 6);
    assert!(!listing.has_more);
    assert_eq!((listing.cpus.to_string().as_str(), listing.nr_domains), ("0-1", 3));
    let any = "0-1".to_string();
    assert_eq!(
        rows(&listing),
        [("Alpha", 0), ("Alpha", 1), ("Alpha", 2), ("Domain-0", 0), ("b", 0), ("b", 1)]
            .map(|(name, vcpu)| (name.to_string(), vcpu, any.clone()))
    );
    let runs = VcpuInfo {
        vcpu: 1,
        is_online: true,
        is_blocked: false,
        is_running: true,
        cpu: 1,
        cpu_time_ns: 7_200_000_000,
        hard: set(&[0, 1]),
        soft: set(&[0, 1]),
    };
    assert_eq!(listing.domains[0].vcpus[1], runs);
    assert!(!listing.domains[0].vcpus[2].is_online);
    assert!(listing.domains[0].vcpus[0].is_blocked);
}

#[test]
fn named_domains_come_in_the_order_of_their_names_and_an_unknown_one_fails_all() {
    let world = World::new();
    let a = guest(&world, "a", 1);
    guest(&world, "b", 1);
    let listing = list(&world, &["b", &a.to_string(), "b", "Domain-0"]);
    let names: Vec<_> = listing.domains.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["b", "a", "b", "Domain-0"]);
    for unknown in ["nobody", "77", ""] {
        let answer = finish(world.stack.vcpus(&query(&["a", unknown])));
        assert_eq!(answer, Err(VcpuListError::NotFound(unknown.into())));
    }
}

#[test]
fn sixty_four_vcpus_are_one_exit_more() {
    let world = World::on(Config { memory: Pages(2048 << 8), ..Config::default() });
    guest(&world, "a", 128);
    guest(&world, "b", 63);
    world.sim.reset_counts();
    let listing = list(&world, &[]);
    assert_eq!(rows(&listing).len(), 128 + 63 + 1);
    assert_eq!(world.sim.exits(), 1 + 3, "{:?}", world.sim.counts());
    world.sim.reset_counts();
    assert_eq!(rows(&list(&world, &["b"])).len(), 63);
    assert_eq!(world.sim.exits(), 2);
}

#[test]
fn a_long_list_comes_in_parts_of_whole_domains() {
    let world = World::on(Config { memory: Pages(4096 << 8), cpus: 200, ..Config::default() });
    for n in 10..20 {
        guest(&world, &format!("g{n}"), 128);
    }
    let mut names = Vec::new();
    let mut parts = 0;
    let mut skip = 0;
    loop {
        let part = finish(world.stack.vcpus(&VcpuQuery { domains: Vec::new(), skip })).unwrap();
        assert!(postcard::to_allocvec(&part).unwrap().len() < 96 << 10);
        assert_eq!(part.cpus.to_string(), "0-199");
        assert!(part.domains.iter().all(|d| d.vcpus.len() == if d.domid == 0 { 1 } else { 128 }));
        names.extend(part.domains.into_iter().map(|d| d.name));
        parts += 1;
        skip += part.nr_domains;
        if !part.has_more {
            break;
        }
    }
    assert_eq!(names.len(), 11);
    assert!(parts > 1 && names.is_sorted(), "{parts} parts: {names:?}");
}

#[test]
fn a_domain_that_goes_while_it_is_listed_is_left_out() {
    let world = World::on(Config { memory: Pages(2048 << 8), ..Config::default() });
    guest(&world, "a", 128);
    guest(&world, "b", 2);
    let query = query(&[]);
    let mut listing = std::pin::pin!(world.stack.vcpus(&query));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(listing.as_mut().poll(&mut context).is_pending(), "it gives way");
    world.destroy("b");
    let listing = finish(listing).unwrap();
    let names: Vec<_> = listing.domains.iter().map(|d| d.name.as_str()).collect();
    assert_eq!((names, listing.nr_domains), (vec!["Domain-0", "a"], 3));
}

#[test]
fn what_xen_refuses_is_told() {
    let world = World::new();
    guest(&world, "a", 1);
    for op in ["XEN_SYSCTL_getdomaininfolist", "XEN_SYSCTL_cputopoinfo", "XEN_DOMCTL_getvcpuaffinity"] {
        world.sim.fail_next(op, Errno::EPERM);
        match finish(world.stack.vcpus(&query(&["a"]))).unwrap_err() {
            VcpuListError::Xen(error) => assert_eq!((error.call.as_str(), error.errno), (op, 1)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn vcpus_are_pinned_one_or_all_in_two_exits() {
    let world = World::new();
    guest(&world, "a", 2);
    let sets =
        || list(&world, &["a"]).domains[0].vcpus.iter().map(|v| v.hard.to_string()).collect::<Vec<_>>();
    world.sim.reset_counts();
    pin(&world, "a", Some(1), &[1]).unwrap();
    assert_eq!(world.sim.exits(), 2, "{:?}", world.sim.counts());
    assert_eq!(sets(), ["0-1", "1"]);
    world.sim.reset_counts();
    // CPUs that are not there do no harm beside one that is.
    pin(&world, "a", None, &[0, 5, 63]).unwrap();
    assert_eq!(world.sim.exits(), 2, "{:?}", world.sim.counts());
    assert_eq!(sets(), ["0", "0"]);
    pin(&world, "Domain-0", Some(0), &[1]).unwrap();
    assert_eq!(list(&world, &["0"]).domains[0].vcpus[0].hard, set(&[1]));

    let soft = |cpus: &[u32]| PinRequest {
        domain: domain("a"),
        vcpu: Some(0),
        hard: set(&[0, 1]),
        soft: Some(set(cpus)),
    };
    world.stack.pin(&soft(&[1])).unwrap();
    let first = &list(&world, &["a"]).domains[0].vcpus[0];
    assert_eq!((first.hard.to_string(), first.soft.to_string()), ("0-1".into(), "1".into()));
}

#[test]
fn the_only_cpu_of_a_machine_is_one_though_xen_knows_no_core_of_it() {
    let world = World::on(Config { cpus: 1, ..Config::default() });
    guest(&world, "a", 1);
    assert_eq!(list(&world, &["a"]).cpus.to_string(), "0");
    pin(&world, "a", None, &[0, 1, 2, 3]).unwrap();
    assert_eq!(pin(&world, "a", None, &[1]), Err(PinError::NoCpu { vcpu: 0, cpus: set(&[0]) }));
}

#[test]
fn impossible_pins_say_what_there_is() {
    let world = World::new();
    let domid = guest(&world, "a", 2);
    let there = set(&[0, 1]);
    assert_eq!(pin(&world, "a", Some(2), &[0]), Err(PinError::NoVcpu { vcpu: 2, vcpus: 2 }));
    assert_eq!(pin(&world, "a", Some(u32::MAX), &[0]), Err(PinError::NoVcpu { vcpu: u32::MAX, vcpus: 2 }));
    for cpus in [&[7][..], &[], &[4095]] {
        let refusal = PinError::NoCpu { vcpu: 1, cpus: there.clone() };
        assert_eq!(pin(&world, "a", Some(1), cpus), Err(refusal));
    }
    for unknown in ["nobody", "77"] {
        assert_eq!(pin(&world, unknown, None, &[0]), Err(PinError::Domain(DomainError::NotFound)));
    }
    let empty = world.stack.xen().create_domain(&CreateDomain::pvh([9; 16], 1)).unwrap();
    let word = empty.id().0.to_string();
    assert_eq!(
        pin(&world, &word, None, &[0]),
        Err(PinError::Domain(DomainError::NotStarted)),
        "it has no vCPUs"
    );
    drop(empty);

    world.sim.fail_next("XEN_DOMCTL_setvcpuaffinity", Errno::EBUSY);
    match pin(&world, "a", None, &[0]).unwrap_err() {
        PinError::Xen { vcpu, error } => assert_eq!((vcpu, error.errno), (0, Errno::EBUSY.0)),
        other => panic!("{other:?}"),
    }
    world.sim.guest(DomId(domid)).shutdown(SHUTDOWN_REBOOT).unwrap();
    assert_eq!(pin(&world, "a", None, &[0]), Err(PinError::Domain(DomainError::NotStarted)));
}

#[test]
fn a_domain_is_pinned_from_its_first_moment_and_in_its_next_life() {
    let world = World::new();
    let request = world.smallest("a");
    world.sim.reset_counts();
    world.create(request.clone());
    let plain = world.sim.exits();
    world.destroy("a");

    let config = DomainConfig { vcpus: 2, max_vcpus: 2, cpus: vec![set(&[1])], ..request.config.clone() };
    world.sim.reset_counts();
    let domid = world.create(CreateRequest { config: config.clone(), paused: false }).domid;
    assert_eq!(world.sim.exits(), plain, "{:?}", world.sim.counts());
    let sets =
        || list(&world, &["a"]).domains[0].vcpus.iter().map(|v| v.hard.to_string()).collect::<Vec<_>>();
    assert_eq!(sets(), ["1", "0-1"]);
    pin(&world, "a", Some(1), &[0]).unwrap();
    world.end(domid, SHUTDOWN_REBOOT);
    world.obey();
    assert_eq!(sets(), ["1", "0"]);
    world.destroy("a");

    let before = world.before();
    let config = DomainConfig { cpus: vec![set(&[9])], ..config };
    let refused = finish(world.stack.create(CreateRequest { config, paused: false })).unwrap_err();
    assert_eq!(refused, CreateError::NoCpu);
    world.assert_nothing_happened(&before);
}
