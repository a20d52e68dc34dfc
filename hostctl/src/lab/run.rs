//! `lab run`: one guest in a lab of its own, its console on stdout, its end as the exit code.

use std::io;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use proto::domain::{Action, DomainRef, Ended, ShutdownReason};
use proto::endpoints::{DomainUnpause, DomainWait};
use serde_json::json;

use super::dir::{LabDir, LabName};
use super::down;
use super::up::{Lab, MachineFailed, Parts, how_it_ended, tails};
use crate::attach::Console;
use crate::build;
use crate::client::{CallError, Client, Event};
use crate::connect::Options;
use crate::exit;
use crate::log_lines::{LogLines, Text};
use crate::output::{Output, uuid_text};
use crate::xm::create::read_words;
use crate::xm::failure::Failure;

/// Boot one guest in a lab of its own, and print its console. Made for CI.
///
/// Exit code: 0 the guest powered off; 3 it crashed; 4 --timeout passed; 8 it rebooted; 7 it ended otherwise;
/// 6 the machine failed; 1 anything else. The guest's first end ends the run, whatever on_reboot and its like say.
#[derive(clap::Args, Debug)]
pub struct Run {
    #[command(flatten)]
    parts: Parts,
    /// The guest's configuration, and variables as for `xm create`: CONFIG [NAME=VALUE]...
    #[arg(required = true, value_name = "CONFIG [NAME=VALUE]", value_hint = clap::ValueHint::AnyPath)]
    words: Vec<String>,
}

/// The last output of a guest that ended may still be on its way for so long.
const LAST_WORDS: Duration = Duration::from_secs(1);
const SIGINT: i32 = rustix::process::Signal::INT.as_raw();

impl Run {
    /// Runs the command. The lab is gone when it returns.
    ///
    /// # Errors
    /// The configuration is wrong, or the lab cannot be started.
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<u8> {
        sweep();
        // Before anything is started: most mistakes are in here.
        let read =
            read_words(&self.words, out).and_then(|chosen| build::check(&chosen.settings).map(|()| chosen));
        let chosen = match read {
            Ok(chosen) => chosen,
            Err(Failure::Plain(text)) => bail!(text),
            Err(other) => bail!("{other:?}"),
        };
        let name = LabName::temporary();
        let started = Instant::now();
        let mut lab = match Lab::start(&name, &self.parts, Some(std::process::id()), options) {
            Ok(lab) => lab,
            Err(error) => return not_started(error, options, started, out),
        };
        let mut settings = chosen.settings;
        // A guest that starts again and again is no result.
        settings.on_poweroff = settings.on_poweroff.or(Some(Action::Destroy));
        settings.on_reboot = settings.on_reboot.or(Some(Action::Destroy));
        settings.on_crash = settings.on_crash.or(Some(Action::Destroy));
        if let Some(limit) = options.timeout {
            lab.client.limit(started, limit);
        }
        let result = watch(&mut lab.client, &settings, out);
        let code = match result {
            Ok(ended) => {
                out.flush()?;
                verdict(ended, out)?
            }
            Err(failure) => report(failure, lab.dir(), out),
        };
        drop(lab);
        Ok(code)
    }
}

fn not_started(error: anyhow::Error, options: &Options, started: Instant, out: &mut Output) -> Result<u8> {
    match error.downcast_ref::<CallError>() {
        Some(CallError::Interrupted(signal)) => return Ok(out.stopped(*signal)),
        Some(CallError::Protocol { .. }) => return Err(error),
        _ => {}
    }
    if options.timeout.is_some_and(|limit| started.elapsed() >= limit) {
        return Ok(out.fail(exit::TIMEOUT, &error.to_string()));
    }
    if error.is::<MachineFailed>() {
        return Ok(out.fail(exit::MACHINE, &error.to_string()));
    }
    Err(error)
}

/// Creates the guest, copies its console, and returns how it ended.
fn watch(
    client: &mut Client,
    settings: &xmcfg::settings::Settings,
    out: &mut Output,
) -> Result<Ended, Failure> {
    // Paused, so that its console is open before its first byte.
    let created = build::create(client, settings, true, out)?;
    let domain = uuid_text(&created.uuid);
    let refused = |error| Failure::domain(&settings.name, "watch", error);
    let console = Console::open(client, &domain, true)?.map_err(refused)?;
    let waiting = client.start::<DomainWait>(&DomainRef(domain.clone()))?;
    client.call::<DomainUnpause>(&DomainRef(domain))?.map_err(refused)?;
    let mut lines = LogLines::new(Text::Raw);
    loop {
        let event = client.event(None, None)?;
        if let Some(Ok(bytes)) = console.stream().bytes_of(&event) {
            lines.write(&bytes, out)?;
        } else if let Event::Answer(response) = event
            && let Some(ended) = client.answer(&waiting, response)?
        {
            console.stream().drain(client, &mut lines, out, Some(LAST_WORDS))?;
            return ended.map_err(refused);
        }
    }
}

/// Says how the guest ended, and gives the exit code for it.
fn verdict(ended: Ended, out: &mut Output) -> io::Result<u8> {
    let (code, text) = match ended {
        Ended::Shutdown(ShutdownReason::Poweroff) => (exit::OK, String::new()),
        Ended::Shutdown(ShutdownReason::Crash) => (exit::GUEST_CRASHED, "the guest crashed".into()),
        Ended::Shutdown(ShutdownReason::Reboot) => (exit::GUEST_REBOOTED, "the guest rebooted".into()),
        Ended::Shutdown(reason) => {
            (exit::GUEST_OTHER, format!("the guest ended: {}", crate::xm::list::reason(reason)))
        }
        Ended::Destroyed => (exit::GUEST_OTHER, "the guest was destroyed".into()),
    };
    if out.is_json {
        let word = match ended {
            Ended::Shutdown(reason) => crate::xm::list::reason(reason),
            Ended::Destroyed => "destroyed".into(),
        };
        out.json(&json!({ "ended": word, "code": code }))?;
        out.flush()?;
    } else if code != exit::OK {
        out.complain(&format!("hostctl: {text}"));
    }
    Ok(code)
}

/// Says what went wrong, and gives the exit code for it.
fn report(failure: Failure, dir: &LabDir, out: &mut Output) -> u8 {
    match failure {
        Failure::Plain(text) | Failure::WithUsage(text) | Failure::Hinted { text, .. } => {
            // The machine's own end is the better explanation.
            if dir.is_running() { out.fail(exit::FAILED, &text) } else { machine_failed(&text, dir, out) }
        }
        Failure::NoDomain(name) => out.fail(exit::GUEST_OTHER, &format!("Domain '{name}' does not exist.")),
        Failure::Code(exit::FAILED, text) => machine_failed(&text, dir, out),
        Failure::Code(code, text) => out.fail(code, &text),
        Failure::Silent(code) => code,
        Failure::Signal(signal) => out.stopped(signal),
        Failure::Interrupted => out.stopped(SIGINT),
        Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => exit::OK,
        Failure::Output(error) => out.fail(exit::FAILED, &error.to_string()),
    }
}

fn machine_failed(text: &str, dir: &LabDir, out: &mut Output) -> u8 {
    let ended = how_it_ended(dir);
    let why = if text.contains(&ended) { String::new() } else { format!(" ({ended})") };
    out.fail(exit::MACHINE, &format!("{text}{why}\n{}", tails(dir)))
}

/// Removes what runs before this one left when they were killed.
fn sweep() {
    for dir in LabDir::all() {
        let is_old_run = dir.name().is_temporary() && !dir.is_running();
        if is_old_run && let Ok(Some(_lock)) = dir.lock() {
            let _ = down::end(&dir, false);
        }
    }
}
