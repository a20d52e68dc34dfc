//! Builds everything that a machine takes, and checks the kernel that was linked.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use qemu_tests::{artifacts, ramdisk as guest_ramdisk};

use crate::setup::{self, Level};
use crate::{elf, guests as tiny, paths, sh};

/// The kernel's stripped image is at most this large, in bytes.
const KERNEL_LIMIT: u64 = 1 << 20;

/// What was built.
pub(crate) struct Built {
    /// The kernel, with symbols.
    pub(crate) kernel: PathBuf,
    /// The kernel's size without symbols, in bytes.
    pub(crate) kernel_size: u64,
    /// The host tool.
    pub(crate) hostctl: PathBuf,
    /// What runs in its domains.
    pub(crate) guests: Guests,
}

impl Built {
    /// Names the parts in a command's environment, as [`artifacts`] expects them.
    pub(crate) fn tell<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env(artifacts::HOSTCTL, &self.hostctl)
            .env(artifacts::KERNEL, &self.kernel)
            .env(artifacts::GUESTS, &self.guests.tiny)
            .env(artifacts::RAMDISK, &self.guests.ramdisk)
    }
}

/// The command itself.
///
/// # Errors
/// As [`all`].
pub(crate) fn run() -> Result<()> {
    setup::ensure(Level::Lab)?;
    let built = all(HostProfile::Release)?;
    println!("kernel   {} ({} bytes without symbols)", built.kernel.display(), built.kernel_size);
    println!("hostctl  {}", built.hostctl.display());
    println!("guests   {}", built.guests.tiny.display());
    println!("ramdisk  {}", built.guests.ramdisk.display());
    Ok(())
}

/// How the host tool is built. The kernel has one profile only.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HostProfile {
    /// As the host tests are, so that nothing is compiled twice: for tests and the demo.
    Dev,
    /// As it is measured and used.
    Release,
}

/// Builds and checks everything.
///
/// # Errors
/// Something does not compile, or the kernel is too large or has an instruction that it may not use.
pub(crate) fn all(host: HostProfile) -> Result<Built> {
    let target = paths::target()?;
    let mut cargo = sh::cargo();
    sh::run(cargo.args([
        "build",
        "--quiet",
        "-p",
        "kernel",
        "--target",
        setup::TARGET,
        "--profile",
        "kernel",
    ]))?;
    let kernel = target.join(setup::TARGET).join("kernel/kernel");
    let kernel_size = check_kernel(&kernel)?;
    let (profile, directory) = match host {
        HostProfile::Dev => ("dev", "debug"),
        HostProfile::Release => ("release", "release"),
    };
    sh::run(sh::cargo().args(["build", "--quiet", "--profile", profile, "-p", "hostctl"]))?;
    Ok(Built { kernel, kernel_size, hostctl: target.join(directory).join("hostctl"), guests: guests()? })
}

/// What runs in domains, ours or the peer's.
pub(crate) struct Guests {
    /// The directory of the tiny guests.
    pub(crate) tiny: PathBuf,
    /// The Linux guests' ramdisk.
    pub(crate) ramdisk: PathBuf,
}

/// Builds only what runs in domains.
///
/// # Errors
/// A guest does not compile, or there is no static busybox.
pub(crate) fn guests() -> Result<Guests> {
    let made = paths::made()?;
    let tiny = tiny::build(&made)?;
    let ramdisk = made.join("ramdisk.cpio");
    write_if_new(&ramdisk, &guest_ramdisk::build(Path::new(artifacts::BUSYBOX))?)?;
    Ok(Guests { tiny, ramdisk })
}

/// Returns the kernel's size without symbols.
fn check_kernel(kernel: &Path) -> Result<u64> {
    let image = std::fs::read(kernel).with_context(|| format!("{}", kernel.display()))?;
    let size = elf::loaded_size(&image).with_context(|| format!("{}: no ELF64 file", kernel.display()))?;
    if size > KERNEL_LIMIT {
        bail!("the kernel takes {size} bytes without symbols; {KERNEL_LIMIT} is the most");
    }
    match vector_instructions(kernel) {
        Some(found) if !found.is_empty() => bail!(
            "the kernel has {} SSE or AVX instructions, which it does not enable; the first: {}",
            found.len(),
            found[0]
        ),
        Some(_) => {}
        None => {
            eprintln!("note: objdump is missing; not checked that the kernel has no SSE or AVX instruction")
        }
    }
    Ok(size)
}

/// The lines of a disassembly that name a vector register; `None` without objdump.
fn vector_instructions(kernel: &Path) -> Option<Vec<String>> {
    let mut objdump = Command::new("objdump");
    let text = sh::output(objdump.args(["--disassemble", "--no-show-raw-insn"]).arg(kernel)).ok()?;
    let names_vector = |line: &&str| {
        // An instruction follows a tab; symbols and section titles do not count.
        let code = line.split_once('\t').map_or("", |(_, code)| code);
        ["%xmm", "%ymm", "%zmm"].iter().any(|register| code.contains(register))
    };
    Some(text.lines().filter(names_vector).map(|line| line.trim().to_owned()).collect())
}

/// Writes a file unless it has that content already, so that what depends on its date is not made again.
pub(crate) fn write_if_new(path: &Path, content: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    std::fs::write(path, content).with_context(|| format!("{}", path.display()))
}
