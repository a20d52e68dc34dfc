//! Things that die in the middle of a command: hostctl, its broker, the machine.

mod suite;

use std::fs::File;
use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use qemu_tests::machine::PATIENCE;
use qemu_tests::process;
use qemu_tests::{Boot, Machine, artifacts};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::NamedTempFile;

fn main() -> ExitCode {
    suite::main(&[(
        Boot::PLAIN.memory(1024),
        &[
            ("a create that is killed or interrupted leaves all of the domain or nothing", killed_creates),
            ("a line that is lost in the middle of a create leaves all of the domain or nothing", lost_line),
            ("two images are taken in at once, and one whose sender pauses holds up no other", two_uploads),
            (
                "an upload that is killed or interrupted leaves nothing, and the next one works",
                killed_uploads,
            ),
            ("a broker that is killed is replaced by the next command", killed_broker),
            ("a machine that is killed fails its commands at once and says so", killed_machine),
        ],
    )])
}

/// How often a create may be quicker than two looks at it.
const ATTEMPTS: usize = 20;

/// The words of a create of a Linux guest that takes its time to be built.
fn victim() -> Result<[String; 8]> {
    let kernel = format!("kernel={}", artifacts::vmlinuz()?.display());
    let disk = format!("ramdisk={}", artifacts::named(artifacts::RAMDISK)?.display());
    Ok(["create", "-q", "-p", "/dev/null", "name=victim", &kernel, &disk, "memory=512"].map(str::to_owned))
}

fn start_victim(machine: &Machine) -> Result<process::Running> {
    machine.start_xm(&victim()?.each_ref().map(String::as_str))
}

/// Whether the victim is being built; `None` where it is not there. It has no uptime until it is complete.
fn is_building(machine: &Machine) -> Result<Option<bool>> {
    let list = machine.xm_json(&["list"])?;
    let mut domains = list.as_array().context("a list")?.iter();
    Ok(domains.find(|domain| domain["name"] == "victim").map(|domain| domain["uptime_ms"] == 0))
}

/// Starts a create of the victim, whose images the machine has, and returns in the middle of it: hostctl is stopped, and after
/// that the domain was still being built.
fn caught_building(machine: &Machine) -> Result<process::Running> {
    for _ in 0..ATTEMPTS {
        let running = start_victim(machine)?;
        let deadline = Instant::now() + PATIENCE;
        while is_building(machine)?.is_none() {
            ensure!(Instant::now() < deadline, "the domain does not appear");
        }
        running.signal(Signal::STOP)?;
        if is_building(machine)? == Some(true) {
            return Ok(running);
        }
        running.signal(Signal::CONT)?;
        running.finish(PATIENCE)?.with_code(0)?;
        machine.destroy("victim")?;
    }
    bail!("{ATTEMPTS} creates were over before they could be caught")
}

/// What the control domain had begun, it ends: built, or taken apart. Says which, and leaves nothing.
fn settle(machine: &Machine) -> Result<bool> {
    let deadline = Instant::now() + PATIENCE;
    while is_building(machine)? == Some(true) {
        ensure!(Instant::now() < deadline, "the domain stays half built");
    }
    let is_whole = machine.wait_state("victim", PATIENCE, is_settled)?.is_some();
    if is_whole {
        machine.destroy("victim")?;
    }
    Ok(is_whole)
}

/// Whatever is there after a broken create is a whole domain or none, and the name is free again after a destroy. That uploads may be
/// broken is another promise.
fn killed_creates(machine: &Machine) -> Result<()> {
    start_victim(machine)?.finish(PATIENCE)?.with_code(0)?;
    machine.destroy("victim")?;
    for signal in [Signal::INT, Signal::KILL] {
        let running = caught_building(machine)?;
        running.signal(signal)?;
        running.signal(Signal::CONT)?;
        let done = running.finish(PATIENCE)?;
        let is_whole = settle(machine)?;
        if signal == Signal::INT {
            // It waited for the domain, and took it away again.
            ensure!(done.code == Some(1) && !is_whole, "{done:#}");
        } else {
            ensure!(done.code.is_none(), "{done:#}");
        }
    }
    start_victim(machine)?.finish(PATIENCE)?.with_code(0).context("after the broken ones")?;
    machine.destroy("victim")
}

/// How large an image is that takes long enough to be caught in the middle, in MiB.
const LARGE_MIB: usize = 32;

/// An image that the machine has not seen yet, and that does not get smaller by packing.
fn new_image(seed: u64, len: usize) -> Result<NamedTempFile> {
    let mut state = seed;
    let noise = std::iter::repeat_with(|| {
        // Xorshift: never zero, never the same soon.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let bytes: Vec<u8> = noise.take(len / 8).flatten().collect();
    let mut file = tempfile::Builder::new().prefix("nanodom-image-").tempfile()?;
    file.write_all(&bytes)?;
    Ok(file)
}

/// A create of a guest with this ramdisk, which has to be sent first.
fn create_with(machine: &Machine, name: &str, ramdisk: &NamedTempFile) -> Result<process::Running> {
    let kernel = format!("kernel={}", artifacts::guest("idle")?.display());
    let (name, ramdisk) = (format!("name={name}"), format!("ramdisk={}", ramdisk.path().display()));
    machine.start_xm(&["create", "-q", "-p", "/dev/null", &name, &kernel, &ramdisk, "memory=64"])
}

/// How many bytes went through the shared memory in all: the producer's index of the left ring.
fn sent_through_memory(machine: &Machine) -> Result<u32> {
    let status = machine.status()?;
    let path = status["shared_memory"].as_str().context("the lab has shared memory")?;
    let mut indices = [0; 8];
    File::open(path)?.read_exact(&mut indices)?;
    Ok(u32::from_le_bytes([indices[4], indices[5], indices[6], indices[7]]))
}

/// Starts a create, and returns when its upload is in full swing.
fn caught_uploading(machine: &Machine, name: &str, ramdisk: &NamedTempFile) -> Result<process::Running> {
    let before = sent_through_memory(machine)?;
    let running = create_with(machine, name, ramdisk)?;
    let deadline = Instant::now() + PATIENCE;
    while sent_through_memory(machine)?.wrapping_sub(before) < 2 << 20 {
        ensure!(Instant::now() < deadline, "the upload does not begin");
    }
    // Still now, whatever signal comes next.
    running.signal(Signal::STOP)?;
    let sent = sent_through_memory(machine)?.wrapping_sub(before) as usize;
    ensure!(sent < LARGE_MIB << 20, "the upload was over before it could be caught");
    Ok(running)
}

fn two_uploads(machine: &Machine) -> Result<()> {
    let large = new_image(1, LARGE_MIB << 20)?;
    let small = new_image(2, 100 << 10)?;
    let first = caught_uploading(machine, "first", &large)?;
    // The memory is taken: a small image takes the line, while the other does not move; a large one waits its turn.
    create_with(machine, "second", &small)?.finish(PATIENCE)?.with_code(0)?;
    let images = [new_image(3, 8 << 20)?, new_image(4, 8 << 20)?];
    let both = [create_with(machine, "third", &images[0])?, create_with(machine, "fourth", &images[1])?];
    first.signal(Signal::CONT)?;
    first.finish(PATIENCE)?.with_code(0)?;
    for one in both {
        one.finish(PATIENCE)?.with_code(0)?;
    }
    for name in ["first", "second", "third", "fourth"] {
        machine.destroy(name)?;
    }
    Ok(())
}

fn killed_uploads(machine: &Machine) -> Result<()> {
    for (seed, signal) in [(5, Signal::KILL), (6, Signal::INT)] {
        let large = new_image(seed, LARGE_MIB << 20)?;
        let before = (machine.unused_kib()?, images_kib(machine)?);
        let running = caught_uploading(machine, "victim", &large)?;
        running.signal(signal)?;
        running.signal(Signal::CONT)?;
        let done = running.finish(PATIENCE)?;
        ensure!(done.code == if signal == Signal::KILL { None } else { Some(1) }, "{done:#}");
        ensure!(machine.domains()?.is_empty(), "there is a domain");
        // What had come is thrown away, and the memory is free for the next one.
        let deadline = Instant::now() + PATIENCE;
        while (machine.unused_kib()?, images_kib(machine)?) != before {
            ensure!(Instant::now() < deadline, "half an image stays: {} KiB", images_kib(machine)?);
            std::thread::sleep(Duration::from_millis(50));
        }
        let sent = sent_through_memory(machine)?;
        create_with(machine, "victim", &large)?.finish(PATIENCE)?.with_code(0)?;
        let sent = sent_through_memory(machine)?.wrapping_sub(sent) as usize;
        ensure!(sent >= LARGE_MIB << 20, "{sent} bytes went through the memory");
        machine.destroy("victim")?;
    }
    Ok(())
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

/// The line is lost in the middle of a create: it goes on through another, or the command says so; what it began is whole or gone.
fn lost_line(machine: &Machine) -> Result<()> {
    start_victim(machine)?.finish(PATIENCE)?.with_code(0)?;
    machine.destroy("victim")?;
    let running = caught_building(machine)?;
    for broker in brokers(machine)? {
        kill_process(broker, Signal::KILL)?;
    }
    running.signal(Signal::CONT)?;
    let done = running.finish(PATIENCE)?;
    ensure!(done.code == Some(0) || !done.stderr.is_empty(), "{done:#}");
    let is_whole = settle(machine)?;
    ensure!(is_whole || done.code != Some(0), "it is said to be there: {done:#}");
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
    let victim = Machine::boot(Boot::PLAIN.asked_for()?)?;
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

/// What the images that the machine keeps take.
fn images_kib(machine: &Machine) -> Result<u64> {
    let text = process::run(&mut machine.hostctl(&["usage", "--json"]), PATIENCE)?.ok()?;
    let usage: serde_json::Value = serde_json::from_str(&text)?;
    Ok(usage["images"].as_u64().context("the images' size")?.div_ceil(1024))
}
