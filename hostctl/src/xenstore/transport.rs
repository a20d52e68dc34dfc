//! The way to a store: bytes to it and from it, over a control domain's line or a unix socket.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proto::endpoints::StoreOpenStream;
use proto::error::DomainError;
use proto::store::StoreOpen;
use proto::wire::StreamChannel;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::failure::Failure;
use crate::client::{CallError, Client, Event, Signals};
use crate::connect::Options;

/// An open way to a store.
pub(super) enum Transport {
    /// A stream to a control domain's own store.
    Line {
        /// The connection to the control domain.
        client: Box<Client>,
        /// The stream's channel.
        channel: u16,
        /// Bytes that came and were not taken yet.
        held: VecDeque<u8>,
    },
    /// The socket of any xenstored on this machine.
    Socket {
        /// The socket.
        socket: UnixStream,
        /// Its path, for messages.
        path: PathBuf,
        /// Signals end the command, not the program.
        signals: &'static Signals,
        /// When the command is to give up, and the limit in seconds that was given.
        deadline: Option<(Instant, u64)>,
    },
}

impl Transport {
    /// Opens a stream to the store of the control domain that the options mean.
    ///
    /// # Errors
    /// It cannot be reached, or refuses.
    pub(super) fn line(options: &Options) -> Result<Self, Failure> {
        let mut client = Box::new(Client::connect(options)?);
        let channel = client.reserve()?;
        match client.call::<StoreOpenStream>(&StoreOpen { channel: StreamChannel(channel) })? {
            Ok(()) => Ok(Self::Line { client, channel, held: VecDeque::new() }),
            Err(DomainError::TooManyStreams { limit }) => Err(Failure::TooManyStreams { limit }),
            Err(_) => Err(Failure::NoStream),
        }
    }

    /// Connects to the socket of a xenstored.
    ///
    /// # Errors
    /// Nobody listens there.
    pub(super) fn socket(path: &Path, options: &Options) -> Result<Self, Failure> {
        let signals = Signals::get().map_err(CallError::from)?;
        let failed = |error| Failure::Socket { path: path.to_owned(), error };
        let socket = UnixStream::connect(path).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let deadline = options.timeout.map(|limit| (Instant::now() + limit, limit.as_secs()));
        Ok(Self::Socket { socket, path: path.to_owned(), signals, deadline })
    }

    /// Sends some of `outgoing`, or, where there is nothing to send, waits for bytes. Returns how many were sent, and how many came.
    ///
    /// # Errors
    /// The other end closed, the way is lost, the time over, or a signal came.
    pub(super) fn exchange(
        &mut self,
        outgoing: &[u8],
        incoming: &mut [u8],
    ) -> Result<(usize, usize), Failure> {
        match self {
            Self::Line { client, channel, held } => {
                if !outgoing.is_empty() {
                    client.write(*channel, outgoing)?;
                    return Ok((outgoing.len(), 0));
                }
                while held.is_empty() {
                    match client.event(None, None)? {
                        Event::Data(number, bytes) if number == *channel => held.extend(bytes),
                        Event::End(number) | Event::Reset(number) if number == *channel => {
                            return Err(Failure::Closed);
                        }
                        _ => {}
                    }
                }
                Ok((0, held.read(incoming)?))
            }
            Self::Socket { socket, path, signals, deadline } => loop {
                let moved = match outgoing {
                    [] => socket.read(incoming).map(|count| (0, count)),
                    _ => socket.write(outgoing).map(|count| (count, 0)),
                };
                match moved {
                    Ok((0, 0)) => return Err(Failure::Closed),
                    Ok(moved) => return Ok(moved),
                    Err(error) if is_passing(&error) => {
                        let flags = if outgoing.is_empty() { PollFlags::IN } else { PollFlags::OUT };
                        sleep(socket, flags, signals, *deadline)?;
                    }
                    Err(error)
                        if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) =>
                    {
                        return Err(Failure::Closed);
                    }
                    Err(error) => return Err(Failure::Socket { path: path.clone(), error }),
                }
            },
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Sleeps until the socket can go on.
fn sleep(
    socket: &UnixStream,
    flags: PollFlags,
    signals: &Signals,
    deadline: Option<(Instant, u64)>,
) -> Result<(), CallError> {
    if let Some(signal) = signals.take() {
        return Err(CallError::Interrupted(signal));
    }
    let left = deadline.map(|(at, _)| at.saturating_duration_since(Instant::now()));
    if let (Some(Duration::ZERO), Some((_, seconds))) = (left, deadline) {
        return Err(CallError::Deadline(seconds));
    }
    let mut fds = vec![PollFd::from_borrowed_fd(socket.as_fd(), flags)];
    fds.extend(signals.fds().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    let left = left.and_then(|left| Timespec::try_from(left).ok());
    match poll(&mut fds, left.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(CallError::Io(error.into())),
    }
}
