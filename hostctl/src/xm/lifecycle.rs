//! `xm pause`, `unpause`, `destroy`: one domain, one call, no output.

use proto::Endpoint;
use proto::domain::DomainRef;
use proto::endpoints::{DomainDestroy, DomainPause, DomainUnpause};
use proto::error::DomainError;
use serde_json::json;

use super::Context;
use super::failure::Failure;

/// Runs `xm pause`.
///
/// # Errors
/// No such domain, domain 0, or not in its state.
pub fn pause(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    act::<DomainPause>(context, args, "pause")
}

/// Runs `xm unpause`.
///
/// # Errors
/// No such domain, domain 0, or not in its state.
pub fn unpause(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    act::<DomainUnpause>(context, args, "unpause")
}

/// Runs `xm destroy`.
///
/// # Errors
/// No such domain, or domain 0.
pub fn destroy(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    act::<DomainDestroy>(context, args, "destroy")
}

fn act<E>(context: &mut Context<'_>, args: &[String], verb: &str) -> Result<(), Failure>
where
    E: Endpoint<Request = DomainRef, Response = Result<(), DomainError>>,
{
    let name = args.iter().find(|arg| *arg != "--").cloned().unwrap_or_default();
    context
        .connect()?
        .call::<E>(&DomainRef(name.clone()))?
        .map_err(|error| Failure::domain(&name, verb, error))?;
    if context.json {
        context.out.json(&json!({ "domain": name, "done": verb }))?;
    }
    Ok(())
}
