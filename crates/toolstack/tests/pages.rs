//! A thousand domains with the longest names: every list is told whole, in answers that fit into a message.

mod common;

use std::collections::BTreeSet;

use common::{World, finish};
use proto::detail::DetailQuery;
use proto::domain::{CreateRequest, DomainConfig};
use proto::life::{End, EndRequest, Whom};
use proto::top::TopRequest;
use proto::vcpu::VcpuQuery;
use serde::Serialize;
use sim_xen::Config;
use xen_abi::Pages;

const DOMAINS: usize = 1000;
/// Answers of more bytes are not kept for who asks again.
const LONGEST: usize = 64 << 10;

/// Asks until there is no more; demands that every answer fits. Gives all names, and how many answers there were.
fn whole<T: Serialize, At>(
    mut ask: impl FnMut(At) -> (T, Vec<String>, Option<At>),
    first: At,
) -> (BTreeSet<String>, usize) {
    let (mut names, mut answers) = (BTreeSet::new(), 0);
    let mut next = Some(first);
    while let Some(at) = next {
        let (answer, some, behind) = ask(at);
        let len = postcard::to_allocvec(&answer).unwrap().len();
        assert!(len <= LONGEST, "{len} bytes");
        for name in some {
            assert!(names.insert(name), "told twice");
        }
        answers += 1;
        next = behind;
    }
    (names, answers)
}

#[test]
fn a_thousand_domains_are_told_whole_in_answers_that_fit_into_a_message() {
    let world = World::on(Config { memory: Pages(1 << 22), ..Config::default() });
    let request = world.smallest("");
    let mut expected = BTreeSet::new();
    for n in 0..DOMAINS {
        let name = format!("{n:04}{}", "x".repeat(250));
        expected.insert(name.clone());
        let config = DomainConfig { name, cmdline: "y".repeat(200), ..request.config.clone() };
        world.create(CreateRequest { config, paused: true });
    }
    let asked = whole(
        |from| {
            let request = EndRequest { whom: Whom::From(from), end: End::Poweroff };
            let page = world.stack.ask_to_end(&request).unwrap();
            let names = page.asked.iter().map(|asked| asked.name.clone()).collect();
            let next = page.next;
            (page, names, next)
        },
        0,
    );
    assert_eq!(asked, (expected.clone(), 8), "whoever is asked");
    expected.insert("Domain-0".into());

    world.sim.reset_counts();
    let list = whole(
        |from| {
            let page = world.stack.list_from(from).unwrap();
            let names = page.domains.iter().map(|domain| domain.name.clone()).collect();
            let next = page.next;
            (page, names, next)
        },
        0,
    );
    assert_eq!(list, (expected.clone(), 8));
    assert_eq!(world.sim.exits(), 8, "one an answer");

    let (names, _) = whole(
        |from| {
            let top = world.stack.top(TopRequest { from, vcpus: true }).unwrap();
            let names = top.domains.iter().map(|domain| domain.name.clone()).collect();
            let next = top.next;
            (top, names, next)
        },
        0,
    );
    assert_eq!(names, expected);
    let (names, _) = whole(
        |from| {
            let page = world.stack.scheduled_from(from).unwrap();
            let names = page.domains.iter().map(|domain| domain.name.clone()).collect();
            let next = page.next;
            (page, names, next)
        },
        0,
    );
    assert_eq!(names, expected);
    let (names, _) = whole(
        |skip| {
            let listing = finish(world.stack.vcpus(&VcpuQuery { domains: vec![], skip })).unwrap();
            let names = listing.domains.iter().map(|domain| domain.name.clone()).collect();
            let next = listing.has_more.then_some(skip + listing.nr_domains);
            (listing, names, next)
        },
        0,
    );
    assert_eq!(names, expected);
    let (names, _) = whole(
        |skip| {
            let listing = world.stack.details(&DetailQuery { domains: vec![], skip }).unwrap();
            let names = listing.details.iter().map(|detail| detail.info.name.clone()).collect();
            let next = listing.has_more.then_some(skip + listing.details.len() as u32);
            (listing, names, next)
        },
        0,
    );
    assert_eq!(names, expected);
}
