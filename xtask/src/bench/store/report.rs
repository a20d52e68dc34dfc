//! The rows: what each server took, and what was to be reached.

use serde_json::json;
use store_peers::PeerKind;

use super::server::Kind;
use crate::bench::stats::Samples;

/// What is to be reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Goal {
    /// The better peer takes so many times as much.
    TimesBetter(f64),
    /// oxenstored takes so many times as much.
    TimesOxenstored(f64),
    /// No more than this.
    AtMost(f64),
    /// Less than the C server.
    LessThanC,
    /// It is there to explain the others.
    None,
}

/// One row.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    unit: &'static str,
    goal: Goal,
    ours: Samples,
    c: Samples,
    ocaml: Samples,
    nothing: Samples,
}

/// Every row, in the order in which they are printed.
const ROWS: [(&str, &str, Goal); 20] = [
    ("read", "us cpu", Goal::TimesBetter(3.0)),
    ("write", "us cpu", Goal::TimesBetter(3.0)),
    ("mkdir", "us cpu", Goal::TimesBetter(3.0)),
    ("rm", "us cpu", Goal::TimesBetter(3.0)),
    ("read-16", "us cpu", Goal::TimesBetter(3.0)),
    ("write-16", "us cpu", Goal::TimesBetter(3.0)),
    ("mkdir-16", "us cpu", Goal::TimesBetter(3.0)),
    ("rm-16", "us cpu", Goal::TimesBetter(3.0)),
    ("transaction-20", "us", Goal::TimesOxenstored(5.0)),
    ("transaction-20-at-once", "us", Goal::TimesOxenstored(5.0)),
    ("write-10000-watches", "times", Goal::AtMost(1.1)),
    ("create-100000", "us cpu", Goal::None),
    ("create-flatness", "times", Goal::AtMost(1.2)),
    ("memory-100000", "MiB", Goal::LessThanC),
    ("rm-100000", "ms", Goal::AtMost(20.0)),
    ("rm-100000-others-wait", "ms", Goal::AtMost(1.0)),
    ("rm-100000-busy", "ms cpu", Goal::None),
    ("others-wait-without-rm", "ms", Goal::None),
    ("in-process-write", "us", Goal::AtMost(1.0)),
    ("in-process-transaction-20", "us", Goal::AtMost(30.0)),
];

impl Row {
    /// All rows, without numbers.
    pub(super) fn all() -> Vec<Self> {
        let empty = Samples::default;
        let row = |(name, unit, goal)| Self {
            name,
            unit,
            goal,
            ours: empty(),
            c: empty(),
            ocaml: empty(),
            nothing: empty(),
        };
        ROWS.map(row).into()
    }

    /// Adds a value.
    pub(super) fn push(&mut self, kind: Kind, value: f64) {
        match kind {
            Kind::Ours => &mut self.ours,
            Kind::Peer(PeerKind::C) => &mut self.c,
            Kind::Peer(PeerKind::OCaml) => &mut self.ocaml,
            Kind::Nothing => &mut self.nothing,
        }
        .push(value);
    }

    /// The better peer.
    fn peer(&self) -> Option<f64> {
        [self.c.median(), self.ocaml.median()].into_iter().flatten().reduce(f64::min)
    }

    /// How many times as much the better peer takes.
    fn ratio(&self) -> Option<f64> {
        Some(self.peer()? / self.ours.median()?)
    }

    /// Whether the goal is reached. None: there is none, or a number is missing.
    fn is_reached(&self) -> Option<bool> {
        let ours = self.ours.median()?;
        match self.goal {
            Goal::TimesBetter(times) => Some(self.ratio()? >= times),
            Goal::TimesOxenstored(times) => Some(self.ocaml.median()? / ours >= times),
            Goal::AtMost(most) => Some(ours <= most),
            Goal::LessThanC => Some(ours < self.c.median()?),
            Goal::None => None,
        }
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Goal::TimesBetter(times) => write!(f, "{times} times less than the better peer"),
            Goal::TimesOxenstored(times) => write!(f, "{times} times less than oxenstored"),
            Goal::AtMost(most) => write!(f, "at most {most}"),
            Goal::LessThanC => f.write_str("less than C"),
            Goal::None => Ok(()),
        }
    }
}

/// Prints one JSON object a row.
pub(super) fn json(rows: &[Row]) {
    for row in rows {
        let spread = |samples: &Samples| {
            let (least, most) = samples.spread().unzip();
            json!({ "n": samples.len(), "min": least, "max": most })
        };
        let object = json!({
            "row": row.name,
            "ours": row.ours.median(),
            "peer": row.peer(),
            "ratio": row.ratio(),
            "unit": row.unit,
            "goal": row.goal.to_string(),
            "reached": row.is_reached(),
            "c": row.c.median(),
            "oxenstored": row.ocaml.median(),
            "nothing": row.nothing.median(),
            "ours_spread": spread(&row.ours),
            "c_spread": spread(&row.c),
            "oxenstored_spread": spread(&row.ocaml),
        });
        println!("{object}");
    }
}

/// Prints the table.
pub(super) fn table(rows: &[Row]) {
    println!("| row | unit | ours | C | oxenstored | nothing | better peer / ours | goal | reached |");
    println!("|---|---|---:|---:|---:|---:|---:|---|---|");
    for row in rows {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let side = |samples: &Samples| match samples.spread() {
            Some((least, most)) if samples.len() > 1 => {
                format!("{} ({least:.2} to {most:.2})", number(samples.median()))
            }
            _ => number(samples.median()),
        };
        println!(
            "| `{}` | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.name,
            row.unit,
            side(&row.ours),
            side(&row.c),
            side(&row.ocaml),
            number(row.nothing.median()),
            number(row.ratio()),
            row.goal,
            match row.is_reached() {
                Some(true) => "yes",
                Some(false) => "no",
                None => "",
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_reached_against_the_better_peer_only() {
        let mut rows = Row::all();
        let row = &mut rows[0];
        row.push(Kind::Ours, 2.0);
        assert_eq!(row.is_reached(), None);
        row.push(Kind::Peer(PeerKind::C), 7.0);
        assert_eq!(row.is_reached(), Some(true));
        row.push(Kind::Peer(PeerKind::OCaml), 5.0);
        assert_eq!((row.ratio(), row.is_reached()), (Some(2.5), Some(false)));
    }
}
