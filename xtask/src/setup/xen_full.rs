//! A Xen with the parts that Debian leaves out, built from Debian's own source package into our cache.
//!
//! Debian's Xen has the schedulers credit and credit2 and no security modules. This one has all schedulers, XSM with FLASK
//! and SILO, a separate hardware domain, and Argo. Without further words on its command line it behaves as Debian's: the
//! security modules are there and wait for `xsm=flask` or `xsm=silo`.
//!
//! Building takes a minute or two on two processors, once: what it was built from is noted beside it, and only a change of
//! that builds it again.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use qemu_tests::artifacts;

use super::private_apt::{MIRROR, PrivateApt, put};
use crate::sh;

/// The source package of Debian 12's main part. The security part's own is not served as source.
const VERSION: &str = "4.17.5+72-g01140da4e8-1";

/// What is set beyond Xen's defaults. `checkpolicy` compiles the policy that FLASK has from the start.
const OPTIONS: &str = "\
CONFIG_EXPERT=y
CONFIG_UNSUPPORTED=y
CONFIG_SCHED_CREDIT=y
CONFIG_SCHED_CREDIT2=y
CONFIG_SCHED_RTDS=y
CONFIG_SCHED_ARINC653=y
CONFIG_SCHED_NULL=y
CONFIG_XSM=y
CONFIG_XSM_FLASK=y
CONFIG_XSM_FLASK_AVC_STATS=y
CONFIG_XSM_FLASK_POLICY=y
CONFIG_XSM_SILO=y
CONFIG_XSM_DUMMY_DEFAULT=y
CONFIG_LATE_HWDOM=y
CONFIG_ARGO=y
";

/// The command itself.
///
/// # Errors
/// It could not be fetched or built.
pub(crate) fn run() -> Result<()> {
    super::ensure(super::Level::Test)?;
    let place = artifacts::xen_full().context("set NANODOM_CACHE or HOME, so that it has a place")?;
    ensure()?;
    println!("{}", place.display());
    Ok(())
}

/// Builds it unless it is there, from this source and with these options.
///
/// # Errors
/// It could not be fetched or built.
pub(crate) fn ensure() -> Result<()> {
    let place = artifacts::xen_full().context("set NANODOM_CACHE or HOME, so that Xen has a place")?;
    let note = place.with_extension("built-from");
    let wanted = format!("xen {VERSION}\n{OPTIONS}");
    if place.exists() && std::fs::read_to_string(&note).is_ok_and(|built| built == wanted) {
        return Ok(());
    }
    eprintln!("builds a Xen with all schedulers and security modules: a minute or two, once");
    build(&place).with_context(|| {
        format!(
            "Xen could not be built from Debian's source package xen {VERSION} ({MIRROR}/pool/main/x/xen/)"
        )
    })?;
    std::fs::write(&note, wanted).with_context(|| format!("{}", note.display()))
}

fn build(place: &Path) -> Result<()> {
    let apt = PrivateApt::new("deb-src", "bookworm")?;
    apt.get(&["source", &format!("xen={VERSION}")])?;
    let source = std::fs::read_dir(apt.directory())?
        .flatten()
        .map(|entry| entry.path().join("xen"))
        .find(|path| path.join("Makefile").exists())
        .context("the source package has no directory xen/")?;
    make(&source, &["defconfig"])?;
    let config = source.join(".config");
    let mut text = std::fs::read_to_string(&config).with_context(|| format!("{}", config.display()))?;
    // Of several values the last one counts.
    text.push_str(OPTIONS);
    std::fs::write(&config, text)?;
    make(&source, &["olddefconfig"])?;
    check(&config)?;
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    make(&source, &[&format!("-j{jobs}")])?;
    put(&source.join("xen.gz"), place)
}

/// An option whose conditions are not met is dropped in silence: say so instead.
fn check(config: &Path) -> Result<()> {
    let text = std::fs::read_to_string(config)?;
    let dropped: Vec<&str> =
        OPTIONS.lines().filter(|option| !text.lines().any(|line| line == *option)).collect();
    if !dropped.is_empty() {
        bail!("Xen's configuration does not take {}", dropped.join(", "));
    }
    Ok(())
}

fn make(source: &PathBuf, words: &[&str]) -> Result<()> {
    let mut command = Command::new("make");
    command.arg("--silent").arg("-C").arg(source).args(words);
    // Debian's Python, whatever else is on the path; and make's own jobs, not those of whoever called us.
    command.env("PYTHON", "/usr/bin/python3").env_remove("MAKEFLAGS").env_remove("CARGO_MAKEFLAGS");
    command.stdout(std::process::Stdio::null());
    eprintln!("$ {}", sh::shown(&command));
    let output = command.output().context("cannot run make")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = said.lines().collect();
        let end = lines[lines.len().saturating_sub(20)..].join("\n");
        bail!("{}: {}\n{end}", sh::shown(&command), output.status);
    }
    Ok(())
}
