//! Looks for programs.

use proto::top::{DomainUse, Traffic};
use serde_json::{Value, json};

use super::look::{Look, Row};
use crate::xm::list::flags;

/// A look as an object. Rates are per second, and `null` where there is no look before.
pub(super) fn object(look: &Look<'_>) -> Value {
    json!({
        "at_ns": look.top.at_ns,
        "span_ns": look.span_ns,
        "nr_cpus": look.top.nr_cpus,
        "cpu_khz": look.top.cpu_khz,
        "total_memory_kib": look.top.total_memory_kib,
        "free_memory_kib": look.top.free_memory_kib,
        "domains": look.rows.iter().map(domain).collect::<Vec<_>>(),
    })
}

fn domain(row: &Row<'_>) -> Value {
    let now = row.now;
    json!({
        "domid": now.domid,
        "name": now.name,
        "state": flags(now.state),
        "cpu_time_ns": now.cpu_time_ns,
        "cpu_percent": row.before.map(|_| row.cpu_percent()),
        "memory_kib": now.memory_kib,
        "max_memory_kib": now.max_memory_kib,
        "nr_vcpus": now.nr_vcpus,
        "ssid": now.ssid,
        "vcpus": now.vcpus.iter().map(|vcpu| {
            json!({ "vcpu": vcpu.vcpu, "cpu_time_ns": vcpu.cpu_time_ns })
        }).collect::<Vec<_>>(),
        "networks": now.networks.iter().map(|network| {
            let of = move |domain: &DomainUse, pick: fn(&proto::top::NetworkUse) -> u64| {
                domain.networks.iter().find(|other| other.id == network.id).map_or(0, pick)
            };
            json!({
                "id": network.id,
                "received": traffic(&network.received, row.rate(|d| of(d, |n| n.received.bytes))),
                "sent": traffic(&network.sent, row.rate(|d| of(d, |n| n.sent.bytes))),
            })
        }).collect::<Vec<_>>(),
        "vbds": now.vbds.iter().map(|vbd| {
            let of = move |domain: &DomainUse, pick: fn(&proto::top::VbdUse) -> u64| {
                domain.vbds.iter().find(|other| other.id == vbd.id).map_or(0, pick)
            };
            json!({
                "id": vbd.id,
                "out_of_requests": vbd.out_of_requests,
                "reads": vbd.reads,
                "writes": vbd.writes,
                "read_sectors": vbd.read_sectors,
                "written_sectors": vbd.written_sectors,
                "reads_per_s": row.rate(|d| of(d, |v| v.reads)),
                "writes_per_s": row.rate(|d| of(d, |v| v.writes)),
            })
        }).collect::<Vec<_>>(),
    })
}

fn traffic(traffic: &Traffic, rate: Option<f64>) -> Value {
    json!({
        "bytes": traffic.bytes,
        "packets": traffic.packets,
        "errors": traffic.errors,
        "dropped": traffic.dropped,
        "bytes_per_s": rate,
    })
}

#[cfg(test)]
mod tests {
    use super::super::columns::Sort;
    use super::super::testing::two_looks;
    use super::*;

    #[test]
    fn rates_are_null_until_there_is_a_look_before() {
        let (first, second) = two_looks();
        let look = Look::new(&first, None, Sort::default(), false);
        let object_of_first = object(&look);
        let guest = &object_of_first["domains"][0];
        assert_eq!((&guest["name"], &guest["state"]), (&json!("a-guest-with-a-long-name"), &json!("-b----")));
        assert!(guest["cpu_percent"].is_null() && object_of_first["span_ns"].is_null());
        assert!(guest["networks"][0]["received"]["bytes_per_s"].is_null());

        let look = Look::new(&second, Some(&first), Sort::default(), false);
        let object_of_second = object(&look);
        let guest = &object_of_second["domains"][0];
        assert_eq!(object_of_second["span_ns"], 3_000_000_000u64);
        assert_eq!(guest["networks"][0]["received"]["bytes_per_s"], 1_048_576.0);
        assert_eq!(guest["vbds"][0]["reads_per_s"], 10.0);
        assert_eq!(guest["vcpus"][1], json!({ "vcpu": 1, "cpu_time_ns": 1_500_000_000 }));
        assert!(object_of_second["domains"][1]["max_memory_kib"].is_null());
    }
}
