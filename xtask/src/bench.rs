//! `cargo xtask bench`: this system and, in the same run on the same machine, a Linux domain 0 with xl.

mod ours;
mod peer;
mod report;
mod stats;
mod store;

use anyhow::{Result, bail};

use self::peer::{Kind, Peer};
use self::report::Row;
use self::stats::Samples;
use crate::build;
use crate::setup::{self, Level};

/// What is measured, and how often.
pub(crate) struct Plan {
    /// Repetitions of what is short.
    pub(crate) runs: u32,
    /// Fewer repetitions; the peer's hundredth guest is left out.
    pub(crate) is_quick: bool,
    /// One JSON object a line instead of the table.
    is_json: bool,
    /// Our side.
    ours: bool,
    /// xl's side.
    peer: bool,
    /// The peer also as a PVH domain 0.
    pvh: bool,
}

impl Plan {
    fn parse(words: &[&str]) -> Result<Self> {
        let mut plan = Self { runs: 5, is_quick: false, is_json: false, ours: true, peer: true, pvh: false };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--json" => plan.is_json = true,
                "--pvh" => plan.pvh = true,
                "--quick" => {
                    plan.is_quick = true;
                    plan.runs = 3;
                }
                "--runs" => match words.next().and_then(|number| number.parse().ok()) {
                    Some(runs @ 1..=1000) => plan.runs = runs,
                    _ => bail!("--runs takes a number from 1 to 1000"),
                },
                "--only" => match words.next() {
                    Some(&"ours") => plan.peer = false,
                    Some(&"peer") => plan.ours = false,
                    _ => bail!("--only takes ours or peer"),
                },
                other => bail!("bench: `{other}` is not understood"),
            }
        }
        if !plan.ours && !plan.peer {
            bail!("--only can be given once");
        }
        if plan.pvh && !plan.peer {
            bail!("--pvh is about the peer, which --only ours leaves out");
        }
        Ok(plan)
    }
}

/// The command itself.
///
/// # Errors
/// Something is missing, does not build or does not run.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    if let ["store", rest @ ..] = words {
        return store::run(rest);
    }
    let plan = Plan::parse(words)?;
    setup::ensure(Level::All)?;
    let mut rows = Row::all();
    if plan.ours {
        ours::measure(&build::all(build::HostProfile::Release)?, &plan, &mut rows)?;
    }
    if plan.peer {
        eprintln!("the peer: Linux domain 0 (PV), xl and xenstored on Xen 4.17; takes some minutes");
        let peer = Peer::assemble(&build::guests()?)?;
        let measured = peer.measure(Kind::Pv, &plan)?;
        fill(&mut rows, &measured);
        report::row(&mut rows, "kernel-image").peer = Samples::exact(peer.image_size() as f64);
        report::notes(&measured.notes);
        if plan.pvh {
            eprintln!("the peer again, as a PVH domain 0");
            let measured = peer.measure(Kind::Pvh, &plan)?;
            rows.extend(beside(&rows, &measured));
            report::notes(&measured.notes);
        }
    }
    if plan.is_json {
        report::json(&rows)
    } else {
        report::table(&rows)
    }
    Ok(())
}

/// Puts what the peer measured into its rows.
fn fill(rows: &mut [Row], measured: &peer::Measured) {
    for (name, label) in [
        ("boot", peer::FIRST_LIST),
        ("create-smallest", "create-smallest"),
        ("exits-create", "hypercalls"),
        ("create-linux", "create-linux"),
        ("list-0", "list-0"),
        ("list-30", "list-30"),
        ("pause", "pause"),
        ("unpause", "unpause"),
        ("destroy", "destroy"),
        ("dom0-memory", "memory-used"),
    ] {
        report::row(rows, name).peer = measured.get(label);
    }
    let first = measured.get("create-smallest").median();
    let hundredth = measured.get("create-100th").median();
    if let (Some(first), Some(hundredth)) = (first, hundredth) {
        report::row(rows, "create-100th-over-first").peer = Samples::exact(hundredth / first);
    }
    let exits = report::row(rows, "exits-create");
    exits.peer_note = measured.get("store-requests").median().map(|requests| {
        format!(
            "and {requests} store requests, {} foreign maps",
            measured.get("maps").median().unwrap_or(0.0)
        )
    });
    if let Some(given) = measured.get("memory-given").median() {
        report::row(rows, "dom0-memory").peer_note = Some(format!("in use, of {given} given"));
    }
}

/// The rows once more, with the same of ours beside another peer. The images are one and the same for both kinds.
fn beside(rows: &[Row], measured: &peer::Measured) -> Vec<Row> {
    let mut beside: Vec<Row> =
        rows.iter().filter(|row| row.name != "kernel-image").map(Row::without_peer).collect();
    fill(&mut beside, measured);
    for row in &mut beside {
        row.name.push_str("-pvh-peer");
    }
    beside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_peer_gets_rows_of_its_own_beside_the_same_of_ours() {
        let mut rows = Row::all();
        report::row(&mut rows, "boot").ours = Samples::exact(1.0);
        report::row(&mut rows, "boot").peer = Samples::exact(9.0);
        let beside = beside(&rows, &peer::Measured::default());
        assert_eq!(beside.len(), rows.len() - 1);
        let boot = beside.iter().find(|row| row.name == "boot-pvh-peer").unwrap();
        assert_eq!((boot.ours.median(), boot.peer.median()), (Some(1.0), None));
    }

    #[test]
    fn the_options_are_understood_and_others_refused() {
        let plan = Plan::parse(&["--json", "--runs", "7", "--only", "peer"]).unwrap();
        assert!(plan.is_json && plan.peer && !plan.ours && plan.runs == 7);
        for words in
            [&["--runs"][..], &["--runs", "0"], &["--only", "x"], &["-x"], &["--only", "ours", "--pvh"]]
        {
            assert!(Plan::parse(words).is_err(), "{words:?}");
        }
    }
}
