//! `xm list`: domains in columns, as SXP or as JSON.

mod long;

use std::time::{SystemTime, UNIX_EPOCH};

use proto::detail::{DetailListing, DetailQuery, DomainDetail};
use proto::domain::{DomainInfo, DomainRef, DomainState, ShutdownReason};
use proto::endpoints::DomainDetails;
use proto::error::DomainError;
use serde_json::{Value, json};

use super::failure::Failure;
use super::getopt::{Spec, parse};
use super::names::find;
use super::{Context, vcpu};
use crate::client::Client;
use crate::output::uuid_text;
use crate::pages;

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
    if parsed.has(&["v", "vcpus"]) {
        context.out.complain("xm list -v is deprecated.  Please use xm vcpu-list.");
        return vcpu::print_list(context, &parsed.words);
    }
    for (option, what) in [("state", "state"), ("pool", "pool")] {
        if parsed.has(&[option]) && !parsed.words.is_empty() {
            let text = format!("You may specify either a {what} or a particular VM, but not both");
            return Err(Failure::WithUsage(text));
        }
    }
    let (state, pool) = (parsed.value(&["state"]), parsed.value(&["pool"]));
    let is_wanted = |domain: &DomainInfo| state.is_none_or(|state| is_in_state(domain, state));
    let is_long = parsed.has(&["l", "long"]);
    let mut client = context.connect()?;
    let is_labelled = parsed.has(&["label"]);
    if is_long || is_labelled || pool.is_some() {
        let mut details = details(&mut client, &parsed.words)?;
        let is_in_pool = |detail: &DomainDetail| pool.is_none_or(|pool| detail.info.pool == pool);
        details.retain(|detail| is_wanted(&detail.info) && is_in_pool(detail));
        return if is_long {
            print_long(context, &details)
        } else if is_labelled {
            print_labels(context, details)
        } else {
            print(context, &details.into_iter().map(|detail| detail.info).collect::<Vec<_>>())
        };
    }
    let domains = if parsed.words.is_empty() {
        let mut all = pages::domains(&mut client)?.map_err(|error| Failure::xen(&error))?;
        all.retain(is_wanted);
        all
    } else {
        parsed.words.iter().map(|name| find(&mut client, name)).collect::<Result<_, _>>()?
    };
    print(context, &domains)
}

fn print(context: &mut Context<'_>, domains: &[DomainInfo]) -> Result<(), Failure> {
    if context.json {
        context.out.json(&Value::Array(domains.iter().map(object).collect()))?;
    } else {
        context.out.text(&brief(domains))?;
    }
    Ok(())
}

/// All that is known of these domains, or of all; in several calls where it is much.
fn details(client: &mut Client, names: &[String]) -> Result<Vec<DomainDetail>, Failure> {
    let domains: Vec<DomainRef> = names.iter().cloned().map(DomainRef).collect();
    let mut all = Vec::new();
    loop {
        let skip = u32::try_from(all.len()).unwrap_or(u32::MAX);
        let query = DetailQuery { domains: domains.clone(), skip };
        let listing = client.call::<DomainDetails>(&query)?;
        let DetailListing { details, has_more } = listing.map_err(|failed| match failed.error {
            DomainError::Xen(error) => Failure::xen(&error),
            error => Failure::domain(&failed.word, "list", error),
        })?;
        let is_last = !has_more || details.is_empty();
        all.extend(details);
        if is_last {
            return Ok(all);
        }
    }
}

fn print_long(context: &mut Context<'_>, details: &[DomainDetail]) -> Result<(), Failure> {
    if context.json {
        context.out.json(&Value::Array(details.iter().map(long::json).collect()))?;
        return Ok(());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    for detail in details {
        context.out.text(&long::form(detail, now).pretty())?;
    }
    Ok(())
}

/// The table with one column more, in the order of that.
fn print_labels(context: &mut Context<'_>, mut details: Vec<DomainDetail>) -> Result<(), Failure> {
    details.sort_by_key(|detail| long::label(detail).to_lowercase());
    if context.json {
        let object = |detail: &DomainDetail| {
            let mut object = object(&detail.info);
            object["label"] = json!(long::label(detail));
            object
        };
        context.out.json(&Value::Array(details.iter().map(object).collect()))?;
        return Ok(());
    }
    let infos: Vec<DomainInfo> = details.iter().map(|detail| detail.info.clone()).collect();
    let labels = std::iter::once(format!("{:<10}", "Label"));
    let labels = labels.chain(details.iter().map(|detail| format!("{:>10}", long::label(detail))));
    for (line, label) in brief(&infos).lines().zip(labels) {
        context.out.line(&format!("{line} {label}"))?;
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
        "pool": domain.pool,
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
            pool: "Pool-0".into(),
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
