//! `xm dump-core`: a domain's memory, in a file.

use std::path::PathBuf;

use proto::domain::DomainRef;
use proto::dump::{DumpError, DumpPause, DumpWay};
use proto::endpoints::{CoreKept, DomainDestroy, DomainFind, DomainReset};
use proto::error::DomainError;
use serde_json::json;

use super::Context;
use super::failure::Failure;
use super::getopt::{Spec, parse};
use super::life::not_reset;
use crate::client::Client;
use crate::coredump::fetch::{Fetched, Refusal, Wish, fetch};
use crate::coredump::place::{self, Place};

/// The options, as usage shows them.
pub const OPTIONS: &[(&str, &str)] = &[
    ("-L, --live", "Dump core without pausing the domain."),
    ("-C, --crash", "Destroy the domain after dumping core."),
    ("-R, --reset", "Reset the domain after dumping core."),
    ("--json", "Print what was written as JSON, with sizes and times."),
];

const SPEC: Spec = Spec {
    short: &[('L', false), ('C', false), ('R', false)],
    long: &[("live", false), ("crash", false), ("reset", false)],
};

/// Runs the command.
///
/// # Errors
/// Wrong words; no such domain, domain 0, or not in its state; a file that cannot be written. Nothing of the file is left
/// then, and the domain goes on as it was.
pub fn run(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let parsed = parse(args, SPEC).map_err(Failure::WithUsage)?;
    let (name, file) = match parsed.words.as_slice() {
        [name] => (name, None),
        [name, file] => (name, Some(PathBuf::from(file))),
        _ => return Err(Failure::WithUsage("Expects 1 or 2 argument(s)".into())),
    };
    let is_live = parsed.has(&["L", "live"]);
    let destroys = parsed.has(&["C", "crash"]);
    let resets = parsed.has(&["R", "reset"]);
    if destroys && resets {
        return Err(Failure::WithUsage("You may not specify more than one '-CR' option".into()));
    }
    if !context.json {
        context.out.line(&format!("Dumping core of domain: {name} ..."))?;
        context.out.flush()?;
    }
    let mut client = context.connect()?;
    let place = match file {
        Some(file) if file.is_dir() => {
            return Err(Failure::WithUsage(format!("Cannot dump core in a directory: {}", file.display())));
        }
        Some(file) => Place::named(file),
        None => chosen(context, &mut client, name)?,
    };
    let pause = match (is_live, destroys || resets) {
        (true, _) => DumpPause::Live,
        (false, false) => DumpPause::Reading,
        (false, true) => DumpPause::Holding,
    };
    let wish = Wish { domain: name, core: None, pause };
    let fetched = fetch(&mut client, wish, &place.file).map_err(|refusal| failure(name, refusal))?;
    if destroys {
        let domain = DomainRef(fetched.opened.name.clone());
        client.call::<DomainDestroy>(&domain)?.map_err(|error| Failure::domain(name, "destroy", error))?;
    }
    if resets {
        let domain = DomainRef(fetched.opened.name.clone());
        client.call::<DomainReset>(&domain)?.map_err(|error| not_reset(name, error))?;
    }
    fetched.let_go(&mut client)?;
    if !destroys && !resets {
        end_wait(context, &mut client, &fetched)?;
    }
    if context.json {
        context.out.json(&described(&fetched))?;
    }
    Ok(())
}

/// A domain that crashed and waits for its core to be kept (`on_crash`) waits no more: it is destroyed.
fn end_wait(context: &mut Context<'_>, client: &mut Client, fetched: &Fetched) -> Result<(), Failure> {
    let (Some(core), opened) = (fetched.opened.core, &fetched.opened) else { return Ok(()) };
    match client.call::<CoreKept>(&core)? {
        Ok(()) => context.out.complain(&format!(
            "{} (id={}) had crashed and was kept for this dump; it is destroyed now",
            opened.name, opened.domid
        )),
        // It was destroyed meanwhile.
        Err(DomainError::NotFound) => {}
        Err(error) => return Err(Failure::domain(&opened.name, "destroy", error)),
    }
    Ok(())
}

/// The file for a dump that nobody named one for.
fn chosen(context: &mut Context<'_>, client: &mut Client, name: &str) -> Result<Place, Failure> {
    let found = client
        .call::<DomainFind>(&DomainRef(name.into()))?
        .map_err(|error| Failure::domain(name, "dump core for", error))?;
    if found.domid == 0 {
        return Err(failure(name, Refusal::NotBegun(DumpError::Privileged)));
    }
    let place = place::choose(&found.name, found.domid)
        .map_err(|error| Failure::WithUsage(format!("Failed to dump core: {error}")))?;
    if let Some(note) = &place.note {
        context.out.complain(note);
    }
    Ok(place)
}

fn failure(name: &str, refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Call(error) => error.into(),
        Refusal::NotBegun(DumpError::NotFound) => Failure::NoDomain(name.into()),
        Refusal::NotBegun(DumpError::Privileged) => {
            Failure::WithUsage(format!("Cannot dump core for privileged domain {name}"))
        }
        Refusal::NotBegun(DumpError::NotStarted) => {
            Failure::WithUsage(format!("Domain '{name}' is not started"))
        }
        other => Failure::WithUsage(format!("Failed to dump core: {other}")),
    }
}

fn described(fetched: &Fetched) -> serde_json::Value {
    json!({
        "name": fetched.opened.name,
        "domid": fetched.opened.domid,
        "file": fetched.file,
        "pages": fetched.pages,
        "bytes": fetched.len,
        "bytes_on_disk": fetched.on_disk,
        "bytes_travelled": fetched.travelled,
        "way": match fetched.opened.way {
            DumpWay::Line => "line",
            DumpWay::SharedMemory => "shared-memory",
        },
        "ms": fetched.took.as_millis() as u64,
    })
}
