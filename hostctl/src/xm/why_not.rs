//! Commands of xm that nothing here stands for, each with its reason.

use super::Context;
use super::failure::Failure;
use super::getopt::{Spec, parse};
use super::names::find;

const VNC: Spec = Spec { short: &[], long: &[("autopass", false), ("vncviewer-autopass", false)] };

/// Runs `xm vncviewer`: no guest here has a screen.
///
/// # Errors
/// Always.
pub fn vncviewer(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let parsed = parse(args, VNC).map_err(Failure::WithUsage)?;
    let [name] = &parsed.words[..] else {
        return Err(Failure::WithUsage("No domain given (or several parameters specified)".into()));
    };
    let domain = find(&mut context.connect()?, name)?;
    Err(Failure::Plain(format!(
        "domain '{}' has no VNC server: guests here are PVH and have no screen, and nobody draws one for them; use \
         'xm console {name}'",
        domain.name
    )))
}

/// Runs `xm serve`: it passed on what was said to xend's socket.
///
/// # Errors
/// Always.
pub fn serve(_: &mut Context<'_>, _: &[String]) -> Result<(), Failure> {
    Err(Failure::Plain(
        "there is no xend whose XML-RPC socket could be passed on; run hostctl where the line is (ssh HOST hostctl xm ...), \
         or name the line with --connect"
            .into(),
    ))
}

/// Runs `xm event-monitor`, which xm too had for another server only. As there, the exit code says nothing of it.
///
/// # Errors
/// None.
pub fn event_monitor(context: &mut Context<'_>, _: &[String]) -> Result<(), Failure> {
    context.out.complain("Error: Event monitoring not supported unless using Xen-API.");
    Ok(())
}

/// Runs `xm network-new`, `network-del` and `network-show`, which xm too had for another server only.
///
/// # Errors
/// Always.
pub fn xen_api(_: &mut Context<'_>, _: &[String]) -> Result<(), Failure> {
    Err(Failure::Plain("This function is only supported by Xen-API".into()))
}

/// Runs `xm cpupool-new`, `cpupool-start` and `cpupool-delete`: a pool that is known while it does not exist has to be written down
/// somewhere.
///
/// # Errors
/// Always.
pub fn managed_pool(_: &mut Context<'_>, _: &[String]) -> Result<(), Failure> {
    Err(Failure::Plain(
        "pools are not kept beyond the machine's life, so there is none that could be defined, started or deleted; \
         'xm cpupool-create' makes one at once, and 'xm cpupool-destroy' ends it"
            .into(),
    ))
}
