//! What follows the end of a guest: poweroff, reboot, crash.

mod suite;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use qemu_tests::machine::PATIENCE;
use qemu_tests::{Boot, Machine, artifacts};

fn main() -> ExitCode {
    suite::main(&[(
        Boot::PLAIN,
        &[
            ("a guest that powers off is gone", poweroff),
            ("a guest that reboots is built anew under its name", reboot),
            ("a guest that reboots again at once is destroyed", reboots_too_fast),
            ("a guest that crashes is kept where that was asked for", crash_preserved),
            ("a guest that crashes is built anew where that was asked for", crash_restarted),
            ("a console ends when its guest crashes", crash_while_attached),
        ],
    )])
}

fn obey(machine: &Machine, words: &[&str]) -> Result<qemu_tests::Console> {
    machine.create("obey", &artifacts::guest("obey")?, &[&["memory=4"], words].concat())?;
    let mut console = machine.console("obey")?;
    console.wait_for("ready", PATIENCE)?;
    Ok(console)
}

fn domid(machine: &Machine, name: &str) -> Result<u32> {
    Ok(machine.xm(&["domid", name])?.ok()?.trim().parse()?)
}

fn poweroff(machine: &Machine) -> Result<()> {
    let mut console = obey(machine, &["on_poweroff=destroy"])?;
    console.type_line("poweroff")?;
    machine.wait_state("obey", PATIENCE, |state| state.is_none()).map(drop)
}

/// Makes the guest reboot and waits for its next life.
fn reboot_once(machine: &Machine) -> Result<()> {
    let mut console = obey(machine, &["on_reboot=restart"])?;
    let before = domid(machine, "obey")?;
    console.type_line("reboot")?;
    wait_next_life(machine, before)
}

/// Waits until the guest is there again under another id.
fn wait_next_life(machine: &Machine, before: u32) -> Result<()> {
    let is_next =
        |state: Option<&str>| state.is_some() && domid(machine, "obey").is_ok_and(|domid| domid != before);
    machine.wait_state("obey", PATIENCE, is_next).map(drop)
}

fn reboot(machine: &Machine) -> Result<()> {
    reboot_once(machine)?;
    let mut console = machine.console("obey")?;
    console.wait_for("ready", PATIENCE)?;
    console.type_line("echo second life")?;
    console.wait_for("second life", PATIENCE)?;
    machine.destroy("obey")
}

fn reboots_too_fast(machine: &Machine) -> Result<()> {
    reboot_once(machine)?;
    let mut console = machine.console("obey")?;
    console.wait_for("ready", PATIENCE)?;
    console.type_line("reboot")?;
    machine.wait_state("obey", PATIENCE, |state| state.is_none()).map(drop)
}

fn crash_preserved(machine: &Machine) -> Result<()> {
    machine.create("crash", &artifacts::guest("crash")?, &["memory=4", "on_crash=preserve"])?;
    let state =
        machine.wait_state("crash", PATIENCE, |state| state.is_none_or(|state| state.contains('c')))?;
    ensure!(state.is_some(), "it is gone");
    machine.destroy("crash")
}

fn crash_restarted(machine: &Machine) -> Result<()> {
    let mut console = obey(machine, &["on_crash=restart"])?;
    let before = domid(machine, "obey")?;
    console.type_line("crash")?;
    wait_next_life(machine, before)?;
    machine.destroy("obey")
}

fn crash_while_attached(machine: &Machine) -> Result<()> {
    let mut console = obey(machine, &["on_crash=destroy"])?;
    console.type_line("crash")?;
    machine.wait_state("obey", PATIENCE, |state| state.is_none())?;
    console.finish(PATIENCE).map(drop)
}
