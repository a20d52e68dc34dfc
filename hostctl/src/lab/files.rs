//! The files that a lab is started from: hypervisor and kernel, found where setup and builds put them.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};

use super::qemu;
use crate::dirs;

/// Finds QEMU.
///
/// # Errors
/// It is not installed; the text says what to install.
pub fn check_qemu() -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|dir| dir.join(qemu::PROGRAM).is_file()) {
        return Ok(());
    }
    bail!(
        "{} is not installed (Debian: apt install qemu-system-x86; or run 'cargo xtask setup')",
        qemu::PROGRAM
    )
}

/// The hypervisor's plain ELF for `4.17`, `4.20`, `full` or a file; a compressed one is unpacked into the cache.
///
/// # Errors
/// It is not there, or is no hypervisor; the text says what to install.
pub fn hypervisor(which: &str) -> Result<PathBuf> {
    let source = match which {
        "4.17" => first_of(
            &[PathBuf::from("/boot/xen-4.17-amd64.gz"), cached("xen-4.17-amd64.gz")],
            "Xen 4.17 is not installed (Debian 12: apt install xen-hypervisor-4.17-amd64; or run 'cargo xtask setup')",
        )?,
        "4.20" => first_of(
            &[cached("xen-4.20-amd64.gz"), PathBuf::from("/boot/xen-4.20-amd64.gz")],
            "Xen 4.20 is not there ('cargo xtask setup' fetches it from Debian 13 into the cache)",
        )?,
        "full" => first_of(
            &[cached("xen-full-amd64.gz")],
            "the Xen with all schedulers and security modules is not built ('cargo xtask xen-full' builds it, in a \
             minute or two, from Debian's source package)",
        )?,
        file => {
            let path = PathBuf::from(file);
            if !path.is_file() {
                bail!("there is no hypervisor '{file}': --xen takes 4.17, 4.20, full or a file");
            }
            path
        }
    };
    unpacked(&source).with_context(|| format!("cannot use the hypervisor {}", source.display()))
}

fn cached(name: &str) -> PathBuf {
    dirs::cache().join("xen").join(name)
}

fn first_of(places: &[PathBuf], otherwise: &str) -> Result<PathBuf> {
    match places.iter().find(|place| place.is_file()) {
        Some(place) => Ok(place.clone()),
        None => {
            let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
            bail!("{otherwise}; looked for {}", places.join(" and "))
        }
    }
}

/// QEMU takes no gzip: a compressed file is unpacked once, under a name that changes with the file.
fn unpacked(source: &Path) -> Result<PathBuf> {
    let mut magic = [0; 4];
    fs::File::open(source)?.read_exact(&mut magic).context("it is too short")?;
    match magic {
        [0x7f, b'E', b'L', b'F'] => return Ok(std::path::absolute(source)?),
        [0x1f, 0x8b, ..] => {}
        _ => bail!("it is neither ELF nor gzip"),
    }
    let meta = fs::metadata(source)?;
    let changed = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let stem = source.file_stem().unwrap_or_default().to_string_lossy();
    let target = cached(&format!("{stem}-{:x}-{changed:x}", meta.len()));
    if target.is_file() {
        return Ok(target);
    }
    fs::create_dir_all(cached(""))?;
    // Two at once each write their own and rename it into place.
    let partial = target.with_extension(format!("{}.part", std::process::id()));
    let output = fs::File::create(&partial)?;
    let status = Command::new("gzip").arg("-dc").arg(source).stdin(Stdio::null()).stdout(output).status();
    match status {
        Ok(status) if status.success() => fs::rename(&partial, &target)?,
        Ok(_) | Err(_) => {
            let _ = fs::remove_file(&partial);
            bail!("gzip could not unpack it");
        }
    }
    Ok(target)
}

/// The control domain's kernel: the one given, else the first of the usual places.
///
/// # Errors
/// There is none; the text lists the places.
pub fn kernel(given: Option<&Path>) -> Result<PathBuf> {
    let found = match given {
        Some(path) if path.is_file() => path.to_owned(),
        Some(path) => bail!("there is no kernel {}", path.display()),
        None => {
            let places = kernel_places();
            let list: Vec<String> = places.iter().map(|place| format!("  {}", place.display())).collect();
            places.into_iter().find(|place| place.is_file()).with_context(|| {
                format!(
                    "the control domain's kernel is in none of these places:\n{}\nbuild it with 'cargo xtask build', \
                     or name it with --kernel or NANODOM_KERNEL",
                    list.join("\n")
                )
            })?
        }
    };
    let mut magic = [0; 4];
    let is_elf = fs::File::open(&found).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
        && magic == *b"\x7fELF";
    if !is_elf {
        bail!("the kernel {} is not an ELF file", found.display());
    }
    Ok(std::path::absolute(found)?)
}

/// `NANODOM_KERNEL`; beside hostctl; in the target directory that hostctl was built in.
fn kernel_places() -> Vec<PathBuf> {
    if let Some(path) = std::env::var_os("NANODOM_KERNEL").filter(|path| !path.is_empty()) {
        return vec![path.into()];
    }
    let mut places = Vec::new();
    if let Some(dir) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
        places.push(dir.join("nanodom-kernel"));
        if let Some(target) = dir.parent() {
            places.push(target.join("x86_64-unknown-none/kernel/kernel"));
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hypervisor_that_is_not_there_is_refused_with_what_works() {
        let error = hypervisor("/nowhere/xen").unwrap_err().to_string();
        assert!(error.contains("/nowhere/xen") && error.contains("4.17, 4.20, full or a file"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_hypervisor_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("xen");
        fs::write(&path, "hello world").unwrap();
        let error = format!("{:#}", hypervisor(path.to_str().unwrap()).unwrap_err());
        assert!(error.ends_with("it is neither ELF nor gzip"), "{error}");
        fs::write(&path, b"\x7fELF rest").unwrap();
        assert_eq!(hypervisor(path.to_str().unwrap()).unwrap(), path);
    }

    #[test]
    fn a_kernel_that_is_not_elf_is_refused_before_anything_starts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kernel");
        assert!(kernel(Some(&path)).unwrap_err().to_string().contains("there is no kernel"));
        fs::write(&path, "MZ").unwrap();
        assert!(kernel(Some(&path)).unwrap_err().to_string().contains("not an ELF file"));
    }
}
