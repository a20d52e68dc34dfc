//! `cargo xtask setup`: what is missing is installed, or named exactly.
//!
//! Every other command calls [`ensure`] with what it needs. When nothing is missing that costs a few `stat`s and one
//! start of `rustc`. Nothing is ever removed, and Debian's next release, which has Xen 4.20, is never mixed into
//! the system: its one package is unpacked into our own cache. There, too, is a Xen with the parts that Debian leaves out
//! ([`xen_full`]).

mod apt;
mod packages;
mod private_apt;
mod toolchain;
mod trixie;
pub(crate) mod xen_full;

pub(crate) use toolchain::TARGET;

use anyhow::{Result, bail};

/// What a command needs. Each level includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    /// Compiling everything.
    Build,
    /// Running a lab on Xen 4.17 with Linux guests.
    Lab,
    /// Running the tests: Xen 4.20 besides, Debian's xenstoreds and xenstore clients, what building a Xen takes.
    Test,
    /// The peer of the benchmark, Debian's Linux domain 0 with xl, and what fuzzing takes.
    All,
}

/// Installs what `level` needs and is missing.
///
/// # Errors
/// Something could not be installed; everything that is still missing was printed, with what to do.
pub(crate) fn ensure(level: Level) -> Result<()> {
    let mut remedies = Vec::new();
    remedies.extend(toolchain::ensure(level));
    remedies.extend(packages::ensure(level));
    if level >= Level::Test {
        remedies.extend(trixie::ensure());
    }
    if remedies.is_empty() {
        return Ok(());
    }
    eprintln!("\nMissing, and not installed by this command:");
    for remedy in &remedies {
        eprintln!("  {remedy}");
    }
    bail!("{} thing(s) missing, as listed above", remedies.len());
}

/// The command itself: everything.
///
/// # Errors
/// As [`ensure`].
pub(crate) fn run() -> Result<()> {
    ensure(Level::All)?;
    xen_full::ensure()?;
    println!("setup: nothing is missing");
    Ok(())
}
