//! apt-get on a configuration of its own: own source, lists and cache in a temporary directory, the system's keys.
//!
//! So packages of another release, and sources, are fetched and checked as apt does it, while nothing of them gets into the
//! system.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use crate::sh;

/// Where Debian's packages are.
pub(super) const MIRROR: &str = "http://deb.debian.org/debian";
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A temporary directory with apt's things in it, removed when dropped.
pub(super) struct PrivateApt {
    directory: PathBuf,
}

impl PrivateApt {
    /// Prepares a directory and fetches the lists of `kind` (`deb`, `deb-src`) of a release's main part.
    ///
    /// # Errors
    /// There is no room or no network.
    pub(super) fn new(kind: &str, release: &str) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("nanodom-apt-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).with_context(|| format!("{}", directory.display()))?;
        let apt = Self { directory };
        for directory in ["lists/partial", "cache/archives/partial"] {
            std::fs::create_dir_all(apt.directory.join(directory))?;
        }
        let source = format!("{kind} [arch=amd64 signed-by={KEYS}] {MIRROR} {release} main\n");
        std::fs::write(apt.directory.join("sources.list"), source)?;
        apt.get(&["update"])?;
        Ok(apt)
    }

    /// The directory; apt-get runs in it and leaves there what it fetches.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Runs apt-get with these words.
    ///
    /// # Errors
    /// It did not succeed.
    pub(super) fn get(&self, words: &[&str]) -> Result<()> {
        let at = |name: &str| self.directory.join(name).display().to_string();
        let mut command = Command::new("apt-get");
        command.current_dir(&self.directory).arg("-q");
        for option in [
            format!("Dir::Etc::sourcelist={}", at("sources.list")),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            "Dir::Etc::preferences=/dev/null".to_owned(),
            "Dir::Etc::preferencesparts=/dev/null".to_owned(),
            format!("Dir::State::lists={}", at("lists")),
            format!("Dir::Cache={}", at("cache")),
            // Only the package's own list is wanted, and we do the unpacking as whoever we are.
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            "APT::Architecture=amd64".to_owned(),
            "APT::Sandbox::User=".to_owned(),
        ] {
            command.arg("-o").arg(option);
        }
        sh::run(command.args(words))
    }
}

impl Drop for PrivateApt {
    fn drop(&mut self) {
        // Nothing is lost where that fails: it lies in the system's temporary directory.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Copies a file to its place, under its name only when it is complete: two setups may run at once.
///
/// # Errors
/// The directory cannot be made, or the file not be copied.
pub(super) fn put(from: &Path, place: &Path) -> Result<()> {
    let directory = place.parent().context("the cache has a directory")?;
    std::fs::create_dir_all(directory).with_context(|| format!("{}", directory.display()))?;
    let partial = place.with_extension(format!("partial-{}", std::process::id()));
    std::fs::copy(from, &partial).with_context(|| format!("{}", partial.display()))?;
    std::fs::rename(&partial, place).with_context(|| format!("{}", place.display()))
}
