//! `xm sched-rtds`, as xl has it: budgets in periods, in microseconds, for each vCPU.

use proto::sched::{Budget, BudgetChange, Change, Parameters, Scheduled, Scheduler};
use serde_json::{Value, json};

use super::{Context, done, invalid, listed, options, set};
use crate::xm::failure::Failure;
use crate::xm::getopt::{Parsed, Spec};

const SPEC: Spec = Spec {
    short: &[('d', true), ('v', true), ('p', true), ('b', true), ('e', true), ('c', true)],
    long: &[
        ("domain", true),
        ("vcpuid", true),
        ("period", true),
        ("budget", true),
        ("extratime", true),
        ("cpupool", true),
    ],
};
const COMMAND: &str = "sched-rtds";

/// Options of `sched-rtds`, for its usage.
pub const OPTIONS: &[(&str, &str)] = &[
    ("-d DOMAIN, --domain=DOMAIN", "Domain to modify."),
    ("-v VCPUID/all, --vcpuid=VCPUID/all", "vCPU to print or modify, or all; several may be given."),
    ("-p PERIOD, --period=PERIOD", "Period (us), one for each -v."),
    ("-b BUDGET, --budget=BUDGET", "Budget in each period (us), one for each -v."),
    ("-e Extratime, --extratime=Extratime", "May run longer where CPU time is left over (1=yes, 0=no)."),
    ("-c POOL, --cpupool=POOL", "Only of this pool of CPUs."),
    ("--json", "Print JSON, for programs."),
];

/// All values that were given to an option, in order.
fn values<'a>(parsed: &'a Parsed, names: &[&str]) -> Vec<&'a str> {
    let given = parsed.options.iter().filter(|(name, _)| names.contains(&name.as_str()));
    given.filter_map(|(_, value)| value.as_deref()).collect()
}

/// Which vCPUs are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Vcpus {
    /// None was named: the domain as a whole.
    Whole,
    All,
    These(Vec<u32>),
}

/// Runs the command.
///
/// # Errors
/// No such domain, another scheduler, or numbers that do not go together.
pub fn rtds(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let parsed = options(args, SPEC)?;
    let usage = |text: &str| Err(Failure::WithUsage(text.into()));
    if let Some(word) = parsed.words.first() {
        return usage(&format!("'{word}' is not understood; name a domain with -d"));
    }
    let domain = parsed.value(&["d", "domain"]);
    let pool = parsed.value(&["c", "cpupool"]);
    let periods = numbers(&values(&parsed, &["p", "period"]))?;
    let budgets = numbers(&values(&parsed, &["b", "budget"]))?;
    let extras = extras(&values(&parsed, &["e", "extratime"]))?;
    let vcpus = vcpus(&values(&parsed, &["v", "vcpuid"]))?;
    let is_change = !periods.is_empty() || !budgets.is_empty() || !extras.is_empty();
    if pool.is_some() && (domain.is_some() || is_change || vcpus != Vcpus::Whole) {
        return usage("Specifying a cpupool is not allowed with other options.");
    }
    if domain.is_none() && (is_change || matches!(vcpus, Vcpus::These(_))) {
        return usage("Missing parameters.");
    }
    let Some(domain) = domain.filter(|_| is_change) else {
        return print(context, domain, pool, &vcpus);
    };
    let ids: Vec<Option<u32>> = match &vcpus {
        Vcpus::Whole => return usage("Must specify VCPU."),
        Vcpus::All => vec![None],
        Vcpus::These(ids) => ids.iter().copied().map(Some).collect(),
    };
    if [periods.len(), budgets.len(), extras.len()] != [ids.len(); 3] {
        return usage("Incorrect number of period, budget and extratime");
    }
    let changes = (0..ids.len()).map(|n| BudgetChange {
        vcpu: ids[n],
        period_us: Some(periods[n]),
        budget_us: Some(budgets[n]),
        has_extra: Some(extras[n]),
    });
    let scheduler = set(&mut context.connect()?, domain, Change::Budgets(changes.collect()), COMMAND)?;
    done(context, domain, scheduler)
}

fn numbers(texts: &[&str]) -> Result<Vec<u32>, Failure> {
    texts.iter().map(|text| text.trim().parse().map_err(|_| invalid())).collect()
}

fn extras(texts: &[&str]) -> Result<Vec<bool>, Failure> {
    texts
        .iter()
        .map(|text| match *text {
            "0" => Ok(false),
            "1" => Ok(true),
            _ => Err(Failure::WithUsage("Invalid extratime.".into())),
        })
        .collect()
}

fn vcpus(texts: &[&str]) -> Result<Vcpus, Failure> {
    if texts.is_empty() {
        return Ok(Vcpus::Whole);
    }
    match texts.iter().filter(|text| **text == "all").count() {
        0 => numbers(texts).map(Vcpus::These),
        all if all == texts.len() => Ok(Vcpus::All),
        _ => Err(Failure::WithUsage("Incorrect VCPU IDs.".into())),
    }
}

fn print(
    context: &mut Context<'_>,
    domain: Option<&str>,
    pool: Option<&str>,
    vcpus: &Vcpus,
) -> Result<(), Failure> {
    let mut found = listed(&mut context.connect()?, domain, &[Scheduler::Rtds], COMMAND)?;
    if let Some(pool) = pool {
        found.retain(|domain| domain.pool == pool);
    }
    if let (Vcpus::These(ids), Some(domain)) = (vcpus, found.first())
        && let Some(id) = ids.iter().find(|id| **id as usize >= budgets(domain).len())
    {
        return Err(Failure::WithUsage(format!("Domain '{}' has no vcpu {id}", domain.name)));
    }
    if context.json {
        context.out.json(&Value::Array(found.iter().map(|domain| object(domain, vcpus)).collect()))?;
        return Ok(());
    }
    let mut pools: Vec<&str> = found.iter().map(|domain| domain.pool.as_str()).collect();
    pools.sort_unstable();
    pools.dedup();
    for pool in pools {
        if domain.is_none() {
            context.out.line(&format!("Cpupool {pool}: sched=RTDS"))?;
        }
        let of_pool: Vec<&Scheduled> = found.iter().filter(|domain| domain.pool == pool).collect();
        context.out.text(&table(&of_pool, vcpus))?;
    }
    Ok(())
}

fn budgets(domain: &Scheduled) -> &[Budget] {
    match &domain.parameters {
        Parameters::Budgets(budgets) => budgets,
        Parameters::Share(_) | Parameters::None => &[],
    }
}

/// The vCPUs that are to be shown.
fn shown<'a>(domain: &'a Scheduled, vcpus: &Vcpus) -> Vec<(u32, &'a Budget)> {
    let all = (0..).zip(budgets(domain));
    match vcpus {
        Vcpus::Whole | Vcpus::All => all.collect(),
        Vcpus::These(ids) => all.filter(|(id, _)| ids.contains(id)).collect(),
    }
}

/// xl's tables. A domain as a whole has what all its vCPUs have, and `-` where they differ.
fn table(domains: &[&Scheduled], vcpus: &Vcpus) -> String {
    let yes = |budget: &Budget| if budget.has_extra { "yes" } else { "no" }.to_owned();
    if *vcpus == Vcpus::Whole {
        let mut text =
            format!("{:<33} {:>4} {:>9} {:>9} {:>10}\n", "Name", "ID", "Period", "Budget", "Extratime");
        for domain in domains {
            let common = |what: &dyn Fn(&Budget) -> String| {
                let mut all = budgets(domain).iter().map(what);
                let first = all.next().unwrap_or("-".into());
                if all.all(|other| other == first) { first } else { "-".into() }
            };
            text.push_str(&format!(
                "{:<33} {:>4} {:>9} {:>9} {:>10}\n",
                domain.name,
                domain.domid,
                common(&|budget| budget.period_us.to_string()),
                common(&|budget| budget.budget_us.to_string()),
                common(&yes)
            ));
        }
        return text;
    }
    let mut text = format!(
        "{:<33} {:>4} {:>4} {:>9} {:>9} {:>10}\n",
        "Name", "ID", "VCPU", "Period", "Budget", "Extratime"
    );
    for domain in domains {
        for (id, budget) in shown(domain, vcpus) {
            text.push_str(&format!(
                "{:<33} {:>4} {id:>4} {:>9} {:>9} {:>10}\n",
                domain.name,
                domain.domid,
                budget.period_us,
                budget.budget_us,
                yes(budget)
            ));
        }
    }
    text
}

fn object(domain: &Scheduled, vcpus: &Vcpus) -> Value {
    let vcpus: Vec<Value> = shown(domain, vcpus)
        .into_iter()
        .map(|(id, budget)| {
            json!({
                "vcpu": id, "period_us": budget.period_us, "budget_us": budget.budget_us,
                "extratime": budget.has_extra,
            })
        })
        .collect();
    json!({ "name": domain.name, "domid": domain.domid, "pool": domain.pool, "vcpus": vcpus })
}
