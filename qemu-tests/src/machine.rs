//! One machine: QEMU, Xen, the kernel as its domain 0, and `hostctl` to command it.
//!
//! A machine has a runtime directory of its own, so that it sees no other lab and no other sees it. Everything that it
//! started is gone when it is dropped, whatever happened.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::artifacts;
use crate::console::{Console, tail};
use crate::process::{self, Done, Running};

/// The longest that an ordinary command may take.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The longest that a Linux guest may take to come up, on a busy machine.
pub const LINUX_PATIENCE: Duration = Duration::from_secs(120);
/// How much of each log an error shows, in bytes.
const TAIL: usize = 1500;

/// Which machine to boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boot {
    /// `4.17`, `4.20` or `full`.
    pub xen: &'static str,
    /// With an emulated IOMMU.
    pub iommu: bool,
    /// All of its memory, in MiB.
    pub memory_mib: u32,
    /// Its processors.
    pub cpus: u32,
    /// Xen's scheduler, where not its own choice.
    pub sched: Option<&'static str>,
}

impl Boot {
    /// Xen 4.17 without an IOMMU.
    pub const PLAIN: Self = Self { xen: "4.17", iommu: false, memory_mib: 512, cpus: 1, sched: None };
    /// Xen 4.20 with an IOMMU.
    pub const OTHER: Self = Self { xen: "4.20", iommu: true, ..Self::PLAIN };
    /// The Xen of `cargo xtask xen-full`, for what Debian's has not: schedulers, security modules.
    pub const FULL: Self = Self { xen: "full", ..Self::PLAIN };

    /// This on the Xen that `NANODOM_TEST_XEN` names, if it is set: the same promises by hand on another release. What needs
    /// the full Xen stays there.
    ///
    /// # Errors
    /// It names no Xen that labs know.
    pub fn asked_for(self) -> Result<Self> {
        match std::env::var("NANODOM_TEST_XEN").as_deref() {
            Err(_) | Ok("") => Ok(self),
            Ok("4.17" | "4.20" | "full") if self.xen == "full" => Ok(self),
            Ok("4.17") => Ok(Self { xen: "4.17", ..self }),
            Ok("4.20") => Ok(Self { xen: "4.20", ..self }),
            Ok("full") => Ok(Self { xen: "full", ..self }),
            Ok(other) => bail!("NANODOM_TEST_XEN is {other}: 4.17, 4.20 and full are possible"),
        }
    }

    /// This with so much memory.
    pub const fn memory(self, memory_mib: u32) -> Self {
        Self { memory_mib, ..self }
    }

    /// This with so many processors.
    pub const fn cpus(self, cpus: u32) -> Self {
        Self { cpus, ..self }
    }

    /// This with that scheduler.
    pub const fn sched(self, sched: &'static str) -> Self {
        Self { sched: Some(sched), ..self }
    }
}

/// What makes a machine another one, for the names of tests.
impl std::fmt::Display for Boot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Xen {} {} IOMMU", self.xen, if self.iommu { "with" } else { "without" })?;
        if let Some(sched) = self.sched {
            write!(f, ", {sched}")?;
        }
        if self.cpus > 1 {
            write!(f, ", {} processors", self.cpus)?;
        }
        Ok(())
    }
}

/// A machine that is up.
pub struct Machine {
    hostctl: PathBuf,
    name: String,
    runtime: PathBuf,
    /// From `lab up` until it returned.
    pub boot_time: Duration,
}

impl Machine {
    /// Boots a machine.
    ///
    /// # Errors
    /// A part is missing, or the machine does not come up; says what its logs say.
    pub fn boot(boot: Boot) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        artifacts::check_installed()?;
        let hostctl = artifacts::named(artifacts::HOSTCTL)?;
        // Unique on this computer, and short: the sockets' paths have to be.
        let name = format!("t{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let runtime = std::env::temp_dir().join(format!("nanodom-{name}"));
        std::fs::create_dir_all(&runtime).with_context(|| format!("{}", runtime.display()))?;
        let mut machine = Self { hostctl, name, runtime, boot_time: Duration::ZERO };
        let (memory, cpus) = (boot.memory_mib.to_string(), boot.cpus.to_string());
        let mut words = vec!["lab", "up", "--name", machine.name.as_str(), "--xen", boot.xen];
        words.extend(["--memory", &memory, "--cpus", &cpus]);
        if boot.iommu {
            words.push("--iommu");
        }
        if let Some(sched) = boot.sched {
            words.extend(["--sched", sched]);
        }
        let done = process::run(&mut machine.hostctl(&words), PATIENCE)?;
        machine.boot_time = done.took;
        if let Err(error) = done.ok() {
            bail!("{error:#}{}", machine.logs());
        }
        Ok(machine)
    }

    /// The lab's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `hostctl` with these words, told which machine is meant.
    pub fn hostctl(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.hostctl);
        command.args(words);
        command.env("XDG_RUNTIME_DIR", &self.runtime).env("HOSTCTL_CONNECT", format!("lab:{}", self.name));
        command.env("HOSTCTL_DUMP_DIR", self.dumps());
        command
    }

    /// Where dumps go that nobody named a file for.
    pub fn dumps(&self) -> PathBuf {
        self.runtime.join("dumps")
    }

    /// Runs `hostctl xm` with these words to its end, whatever that is.
    ///
    /// # Errors
    /// It cannot be started or does not end.
    pub fn xm(&self, words: &[&str]) -> Result<Done> {
        process::run(&mut self.xm_command(words), PATIENCE)
    }

    /// `hostctl xm` with these words.
    pub fn xm_command(&self, words: &[&str]) -> Command {
        let mut command = self.hostctl(&["xm"]);
        command.args(words);
        command
    }

    /// Starts `hostctl xm` with these words.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_xm(&self, words: &[&str]) -> Result<Running> {
        Running::start(&mut self.xm_command(words))
    }

    /// What `hostctl xm WORDS --json` prints.
    ///
    /// # Errors
    /// It fails, or prints something else.
    pub fn xm_json(&self, words: &[&str]) -> Result<Value> {
        let text = self.xm(&[words, &["--json"]].concat())?.ok()?;
        serde_json::from_str(&text).with_context(|| format!("xm {}: {text}", words.join(" ")))
    }

    /// What `hostctl lab status --json` prints of this machine.
    ///
    /// # Errors
    /// It fails, or prints something else.
    pub fn status(&self) -> Result<Value> {
        let text =
            process::run(&mut self.hostctl(&["lab", "status", "--json", &self.name]), PATIENCE)?.ok()?;
        serde_json::from_str(&text).with_context(|| format!("lab status: {text}"))
    }

    /// QEMU's process.
    ///
    /// # Errors
    /// The lab's status does not name it.
    pub fn qemu(&self) -> Result<Pid> {
        let status = self.status()?;
        status["pid"]
            .as_i64()
            .and_then(|number| i32::try_from(number).ok())
            .and_then(Pid::from_raw)
            .with_context(|| format!("no process in {status}"))
    }

    /// The names of all domains but domain 0.
    ///
    /// # Errors
    /// `xm list` fails.
    pub fn domains(&self) -> Result<Vec<String>> {
        let text = self.xm(&["list"])?.ok()?;
        let names = text.lines().skip(1).filter_map(|line| line.split_whitespace().next());
        Ok(names.filter(|name| *name != "Domain-0").map(str::to_owned).collect())
    }

    /// The six state letters of a domain, as `-b----`; `None` where there is no such domain.
    ///
    /// # Errors
    /// `xm list` fails.
    pub fn state(&self, domain: &str) -> Result<Option<String>> {
        let text = self.xm(&["list"])?.ok()?;
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(domain));
        Ok(line.and_then(|line| line.split_whitespace().nth(4)).map(str::to_owned))
    }

    /// Waits until a domain's state is as wanted.
    ///
    /// # Errors
    /// It is not within the time.
    pub fn wait_state(
        &self,
        domain: &str,
        limit: Duration,
        wanted: impl Fn(Option<&str>) -> bool,
    ) -> Result<Option<String>> {
        let deadline = Instant::now() + limit;
        loop {
            let state = self.state(domain)?;
            if wanted(state.as_deref()) {
                return Ok(state);
            }
            if Instant::now() >= deadline {
                bail!("{domain} is {state:?} after {} s", limit.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Memory that no guest has, in KiB: what is free and what domain 0 has, where images are cached. What a domain
    /// took is back when this is as before.
    ///
    /// # Errors
    /// `xm info` or `xm list` fails or does not tell.
    pub fn unused_kib(&self) -> Result<u64> {
        unused_kib(&self.xm_json(&["info"])?, &self.xm_json(&["list", "Domain-0"])?)
    }

    /// Creates a domain from words `name=value`; waits until `xm create` returns.
    ///
    /// # Errors
    /// It was not created.
    pub fn create(&self, name: &str, kernel: &Path, words: &[&str]) -> Result<Done> {
        self.create_by(name, kernel, words)?.with_code(0)
    }

    /// As [`Machine::create`], whatever comes of it.
    ///
    /// # Errors
    /// The command cannot be started or does not end.
    pub fn create_by(&self, name: &str, kernel: &Path, words: &[&str]) -> Result<Done> {
        let name = format!("name={name}");
        let kernel = format!("kernel={}", kernel.display());
        // No configuration file: all of it is on the command line.
        let all = [&["create", "-q", "/dev/null", &name, &kernel], words].concat();
        process::run(&mut self.xm_command(&all), PATIENCE)
    }

    /// Attaches to a domain's console.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn console(&self, domain: &str) -> Result<Console> {
        Console::attach(&mut self.xm_command(&["console", domain]))
    }

    /// Destroys a domain.
    ///
    /// # Errors
    /// It was not destroyed.
    pub fn destroy(&self, domain: &str) -> Result<()> {
        self.xm(&["destroy", domain])?.ok().map(drop)
    }

    /// Takes the machine down in good order.
    ///
    /// # Errors
    /// It does not go.
    pub fn down(self) -> Result<()> {
        process::run(&mut self.hostctl(&["lab", "down", &self.name]), PATIENCE)?.ok().map(drop)
    }

    /// The tails of the machine's logs, for an error.
    pub fn logs(&self) -> String {
        let directory = self.directory();
        let mut text = String::new();
        for name in ["xen.log", "qemu.log", "broker.log"] {
            if let Ok(log) = std::fs::read(directory.join(name)) {
                let log = String::from_utf8_lossy(&log);
                text.push_str(&format!("\n--- {name} ---\n{}", tail(&log, TAIL)));
            }
        }
        text
    }

    fn directory(&self) -> PathBuf {
        self.runtime.join("nanodom/labs").join(&self.name)
    }

    /// Has hostctl not find the memory that it shares with the machine: everything goes over the line until the guard is dropped.
    ///
    /// # Errors
    /// There is no such file.
    pub fn hide_shared_memory(&self) -> Result<Hidden> {
        let file = self.directory().join("shm");
        let aside = file.with_extension("aside");
        std::fs::rename(&file, &aside).with_context(|| format!("{}", file.display()))?;
        Ok(Hidden { file, aside })
    }

    /// The processes that the lab's record names.
    fn processes(&self) -> Vec<Pid> {
        let record = std::fs::read(self.directory().join("lab.json")).unwrap_or_default();
        let record: Value = serde_json::from_slice(&record).unwrap_or_default();
        ["qemu", "keeper"]
            .iter()
            .filter_map(|name| record[*name]["pid"].as_i64())
            .filter_map(|number| Pid::from_raw(i32::try_from(number).ok()?))
            .collect()
    }
}

/// A file that is elsewhere; back again when this is dropped.
#[derive(Debug)]
pub struct Hidden {
    file: PathBuf,
    aside: PathBuf,
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Where it is not found again, the next trial says so.
        let _ = std::fs::rename(&self.aside, &self.file);
    }
}

/// As [`Machine::unused_kib`], from what `xm info --json` and `xm list --json Domain-0` print.
///
/// # Errors
/// A number is missing.
pub fn unused_kib(info: &Value, control_domain: &Value) -> Result<u64> {
    let free = info["free_memory_kib"].as_u64().with_context(|| format!("no free_memory_kib in {info}"))?;
    let own = control_domain[0]["memory_kib"].as_u64();
    Ok(free + own.with_context(|| format!("no memory_kib in {control_domain}"))?)
}

impl Drop for Machine {
    fn drop(&mut self) {
        let processes = self.processes();
        let down = process::run(&mut self.hostctl(&["lab", "down", &self.name]), PATIENCE);
        if !down.is_ok_and(|done| done.code == Some(0)) {
            // It was down already, or does not obey: its processes must go in any case.
            for process in processes {
                let _ = kill_process(process, Signal::KILL);
            }
        }
        // It lies in the system's temporary directory: nothing is lost where that fails.
        let _ = std::fs::remove_dir_all(&self.runtime);
    }
}
