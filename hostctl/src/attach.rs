//! A guest's console on this program's stdin and stdout.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use proto::console::{ConsoleOpen, ConsoleOpened};
use proto::domain::DomainRef;
use proto::endpoints::ConsoleOpenStream;
use proto::error::DomainError;
use proto::wire::StreamChannel;

use crate::client::{CallError, Client, Event};
use crate::log_lines::LogLines;
use crate::output::Output;
use crate::terminal::RawTerminal;

/// The byte that ends an attachment: Ctrl-].
const DETACH: u8 = 0x1d;

/// Typed bytes that may wait for the guest.
const MOST_TYPED: usize = 1 << 20;
/// Bytes of a pipe that may wait for the guest.
const MOST_PIPED: usize = 64 << 10;

/// How long what was typed before Ctrl-] may take to go in where somebody sits at a terminal and wants to be gone.
const PARTING: Duration = Duration::from_secs(1);
/// Likewise for a pipe, counted anew whenever the broker takes some of it.
const PARTING_PIPE: Duration = Duration::from_secs(30);

/// Why an attachment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The control domain closed the stream: the domain is gone, or the buffer is at its end.
    Closed,
    /// The user typed Ctrl-].
    Detached,
}

/// An open console stream.
#[derive(Debug)]
pub struct Console {
    stream: Stream,
    /// What the control domain said when it opened the stream.
    pub opened: ConsoleOpened,
}

/// An open stream of text.
#[derive(Debug)]
pub struct Stream {
    channel: u16,
}

impl Stream {
    /// The stream on a channel that was reserved and named in a call.
    pub fn on(channel: u16) -> Stream {
        Stream { channel }
    }

    /// Says whether an event is about this stream; returns its bytes, or `Err` when it is the stream's end.
    pub fn bytes_of(&self, event: &Event) -> Option<Result<Vec<u8>, Ended>> {
        match event {
            Event::Data(channel, bytes) if *channel == self.channel => Some(Ok(bytes.clone())),
            Event::End(channel) | Event::Reset(channel) if *channel == self.channel => {
                Some(Err(Ended::Closed))
            }
            _ => None,
        }
    }

    /// Copies what comes to stdout until the stream ends, or nothing came for `silence`.
    ///
    /// # Errors
    /// The line is lost, a signal came, or stdout is closed.
    pub fn drain(
        &self,
        client: &mut Client,
        lines: &mut LogLines,
        out: &mut Output,
        silence: Option<Duration>,
    ) -> Result<(), CallError> {
        loop {
            let event = client.event(None, silence.map(|silence| Instant::now() + silence))?;
            match self.bytes_of(&event) {
                Some(Ok(bytes)) => lines.write(&bytes, out)?,
                Some(Err(_)) => break,
                None if matches!(event, Event::Deadline) => break,
                None => {}
            }
        }
        lines.end(out)?;
        Ok(())
    }
}

impl Console {
    /// Opens a stream to a domain's console, from the beginning of its buffer.
    ///
    /// # Errors
    /// Outer: the control domain cannot be asked. Inner: it refuses.
    pub fn open(
        client: &mut Client,
        domain: &str,
        follow: bool,
    ) -> Result<Result<Console, DomainError>, CallError> {
        let channel = client.reserve()?;
        let request = ConsoleOpen {
            domain: DomainRef(domain.into()),
            channel: StreamChannel(channel),
            replay: true,
            follow,
        };
        match client.call::<ConsoleOpenStream>(&request)? {
            Ok(opened) => Ok(Ok(Console { stream: Stream::on(channel), opened })),
            Err(error) => {
                client.reset(channel);
                Ok(Err(error))
            }
        }
    }

    /// The stream itself.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Connects the console with stdin and stdout until one of them ends it.
    ///
    /// A terminal is made raw, and Ctrl-] detaches; that byte does so from a pipe too. The end of a pipe ends nothing: what the
    /// guest prints goes on to stdout until the domain is gone, so that a script may type and then read.
    ///
    /// What the guest does not take waits here. A terminal is read all the same, since Ctrl-] may follow, and what is typed beyond
    /// [`MOST_TYPED`] is lost; a pipe is not read until there is room. What is still on its way at Ctrl-] has [`PARTING`] or
    /// [`PARTING_PIPE`] to go in; else stderr says that some of it did not.
    ///
    /// # Errors
    /// The line is lost, a signal came, or stdout is closed.
    pub fn interact(&self, client: &mut Client, out: &mut Output) -> Result<Ended, CallError> {
        out.flush()?;
        let raw = RawTerminal::enter()?;
        let stdin = io::stdin();
        let mut is_open = true;
        loop {
            let is_wanted = is_open && (raw.is_some() || client.nr_unsent() < MOST_PIPED);
            let event = client.event(is_wanted.then(|| stdin.as_fd()), None)?;
            match self.stream.bytes_of(&event) {
                Some(Ok(bytes)) => {
                    out.stdout.write_all(&bytes)?;
                    out.flush()?;
                }
                Some(Err(ended)) => {
                    client.reset(self.stream.channel);
                    return Ok(ended);
                }
                None if matches!(event, Event::Extra) => {
                    let mut typed = [0; 1024];
                    let count = rustix::io::read(&stdin, &mut typed).unwrap_or(0);
                    is_open = count > 0;
                    let end = typed[..count].iter().position(|byte| *byte == DETACH);
                    let typed = &typed[..end.unwrap_or(count)];
                    if !typed.is_empty() && client.nr_unsent() < MOST_TYPED {
                        client.queue(self.stream.channel, typed);
                    }
                    if end.is_some() {
                        let patience = if raw.is_some() { PARTING } else { PARTING_PIPE };
                        let all_typed = self.part(client, out, patience)?;
                        drop(raw);
                        if !all_typed {
                            out.complain("hostctl: the guest did not take all that was typed");
                        }
                        return Ok(Ended::Detached);
                    }
                }
                None => {}
            }
        }
    }

    /// Ends our half of the stream, and waits for the other end's, which it sends when all has been typed; says whether it came.
    fn part(&self, client: &mut Client, out: &mut Output, patience: Duration) -> Result<bool, CallError> {
        client.finish(self.stream.channel);
        let mut unsent = client.nr_unsent();
        let mut give_up = Instant::now() + patience;
        // What the guest prints meanwhile is no reason to wait longer.
        while Instant::now() < give_up {
            match self.stream.bytes_of(&client.event(None, Some(give_up))?) {
                Some(Ok(bytes)) => {
                    out.stdout.write_all(&bytes)?;
                    out.flush()?;
                }
                Some(Err(_)) => {
                    client.reset(self.stream.channel);
                    return Ok(true);
                }
                None => {}
            }
            if client.nr_unsent() < unsent {
                unsent = client.nr_unsent();
                give_up = Instant::now() + patience;
            }
        }
        Ok(false)
    }
}
