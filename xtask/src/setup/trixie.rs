//! Xen 4.20, from Debian's release trixie, into our own cache.
//!
//! apt runs on a configuration of its own in a temporary directory: own sources, lists and cache, the system's
//! keys. The package is only downloaded and unpacked, so that nothing of that release gets into the system.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use qemu_tests::artifacts;

use crate::sh;

const PACKAGE: &str = "xen-hypervisor-4.20-amd64";
const MIRROR: &str = "http://deb.debian.org/debian";
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Fetches Xen 4.20 unless it is there; returns what a person has to do where that did not work.
pub(super) fn ensure() -> Vec<String> {
    let Some(place) = artifacts::xen_4_20() else {
        return vec!["Xen 4.20: set NANODOM_CACHE or HOME, so that it has a place".to_owned()];
    };
    if place.exists() {
        return Vec::new();
    }
    match fetch(&place) {
        Ok(()) => Vec::new(),
        Err(why) => vec![format!(
            "Xen 4.20: take {PACKAGE} of Debian trixie from {MIRROR}/pool/main/x/xen/, unpack it (dpkg -x, or ar and \
             tar) and copy its boot/xen-4.20-amd64.gz to {}\n    ({why:#})",
            place.display()
        )],
    }
}

fn fetch(place: &Path) -> Result<()> {
    let directory = place.parent().context("the cache has a directory")?;
    std::fs::create_dir_all(directory).with_context(|| format!("{}", directory.display()))?;
    let work = Scratch::new()?;
    let apt = |words: &[&str]| -> Result<()> {
        let at = |name: &str| work.0.join(name).display().to_string();
        let mut command = Command::new("apt-get");
        command.current_dir(&work.0).arg("-q");
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
    };
    for directory in ["lists/partial", "cache/archives/partial"] {
        std::fs::create_dir_all(work.0.join(directory))?;
    }
    let source = format!("deb [arch=amd64 signed-by={KEYS}] {MIRROR} trixie main\n");
    std::fs::write(work.0.join("sources.list"), source)?;
    apt(&["update"])?;
    apt(&["download", PACKAGE])?;

    let package = std::fs::read_dir(&work.0)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|kind| kind == "deb"))
        .context("apt-get download left no file")?;
    sh::run(Command::new("dpkg").arg("-x").arg(&package).arg(work.0.join("root")))?;
    let found = work.0.join("root/boot/xen-4.20-amd64.gz");
    if !found.exists() {
        bail!("{PACKAGE} holds no /boot/xen-4.20-amd64.gz");
    }
    // Under its name only when it is complete: two setups may run at once.
    let partial = place.with_extension(format!("partial-{}", std::process::id()));
    std::fs::copy(&found, &partial).with_context(|| format!("{}", partial.display()))?;
    std::fs::rename(&partial, place).with_context(|| format!("{}", place.display()))
}

/// A temporary directory, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("nanodom-xen-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("{}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing is lost where that fails: it lies in the system's temporary directory.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
