//! Debian's own kernel as a guest, with a shell on its console.

mod suite;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use qemu_tests::machine::{LINUX_PATIENCE, PATIENCE};
use qemu_tests::{Boot, Machine, artifacts, ramdisk};

/// A life of a guest of several vCPUs may cost so much for good, in KiB: pages that Xen counts neither as free nor as anybody's.
/// Measured on both Xens with `create -p` and `destroy` alone: twenty lives of four vCPUs cost 8 to 24 KiB, twenty of two
/// 4 to 24 (the first ones most), any number of one nothing. Our own domain stays as large as it was.
const LOST_KIB: u64 = 8;

fn main() -> ExitCode {
    let all: &[suite::Promise] = &[("Linux answers what is typed into its console", dialogue)];
    suite::main_allowing(LOST_KIB, &[(Boot::PLAIN, all), (Boot::OTHER, all)])
}

fn dialogue(machine: &Machine) -> Result<()> {
    let disk = format!("ramdisk={}", artifacts::named(artifacts::RAMDISK)?.display());
    let words = ["memory=128", "vcpus=2", "extra=console=hvc0 quiet", "on_poweroff=destroy", &disk];
    machine.create("linux", &artifacts::vmlinuz()?, &words)?;
    let mut console = machine.console("linux")?;
    console.wait_for(ramdisk::READY, LINUX_PATIENCE)?;
    console.wait_for(ramdisk::PROMPT, PATIENCE)?;
    // The answer is not what was typed, so an echo does not pass for it.
    console.type_line("echo $((6 * 7)) is the answer")?;
    console.wait_for("42 is the answer", PATIENCE)?;
    console.wait_for(ramdisk::PROMPT, PATIENCE)?;
    console.type_line("grep -c ^processor /proc/cpuinfo")?;
    let cpus = console.wait_for(ramdisk::PROMPT, PATIENCE)?;
    ensure!(cpus.lines().any(|line| line.trim() == "2"), "{cpus}");
    console.type_line("poweroff -f")?;
    machine.wait_state("linux", PATIENCE, |state| state.is_none())?;
    Ok(())
}
