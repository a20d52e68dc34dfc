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

/// The directory of what cannot be made again: `$XDG_STATE_HOME/nanodom`, else `~/.local/state/nanodom`.
pub fn state() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    set("XDG_STATE_HOME")
        .map(|dir| dir.join("nanodom"))
        .or_else(|| set("HOME").map(|dir| dir.join(".local/state/nanodom")))
        .unwrap_or_else(|| runtime().join("state"))
}

/// Makes a directory that only this user may enter, with its parents.
///
/// # Errors
/// It cannot be made, or it or [`runtime`] is there and belongs to somebody else, who could then read and answer in our
/// place: `/tmp` is everybody's.
pub fn make_private(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    check_own(dir)?;
    let runtime = runtime();
    if dir.starts_with(&runtime) { check_own(&runtime) } else { Ok(()) }
}

/// Says whether what is found in [`runtime`] may be believed: nobody else could have put it there.
pub fn is_runtime_own() -> bool {
    check_own(&runtime()).is_ok()
}

fn check_own(dir: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(dir)?;
    if !found.is_dir() || found.uid() != rustix::process::getuid().as_raw() {
        return Err(io::Error::other(format!(
            "{} is not a directory of this user; remove it, or set XDG_RUNTIME_DIR",
            dir.display()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_private_directory_is_made_with_its_parents_and_entered_by_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        make_private(&deep).unwrap();
        for made in [&deep, deep.parent().unwrap()] {
            assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);
        }
        make_private(&deep).unwrap();
    }

    #[test]
    fn what_somebody_else_could_have_put_there_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink(dir.path(), &link).unwrap();
        let error = make_private(&link).unwrap_err().to_string();
        assert!(error.contains("link is not a directory of this user"), "{error}");
        if rustix::process::getuid().is_root() {
            let foreign = dir.path().join("foreign");
            fs::create_dir(&foreign).unwrap();
            std::os::unix::fs::chown(&foreign, Some(65534), None).unwrap();
            assert!(make_private(&foreign).is_err());
        }
    }
}
