//! `xm info`: what the machine and its hypervisor are.

use proto::endpoints::Host;
use proto::host::HostInfo;
use serde_json::{Value, json};

use super::Context;
use super::failure::Failure;
use super::getopt::{Spec, parse};
use crate::client::Client;
use crate::dirs;

const SPEC: Spec = Spec { short: &[('c', false), ('n', false)], long: &[("config", false), ("numa", false)] };

/// Runs the command.
///
/// # Errors
/// A wrong option, or Xen refuses.
pub fn run(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let parsed = parse(args, SPEC).map_err(Failure::WithUsage)?;
    let mut client = context.connect()?;
    if parsed.has(&["c", "config"]) {
        return config(context, &mut client);
    }
    let info = client.call::<Host>(&())?.map_err(|error| Failure::xen(&error))?;
    if context.json {
        context.out.json(&object(&info))?;
    } else {
        context.out.text(&lines(&info, parsed.has(&["n", "numa"])))?;
    }
    Ok(())
}

/// `-c`: xend's options are gone with xend; what stands in their place is how the machine is reached.
fn config(context: &mut Context<'_>, client: &mut Client) -> Result<(), Failure> {
    let pairs = [
        ("connect", client.line().to_string()),
        ("broker-socket", client.place().socket.display().to_string()),
        ("broker-log", client.place().log.display().to_string()),
        ("cache", dirs::cache().display().to_string()),
    ];
    if context.json {
        let object: serde_json::Map<String, Value> =
            pairs.into_iter().map(|(key, value)| (key.replace('-', "_"), value.into())).collect();
        context.out.json(&Value::Object(object))?;
    } else {
        for (key, value) in pairs {
            context.out.line(&format!("{key:<38}: {value}"))?;
        }
    }
    Ok(())
}

/// xm's lines, in xm's order.
pub fn lines(info: &HostInfo, with_numa: bool) -> String {
    let words = [(info.has_hvm, "hvm"), (info.has_directio, "hvm_directio")];
    let virt_caps: Vec<&str> = words.iter().filter(|(has, _)| *has).map(|(_, word)| *word).collect();
    let hw_caps: Vec<String> = info.hw_caps.iter().map(|word| format!("{word:08x}")).collect();
    let mut pairs: Vec<(&str, String)> = vec![
        ("host", info.host.clone()),
        ("release", info.release.clone()),
        ("version", info.version.clone()),
        ("machine", info.machine.clone()),
        ("nr_cpus", info.nr_cpus.to_string()),
        ("nr_nodes", info.nr_nodes.to_string()),
        ("cores_per_socket", info.cores_per_socket.to_string()),
        ("threads_per_core", info.threads_per_core.to_string()),
        ("cpu_mhz", (info.cpu_khz / 1000).to_string()),
        ("hw_caps", hw_caps.join(":")),
        ("virt_caps", virt_caps.join(" ")),
        ("total_memory", (info.total_memory_kib / 1024).to_string()),
        ("free_memory", (info.free_memory_kib / 1024).to_string()),
        ("free_cpus", info.free_cpus.to_string()),
    ];
    if with_numa {
        pairs.push(("cpu_topology", topology(info)));
        pairs.push(("numa_info", numa(info)));
    }
    pairs.extend([
        ("xen_major", info.xen_major.to_string()),
        ("xen_minor", info.xen_minor.to_string()),
        ("xen_extra", info.xen_extra.clone()),
        ("xen_caps", info.xen_caps.clone()),
        ("xen_scheduler", info.xen_scheduler.clone()),
        ("xen_pagesize", info.xen_pagesize.to_string()),
        ("platform_params", format!("virt_start=0x{:x}", info.virt_start)),
        ("xen_changeset", info.xen_changeset.clone()),
        ("xen_commandline", info.xen_commandline.clone()),
        ("cc_compiler", info.cc_compiler.clone()),
        ("cc_compile_by", info.cc_compile_by.clone()),
        ("cc_compile_domain", info.cc_compile_domain.clone()),
        ("cc_compile_date", info.cc_compile_date.clone()),
        ("xend_config_format", CONFIG_FORMAT.into()),
        // What xm did not have and xl has.
        ("max_cpu_id", info.max_cpu_id.to_string()),
        ("sharing_freed_memory", mib(info.sharing_freed_kib)),
        ("sharing_used_memory", mib(info.sharing_used_kib)),
        ("outstanding_claims", mib(Some(info.outstanding_claims_kib))),
        ("xen_version", xen_version(info)),
        ("build_id", hex(&info.xen_build_id)),
    ]);
    pairs
        .iter()
        .map(|(key, value)| format!("{key:<23}: {}\n", if value.is_empty() { "(none)" } else { value }))
        .collect()
}

/// The number of xend's last form of configurations, whose names and meanings are those of `xm create` here.
const CONFIG_FORMAT: &str = "4";

fn mib(kib: Option<u64>) -> String {
    kib.map_or(String::new(), |kib| (kib / 1024).to_string())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn xen_version(info: &HostInfo) -> String {
    format!("{}.{}{}", info.xen_major, info.xen_minor, info.xen_extra)
}

fn topology(info: &HostInfo) -> String {
    if info.topology.is_empty() {
        return "none".into();
    }
    let mut text = String::from("\ncpu:    core    socket     node");
    for (cpu, place) in info.topology.iter().enumerate() {
        text.push_str(&format!("\n{cpu:>3}:{:>8} {:>8} {:>8}", place.core, place.socket, place.node));
    }
    text
}

/// How much of a node's memory is below 4 GiB is not known here; its column says so.
fn numa(info: &HostInfo) -> String {
    if info.nodes.is_empty() {
        return "none".into();
    }
    let mut text = String::from("\nnode: TotalMemory FreeMemory dma32Memory NodeDist:");
    for (number, node) in info.nodes.iter().enumerate() {
        let distances: Vec<String> = node.distances.iter().map(u32::to_string).collect();
        text.push_str(&format!(
            "\n{number:>4}:  {:>8}MB {:>8}MB  {:>10}         :{}",
            node.total_kib / 1024,
            node.free_kib / 1024,
            "none",
            distances.join(",")
        ));
    }
    text
}

fn object(info: &HostInfo) -> Value {
    json!({
        "host": info.host,
        "release": info.release,
        "version": info.version,
        "machine": info.machine,
        "nr_cpus": info.nr_cpus,
        "nr_nodes": info.nr_nodes,
        "max_cpu_id": info.max_cpu_id,
        "cores_per_socket": info.cores_per_socket,
        "threads_per_core": info.threads_per_core,
        "cpu_khz": info.cpu_khz,
        "hw_caps": info.hw_caps,
        "has_hvm": info.has_hvm,
        "has_directio": info.has_directio,
        "total_memory_kib": info.total_memory_kib,
        "free_memory_kib": info.free_memory_kib,
        "outstanding_claims_kib": info.outstanding_claims_kib,
        "sharing_freed_kib": info.sharing_freed_kib,
        "sharing_used_kib": info.sharing_used_kib,
        "free_cpus": info.free_cpus,
        "topology": info.topology.iter().map(|place| {
            json!({ "core": place.core, "socket": place.socket, "node": place.node })
        }).collect::<Vec<_>>(),
        "nodes": info.nodes.iter().map(|node| {
            json!({ "total_kib": node.total_kib, "free_kib": node.free_kib, "distances": node.distances })
        }).collect::<Vec<_>>(),
        "xen_major": info.xen_major,
        "xen_minor": info.xen_minor,
        "xen_extra": info.xen_extra,
        "xen_version": xen_version(info),
        "xen_build_id": hex(&info.xen_build_id),
        "xen_caps": info.xen_caps,
        "xen_scheduler": info.xen_scheduler,
        "xen_pagesize": info.xen_pagesize,
        "virt_start": info.virt_start,
        "xen_changeset": info.xen_changeset,
        "xen_commandline": info.xen_commandline,
        "cc_compiler": info.cc_compiler,
        "cc_compile_by": info.cc_compile_by,
        "cc_compile_domain": info.cc_compile_domain,
        "cc_compile_date": info.cc_compile_date,
    })
}

#[cfg(test)]
mod tests {
    use proto::host::{CpuPlace, Node};

    use super::*;

    pub(crate) fn machine() -> HostInfo {
        HostInfo {
            host: "lab".into(),
            release: "0.1.0".into(),
            version: "test".into(),
            machine: "x86_64".into(),
            nr_cpus: 2,
            max_cpu_id: 1,
            nr_nodes: 1,
            cores_per_socket: 2,
            threads_per_core: 1,
            cpu_khz: 2_400_123,
            hw_caps: [0x178bf3ff, 0, 1, 2, 3, 4, 5, 6],
            has_hvm: true,
            has_directio: false,
            total_memory_kib: 512 * 1024,
            free_memory_kib: 400 * 1024,
            outstanding_claims_kib: 3 << 10,
            sharing_freed_kib: None,
            sharing_used_kib: Some(0),
            free_cpus: 0,
            topology: vec![
                CpuPlace { core: 0, socket: 0, node: 0 },
                CpuPlace { core: 1, socket: 0, node: 0 },
            ],
            nodes: vec![Node { total_kib: 524_288, free_kib: 409_600, distances: vec![10] }],
            xen_major: 4,
            xen_minor: 17,
            xen_extra: ".6-pre".into(),
            xen_caps: "xen-3.0-x86_64 hvm-3.0-x86_32 ".into(),
            xen_scheduler: "credit2".into(),
            xen_pagesize: 4096,
            virt_start: 0xffff_8000_0000_0000,
            xen_changeset: String::new(),
            xen_commandline: "placeholder dom0=pvh".into(),
            xen_build_id: vec![0xab, 0x01],
            cc_compiler: "gcc".into(),
            cc_compile_by: "x".into(),
            cc_compile_domain: "y".into(),
            cc_compile_date: "z".into(),
        }
    }

    #[test]
    fn lines_stand_in_xms_order_and_columns() {
        let text = lines(&machine(), false);
        let found: Vec<&str> = text.lines().collect();
        assert_eq!(found[0], "host                   : lab");
        assert_eq!(found[8], "cpu_mhz                : 2400");
        assert_eq!(
            found[9],
            "hw_caps                : 178bf3ff:00000000:00000001:00000002:00000003:00000004:00000005:00000006"
        );
        assert_eq!(found[10], "virt_caps              : hvm");
        assert_eq!(found[11], "total_memory           : 512");
        assert_eq!(found[14], "xen_major              : 4");
        assert_eq!(found[20], "platform_params        : virt_start=0xffff800000000000");
        assert_eq!(found[21], "xen_changeset          : (none)");
        assert_eq!(found[27], "xend_config_format     : 4");
    }

    #[test]
    fn what_xl_added_stands_behind_xms_lines() {
        let text = lines(&machine(), false);
        let found: Vec<&str> = text.lines().skip(28).collect();
        assert_eq!(
            found,
            [
                "max_cpu_id             : 1",
                "sharing_freed_memory   : (none)",
                "sharing_used_memory    : 0",
                "outstanding_claims     : 3",
                "xen_version            : 4.17.6-pre",
                "build_id               : ab01",
            ]
        );
    }

    #[test]
    fn topology_and_nodes_stand_after_free_cpus() {
        let text = lines(&machine(), true);
        assert!(text.contains(
            "free_cpus              : 0
cpu_topology           : \ncpu:    core    socket     node
  0:       0        0        0
  1:       1        0        0
numa_info              : \nnode: TotalMemory FreeMemory dma32Memory NodeDist:
   0:       512MB      400MB        none         :10
xen_major"
        ));
    }
}
