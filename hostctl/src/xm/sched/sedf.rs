//! `xm sched-sedf`: periods and slices, kept by rtds today.
//!
//! The options take milliseconds, with fractions; the manual's older form, five numbers behind the domain, takes nanoseconds. Both
//! become whole microseconds, which is what rtds counts in. sedf's latency hint and its weights have no place there.

use proto::sched::{Budget, BudgetChange, Change, Parameters, Scheduled, Scheduler};
use serde_json::{Value, json};

use super::{Context, done, invalid, listed, options, set};
use crate::xm::failure::Failure;
use crate::xm::getopt::{Parsed, Spec};

const SPEC: Spec = Spec {
    short: &[('p', true), ('s', true), ('l', true), ('e', true), ('w', true)],
    long: &[("period", true), ("slice", true), ("latency", true), ("extratime", true), ("weight", true)],
};
const COMMAND: &str = "sched-sedf";

/// Options of `sched-sedf`, for its usage.
pub const OPTIONS: &[(&str, &str)] = &[
    ("-p [MS], --period[=MS]", "Relative deadline (ms)."),
    ("-s [MS], --slice[=MS]", "Worst-case execution time (ms, no longer than the period)."),
    ("-l [MS], --latency[=MS]", "Scaled period for heavy I/O: not with rtds, sedf's successor."),
    ("-e [FLAG], --extra[=FLAG]", "Flag (0 or 1): may run longer where CPU time is left over."),
    ("-w [FLOAT], --weight[=FLOAT]", "CPU period and slice by weight: not with rtds."),
    ("--json", "Print JSON, for programs."),
];

/// Runs the command.
///
/// # Errors
/// No such domain, another scheduler, or something that rtds cannot do.
pub fn sedf(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let parsed = options(args, SPEC)?;
    let Some(domain) = parsed.words.first() else {
        if !parsed.options.is_empty() {
            return Err(Failure::WithUsage("No domain given.".into()));
        }
        return print(context, None);
    };
    let wish = match &parsed.words[1..] {
        [] => by_options(&parsed)?,
        [period, slice, latency, extratime, weight] if parsed.options.is_empty() => {
            by_position([period, slice, latency, extratime, weight])?
        }
        _ => return Err(invalid()),
    };
    if wish == Wish::default() {
        return print(context, Some(domain));
    }
    if wish.latency_ns.is_some_and(|latency| latency != 0) {
        return Err(no_place("latency", "a latency hint"));
    }
    if wish.weight.is_some_and(|weight| weight != 0.0) {
        return Err(no_place("weight", "weights"));
    }
    let change = BudgetChange {
        vcpu: None,
        period_us: wish.period_ns.map(|ns| microseconds("period", ns)).transpose()?,
        budget_us: wish.slice_ns.map(|ns| microseconds("slice", ns)).transpose()?,
        has_extra: wish.has_extra,
    };
    let scheduler = set(&mut context.connect()?, domain, Change::Budgets(vec![change]), COMMAND)?;
    context.out.complain(
        "Xen is running with the rtds scheduler, which took sedf's place: period and slice are its own.",
    );
    done(context, domain, scheduler)
}

/// What was asked for; times in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Wish {
    period_ns: Option<u64>,
    slice_ns: Option<u64>,
    latency_ns: Option<u64>,
    has_extra: Option<bool>,
    weight: Option<f64>,
}

fn by_options(parsed: &Parsed) -> Result<Wish, Failure> {
    let ns = |names: &[&str]| parsed.value(names).map(from_milliseconds).transpose();
    let weight = parsed.value(&["w", "weight"]).map(|text| text.trim().parse::<f64>().map_err(|_| invalid()));
    Ok(Wish {
        period_ns: ns(&["p", "period"])?,
        slice_ns: ns(&["s", "slice"])?,
        latency_ns: ns(&["l", "latency"])?,
        has_extra: parsed.value(&["e", "extratime"]).map(flag).transpose()?,
        weight: weight.transpose()?,
    })
}

fn by_position([period, slice, latency, extratime, weight]: [&String; 5]) -> Result<Wish, Failure> {
    let ns = |text: &str| text.parse::<u64>().map_err(|_| invalid());
    Ok(Wish {
        period_ns: Some(ns(period)?),
        slice_ns: Some(ns(slice)?),
        latency_ns: Some(ns(latency)?),
        has_extra: Some(flag(extratime)?),
        weight: Some(weight.parse().map_err(|_| invalid())?),
    })
}

fn from_milliseconds(text: &str) -> Result<u64, Failure> {
    let ms: f64 = text.trim().parse().map_err(|_| invalid())?;
    // Beyond this, rtds could not count it anyway.
    if !(0.0..=1e9).contains(&ms) {
        return Err(invalid());
    }
    Ok((ms * 1e6).round() as u64)
}

fn flag(text: &str) -> Result<bool, Failure> {
    match text.trim() {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(invalid()),
    }
}

fn microseconds(what: &str, ns: u64) -> Result<u32, Failure> {
    match u32::try_from(ns / 1000) {
        Ok(us) if ns.is_multiple_of(1000) => Ok(us),
        _ => Err(Failure::WithUsage(format!(
            "a {what} of {ns} ns is not possible; rtds takes whole microseconds, {} at most",
            u32::MAX
        ))),
    }
}

fn no_place(what: &str, name: &str) -> Failure {
    Failure::WithUsage(format!(
        "{what} cannot be set: rtds, which took sedf's place, has no {}; leave it out, or set it to 0",
        name.trim_start_matches("a ")
    ))
}

fn print(context: &mut Context<'_>, domain: Option<&str>) -> Result<(), Failure> {
    let found = listed(&mut context.connect()?, domain, &[Scheduler::Rtds], COMMAND)?;
    if context.json {
        context.out.json(&Value::Array(found.iter().map(object).collect()))?;
    } else {
        context.out.text(&table(&found))?;
    }
    let differing: Vec<&str> = found.iter().filter(|d| !is_uniform(d)).map(|d| d.name.as_str()).collect();
    if !differing.is_empty() {
        let names = differing.join(", ");
        context
            .out
            .complain(&format!("The vcpus of {names} differ: 'xm sched-rtds -v all' shows all of them."));
    }
    Ok(())
}

fn budgets(domain: &Scheduled) -> &[Budget] {
    match &domain.parameters {
        Parameters::Budgets(budgets) => budgets,
        Parameters::Share(_) | Parameters::None => &[],
    }
}

fn is_uniform(domain: &Scheduled) -> bool {
    budgets(domain).windows(2).all(|pair| pair[0] == pair[1])
}

/// xm's table, of each domain's first vCPU.
fn table(domains: &[Scheduled]) -> String {
    let mut text = format!(
        "{:<33} {:>4} {:<4} {:<4} {:<7} {:<5} {:<6}\n",
        "Name", "ID", "Period(ms)", "Slice(ms)", "Lat(ms)", "Extra", "Weight"
    );
    for domain in domains {
        let Some(budget) = budgets(domain).first() else { continue };
        let ms = |us: u32| f64::from(us) / 1000.0;
        text.push_str(&format!(
            "{:<32} {:>5} {:>9.1} {:>9.1} {:>7.1} {:>6} {:>6}\n",
            domain.name,
            domain.domid,
            ms(budget.period_us),
            ms(budget.budget_us),
            0.0,
            u8::from(budget.has_extra),
            0
        ));
    }
    text
}

fn object(domain: &Scheduled) -> Value {
    let first = budgets(domain).first();
    json!({
        "name": domain.name,
        "domid": domain.domid,
        "pool": domain.pool,
        "scheduler": domain.scheduler.to_string(),
        "period_ns": first.map(|budget| u64::from(budget.period_us) * 1000),
        "slice_ns": first.map(|budget| u64::from(budget.budget_us) * 1000),
        "extratime": first.map(|budget| budget.has_extra),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_xms_to_the_byte() {
        let budget = Budget { period_us: 20_000, budget_us: 5_250, has_extra: true };
        let domain = Scheduled {
            domid: 164,
            name: "guest1".into(),
            pool: "Pool-0".into(),
            scheduler: Scheduler::Rtds,
            parameters: Parameters::Budgets(vec![budget]),
        };
        assert_eq!(
            table(&[domain]),
            "Name                                ID Period(ms) Slice(ms) Lat(ms) Extra Weight\n\
             guest1                             164      20.0       5.2     0.0      1      0\n"
        );
    }

    #[test]
    fn milliseconds_may_have_fractions_and_nanoseconds_must_be_whole_microseconds() {
        assert_eq!(from_milliseconds("2.5").ok(), Some(2_500_000));
        for text in ["-1", "x", "inf", "NaN", "1e30", ""] {
            assert!(from_milliseconds(text).is_err(), "{text}");
        }
        assert_eq!(microseconds("period", 20_000_000).ok(), Some(20_000));
        assert!(microseconds("period", 1_500).is_err());
        assert!(microseconds("period", u64::MAX).is_err());
    }
}
