//! `cargo xtask bench store`: this system's store and Debian's two, in turn on unix sockets, with one client.

mod echo;
mod in_process;
mod measure;
mod report;
mod server;
mod wire;

use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use store_peers::PeerKind;

use self::report::Row;
use self::server::{Kind, Server};
use crate::setup::{self, Level};
use crate::{paths, sh};

/// What is measured, and how often.
#[derive(Debug, PartialEq)]
struct Plan {
    /// Each server's turns. A large store is made in the peers' first turn only: it takes the C server a minute.
    turns: u32,
    is_json: bool,
    /// Without large stores.
    is_quick: bool,
    only_ours: bool,
}

impl Plan {
    fn parse(words: &[&str]) -> Result<Self> {
        let mut plan = Plan { turns: 3, is_json: false, is_quick: false, only_ours: false };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--json" => plan.is_json = true,
                "--quick" => (plan.is_quick, plan.turns) = (true, 1),
                "--only" if words.next() == Some(&"ours") => plan.only_ours = true,
                "--runs" => match words.next().and_then(|number| number.parse().ok()) {
                    Some(turns @ 1..=1000) => plan.turns = turns,
                    _ => bail!("--runs takes a number from 1 to 1000"),
                },
                other => bail!("bench store: `{other}` is not understood"),
            }
        }
        Ok(plan)
    }
}

/// The command itself.
///
/// # Errors
/// Something is missing, does not build or does not answer.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    if let ["--echo", socket] = words {
        return echo::run(Path::new(socket));
    }
    let plan = Plan::parse(words)?;
    if cfg!(debug_assertions) {
        // The client is measured too, and the store in process: both as they would be used.
        setup::ensure(Level::Test)?;
        sh::run(sh::cargo().args(["build", "--quiet", "--release", "-p", "hostctl"]))?;
        let mut ourselves = sh::cargo();
        ourselves.args([
            "run",
            "--quiet",
            "--release",
            "-p",
            "xtask",
            "--bin",
            "xtask",
            "--",
            "bench",
            "store",
        ]);
        return sh::run(ourselves.args(words));
    }
    let rows = measure(&plan, &paths::target()?.join("release/hostctl"))?;
    if plan.is_json {
        report::json(&rows);
    } else {
        report::table(&rows);
    }
    Ok(())
}

/// One of the processors on which this may run.
///
/// CPU time is measured with client and server taking turns on it. On two, an idle one has to be woken for each message, which in a
/// virtual machine costs several times what any of the servers does, is booked to them, and hides them. The removal of a large store is
/// measured with all: there one client's wait is to be the server's doing, not that of a third program on the same processor.
fn one_of(allowed: &CpuSet) -> Result<CpuSet> {
    let last =
        (0..CpuSet::MAX_CPU).rev().find(|cpu| allowed.is_set(*cpu)).context("there is no processor")?;
    let mut one = CpuSet::new();
    one.set(last);
    Ok(one)
}

fn measure(plan: &Plan, hostctl: &Path) -> Result<Vec<Row>> {
    let all = sched_getaffinity(None).context("on which processors may this run?")?;
    let one = one_of(&all)?;
    // A server starts with its starter's processors.
    let keep_to = |cpus: &CpuSet| sched_setaffinity(None, cpus).context("cannot choose processors");
    let mut rows = Row::all();
    let mut add = |kind: Kind, measured: Vec<(&'static str, f64)>| {
        for (name, value) in measured {
            rows.iter_mut().find(|row| row.name == name).expect("the row exists").push(kind, value);
        }
    };
    for turn in 0..plan.turns {
        for kind in Kind::ALL {
            if plan.only_ours && matches!(kind, Kind::Peer(_)) {
                continue;
            }
            eprintln!("turn {} of {}: {}", turn + 1, plan.turns, name(kind));
            keep_to(&one)?;
            let server = Server::start(kind, hostctl)?;
            add(kind, measure::requests(kind, &server).with_context(|| name(kind))?);
            drop(server);
            if !plan.is_quick && (kind == Kind::Ours || turn == 0 && kind != Kind::Nothing) {
                let server = Server::start(kind, hostctl)?;
                add(kind, measure::growth(&server).with_context(|| name(kind))?);
                keep_to(&all)?;
                server.keep_to(&all)?;
                add(kind, measure::removal(&server).with_context(|| name(kind))?);
            }
            keep_to(&all)?;
        }
        for _ in 0..5 {
            add(Kind::Ours, in_process::measure()?.into());
        }
    }
    Ok(rows)
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Ours => "hostctl xenstored",
        Kind::Peer(PeerKind::C) => "C xenstored",
        Kind::Peer(PeerKind::OCaml) => "oxenstored",
        Kind::Nothing => "a server that does nothing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_understood_and_others_refused() {
        let plan = Plan::parse(&["--json", "--runs", "7", "--only", "ours"]).unwrap();
        assert_eq!(plan, Plan { turns: 7, is_json: true, is_quick: false, only_ours: true });
        for words in [&["--runs"][..], &["--runs", "0"], &["--only", "peer"], &["-x"]] {
            assert!(Plan::parse(words).is_err(), "{words:?}");
        }
    }
}
