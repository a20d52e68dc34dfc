//! `xm uptime`: how long domains have been running.

use proto::domain::DomainInfo;
use serde_json::{Value, json};

use super::Context;
use super::failure::Failure;
use super::getopt::{Spec, parse};
use super::names::find;
use crate::{clock, pages};

const SPEC: Spec = Spec { short: &[('s', false)], long: &[("short", false)] };

/// Runs the command.
///
/// # Errors
/// A wrong option, or a name that no domain has.
pub fn run(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let parsed = parse(args, SPEC).map_err(Failure::WithUsage)?;
    let mut client = context.connect()?;
    let domains = if parsed.words.is_empty() {
        pages::domains(&mut client)?.map_err(|error| Failure::xen(&error))?
    } else {
        parsed.words.iter().map(|name| find(&mut client, name)).collect::<Result<_, _>>()?
    };
    if context.json {
        let objects = domains.iter().map(
            |domain| json!({ "name": domain.name, "domid": domain.domid, "uptime_ms": domain.uptime_ms }),
        );
        context.out.json(&Value::Array(objects.collect()))?;
    } else if parsed.has(&["s", "short"]) {
        context.out.text(&short(&domains, clock::local_time()))?;
    } else {
        context.out.text(&table(&domains))?;
    }
    Ok(())
}

fn table(domains: &[DomainInfo]) -> String {
    let mut text = format!("{:<33} {:>4} {} \n", "Name", "ID", "Uptime");
    for domain in domains {
        let (days, hours, minutes, seconds) = parts(domain.uptime_ms);
        text.push_str(&format!(
            "{:<32} {:>5} {}{hours:>2}:{minutes:02}:{seconds:02}\n",
            domain.name,
            domain.domid,
            days_text(days)
        ));
    }
    text
}

/// As uptime(1) prints it.
fn short(domains: &[DomainInfo], (hour, minute, second): (u32, u32, u32)) -> String {
    domains
        .iter()
        .map(|domain| {
            let (days, hours, minutes, _) = parts(domain.uptime_ms);
            format!(
                " {hour:02}:{minute:02}:{second:02} up {}{hours}:{minutes:02}, {} ({})\n",
                days_text(days),
                domain.name,
                domain.domid
            )
        })
        .collect()
}

fn parts(ms: u64) -> (u64, u64, u64, u64) {
    let seconds = ms / 1000;
    (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

fn days_text(days: u64) -> String {
    match days {
        0 => String::new(),
        1 => "1 day, ".into(),
        days => format!("{days} days, "),
    }
}

#[cfg(test)]
mod tests {
    use proto::domain::DomainState;

    use super::*;

    fn domain(name: &str, domid: u16, seconds: u64) -> DomainInfo {
        DomainInfo {
            domid,
            name: name.into(),
            uuid: [0; 16],
            memory_kib: 0,
            max_memory_kib: 0,
            vcpus: 1,
            max_vcpus: 1,
            pool: "Pool-0".into(),
            state: DomainState::empty(),
            is_admin_paused: false,
            is_ending: false,
            cpu_time_ns: 0,
            uptime_ms: seconds * 1000,
            shutdown: None,
        }
    }

    #[test]
    fn times_stand_in_xms_columns() {
        let domains = [domain("Domain-0", 0, 93_784), domain("guest1", 164, 65), domain("old", 3, 2 * 86400)];
        assert_eq!(
            table(&domains),
            "Name                                ID Uptime \n\
             Domain-0                             0 1 day,  2:03:04\n\
             guest1                             164  0:01:05\n\
             old                                  3 2 days,  0:00:00\n"
        );
    }

    #[test]
    fn the_short_form_is_uptimes() {
        assert_eq!(short(&[domain("g", 2, 3_723)], (9, 5, 0)), " 09:05:00 up 1:02, g (2)\n");
    }
}
