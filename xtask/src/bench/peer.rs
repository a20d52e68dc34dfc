//! The peer: Debian's Linux domain 0 with xl and the C xenstored, in the same QEMU on the same Xen.

mod initramfs;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use qemu_tests::artifacts;

use self::initramfs::Initramfs;
use super::Plan;
use super::stats::Samples;
use crate::build::{Guests, write_if_new};
use crate::{paths, sh};

/// * `-smap`: QEMU before 9.1 takes the frame of an IRET to user mode for an access of the supervisor's, which kills
///   a PV domain 0.
/// * `-rdtscp`: QEMU reports an intercepted RDTSCP as RDTSC, which a guest with an emulated clock does not survive.
/// * `-avx`...: a C library's AVX code was seen to fault in a PVH domain 0.
const CPU: &str = "max,-smap,-rdtscp,-avx,-avx2,-f16c,-fma";

/// The longest that one boot, with what is measured in it, may take.
const DEADLINE: Duration = Duration::from_secs(1200);
/// The most boots, since each takes ten seconds and more.
const BOOTS: u32 = 3;
/// The mark behind the first `xl list`.
pub(super) const FIRST_LIST: &str = "first-list";
/// The last mark.
const END: &str = "end";

/// How domain 0 runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// As most installations have it.
    Pv,
    /// As our kernel runs.
    Pvh,
}

/// What was measured, by label.
#[derive(Default)]
pub(super) struct Measured {
    samples: BTreeMap<String, Samples>,
    /// What the peer complained of.
    pub(super) notes: Vec<String>,
}

impl Measured {
    /// The samples under a label; empty where it was not measured.
    pub(super) fn get(&self, label: &str) -> Samples {
        self.samples.get(label).cloned().unwrap_or_default()
    }

    fn add(&mut self, label: &str, value: f64) {
        self.samples.entry(label.to_owned()).or_default().push(value);
    }

    /// Takes one line of the peer's console, which came so long after QEMU's start. Returns the label of a mark.
    fn line<'a>(&mut self, line: &'a str, at: Duration) -> Option<&'a str> {
        let (_, line) = line.split_once('@')?;
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["mark", label] => {
                self.add(label, at.as_secs_f64());
                return Some(label);
            }
            ["value", label, value] => match value.parse() {
                Ok(value) => self.add(label, value),
                Err(_) => self.notes.push(line.to_owned()),
            },
            ["time", label, ms, "0"] => match ms.parse() {
                Ok(ms) => self.add(label, ms),
                Err(_) => self.notes.push(line.to_owned()),
            },
            ["time" | "note", ..] => self.notes.push(line.to_owned()),
            _ => {}
        }
        None
    }
}

/// The peer's parts on disk.
pub(super) struct Peer {
    xen: PathBuf,
    linux: PathBuf,
    initramfs: PathBuf,
    image_size: u64,
}

impl Peer {
    /// Assembles everything.
    ///
    /// # Errors
    /// A part is missing.
    pub(super) fn assemble(guests: &Guests) -> Result<Self> {
        let made = paths::made()?.join("peer");
        std::fs::create_dir_all(&made)?;
        let xen = made.join("xen-4.17");
        write_if_new(&xen, &gunzip(Path::new(artifacts::XEN_4_17))?)?;
        let linux = artifacts::vmlinuz()?;

        // Its size counts without what only the measurement needs, and packed, as installations have it.
        let bare = made.join("toolstack.cpio");
        write_if_new(&bare, &Initramfs::toolstack()?.finish())?;
        let packed =
            Command::new("gzip").args(["-9", "-c"]).arg(&bare).output().context("gzip")?.stdout.len();
        let image_size = linux.metadata()?.len() + packed as u64;

        let mut image = Initramfs::toolstack()?;
        image.text("init", include_str!("peer/init.sh"));
        image.text("measure.sh", include_str!("peer/measure.sh"));
        image.program(&build_timer()?, "bin/peer-timer")?;
        image.program(Path::new("/usr/bin/strace"), "bin/strace")?;
        image.file(&guests.tiny.join("idle"), "guests/idle")?;
        image.file(&linux, "guests/vmlinuz")?;
        image.file(&guests.ramdisk, "guests/ramdisk")?;
        let initramfs = made.join("initramfs.cpio");
        write_if_new(&initramfs, &image.finish())?;
        Ok(Self { xen, linux, initramfs, image_size })
    }

    /// The size of Linux and the packed toolstack, in bytes.
    pub(super) fn image_size(&self) -> u64 {
        self.image_size
    }

    /// Boots it a few times, and measures in the last one.
    ///
    /// # Errors
    /// QEMU does not start, or the measurement does not come to its end.
    pub(super) fn measure(&self, kind: Kind, plan: &Plan) -> Result<Measured> {
        let mut measured = Measured::default();
        for _ in 1..plan.runs.min(BOOTS) {
            self.session(kind, plan, FIRST_LIST, &mut measured)?;
        }
        self.session(kind, plan, END, &mut measured)?;
        Ok(measured)
    }

    /// Boots it, takes what it says until the mark `last`, and ends it.
    fn session(&self, kind: Kind, plan: &Plan, last: &str, measured: &mut Measured) -> Result<()> {
        let name = if kind == Kind::Pv { "pv" } else { "pvh" };
        let path = paths::made()?.join(format!("peer/{name}-{last}.log"));
        let mut log = std::fs::File::create(&path).with_context(|| format!("{}", path.display()))?;
        let mut command = self.qemu(kind, plan);
        let start = Instant::now();
        let mut qemu = Qemu(command.spawn().with_context(|| format!("cannot run {}", sh::shown(&command)))?);
        let lines = stamped_lines(qemu.0.stdout.take().context("QEMU's output is a pipe")?, start);
        loop {
            let left = DEADLINE.saturating_sub(start.elapsed());
            let Ok((at, line)) = lines.recv_timeout(left) else {
                bail!("the peer did not come to its mark `{last}`; its console is in {}", path.display());
            };
            writeln!(log, "{:9.3} {}", at.as_secs_f64(), line.trim_end())?;
            if measured.line(&line, at) == Some(last) {
                return Ok(());
            }
        }
    }

    fn qemu(&self, kind: Kind, plan: &Plan) -> Command {
        let mut xen = "console=com1 noreboot dom0_mem=700M,max:700M".to_owned();
        let mut linux = format!(
            "console=hvc0 quiet peer.runs={} peer.guests={}",
            plan.runs,
            if plan.is_quick { 31 } else { 100 }
        );
        if kind == Kind::Pvh {
            // Without an IOMMU it cannot read the firmware's ACPI tables; and the clock's calibration takes 18 s.
            xen.push_str(" dom0=pvh dom0-iommu=none");
            linux.push_str(" acpi=off tsc_early_khz=2600000");
        }
        let mut command = Command::new(artifacts::QEMU);
        command.args(["-accel", "tcg", "-cpu", CPU, "-smp", "1", "-m", "3072", "-no-reboot"]);
        command.args(["-display", "none", "-monitor", "none", "-serial", "stdio"]);
        command.arg("-kernel").arg(&self.xen).args(["-append", &xen]);
        command.arg("-initrd").arg(format!("{} {linux},{}", self.linux.display(), self.initramfs.display()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        command
    }
}

/// A running QEMU, killed when dropped.
struct Qemu(Child);

impl Drop for Qemu {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn build_timer() -> Result<PathBuf> {
    sh::run(sh::cargo().args(["build", "--quiet", "--release", "-p", "xtask", "--bin", "peer-timer"]))?;
    Ok(paths::target()?.join("release/peer-timer"))
}

fn gunzip(path: &Path) -> Result<Vec<u8>> {
    let output = Command::new("gzip").args(["-d", "-c"]).arg(path).output().context("gzip")?;
    if !output.status.success() {
        bail!("{}: {}", path.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

/// The lines of a console, each with its time since `start`.
fn stamped_lines(console: ChildStdout, start: Instant) -> mpsc::Receiver<(Duration, String)> {
    let (lines, received) = mpsc::channel();
    // Ends with QEMU, whose output it reads.
    std::thread::spawn(move || {
        for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if lines.send((start.elapsed(), line)).is_err() {
                break;
            }
        }
    });
    received
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_that_succeeded_count() {
        let mut measured = Measured::default();
        let at = Duration::from_secs(3);
        for line in
            ["@mark first-list", "(XEN) [x] @time list 12.5 0\r", "@time list 99.0 1", "@note list: no"]
        {
            assert_ne!(measured.line(line, at), Some(END));
        }
        assert_eq!(measured.get("first-list").median(), Some(3.0));
        assert_eq!(measured.get("list").median(), Some(12.5));
        assert_eq!(measured.notes, ["time list 99.0 1", "note list: no"]);
        assert_eq!(measured.line("@mark end", at), Some(END));
    }
}
