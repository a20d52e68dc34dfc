//! `xm console`: a domain's console in this terminal.

use super::Context;
use super::failure::Failure;
use super::getopt::{Spec, parse};
use crate::attach::Console;
use crate::exit;

const SPEC: Spec = Spec { short: &[('q', false), ('n', true)], long: &[("quiet", false), ("num", true)] };

/// Runs the command.
///
/// # Errors
/// No such domain, or it does not run; with `-q` nothing is said about that.
pub fn run(context: &mut Context<'_>, args: &[String]) -> Result<(), Failure> {
    let parsed = parse(args, SPEC).map_err(Failure::WithUsage)?;
    let quiet = parsed.has(&["q", "quiet"]);
    if let Some(number) = parsed.value(&["n", "num"]) {
        // Only the first digit counts, as in xm; there is one console.
        match number.chars().next().and_then(|c| c.to_digit(10)) {
            Some(0) => {}
            Some(n) => {
                return Err(Failure::Plain(format!("there is no console {n}: domains have console 0 only")));
            }
            None => return Err(Failure::WithUsage("Invalid argument.".into())),
        }
    }
    let Some(name) = parsed.words.first() else {
        return Err(Failure::WithUsage("No domain given".into()));
    };
    let mut client = context.connect()?;
    match Console::open(&mut client, name, true)? {
        Ok(console) => console.interact(&mut client, context.out).map(drop).map_err(Failure::from),
        Err(_) if quiet => Err(Failure::Silent(exit::FAILED)),
        Err(error) => Err(Failure::domain(name, "attach to", error)),
    }
}
