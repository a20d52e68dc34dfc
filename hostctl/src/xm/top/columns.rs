//! xentop's columns: titles, widths, what stands in them, and how they sort.

use std::cmp::Ordering;

use proto::domain::DomainState;
use proto::top::VbdUse;

use super::look::Row;

/// A column.
pub(super) struct Column {
    /// Its title; titles and what is below them end at the right.
    pub(super) title: &'static str,
    width: usize,
    cell: fn(&Row<'_>) -> String,
    order: fn(&Row<'_>, &Row<'_>) -> Ordering,
}

/// Those that widen with what is in them.
const NAME: usize = 0;
const SENT: usize = 10;
const RECEIVED: usize = 11;
const READS: usize = 14;
const WRITES: usize = 15;
const READ_SECTORS: usize = 16;
const WRITTEN_SECTORS: usize = 17;

const fn column(
    title: &'static str,
    width: usize,
    cell: fn(&Row<'_>) -> String,
    order: fn(&Row<'_>, &Row<'_>) -> Ordering,
) -> Column {
    Column { title, width, cell, order }
}

/// All columns, from left to right.
pub(super) static COLUMNS: [Column; 19] = [
    column("NAME", 10, |row| row.now.name.clone(), by_name),
    column("STATE", 6, |row| letters(row.now.state), by_state),
    column(
        "CPU(sec)",
        10,
        |row| (row.now.cpu_time_ns / 1_000_000_000).to_string(),
        |a, b| b.now.cpu_time_ns.cmp(&a.now.cpu_time_ns),
    ),
    column(
        "CPU(%)",
        6,
        |row| format!("{:.1}", row.cpu_percent()),
        |a, b| b.cpu_percent().total_cmp(&a.cpu_percent()),
    ),
    column("MEM(k)", 10, |row| row.now.memory_kib.to_string(), by_memory),
    column("MEM(%)", 6, |row| format!("{:.1}", row.memory_percent(row.now.memory_kib)), by_memory),
    column(
        "MAXMEM(k)",
        10,
        |row| row.now.max_memory_kib.map_or("no limit".into(), |most| most.to_string()),
        by_most,
    ),
    column(
        "MAXMEM(%)",
        9,
        |row| row.now.max_memory_kib.map_or("n/a".into(), |most| format!("{:.1}", row.memory_percent(most))),
        by_most,
    ),
    column("VCPUS", 5, |row| row.now.nr_vcpus.to_string(), |a, b| b.now.nr_vcpus.cmp(&a.now.nr_vcpus)),
    column(
        "NETS",
        4,
        |row| row.now.networks.len().to_string(),
        |a, b| b.now.networks.len().cmp(&a.now.networks.len()),
    ),
    column("NETTX(k)", 8, |row| (row.sent() / 1024).to_string(), |a, b| b.sent().cmp(&a.sent())),
    column("NETRX(k)", 8, |row| (row.received() / 1024).to_string(), |a, b| b.received().cmp(&a.received())),
    column("VBDS", 4, |row| row.now.vbds.len().to_string(), |a, b| b.now.vbds.len().cmp(&a.now.vbds.len())),
    column("VBD_OO", 8, |row| waits(row).to_string(), |a, b| waits(b).cmp(&waits(a))),
    column("VBD_RD", 8, |row| reads(row).to_string(), |a, b| reads(b).cmp(&reads(a))),
    column("VBD_WR", 8, |row| writes(row).to_string(), |a, b| writes(b).cmp(&writes(a))),
    column(
        "VBD_RSECT",
        10,
        |row| read_sectors(row).to_string(),
        |a, b| read_sectors(b).cmp(&read_sectors(a)),
    ),
    column(
        "VBD_WSECT",
        10,
        |row| written_sectors(row).to_string(),
        |a, b| written_sectors(b).cmp(&written_sectors(a)),
    ),
    column("SSID", 4, |row| row.now.ssid.to_string(), |a, b| a.now.ssid.cmp(&b.now.ssid)),
];

/// Which column domains are sorted by; the first at the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sort(usize);

impl Sort {
    /// The column's place.
    pub(super) fn column(self) -> usize {
        self.0
    }

    /// The next column.
    pub(super) fn next(self) -> Sort {
        Sort((self.0 + 1) % COLUMNS.len())
    }

    /// Which of two domains is shown first: names upwards, numbers downwards.
    pub(super) fn order(self, a: &Row<'_>, b: &Row<'_>) -> Ordering {
        (COLUMNS[self.0].order)(a, b)
    }
}

/// How wide the columns are.
#[derive(Clone, Debug)]
pub(super) struct Widths(pub(super) [usize; COLUMNS.len()]);

impl Default for Widths {
    fn default() -> Self {
        Widths(std::array::from_fn(|at| COLUMNS[at].width))
    }
}

impl Widths {
    /// Makes room for large numbers, and for whole names if they are to be shown; what names have got they keep.
    pub(super) fn fit(&mut self, rows: &[Row<'_>], full_name: bool) {
        let name = self.0[NAME];
        *self = Widths::default();
        self.0[NAME] = name;
        for row in rows {
            if full_name {
                self.widen(NAME, row.now.name.len());
            }
            for (at, number) in [
                (SENT, row.sent() / 1024),
                (RECEIVED, row.received() / 1024),
                (READS, reads(row)),
                (WRITES, writes(row)),
                (READ_SECTORS, read_sectors(row)),
                (WRITTEN_SECTORS, written_sectors(row)),
            ] {
                // As xentop counts digits: those of the number that follows.
                self.widen(at, number.saturating_add(1).to_string().len());
            }
        }
    }

    fn widen(&mut self, at: usize, width: usize) {
        self.0[at] = self.0[at].max(width);
    }
}

/// The titles, each as wide as its column.
pub(super) fn titles(widths: &Widths) -> Vec<String> {
    COLUMNS.iter().zip(widths.0).map(|(column, width)| format!("{:>width$}", column.title)).collect()
}

/// What stands in a row's columns, each as wide as it is. A name that is too long is cut.
pub(super) fn cells(row: &Row<'_>, widths: &Widths) -> Vec<String> {
    let mut cells: Vec<String> = COLUMNS
        .iter()
        .zip(widths.0)
        .map(|(column, width)| format!("{:>width$}", (column.cell)(row)))
        .collect();
    cells[NAME] = cells[NAME].chars().take(widths.0[NAME]).collect();
    cells
}

fn letters(state: DomainState) -> String {
    LETTERS.iter().map(|(flag, letter)| if state.contains(*flag) { *letter } else { '-' }).collect()
}

/// xentop's letters, in its order, which is not xm's.
const LETTERS: [(DomainState, char); 6] = [
    (DomainState::DYING, 'd'),
    (DomainState::SHUTDOWN, 's'),
    (DomainState::BLOCKED, 'b'),
    (DomainState::CRASHED, 'c'),
    (DomainState::PAUSED, 'p'),
    (DomainState::RUNNING, 'r'),
];

fn by_name(a: &Row<'_>, b: &Row<'_>) -> Ordering {
    let lower = |row: &Row<'_>| row.now.name.to_ascii_lowercase();
    lower(a).cmp(&lower(b))
}

/// Whoever has the first letter that the other has not.
fn by_state(a: &Row<'_>, b: &Row<'_>) -> Ordering {
    let has = |row: &Row<'_>| LETTERS.map(|(flag, _)| row.now.state.contains(flag));
    has(b).cmp(&has(a))
}

fn by_memory(a: &Row<'_>, b: &Row<'_>) -> Ordering {
    b.now.memory_kib.cmp(&a.now.memory_kib)
}

/// No limit is more than any.
fn by_most(a: &Row<'_>, b: &Row<'_>) -> Ordering {
    let most = |row: &Row<'_>| row.now.max_memory_kib.unwrap_or(u64::MAX);
    most(b).cmp(&most(a))
}

fn total(row: &Row<'_>, of: fn(&VbdUse) -> u64) -> u64 {
    row.now.vbds.iter().map(of).sum()
}

fn waits(row: &Row<'_>) -> u64 {
    total(row, |vbd| vbd.out_of_requests)
}

fn reads(row: &Row<'_>) -> u64 {
    total(row, |vbd| vbd.reads)
}

fn writes(row: &Row<'_>) -> u64 {
    total(row, |vbd| vbd.writes)
}

fn read_sectors(row: &Row<'_>) -> u64 {
    total(row, |vbd| vbd.read_sectors)
}

fn written_sectors(row: &Row<'_>) -> u64 {
    total(row, |vbd| vbd.written_sectors)
}

#[cfg(test)]
mod tests {
    use super::super::look::Look;
    use super::super::testing::{domain, host, two_looks};
    use super::*;

    fn sorted(sort: Sort) -> Vec<u16> {
        let mut domains =
            vec![domain(0, "Domain-0"), domain(1, "beta"), domain(2, "Alpha"), domain(3, "gamma")];
        domains[0].max_memory_kib = None;
        domains[1].memory_kib = 1;
        domains[2].state = DomainState::RUNNING;
        domains[3].state = DomainState::SHUTDOWN;
        domains[3].cpu_time_ns = 9;
        domains[2].ssid = 5;
        domains[1].nr_vcpus = 4;
        let top = host(1, domains);
        Look::new(&top, None, sort, false).rows.iter().map(|row| row.now.domid).collect()
    }

    #[test]
    fn domains_sort_by_each_column_and_stay_by_id_where_it_tells_nothing() {
        let mut sort = Sort::default();
        let mut found = Vec::new();
        for column in &COLUMNS {
            found.push((column.title, sorted(sort)));
            sort = sort.next();
        }
        assert_eq!(sort, Sort::default(), "behind the last column comes the first");
        let by_id = vec![0, 1, 2, 3];
        for (title, ids) in found {
            let expected = match title {
                "NAME" => vec![2, 1, 0, 3],
                "STATE" => vec![3, 0, 1, 2],
                "CPU(sec)" => vec![3, 0, 1, 2],
                "MEM(k)" | "MEM(%)" => vec![0, 2, 3, 1],
                "VCPUS" => vec![1, 0, 2, 3],
                "SSID" => vec![0, 1, 3, 2],
                _ => by_id.clone(),
            };
            assert_eq!(ids, expected, "{title}");
        }
    }

    #[test]
    fn columns_widen_for_what_does_not_fit() {
        let (_, mut top) = two_looks();
        top.domains[1].networks[0].sent.bytes = 99_999_999 * 1024;
        top.domains[1].vbds[0].reads = 1_234_567_890;
        let look = Look::new(&top, None, Sort::default(), false);
        let mut widths = Widths::default();
        widths.fit(&look.rows, true);
        assert_eq!(widths.0[NAME], "a-guest-with-a-long-name".len());
        // Nine, though eight digits are there: xentop looks at the number behind.
        assert_eq!((widths.0[SENT], widths.0[RECEIVED], widths.0[READS]), (9, 8, 10));
        let cells = cells(&look.rows[0], &widths);
        assert_eq!((cells[NAME].as_str(), cells[SENT].as_str()), ("a-guest-with-a-long-name", " 99999999"));
        widths.fit(&[], false);
        assert_eq!(widths.0[NAME], "a-guest-with-a-long-name".len(), "names keep what they had");
        assert_eq!(widths.0[SENT], 8);
    }
}
