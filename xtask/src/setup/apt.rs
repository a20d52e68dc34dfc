//! Installs Debian packages.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::sh;

/// The release whose packages the project is made for.
const CODENAME: &str = "bookworm";

/// Installs packages, with fresh lists.
///
/// # Errors
/// Not Debian 12, not root, or apt-get failed.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    if release().as_deref() != Some(CODENAME) {
        bail!("not done by itself: this is not Debian 12 ({CODENAME})");
    }
    if !rustix::process::geteuid().is_root() {
        bail!("not done by itself: not root");
    }
    sh::run(Command::new("apt-get").args(["update", "-q"]))
        .context("the package lists could not be fetched")?;
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    // A machine that has just come up may be updating itself: wait for its lock, in seconds.
    command.args(["install", "-o", "DPkg::Lock::Timeout=300"]);
    command.args(["-q", "-y", "--no-install-recommends", "--no-remove"]).args(packages);
    if packages.contains(&"qemu-system-x86") && has_foreign_qemu_utils() {
        eprintln!(
            "qemu-utils is not {CODENAME}'s, and breaks {CODENAME}'s QEMU: it goes back to {CODENAME}'s version"
        );
        command.args(["--allow-downgrades", &format!("qemu-utils/{CODENAME}")]);
    }
    sh::run(&mut command)
}

/// This system's Debian release, by its name.
fn release() -> Option<String> {
    let text = std::fs::read_to_string("/etc/os-release").ok()?;
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(|value| value.trim_matches('"'))
    };
    (value("ID") == Some("debian")).then(|| value("VERSION_CODENAME").unwrap_or_default().to_owned())
}

/// QEMU's tools from backports cannot be installed beside the release's own QEMU; apt would remove them.
fn has_foreign_qemu_utils() -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat", "${Version}", "qemu-utils"]);
    // Debian 12 has 1:7.2; whatever comes from elsewhere is newer.
    sh::output(&mut query).is_ok_and(|version| !version.is_empty() && !version.contains("7.2+dfsg"))
}
