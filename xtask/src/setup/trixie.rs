//! Xen 4.20, from Debian's release trixie, into our own cache.
//!
//! The package is only downloaded and unpacked, so that nothing of that release gets into the system.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use qemu_tests::artifacts;

use super::private_apt::{MIRROR, PrivateApt, put};
use crate::sh;

const PACKAGE: &str = "xen-hypervisor-4.20-amd64";

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
    let apt = PrivateApt::new("deb", "trixie")?;
    apt.get(&["download", PACKAGE])?;
    let package = std::fs::read_dir(apt.directory())?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|kind| kind == "deb"))
        .context("apt-get download left no file")?;
    let root = apt.directory().join("root");
    sh::run(Command::new("dpkg").arg("-x").arg(&package).arg(&root))?;
    let found = root.join("boot/xen-4.20-amd64.gz");
    if !found.exists() {
        bail!("{PACKAGE} holds no /boot/xen-4.20-amd64.gz");
    }
    put(&found, place)
}
