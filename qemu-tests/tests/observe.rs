//! Looking at a machine: what `top`, `log` and `info` tell is what happened.

mod suite;

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use qemu_tests::machine::PATIENCE;
use qemu_tests::{Boot, Machine, artifacts};
use serde_json::Value;

fn main() -> ExitCode {
    suite::main(&[(
        Boot::PLAIN,
        &[
            ("top shows who uses the processor, and how much of it", top),
            ("the journal tells each phase of a create, and what was refused", log),
            ("info's free memory is less by what a guest has", info),
        ],
    )])
}

/// Creates a guest that keeps the one processor busy.
fn spin(machine: &Machine) -> Result<()> {
    machine.create("busy", &artifacts::guest("spin")?, &["memory=4"])?;
    machine.console("busy")?.wait_for("spinning", PATIENCE).map(drop)
}

fn top(machine: &Machine) -> Result<()> {
    spin(machine)?;
    let text = machine.xm(&["top", "--batch", "-i", "2", "-d", "2"])?.ok()?;
    let row = text.lines().rev().find(|line| line.trim_start().starts_with("busy "));
    let row: Vec<&str> =
        row.with_context(|| format!("no row of the guest: {text}"))?.split_whitespace().collect();
    let percent: f64 = row[3].parse().with_context(|| format!("no share of the processor: {row:?}"))?;
    eprintln!("a guest that spins: {percent} %");
    // The control domain, which looks, takes a little.
    ensure!((70.0..=100.5).contains(&percent), "a guest that spins is shown with {percent} %");
    machine.destroy("busy")
}

fn log(machine: &Machine) -> Result<()> {
    machine.create("first", &artifacts::guest("idle")?, &["memory=4", "-p"])?;
    ensure!(machine.xm(&["pause", "nobody"])?.code == Some(3), "a domain that is not there was paused");
    machine.destroy("first")?;
    let text = machine.xm(&["log", "--json"])?.ok()?;
    let entries = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let last = |event: &str, name: &str| {
        let found = entries.iter().rev().find(|entry| entry["event"] == event && entry["name"] == name);
        found.with_context(|| format!("no {event} of {name}: {text}"))
    };
    let created = last("create", "first")?;
    let phases = created["phases"].as_array().context("no phases")?;
    let sum: u64 = phases.iter().filter_map(|phase| phase["us"].as_u64()).sum();
    let whole = created["us"].as_u64().context("no duration")?;
    ensure!(sum > 0 && sum <= whole, "phases of {sum} us make a create of {whole} us");
    // A create that leaves the guest paused; the budget is crate toolstack's, asserted there on a simulated Xen.
    ensure!(created["exits"] == 7, "a create in {} exits", created["exits"]);
    ensure!(
        last("command", "nobody")?["error"] == "there is no such domain",
        "no word of the refusal: {text}"
    );
    let destroyed = last("command", "first")?;
    ensure!(destroyed["command"] == "destroy" && destroyed["error"].is_null(), "{destroyed}");
    ensure!(destroyed["seq"].as_u64() > created["seq"].as_u64(), "the end stands before the birth");
    Ok(())
}

fn info(machine: &Machine) -> Result<()> {
    let free = |info: &Value| info["free_memory_kib"].as_u64().context("info tells no free memory");
    let before = machine.xm_json(&["info"])?;
    ensure!(before["xen_major"] == 4 && before["nr_cpus"] == 1, "{before}");
    machine.create("first", &artifacts::guest("idle")?, &["memory=64", "-p"])?;
    let during = machine.xm_json(&["info"])?;
    let taken = free(&before)?.saturating_sub(free(&during)?);
    // Beside its memory: page tables, and what Xen itself keeps of a domain.
    ensure!((64 << 10..=68 << 10).contains(&taken), "a guest of 64 MiB takes {taken} KiB");
    machine.destroy("first")
}
