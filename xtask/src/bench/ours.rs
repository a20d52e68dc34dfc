//! Our side of the benchmark, as hostctl sees it: each time is a whole command's, from its start to its end.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use qemu_tests::artifacts;
use qemu_tests::process::{self, Done};
use rustix::process::Pid;
use serde_json::Value;

use super::Plan;
use super::report::{Row, row};
use super::stats::Samples;
use crate::build::Built;

/// The lab's name.
const LAB: &str = "bench";
/// The longest that one command may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many guests the last rows have.
const MANY: usize = 100;

/// Measures every row.
///
/// # Errors
/// A command fails.
pub(super) fn measure(built: &Built, plan: &Plan, rows: &mut [Row]) -> Result<()> {
    row(rows, "kernel-image").ours = Samples::exact(built.kernel_size as f64);
    for _ in 0..plan.runs.min(5) {
        let start = Instant::now();
        let lab = Lab::up(built)?;
        lab.xm(&["list"])?;
        row(rows, "boot").ours.push(start.elapsed().as_secs_f64());
    }
    let lab = Lab::up(built)?;
    row(rows, "list-0").ours = lab.times(&["xm", "list"], plan.runs * 4)?;
    row(rows, "dom0-memory").ours = Samples::exact(lab.dom0_memory()?);
    lab.smallest(plan, rows)?;
    lab.linux(plan, built, rows)?;
    lab.many(plan, rows)
}

struct Lab<'a> {
    built: &'a Built,
}

impl<'a> Lab<'a> {
    fn up(built: &'a Built) -> Result<Self> {
        // Room for a hundred guests of 16 MiB and a Linux guest. A `lab up` that is refused has cleaned up behind itself, and a
        // lab that has the name already is somebody else's: it must not be taken down.
        let mut up = command(built, &["lab", "up", "--name", LAB, "--memory", "3072"]);
        process::run(&mut up, PATIENCE)?.with_code(0)?;
        Ok(Self { built })
    }

    fn run(&self, words: &[&str]) -> Result<Done> {
        process::run(&mut command(self.built, words), PATIENCE)?.with_code(0)
    }

    fn xm(&self, words: &[&str]) -> Result<Done> {
        self.run(&[&["xm"], words].concat())
    }

    fn times(&self, words: &[&str], runs: u32) -> Result<Samples> {
        (0..runs).map(|_| Ok(ms(&self.run(words)?))).collect()
    }

    /// Creates a paused guest, and returns what `--json` says and how long it took in ms.
    fn create(&self, name: &str, kernel: &Path, words: &[&str]) -> Result<(Value, f64)> {
        let name = format!("name={name}");
        let kernel = format!("kernel={}", kernel.display());
        let all = [&["create", "-q", "-p", "--json", "/dev/null", &name, &kernel], words].concat();
        let done = self.xm(&all)?;
        let took = ms(&done);
        let created = serde_json::from_str(&done.stdout).with_context(|| done.stdout.clone())?;
        Ok((created, took))
    }

    /// Creates and destroys the smallest guest once; returns as [`Lab::create`], and how long destroying it took in ms.
    fn one_smallest(&self) -> Result<(Value, f64, f64)> {
        let (created, took) =
            self.create("smallest", &self.built.guests.tiny.join("idle"), &["memory=16"])?;
        let destroyed = self.xm(&["destroy", "smallest"])?;
        Ok((created, took, ms(&destroyed)))
    }

    fn smallest(&self, plan: &Plan, rows: &mut [Row]) -> Result<()> {
        // The first one also uploads the image.
        self.one_smallest()?;
        for _ in 0..plan.runs * 4 {
            let (created, took, destroyed) = self.one_smallest()?;
            let exits = created["exits"].as_f64().with_context(|| format!("no exits in {created}"))?;
            row(rows, "create-smallest").ours.push(took);
            row(rows, "exits-create").ours.push(exits);
            row(rows, "destroy").ours.push(destroyed);
        }
        self.pause(plan, rows)
    }

    /// Stops a guest that runs and lets it go on, over and over.
    fn pause(&self, plan: &Plan, rows: &mut [Row]) -> Result<()> {
        self.create("smallest", &self.built.guests.tiny.join("idle"), &["memory=16"])?;
        self.xm(&["unpause", "smallest"])?;
        for _ in 0..plan.runs * 4 {
            for command in ["pause", "unpause"] {
                row(rows, command).ours.push(ms(&self.xm(&[command, "smallest"])?));
            }
        }
        self.xm(&["destroy", "smallest"]).map(drop)
    }

    fn linux(&self, plan: &Plan, built: &Built, rows: &mut [Row]) -> Result<()> {
        let disk = format!("ramdisk={}", built.guests.ramdisk.display());
        // The first one also unpacks and uploads the images.
        for run in 0..=plan.runs {
            let words = ["memory=128", "extra=console=hvc0", &disk];
            let (_, took) = self.create("linux", &artifacts::vmlinuz()?, &words)?;
            self.xm(&["destroy", "linux"])?;
            if run > 0 {
                row(rows, "create-linux").ours.push(took);
            }
        }
        Ok(())
    }

    /// Thirty guests for `list-30`; then the hundredth against the first, each the median of several.
    fn many(&self, plan: &Plan, rows: &mut [Row]) -> Result<()> {
        let idle = self.built.guests.tiny.join("idle");
        self.rest()?;
        let first = self.repeat_smallest(plan)?;
        for count in 0..MANY - 1 {
            if count == 30 {
                row(rows, "list-30").ours = self.times(&["xm", "list"], plan.runs * 4)?;
            }
            self.create(&format!("g{count}"), &idle, &["memory=16"])?;
        }
        self.rest()?;
        let hundredth = self.repeat_smallest(plan)?;
        if let (Some(first), Some(hundredth)) = (first.median(), hundredth.median()) {
            row(rows, "create-100th-over-first").ours = Samples::exact(hundredth / first);
        }
        Ok(())
    }

    /// Waits until the machine is idle. After boot Xen scrubs all free memory in the background; a guest that is given memory
    /// before that is through waits for its own to be scrubbed, which says nothing of how many guests there are.
    fn rest(&self) -> Result<()> {
        let status: Value = serde_json::from_str(&self.run(&["lab", "status", LAB, "--json"])?.stdout)?;
        let pid = status["pid"].as_i64().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let pid = pid.with_context(|| format!("no pid in {status}"))?;
        let deadline = Instant::now() + PATIENCE;
        let mut before = process::cpu_time(pid)?;
        while Instant::now() < deadline {
            std::thread::sleep(Duration::from_secs(1));
            let now = process::cpu_time(pid)?;
            if now - before < Duration::from_millis(50) {
                return Ok(());
            }
            before = now;
        }
        anyhow::bail!("the machine does not come to rest")
    }

    fn repeat_smallest(&self, plan: &Plan) -> Result<Samples> {
        (0..plan.runs * 4).map(|_| Ok(self.one_smallest()?.1)).collect()
    }

    /// What Xen accounts to domain 0, in bytes.
    fn dom0_memory(&self) -> Result<f64> {
        let done = self.xm(&["list", "--json", "Domain-0"])?;
        let list: Value = serde_json::from_str(&done.stdout).with_context(|| done.stdout.clone())?;
        let kib = list[0]["memory_kib"].as_f64().with_context(|| format!("no memory_kib in {list}"))?;
        Ok(kib * 1024.0)
    }
}

impl Drop for Lab<'_> {
    fn drop(&mut self) {
        // Whatever was measured, nothing of it may stay.
        let _ = self.run(&["lab", "down", LAB]);
    }
}

/// hostctl with these words, as a user would have it.
fn command(built: &Built, words: &[&str]) -> Command {
    let mut command = Command::new(&built.hostctl);
    command.args(words).env("HOSTCTL_CONNECT", format!("lab:{LAB}"));
    built.tell(&mut command);
    command
}

fn ms(done: &Done) -> f64 {
    done.took.as_secs_f64() * 1000.0
}
