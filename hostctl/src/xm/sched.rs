//! `xm sched-credit`, `sched-credit2`, `sched-sedf`, `sched-rtds`: how domains are scheduled.
//!
//! Each belongs to a scheduler of its name. Where today's Xen has another one that does the same, it goes there, and says so:
//! credit's weights and caps go to credit2, sedf's periods and slices to rtds. What the newer one has no place for is refused.

mod rtds;
mod sedf;
mod share;

pub use rtds::{OPTIONS as RTDS_OPTIONS, rtds};
pub use sedf::{OPTIONS as SEDF_OPTIONS, sedf};
pub use share::{CREDIT_OPTIONS, CREDIT2_OPTIONS, credit, credit2};

use proto::domain::DomainRef;
use proto::endpoints::{PoolList, SchedList, SchedSet};
use proto::sched::{Change, SchedChange, SchedError, SchedQuery, Scheduled, Scheduler};

use super::Context;
use super::failure::{Failure, xen_text};
use crate::client::{CallError, Client};
use crate::xm::getopt::{Parsed, Spec, parse};

/// xm's word for what is no number.
fn invalid() -> Failure {
    Failure::WithUsage("Invalid argument.".into())
}

/// Options and words; the manual writes `-w=512` as well as `-w 512`.
fn options(args: &[String], spec: Spec) -> Result<Parsed, Failure> {
    let mut parsed = parse(args, spec).map_err(Failure::WithUsage)?;
    for (name, value) in &mut parsed.options {
        if name.len() == 1
            && let Some(value) = value
            && let Some(rest) = value.strip_prefix('=')
        {
            *value = rest.to_owned();
        }
    }
    Ok(parsed)
}

/// A whole number as an option's value.
fn number<T: std::str::FromStr>(parsed: &Parsed, names: &[&str]) -> Result<Option<T>, Failure> {
    parsed.value(names).map(|text| text.trim().parse().map_err(|_| invalid())).transpose()
}

/// How the domain that is named is scheduled, or all are, by name.
fn pages(client: &mut Client, domain: Option<&str>) -> Result<Result<Vec<Scheduled>, SchedError>, CallError> {
    let mut query = match domain {
        Some(name) => SchedQuery::One(DomainRef(name.to_owned())),
        None => SchedQuery::From(0),
    };
    let mut all = Vec::new();
    loop {
        match client.call::<SchedList>(&query)? {
            Ok(page) => {
                all.extend(page.domains);
                match page.next {
                    Some(first) => query = SchedQuery::From(first),
                    None => break,
                }
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name).then(a.domid.cmp(&b.domid)));
    Ok(Ok(all))
}

/// The domains under one of these schedulers, or the one that is named.
fn listed(
    client: &mut Client,
    domain: Option<&str>,
    under: &[Scheduler],
    command: &str,
) -> Result<Vec<Scheduled>, Failure> {
    let found = match pages(client, domain)? {
        Ok(found) => found,
        // To xm's list a domain is one of those that there are, so this is no fault of xend's.
        Err(SchedError::Domain(proto::error::DomainError::NotFound)) => {
            let name = domain.unwrap_or_default();
            return Err(Failure::WithUsage(format!("Domain '{name}' does not exist.")));
        }
        Err(error) => return Err(failure(domain.unwrap_or_default(), command, error)),
    };
    let fitting: Vec<Scheduled> =
        found.iter().filter(|domain| under.contains(&domain.scheduler)).cloned().collect();
    if fitting.is_empty() {
        let other = match found.first() {
            Some(domain) => domain.scheduler,
            None => first_scheduler(client)?,
        };
        return Err(wrong_scheduler(other, command));
    }
    Ok(fitting)
}

fn first_scheduler(client: &mut Client) -> Result<Scheduler, Failure> {
    let pools = client.call::<PoolList>(&())?.map_err(|error| Failure::xen(&error))?;
    Ok(pools.first().map_or(Scheduler::Other(0), |pool| pool.scheduler))
}

/// Makes a change; answers under which scheduler.
fn set(client: &mut Client, domain: &str, change: Change, command: &str) -> Result<Scheduler, Failure> {
    let request = SchedChange { domain: DomainRef(domain.to_owned()), change };
    client.call::<SchedSet>(&request)?.map_err(|error| failure(domain, command, error))
}

/// xm's sentence, and what to do about it.
fn wrong_scheduler(running: Scheduler, command: &str) -> Failure {
    let wanted = match command {
        "sched-sedf" => "sedf is gone from Xen, and rtds has taken its place: start Xen with sched=rtds",
        "sched-rtds" => "start Xen with sched=rtds",
        "sched-credit2" => "start Xen with sched=credit2, or use sched-credit",
        _ => "start Xen with sched=credit or sched=credit2",
    };
    Failure::Plain(format!(
        "Xen is running with the {running} scheduler\n({wanted}, or make a pool with it by cpupool-create)"
    ))
}

fn failure(domain: &str, command: &str, error: SchedError) -> Failure {
    match error {
        SchedError::Scheduler(running) => wrong_scheduler(running, command),
        SchedError::Weight => Failure::WithUsage(
            "Cpu weight out of range, valid values are within range from 1 to 65535".into(),
        ),
        SchedError::Cap { most } => Failure::WithUsage(format!(
            "Cpu cap out of range, valid range is from 0 to {most} for specified number of vcpus"
        )),
        SchedError::NoVcpu(vcpu) => Failure::WithUsage(format!("Domain '{domain}' has no vcpu {vcpu}")),
        SchedError::Budget { period_us, budget_us } => Failure::WithUsage(format!(
            "{budget_us} us in each {period_us} us are not possible; rtds takes budgets of 10 us and more, no longer than \
             their period"
        )),
        // xm looked for it in its list first, as for printing.
        SchedError::Domain(proto::error::DomainError::NotFound) if command == "sched-sedf" => {
            Failure::WithUsage(format!("Domain '{domain}' does not exist."))
        }
        SchedError::Domain(proto::error::DomainError::Xen(error)) if command == "sched-sedf" => {
            Failure::WithUsage(format!("Failed to set sedf parameters (rv=-{}).", error.errno))
        }
        SchedError::Domain(proto::error::DomainError::Xen(error)) => Failure::WithUsage(xen_text(&error)),
        SchedError::Domain(error) => Failure::domain(domain, "schedule", error),
    }
}

/// Says what was done, to programs.
fn done(context: &mut Context<'_>, domain: &str, scheduler: Scheduler) -> Result<(), Failure> {
    if context.json {
        let object = serde_json::json!({ "domain": domain, "scheduler": scheduler.to_string() });
        context.out.json(&object)?;
    }
    Ok(())
}
