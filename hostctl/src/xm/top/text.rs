//! Looks as lines of text, as xentop writes them.

use proto::top::{NetworkUse, Traffic, VbdUse};

use super::Settings;
use super::columns::{Widths, cells, titles};
use super::look::{Look, Row};

/// vCPUs on a line.
const VCPUS_ON_A_LINE: usize = 5;

/// A look in batch mode: header, and a line or more for each domain.
pub(super) fn table(look: &Look<'_>, settings: &Settings, widths: &Widths) -> String {
    let mut text = String::new();
    for (at, row) in look.rows.iter().enumerate() {
        if at == 0 || settings.repeat_header {
            text.push_str(&titles(widths).join(" "));
            text.push('\n');
        }
        text.push_str(&cells(row, widths).join(" "));
        text.push('\n');
        for line in details(row, settings) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

/// The lines above the table.
pub(super) fn summary(look: &Look<'_>, xen: &str, (hour, minute, second): (u32, u32, u32)) -> [String; 3] {
    let states = look.states();
    let top = look.top;
    [
        format!("xm top - {hour:02}:{minute:02}:{second:02}   Xen {xen}"),
        format!(
            "{} domains: {} running, {} blocked, {} paused, {} crashed, {} dying, {} shutdown ",
            look.rows.len(),
            states.running,
            states.blocked,
            states.paused,
            states.crashed,
            states.dying,
            states.shutdown
        ),
        format!(
            "Mem: {}k total, {}k used, {}k free    CPUs: {} @ {}MHz",
            top.total_memory_kib,
            top.total_memory_kib.saturating_sub(top.free_memory_kib),
            top.free_memory_kib,
            top.nr_cpus,
            top.cpu_khz / 1000
        ),
    ]
}

/// The lines below a domain's: those that were asked for.
pub(super) fn details(row: &Row<'_>, settings: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    if settings.vcpus {
        lines.extend(vcpus(row));
    }
    if settings.networks {
        lines.extend(
            row.now.networks.iter().enumerate().map(|(number, network)| network_line(number, network)),
        );
    }
    if settings.vbds {
        lines.extend(row.now.vbds.iter().map(vbd_line));
    }
    lines
}

fn vcpus(row: &Row<'_>) -> Vec<String> {
    let mut lines = vec![String::from("VCPUs(sec): ")];
    for vcpu in &row.now.vcpus {
        let number = vcpu.vcpu as usize;
        if number != 0 && number.is_multiple_of(VCPUS_ON_A_LINE) {
            lines.push(" ".repeat(8));
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(&format!(" {number:>2}: {:>10}s", vcpu.cpu_time_ns / 1_000_000_000));
        }
    }
    lines
}

fn network_line(number: usize, network: &NetworkUse) -> String {
    let traffic = |t: &Traffic| {
        format!("{:>8}bytes {:>8}pkts {:>8}err {:>8}drop", t.bytes, t.packets, t.errors, t.dropped)
    };
    format!("Net{number} RX: {}  TX: {}", traffic(&network.received), traffic(&network.sent))
}

fn vbd_line(vbd: &VbdUse) -> String {
    let (major, minor) = (vbd.id >> 8, vbd.id & 0xff);
    format!(
        "VBD BlkBack {:>4} [{major:>2x}:{minor:>2x}]  OO: {:>8}   RD: {:>8}   WR: {:>8}   RSECT: {:>10}   WSECT: {:>10}",
        vbd.id, vbd.out_of_requests, vbd.reads, vbd.writes, vbd.read_sectors, vbd.written_sectors
    )
}

#[cfg(test)]
mod tests {
    use super::super::columns::Sort;
    use super::super::testing::{settings, two_looks};
    use super::*;

    fn printed(settings: &Settings) -> String {
        let (first, second) = two_looks();
        let look = Look::new(&second, Some(&first), Sort::default(), false);
        let mut widths = Widths::default();
        widths.fit(&look.rows, settings.full_name);
        table(&look, settings, &widths)
    }

    #[test]
    fn batch_lines_are_xentops_to_the_byte() {
        assert_eq!(
            printed(&settings()),
            "      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%) VCPUS NETS NETTX(k) NETRX(k) VBDS   VBD_OO   VBD_RD   VBD_WR  VBD_RSECT  VBD_WSECT SSID\n\
             a-guest-wi --b---          7   99.2      65536   12.5     131072      25.0     7    1        1     5072    1        1       50       30        400        500    0\n  \
               Domain-0 -----r         12    1.0      16384    3.1   no limit       n/a     1    0        0        0    0        0        0        0          0          0    0\n"
        );
    }

    #[test]
    fn whole_names_widen_their_column_and_the_header_is_repeated() {
        let text = printed(&Settings { full_name: true, repeat_header: true, ..settings() });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("                    NAME  STATE ") && lines[0] == lines[2], "{text}");
        assert!(lines[1].starts_with("a-guest-with-a-long-name --b--- "), "{text}");
    }

    #[test]
    fn vcpus_interfaces_and_devices_have_lines_of_their_own() {
        let text = printed(&Settings { vcpus: true, networks: true, vbds: true, ..settings() });
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            lines[..4],
            [
                "VCPUs(sec):   0:          0s  1:          1s  2:          3s  3:          4s  4:          6s",
                "          5:          7s  6:          9s",
                "Net0 RX:  5193728bytes       30pkts        1err        2drop  TX:     1024bytes       30pkts        1err        2drop",
                "VBD BlkBack 51712 [ca: 0]  OO:        1   RD:       50   WR:       30   RSECT:        400   WSECT:        500",
            ]
        );
        // Domain 0, which has none of it.
        assert_eq!(lines[5..], ["VCPUs(sec): "]);
    }

    #[test]
    fn the_summary_counts_domains_memory_and_processors() {
        let (first, _) = two_looks();
        let look = Look::new(&first, None, Sort::default(), false);
        assert_eq!(
            summary(&look, "4.17.6-pre", (9, 5, 7)),
            [
                "xm top - 09:05:07   Xen 4.17.6-pre",
                "2 domains: 1 running, 1 blocked, 0 paused, 0 crashed, 0 dying, 0 shutdown ",
                "Mem: 524288k total, 124288k used, 400000k free    CPUs: 2 @ 2400MHz",
            ]
        );
    }
}
