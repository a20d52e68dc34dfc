//! `xm debug-keys`: presses the hypervisor's debug keys.

use proto::endpoints::HostDebugKeys;
use serde_json::json;

use super::Context;
use super::failure::Failure;

/// Runs the command. What the keys print comes on Xen's console: `xm dmesg` shows it.
///
/// # Errors
/// Xen refuses.
pub fn run(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let keys = args.iter().find(|arg| *arg != "--").cloned().unwrap_or_default();
    context.connect()?.call::<HostDebugKeys>(&keys)?.map_err(|error| Failure::xen(&error))?;
    if context.json {
        context.out.json(&json!({ "keys": keys }))?;
    }
    Ok(())
}
