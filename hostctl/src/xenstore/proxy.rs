//! `proxy`: the control domain's store on a unix socket, for programs that know xenstored's.
//!
//! A thread a client, each with a stream of its own, so that one that does not read holds up itself alone.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use clap::Args;
use rustix::event::{PollFd, PollFlags, poll};

use super::transport::Transport;
use super::{Failure, Stop};
use crate::client::{CallError, Client, Event, Signals};
use crate::connect::Options;
use crate::exit;
use crate::output::Output;
use crate::xenstored::socket::Socket;

/// Offer the control domain's store on a unix socket (--socket), until a signal ends it. Debian's tools and libxenstore
/// find it by XENSTORED_PATH. Only this user may connect.
#[derive(Args, Debug)]
pub(super) struct Proxy;

impl Proxy {
    pub(super) fn run(&self, path: Option<&Path>, options: &Options, out: &mut Output) -> Result<(), Stop> {
        let Some(path) = path else {
            return Err(Stop::Silent(
                out.fail(exit::USAGE, "--socket PATH says where the store is to be offered"),
            ));
        };
        let socket = match Socket::claim(path) {
            Ok(socket) => socket,
            Err(error) => return Err(Stop::Silent(out.fail(exit::FAILED, &error.to_string()))),
        };
        // Whoever cannot be reached is told of now, not to the first client.
        drop(Transport::line(options)?);
        out.line(&format!("listening on {}", path.display()))?;
        out.flush()?;
        let signal = serve(&socket.listener, options).map_err(|error| socket_failed(path, error))?;
        Err(Stop::from(CallError::Interrupted(signal)))
    }
}

fn socket_failed(path: &Path, error: io::Error) -> Stop {
    Stop::from(Failure::Socket { path: PathBuf::from(path), error })
}

/// Takes clients in until a signal comes; returns that.
fn serve(listener: &UnixListener, options: &Options) -> io::Result<i32> {
    let signals = Signals::get()?;
    // A signal may be taken by a client's thread, which then passes it on.
    let (taken, passing) = UnixStream::pair()?;
    taken.set_nonblocking(true)?;
    loop {
        if let Some(signal) = signals.take() {
            return Ok(signal);
        }
        let mut passed = [0];
        if matches!((&taken).read(&mut passed), Ok(1)) {
            return Ok(passed[0].into());
        }
        match listener.accept() {
            Ok((client, _)) => {
                let (options, passing) = (options.clone(), passing.try_clone()?);
                std::thread::spawn(move || {
                    if let Err(Failure::Call(CallError::Interrupted(signal))) = copy(client, &options) {
                        // Signals are numbers below 65. If nobody reads, the process is at its end already.
                        let _ = (&passing).write(&[signal as u8]);
                    }
                });
                continue;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        let mut fds = vec![
            PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(taken.as_fd(), PollFlags::IN),
        ];
        fds.extend(signals.fds().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Copies both ways between a client and a stream of its own until either ends.
fn copy(client: UnixStream, options: &Options) -> Result<(), Failure> {
    client.set_nonblocking(false)?;
    match Transport::line(options)? {
        Transport::Line { client: mut line, channel, .. } => between(&client, &mut line, channel),
        Transport::Socket { .. } => Ok(()),
    }
}

fn between(mut socket: &UnixStream, line: &mut Client, channel: u16) -> Result<(), Failure> {
    let mut buffer = [0; 16 << 10];
    loop {
        match line.event(Some(socket.as_fd()), None)? {
            Event::Data(number, bytes) if number == channel => socket.write_all(&bytes)?,
            Event::End(number) | Event::Reset(number) if number == channel => return Ok(()),
            Event::Extra => match socket.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => line.write(channel, &buffer[..count])?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            },
            _ => {}
        }
    }
}
