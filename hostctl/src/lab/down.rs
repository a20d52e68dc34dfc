//! `lab down`: ends a lab, by asking its control domain, else QEMU, else the system.

use std::fs::{self, OpenOptions};
use std::io;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap_complete::engine::ArgValueCandidates;
use proto::endpoints::HostHalt;
use rustix::fs::{FlockOperation, flock};
use serde_json::json;

use super::dir::{LabDir, LabName};
use super::process::Process;
use super::qmp;
use super::which::which;
use crate::client::Client;
use crate::complete;
use crate::connect::{Line, Options};
use crate::output::Output;

/// How long the control domain may take to halt the machine.
const ASK: Duration = Duration::from_millis(1500);
/// How long QEMU may take to end when told so.
const TELL: Duration = Duration::from_secs(3);

/// End a lab.
///
/// The machine is halted and its directory removed. Its logs stay readable with `lab log`.
#[derive(clap::Args, Debug)]
pub struct Down {
    /// The lab; otherwise that of HOSTCTL_CONNECT, or the only one.
    #[arg(value_parser = LabName::parse, add = ArgValueCandidates::new(complete::labs))]
    name: Option<LabName>,
    /// All labs that there are.
    #[arg(long, conflicts_with = "name")]
    all: bool,
}

impl Down {
    /// Runs the command.
    ///
    /// # Errors
    /// There is no such lab, several could be meant, or it cannot be ended.
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<u8> {
        if self.all {
            for dir in LabDir::all() {
                end_told(&dir, out)?;
            }
            return Ok(crate::exit::OK);
        }
        let dir = LabDir::of(&which(self.name.as_ref(), options)?);
        if !dir.exists() {
            bail!("there is no lab '{}'{}", dir.name(), those_up());
        }
        end_told(&dir, out)?;
        Ok(crate::exit::OK)
    }
}

/// `; these are up: a, b`, for errors about a name.
pub(super) fn those_up() -> String {
    let names: Vec<String> = LabDir::running().iter().map(LabName::to_string).collect();
    if names.is_empty() { "; no lab is up".into() } else { format!("; these are up: {}", names.join(", ")) }
}

/// Ends a lab and says so.
fn end_told(dir: &LabDir, out: &mut Output) -> Result<()> {
    let was_running = dir.is_running();
    end_locked(dir)?;
    if out.is_json {
        out.json(&json!({ "name": dir.name(), "was": if was_running { "running" } else { "dead" } }))?;
    } else {
        let was = if was_running { "" } else { " (it was dead already)" };
        out.line(&format!("lab '{}' is down{was}", dir.name()))?;
    }
    Ok(())
}

fn end_locked(dir: &LabDir) -> Result<()> {
    let Some(_lock) = dir.lock()? else {
        bail!("lab '{}' is being started or ended by another command", dir.name());
    };
    end(dir, true)
}

/// Ends whatever runs of a lab and removes its directory. The caller holds the lab's lock.
///
/// `politely`: the control domain is asked first.
///
/// # Errors
/// A file cannot be removed.
pub(super) fn end(dir: &LabDir, politely: bool) -> Result<()> {
    if let Some(record) = dir.record() {
        if let Some(qemu) = record.qemu {
            end_qemu(dir, &qemu, politely);
        }
        // The keeper ends with QEMU; it may still be writing its note.
        if let Some(keeper) = record.keeper {
            let _ = keeper.wait(TELL);
        }
    }
    wait_for_broker(dir);
    if dir.name().is_temporary() {
        // Nobody will ask for this name again: nothing of it stays.
        let _ = fs::remove_file(dir.lock_path());
    } else {
        keep_logs(dir);
    }
    match fs::remove_dir_all(dir.path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.path().display()))
        }
        _ => Ok(()),
    }
}

fn end_qemu(dir: &LabDir, qemu: &Process, politely: bool) {
    let ended = |limit| qemu.wait(limit).unwrap_or(false);
    if !qemu.is_alive() {
        return;
    }
    if politely && ask(dir) && ended(ASK) {
        return;
    }
    if qmp::quit(&dir.qmp_socket(), TELL).is_ok() && ended(TELL) {
        return;
    }
    qemu.kill();
    ended(TELL);
}

/// Asks the control domain to halt the machine; true when it was told, which ends the line.
fn ask(dir: &LabDir) -> bool {
    let options = Options { connect: None, timeout: Some(ASK), verbose: false };
    let Ok(mut client) = Client::to(Line::Lab(dir.name().clone()), &options, ASK) else { return false };
    match client.call::<HostHalt>(&0) {
        Ok(answer) => answer.is_ok(),
        Err(error) => error.is_machine(),
    }
}

/// The broker ends with the line; its lock says when.
fn wait_for_broker(dir: &LabDir) {
    if let Ok(lock) = OpenOptions::new().read(true).write(true).open(dir.file("broker.lock")) {
        for _ in 0..200 {
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Keeps the logs of the last lab of each name. Best effort: they are a help, not a promise.
fn keep_logs(dir: &LabDir) {
    let kept = dir.old_logs();
    let _ = fs::remove_dir_all(&kept);
    if crate::dirs::make_private(&kept).is_err() {
        return;
    }
    for name in ["xen.log", "qemu.log", "broker.log", "lab.json", "exit.json"] {
        let _ = fs::rename(dir.file(name), kept.join(name));
    }
}
