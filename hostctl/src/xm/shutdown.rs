//! `xm shutdown` and `xm reboot`: guests are asked to end, and followed to their end with `-w`.
//!
//! Without `-w` the command returns when the guests have taken their requests, where xm returned as soon as it had written them:
//! a guest that does not listen is so told about, with the reason. Its request stays, so one that is slow to start obeys later.

mod guest;

use std::time::{Duration, Instant};

use proto::domain::DomainRef;
use proto::endpoints::{DomainEnd, DomainFollow};
use proto::error::DomainError;
use proto::life::{Asked, AskedPage, End, EndRequest, FollowRequest, Whom};
use serde_json::Value;

pub(super) use self::guest::not_taken;
use self::guest::{Guest, News, Wish};
use super::Context;
use super::failure::{Failure, xen_text};
use super::getopt::{Parsed, Spec, parse};
use crate::client::{CallError, Client};
use crate::exit;

const SPEC: Spec = Spec {
    short: &[('a', false), ('w', false), ('H', false), ('R', false)],
    long: &[("all", false), ("wait", false), ("halt", false), ("reboot", false)],
};

/// Runs `xm shutdown`.
///
/// # Errors
/// Wrong options; a domain that cannot be asked, does not take its request, or (with `-w`) does not end.
pub fn shutdown(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let parsed = parse(args, SPEC).map_err(Failure::WithUsage)?;
    run(context, &parsed, parsed.has(&["R", "reboot"]))
}

/// Runs `xm reboot`.
///
/// # Errors
/// As for [`shutdown`].
pub fn reboot(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let parsed = parse(args, SPEC).map_err(Failure::WithUsage)?;
    run(context, &parsed, true)
}

fn run(context: &mut Context<'_>, parsed: &Parsed, is_reboot: bool) -> Result<(), Failure> {
    let halts = parsed.has(&["H", "halt"]);
    if halts && is_reboot {
        return Err(Failure::WithUsage("Can't specify halt and reboot".into()));
    }
    let end = match (is_reboot, halts) {
        (true, _) => End::Reboot,
        (false, true) => End::Halt,
        (false, false) => End::Poweroff,
    };
    let whom = if parsed.has(&["a", "all"]) {
        Whom::From(0)
    } else {
        match parsed.words.as_slice() {
            [name] => Whom::One(DomainRef(name.clone())),
            [] => return Err(Failure::WithUsage("No domain parameter given".into())),
            _ => return Err(Failure::WithUsage("No multiple domain parameters allowed".into())),
        }
    };
    let wish = Wish { is_reboot, waits: parsed.has(&["w", "wait"]) };
    let mut client = context.connect()?;
    let asked = ask(&mut client, whom, end)?;
    let start = Instant::now();
    let mut guests: Vec<Guest> = asked.into_iter().map(Guest::new).collect();
    follow(context, &mut client, &mut guests, wish, start)?;
    tell(context, &guests, wish)
}

fn ask(client: &mut Client, whom: Whom, end: End) -> Result<Vec<Asked>, Failure> {
    let AskedPage { mut asked, mut next } = ask_some(client, whom, end)?;
    while let Some(first) = next {
        let page = ask_some(client, Whom::From(first), end)?;
        asked.extend(page.asked);
        next = page.next;
    }
    Ok(asked)
}

fn ask_some(client: &mut Client, whom: Whom, end: End) -> Result<AskedPage, Failure> {
    let name = match &whom {
        Whom::One(domain) => domain.0.clone(),
        Whom::From(_) => String::new(),
    };
    client.call::<DomainEnd>(&EndRequest { whom, end })?.map_err(|error| match error {
        DomainError::Privileged => Failure::WithUsage("Domain 0 cannot be shutdown".into()),
        DomainError::NotStarted => Failure::WithUsage("Domain cannot be shutdown".into()),
        DomainError::Xen(error) => Failure::WithUsage(xen_text(&error)),
        other => Failure::domain(&name, "shut down", other),
    })
}

/// Follows all guests until there is nothing more to wait for. One call waits for all of them.
fn follow(
    context: &mut Context<'_>,
    client: &mut Client,
    guests: &mut [Guest],
    wish: Wish,
    start: Instant,
) -> Result<(), Failure> {
    // The machine measures the patience: where it has answered without news before we think it is over, its clock is ahead of ours.
    let mut ahead = Duration::ZERO;
    loop {
        let mut open: Vec<&mut Guest> = guests.iter_mut().filter(|guest| guest.is_open()).collect();
        let Some(due) = open.iter().map(|guest| guest.due()).min() else { return Ok(()) };
        let patience = due.saturating_sub(start.elapsed() + ahead) + Duration::from_millis(1);
        let request = FollowRequest {
            lives: open.iter().map(|guest| (guest.asked.life, guest.phase)).collect(),
            patience_ms: u32::try_from(patience.as_millis()).unwrap_or(u32::MAX),
        };
        let stages = match client.call::<DomainFollow>(&request) {
            Err(CallError::Deadline(seconds)) => {
                let who: Vec<String> = open.iter().map(|guest| guest.so_far()).collect();
                let text = format!("gave up after {seconds} s (--timeout): {}", who.join(", "));
                return Err(Failure::Code(exit::TIMEOUT, text));
            }
            stages => stages?,
        };
        if open.iter().zip(&stages).all(|(guest, stage)| guest.phase == stage.phase()) {
            ahead = ahead.max(due.saturating_sub(start.elapsed()));
        }
        let at = start.elapsed() + ahead;
        for (guest, stage) in open.iter_mut().zip(stages) {
            match guest.hear(stage, at, wish) {
                Some(News::Line(line)) if !context.json => {
                    context.out.line(&line)?;
                    context.out.flush()?;
                }
                Some(News::Note(note)) => context.out.complain(&note),
                Some(News::Line(_)) | None => {}
            }
        }
    }
}

/// The last words: xm's line when all went well, else what did not.
fn tell(context: &mut Context<'_>, guests: &[Guest], wish: Wish) -> Result<(), Failure> {
    if context.json {
        context.out.json(&Value::Array(guests.iter().map(Guest::object).collect()))?;
    }
    let mut failures: Vec<String> = guests.iter().filter_map(Guest::failure).collect();
    if let Some(last) = failures.pop() {
        for failure in failures {
            context.out.complain(&format!("Error: {failure}"));
        }
        return Err(Failure::Plain(last));
    }
    if guests.iter().any(Guest::has_failed) {
        return Err(Failure::Silent(exit::FAILED));
    }
    if wish.waits && !context.json {
        let done = if wish.is_reboot { "rebooted" } else { "terminated" };
        context.out.line(&format!("All domains {done}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::connect::Options;
    use crate::output::testing::captured;
    use crate::xm::{help, table};

    #[test]
    fn mistakes_are_named_before_anybody_is_asked() {
        for (line, text) in [
            ("shutdown -H -R g", "Can't specify halt and reboot"),
            ("reboot g -H", "Can't specify halt and reboot"),
            ("shutdown -w", "No domain parameter given"),
            ("shutdown a b", "No multiple domain parameters allowed"),
            ("reboot -Q g", "option -Q not recognized"),
            ("trigger g zap", "Invalid trigger: zap"),
            ("trigger g nmi x", "Invalid argument."),
            ("trigger g nmi -1", "Invalid argument."),
        ] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let usage = help::usage(table::by_name(&words[0]).unwrap());
            let said = captured(|out| crate::xm::run(&words, &Options::default(), out));
            assert_eq!(said, (1, usage, format!("Error: {text}\n")), "{line}");
        }
    }

    #[test]
    fn a_system_request_is_one_letter() {
        for key in ["ab", "ä", ""] {
            let words = ["sysrq", "g", key].map(str::to_owned);
            let (code, stdout, stderr) = captured(|out| crate::xm::run(&words, &Options::default(), out));
            assert_eq!((code, stdout.as_str()), (1, ""));
            assert!(stderr.starts_with(&format!("Error: '{key}' is no system request: ")), "{stderr}");
        }
    }
}
