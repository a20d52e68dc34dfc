//! Where hostctl keeps what it needs between two commands.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The directory of sockets, labs and logs: `$XDG_RUNTIME_DIR/nanodom`, else `/tmp/nanodom-UID`.
pub fn runtime() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(dir) if !dir.is_empty() => Path::new(&dir).join("nanodom"),
        _ => PathBuf::from(format!("/tmp/nanodom-{}", rustix::process::getuid().as_raw())),
    }
}

/// The directory of what can be made again: `$NANODOM_CACHE`, else `$XDG_CACHE_HOME/nanodom`, else `~/.cache/nanodom`.
pub fn cache() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    set("NANODOM_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("nanodom")))
        .or_else(|| set("HOME").map(|dir| dir.join(".cache/nanodom")))
        .unwrap_or_else(|| runtime().join("cache"))
}

/// Makes a directory that only this user may enter, with its parents.
///
/// # Errors
/// It cannot be made, or it is there and belongs to somebody else, who could then read and answer in our place.
pub fn make_private(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let found = fs::symlink_metadata(dir)?;
    if !found.is_dir() || found.uid() != rustix::process::getuid().as_raw() {
        return Err(io::Error::other(format!("{} is not a directory of this user", dir.display())));
    }
    Ok(())
}
