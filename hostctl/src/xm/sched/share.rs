//! `xm sched-credit` and `xm sched-credit2`: weights and caps.

use proto::endpoints::SchedTune;
use proto::sched::{
    Change, Parameters, PoolRef, PoolTuning, Scheduled, Scheduler, Share, Tuning, TuningError,
};
use serde_json::{Value, json};

use super::{Context, done, invalid, listed, number, options, set, wrong_scheduler};
use crate::xm::failure::{Failure, xen_text};
use crate::xm::getopt::{Parsed, Spec};

const SPEC: Spec = Spec {
    short: &[
        ('d', true),
        ('w', true),
        ('c', true),
        ('s', false),
        ('t', true),
        ('r', true),
        ('m', true),
        ('p', true),
    ],
    long: &[
        ("domain", true),
        ("weight", true),
        ("cap", true),
        ("schedparam", false),
        ("tslice_ms", true),
        ("ratelimit_us", true),
        ("migration_delay_us", true),
        ("cpupool", true),
    ],
};
/// The same but what credit alone has.
const SPEC2: Spec = Spec {
    short: &[('d', true), ('w', true), ('c', true), ('s', false), ('r', true), ('p', true)],
    long: &[
        ("domain", true),
        ("weight", true),
        ("cap", true),
        ("schedparam", false),
        ("ratelimit_us", true),
        ("cpupool", true),
    ],
};

/// Options of `sched-credit`, for its usage.
pub const CREDIT_OPTIONS: &[(&str, &str)] = &[
    ("-d DOMAIN, --domain=DOMAIN", "Domain to modify."),
    ("-w WEIGHT, --weight=WEIGHT", "Weight, 1 to 65535; 256 is usual."),
    ("-c CAP, --cap=CAP", "The most CPU time, in per cent of one CPU; 0 for no limit."),
    ("-s, --schedparam", "Print, or with -t, -r, -m set, what the scheduler itself is set to."),
    ("-t MS, --tslice_ms=MS", "Length of a time slice."),
    ("-r US, --ratelimit_us=US", "The shortest run."),
    ("-m US, --migration_delay_us=US", "How long a vCPU counts as hot in a CPU's cache."),
    ("-p POOL, --cpupool=POOL", "Only of this pool of CPUs."),
    ("--json", "Print JSON, for programs."),
];
/// Options of `sched-credit2`, for its usage.
pub const CREDIT2_OPTIONS: &[(&str, &str)] = &[
    ("-d DOMAIN, --domain=DOMAIN", "Domain to modify."),
    ("-w WEIGHT, --weight=WEIGHT", "Weight, 1 to 65535; 256 is usual."),
    ("-c CAP, --cap=CAP", "The most CPU time, in per cent of one CPU; 0 for no limit."),
    ("-s, --schedparam", "Print, or with -r set, what the scheduler itself is set to."),
    ("-r US, --ratelimit_us=US", "The shortest run."),
    ("-p POOL, --cpupool=POOL", "Only of this pool of CPUs."),
    ("--json", "Print JSON, for programs."),
];

/// Runs `xm sched-credit`; on credit2, weights and caps are that one's.
///
/// # Errors
/// No such domain, another scheduler, a value out of range.
pub fn credit(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    run(context, &options(args, SPEC)?, "sched-credit", &[Scheduler::Credit, Scheduler::Credit2])
}

/// Runs `xm sched-credit2`.
///
/// # Errors
/// No such domain, another scheduler, a value out of range.
pub fn credit2(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    run(context, &options(args, SPEC2)?, "sched-credit2", &[Scheduler::Credit2])
}

fn run(
    context: &mut Context<'_>,
    parsed: &Parsed,
    command: &str,
    under: &[Scheduler],
) -> Result<(), Failure> {
    if let Some(word) = parsed.words.first() {
        return Err(Failure::WithUsage(format!("'{word}' is not understood; name a domain with -d")));
    }
    let domain = parsed.value(&["d", "domain"]);
    let pool = parsed.value(&["p", "cpupool"]);
    let (weight, cap) = (number::<i64>(parsed, &["w", "weight"])?, number::<i64>(parsed, &["c", "cap"])?);
    let is_change = weight.is_some() || cap.is_some();
    let is_global = parsed.has(&["s", "schedparam"]);
    if (is_global || pool.is_some()) && (domain.is_some() || is_change) {
        return Err(Failure::WithUsage(
            "Specifying a cpupool or schedparam is not allowed with domain options.".into(),
        ));
    }
    if is_global {
        return tune(context, parsed, command, pool);
    }
    if parsed.has(&["t", "tslice_ms", "r", "ratelimit_us", "m", "migration_delay_us"]) {
        return Err(Failure::WithUsage("Must specify schedparam to set schedule parameter values.".into()));
    }
    if is_change {
        let domain = domain.ok_or_else(|| Failure::WithUsage("No domain given.".into()))?;
        let change = Change::Share { under: under.to_vec(), weight, cap };
        let scheduler = set(&mut context.connect()?, domain, change, command)?;
        notice(context, command, scheduler);
        return done(context, domain, scheduler);
    }
    let mut found = listed(&mut context.connect()?, domain, under, command)?;
    if let Some(pool) = pool {
        found.retain(|domain| domain.pool == pool);
    }
    if let Some(domain) = found.first() {
        notice(context, command, domain.scheduler);
    }
    if context.json {
        context.out.json(&Value::Array(found.iter().map(object).collect()))?;
    } else {
        context.out.text(&table(&found, command == "sched-credit"))?;
    }
    Ok(())
}

/// Says that another scheduler than credit has it.
fn notice(context: &mut Context<'_>, command: &str, scheduler: Scheduler) {
    if command == "sched-credit" && scheduler == Scheduler::Credit2 {
        context.out.complain("Xen is running with the credit2 scheduler: weights and caps are its own.");
    }
}

fn share(domain: &Scheduled) -> Option<Share> {
    match domain.parameters {
        Parameters::Share(share) => Some(share),
        Parameters::Budgets(_) | Parameters::None => None,
    }
}

/// xm's table. -1 stands where nothing is known.
fn table(domains: &[Scheduled], with_cap: bool) -> String {
    let mut text = format!("{:<33} {:>4} {:>6}", "Name", "ID", "Weight");
    text.push_str(if with_cap { "  Cap\n" } else { "\n" });
    for domain in domains {
        let (weight, cap) = share(domain).map_or((-1, -1), |s| (i32::from(s.weight), i32::from(s.cap)));
        text.push_str(&format!("{:<32} {:>5} {weight:>6}", domain.name, domain.domid));
        if with_cap {
            text.push_str(&format!(" {cap:>4}"));
        }
        text.push('\n');
    }
    text
}

fn object(domain: &Scheduled) -> Value {
    let share = share(domain);
    json!({
        "name": domain.name,
        "domid": domain.domid,
        "pool": domain.pool,
        "scheduler": domain.scheduler.to_string(),
        "weight": share.map(|share| share.weight),
        "cap": share.map(|share| share.cap),
    })
}

fn tune(
    context: &mut Context<'_>,
    parsed: &Parsed,
    command: &str,
    pool: Option<&str>,
) -> Result<(), Failure> {
    let pool = pool.unwrap_or("Pool-0");
    let (tslice_ms, ratelimit_us, migration_delay_us) = (
        number::<u32>(parsed, &["t", "tslice_ms"])?,
        number::<u32>(parsed, &["r", "ratelimit_us"])?,
        number::<u32>(parsed, &["m", "migration_delay_us"])?,
    );
    let scheduler = if command == "sched-credit" { Scheduler::Credit } else { Scheduler::Credit2 };
    let wish =
        PoolTuning { pool: PoolRef(pool.into()), scheduler, tslice_ms, ratelimit_us, migration_delay_us };
    let told = context.connect()?.call::<SchedTune>(&wish)?.map_err(|error| match error {
        TuningError::NotFound => Failure::WithUsage(format!("Pool '{pool}' does not exist.")),
        TuningError::Scheduler(running) => wrong_scheduler(running, command),
        TuningError::Xen(error) if error.errno == 22 => invalid(),
        TuningError::Xen(error) => Failure::WithUsage(xen_text(&error)),
    })?;
    if context.json {
        context.out.json(&json!({
            "pool": told.pool,
            "scheduler": scheduler.to_string(),
            "tslice_ms": told.tslice_ms,
            "ratelimit_us": told.ratelimit_us,
            "migration_delay_us": told.migration_delay_us,
        }))?;
    } else if tslice_ms.is_none() && ratelimit_us.is_none() && migration_delay_us.is_none() {
        context.out.line(&line(&told))?;
    }
    Ok(())
}

/// As xl prints it.
fn line(told: &Tuning) -> String {
    match (told.tslice_ms, told.migration_delay_us) {
        (Some(tslice), Some(delay)) => format!(
            "Cpupool {}: tslice={tslice}ms ratelimit={}us migration-delay={delay}us",
            told.pool, told.ratelimit_us
        ),
        _ => format!("Cpupool {}: ratelimit={}us", told.pool, told.ratelimit_us),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_xms_to_the_byte() {
        let domain = |name: &str, domid, parameters| Scheduled {
            domid,
            name: name.into(),
            pool: "Pool-0".into(),
            scheduler: Scheduler::Credit,
            parameters,
        };
        let domains = [
            domain("Domain-0", 0, Parameters::Share(Share { weight: 256, cap: 0 })),
            domain("guest1", 164, Parameters::None),
        ];
        assert_eq!(
            table(&domains, true),
            "Name                                ID Weight  Cap\n\
             Domain-0                             0    256    0\n\
             guest1                             164     -1   -1\n"
        );
        assert_eq!(
            table(&domains, false),
            "Name                                ID Weight\n\
             Domain-0                             0    256\n\
             guest1                             164     -1\n"
        );
    }
}
