//! Reading the tables and our own sources.
#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

/// All releases (4.x) in the tables.
pub(crate) const RELEASES: RangeInclusive<u16> = 14..=22;

/// A line of a table, by columns.
pub(crate) type Row = Vec<String>;

/// The lines of a table, without comments and heading.
pub(crate) fn rows(table: &str, columns: usize) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(table);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines
        .map(|line| {
            let row: Row = line.split('\t').map(str::to_owned).collect();
            assert_eq!(row.len(), columns, "{line}");
            row
        })
        .collect()
}

/// Is a release in a column such as `4.14-4.16`, `4.20` or `4.14,4.16-4.22`?
pub(crate) fn has(releases: &str, release: u16) -> bool {
    let minor =
        |text: &str| -> u16 { text.strip_prefix("4.").and_then(|n| n.parse().ok()).expect("a release") };
    releases.split(',').any(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        (minor(first)..=minor(last)).contains(&release)
    })
}

/// Our own sources: path and text.
pub(crate) fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, into: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).expect("our sources") {
            let path = entry.expect("our sources").path();
            if path.is_dir() {
                walk(&path, into);
            } else {
                into.push((path.display().to_string(), fs::read_to_string(&path).expect("our sources")));
            }
        }
    }
    let mut sources = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    sources
}
