//! Dumps: what other programs find in them, and what becomes of the guest.

mod suite;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use qemu_tests::machine::PATIENCE;
use qemu_tests::{Boot, Console, Machine, artifacts};

/// Where the guest `obey` writes.
const PLACE: &str = "0x300000";

fn main() -> ExitCode {
    suite::main(&[
        (
            Boot::PLAIN,
            &[
                ("a word that a guest wrote is found at its address, dumped paused or live", word),
                (
                    "a guest that is dumped with -R begins anew, and the core is of the one before",
                    reset_after,
                ),
                ("two dumps at once are both whole", two_at_once),
                ("a core that is dumped with -C is all that is left of its guest", crash_after),
                ("a guest whose dumper is killed runs on, and no file is left", killed),
                ("a guest that crashes is built anew, and its core is kept on this computer", core_kept),
                (
                    "a guest that crashes is gone when its core is kept, where that was asked for",
                    core_destroyed,
                ),
            ],
        ),
        (Boot::OTHER, &[("a word that a guest wrote is found at its address on the other Xen", word)]),
    ])
}

fn obey(machine: &Machine, words: &[&str]) -> Result<Console> {
    obey_as(machine, "obey", words)
}

fn obey_as(machine: &Machine, name: &str, words: &[&str]) -> Result<Console> {
    machine.create(name, &artifacts::guest("obey")?, words)?;
    let mut console = machine.console(name)?;
    console.wait_for("ready", PATIENCE)?;
    Ok(console)
}

/// Has the guest write a text to its memory.
fn write(console: &mut Console, text: &str) -> Result<()> {
    console.type_line(&format!("write {text}"))?;
    console.wait_for("written", PATIENCE).map(drop)
}

fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| name.clone())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
    Ok(said)
}

/// What gdb finds at an address of a core.
fn gdb(core: &Path) -> Result<String> {
    let mut gdb = Command::new("gdb");
    gdb.args(["-batch", "-nx", "-ex", &format!("x/s {PLACE}"), "-ex", "info threads", "-core"]).arg(core);
    output(&mut gdb)
}

fn word(machine: &Machine) -> Result<()> {
    let mut console = obey(machine, &["memory=4", "vcpus=1"])?;
    let dir = tempfile::tempdir()?;
    for (option, text) in [("--", "the first word"), ("-L", "a later word")] {
        write(&mut console, text)?;
        let core = dir.path().join("core");
        let named = core.display().to_string();
        let done = machine.xm(&["dump-core", option, "obey", &named])?.ok()?;
        ensure!(done == "Dumping core of domain: obey ...\n", "{done}");
        let found = gdb(&core)?;
        ensure!(found.contains(&format!("\"{text}\"")), "{found}");
        ensure!(found.contains("Thread") || found.contains("LWP 1"), "{found}");

        let read = output(Command::new("readelf").args(["-W", "-a"]).arg(&core))?;
        for part in [
            ".note.Xen",
            ".xen_prstatus",
            ".xen_pages",
            ".xen_pfn",
            "LOAD",
            "NT_PRSTATUS",
            "CORE (Core file)",
        ] {
            ensure!(read.contains(part), "no {part} in\n{read}");
        }
        let sparse = std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(&core)?) * 512;
        ensure!(sparse < 1 << 20, "{sparse} bytes on the disk");
        console.type_line("echo it runs on")?;
        console.wait_for("it runs on", PATIENCE)?;
    }
    machine.destroy("obey")
}

fn reset_after(machine: &Machine) -> Result<()> {
    let mut console = obey(machine, &["memory=4"])?;
    write(&mut console, "before the reset")?;
    let domid = machine.xm(&["domid", "obey"])?.ok()?;
    let dump = machine.xm_json(&["dump-core", "-R", "obey"])?;
    let found = gdb(Path::new(dump["file"].as_str().context("no file")?))?;
    ensure!(found.contains("\"before the reset\""), "{found}");
    ensure!(machine.xm(&["domid", "obey"])?.ok()? != domid, "it is the same domain");
    let mut console = machine.console("obey")?;
    console.wait_for("ready", PATIENCE)?;
    // And it has nothing of the one before.
    let again = machine.xm_json(&["dump-core", "obey"])?;
    let found = gdb(Path::new(again["file"].as_str().context("no file")?))?;
    ensure!(!found.contains("before the reset"), "{found}");
    machine.destroy("obey")
}

/// One of them has the shared memory, or neither: over the line a core is the same.
fn two_at_once(machine: &Machine) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let names = ["one", "two"];
    for name in names {
        write(&mut obey_as(machine, name, &["memory=32"])?, &format!("a word of {name}"))?;
    }
    let both = |way: &str| -> Result<()> {
        let mut running = Vec::new();
        for name in names {
            let file = dir.path().join(name).display().to_string();
            running.push(machine.start_xm(&["dump-core", name, &file, "--json"])?);
        }
        for (name, dumper) in names.into_iter().zip(running) {
            let said = dumper.finish(PATIENCE)?.with_code(0)?.stdout;
            ensure!(said.contains(&format!("\"way\":\"{way}\"")), "{said}");
            let found = gdb(&dir.path().join(name))?;
            ensure!(found.contains(&format!("\"a word of {name}\"")), "{found}");
        }
        Ok(())
    };
    both("shared-memory")?;
    {
        let _hidden = machine.hide_shared_memory()?;
        both("line")?;
    }
    names.into_iter().try_for_each(|name| machine.destroy(name))
}

fn crash_after(machine: &Machine) -> Result<()> {
    let mut console = obey(machine, &["memory=4"])?;
    write(&mut console, "last words")?;
    let dump = machine.xm_json(&["dump-core", "-C", "obey"])?;
    ensure!(machine.state("obey")?.is_none(), "it is still there");
    let file = PathBuf::from(dump["file"].as_str().context("no file")?);
    ensure!(file.starts_with(machine.dumps().join("obey")), "{}", file.display());
    ensure!(dump["way"] == "shared-memory", "{dump}");
    let found = gdb(&file)?;
    ensure!(found.contains("\"last words\""), "{found}");
    Ok(())
}

fn killed(machine: &Machine) -> Result<()> {
    let mut console = obey(machine, &["memory=128"])?;
    let dir = tempfile::tempdir()?;
    let named = dir.path().join("core").display().to_string();
    let mut dumper = machine.xm_command(&["dump-core", "obey", &named]).spawn()?;
    machine.wait_state("obey", PATIENCE, |state| state.is_some_and(|state| state.contains('p')))?;
    dumper.kill()?;
    dumper.wait()?;
    machine.wait_state("obey", PATIENCE, |state| state.is_some_and(|state| !state.contains('p')))?;
    console.type_line("echo it runs on")?;
    console.wait_for("it runs on", PATIENCE)?;
    ensure!(std::fs::read_dir(dir.path())?.next().is_none(), "something is left");
    machine.xm(&["dump-core", "obey", &named])?.ok()?;
    machine.destroy("obey")
}

/// Waits for the one core that is kept of a guest.
fn kept(machine: &Machine, name: &str) -> Result<PathBuf> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = std::fs::read_dir(machine.dumps().join(name)).ok().and_then(|mut dir| dir.next());
        if let Some(found) = found {
            let path = found?.path();
            if path.extension().is_some_and(|kind| kind == "core") {
                return Ok(path);
            }
        }
        if Instant::now() >= deadline {
            bail!("no core is kept");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn core_kept(machine: &Machine) -> Result<()> {
    let mut console = obey(machine, &["memory=4", "on_crash=coredump-restart"])?;
    write(&mut console, "before the crash")?;
    std::fs::remove_dir_all(machine.dumps()).ok();
    console.type_line("crash")?;
    let core = kept(machine, "obey")?;
    let found = gdb(&core)?;
    ensure!(found.contains("\"before the crash\""), "{found}");
    // The crashed one goes when its core is kept, and its namesake serves.
    let deadline = Instant::now() + PATIENCE;
    while machine.domains()? != ["obey"] {
        ensure!(Instant::now() < deadline, "{:?}", machine.domains()?);
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut console = machine.console("obey")?;
    console.wait_for("ready", PATIENCE)?;
    machine.destroy("obey")
}

fn core_destroyed(machine: &Machine) -> Result<()> {
    let mut console = obey(machine, &["memory=4", "on_crash=coredump-destroy"])?;
    write(&mut console, "the end")?;
    std::fs::remove_dir_all(machine.dumps()).ok();
    console.type_line("crash")?;
    machine.wait_state("obey", PATIENCE, |state| state.is_none())?;
    let found = gdb(&kept(machine, "obey")?)?;
    ensure!(found.contains("\"the end\""), "{found}");
    Ok(())
}
