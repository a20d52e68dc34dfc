//! What a new pool is to be: its file and the words behind it.

use proto::sched::{Cpus, PoolConfig, Scheduler};
use serde_json::{Value as Json, json};

use crate::config::file;
use crate::config::machine::Machine;
use crate::xm::failure::Failure;
use crate::xm::getopt::{Spec, parse};
use xmcfg::load::File;
use xmcfg::script;
use xmcfg::sxp::Sxp;
use xmcfg::value::Value;

/// Where files are looked for.
const PATH: &str = ".:/etc/xen/cpupool";
/// What xm ended with where a configuration was wrong.
const WRONG: u8 = 255;

/// A pool as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// What is sent.
    pub(super) config: PoolConfig,
    /// `other_config`, which xm kept with the pool and nothing looks at.
    other: Vec<(String, String)>,
    /// Print only.
    pub(super) is_dry_run: bool,
}

impl Asked {
    fn cpus(&self) -> (u32, &[u32]) {
        match &self.config.cpus {
            Cpus::Some(count) => (*count, &[]),
            Cpus::These(cpus) => (cpus.len() as u32, cpus),
            Cpus::Node(_) => (0, &[]),
        }
    }

    /// The form that xm sent to xend.
    pub(super) fn sxp(&self) -> Sxp {
        let (count, cpus) = self.cpus();
        let headed = |head: &str, rest: Vec<Sxp>| Sxp::List([vec![head.into()], rest].concat());
        Sxp::List(vec![
            "pool".into(),
            Sxp::pair("name_label", self.config.name.as_str()),
            Sxp::pair("sched_policy", self.config.scheduler.to_string()),
            Sxp::pair("ncpu", i64::from(count)),
            headed("proposed_CPUs", cpus.iter().map(|cpu| Sxp::Int(i64::from(*cpu))).collect()),
            headed(
                "other_config",
                self.other.iter().map(|(key, value)| Sxp::pair(key, value.as_str())).collect(),
            ),
        ])
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Json {
        let (count, cpus) = self.cpus();
        json!({
            "name": self.config.name, "scheduler": self.config.scheduler.to_string(), "ncpu": count, "cpus": cpus,
        })
    }
}

fn wrong(text: impl Into<String>) -> Failure {
    Failure::Code(WRONG, text.into())
}

/// Reads the words: options, a file, `name=value`.
///
/// # Errors
/// An unknown option; with exit code 255: no file, an unknown variable, an impossible value.
pub(super) fn read(args: &[String]) -> Result<Asked, Failure> {
    const SPEC: Spec = Spec {
        short: &[('f', true), ('n', false)],
        long: &[("defconfig", true), ("path", true), ("dryrun", false)],
    };
    let parsed = parse(args, SPEC).map_err(Failure::WithUsage)?;
    let (vars, mut files): (Vec<&String>, Vec<&String>) =
        parsed.words.iter().partition(|word| word.contains('=') && !word.contains('/'));
    let named = parsed.value(&["f", "defconfig"]).map(str::to_owned);
    let file = named.or_else(|| (!files.is_empty()).then(|| files.remove(0).clone()));
    if let Some(more) = files.first() {
        return Err(wrong(format!("'{more}' is not understood; one file, then NAME=VALUE")));
    }
    let mut lines = match &file {
        Some(name) => {
            let path = file::find(name, parsed.value(&["path"]).unwrap_or(PATH)).map_err(wrong)?;
            let bytes = file::read(&path).map_err(wrong)?;
            let file = File { path: &path.display().to_string(), bytes: &bytes };
            script::run(file, &[], &Machine::new(false)).map_err(|error| wrong(error.to_string()))?.names
        }
        None if vars.is_empty() => return Err(Failure::WithUsage("No configuration file given.".into())),
        None => Vec::new(),
    };
    for var in vars {
        let (name, value) = var.split_once('=').unwrap_or((var, ""));
        lines.push((name.to_owned(), Value::Text(value.to_owned())));
    }
    let is_dry_run = parsed.has(&["n", "dryrun"]);
    let mut asked = Asked {
        config: PoolConfig { name: String::new(), scheduler: Scheduler::Credit, cpus: Cpus::Some(1) },
        other: Vec::new(),
        is_dry_run,
    };
    for (name, value) in &lines {
        set(&mut asked, name, value)?;
    }
    if asked.config.name.is_empty() {
        return Err(wrong("the pool has no name; add name = \"NAME\" to its configuration"));
    }
    Ok(asked)
}

fn set(asked: &mut Asked, name: &str, value: &Value) -> Result<(), Failure> {
    let text = value.text();
    match name {
        "name" => asked.config.name = text,
        "sched" => {
            asked.config.scheduler = Scheduler::named(&text).ok_or_else(|| {
                wrong(format!(
                    "sched = \"{text}\": Xen's schedulers are credit, credit2, rtds, null, arinc653"
                ))
            })?;
        }
        "cpus" => {
            asked.config.cpus = cpus(value).ok_or_else(|| wrong("Wrong illegal of parameter \"cpus\""))?
        }
        "other_config" => {
            let Value::List(items) = value else {
                return Err(wrong("other_config is a list of texts KEY=VALUE"));
            };
            for item in items {
                let text = item.text();
                let (key, value) =
                    text.split_once('=').ok_or_else(|| wrong(format!("other_config: {text}: KEY=VALUE")))?;
                asked.other.push((key.to_owned(), value.to_owned()));
            }
        }
        other => {
            return Err(wrong(format!(
                "unknown variable '{other}'; a pool has name, sched, cpus and other_config"
            )));
        }
    }
    Ok(())
}

/// A number of CPUs (`2`, `"#2"`), or which (`"0-3,^2"`, `["1", "3"]`). A word of the command line is a text, so there a number
/// means a CPU, as it did to xm.
fn cpus(value: &Value) -> Option<Cpus> {
    match value {
        Value::Int(count) => u32::try_from(*count).ok().map(Cpus::Some),
        Value::Text(text) => match text.strip_prefix('#') {
            Some(count) => count.parse().ok().map(Cpus::Some),
            None => numbers(text).map(Cpus::These),
        },
        Value::List(items) => {
            let lists: Option<Vec<Vec<u32>>> = items.iter().map(|item| numbers(&item.text())).collect();
            lists.map(|lists| Cpus::These(lists.concat()))
        }
        Value::Float(_) => None,
    }
}

/// The most CPUs that a list may name: more than Xen knows, and no range eats the memory.
const MOST: u32 = 4096;

/// A list of numbers and ranges; `^` takes out what came before.
pub(super) fn numbers(text: &str) -> Option<Vec<u32>> {
    let number = |text: &str| text.trim().parse::<u32>().ok().filter(|number| *number < MOST);
    let mut found: Vec<u32> = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        if let Some(gone) = part.strip_prefix('^') {
            let gone = number(gone)?;
            found.retain(|cpu| *cpu != gone);
        } else if let Some((first, last)) = part.split_once('-') {
            found.extend(number(first)?..=number(last)?);
        } else {
            found.push(number(part)?);
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus_have_ranges_and_exceptions_in_order() {
        assert_eq!(numbers("0-3,^1"), Some(vec![0, 2, 3]));
        assert_eq!(numbers("0-3,^1,1"), Some(vec![0, 2, 3, 1]));
        for text in ["x", "1-", "-1", "0-99999999", "1;2", "^"] {
            assert_eq!(numbers(text), None, "{text}");
        }
    }

    #[test]
    fn cpus_are_a_number_or_a_list() {
        let text = |text: &str| cpus(&Value::Text(text.into()));
        assert_eq!(cpus(&Value::Int(2)), Some(Cpus::Some(2)));
        assert_eq!(text("#2"), Some(Cpus::Some(2)));
        assert_eq!(text("1,3"), Some(Cpus::These(vec![1, 3])));
        assert_eq!(
            cpus(&Value::List(vec![Value::Text("1".into()), Value::Int(3)])),
            Some(Cpus::These(vec![1, 3]))
        );
        for value in [Value::Int(-1), Value::Float(1.0), Value::Text("#x".into())] {
            assert_eq!(cpus(&value), None, "{value:?}");
        }
    }

    #[test]
    fn a_dry_run_prints_what_xm_sent() {
        let words = ["-n", "name=fast", "sched=credit2", "cpus=2-3"].map(str::to_owned);
        assert_eq!(
            read(&words).unwrap().sxp().flat(),
            "(pool (name_label fast) (sched_policy credit2) (ncpu 2) (proposed_CPUs 2 3) (other_config))"
        );
    }
}
