//! `xm domid` and `xm domname`; both take either.

use proto::domain::{DomainInfo, DomainRef};
use proto::endpoints::DomainFind;
use serde_json::json;

use super::Context;
use super::failure::Failure;
use crate::client::Client;

/// Runs `xm domid`.
///
/// # Errors
/// No such domain.
pub fn domid(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let domain = find_one(context, args)?;
    print(context, &domain, domain.domid.to_string())
}

/// Runs `xm domname`.
///
/// # Errors
/// No such domain.
pub fn domname(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let domain = find_one(context, args)?;
    print(context, &domain, domain.name.clone())
}

fn print(context: &mut Context<'_>, domain: &DomainInfo, text: String) -> Result<(), Failure> {
    if context.json {
        context.out.json(&json!({ "domid": domain.domid, "name": domain.name }))?;
    } else {
        context.out.line(&text)?;
    }
    Ok(())
}

fn find_one(context: &mut Context<'_>, args: &[String]) -> Result<DomainInfo, Failure> {
    let name = args.iter().find(|arg| *arg != "--").cloned().unwrap_or_default();
    find(&mut context.connect()?, &name)
}

/// The domain that a word names.
///
/// # Errors
/// There is none.
pub fn find(client: &mut Client, name: &str) -> Result<DomainInfo, Failure> {
    client
        .call::<DomainFind>(&DomainRef(name.into()))?
        .map_err(|error| Failure::domain(name, "look up", error))
}
