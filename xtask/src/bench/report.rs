//! The benchmark's rows, as a table for people and as JSON for programs.

use serde_json::json;

use super::stats::Samples;

/// One thing measured on both sides.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Its name; scripts rely on it.
    pub(crate) name: String,
    /// The unit of both sides.
    pub(crate) unit: &'static str,
    /// Our side.
    pub(crate) ours: Samples,
    /// xl's side.
    pub(crate) peer: Samples,
    /// What must be known to read xl's number.
    pub(crate) peer_note: Option<String>,
}

impl Row {
    /// A row without numbers.
    pub(crate) fn new(name: &str, unit: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            unit,
            ours: Samples::default(),
            peer: Samples::default(),
            peer_note: None,
        }
    }

    /// Every row, in the order in which they are printed.
    pub(crate) fn all() -> Vec<Self> {
        [
            ("boot", "s"),
            ("create-smallest", "ms"),
            ("exits-create", "exits"),
            ("create-linux", "ms"),
            ("list-0", "ms"),
            ("list-30", "ms"),
            ("pause", "ms"),
            ("unpause", "ms"),
            ("destroy", "ms"),
            ("create-100th-over-first", "ratio"),
            ("dom0-memory", "bytes"),
            ("kernel-image", "bytes"),
        ]
        .map(|(name, unit)| Self::new(name, unit))
        .into()
    }

    /// This row as it was before its peer was measured.
    pub(crate) fn without_peer(&self) -> Self {
        Self { peer: Samples::default(), peer_note: None, ..self.clone() }
    }

    /// How many times as much the peer takes.
    fn ratio(&self) -> Option<f64> {
        let (ours, peer) = (self.ours.median()?, self.peer.median()?);
        (ours > 0.0).then(|| peer / ours)
    }
}

/// The row of this name.
///
/// # Panics
/// There is none: names are written in this crate only.
pub(crate) fn row<'a>(rows: &'a mut [Row], name: &str) -> &'a mut Row {
    rows.iter_mut().find(|row| row.name == name).expect("the row exists")
}

/// Prints what went wrong beside the numbers.
pub(crate) fn notes(notes: &[String]) {
    for note in notes {
        eprintln!("the peer says: {note}");
    }
}

/// Prints one JSON object a row.
pub(crate) fn json(rows: &[Row]) {
    for row in rows {
        let side = |samples: &Samples| {
            let (least, most) = samples.spread().unzip();
            json!({ "n": samples.len(), "min": least, "max": most })
        };
        println!(
            "{}",
            json!({
                "row": row.name,
                "ours": row.ours.median(),
                "peer": row.peer.median(),
                "ratio": row.ratio(),
                "unit": row.unit,
                "ours_spread": side(&row.ours),
                "peer_spread": side(&row.peer),
                "peer_note": row.peer_note,
            })
        );
    }
}

/// Prints the table.
pub(crate) fn table(rows: &[Row]) {
    println!("| row | unit | ours | spread (n) | xl | spread (n) | xl / ours |");
    println!("|---|---|---:|---|---:|---|---:|");
    for row in rows {
        let median =
            |samples: &Samples| samples.median().map_or_else(|| "-".to_owned(), |v| number(v, row.unit));
        let spread = |samples: &Samples| match samples.spread() {
            Some((least, most)) if samples.len() > 1 => {
                format!("{} to {} ({})", number(least, row.unit), number(most, row.unit), samples.len())
            }
            _ => String::new(),
        };
        println!(
            "| {} | {} | {} | {} | {}{} | {} | {} |",
            row.name,
            row.unit,
            median(&row.ours),
            spread(&row.ours),
            median(&row.peer),
            row.peer_note.as_ref().map_or_else(String::new, |note| format!(" ({note})")),
            spread(&row.peer),
            row.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.1}")),
        );
    }
}

/// A value with the digits that its unit deserves.
fn number(value: f64, unit: &str) -> String {
    match unit {
        "bytes" | "exits" => format!("{value:.0}"),
        "ms" => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_says_how_many_times_as_much_the_peer_takes() {
        let mut row = Row::new("boot", "s");
        assert_eq!(row.ratio(), None);
        row.ours = Samples::exact(2.0);
        row.peer = Samples::exact(12.0);
        assert_eq!(row.ratio(), Some(6.0));
    }
}
