//! Things that die in the middle of a command: hostctl, its broker, the machine.

mod suite;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
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

/// How large an image is that takes long enough to be caught in the middle, in MiB.
const LARGE_MIB: usize = 32;

/// An image that the machine has not seen yet, and that does not get smaller by packing.
fn new_image(machine: &Machine, seed: u64, len: usize) -> Result<PathBuf> {
    let mut state = seed;
    let noise = std::iter::repeat_with(|| {
        // Xorshift: never zero, never the same soon.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let bytes: Vec<u8> = noise.take(len / 8).flatten().collect();
    let path = std::env::temp_dir().join(format!("nanodom-{}-image-{seed}", machine.name()));
    std::fs::write(&path, bytes)?;
    Ok(path)
}

/// A create of a guest with this ramdisk, which has to be sent first.
fn create_with(machine: &Machine, name: &str, ramdisk: &Path) -> Result<process::Running> {
    let kernel = format!("kernel={}", artifacts::guest("idle")?.display());
    let (name, ramdisk) = (format!("name={name}"), format!("ramdisk={}", ramdisk.display()));
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
fn caught_uploading(machine: &Machine, name: &str, ramdisk: &Path) -> Result<process::Running> {
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
    let large = new_image(machine, 1, LARGE_MIB << 20)?;
    let small = new_image(machine, 2, 100 << 10)?;
    let first = caught_uploading(machine, "first", &large)?;
    // The memory is taken: a small image takes the line, while the other does not move; a large one waits its turn.
    create_with(machine, "second", &small)?.finish(PATIENCE)?.with_code(0)?;
    let images = [new_image(machine, 3, 8 << 20)?, new_image(machine, 4, 8 << 20)?];
    let both = [create_with(machine, "third", &images[0])?, create_with(machine, "fourth", &images[1])?];
    first.signal(Signal::CONT)?;
    first.finish(PATIENCE)?.with_code(0)?;
    for one in both {
        one.finish(PATIENCE)?.with_code(0)?;
    }
    for name in ["first", "second", "third", "fourth"] {
        machine.destroy(name)?;
    }
    for path in [&large, &small, &images[0], &images[1]] {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

fn killed_uploads(machine: &Machine) -> Result<()> {
    for (seed, signal) in [(5, Signal::KILL), (6, Signal::INT)] {
        let large = new_image(machine, seed, LARGE_MIB << 20)?;
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
        std::fs::remove_file(&large)?;
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
