//! `xm cpupool-*`: pools of processors.

mod config;

use proto::domain::DomainRef;
use proto::endpoints::{PoolCreate, PoolList, PoolModify};
use proto::error::DomainError;
use proto::sched::{Cpus, Pool, PoolChange, PoolError, PoolRef};
use serde_json::{Value, json};

use super::Context;
use super::failure::{Failure, xen_text};
use super::getopt::{Spec, parse};
use xmcfg::sxp::Sxp;

/// Options of `cpupool-create`, for its usage.
pub const CREATE_OPTIONS: &[(&str, &str)] = &[
    ("-f=FILE, --defconfig=FILE", "Use the given configuration file."),
    ("--path=PATH", "Search path for configuration files, .:/etc/xen/cpupool if not given."),
    ("-n, --dryrun", "Print the resulting configuration, and make nothing."),
    ("--json", "Print JSON, for programs."),
];
/// Options of `cpupool-list`, for its usage.
pub const LIST_OPTIONS: &[(&str, &str)] = &[
    ("-l, --long", "Print all that is known, as SXP."),
    ("-c, --cpus", "Print the CPUs of each pool."),
    ("--json", "Print JSON, for programs."),
];

/// Runs `xm cpupool-create`.
///
/// # Errors
/// The configuration is wrong (exit 255), or the pool cannot be made.
pub fn create(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let asked = config::read(args)?;
    if asked.is_dry_run {
        return match context.json {
            true => Ok(context.out.json(&asked.json())?),
            false => Ok(context.out.text(&asked.sxp().pretty())?),
        };
    }
    let pool = asked.config;
    let made = context.connect()?.call::<PoolCreate>(&pool)?.map_err(|error| match error {
        PoolError::NoScheduler => Failure::WithUsage(format!("Xen has no scheduler '{}'", pool.scheduler)),
        other => failure(&pool.name, other),
    })?;
    if context.json {
        context.out.json(&object(&made))?;
    }
    Ok(())
}

/// Runs `xm cpupool-list`.
///
/// # Errors
/// No such pool, or several were named.
pub fn list(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    const SPEC: Spec =
        Spec { short: &[('l', false), ('c', false)], long: &[("long", false), ("cpus", false)] };
    let parsed = parse(args, SPEC).map_err(Failure::WithUsage)?;
    if parsed.words.len() > 1 {
        return Err(Failure::WithUsage("Only one cpupool name for selection allowed".into()));
    }
    let mut pools = context.connect()?.call::<PoolList>(&())?.map_err(|error| Failure::xen(&error))?;
    if let Some(name) = parsed.words.first() {
        pools.retain(|pool| pool.name == *name);
        if pools.is_empty() {
            return Err(failure(name, PoolError::NotFound));
        }
    }
    if context.json {
        context.out.json(&Value::Array(pools.iter().map(object).collect()))?;
    } else if parsed.has(&["l", "long"]) {
        for pool in &pools {
            context.out.text(&long(pool).pretty())?;
        }
    } else {
        context.out.text(&if parsed.has(&["c", "cpus"]) { with_cpus(&pools) } else { brief(&pools) })?;
    }
    Ok(())
}

/// Runs `xm cpupool-destroy`.
///
/// # Errors
/// No such pool, the first one, or domains are in it.
pub fn destroy(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let [pool] = words(args);
    modify(context, &pool, &pool, PoolChange::Destroy(PoolRef(pool.clone())), "destroyed")
}

/// Runs `xm cpupool-cpu-add`.
///
/// # Errors
/// No such pool, or the processor is in one.
pub fn cpu_add(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let [pool, cpu] = words(args);
    modify(context, &pool, &pool, PoolChange::Add(PoolRef(pool.clone()), cpus(&cpu)?), "cpu added")
}

/// Runs `xm cpupool-cpu-remove`.
///
/// # Errors
/// No such pool, or the processor is not in it, or is needed.
pub fn cpu_remove(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let [pool, cpu] = words(args);
    modify(context, &pool, &pool, PoolChange::Remove(PoolRef(pool.clone()), cpus(&cpu)?), "cpu removed")
}

/// Runs `xm cpupool-migrate`.
///
/// # Errors
/// No such domain or pool, domain 0, or the pool has no processor.
pub fn migrate(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let [domain, pool] = words(args);
    let change = PoolChange::Migrate(DomainRef(domain.clone()), PoolRef(pool.clone()));
    modify(context, &pool, &domain, change, "migrated")
}

/// Runs `xm cpupool-rename`.
///
/// # Errors
/// No such pool, or the name is taken or impossible.
pub fn rename(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let [pool, name] = words(args);
    let change = PoolChange::Rename(PoolRef(pool.clone()), name.clone());
    context.connect()?.call::<PoolModify>(&change)?.map_err(|error| match error {
        PoolError::BadName | PoolError::NameInUse => failure(&name, error),
        other => failure(&pool, other),
    })?;
    if context.json {
        context.out.json(&json!({ "pool": name, "done": "renamed" }))?;
    }
    Ok(())
}

/// Runs `xm cpupool-numa-split`.
///
/// # Errors
/// There are pools beside the first one.
pub fn numa_split(context: &mut Context<'_>, _: &[String]) -> Result<(), Failure> {
    modify(context, "Pool-0", "Pool-0", PoolChange::SplitNuma, "split")
}

fn modify(
    context: &mut Context<'_>,
    pool: &str,
    what: &str,
    change: PoolChange,
    done: &str,
) -> Result<(), Failure> {
    let changed = context.connect()?.call::<PoolModify>(&change)?;
    changed.map_err(|error| match error {
        PoolError::Domain(error) => Failure::domain(what, "migrate", error),
        other => failure(pool, other),
    })?;
    if context.json {
        let key = if matches!(change, PoolChange::Migrate(..)) { "domain" } else { "pool" };
        context.out.json(&json!({ key: what, "done": done }))?;
    }
    Ok(())
}

/// The words that the table has counted.
fn words<const N: usize>(args: &[String]) -> [String; N] {
    let mut given = args.iter().filter(|arg| *arg != "--").cloned();
    std::array::from_fn(|_| given.next().unwrap_or_default())
}

/// `3`, `1-3`, `1,3`, or as xl has it `node:1`.
fn cpus(text: &str) -> Result<Cpus, Failure> {
    if let Some(node) = text.strip_prefix("node:") {
        return node.parse().map(Cpus::Node).map_err(|_| Failure::WithUsage("Invalid argument.".into()));
    }
    match config::numbers(text) {
        Some(cpus) if !cpus.is_empty() => Ok(Cpus::These(cpus)),
        _ => Err(Failure::WithUsage("Invalid argument.".into())),
    }
}

fn failure(pool: &str, error: PoolError) -> Failure {
    let text = match error {
        PoolError::NotFound => format!("Pool '{pool}' does not exist."),
        PoolError::NameInUse => format!("Pool '{pool}' already exists."),
        PoolError::BadName => format!(
            "'{pool}' is no name for a pool; names have letters, digits and _-.:+, 64 at most, and are no number"
        ),
        PoolError::NoScheduler => "Xen has no such scheduler".into(),
        PoolError::NotFree(cpu) => format!(
            "cpu {cpu} is not free; 'xm cpupool-list --cpus' shows the pools' CPUs, 'xm cpupool-cpu-remove' frees one"
        ),
        PoolError::TooFewFree { free } => {
            format!("only {free} CPUs are in no pool; 'xm cpupool-cpu-remove Pool-0 <CPU nr>' frees one")
        }
        PoolError::NotInPool(cpu) => format!("cpu {cpu} is not in pool '{pool}'"),
        PoolError::NoNode(node) => format!("there is no node {node}"),
        PoolError::HasDomains(count) => {
            format!("pool '{pool}' has domains ({count}); move them with 'xm cpupool-migrate' first")
        }
        PoolError::HasNoCpu => format!("pool '{pool}' has no CPU; add one with 'xm cpupool-cpu-add' first"),
        PoolError::LastCpu(cpu) => format!("the domains of pool '{pool}' need cpu {cpu}, its last one"),
        PoolError::First => "cpu 0 stays in the first pool, and that pool stays".into(),
        PoolError::Divided => "there are pools beside the first one already; destroy them first".into(),
        PoolError::Domain(DomainError::Xen(error)) | PoolError::Xen(error) => xen_text(&error),
        PoolError::Domain(error) => return Failure::domain(pool, "migrate", error),
    };
    Failure::WithUsage(text)
}

fn brief(pools: &[Pool]) -> String {
    let mut text = String::from("Name               CPUs   Sched     Active   Domain count\n");
    for pool in pools {
        text.push_str(&format!(
            "{:<16}   {:>3}  {:>8}       y          {}\n",
            pool.name,
            pool.cpus.len(),
            pool.scheduler.to_string(),
            pool.domains
        ));
    }
    text
}

fn with_cpus(pools: &[Pool]) -> String {
    let mut text = format!("{:<16} {}\n", "Name", "CPU list");
    for pool in pools {
        let cpus: Vec<String> = pool.cpus.iter().map(u32::to_string).collect();
        let cpus = if cpus.is_empty() { "-".to_owned() } else { cpus.join(",") };
        text.push_str(&format!("{:<16} {cpus}\n", pool.name));
    }
    text
}

fn long(pool: &Pool) -> Sxp {
    let cpus = pool.cpus.iter().map(|cpu| Sxp::Int(i64::from(*cpu)));
    Sxp::List(vec![
        "pool".into(),
        Sxp::pair("name_label", pool.name.as_str()),
        Sxp::pair("sched_policy", pool.scheduler.to_string()),
        Sxp::pair("ncpu", i64::try_from(pool.cpus.len()).unwrap_or(i64::MAX)),
        Sxp::List(std::iter::once("host_CPUs".into()).chain(cpus).collect()),
        Sxp::pair("activated", "y"),
        Sxp::pair("domains", i64::from(pool.domains)),
    ])
}

fn object(pool: &Pool) -> Value {
    json!({
        "id": pool.id,
        "name": pool.name,
        "scheduler": pool.scheduler.to_string(),
        "cpus": pool.cpus,
        "domains": pool.domains,
    })
}

#[cfg(test)]
mod tests {
    use proto::sched::Scheduler;

    use super::*;

    #[test]
    fn the_tables_are_xms_to_the_byte() {
        let first = Pool {
            id: 0,
            name: "Pool-0".into(),
            scheduler: Scheduler::Credit,
            cpus: vec![0, 1, 3],
            domains: 2,
        };
        let empty = Pool { id: 1, name: "spare".into(), cpus: vec![], domains: 0, ..first.clone() };
        let pools = [first, empty];
        assert_eq!(
            brief(&pools),
            "Name               CPUs   Sched     Active   Domain count\n\
             Pool-0               3    credit       y          2\n\
             spare                0    credit       y          0\n"
        );
        assert_eq!(
            with_cpus(&pools),
            "Name             CPU list\nPool-0           0,1,3\nspare            -\n"
        );
    }
}
