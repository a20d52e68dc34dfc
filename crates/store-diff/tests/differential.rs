//! Our store against both of Debian's servers.
//!
//! How many random requests are compared with each is set by `STORE_DIFF_REQUESTS`, and with which seed they begin by
//! `STORE_DIFF_SEED`. (The program `store-diff` does the same and shortens what it finds.)

use std::collections::BTreeSet;

use store_diff::compare::run;
use store_diff::generate::generate;
use store_diff::history::{print, read};
use store_diff::{PeerKind, rules};

/// The peers that are installed; says which are not.
fn peers() -> Vec<PeerKind> {
    let (here, missing): (Vec<_>, Vec<_>) = PeerKind::ALL.into_iter().partition(|peer| peer.is_installed());
    for peer in missing {
        eprintln!("SKIPPED: {peer} is not here: 'cargo xtask setup' installs Debian's {}", PeerKind::PACKAGE);
    }
    here
}

/// A corpus: the heading of each history, and its text.
fn sections(corpus: &'static str) -> Vec<(&'static str, &'static str)> {
    let sections = corpus.split("\n[").skip(1);
    sections.map(|section| section.split_once("]\n").expect("a heading ends its line")).collect()
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

#[test]
fn random_histories_differ_only_where_a_rule_says_so() {
    let (wanted, first) = (number("STORE_DIFF_REQUESTS", 6000), number("STORE_DIFF_SEED", 0));
    for peer in peers() {
        let (mut requests, mut seed) = (0, first);
        while requests < wanted {
            let history = generate(seed);
            let report = run(&history, peer).unwrap();
            if let Some(difference) = report.difference {
                panic!("{peer}, seed {seed}: {difference}\n{}", print(&history));
            }
            requests += report.requests;
            seed += 1;
        }
    }
}

#[test]
fn every_rule_is_needed_by_a_history() {
    let peers = peers();
    let mut wrong = Vec::new();
    for (heading, text) in sections(include_str!("../corpus/differences.txt")) {
        let (word, rule) = heading.split_once(' ').unwrap();
        let Some(peer) = peers.iter().copied().find(|peer| peer.word() == word) else { continue };
        let report = run(&read(text).unwrap(), peer).unwrap();
        if let Some(difference) = &report.difference {
            wrong.push(format!("[{heading}] shows another: {difference}"));
        }
        if !report.allowed.contains_key(rule) {
            wrong.push(format!("[{heading}] needs {:?} only", report.allowed));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_servers_agree_on_what_clients_rely_on() {
    // They are of every domain's own, or of the root's names, which every look at the whole store meets.
    let always = ["creators-own", "special-names-are-no-nodes"];
    for peer in peers() {
        for (heading, text) in sections(include_str!("../corpus/agreements.txt")) {
            let report = run(&read(text).unwrap(), peer).unwrap();
            assert_eq!(
                report.difference.map(|difference| difference.to_string()),
                None,
                "{peer} [{heading}]"
            );
            let needed: Vec<_> = report.allowed.keys().filter(|rule| !always.contains(rule)).collect();
            assert!(needed.is_empty(), "{peer} [{heading}] needs {needed:?}");
        }
    }
}

#[test]
fn every_rule_has_a_history_and_a_reason() {
    let corpus = sections(include_str!("../corpus/differences.txt"));
    let shown: BTreeSet<String> = corpus.into_iter().map(|(heading, _)| heading.to_owned()).collect();
    let rules = rules::all();
    let expected: BTreeSet<String> =
        rules.iter().map(|(peer, rule)| format!("{} {rule}", peer.word())).collect();
    assert_eq!(shown, expected);
    let document = include_str!("../../../docs/xenstore-differences.md");
    let explained: BTreeSet<&str> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(rule, _)| rule)
        .collect();
    assert_eq!(explained, rules.into_iter().map(|(_, rule)| rule).collect());
}
