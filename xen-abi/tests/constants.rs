//! Every constant against what a C compiler made of each release's headers.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{RELEASES, rows, sources};
use xen_abi::layout::Constant;

/// All that we define. A test below demands that none is missing.
fn ours() -> Vec<&'static [Constant]> {
    vec![
        xen_abi::domctl::CONSTANTS,
        xen_abi::elfnote::CONSTANTS,
        xen_abi::event_channel::CONSTANTS,
        xen_abi::grant_table::CONSTANTS,
        xen_abi::memory::CONSTANTS,
        xen_abi::physdev::CONSTANTS,
        xen_abi::sched::CONSTANTS,
        xen_abi::sysctl::CONSTANTS,
        xen_abi::vcpu::CONSTANTS,
        xen_abi::version::CONSTANTS,
        xen_abi::xen::CONSTANTS,
        xen_abi::arch_x86::cpuid::CONSTANTS,
        xen_abi::arch_x86::save::CONSTANTS,
        xen_abi::arch_x86::xen::CONSTANTS,
        xen_abi::hvm::hvm_op::CONSTANTS,
        xen_abi::hvm::params::CONSTANTS,
        xen_abi::hvm::start_info::CONSTANTS,
        xen_abi::io::console::CONSTANTS,
        xen_abi::io::libxenvchan::CONSTANTS,
        xen_abi::io::xs_wire::CONSTANTS,
        xen_abi::errno::CONSTANTS,
        xen_abi::grant_table::STATUSES,
        xen_abi::xen::NUMBERS,
    ]
}

/// The values that a constant has in C, by our name for it: each with its releases.
fn theirs() -> BTreeMap<String, Vec<(u64, String)>> {
    let mut values: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
    for row in rows("constants.tsv", 3) {
        let value = match row[1].strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => row[1].parse(),
        };
        let value = value.unwrap_or_else(|_| panic!("{} has no number: {}", row[0], row[1]));
        values.entry(row[0].to_uppercase()).or_default().push((value, row[2].clone()));
    }
    values
}

#[test]
fn every_constant_has_the_value_that_c_gives_it_in_every_release() {
    let theirs = theirs();
    for ours in ours().into_iter().flatten() {
        let values = theirs.get(&ours.name.to_uppercase());
        let values = values.unwrap_or_else(|| panic!("C has no {}", ours.name));
        for (value, releases) in values {
            assert_eq!(ours.value, *value, "{} in {releases}", ours.name);
        }
    }
}

#[test]
fn interface_versions_are_those_of_each_release() {
    let theirs = theirs();
    for (name, ours) in [
        ("XEN_DOMCTL_INTERFACE_VERSION", xen_abi::domctl::VERSIONS),
        ("XEN_SYSCTL_INTERFACE_VERSION", xen_abi::sysctl::VERSIONS),
    ] {
        assert!(ours.iter().map(|(release, _)| *release).eq(RELEASES));
        for (release, version) in ours {
            let value = theirs[name].iter().find(|(_, releases)| common::has(releases, *release));
            assert_eq!(value.map(|(value, _)| *value), Some(u64::from(*version)), "{name} in 4.{release}");
        }
    }
}

#[test]
fn no_constant_escapes_the_comparison() {
    let listed: BTreeSet<&str> = ours().into_iter().flatten().map(|constant| constant.name).collect();
    for (path, source) in sources().into_iter().filter(|(path, _)| !path.ends_with("layout.rs")) {
        for block in source.split("\nconstants! {").skip(1) {
            let block = block.split("\n}").next().unwrap_or_default();
            let names = block.lines().filter_map(|line| line.trim().split_once(": ").map(|(name, _)| name));
            for name in names.filter(|name| !name.starts_with("//")) {
                assert!(listed.contains(name), "{name} of {path} is not compared");
            }
        }
    }
    assert!(listed.len() > 300);
}
