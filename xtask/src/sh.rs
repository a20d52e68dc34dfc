//! Runs other programs, and says which.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
pub(crate) use qemu_tests::process::shown;

/// Prints a command and runs it on our own terminal.
///
/// # Errors
/// It could not be started, or did not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", shown(command));
    quiet(command)
}

/// Runs a command on our own terminal without naming it first.
///
/// # Errors
/// It could not be started, or did not succeed.
pub(crate) fn quiet(command: &mut Command) -> Result<()> {
    let status =
        command.stdin(Stdio::null()).status().with_context(|| format!("cannot run {}", shown(command)))?;
    if !status.success() {
        bail!("{}: {status}", shown(command));
    }
    Ok(())
}

/// Runs a command and returns what it printed.
///
/// # Errors
/// It could not be started, or did not succeed; its diagnosis is part of the error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {}", shown(command)))?;
    if !output.status.success() {
        bail!("{}: {}: {}", shown(command), output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Says whether a command ran and succeeded; it prints nothing.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Cargo, as it was called for us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(crate::paths::root());
    // What `cargo run` sets for xtask itself is not meant for the next cargo.
    for (name, _) in std::env::vars_os() {
        let is_ours = |name: &str| {
            name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" || name == "CARGO_MANIFEST_PATH"
        };
        if name.to_str().is_some_and(is_ours) {
            command.env_remove(name);
        }
    }
    command
}
