//! `xm dmesg`: the hypervisor's console ring.

use proto::endpoints::HostDmesg;
use serde_json::json;

use super::Context;
use super::failure::Failure;
use super::getopt::{Spec, parse};

const SPEC: Spec = Spec { short: &[('c', false)], long: &[("clear", false)] };

/// Runs the command.
///
/// # Errors
/// A stray word, or Xen refuses.
pub fn run(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let parsed = parse(args, SPEC).map_err(Failure::WithUsage)?;
    if !parsed.words.is_empty() {
        return Err(Failure::WithUsage("No parameter required".into()));
    }
    let clear = parsed.has(&["c", "clear"]);
    let text = context.connect()?.call::<HostDmesg>(&clear)?.map_err(|error| Failure::xen(&error))?;
    if context.json {
        context.out.json(&json!({ "text": String::from_utf8_lossy(&text), "cleared": clear }))?;
    } else {
        context.out.foreign(&text)?;
    }
    Ok(())
}
