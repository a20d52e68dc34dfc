//! `xm list`: domains in columns, as SXP or as JSON.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proto::domain::{DomainInfo, DomainState, ShutdownReason};
use proto::endpoints::DomainList;
use serde_json::{Value, json};

use super::Context;
use super::failure::Failure;
use super::getopt::{Spec, parse};
use super::names::find;
use crate::output::uuid_text;
use crate::sxp::Sxp;

const SPEC: Spec = Spec {
    short: &[('l', false), ('v', false)],
    long: &[("long", false), ("vcpus", false), ("label", false), ("state", true), ("pool", true)],
};

/// Runs the command.
///
/// # Errors
/// A wrong option, or a name that no domain has: then nothing is printed.
pub fn run(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let parsed = parse(args, SPEC).map_err(Failure::WithUsage)?;
    for (names, what) in [
        (&["v", "vcpus"][..], "'xm vcpu-list'"),
        (&["label"][..], "'xm list --label'"),
        (&["pool"][..], "'xm list --pool'"),
    ] {
        if parsed.has(names) {
            return Err(Failure::Plain(format!("{what} is not available in this release of nanodom")));
        }
    }
    let state = parsed.value(&["state"]);
    if state.is_some() && !parsed.words.is_empty() {
        return Err(Failure::WithUsage(
            "You may specify either a state or a particular VM, but not both".into(),
        ));
    }
    let mut client = context.connect()?;
    let domains = if parsed.words.is_empty() {
        let mut all = client.call::<DomainList>(&())?.map_err(|error| Failure::xen(&error))?;
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.retain(|domain| state.is_none_or(|state| is_in_state(domain, state)));
        all
    } else {
        parsed.words.iter().map(|name| find(&mut client, name)).collect::<Result<_, _>>()?
    };
    if context.json {
        context.out.json(&Value::Array(domains.iter().map(object).collect()))?;
    } else if parsed.has(&["l", "long"]) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        for domain in &domains {
            context.out.text(&long(domain, now).pretty())?;
        }
    } else {
        context.out.text(&brief(&domains))?;
    }
    Ok(())
}

/// The table.
pub fn brief(domains: &[DomainInfo]) -> String {
    let mut text =
        format!("{:<40} {:>5} {:>5} {:>5} {:>10} {:>9}\n", "Name", "ID", "Mem", "VCPUs", "State", "Time(s)");
    for domain in domains {
        text.push_str(&format!(
            "{:<40} {:>5} {:>5} {:>5} {:>10} {:>8.1}\n",
            domain.name,
            domain.domid,
            domain.memory_kib.div_ceil(1024),
            domain.vcpus,
            flags(domain.state),
            seconds(domain.cpu_time_ns),
        ));
    }
    text
}

/// xm's six letters.
pub fn flags(state: DomainState) -> String {
    [
        (DomainState::RUNNING, 'r'),
        (DomainState::BLOCKED, 'b'),
        (DomainState::PAUSED, 'p'),
        (DomainState::SHUTDOWN, 's'),
        (DomainState::CRASHED, 'c'),
        (DomainState::DYING, 'd'),
    ]
    .iter()
    .map(|(flag, letter)| if state.contains(*flag) { *letter } else { '-' })
    .collect()
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// xend's power states: their names and numbers.
fn power_state(domain: &DomainInfo) -> (&'static str, i64) {
    if domain.state.contains(DomainState::CRASHED) {
        ("crashed", 5)
    } else if domain.state.contains(DomainState::SHUTDOWN) {
        ("halted", 0)
    } else if domain.state.contains(DomainState::PAUSED) {
        ("paused", 1)
    } else {
        ("running", 2)
    }
}

/// An unknown word selects nothing, as in xm.
fn is_in_state(domain: &DomainInfo, state: &str) -> bool {
    state.eq_ignore_ascii_case("all") || state.eq_ignore_ascii_case(power_state(domain).0)
}

/// What is known of a domain, under the names that xend gave it.
fn long(domain: &DomainInfo, now: Duration) -> Sxp {
    let number = |key: &str, value: u64| Sxp::pair(key, i64::try_from(value).unwrap_or(i64::MAX));
    let started = now.saturating_sub(Duration::from_millis(domain.uptime_ms)).as_secs_f64();
    Sxp::List(vec![
        "domain".into(),
        number("domid", domain.domid.into()),
        number("vcpus", domain.max_vcpus.into()),
        Sxp::pair("uuid", uuid_text(&domain.uuid)),
        Sxp::pair("name", domain.name.as_str()),
        number("maxmem", domain.max_memory_kib.div_ceil(1024)),
        number("memory", domain.memory_kib.div_ceil(1024)),
        Sxp::pair("start_time", (started * 100.0).round() / 100.0),
        Sxp::pair("cpu_time", seconds(domain.cpu_time_ns)),
        number("online_vcpus", domain.vcpus.into()),
        Sxp::pair("status", power_state(domain).1),
        Sxp::pair("state", flags(domain.state)),
    ])
}

/// A domain as JSON.
pub fn object(domain: &DomainInfo) -> Value {
    json!({
        "name": domain.name,
        "domid": domain.domid,
        "uuid": uuid_text(&domain.uuid),
        "memory_kib": domain.memory_kib,
        "max_memory_kib": domain.max_memory_kib,
        "vcpus": domain.vcpus,
        "max_vcpus": domain.max_vcpus,
        "state": flags(domain.state),
        "power_state": power_state(domain).0,
        "admin_paused": domain.is_admin_paused,
        "ending": domain.is_ending,
        "cpu_time_ns": domain.cpu_time_ns,
        "uptime_ms": domain.uptime_ms,
        "shutdown_reason": domain.shutdown.map(reason),
    })
}

/// A shutdown's reason in a word.
pub fn reason(reason: ShutdownReason) -> String {
    match reason {
        ShutdownReason::Poweroff => "poweroff".into(),
        ShutdownReason::Reboot => "reboot".into(),
        ShutdownReason::Suspend => "suspend".into(),
        ShutdownReason::Crash => "crash".into(),
        ShutdownReason::Watchdog => "watchdog".into(),
        ShutdownReason::SoftReset => "soft-reset".into(),
        ShutdownReason::Other(number) => format!("reason {number}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::xm) fn domain(name: &str, domid: u16, state: DomainState) -> DomainInfo {
        DomainInfo {
            domid,
            name: name.into(),
            uuid: [0; 16],
            memory_kib: 128 * 1024 - 20,
            max_memory_kib: 256 * 1024,
            vcpus: 1,
            max_vcpus: 2,
            state,
            is_admin_paused: false,
            is_ending: false,
            cpu_time_ns: 7_600_000_000,
            uptime_ms: 5_000,
            shutdown: None,
        }
    }

    #[test]
    fn the_table_is_xms_to_the_byte() {
        let mut zero = domain("Domain-0", 0, DomainState::RUNNING);
        zero.memory_kib = 98 * 1024;
        zero.cpu_time_ns = 5_068_600_000_000;
        assert_eq!(
            brief(&[zero, domain("guest1", 164, DomainState::BLOCKED)]),
            "Name                                        ID   Mem VCPUs      State   Time(s)\n\
             Domain-0                                     0    98     1     r-----   5068.6\n\
             guest1                                     164   128     1     -b----      7.6\n"
        );
    }

    #[test]
    fn the_long_form_tells_what_is_known_and_no_more() {
        let form = long(&domain("guest1", 7, DomainState::BLOCKED), Duration::from_millis(1_234_567_895_120));
        assert_eq!(
            form.pretty(),
            "(domain
    (domid 7)
    (vcpus 2)
    (uuid 00000000-0000-0000-0000-000000000000)
    (name guest1)
    (maxmem 256)
    (memory 128)
    (start_time 1234567890.12)
    (cpu_time 7.6)
    (online_vcpus 1)
    (status 2)
    (state -b----)
)
"
        );
    }

    #[test]
    fn states_are_matched_whatever_their_case_and_unknown_ones_match_nothing() {
        let crashed = domain("x", 1, DomainState::CRASHED | DomainState::SHUTDOWN);
        let halted = domain("x", 1, DomainState::SHUTDOWN);
        for (domain, state, is_in) in [
            (&crashed, "Crashed", true),
            (&crashed, "halted", false),
            (&halted, "HALTED", true),
            (&halted, "shutdown", false),
            (&halted, "all", true),
            (&halted, "zap", false),
        ] {
            assert_eq!(is_in_state(domain, state), is_in, "{state}");
        }
    }
}
