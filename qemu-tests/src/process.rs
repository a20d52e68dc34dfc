//! Child processes with deadlines: nothing here waits for ever, and nothing that was started outlives its handle.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// What a command did.
#[derive(Clone, Debug)]
pub struct Done {
    /// The command as a person would type it.
    pub command: String,
    /// Its exit status; `None` where a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

impl Done {
    /// What the command printed, given that it succeeded.
    ///
    /// # Errors
    /// It did not; says all that it printed.
    pub fn ok(self) -> Result<String> {
        self.with_code(0).map(|done| done.stdout)
    }

    /// This, given that the command ended with `code`.
    ///
    /// # Errors
    /// It ended otherwise; says all that it printed.
    pub fn with_code(self, code: i32) -> Result<Self> {
        if self.code != Some(code) {
            bail!("{self:#}: expected status {code}");
        }
        Ok(self)
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = self.code.map_or_else(|| "a signal".to_owned(), |code| format!("status {code}"));
        write!(f, "`{}` ended with {code} after {} ms", self.command, self.took.as_millis())?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if f.alternate() && !text.is_empty() {
                write!(f, "\n  {name}: {}", text.trim_end().replace('\n', "\n          "))?;
            }
        }
        Ok(())
    }
}

/// A pipe's bytes, gathered by a thread until the pipe closes.
#[derive(Clone, Default)]
pub(crate) struct Gathered(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    is_closed: bool,
}

impl Gathered {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let gathered = Self::default();
        let filled = gathered.clone();
        // Ends with the pipe, which the child's end closes.
        std::thread::spawn(move || {
            let mut block = [0; 4096];
            while let Ok(len @ 1..) = pipe.read(&mut block) {
                filled.lock().bytes.extend_from_slice(&block[..len]);
                filled.0.changed.notify_all();
            }
            filled.lock().is_closed = true;
            filled.0.changed.notify_all();
        });
        gathered
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while it is held leaves the bytes as good as they were.
        self.0.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// All bytes until now, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    /// Waits until `find` finds something in the bytes, the pipe closes or the time is over.
    pub(crate) fn wait<T>(&self, deadline: Instant, mut find: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(found) = find(&state.bytes) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.is_closed || left.is_zero() {
                return None;
            }
            state =
                self.0.changed.wait_timeout(state, left).unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    /// Waits until the pipe is closed.
    fn closed(&self, deadline: Instant) -> String {
        self.wait::<()>(deadline, |_| None);
        self.text()
    }
}

/// A command that is running; killed when dropped.
pub struct Running {
    command: String,
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) stdout: Gathered,
    stderr: Gathered,
    started: Instant,
}

impl Running {
    /// Starts a command.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        let shown = shown(command);
        let started = Instant::now();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot run `{shown}`"))?;
        Ok(Self {
            stdin: child.stdin.take(),
            stdout: Gathered::of(child.stdout.take().context("its output is a pipe")?),
            stderr: Gathered::of(child.stderr.take().context("its errors are a pipe")?),
            command: shown,
            child,
            started,
        })
    }

    /// Writes to its input.
    ///
    /// # Errors
    /// It is closed.
    pub fn type_in(&mut self, text: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("its input was closed")?;
        stdin
            .write_all(text.as_bytes())
            .and_then(|()| stdin.flush())
            .with_context(|| format!("`{}`", self.command))
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid()?, signal).with_context(|| format!("`{}`", self.command))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// The time is over; it is killed.
    pub fn finish(mut self, limit: Duration) -> Result<Done> {
        self.stdin = None;
        let deadline = Instant::now() + limit;
        let ended = pidfd_open(self.pid()?, PidfdFlags::empty())?;
        // Woken by the end itself: benchmarks rely on the time.
        while self.child.try_wait()?.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!(
                    "`{}` did not end within {} s\n  stdout: {}\n  stderr: {}",
                    self.command,
                    limit.as_secs(),
                    self.stdout.text(),
                    self.stderr.text()
                );
            }
            match poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&Timespec::try_from(left)?)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let took = self.started.elapsed();
        let status = self.child.wait()?;
        Ok(self.done(status, took))
    }

    fn done(&self, status: ExitStatus, took: Duration) -> Done {
        // A process that it left behind may hold the pipes open: what it said itself is there by then.
        let deadline = Instant::now() + Duration::from_millis(500);
        Done {
            command: self.command.clone(),
            code: status.code(),
            stdout: self.stdout.closed(deadline),
            stderr: self.stderr.closed(deadline),
            took,
        }
    }

    fn pid(&self) -> Result<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process has a number")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end.
///
/// # Errors
/// It cannot be started, or the time is over.
pub fn run(command: &mut Command, limit: Duration) -> Result<Done> {
    Running::start(command)?.finish(limit)
}

/// Processor time that a process has used, its own and the system's for it.
///
/// # Errors
/// There is no such process.
pub fn cpu_time(pid: Pid) -> Result<Duration> {
    let path = format!("/proc/{}/stat", pid.as_raw_nonzero());
    let stat = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    // Fields 14 and 15 of proc(5), in hundredths of a second. The second one, a name, may hold blanks and brackets.
    let (_, rest) = stat.rsplit_once(')').with_context(|| format!("{path}: {stat}"))?;
    let mut ticks = rest.split_whitespace().skip(11).map(str::parse::<u64>);
    match (ticks.next(), ticks.next()) {
        (Some(Ok(user)), Some(Ok(system))) => Ok(Duration::from_millis((user + system) * 10)),
        _ => bail!("{path}: {stat}"),
    }
}

/// A command as a person would type it.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(quoted).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        assert_eq!(shown(&sh("echo 'x'")), r"sh -c 'echo '\''x'\'''");
    }

    #[test]
    fn a_commands_output_status_and_errors_are_kept_apart() {
        let done = run(&mut sh("echo out; echo err >&2; exit 3"), Duration::from_secs(10)).unwrap();
        assert_eq!((done.code, done.stdout.as_str(), done.stderr.as_str()), (Some(3), "out\n", "err\n"));
        assert!(done.clone().ok().is_err() && done.with_code(3).is_ok());
    }

    #[test]
    fn processor_time_is_counted_and_that_of_nobody_is_an_error() {
        let own = rustix::process::getpid();
        let before = cpu_time(own).unwrap();
        // Ends because work takes time: however fast the machine, a tick passes.
        while cpu_time(own).unwrap() == before {}
        assert!(cpu_time(Pid::from_raw(i32::MAX).unwrap()).is_err());
    }

    #[test]
    fn a_command_that_does_not_end_is_killed_at_its_deadline() {
        let start = Instant::now();
        let error =
            run(&mut sh("echo so far; exec sleep 60"), Duration::from_millis(200)).unwrap_err().to_string();
        assert!(error.contains("so far"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}
