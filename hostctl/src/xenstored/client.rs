//! One client: bytes in, requests, replies and events, bytes out.
//!
//! A client that does not read is not read from: what waits for it here is bounded by [`OUTPUT_MAX`] and one message, and its events
//! wait in the store, which bounds them itself. Between turns an idle client owns no buffer.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, Waker};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use xenstore::wire::{Decoder, Request, TooLong};
use xenstore::{ConnId, Store};

/// Bytes taken from a socket at a time.
const INPUT_MAX: usize = 64 << 10;
/// No further request is answered in a turn once so many bytes wait to be sent.
const OUTPUT_MAX: usize = 64 << 10;
/// How many requests of one client are answered before the others have their turn.
const TURN: usize = 64;

/// Room that clients use in turn.
pub(super) struct Scratch {
    input: Box<[u8]>,
    output: Vec<u8>,
}

impl Scratch {
    /// All the room that a turn takes.
    pub(super) fn new() -> Self {
        Scratch { input: vec![0; INPUT_MAX].into(), output: Vec::with_capacity(OUTPUT_MAX) }
    }
}

/// How a client stands after its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It is to be looked at when it has sent something.
    Readable,
    /// It is to be looked at when it has read something.
    Writable,
    /// It has more requests here, and wants another turn.
    Again,
    /// It is gone, or broke the protocol.
    Gone,
}

/// One client.
pub(super) struct Client {
    socket: OwnedFd,
    conn: ConnId,
    bell: Waker,
    decoder: Decoder,
    /// Bytes read from the socket that were more than a turn.
    unread: Vec<u8>,
    /// Bytes that the socket did not take.
    unsent: Vec<u8>,
    /// Nothing more comes from it.
    has_ended: bool,
}

impl Client {
    /// A client with its connection to the store; the bell rings when it has events or the store closes the connection.
    pub(super) fn new(socket: OwnedFd, conn: ConnId, bell: Waker) -> Self {
        Client {
            socket,
            conn,
            bell,
            decoder: Decoder::new(),
            unread: Vec::new(),
            unsent: Vec::new(),
            has_ended: false,
        }
    }

    /// Ends its connection to the store.
    pub(super) fn leave(self, store: &mut Store) {
        store.disconnect(self.conn);
    }

    /// Sends what waits, answers what came, sends that.
    pub(super) fn turn(&mut self, store: &mut Store, scratch: &mut Scratch) -> Next {
        match self.send_unsent() {
            Ok(true) => {}
            Ok(false) => return Next::Writable,
            Err(_) => return Next::Gone,
        }
        let Scratch { input, output } = scratch;
        output.clear();
        let held = std::mem::take(&mut self.unread);
        let mut bytes = if held.is_empty() && !self.has_ended {
            match recv(&self.socket, &mut **input, RecvFlags::DONTWAIT) {
                Ok((0, _)) => {
                    self.has_ended = true;
                    &[][..]
                }
                Ok((count, _)) => &input[..count],
                Err(Errno::WOULDBLOCK | Errno::INTR) => &[],
                Err(_) => return Next::Gone,
            }
        } else {
            &held
        };
        if self.answer(&mut bytes, store, output).is_err() {
            // Nobody knows where its next request begins. It still gets the replies to those before.
            (self.has_ended, bytes) = (true, &[]);
        }
        if !bytes.is_empty() {
            self.unread = bytes.to_vec();
        }
        if self.add_events(store, output) { self.send_all(output) } else { Next::Gone }
    }

    /// Sends the events that wait, unless replies wait before them.
    pub(super) fn tell(&mut self, store: &mut Store, scratch: &mut Scratch) -> Next {
        if !self.unsent.is_empty() {
            return Next::Writable;
        }
        scratch.output.clear();
        if self.add_events(store, &mut scratch.output) { self.send_all(&scratch.output) } else { Next::Gone }
    }

    /// Answers requests, as many as a turn has, and takes their bytes.
    fn answer(&mut self, bytes: &mut &[u8], store: &mut Store, output: &mut Vec<u8>) -> Result<(), TooLong> {
        for _ in 0..TURN {
            // Who has made much to be told of waits until it is; the server sees to that between turns.
            if output.len() >= OUTPUT_MAX || !store.is_ready(self.conn) {
                break;
            }
            let Some(request) = self.request(bytes)? else { break };
            output.extend_from_slice(&store.handle(self.conn, &request));
            // What its own request fired follows the reply, as with upstream's server.
            while output.len() < OUTPUT_MAX
                && let Some(event) = store.next_event(self.conn)
            {
                output.extend_from_slice(&event.message());
            }
        }
        Ok(())
    }

    fn request(&mut self, bytes: &mut &[u8]) -> Result<Option<Request>, TooLong> {
        self.decoder.decode(|into| {
            let count = into.len().min(bytes.len());
            let (now, later) = bytes.split_at(count);
            into[..count].copy_from_slice(now);
            *bytes = later;
            Ok(count)
        })
    }

    /// Adds the events that wait, as far as there is room, and has the bell rung at the next one if there was. False: the store has
    /// closed the connection.
    fn add_events(&mut self, store: &mut Store, output: &mut Vec<u8>) -> bool {
        let mut cx = Context::from_waker(&self.bell);
        while output.len() < OUTPUT_MAX {
            match store.poll_event(self.conn, &mut cx) {
                Poll::Ready(Some(event)) => output.extend_from_slice(&event.message()),
                Poll::Ready(None) => return false,
                Poll::Pending => return true,
            }
        }
        true
    }

    fn send_unsent(&mut self) -> Result<bool, Errno> {
        if self.unsent.is_empty() {
            return Ok(true);
        }
        let sent = send_some(&self.socket, &self.unsent)?;
        self.unsent.drain(..sent);
        if self.unsent.is_empty() {
            self.unsent = Vec::new();
        }
        Ok(self.unsent.is_empty())
    }

    fn send_all(&mut self, output: &[u8]) -> Next {
        if !output.is_empty() {
            match send_some(&self.socket, output) {
                Ok(sent) => self.unsent = output[sent..].to_vec(),
                Err(_) => return Next::Gone,
            }
        }
        match (self.unsent.is_empty(), self.unread.is_empty()) {
            (false, _) => Next::Writable,
            // More events than fit, perhaps: the next turn finds out.
            (true, false) => Next::Again,
            (true, true) if output.len() >= OUTPUT_MAX => Next::Again,
            (true, true) if self.has_ended => Next::Gone,
            (true, true) => Next::Readable,
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Sends as much as the socket takes at once.
fn send_some(socket: &OwnedFd, bytes: &[u8]) -> Result<usize, Errno> {
    match send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(0),
        other => other,
    }
}
