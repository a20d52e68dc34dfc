//! `xm rename`, `reset`, `trigger`, `sysrq`, `domstate`: one domain, one call.

use std::time::Duration;

use proto::domain::{DomainInfo, DomainRef, DomainState};
use proto::endpoints::{DomainRename, DomainReset, DomainSysrq, DomainTrigger};
use proto::life::{
    RenameError, RenameRequest, ResetError, SysrqError, SysrqRequest, Trigger, TriggerError, TriggerRequest,
};
use serde_json::json;

use super::Context;
use super::failure::Failure;
use super::list::flags;
use super::names::find;
use super::shutdown::not_taken;
use crate::build::refusal;
use crate::output::uuid_text;

/// How long a guest may take to take a system request.
const TAKES: Duration = Duration::from_secs(10);

/// The words, without a bare `--`.
fn words(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).filter(|arg| *arg != "--").collect()
}

fn said(context: &mut Context<'_>, name: &str, verb: &str) -> Result<(), Failure> {
    if context.json {
        context.out.json(&json!({ "domain": name, "done": verb }))?;
    }
    Ok(())
}

/// Runs `xm rename`.
///
/// # Errors
/// No such domain, domain 0, or a name that cannot be had.
pub fn rename(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let words = words(args);
    let (name, new) = (words[0], words[1]);
    let request = RenameRequest { domain: DomainRef(name.into()), name: new.into() };
    context.connect()?.call::<DomainRename>(&request)?.map_err(|error| match error {
        RenameError::Domain(error) => Failure::domain(name, "rename", error),
        RenameError::BadName if new.is_empty() => Failure::WithUsage("Missing VM Name".into()),
        RenameError::BadName => Failure::WithUsage("Invalid VM Name".into()),
        RenameError::NameInUse { domid: Some(domid) } => {
            Failure::WithUsage(format!("VM name '{new}' already exists as domain {domid}"))
        }
        RenameError::NameInUse { domid: None } => {
            Failure::WithUsage(format!("VM name '{new}' already exists"))
        }
    })?;
    said(context, new, "rename")
}

/// Runs `xm reset`.
///
/// # Errors
/// No such domain, domain 0, not in its state, or it cannot be built again.
pub fn reset(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let name = words(args)[0];
    let created = context.connect()?.call::<DomainReset>(&DomainRef(name.into()))?;
    let created = created.map_err(|error| not_reset(name, error))?;
    if context.json {
        context.out.json(&json!({
            "domain": name, "done": "reset", "domid": created.domid, "uuid": uuid_text(&created.uuid),
        }))?;
    }
    Ok(())
}

/// What is said of a domain that was not reset.
pub(super) fn not_reset(name: &str, error: ResetError) -> Failure {
    match error {
        ResetError::Refused(error) => Failure::domain(name, "reset", error),
        ResetError::Impossible(why) => Failure::Plain(format!(
            "Domain '{name}' was not reset, and goes on: {}",
            refusal(name, "of its configuration", &why)
        )),
        ResetError::Lost(why) => Failure::Plain(format!(
            "Domain '{name}' was destroyed, and not built again: {}",
            refusal(name, "of its configuration", &why)
        )),
    }
}

/// Runs `xm trigger`.
///
/// # Errors
/// No such domain, domain 0, not in its state, no such vCPU, or something that this guest or this Xen does not have.
pub fn trigger(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let words = words(args);
    let (name, word) = (words[0], words[1]);
    let vcpu = words.get(2).map_or(Ok(0), |number| number.trim().parse());
    let vcpu = vcpu.map_err(|_| Failure::WithUsage("Invalid argument.".into()))?;
    let trigger = match word {
        "nmi" => Trigger::Nmi,
        "reset" => Trigger::Reset,
        "init" => Trigger::Init,
        "power" => Trigger::Power,
        "sleep" => Trigger::Sleep,
        "s3resume" => Trigger::S3Resume,
        _ => return Err(Failure::WithUsage(format!("Invalid trigger: {word}"))),
    };
    let request = TriggerRequest { domain: DomainRef(name.into()), trigger, vcpu };
    context.connect()?.call::<DomainTrigger>(&request)?.map_err(|error| match error {
        TriggerError::Domain(error) => Failure::domain(name, "trigger", error),
        TriggerError::NoVcpu { vcpus: 0 } => Failure::Plain(format!("domain '{name}' has no vCPU")),
        TriggerError::NoVcpu { vcpus } => {
            Failure::Plain(format!("domain '{name}' has no vCPU {vcpu}; it has 0 to {}", vcpus - 1))
        }
        TriggerError::NoAcpi => Failure::Plain(format!(
            "domain '{name}' is a PVH guest: it has no ACPI buttons and no ACPI sleep, so '{word}' would do nothing; \
             {}",
            if trigger == Trigger::Power {
                "'xm shutdown' asks it to end"
            } else {
                "'xm pause' and 'xm unpause' stop it and let it go on"
            }
        )),
        TriggerError::Unknown(_) => Failure::Plain(format!(
            "Xen does not know the trigger '{word}' on x86; 'xm reset {name}' begins the domain anew"
        )),
    })?;
    said(context, name, "trigger")
}

/// Runs `xm sysrq`.
///
/// # Errors
/// No such domain, domain 0, not in its state, more than a letter, or a guest that does not take it.
pub fn sysrq(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let words = words(args);
    let (name, key) = (words[0], words[1]);
    let letter = match key.as_bytes() {
        &[letter] if letter.is_ascii_graphic() => letter,
        _ => {
            return Err(Failure::Plain(format!(
                "'{key}' is no system request: it takes one letter, such as h (help) or s (sync)"
            )));
        }
    };
    let patience_ms = TAKES.as_millis() as u32;
    let request = SysrqRequest { domain: DomainRef(name.into()), letter, patience_ms };
    context.connect()?.call::<DomainSysrq>(&request)?.map_err(|error| match error {
        SysrqError::Domain(error) => Failure::domain(name, "send a system request to", error),
        SysrqError::BadLetter => Failure::Plain(format!("'{key}' is no system request")),
        SysrqError::NotTaken(silence) => {
            Failure::Plain(not_taken(name, &format!("system request '{key}'"), TAKES, silence))
        }
        SysrqError::Occupied(silence) => {
            let before = not_taken(name, "system request before it", TAKES, silence);
            Failure::Plain(format!("system request '{key}' was not sent: {before}"))
        }
    })?;
    said(context, name, "sysrq")
}

/// Runs `xm domstate`.
///
/// # Errors
/// No such domain.
pub fn domstate(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let name = words(args)[0];
    let domain = find(&mut context.connect()?, name)?;
    let state = state(&domain);
    if context.json {
        context.out.json(&json!({
            "domain": domain.name,
            "state": state,
            "flags": flags(domain.state),
            "admin_paused": domain.is_admin_paused,
            "ending": domain.is_ending,
        }))?;
    } else if let Some(state) = state {
        context.out.line(state)?;
    }
    Ok(())
}

/// The state in a word. xm looked for each letter behind the first column only, so that one that runs without being blocked
/// has no word: scripts know that.
fn state(domain: &DomainInfo) -> Option<&'static str> {
    let words = [
        (DomainState::SHUTDOWN, "shutoff"),
        (DomainState::BLOCKED, "idle"),
        (DomainState::DYING, "shutdown"),
        (DomainState::CRASHED, "crashed"),
        (DomainState::PAUSED, if domain.is_admin_paused { "paused by admin" } else { "paused" }),
    ];
    words.into_iter().find(|(flag, _)| domain.state.contains(*flag)).map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_the_first_of_xms_words_that_fits() {
        let word = |state, is_admin_paused| {
            super::state(&DomainInfo {
                state,
                is_admin_paused,
                ..crate::xm::list::tests::domain("g", 1, state)
            })
        };
        for (flags, admin, expected) in [
            (DomainState::RUNNING, false, None),
            (DomainState::empty(), false, None),
            (DomainState::BLOCKED, false, Some("idle")),
            (DomainState::BLOCKED | DomainState::PAUSED, true, Some("idle")),
            (DomainState::PAUSED, false, Some("paused")),
            (DomainState::PAUSED, true, Some("paused by admin")),
            (DomainState::SHUTDOWN | DomainState::PAUSED, false, Some("shutoff")),
            (DomainState::CRASHED, false, Some("crashed")),
            (DomainState::DYING, false, Some("shutdown")),
        ] {
            assert_eq!(word(flags, admin), expected, "{flags:?}");
        }
    }
}
