//! Tiny guests of our own: their consoles, several at once.

mod suite;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use qemu_tests::machine::PATIENCE;
use qemu_tests::process;
use qemu_tests::{Boot, Machine, artifacts};

fn main() -> ExitCode {
    let all: &[suite::Promise] = &[
        ("a guest's words stay readable after its end", words_outlive_the_guest),
        ("a guest answers on its console", dialogue),
        ("a console has several readers, and Ctrl-] detaches one", several_readers),
        ("two guests' consoles do not mix", no_mixing),
        ("ten guests run at once", ten_at_once),
        ("a paused guest stands still and goes on where it was", pause),
    ];
    let some = &all[..2];
    suite::main(&[
        (Boot::PLAIN, all),
        (Boot { iommu: true, ..Boot::PLAIN }, some),
        (Boot { iommu: false, ..Boot::OTHER }, some),
        (Boot::OTHER, some),
    ])
}

fn words_outlive_the_guest(machine: &Machine) -> Result<()> {
    machine.create("hello", &artifacts::guest("hello")?, &["memory=4"])?;
    machine.wait_state("hello", PATIENCE, |state| state.is_none())?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let log = process::run(&mut machine.hostctl(&["console-log", "hello"]), PATIENCE)?.ok()?;
        if log.contains("hello from a guest") {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the console's log: {log:?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn dialogue(machine: &Machine) -> Result<()> {
    machine.create("obey", &artifacts::guest("obey")?, &["memory=4"])?;
    let mut console = machine.console("obey")?;
    console.wait_for("ready", PATIENCE)?;
    for text in ["one", "a longer line with blanks", &"x".repeat(200)] {
        console.type_line(&format!("echo {text}"))?;
        console.wait_for(text, PATIENCE)?;
    }
    machine.destroy("obey")
}

fn several_readers(machine: &Machine) -> Result<()> {
    machine.create("obey", &artifacts::guest("obey")?, &["memory=4"])?;
    let mut first = machine.console("obey")?;
    let mut second = machine.console("obey")?;
    first.wait_for("ready", PATIENCE)?;
    // It came later, and is shown what was said before.
    second.wait_for("ready", PATIENCE)?;
    first.type_line("echo to both")?;
    first.wait_for("to both", PATIENCE)?;
    second.wait_for("to both", PATIENCE)?;
    first.detach(PATIENCE)?.ok()?;
    second.type_line("echo still here")?;
    second.wait_for("still here", PATIENCE)?;
    machine.destroy("obey")?;
    // The console of a guest that is gone ends by itself.
    second.finish(PATIENCE).map(drop)
}

fn no_mixing(machine: &Machine) -> Result<()> {
    let kernel = artifacts::guest("obey")?;
    let mut consoles = Vec::new();
    for name in ["a", "b"] {
        machine.create(name, &kernel, &["memory=4"])?;
        let mut console = machine.console(name)?;
        console.wait_for("ready", PATIENCE)?;
        consoles.push((name, console));
    }
    for (name, console) in &mut consoles {
        console.type_line(&format!("echo only-{name}"))?;
    }
    for (name, console) in &mut consoles {
        console.wait_for(&format!("only-{name}"), PATIENCE)?;
    }
    ensure!(!consoles[0].1.seen().contains("only-b"), "{}", consoles[0].1.seen());
    ensure!(!consoles[1].1.seen().contains("only-a"), "{}", consoles[1].1.seen());
    machine.destroy("a")?;
    machine.destroy("b")
}

fn ten_at_once(machine: &Machine) -> Result<()> {
    let kernel = artifacts::guest("obey")?;
    let names: Vec<String> = (0..10).map(|n| format!("g{n}")).collect();
    for name in &names {
        machine.create(name, &kernel, &["memory=4"])?;
    }
    let mut listed = machine.domains()?;
    listed.sort();
    ensure!(listed == names, "{listed:?}");
    // All attached at the same time, each asked for something of its own.
    let mut consoles = Vec::new();
    for name in &names {
        consoles.push(machine.console(name)?);
    }
    for (name, console) in names.iter().zip(&mut consoles) {
        console.wait_for("ready", PATIENCE)?;
        console.type_line(&format!("echo I am {name}"))?;
    }
    for (name, console) in names.iter().zip(&mut consoles) {
        console.wait_for(&format!("I am {name}"), PATIENCE)?;
    }
    drop(consoles);
    names.iter().try_for_each(|name| machine.destroy(name))
}

fn pause(machine: &Machine) -> Result<()> {
    machine.create("obey", &artifacts::guest("obey")?, &["memory=4"])?;
    let mut console = machine.console("obey")?;
    console.wait_for("ready", PATIENCE)?;
    machine.xm(&["pause", "obey"])?.ok()?;
    ensure!(machine.state("obey")?.is_some_and(|state| state.contains('p')), "not paused");
    console.type_line("echo asleep")?;
    ensure!(console.wait_for("asleep", Duration::from_secs(1)).is_err(), "a paused guest answered");
    machine.xm(&["unpause", "obey"])?.ok()?;
    console.wait_for("asleep", PATIENCE)?;
    machine.destroy("obey")
}
