//! The kernel boots as domain 0 of both Xens, with an IOMMU and without, and answers.

mod suite;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use qemu_tests::machine::PATIENCE;
use qemu_tests::{Boot, Machine, process};

fn main() -> ExitCode {
    let all: &[suite::Promise] = &[
        ("a machine boots and answers", answers),
        ("its console in Xen is readable", dmesg_is_xens),
        ("an idle lab takes under 2 % of a core", idle_is_cheap),
        ("two labs stand side by side and are told apart by their names", side_by_side),
    ];
    let some = &all[..2];
    suite::main(&[
        (Boot::PLAIN, all),
        (Boot { iommu: true, ..Boot::PLAIN }, &all[..3]),
        (Boot { iommu: false, ..Boot::OTHER }, some),
        (Boot::OTHER, some),
    ])
}

fn answers(machine: &Machine) -> Result<()> {
    let list = machine.xm(&["list"])?.ok()?;
    let lines: Vec<&str> = list.lines().collect();
    ensure!(lines.len() == 2 && lines[1].starts_with("Domain-0 "), "{list}");

    let status = machine.status()?;
    ensure!(status["state"] == "running" && status["name"] == machine.name(), "{status}");
    let asked = status["xen"].as_str().context("the Xen that was asked for")?;
    let running = status["xen_version"].as_str().context("the Xen that runs")?;
    ensure!(running.starts_with(asked), "asked for {asked}, got {running}");

    let info = machine.xm(&["info"])?.ok()?;
    let value = |key: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(": "))
            .unwrap_or_default()
    };
    ensure!(format!("{}.{}", value("xen_major"), value("xen_minor")) == asked, "{info}");
    ensure!(
        value("total_memory").parse::<u64>()? <= status["memory_mib"].as_u64().unwrap_or_default(),
        "{info}"
    );
    Ok(())
}

fn dmesg_is_xens(machine: &Machine) -> Result<()> {
    let text = machine.xm(&["dmesg"])?.ok()?;
    ensure!(text.contains("Xen version") || text.contains("(XEN)"), "{text}");
    Ok(())
}

fn side_by_side(machine: &Machine) -> Result<()> {
    let mut up = machine.hostctl(&["lab", "up", "--name", "second"]);
    process::run(&mut up, PATIENCE)?.ok()?;
    // Whatever follows, the second one goes.
    let told_apart = told_apart(machine);
    process::run(&mut machine.hostctl(&["lab", "down", "second"]), PATIENCE)?.ok()?;
    told_apart?;
    answers(machine)
}

fn told_apart(machine: &Machine) -> Result<()> {
    let list = process::run(&mut machine.hostctl(&["lab", "list"]), PATIENCE)?.ok()?;
    ensure!(list.contains(machine.name()) && list.contains("second"), "{list}");
    let host = |connect: &str| -> Result<String> {
        let mut command = machine.xm_command(&["info", "--json"]);
        command.env("HOSTCTL_CONNECT", connect);
        let info: serde_json::Value = serde_json::from_str(&process::run(&mut command, PATIENCE)?.ok()?)?;
        Ok(info["host"].as_str().context("the machine's name")?.to_owned())
    };
    ensure!(host("lab:second")? == "second");
    ensure!(host(&format!("lab:{}", machine.name()))? == machine.name());
    // Without a name there is no telling which is meant, and no guess.
    let mut command = machine.xm_command(&["list"]);
    command.env_remove("HOSTCTL_CONNECT");
    let done = process::run(&mut command, PATIENCE)?.with_code(1)?;
    ensure!(done.stderr.contains("second"), "{done:#}");
    Ok(())
}

fn idle_is_cheap(machine: &Machine) -> Result<()> {
    let qemu = machine.qemu()?;
    // A machine that has just booted is not idle: Xen scrubs its memory in the background. It comes to rest, and then
    // five seconds are cheap; one that never rests never has them.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (start, before) = (Instant::now(), process::cpu_time(qemu)?);
        std::thread::sleep(Duration::from_secs(5));
        let used = process::cpu_time(qemu)? - before;
        let share = used.as_secs_f64() / start.elapsed().as_secs_f64();
        if share < 0.02 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "an idle lab took {:.1} % of a core", share * 100.0);
    }
}
