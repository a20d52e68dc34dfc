//! Things that die in the middle of a command: hostctl, its broker, the machine.

mod suite;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use qemu_tests::machine::PATIENCE;
use qemu_tests::process;
use qemu_tests::{Boot, Machine, artifacts};
use rustix::process::{Pid, Signal, kill_process};

fn main() -> ExitCode {
    suite::main(&[(
        Boot::PLAIN.memory(1024),
        &[
            ("a create that is killed or interrupted leaves all of the domain or nothing", killed_creates),
            ("a line that is lost in the middle of a create leaves all of the domain or nothing", lost_line),
            ("a broker that is killed is replaced by the next command", killed_broker),
            ("a machine that is killed fails its commands at once and says so", killed_machine),
        ],
    )])
}

/// Whatever is there after a broken create is a whole domain or none, and the name is free again after a destroy.
fn killed_creates(machine: &Machine) -> Result<()> {
    let kernel = format!("kernel={}", artifacts::vmlinuz()?.display());
    let disk = format!("ramdisk={}", artifacts::named(artifacts::RAMDISK)?.display());
    let words = ["create", "-q", "-p", "/dev/null", "name=victim", &kernel, &disk, "memory=128"];
    // The first meets the unpacking and the upload, later ones the building.
    for (signal, ms) in [(Signal::INT, 150), (Signal::KILL, 400), (Signal::INT, 20), (Signal::KILL, 60)] {
        let running = machine.start_xm(&words)?;
        std::thread::sleep(Duration::from_millis(ms));
        // It may have been faster: then this is an ordinary create.
        let _ = running.signal(signal);
        let done = running.finish(PATIENCE)?;
        ensure!(done.code != Some(2), "{done:#}");
        // What the control domain had begun, it ends: built, or taken apart.
        let state = machine.wait_state("victim", PATIENCE, is_settled)?;
        if state.is_some() {
            machine.destroy("victim")?;
        }
    }
    let again = process::run(&mut machine.xm_command(&words), PATIENCE)?;
    again.ok().context("after the broken ones")?;
    machine.destroy("victim")
}

fn killed_broker(machine: &Machine) -> Result<()> {
    machine.create("obey", &artifacts::guest("obey")?, &["memory=4"])?;
    let mut consoles = [machine.console("obey")?, machine.console("obey")?];
    for console in &mut consoles {
        console.wait_for("ready", PATIENCE)?;
    }
    for broker in brokers(machine)? {
        kill_process(broker, Signal::KILL)?;
    }
    // Those who were talking through it learn it, and do not hang.
    for console in consoles {
        let done = console.finish(PATIENCE)?.with_code(1)?;
        ensure!(done.stderr.starts_with("Error: "), "{done:#}");
    }
    // The guest did not notice.
    let mut console = machine.console("obey")?;
    console.type_line("echo alive")?;
    console.wait_for("alive", PATIENCE)?;
    machine.destroy("obey")
}

/// The line is lost in the middle of a create: the command says so, and what it began is whole or gone.
fn lost_line(machine: &Machine) -> Result<()> {
    let kernel = format!("kernel={}", artifacts::vmlinuz()?.display());
    let disk = format!("ramdisk={}", artifacts::named(artifacts::RAMDISK)?.display());
    for ms in [30, 100] {
        // There is a broker already, so that the create does not spend its time starting one.
        machine.domains()?;
        let running =
            machine.start_xm(&["create", "-q", "-p", "/dev/null", "name=victim", &kernel, &disk])?;
        std::thread::sleep(Duration::from_millis(ms));
        for broker in brokers(machine)? {
            kill_process(broker, Signal::KILL)?;
        }
        let done = running.finish(PATIENCE)?;
        ensure!(done.code == Some(0) || !done.stderr.is_empty(), "{done:#}");
        if machine.wait_state("victim", PATIENCE, is_settled)?.is_some() {
            machine.destroy("victim")?;
        }
    }
    Ok(())
}

/// There is no such domain, or it is not being taken apart.
fn is_settled(state: Option<&str>) -> bool {
    state.is_none_or(|state| !state.contains('d'))
}

/// The processes of hostctl that own this machine's line.
fn brokers(machine: &Machine) -> Result<Vec<Pid>> {
    let line = format!("lab:{}", machine.name());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
        else {
            continue;
        };
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = words.split(|byte| *byte == 0).collect();
        if words.contains(&b"broker".as_slice()) && words.contains(&line.as_bytes()) {
            found.push(pid);
        }
    }
    ensure!(!found.is_empty(), "no broker runs");
    Ok(found)
}

fn killed_machine(machine: &Machine) -> Result<()> {
    // A machine of its own: the shared one must live.
    let victim = Machine::boot(Boot::PLAIN)?;
    ensure!(victim.name() != machine.name(), "two machines");
    victim.create("obey", &artifacts::guest("obey")?, &["memory=4"])?;
    let mut console = victim.console("obey")?;
    console.wait_for("ready", PATIENCE)?;
    kill_process(victim.qemu()?, Signal::KILL)?;
    let start = Instant::now();
    let done = console.finish(PATIENCE)?;
    ensure!(done.code != Some(0), "{done:#}");
    let done = victim.xm(&["list"])?;
    ensure!(done.code != Some(0) && !done.stderr.is_empty(), "{done:#}");
    ensure!(start.elapsed() < Duration::from_secs(10), "it took {:?} to notice", start.elapsed());
    let status = process::run(&mut victim.hostctl(&["lab", "status", victim.name()]), PATIENCE)?;
    ensure!(status.stdout.contains("signal 9") || status.stdout.contains("killed"), "{status:#}");
    Ok(())
}
