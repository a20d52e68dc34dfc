//! `cargo xtask demo`: a guest's console on a real Xen, end to end, with nothing simulated.
//!
//! Each step prints the command that does it, what that printed, and its time. The demo ends at the first thing that
//! does not hold, with a status other than 0.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use qemu_tests::machine::{LINUX_PATIENCE, PATIENCE, unused_kib};
use qemu_tests::process::{self, shown};
use qemu_tests::{Console, artifacts, ramdisk};
use serde_json::Value;

use crate::build::{self, Built};
use crate::paths;
use crate::setup::{self, Level};

/// The lab's name.
const LAB: &str = "demo";
/// The guest's name.
const GUEST: &str = "linux";
/// How long Xen may take to free and scrub a destroyed domain's memory.
const BACK: Duration = Duration::from_secs(10);

/// The command itself.
///
/// # Errors
/// Something is missing, does not build, or a step does not hold.
pub(crate) fn run() -> Result<()> {
    setup::ensure(Level::Lab)?;
    let built = build::all(build::HostProfile::Dev)?;
    let start = Instant::now();
    let mut demo = Demo { built, step: 0, is_up: false };
    demo.story()?;
    println!("\nThe demo holds: {:.1} s from power-on to power-off.", start.elapsed().as_secs_f64());
    Ok(())
}

struct Demo {
    built: Built,
    step: u32,
    is_up: bool,
}

impl Demo {
    fn story(&mut self) -> Result<()> {
        let config = paths::made()?.join("demo.cfg");
        let text = format!(
            "name = \"{GUEST}\"\nkernel = \"{}\"\nramdisk = \"{}\"\nextra = \"console=hvc0 quiet\"\nmemory = 128\n",
            artifacts::vmlinuz()?.display(),
            self.built.guests.ramdisk.display()
        );
        std::fs::write(&config, &text).with_context(|| format!("{}", config.display()))?;

        self.begin("A machine: QEMU without KVM, Debian's Xen 4.17, our kernel as its domain 0");
        println!("    $ export HOSTCTL_CONNECT=lab:{LAB}");
        // A `lab up` that is refused has cleaned up behind itself, and a lab that has the name already is not ours to end.
        self.hostctl(&["lab", "up", "--name", LAB])?;
        self.is_up = true;

        self.begin("Its memory before there is a guest");
        let before = self.unused()?;

        self.begin("A guest from Debian's own kernel and a busybox ramdisk");
        println!("    $ cat {}", config.display());
        indented(&text);
        self.hostctl(&["xm", "create", &config.display().to_string()])?;

        self.begin("Both domains");
        let list = self.hostctl(&["xm", "list"])?;
        for name in ["Domain-0", GUEST] {
            ensure!(list.lines().any(|line| line.starts_with(name)), "xm list does not show {name}");
        }

        self.begin("A command typed into the guest's console, answered by its shell");
        self.dialogue()?;

        self.begin("The guest is destroyed");
        self.hostctl(&["xm", "destroy", GUEST])?;
        let list = self.hostctl(&["xm", "list"])?;
        ensure!(!list.contains(GUEST), "it is still there");

        self.begin("All its memory is back");
        self.memory_is_back(before)?;

        self.begin("The machine goes down");
        self.hostctl(&["lab", "down", LAB])?;
        self.is_up = false;
        Ok(())
    }

    fn begin(&mut self, title: &str) {
        self.step += 1;
        println!("\n{}. {title}", self.step);
    }

    /// hostctl with these words, as a user would have it.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.built.hostctl);
        command.args(words).env("HOSTCTL_CONNECT", format!("lab:{LAB}"));
        self.built.tell(&mut command);
        command
    }

    /// Runs hostctl, shows everything, returns what it printed.
    fn hostctl(&self, words: &[&str]) -> Result<String> {
        let mut command = self.command(words);
        println!("    $ {}", shown(&command));
        let done = process::run(&mut command, LINUX_PATIENCE)?;
        indented(&done.stderr);
        indented(&done.stdout);
        println!("    ({:.3} s)", done.took.as_secs_f64());
        done.ok()
    }

    fn dialogue(&self) -> Result<()> {
        let mut command = self.command(&["xm", "console", GUEST]);
        println!("    $ {}", shown(&command));
        let start = Instant::now();
        let mut console = Console::attach(&mut command)?;
        console.wait_for(ramdisk::READY, LINUX_PATIENCE)?;
        console.wait_for(ramdisk::PROMPT, PATIENCE)?;
        println!("    (the guest's shell is there after {:.1} s)", start.elapsed().as_secs_f64());
        // The answers are not what was typed: no echo passes for them.
        for (typed, answer) in
            [("echo $((6 * 7)) is the answer", "42 is the answer"), ("uname -sm", "Linux x86_64")]
        {
            let start = Instant::now();
            console.type_line(typed)?;
            console.wait_for(answer, PATIENCE)?;
            console.wait_for(ramdisk::PROMPT, PATIENCE)?;
            println!("    {}{typed}", ramdisk::PROMPT);
            println!("    {answer}");
            println!("    ({:.3} s)", start.elapsed().as_secs_f64());
        }
        println!("    ^]");
        console.detach(PATIENCE)?.ok().map(drop)
    }

    /// Memory that no guest has, in KiB: what is free and what domain 0 has, where images are cached.
    fn unused(&self) -> Result<u64> {
        let info = self.json(&["xm", "info", "--json"])?;
        let control_domain = self.json(&["xm", "list", "--json", "Domain-0"])?;
        let unused = unused_kib(&info, &control_domain)?;
        let (free, own) = (&info["free_memory_kib"], &control_domain[0]["memory_kib"]);
        println!(
            "    free: {free} KiB; domain 0, with the images that it caches: {own} KiB; together {unused} KiB"
        );
        Ok(unused)
    }

    fn json(&self, words: &[&str]) -> Result<Value> {
        let mut command = self.command(words);
        println!("    $ {}", shown(&command));
        let done = process::run(&mut command, PATIENCE)?;
        println!("    ({:.3} s)", done.took.as_secs_f64());
        let text = done.ok()?;
        serde_json::from_str(&text).with_context(|| text.clone())
    }

    fn memory_is_back(&self, before: u64) -> Result<()> {
        let deadline = Instant::now() + BACK;
        loop {
            let after = self.unused()?;
            if after == before {
                println!("    {after} KiB, as before");
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!("{before} KiB were no guest's before, {after} KiB are now");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.is_up {
            // A step failed, and its error says why: the machine only has to go.
            let _ = process::run(&mut self.command(&["lab", "down", LAB]), PATIENCE);
        }
    }
}

fn indented(text: &str) {
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        println!("    {line}");
    }
}
