//! `lab up`: starts a lab, and returns when its control domain has answered.

use std::fs;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use proto::endpoints::Host;
use serde_json::json;

use super::dir::{LabDir, LabName, Record};
use super::qemu::Machine;
use super::{down, files};
use crate::broker::start::another_self;
use crate::client::{CallError, Client};
use crate::connect::{Line, Options};
use crate::dirs;
use crate::output::{Output, visible};
use crate::xm::failure::xen_text;

/// What a lab is made of.
#[derive(clap::Args, Clone, Debug)]
pub struct Parts {
    /// The hypervisor: 4.17, 4.20, full (one with all schedulers and security modules, built by 'cargo xtask xen-full') or a file.
    #[arg(long, value_name = "4.17|4.20|full|FILE", default_value = "4.17")]
    xen: String,
    /// The scheduler of all processors, where not Xen's own choice: Debian's Xen has credit and credit2, the full one all.
    #[arg(long)]
    sched: Option<Sched>,
    /// Give the machine an emulated IOMMU, and let Xen use it.
    #[arg(long)]
    iommu: bool,
    /// The machine's memory in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(64..))]
    memory: u32,
    /// The control domain's memory in MiB, without that for the bundle.
    #[arg(long, value_name = "MIB", default_value_t = 16, value_parser = clap::value_parser!(u32).range(4..))]
    dom0_memory: u32,
    /// The machine's processors.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    cpus: u32,
    /// A bundle of images: the control domain's boot module.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// The control domain's kernel. Otherwise NANODOM_KERNEL, beside hostctl, or in its target directory.
    #[arg(long, value_name = "FILE")]
    kernel: Option<PathBuf>,
    /// More words for Xen's command line.
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    xen_args: Option<String>,
    /// More words for the control domain's command line, such as log=debug.
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    kernel_args: Option<String>,
}

/// Xen's schedulers.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sched {
    /// The classic one, of weights and caps.
    Credit,
    /// Its successor, and Xen's own choice.
    Credit2,
    /// Real time: a budget in every period.
    Rtds,
    /// A processor for each virtual one.
    Null,
    /// A fixed table of times, for one processor.
    Arinc653,
}

impl Sched {
    /// As Xen calls it.
    fn word(self) -> &'static str {
        match self {
            Sched::Credit => "credit",
            Sched::Credit2 => "credit2",
            Sched::Rtds => "rtds",
            Sched::Null => "null",
            Sched::Arinc653 => "arinc653",
        }
    }
}

/// Start a lab: QEMU with Xen and a control domain.
///
/// Returns when the control domain has answered.
#[derive(clap::Args, Debug)]
pub struct Up {
    #[command(flatten)]
    parts: Parts,
    /// The lab's name; several labs run side by side.
    #[arg(long, default_value = super::which::DEFAULT, value_parser = LabName::parse)]
    name: LabName,
}

impl Up {
    /// Runs the command.
    ///
    /// # Errors
    /// Something is missing, the lab is up already, or its control domain does not answer; nothing is left of it.
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<u8> {
        if self.name.is_temporary() {
            bail!("labs called 'run-...' belong to 'lab run', which removes them; choose another --name");
        }
        let lab = Lab::start(&self.name, &self.parts, None, options)?;
        let (seconds, greeting) = (lab.seconds, lab.greeting.clone());
        lab.keep();
        if out.is_json {
            out.json(&json!({
                "name": self.name, "seconds": seconds, "version": greeting.version, "xen": greeting.xen,
            }))?;
        } else {
            out.line(&format!(
                "lab '{}' is up: nanodom {} on Xen {}, in {seconds:.2} s",
                self.name, greeting.version, greeting.xen
            ))?;
        }
        Ok(crate::exit::OK)
    }
}

/// A lab that was started; taken down when dropped, unless it is to be kept.
pub struct Lab {
    dir: LabDir,
    _lock: fs::File,
    /// The first connection.
    pub(super) client: Client,
    /// Who answered.
    pub(super) greeting: proto::host::Greeting,
    /// How long it took from start to first answer.
    pub(super) seconds: f64,
    is_kept: bool,
}

/// The machine failed, not hostctl: QEMU ended or the control domain is silent.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MachineFailed(pub String);

/// How long the first answer may take where `--timeout` does not say.
const FIRST_ANSWER: Duration = Duration::from_secs(60);

impl Lab {
    /// Starts a lab and waits for its first answer. With `parent`, it ends when that process does.
    ///
    /// # Errors
    /// Something is missing, the name is taken, or the machine fails ([`MachineFailed`], with the logs' ends).
    pub fn start(name: &LabName, parts: &Parts, parent: Option<u32>, options: &Options) -> Result<Lab> {
        let start = Instant::now();
        let record = parts.record(name)?;
        let dir = LabDir::of(name);
        let Some(lock) = dir.lock().context("cannot make the directory of labs")? else {
            bail!("another command is starting or ending lab '{name}' at this moment");
        };
        if dir.is_running() {
            bail!("lab '{name}' is up already; 'hostctl lab down {name}' ends it, --name starts another");
        }
        // What is left of a dead one.
        down::end(&dir, false)?;
        let started = make(&dir, &record)
            .and_then(|()| spawn_keeper(name, parent))
            .and_then(|keeper| first_answer(&dir, keeper, options));
        match started {
            Ok(mut client) => {
                let greeting = client.welcome()?.greeting.clone();
                let seconds = start.elapsed().as_secs_f64();
                let mut lab = Lab { dir, _lock: lock, client, greeting, seconds, is_kept: false };
                if let Some(sched) = parts.sched {
                    lab.check_scheduler(sched)?;
                }
                Ok(lab)
            }
            Err(error) => {
                let logs = if error.is::<MachineFailed>() { tails(&dir) } else { String::new() };
                let _ = down::end(&dir, false);
                if logs.is_empty() {
                    Err(error)
                } else {
                    Err(MachineFailed(format!("{error}\n{logs}")).into())
                }
            }
        }
    }

    /// Xen goes on with another scheduler where it has not the one that it was told to use.
    fn check_scheduler(&mut self, wanted: Sched) -> Result<()> {
        let host = self.client.call::<Host>(&())?.map_err(|error| anyhow::anyhow!(xen_text(&error)))?;
        if host.xen_scheduler == wanted.word() {
            return Ok(());
        }
        bail!(
            "this Xen {} has no scheduler '{}' (it would run with {}); --xen full has all of them ('cargo xtask xen-full' \
             builds it)",
            self.greeting.xen,
            wanted.word(),
            host.xen_scheduler
        )
    }

    /// Leaves the lab running.
    pub fn keep(mut self) {
        self.is_kept = true;
    }

    /// The lab's directory.
    pub fn dir(&self) -> &LabDir {
        &self.dir
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !self.is_kept {
            // Nobody waits for the guests: QEMU is told directly.
            let _ = down::end(&self.dir, false);
        }
    }
}

impl Parts {
    /// Finds all files; nothing has been made yet when one is missing.
    fn record(&self, name: &LabName) -> Result<Record> {
        files::check_qemu()?;
        let xen_file = files::hypervisor(&self.xen)?;
        let kernel = files::kernel(self.kernel.as_deref())?;
        let (bundle, bundle_mib) = match &self.bundle {
            None => (None, 0),
            Some(path) => {
                let meta = fs::metadata(path).with_context(|| format!("no bundle {}", path.display()))?;
                (Some(std::path::absolute(path)?), u32::try_from(meta.len().div_ceil(1 << 20))?)
            }
        };
        let dom0_memory_mib = self.dom0_memory + bundle_mib;
        let machine = Machine {
            name: name.to_string(),
            memory_mib: self.memory,
            dom0_memory_mib,
            cpus: self.cpus,
            iommu: self.iommu,
            bundle: bundle.is_some(),
            sched: self.sched.map(Sched::word),
            xen_args: self.xen_args.clone(),
            kernel_args: self.kernel_args.clone(),
        };
        Ok(Record {
            name: name.clone(),
            qemu: None,
            keeper: None,
            created: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            xen: self.xen.clone(),
            xen_file,
            kernel,
            bundle,
            iommu: self.iommu,
            memory_mib: self.memory,
            dom0_memory_mib,
            cpus: self.cpus,
            command: machine.command(),
        })
    }
}

/// Makes the lab's directory.
fn make(dir: &LabDir, record: &Record) -> Result<()> {
    dirs::make_private(dir.path())?;
    symlink(&record.xen_file, dir.file("xen"))?;
    symlink(&record.kernel, dir.file("kernel"))?;
    if let Some(bundle) = &record.bundle {
        symlink(bundle, dir.file("bundle"))?;
    }
    dir.write_record(record)?;
    Ok(())
}

/// Starts QEMU's parent and waits until QEMU runs.
fn spawn_keeper(name: &LabName, parent: Option<u32>) -> Result<BufReader<ChildStdout>> {
    let mut command = another_self();
    command.args(["lab-keeper", &name.to_string()]);
    if let Some(parent) = parent {
        command.args(["--parent", &parent.to_string()]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // SAFETY: `setsid` is async-signal-safe and touches no memory of this process; the lab outlives the terminal.
    unsafe {
        command.pre_exec(|| Ok(rustix::process::setsid().map(drop)?));
    }
    let mut child = command.spawn().context("cannot start the lab's keeper")?;
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
    let mut answer = String::new();
    stdout.read_line(&mut answer)?;
    match answer.trim_end() {
        "ready" => Ok(stdout),
        "" => bail!("the lab's keeper died at its start"),
        reason => Err(MachineFailed(format!("the lab was not started: {reason}")).into()),
    }
}

/// Waits for the control domain's first word, or QEMU's end, at which `keeper` closes.
fn first_answer(dir: &LabDir, keeper: BufReader<ChildStdout>, options: &Options) -> Result<Client> {
    let patience = options.timeout.unwrap_or(FIRST_ANSWER);
    // The whole command's limit is this one's too; reported as the machine's silence, with its logs.
    let options = Options { timeout: None, ..options.clone() };
    let answer = Client::to(Line::Lab(dir.name().clone()), &options, patience).and_then(|mut client| {
        client.progress.begin(&format!("starting lab '{}'", dir.name()));
        let answered = client.welcome_unless(keeper.get_ref().as_fd())?.is_some();
        client.progress.end();
        Ok(answered.then_some(client))
    });
    match answer {
        Ok(Some(client)) => Ok(client),
        Ok(None) => {
            Err(MachineFailed(format!("the machine ended before it answered: {}", how_it_ended(dir))).into())
        }
        Err(error @ CallError::NoAnswer { .. }) => {
            Err(MachineFailed(format!("{error}; --timeout SECONDS gives it more time")).into())
        }
        Err(error) if error.is_machine() => {
            Err(MachineFailed(format!("{error} ({})", how_it_ended(dir))).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// What became of the lab's QEMU. The keeper notes its end in the moment after the line broke.
pub(crate) fn how_it_ended(dir: &LabDir) -> String {
    let Some(record) = dir.record() else { return "the lab was taken down".into() };
    // QEMU closes its sockets a moment before it is gone.
    let is_over = record.qemu.is_none_or(|qemu| qemu.wait(Duration::from_millis(300)).unwrap_or(false));
    if !is_over {
        return "QEMU still runs".into();
    }
    if let Some(keeper) = record.keeper {
        let _ = keeper.wait(Duration::from_secs(1));
    }
    dir.ending().map_or("QEMU was killed".into(), |ending| ending.meaning())
}

/// The last lines of QEMU's and of the machine's log.
pub(super) fn tails(dir: &LabDir) -> String {
    [("QEMU", dir.qemu_log()), ("the machine's console", dir.xen_log())]
        .iter()
        .filter_map(|(what, path)| Some((what, tail(path)?)))
        .map(|(what, text)| format!("--- the end of {what}:\n{text}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The last 25 lines of a file that may be long; none when it is empty.
fn tail(path: &Path) -> Option<String> {
    let mut file = fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(8192))).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&visible(&bytes)).replace('\r', "");
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    (!lines.is_empty()).then(|| lines[lines.len().saturating_sub(25)..].join("\n"))
}
