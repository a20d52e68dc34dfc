//! Where things are.

use std::path::PathBuf;

use anyhow::{Context, Result};

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// Cargo's target directory: this program is `TARGET/debug/xtask`.
pub(crate) fn target() -> Result<PathBuf> {
    let exe = std::env::current_exe().context("where is this program?")?;
    Ok(exe.ancestors().nth(2).context("this program is not in a target directory")?.to_owned())
}

/// What xtask makes itself: guests, ramdisks, the peer's parts.
pub(crate) fn made() -> Result<PathBuf> {
    let directory = target()?.join("nanodom");
    std::fs::create_dir_all(&directory).with_context(|| format!("{}", directory.display()))?;
    Ok(directory)
}
