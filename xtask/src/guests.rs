//! Builds the tiny guests of `qemu-tests/guests` with rustc alone.
//!
//! Not with cargo: the workspace's linker script and flags for the same target are the kernel's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::{paths, setup, sh};

/// Builds every guest into `made/guests`, where a source or this program is newer; returns that directory.
///
/// # Errors
/// A guest does not compile.
pub(crate) fn build(made: &Path) -> Result<PathBuf> {
    let sources = paths::root().join("qemu-tests/guests");
    let out = made.join("guests");
    std::fs::create_dir_all(&out).with_context(|| format!("{}", out.display()))?;
    // This program has the compiler's options.
    let own = std::env::current_exe().and_then(|exe| exe.metadata()).and_then(|data| data.modified())?;
    let newest = newest(&sources)?.max(own);
    let is_fresh =
        |made: &Path| made.metadata().and_then(|data| data.modified()).is_ok_and(|date| date > newest);

    let library = out.join("libpvh.rlib");
    if !is_fresh(&library) {
        let mut command = rustc(&sources);
        command.args(["--crate-type", "rlib", "--crate-name", "pvh", "pvh/lib.rs", "-o"]).arg(&library);
        sh::quiet(&mut command)?;
    }
    for entry in std::fs::read_dir(&sources)?.flatten() {
        let source = entry.path();
        let Some(name) = source.file_stem().and_then(|name| name.to_str()) else { continue };
        let guest = out.join(name);
        if source.extension().is_some_and(|kind| kind == "rs") && !is_fresh(&guest) {
            let mut command = rustc(&sources);
            command.args(["--crate-type", "bin", "--crate-name", &name.replace('-', "_")]).arg(&source);
            command.arg("--extern").arg(format!("pvh={}", library.display()));
            for argument in ["-Tguest.ld", "--no-pie", "--nmagic", "--build-id=none"] {
                command.arg(format!("-Clink-arg={argument}"));
            }
            command.args(["-C", "strip=symbols", "-o"]).arg(&guest);
            sh::quiet(&mut command)?;
        }
    }
    Ok(out)
}

fn rustc(sources: &Path) -> Command {
    let mut command = Command::new("rustc");
    command.current_dir(sources).args(["--edition", "2024", "--target", setup::TARGET]);
    for option in ["panic=abort", "opt-level=s", "relocation-model=static", "code-model=small"] {
        command.args(["-C", option]);
    }
    command
}

/// When anything in the guests' directory was last changed.
fn newest(directory: &Path) -> Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in std::fs::read_dir(directory).with_context(|| format!("{}", directory.display()))?.flatten() {
        let date = match entry.metadata()? {
            data if data.is_dir() => self::newest(&entry.path())?,
            data => data.modified()?,
        };
        newest = newest.max(date);
    }
    Ok(newest)
}
