//! `xm dmesg`: the hypervisor's console ring.

use proto::endpoints::HostDmesg;
use proto::host::ConsoleRead;
use serde_json::json;

use super::Context;
use super::failure::Failure;
use super::getopt::{Spec, parse};
use crate::client::Client;
use crate::log_lines::{LogLines, Text};

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
    let mut client = context.connect()?;
    if context.json {
        let mut text = Vec::new();
        let lost = read(&mut client, clear, |part| {
            text.extend_from_slice(part);
            Ok(())
        })?;
        let text = String::from_utf8_lossy(&text);
        context.out.json(&json!({ "text": text, "cleared": clear, "lost": lost }))?;
        return Ok(());
    }
    let mut lines = LogLines::new(Text::Safe);
    let lost = read(&mut client, clear, |part| Ok(lines.write(part, context.out)?))?;
    lines.end(context.out)?;
    if lost > 0 {
        context.out.complain(&format!("Xen overwrote {lost} bytes of its ring while it was read"));
    }
    Ok(())
}

/// Hands on the ring's parts, oldest first; returns how many bytes Xen overwrote meanwhile.
///
/// The ring is cleared when all of it has arrived, and no further than it has: with a last question that both reads what came
/// since and clears up to there.
fn read(
    client: &mut Client,
    clear: bool,
    mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let mut lost = 0;
    let mut request = ConsoleRead { from: None, clear: false };
    loop {
        let part = client.call::<HostDmesg>(&request)?.map_err(|error| Failure::xen(&error))?;
        take(&part.text)?;
        lost += u64::from(part.lost);
        if part.is_last && request.clear == clear {
            return Ok(lost);
        }
        request = ConsoleRead { from: Some(part.next), clear: clear && part.is_last };
    }
}
