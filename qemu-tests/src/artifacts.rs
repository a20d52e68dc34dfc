//! Where the parts of a machine are: our own programs, Debian's Xens, Linux and busybox.
//!
//! `cargo xtask` builds and installs them, and names our own in the environment. A part that is missing is an
//! error that says what to do, never a skipped test.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Names the `hostctl` to use.
pub const HOSTCTL: &str = "NANODOM_HOSTCTL";
/// Names the kernel to use; `hostctl lab` reads it too.
pub const KERNEL: &str = "NANODOM_KERNEL";
/// Names the directory of the tiny guests.
pub const GUESTS: &str = "NANODOM_GUESTS";
/// Names the ramdisk of the Linux guests.
pub const RAMDISK: &str = "NANODOM_RAMDISK";

/// Debian's own Xen 4.17, installed.
pub const XEN_4_17: &str = "/boot/xen-4.17-amd64.gz";
/// QEMU, installed.
pub const QEMU: &str = "/usr/bin/qemu-system-x86_64";
/// Debian's static busybox, installed.
pub const BUSYBOX: &str = "/bin/busybox";

/// A part that `cargo xtask` names in the environment.
///
/// # Errors
/// The variable is not set, or names nothing.
pub fn named(variable: &str) -> Result<PathBuf> {
    let path = std::env::var_os(variable)
        .with_context(|| format!("{variable} is not set: run the tests as `cargo xtask test`"))?;
    existing(Path::new(&path), "cargo xtask build")
}

/// One of the tiny guests.
///
/// # Errors
/// It was not built.
pub fn guest(name: &str) -> Result<PathBuf> {
    existing(&named(GUESTS)?.join(name), "cargo xtask build")
}

/// The newest of Debian's kernels that is installed.
///
/// # Errors
/// There is none.
pub fn vmlinuz() -> Result<PathBuf> {
    let release = linux_release()?;
    existing(&Path::new("/boot").join(format!("vmlinuz-{release}")), "apt-get install linux-image-amd64")
}

/// The release of the newest of Debian's kernels whose modules are installed, as `6.1.0-56-amd64`.
///
/// # Errors
/// There is none.
pub fn linux_release() -> Result<String> {
    let mut releases: Vec<String> = std::fs::read_dir("/lib/modules")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|release| Path::new(&format!("/boot/vmlinuz-{release}")).exists())
        .collect();
    releases.sort_by_key(|release| numbers(release));
    releases.pop().context("no Linux kernel is installed: apt-get install linux-image-amd64")
}

/// The numbers in a version, for sorting: 6.1.0-9 is older than 6.1.0-56.
fn numbers(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

/// What outlives a clean build: `$NANODOM_CACHE`, else `nanodom` in the user's cache directory.
pub fn cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("NANODOM_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("nanodom")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/nanodom")))
}

/// Xen 4.20 of Debian trixie, where `cargo xtask setup` puts it.
pub fn xen_4_20() -> Option<PathBuf> {
    cache().map(|cache| cache.join("xen/xen-4.20-amd64.gz"))
}

/// The Xen with all schedulers and security modules, where `cargo xtask xen-full` puts it.
pub fn xen_full() -> Option<PathBuf> {
    cache().map(|cache| cache.join("xen/xen-full-amd64.gz"))
}

/// Checks what every machine needs from Debian.
///
/// # Errors
/// Something is missing; says which package has it.
pub fn check_installed() -> Result<()> {
    for (path, package) in [(QEMU, "qemu-system-x86"), (XEN_4_17, "xen-hypervisor-4.17-amd64")] {
        existing(Path::new(path), &format!("apt-get install {package}"))?;
    }
    Ok(())
}

fn existing(path: &Path, remedy: &str) -> Result<PathBuf> {
    if !path.exists() {
        bail!("{} is missing: run `cargo xtask setup`, or `{remedy}`", path.display());
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_number_is_newer_whatever_its_length() {
        assert!(numbers("6.1.0-9-amd64") < numbers("6.1.0-56-amd64"));
    }

    #[test]
    fn a_missing_part_names_its_remedy() {
        let error = existing(Path::new("/nonexistent/x"), "apt-get install x").unwrap_err().to_string();
        assert!(error.contains("apt-get install x"), "{error}");
    }
}
