//! `lab status` and `lab list`: what a lab is made of, and whether it lives.

use std::time::Duration;

use anyhow::{Result, bail};
use clap_complete::engine::ArgValueCandidates;
use proto::endpoints::Hello;
use serde_json::{Value, json};

use super::dir::{LabDir, LabName, Record};
use super::down::those_up;
use super::which::which;
use crate::client::Client;
use crate::complete;
use crate::connect::{Line, Options};
use crate::output::Output;

/// Show a lab: its process, versions, logs and sockets.
///
/// Exit code: 0 it runs; 1 there is no such lab; 6 it is dead.
#[derive(clap::Args, Debug)]
pub struct Status {
    /// The lab; otherwise that of HOSTCTL_CONNECT, or the only one.
    #[arg(value_parser = LabName::parse, add = ArgValueCandidates::new(complete::labs))]
    name: Option<LabName>,
}

/// List the labs of this user.
#[derive(clap::Args, Debug)]
pub struct List;

/// How long the control domain may take to say its version.
const PATIENCE: Duration = Duration::from_secs(2);

impl Status {
    /// Runs the command.
    ///
    /// # Errors
    /// There is no such lab, or several could be meant.
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<u8> {
        let dir = LabDir::of(&which(self.name.as_ref(), options)?);
        let Some(record) = dir.record() else {
            bail!("there is no lab '{}'{}", dir.name(), those_up());
        };
        let is_running = dir.is_running();
        let status = describe(&dir, &record, is_running);
        if out.is_json {
            out.json(&status)?;
        } else {
            print(&status, out)?;
        }
        Ok(if is_running { crate::exit::OK } else { crate::exit::MACHINE })
    }
}

/// The lab as an object; docs/labs.md says what each member is.
fn describe(dir: &LabDir, record: &Record, is_running: bool) -> Value {
    let greeting = is_running.then(|| greeting(dir)).flatten();
    let ending = dir.ending();
    json!({
        "name": record.name,
        "state": if is_running { "running" } else { "dead" },
        "reason": (!is_running).then(|| ending.map_or("QEMU was killed".into(), |ending| ending.meaning())),
        "qemu_status": ending.and_then(|ending| ending.status),
        "qemu_signal": ending.and_then(|ending| ending.signal),
        "pid": record.qemu.map(|qemu| qemu.pid),
        "created": record.created,
        "version": greeting.as_ref().map(|greeting| greeting.version.clone()),
        "xen_version": greeting.as_ref().map(|greeting| greeting.xen.clone()),
        "boot_id": greeting.as_ref().map(|greeting| format!("{:016x}", greeting.boot_id)),
        "uptime_ms": greeting.as_ref().map(|greeting| greeting.uptime_ms),
        "xen": record.xen,
        "xen_file": record.xen_file,
        "kernel": record.kernel,
        "bundle": record.bundle,
        "iommu": record.iommu,
        "memory_mib": record.memory_mib,
        "dom0_memory_mib": record.dom0_memory_mib,
        "cpus": record.cpus,
        "directory": dir.path(),
        "xen_log": dir.xen_log(),
        "qemu_log": dir.qemu_log(),
        "broker_log": dir.broker_log(),
        "serial_socket": dir.serial_socket(),
        "qmp_socket": dir.qmp_socket(),
        "broker_socket": dir.file("broker.sock"),
        "shared_memory": dir.shared_memory(),
        "command": record.command,
    })
}

/// What the control domain says of itself now. The broker's welcome would be as old as the broker, and the control domain
/// may be silent since.
fn greeting(dir: &LabDir) -> Option<proto::host::Greeting> {
    let options = Options { connect: None, timeout: Some(PATIENCE), verbose: false };
    let mut client = Client::to(Line::Lab(dir.name().clone()), &options, PATIENCE).ok()?;
    client.call::<Hello>(&()).ok()
}

fn print(status: &Value, out: &mut Output) -> Result<()> {
    for (key, value) in status.as_object().into_iter().flatten() {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
            other => other.to_string(),
        };
        out.line(&format!("{key:<16}: {text}"))?;
    }
    Ok(())
}

impl List {
    /// Runs the command.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn run(&self, out: &mut Output) -> Result<u8> {
        let labs: Vec<Value> = LabDir::all()
            .iter()
            .map(|dir| {
                let record = dir.record();
                json!({
                    "name": dir.name(),
                    "state": if dir.is_running() { "running" } else { "dead" },
                    "pid": record.as_ref().and_then(|record| record.qemu).map(|qemu| qemu.pid),
                    "xen": record.as_ref().map(|record| record.xen.clone()),
                    "memory_mib": record.as_ref().map(|record| record.memory_mib),
                })
            })
            .collect();
        if out.is_json {
            out.json(&Value::Array(labs))?;
            return Ok(crate::exit::OK);
        }
        out.line(&format!("{:<24} {:<8} {:>8} {:>6} {}", "Name", "State", "PID", "Mem", "Xen"))?;
        for lab in &labs {
            let text = |key: &str| match &lab[key] {
                Value::Null => "-".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            out.line(&format!(
                "{:<24} {:<8} {:>8} {:>6} {}",
                text("name"),
                text("state"),
                text("pid"),
                text("memory_mib"),
                text("xen")
            ))?;
        }
        Ok(crate::exit::OK)
    }
}
