//! Every command that xm ever had: how many words it takes, how it is used, what it does, and whether it is here.
//!
//! The table is the one source for lookup, word counts, help and usage; a release that adds a command changes
//! its row from `None` to the function. The rows lie in files by what they are about.

mod alone;
mod device;
mod domain;
mod errors;
mod find;
mod host;
mod notes;
mod pool;
mod security;

pub use errors::{GENERAL, Refusal};
pub use find::{COMMON, Found, HELP_ABOUT, by_name, find};

use crate::xm::Context;
use crate::xm::failure::Failure;

/// How many words a command takes after its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// The command looks itself.
    Any,
    /// This many.
    Exactly(usize),
    /// From so many to so many.
    Between(usize, usize),
}

/// Runs a command on its words.
pub type Run = fn(&mut Context<'_>, &[String]) -> Result<(), Failure>;

/// A command's row.
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// What follows the name in the usage.
    pub synopsis: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// Its options, as usage shows them.
    pub options: &'static [(&'static str, &'static str)],
    /// How many words it takes.
    pub words: Words,
    /// The command itself, where this release has it.
    pub run: Option<Run>,
}

/// A command that is not in this release.
const fn absent(name: &'static str, synopsis: &'static str, about: &'static str) -> Command {
    Command { name, synopsis, about, options: &[], words: Words::Any, run: None }
}

const fn simple(
    name: &'static str,
    synopsis: &'static str,
    about: &'static str,
    words: Words,
    run: Run,
) -> Command {
    Command { name, synopsis, about, options: &[], words, run: Some(run) }
}

const JSON: (&str, &str) = ("--json", "Print JSON, for programs.");

/// The rows, in the order of the long help.
static TABLE: [&[Command]; 6] =
    [domain::ROWS, host::ROWS, device::ROWS, security::ROWS, pool::ROWS, alone::ROWS];

/// All commands, in the order of the long help.
pub fn commands() -> impl Iterator<Item = &'static Command> {
    TABLE.into_iter().flatten()
}
