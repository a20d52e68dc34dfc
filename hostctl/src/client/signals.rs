//! Signals as something that can be waited for beside sockets.
//!
//! SIGINT, SIGTERM and SIGHUP must not end hostctl between two steps: a terminal has to be set back, a half-made
//! domain or lab to be taken away. Their handlers write to a socket pair; whoever waits looks at it.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

use rustix::process::Signal;

const HANDLED: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::HUP];

/// The receiving end of the process's signals.
#[derive(Debug)]
pub struct Signals {
    pipes: Vec<(i32, UnixStream)>,
}

static SIGNALS: OnceLock<Result<Signals, String>> = OnceLock::new();

impl Signals {
    /// The process's signals; from the first call on they end nothing by themselves.
    ///
    /// # Errors
    /// No socket pair could be made.
    pub fn get() -> io::Result<&'static Signals> {
        SIGNALS
            .get_or_init(|| Signals::install().map_err(|error| error.to_string()))
            .as_ref()
            .map_err(|text| io::Error::other(text.clone()))
    }

    fn install() -> io::Result<Signals> {
        let mut pipes = Vec::with_capacity(HANDLED.len());
        for signal in HANDLED.map(Signal::as_raw) {
            let (receiver, sender) = UnixStream::pair()?;
            receiver.set_nonblocking(true)?;
            signal_hook::low_level::pipe::register(signal, sender)?;
            pipes.push((signal, receiver));
        }
        Ok(Signals { pipes })
    }

    /// What to poll for reading.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.pipes.iter().map(|(_, pipe)| pipe.as_fd())
    }

    /// Takes one signal that came, if any.
    pub fn take(&self) -> Option<i32> {
        let mut byte = [0; 16];
        self.pipes
            .iter()
            .find(|(_, pipe)| matches!((&*pipe).read(&mut byte), Ok(1..)))
            .map(|(signal, _)| *signal)
    }
}
