//! `hostctl lab run`: one command for a unikernel's continuous integration.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Result, ensure};
use libtest_mimic::{Arguments, Trial};
use qemu_tests::artifacts;
use qemu_tests::machine::PATIENCE;
use qemu_tests::process::{self, Done};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let trials = [
        (
            "a guest that powers off is status 0, and its words are on stdout",
            powers_off as fn() -> Result<()>,
        ),
        ("a guest that crashes is status 3", crashes),
        ("a guest that does not end is status 4", does_not_end),
        ("a configuration that cannot be read is an error before any machine starts", no_configuration),
    ];
    let trials = trials
        .map(|(name, check)| Trial::test(name, move || check().map_err(|error| format!("{error:#}").into())));
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}

/// Runs a configuration in a runtime directory of its own, of which nothing may be left.
fn lab_run(guest: &str, options: &[&str]) -> Result<Done> {
    artifacts::check_installed()?;
    let directory = std::env::temp_dir().join(format!("nanodom-r{}-{guest}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let config = directory.join("guest.cfg");
    if guest != "missing" {
        let kernel = artifacts::guest(guest)?;
        let text = format!("name = \"{guest}\"\nkernel = \"{}\"\nmemory = 4\n", kernel.display());
        std::fs::write(&config, text)?;
    }
    let mut command = Command::new(artifacts::named(artifacts::HOSTCTL)?);
    command.args(["lab", "run"]).args(options).arg(&config).env("XDG_RUNTIME_DIR", &directory);
    let done = process::run(&mut command, PATIENCE);
    let left = left_labs(&directory);
    std::fs::remove_dir_all(&directory)?;
    let done = done?;
    ensure!(left.is_empty(), "{done:#}\nleft: {left:?}");
    Ok(done)
}

fn left_labs(runtime: &std::path::Path) -> Vec<PathBuf> {
    let labs = std::fs::read_dir(runtime.join("nanodom/labs")).into_iter().flatten().flatten();
    labs.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn powers_off() -> Result<()> {
    let done = lab_run("hello", &[])?.with_code(0)?;
    ensure!(done.stdout.contains("hello from a guest"), "{done:#}");
    Ok(())
}

fn crashes() -> Result<()> {
    let done = lab_run("crash", &[])?.with_code(3)?;
    ensure!(done.stdout.contains("about to crash"), "{done:#}");
    Ok(())
}

fn does_not_end() -> Result<()> {
    lab_run("idle", &["--timeout", "6"])?.with_code(4).map(drop)
}

fn no_configuration() -> Result<()> {
    let done = lab_run("missing", &[])?;
    ensure!(done.code == Some(1) && done.stderr.contains("guest.cfg"), "{done:#}");
    Ok(())
}
