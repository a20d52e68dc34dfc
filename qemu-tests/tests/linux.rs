//! Debian's own kernel as a guest, with a shell on its console.

mod suite;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use qemu_tests::machine::{LINUX_PATIENCE, PATIENCE};
use qemu_tests::{Boot, Machine, artifacts, ramdisk};

fn main() -> ExitCode {
    let all: &[suite::Promise] = &[("Linux answers what is typed into its console", dialogue)];
    suite::main(&[(Boot::PLAIN, all), (Boot::OTHER, all)])
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
