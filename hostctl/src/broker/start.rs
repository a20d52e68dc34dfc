//! Finding a line's broker, or starting one.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::ipc::GREETING;
use super::place::Place;
use crate::connect::Line;

/// How long a broker may take to return the greeting.
const GREETING_LIMIT: Duration = Duration::from_secs(5);

/// Connects to the line's broker; starts it if there is none.
///
/// # Errors
/// The line cannot be opened, or the broker not started; the text says which.
pub fn connect(line: &Line, place: &Place) -> io::Result<UnixStream> {
    let mut last = io::Error::other("it ends as soon as it is started");
    // More than one round is needed only when another broker starts or ends at the same moment.
    for attempt in 0..100 {
        match UnixStream::connect(&place.socket).and_then(|stream| greet(stream, place)) {
            Ok(stream) => return Ok(stream),
            Err(error) if is_passing(&error) => last = error,
            Err(error) => return Err(error),
        }
        if attempt > 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        spawn(line, place)?;
    }
    Err(last)
}

/// Exchanges greetings with a broker.
fn greet(mut stream: UnixStream, place: &Place) -> io::Result<UnixStream> {
    stream.set_read_timeout(Some(GREETING_LIMIT))?;
    stream.write_all(&GREETING)?;
    let mut theirs = [0; GREETING.len()];
    stream.read_exact(&mut theirs).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::other("it does not answer"),
        _ => error,
    })?;
    if theirs != GREETING {
        // It ends if it serves nobody else; then ours can take its place.
        return Err(io::Error::new(
            io::ErrorKind::ConnectionReset,
            format!(
                "it belongs to another build of hostctl and has clients; end those first (its log: {})",
                place.log.display()
            ),
        ));
    }
    Ok(stream)
}

/// There is no broker, or one that ends.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound, UnexpectedEof};
    matches!(error.kind(), NotFound | ConnectionRefused | ConnectionReset | BrokenPipe | UnexpectedEof)
}

/// Starts a broker, and waits until it serves, or another one is found to own the line.
fn spawn(line: &Line, place: &Place) -> io::Result<()> {
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&place.log)?;
    let mut command = another_self();
    command
        .args(["broker", "--line", &line.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log);
    // SAFETY: `setsid` is async-signal-safe and touches no memory of this process; it keeps the terminal's Ctrl-C and
    // hang-up from the broker.
    unsafe {
        command.pre_exec(|| rustix::process::setsid().map(drop).map_err(io::Error::from));
    }
    let mut child = command.spawn()?;
    let mut answer = String::new();
    let stdout = child.stdout.take().expect("stdout is a pipe");
    BufReader::new(stdout).read_line(&mut answer)?;
    match answer.trim_end() {
        "ready" | "taken" => Ok(()),
        "" => Err(io::Error::other(format!("the broker died at its start; see {}", place.log.display()))),
        reason => Err(io::Error::other(reason.to_owned())),
    }
}

/// Another run of the program that runs now, also when its file was replaced by a newer build meanwhile.
pub(crate) fn another_self() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("hostctl");
    command
}
