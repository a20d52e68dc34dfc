//! Debian's Linux as a guest: up to its shell, and what it answers there.

use anyhow::Result;

use crate::machine::{LINUX_PATIENCE, Machine, PATIENCE};
use crate::{Console, artifacts, ramdisk};

/// Creates a Linux guest of 128 MiB, with more words `name=value`; attaches to its console and waits for its shell.
///
/// Its kernel has the Xen drivers of a guest: it obeys `control/shutdown`, `control/sysrq`, `memory/target` and `cpu`.
///
/// # Errors
/// It was not created, or does not come up.
pub fn boot(machine: &Machine, name: &str, words: &[&str]) -> Result<Console> {
    create(machine, name, words)?;
    let mut console = machine.console(name)?;
    is_up(&mut console)?;
    Ok(console)
}

/// Creates a Linux guest as [`boot`] does, and returns at once.
///
/// # Errors
/// It was not created.
pub fn create(machine: &Machine, name: &str, words: &[&str]) -> Result<()> {
    let disk = format!("ramdisk={}", artifacts::named(artifacts::RAMDISK)?.display());
    let own = ["memory=128", "extra=console=hvc0 quiet", "on_poweroff=destroy", &disk];
    machine.create(name, &artifacts::vmlinuz()?, &[&own[..], words].concat()).map(drop)
}

/// Waits until a Linux guest gives its shell.
///
/// # Errors
/// It does not come up.
pub fn is_up(console: &mut Console) -> Result<()> {
    console.wait_for(ramdisk::READY, LINUX_PATIENCE)?;
    console.wait_for(ramdisk::PROMPT, PATIENCE).map(drop)
}

/// What a command prints, with the line that was typed before it.
///
/// # Errors
/// The shell does not answer.
pub fn answer(console: &mut Console, command: &str) -> Result<String> {
    console.type_line(command)?;
    console.wait_for(ramdisk::PROMPT, PATIENCE)
}
