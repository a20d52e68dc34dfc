//! Guests that are asked: to shut down, to reboot, to take a system request; buttons, names, and lives that leave nothing.

mod suite;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use qemu_tests::machine::{LINUX_PATIENCE, PATIENCE};
use qemu_tests::process::{self, Running};
use qemu_tests::{Boot, Machine, artifacts, linux};
use serde_json::Value;

/// Lives that must leave everything as it was.
const LIVES: u32 = 200;
/// Lives before them.
const WARM: u32 = 140;
/// The control domain keeps the end of its log; so many bytes may that take.
const LOG: u64 = 64 << 10;
/// How often the time from a guest's end to the return of `shutdown -w` is taken.
const ENDS: u32 = 8;

fn main() -> ExitCode {
    let all: &[suite::Promise] = &[
        ("Linux obeys: system request, NMI, reboot, shutdown; one without a driver is named", linux_obeys),
        ("names, ids and uuids mean the same domain to every command, and a dead one's mean none", by_uuid),
        ("what makes no sense is refused, and the guest is as before", nonsense),
        ("shutdown -w returns with the guest's end, for all guests at once", returns_at_the_end),
        (
            "two hundred lives leave store, event channels and memory as they were, and the heap but for the log",
            lives_leave_nothing,
        ),
    ];
    let some = &all[..3];
    suite::main(&[(Boot::PLAIN, all), (Boot { iommu: false, ..Boot::OTHER }, some)])
}

fn xm(machine: &Machine, line: &str) -> Result<String> {
    machine.xm(&line.split_whitespace().collect::<Vec<_>>())?.ok()
}

fn node(machine: &Machine, path: &str) -> Result<String> {
    process::run(&mut machine.hostctl(&["xenstore", "read", path]), PATIENCE)?
        .ok()
        .map(|value| value.trim().into())
}

fn start_xm(machine: &Machine, line: &str) -> Result<Running> {
    machine.start_xm(&line.split_whitespace().collect::<Vec<_>>())
}

/// The one boot of Linux that all commands to a guest share.
fn linux_obeys(machine: &Machine) -> Result<()> {
    // A guest without any driver has ten seconds to answer; Linux boots meanwhile.
    machine.create("mute", &artifacts::guest("idle")?, &["memory=4"])?;
    let refused = start_xm(machine, "shutdown mute")?;
    let mut console = linux::boot(machine, "linux", &["on_reboot=restart"])?;

    xm(machine, "rename linux web")?;
    ensure!(machine.xm(&["domid", "linux"])?.code == Some(3), "the old name is still there");
    let domid = xm(machine, "domid web")?;
    ensure!(
        node(machine, &format!("/local/domain/{}/name", domid.trim()))? == "web",
        "the store has the old name"
    );

    xm(machine, "sysrq web s")?;
    console.wait_for("Emergency Sync", PATIENCE)?;
    xm(machine, "trigger web nmi")?;
    console.wait_for("NMI", PATIENCE)?;

    let start = Instant::now();
    let lines = machine.xm(&["reboot", "-w", "web"])?.ok()?;
    ensure!(lines == "Domain web rebooted\nAll domains rebooted\n", "{lines}");
    println!("reboot -w of Linux: {:.2} s", start.elapsed().as_secs_f64());
    ensure!(xm(machine, "domid web")? != domid, "it has the same id");
    let uuid = machine.xm_json(&["list", "web"])?[0]["uuid"].as_str().context("no uuid")?.to_owned();
    ensure!(
        node(machine, &format!("/vm/{uuid}/xend/restart_count"))? == "1",
        "its restarts were not counted"
    );
    ensure!(
        node(machine, &format!("/vm/{uuid}/xend/last_shutdown_reason"))? == "reboot",
        "it ended otherwise"
    );

    let mut console = machine.console("web")?;
    linux::is_up(&mut console)?;
    let start = Instant::now();
    let lines = machine.xm(&["shutdown", "-w", "web"])?.ok()?;
    ensure!(lines == "Domain web terminated\nAll domains terminated\n", "{lines}");
    println!("shutdown -w of Linux: {:.2} s", start.elapsed().as_secs_f64());

    let refused = refused.finish(LINUX_PATIENCE)?.with_code(1)?;
    ensure!(refused.stderr.contains("it has never spoken to xenstore"), "{}", refused.stderr);
    machine.destroy("mute")
}

/// All that is asked about a domain and done to it, by its uuid; then by what it has no more.
fn by_uuid(machine: &Machine) -> Result<()> {
    machine.create("idle", &artifacts::guest("idle")?, &["memory=4", "maxmem=8", "vcpus=1"])?;
    let listed = machine.xm_json(&["list", "idle"])?;
    let uuid = listed[0]["uuid"].as_str().context("no uuid")?;
    let domid = xm(machine, "domid idle")?.trim().to_owned();
    let dir = tempfile::tempdir()?;
    let core = dir.path().join("core").display().to_string();

    ensure!(xm(machine, &format!("domname {uuid}"))?.trim() == "idle", "domname says otherwise");
    ensure!(xm(machine, &format!("domid {uuid}"))?.trim() == domid, "domid says otherwise");
    let long = xm(machine, &format!("list --long {uuid}"))?;
    for part in
        ["(domain", "(name idle)", &format!("(domid {domid})"), &format!("(uuid {uuid})"), "(memory 4)"]
    {
        ensure!(long.contains(part), "no {part} in {long}");
    }
    for (command, word) in [("list", "idle"), ("vcpu-list", "idle"), ("uptime", "idle")] {
        let said = xm(machine, &format!("{command} {uuid}"))?;
        ensure!(said.lines().nth(1).is_some_and(|line| line.starts_with(word)), "xm {command}: {said}");
    }
    // The machine has one processor, and all of it is anybody's.
    ensure!(
        xm(machine, &format!("vcpu-list {uuid}"))?.trim_end().ends_with("any cpu"),
        "no processor is its"
    );
    for line in [
        "pause UUID",
        "unpause UUID",
        "domstate UUID",
        "mem-max UUID 8",
        "mem-set UUID 4",
        "vcpu-set UUID 1",
        "vcpu-pin UUID 0 all",
        "sched-credit2 -d UUID -w 512",
        "rename UUID sleepy",
    ] {
        xm(machine, &line.replace("UUID", uuid))?;
    }
    machine.xm(&["dump-core", uuid, &core])?.ok()?;
    machine.destroy(uuid)?;

    for gone in [uuid, &domid, "sleepy", "idle"] {
        for command in [
            "pause",
            "unpause",
            "destroy",
            "domname",
            "domstate",
            "list",
            "list --long",
            "vcpu-list",
            "uptime",
            "shutdown",
        ] {
            let done = machine.xm(&[&command.split(' ').collect::<Vec<_>>()[..], &[gone]].concat())?;
            ensure!(done.code == Some(3), "xm {command} {gone}: {:?} {}", done.code, done.stderr);
            ensure!(done.stderr == format!("Error: Domain '{gone}' does not exist.\n"), "{}", done.stderr);
        }
    }
    Ok(())
}

fn nonsense(machine: &Machine) -> Result<()> {
    machine.create("idle", &artifacts::guest("idle")?, &["memory=4"])?;
    let before = machine.xm_json(&["list", "idle"])?;
    let unit = "Invalid Configuration: memory_static_max must be greater than zero";
    let target = "Invalid Configuration: memory_dynamic_max must be greater than zero";
    for (line, error) in [
        ("trigger idle reset", "Xen does not know the trigger 'reset' on x86"),
        ("trigger idle init", "Xen does not know the trigger 'init' on x86"),
        ("trigger idle nmi 7", "domain 'idle' has no vCPU 7"),
        ("trigger idle zap", "Invalid trigger: zap"),
        ("trigger idle nmi -1", "Invalid argument."),
        ("mem-max idle 0", unit),
        ("mem-max idle -5", unit),
        ("mem-max idle 1", "memory_dynamic_max must be less than or equal to memory_static_max"),
        ("mem-max idle 99999999999", "memory_static_max must be less than or equal to"),
        ("mem-max idle 9999999999999999999999", "Invalid argument."),
        ("mem-max idle lots", "Invalid argument."),
        ("mem-set idle 0", target),
        ("mem-set idle -5", target),
        ("mem-set idle 5", "memory_dynamic_max must be less than or equal to memory_static_max"),
        ("mem-set idle 1.5", "Invalid argument."),
        ("mem-max 0 64", "the memory of the control domain is fixed"),
        ("vcpu-set idle 0", "Zero or less VCPUs is invalid"),
        ("vcpu-set idle 2", "Cannot set vcpus greater than max vcpus"),
        ("vcpu-set idle two", "Invalid argument."),
        ("vcpu-pin idle 0 7", "none of these is there"),
        ("vcpu-pin idle 1 0", "the domain has no such vcpu"),
        ("vcpu-pin idle 0 3-1", "Invalid argument."),
        ("vcpu-pin idle 0 0,,1", "Invalid argument."),
        ("pause 0", "Cannot pause privileged domain 0"),
        ("destroy 0", "Cannot destroy privileged domain 0"),
        ("shutdown 0", "Domain 0 cannot be shutdown"),
        ("rename idle a/b", "Invalid VM Name"),
        ("rename idle Domain-0", "VM name 'Domain-0' already exists as domain 0"),
        ("sysrq idle help", "'help' is no system request"),
        ("dump-core 0", "Cannot dump core for privileged domain 0"),
    ] {
        let done = machine.xm(&line.split(' ').collect::<Vec<_>>())?;
        ensure!(
            done.code == Some(1) && done.stderr.contains(error),
            "xm {line}: {:?} {}",
            done.code,
            done.stderr
        );
    }
    let after = machine.xm_json(&["list", "idle"])?;
    for what in ["memory_kib", "max_memory_kib", "vcpus", "name", "domid"] {
        ensure!(before[0][what] == after[0][what] && !after[0][what].is_null(), "{what}: {before} {after}");
    }
    machine.destroy("idle")
}

/// A guest that ends while it is waited for: the time from its last word to the command's return.
fn returns_at_the_end(machine: &Machine) -> Result<()> {
    let kernel = artifacts::guest("obey")?;
    let mut times = Vec::new();
    for _ in 0..ENDS {
        machine.create("obey", &kernel, &["memory=4", "on_poweroff=destroy"])?;
        let mut console = machine.console("obey")?;
        console.wait_for("ready", PATIENCE)?;
        let waits = start_xm(machine, "shutdown -w obey")?;
        let request = format!("/local/domain/{}/control/shutdown", xm(machine, "domid obey")?.trim());
        let deadline = Instant::now() + PATIENCE;
        while node(machine, &request)? != "poweroff" {
            ensure!(Instant::now() < deadline, "it is not asked");
        }
        let start = Instant::now();
        console.type_line("poweroff")?;
        let done = waits.finish(PATIENCE)?.with_code(0)?;
        times.push(start.elapsed());
        ensure!(done.stdout == "Domain obey terminated\nAll domains terminated\n", "{}", done.stdout);
    }
    times.sort();
    let ms = |time: &Duration| format!("{:.1}", time.as_secs_f64() * 1000.0);
    println!(
        "from typing the guest's end to the return of shutdown -w, in ms: {:?}",
        times.iter().map(ms).collect::<Vec<_>>()
    );

    for name in ["a", "b", "c"] {
        machine.create(name, &kernel, &["memory=4", "on_poweroff=destroy"])?;
    }
    let waits = start_xm(machine, "shutdown -a -w")?;
    for name in ["c", "a", "b"] {
        let mut console = machine.console(name)?;
        console.wait_for("ready", PATIENCE)?;
        console.type_line("poweroff")?;
        machine.wait_state(name, PATIENCE, |state| state.is_none())?;
    }
    let done = waits.finish(PATIENCE)?.with_code(0)?;
    let expected = ["c", "a", "b"].map(|name| format!("Domain {name} terminated\n")).concat();
    ensure!(done.stdout == format!("{expected}All domains terminated\n"), "{}", done.stdout);
    Ok(())
}

/// What the control domain uses, as it says itself, and the nodes of the store.
#[derive(Debug)]
struct Held {
    heap_used: u64,
    event_channels: u64,
    nodes: usize,
}

fn held(machine: &Machine) -> Result<Held> {
    let usage = process::run(&mut machine.hostctl(&["usage", "--json"]), PATIENCE)?.ok()?;
    let usage: Value = serde_json::from_str(&usage)?;
    let number = |key: &str| usage[key].as_u64().with_context(|| format!("no {key} in {usage}"));
    let nodes =
        process::run(&mut machine.hostctl(&["xenstore", "ls", "-f"]), PATIENCE)?.ok()?.lines().count();
    Ok(Held { heap_used: number("heap_used")?, event_channels: number("event_channels")?, nodes })
}

/// Memory is compared by the suite, around each trial.
fn lives_leave_nothing(machine: &Machine) -> Result<()> {
    let kernel = artifacts::guest("idle")?;
    let live = |lives: u32| -> Result<()> {
        for _ in 0..lives {
            machine.create("life", &kernel, &["memory=4"])?;
            machine.destroy("life")?;
        }
        Ok(())
    };
    // The tables of what is remembered (ended lives, dead consoles, answered calls, the journal with two entries a life) are full from here on.
    live(WARM)?;
    let before = held(machine)?;
    live(LIVES)?;
    let after = held(machine)?;
    println!("before {LIVES} lives: {before:?}; after: {after:?}");
    ensure!(
        after.event_channels == before.event_channels && after.nodes == before.nodes,
        "{before:?}, {after:?}"
    );
    // To the byte it is compared in toolstack/tests/lives.rs, where nothing is logged.
    ensure!(after.heap_used <= before.heap_used + LOG, "{before:?}, {after:?}");
    Ok(())
}
