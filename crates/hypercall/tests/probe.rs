//! Finding out which Xen speaks.

use hypercall::{ProbeError, Xen};
use sim_xen::SimXen;
use xen_abi::{Errno, domctl, sysctl};

#[test]
fn every_known_release_is_recognised() {
    for (&(minor, domctl), &(_, sysctl)) in domctl::VERSIONS.iter().zip(sysctl::VERSIONS) {
        let sim = SimXen::release(minor);
        let abi = Xen::probe(&sim).unwrap().abi();
        assert_eq!((abi.major, abi.minor, abi.domctl, abi.sysctl), (4, minor, domctl, sysctl));
        assert_eq!(abi.release(), minor);
    }
}

#[test]
fn a_known_release_costs_three_hypercalls() {
    let sim = SimXen::release(20);
    let xen = Xen::probe(&sim).unwrap();
    assert_eq!(xen.counters().exits, 3);
    assert_eq!(sim.exits(), 3);
}

#[test]
fn an_unknown_release_is_refused_in_one_line_that_names_both_sides() {
    for minor in [13, 23, 99] {
        let sim = SimXen::release(minor);
        let Err(error) = Xen::probe(&sim) else { panic!("4.{minor} was accepted") };
        let text = error.to_string();
        assert!(!text.contains('\n'));
        assert!(text.contains(&format!("Xen 4.{minor}")), "{text}");
        assert!(text.contains("Xen 4.14 to 4.22"), "{text}");
        assert!(text.contains("domctl"), "{text}");
    }
}

#[test]
fn a_domain_that_may_not_is_told_so_and_not_that_xen_is_unknown() {
    let sim = SimXen::release(17);
    sim.fail_next("XEN_DOMCTL_getdomaininfo", Errno::EPERM);
    let Err(error) = Xen::probe(&sim) else { panic!("accepted") };
    assert!(matches!(error, ProbeError::Refused { minor: 17, .. }));
    assert_eq!(
        error.to_string(),
        "Xen 4.17 refuses us: XEN_DOMCTL_getdomaininfo: EPERM (operation not permitted); is this domain privileged?"
    );
}

#[test]
fn no_xen_at_all_is_told_apart() {
    let sim = SimXen::release(17);
    sim.fail_next("XENVER_version", Errno::ENOSYS);
    assert!(matches!(Xen::probe(&sim), Err(ProbeError::NoXen(error)) if error.errno == Errno::ENOSYS));
}

#[test]
fn a_guest_asks_for_the_version_alone() {
    let sim = SimXen::release(17);
    let xen = Xen::unprivileged(&sim).unwrap();
    assert_eq!((xen.abi().major, xen.abi().minor, xen.abi().domctl, xen.abi().sysctl), (4, 17, 0, 0));
    assert_eq!(sim.exits(), 1);
}
