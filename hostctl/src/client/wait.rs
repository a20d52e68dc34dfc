//! The client's one way to wait: for the broker, for a signal, for another descriptor, for a time.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{CallError, Client};
use crate::broker::ipc::FromBroker;

impl Client {
    /// Sends what waits, and takes the next message; `None` when all has been sent, `extra` is readable or `until` has come.
    ///
    /// Signals and limits are looked at for every message, so that a guest that prints without end holds up neither.
    pub(super) fn receive(
        &mut self,
        extra: Option<BorrowedFd<'_>>,
        until: Option<Instant>,
    ) -> Result<Option<FromBroker>, CallError> {
        loop {
            let limit = self.check_limits(until)?;
            // Waiting words first: a broker that ended has said why.
            if let Some(message) = self.next_message()? {
                return match message {
                    FromBroker::Lost(reason) => Err(self.lost(reason)),
                    FromBroker::TooLong { limit, .. } => Err(CallError::TooLong { limit }),
                    message => Ok(Some(message)),
                };
            }
            let had_output = !self.out.is_empty();
            let could_write = self.try_write();
            if could_write.is_ok() && self.try_read()? {
                continue;
            }
            if let Err(error) = could_write {
                // It may have said why before it closed.
                if self.try_read()? {
                    continue;
                }
                return Err(self.broker_gone(&error.to_string()));
            }
            // Whoever writes waits for just this.
            if (had_output && self.out.is_empty()) || extra.is_some_and(is_readable) {
                return Ok(None);
            }
            if limit.is_some_and(|limit| limit.is_zero()) {
                return Ok(None);
            }
            self.sleep(extra, limit)?;
        }
    }

    pub(super) fn next_message(&mut self) -> Result<Option<FromBroker>, CallError> {
        let message = self.decoder.message::<FromBroker>();
        message.map_err(|error| self.broker_gone(&error.to_string()))
    }

    /// How long may be slept; an error when a limit has passed or a signal has come.
    pub(super) fn check_limits(&self, until: Option<Instant>) -> Result<Option<Duration>, CallError> {
        let limit = self.check_time(until)?;
        match self.signals.take() {
            Some(signal) => Err(CallError::Interrupted(signal)),
            None => Ok(limit),
        }
    }

    fn check_time(&self, until: Option<Instant>) -> Result<Option<Duration>, CallError> {
        let now = Instant::now();
        if let Some((deadline, seconds)) = self.deadline
            && now >= deadline
        {
            return Err(CallError::Deadline(seconds));
        }
        let patience = self.welcome.is_none().then(|| self.opened + self.patience);
        if patience.is_some_and(|patience| now >= patience) {
            return Err(CallError::NoAnswer {
                line: self.line.to_string(),
                seconds: self.patience.as_secs(),
            });
        }
        let nearest = [until, patience, self.deadline.map(|(at, _)| at)].into_iter().flatten().min();
        Ok(nearest.map(|at| at.saturating_duration_since(now)))
    }

    pub(super) fn sleep(
        &self,
        extra: Option<BorrowedFd<'_>>,
        limit: Option<Duration>,
    ) -> Result<(), CallError> {
        let mut flags = PollFlags::IN;
        flags.set(PollFlags::OUT, !self.out.is_empty());
        let mut fds = vec![PollFd::from_borrowed_fd(self.socket.as_fd(), flags)];
        fds.extend(self.signals.fds().chain(extra).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        match poll(&mut fds, limit.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(CallError::Io(error.into())),
        }
    }

    pub(super) fn try_write(&mut self) -> Result<(), std::io::Error> {
        while !self.out.is_empty() {
            match self.socket.write(&self.out) {
                Ok(count) => drop(self.out.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what is there; true when something was.
    pub(super) fn try_read(&mut self) -> Result<bool, CallError> {
        let mut buffer = [0; 65536];
        match self.socket.read(&mut buffer) {
            Ok(0) => Err(self.broker_gone("it ended")),
            Ok(count) => {
                self.decoder.push(&buffer[..count]);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(false),
            Err(error) => Err(self.broker_gone(&error.to_string())),
        }
    }
}

/// Says whether a descriptor can be read from now.
pub(crate) fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}
