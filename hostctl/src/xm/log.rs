//! `xm log`: the toolstack's journal, in lines like xend's log.

use std::time::Duration;

use proto::domain::Created;
use proto::endpoints::{HostJournal, HostJournalWait};
use proto::journal::{Entry, Event, Who};
use serde_json::{Value, json};

use super::Context;
use super::failure::Failure;
use super::getopt::{Spec, parse};
use super::list::reason;
use crate::build;
use crate::client::Client;
use crate::clock::{LocalTime, Moment};
use crate::output::uuid_text;
use xmcfg::actions::word as action_word;

const SPEC: Spec = Spec { short: &[('f', false)], long: &[("follow", false)] };

/// The options, as usage shows them.
pub const OPTIONS: &[(&str, &str)] =
    &[("-f, --follow", "Go on printing what comes."), ("--json", "Print an object for each entry.")];

/// Runs the command.
///
/// # Errors
/// A wrong option, or the control domain cannot be asked.
pub fn run(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let parsed = parse(args, SPEC).map_err(Failure::WithUsage)?;
    if !parsed.words.is_empty() {
        return Err(Failure::WithUsage("No parameter required".into()));
    }
    let follow = parsed.has(&["f", "follow"]);
    let mut client = context.connect()?;
    match print(context, &mut client, follow) {
        // That is how following is ended.
        Err(Failure::Interrupted) if follow => Ok(()),
        result => result,
    }
}

fn print(context: &mut Context<'_>, client: &mut Client, follow: bool) -> Result<(), Failure> {
    let mut next = 0;
    loop {
        let page = client.call::<HostJournal>(&next)?;
        let now = Moment::now();
        if next == 0 && page.dropped > 0 {
            context.out.complain(&format!("{} older entries were dropped to make room", page.dropped));
        }
        for entry in &page.entries {
            // Told by this machine's clock: the control domain's counts from Xen's start.
            let at = |ns: u64| now.before(Duration::from_nanos(page.now_ns.saturating_sub(ns)));
            if context.json {
                context.out.json(&object(entry, at(entry.at_ns)))?;
            } else {
                context.out.foreign(line(entry, at(entry.at_ns), at(entry.first_ns)).as_bytes())?;
            }
        }
        context.out.flush()?;
        next = page.next;
        if !page.has_more {
            if !follow {
                return Ok(());
            }
            client.call::<HostJournalWait>(&next)?;
        }
    }
}

/// `[TIME NUMBER] LEVEL (WHAT) TEXT`: xend had its process in place of the entry's number, and a line of source in place of what.
fn line(entry: &Entry, at: LocalTime, first: LocalTime) -> String {
    let (level, what, text) = told(entry);
    let again = match entry.times {
        0 | 1 => String::new(),
        times => format!(" ({times} times since {first})"),
    };
    format!("[{at} {}] {level} ({what}) {text}{again}\n", entry.seq)
}

/// An entry's level, what it is about, and a sentence.
fn told(entry: &Entry) -> (&'static str, &'static str, String) {
    let by = match entry.who {
        Who::Command | Who::Control | Who::Guest => "",
        Who::Rule => " by its rule",
        Who::Stranger => " by another domain",
    };
    let took = ms(entry.us);
    match &entry.event {
        Event::Started { version, xen } => {
            ("INFO", "start", format!("Control domain {version} started on Xen {xen}."))
        }
        Event::Created { name, created } => (
            "INFO",
            "create",
            format!("Domain {name} ({}) created{by} in {took}: {}.", created.domid, phases(created)),
        ),
        Event::NotCreated { name, why } => {
            let level = if entry.who == Who::Rule { "ERROR" } else { "WARNING" };
            (
                level,
                "create",
                format!("Domain {name} not created{by}: {}.", build::refusal(name, "of the domain", why)),
            )
        }
        Event::NotKept { name, why } => (
            "WARNING",
            "create",
            format!(
                "Domain {name} goes on without what it had: {}.",
                build::refusal(name, "of the domain", why)
            ),
        ),
        Event::Command { what, name, domid, why } => {
            let whom = domid.map_or(name.clone(), |domid| format!("{name} ({domid})"));
            match why {
                None => ("INFO", "command", format!("{what}: {whom}: done in {took}.")),
                Some(why) => ("WARNING", "command", format!("{what}: {whom}: refused: {why}.")),
            }
        }
        Event::Ended { name, domid, reason: how } => {
            ("INFO", "end", format!("Domain {name} ({domid}) ended by itself: {}.", reason(*how)))
        }
        Event::Rule { name, reason: how, action, too_fast_ns: None } => {
            let follows = action_word(*action);
            ("INFO", "rule", format!("Domain {name}: {follows} follows from {}.", reason(*how)))
        }
        Event::Rule { name, reason: how, too_fast_ns: Some(ns), .. } => {
            let text = format!(
                "Domain {name}: its rule for {} would restart it {} s after its last restart: too fast; it is destroyed.",
                reason(*how),
                ns / 1_000_000_000
            );
            ("ERROR", "rule", text)
        }
        Event::Destroyed { name, domid, why: None } => {
            ("INFO", "destroy", format!("Domain {name} ({domid}) destroyed{by} in {took}."))
        }
        Event::Destroyed { name, domid, why: Some(why) } => {
            ("ERROR", "destroy", format!("Domain {name} ({domid}) not destroyed{by}: {why}."))
        }
        Event::Halt { code } => ("INFO", "halt", format!("The machine ends with code {code}.")),
    }
}

fn phases(created: &Created) -> String {
    let phases: Vec<String> =
        created.phases.iter().map(|phase| format!("{} {}", phase.name, ms(phase.us.into()))).collect();
    format!("{}; {} exits, {} hypercalls", phases.join(", "), created.exits, created.hypercalls)
}

fn ms(us: u64) -> String {
    format!("{}.{:03} ms", us / 1000, us % 1000)
}

fn object(entry: &Entry, at: LocalTime) -> Value {
    let (level, what, text) = told(entry);
    let mut object = json!({
        "seq": entry.seq,
        "time": at.to_string(),
        "at_ns": entry.at_ns,
        "first_ns": entry.first_ns,
        "times": entry.times,
        "us": entry.us,
        "who": match entry.who {
            Who::Command => "command",
            Who::Rule => "rule",
            Who::Guest => "guest",
            Who::Stranger => "stranger",
            Who::Control => "control",
        },
        "level": level.to_ascii_lowercase(),
        "event": what,
        "text": text,
    });
    let more = match &entry.event {
        Event::Created { name, created } => json!({
            "name": name,
            "domid": created.domid,
            "uuid": uuid_text(&created.uuid),
            "phases": created.phases.iter().map(|phase| json!({ "name": phase.name, "us": phase.us })).collect::<Vec<_>>(),
            "exits": created.exits,
            "hypercalls": created.hypercalls,
        }),
        Event::NotCreated { name, why } | Event::NotKept { name, why } => {
            json!({ "name": name, "error": why.to_string() })
        }
        Event::Command { what, name, domid, why } => {
            json!({ "command": what, "name": name, "domid": domid, "error": why })
        }
        Event::Ended { name, domid, reason: how } => {
            json!({ "name": name, "domid": domid, "reason": reason(*how) })
        }
        Event::Rule { name, reason: how, action, too_fast_ns } => json!({
            "name": name, "reason": reason(*how), "action": action_word(*action), "too_fast_ns": too_fast_ns,
        }),
        Event::Destroyed { name, domid, why } => {
            json!({ "name": name, "domid": domid, "error": why.as_ref().map(|why| why.to_string()) })
        }
        Event::Started { version, xen } => json!({ "version": version, "xen": xen }),
        Event::Halt { code } => json!({ "code": code }),
    };
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

#[cfg(test)]
mod tests {
    use proto::domain::{Action, Phase, ShutdownReason};
    use proto::error::CreateError;
    use proto::sched::PoolRef;

    use super::*;

    fn entry(who: Who, event: Event) -> Entry {
        Entry { seq: 7, at_ns: 2_000_000_000, times: 1, first_ns: 2_000_000_000, us: 21_400, who, event }
    }

    fn text(who: Who, event: Event) -> String {
        line(&entry(who, event), LocalTime::default(), LocalTime::default())
    }

    fn created() -> Created {
        let phase = |name: &str, us| Phase { name: name.into(), us };
        Created {
            domid: 3,
            uuid: [0; 16],
            phases: vec![phase("check", 1_200), phase("build", 20_200)],
            exits: 8,
            hypercalls: 31,
        }
    }

    #[test]
    fn a_creation_shows_where_its_milliseconds_went() {
        let text = text(Who::Command, Event::Created { name: "web".into(), created: created() });
        assert!(
            text.ends_with(
                " 7] INFO (create) Domain web (3) created in 21.400 ms: check 1.200 ms, build 20.200 ms; 8 exits, 31 hypercalls.\n"
            ),
            "{text}"
        );
        assert!(text.starts_with('['), "{text}");
    }

    #[test]
    fn every_event_is_a_sentence_with_a_level() {
        let (name, reason) = (String::from("web"), ShutdownReason::Crash);
        for (who, event, part) in [
            (
                Who::Control,
                Event::Started { version: "0.1.0".into(), xen: "4.17".into() },
                "INFO (start) Control domain 0.1.0 started on Xen 4.17.",
            ),
            (
                Who::Rule,
                Event::NotCreated { name: name.clone(), why: CreateError::BadVcpus { asked: 0, most: 128 } },
                "ERROR (create) Domain web not created by its rule: domain 'web' cannot have 0 vcpus; 1 to 128 are possible.",
            ),
            (
                Who::Rule,
                Event::NotKept { name: name.clone(), why: CreateError::NoPool(PoolRef("fast".into())) },
                "WARNING (create) Domain web goes on without what it had: unknown pool fast: domain 'web' cannot run in it; 'xm cpupool-list' shows which there are.",
            ),
            (
                Who::Command,
                Event::Command { what: "pause".into(), name: name.clone(), domid: Some(3), why: None },
                "INFO (command) pause: web (3): done in 21.400 ms.",
            ),
            (
                Who::Command,
                Event::Command {
                    what: "pause".into(),
                    name: "x".into(),
                    domid: None,
                    why: Some("NotFound".into()),
                },
                "WARNING (command) pause: x: refused: NotFound.",
            ),
            (
                Who::Guest,
                Event::Ended { name: name.clone(), domid: 3, reason },
                "INFO (end) Domain web (3) ended by itself: crash.",
            ),
            (
                Who::Rule,
                Event::Rule { name: name.clone(), reason, action: Action::Restart, too_fast_ns: None },
                "INFO (rule) Domain web: restart follows from crash.",
            ),
            (
                Who::Rule,
                Event::Rule {
                    name: name.clone(),
                    reason,
                    action: Action::Destroy,
                    too_fast_ns: Some(5_900_000_000),
                },
                "ERROR (rule) Domain web: its rule for crash would restart it 5 s after its last restart: too fast; it is destroyed.",
            ),
            (
                Who::Stranger,
                Event::Destroyed { name: name.clone(), domid: 3, why: None },
                "INFO (destroy) Domain web (3) destroyed by another domain in 21.400 ms.",
            ),
            (Who::Command, Event::Halt { code: 3 }, "INFO (halt) The machine ends with code 3."),
        ] {
            let text = text(who, event);
            assert!(text.ends_with(&format!(" 7] {part}\n")), "{text}");
        }
    }

    #[test]
    fn what_happened_often_says_how_often() {
        let mut loops =
            entry(Who::Guest, Event::Ended { name: "loop".into(), domid: 9, reason: ShutdownReason::Reboot });
        loops.times = 12;
        let text = line(&loops, LocalTime::default(), LocalTime::default());
        assert!(text.contains("ended by itself: reboot. (12 times since "), "{text}");
    }

    #[test]
    fn objects_have_the_facts_beside_the_sentence() {
        let object = object(
            &entry(Who::Command, Event::Created { name: "web".into(), created: created() }),
            LocalTime::default(),
        );
        assert_eq!(
            (&object["seq"], &object["who"], &object["event"]),
            (&json!(7), &json!("command"), &json!("create"))
        );
        assert_eq!(object["phases"][1], json!({ "name": "build", "us": 20_200 }));
        assert_eq!((&object["exits"], &object["domid"]), (&json!(8), &json!(3)));
    }
}
