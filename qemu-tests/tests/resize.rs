//! What only a real Xen and a real Linux can show of a domain that changes its size: memory given back and taken again, vCPUs
//! that go and come, pins that hold.

mod suite;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use qemu_tests::machine::{LINUX_PATIENCE, PATIENCE};
use qemu_tests::{Boot, Console, Machine, artifacts, ramdisk};
use serde_json::Value;

/// Xen loses memory with each life of several vCPUs, and more of it with the first ones (`vcpus.rs` counts it).
const LOST_KIB: u64 = 64;
/// A page may be somewhere else than in the memory that is counted: Linux has one of the frames that it booted with for itself.
const SLACK_KIB: u64 = 16;
/// How long between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// What the guest boots with, and what it may have, in MiB.
const MEMORY: u64 = 160;
const MAXMEM: u64 = 256;

fn main() -> ExitCode {
    let all: &[suite::Promise] =
        &[("Linux shrinks and grows, loses a vCPU and gets it back, and runs where it is pinned", all_of_it)];
    suite::main_allowing(|_| LOST_KIB, &[(Boot::PLAIN.cpus(2), all)])
}

fn all_of_it(machine: &Machine) -> Result<()> {
    let mut console = boot(machine)?;
    memory(machine, &mut console).context("memory")?;
    vcpus(machine, &mut console).context("vCPUs")?;
    pins(machine).context("pins")?;
    console.type_line("poweroff -f")?;
    machine.wait_state("linux", PATIENCE, |state| state.is_none()).map(drop)
}

/// One vCPU of two is online, and the memory may grow beyond what it boots with: then Linux adds a stretch, which it has to
/// bring online by itself.
fn boot(machine: &Machine) -> Result<Console> {
    let disk = format!("ramdisk={}", artifacts::named(artifacts::RAMDISK)?.display());
    let (memory, maxmem) = (format!("memory={MEMORY}"), format!("maxmem={MAXMEM}"));
    let extra = "extra=console=hvc0 quiet memhp_default_state=online";
    let words = [&memory, &maxmem, "vcpus=1", "maxvcpus=2", extra, "on_poweroff=destroy", &disk];
    machine.create("linux", &artifacts::vmlinuz()?, &words)?;
    let mut console = machine.console("linux")?;
    console.wait_for(ramdisk::READY, LINUX_PATIENCE)?;
    console.wait_for(ramdisk::PROMPT, PATIENCE)?;
    Ok(console)
}

/// What a command prints in the guest.
fn ask(console: &mut Console, command: &str) -> Result<String> {
    console.type_line(&format!("echo \"=[$({command})]=\""))?;
    let text = console.wait_for(ramdisk::PROMPT, PATIENCE)?;
    // The terminal echoes the line first, and breaks it where it likes.
    let answer = text.rsplit_once("=[").and_then(|(_, rest)| rest.split_once("]="));
    answer
        .map(|(answer, _)| answer.trim().to_owned())
        .with_context(|| format!("no answer to {command}: {text:?}"))
}

/// Asks `xm` until what it prints as JSON is so.
fn until(machine: &Machine, words: &[&str], what: &str, is_so: impl Fn(&Value) -> bool) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = machine.xm_json(words)?;
        if is_so(&seen) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!("never happened: {what}; last seen: {seen}");
        }
        std::thread::sleep(LOOK);
    }
}

fn memory(machine: &Machine, console: &mut Console) -> Result<()> {
    let total = |console: &mut Console| -> Result<u64> {
        let text = ask(console, "head -n 1 /proc/meminfo | tr -dc 0-9")?;
        text.trim().parse().with_context(|| format!("no number: {text:?}"))
    };
    let before = total(console)?;
    for mib in [MEMORY - 48, MEMORY, MAXMEM] {
        machine.xm(&["mem-set", "linux", &mib.to_string()])?.ok()?;
        until(machine, &["list", "linux"], &format!("{mib} MiB"), |seen| {
            seen[0]["memory_kib"].as_u64().is_some_and(|kib| kib.abs_diff(mib * 1024) <= SLACK_KIB)
        })?;
        let (now, expected) = (total(console)?, (before + mib * 1024).saturating_sub(MEMORY * 1024));
        // A stretch that was added takes some memory for itself.
        ensure!(now.abs_diff(expected) <= 6 << 10, "{mib} MiB: the guest counts {now} KiB, not {expected}");
    }
    Ok(())
}

fn vcpus(machine: &Machine, console: &mut Console) -> Result<()> {
    let online = "cat /sys/devices/system/cpu/online";
    let second_is = |online: bool| {
        until(machine, &["vcpu-list", "linux"], "the second vCPU's state", |seen| seen[1]["online"] == online)
    };
    second_is(false)?;
    ensure!(ask(console, online)? == "0", "only the first is to be online at start");
    machine.xm(&["vcpu-set", "linux", "2"])?.ok()?;
    // The kernel only gives the processor a place; who wants to use it brings it up.
    let up = "while ! echo 1 > /sys/devices/system/cpu/cpu1/online; do sleep 1; done 2> /dev/null";
    ask(console, up)?;
    second_is(true)?;
    ensure!(ask(console, online)? == "0-1", "both are to be online");
    machine.xm(&["vcpu-set", "linux", "1"])?.ok()?;
    second_is(false)?;
    ensure!(ask(console, online)? == "0", "the second is to be gone");
    machine.xm(&["vcpu-set", "linux", "2"])?.ok()?;
    ask(console, up)?;
    second_is(true)
}

fn pins(machine: &Machine) -> Result<()> {
    for cpu in [1, 0] {
        machine.xm(&["vcpu-pin", "linux", "all", &cpu.to_string()])?.ok()?;
        until(machine, &["vcpu-list", "linux"], &format!("both vCPUs on CPU {cpu}"), |seen| {
            let is_there = |row: &Value| row["cpu"] == cpu && row["affinity"] == serde_json::json!([cpu]);
            seen.as_array().is_some_and(|rows| rows.len() == 2 && rows.iter().all(is_there))
        })?;
    }
    // One on each.
    machine.xm(&["vcpu-pin", "linux", "1", "1"])?.ok()?;
    until(machine, &["vcpu-list", "linux"], "a vCPU on each CPU", |seen| {
        seen[0]["cpu"] == 0 && seen[1]["cpu"] == 1
    })
}
