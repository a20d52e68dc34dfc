//! The benchmark's client: one connection, as much in flight as is asked for. The same for all servers.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use xenstore::wire::{HEADER_LEN, MessageType as Type, PAYLOAD_MAX};

/// The longest that a reply may take: the C server is busy for seconds with large trees.
const PATIENCE: Duration = Duration::from_secs(120);

/// One connection.
pub(super) struct Client {
    stream: UnixStream,
    /// Requests that were not sent yet.
    queued: Vec<u8>,
    /// Bytes received, of which the first `taken` were looked at.
    received: Vec<u8>,
    taken: usize,
    next_id: u32,
    /// The id of the oldest request without a reply.
    next_reply: u32,
}

impl Client {
    pub(super) fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket).with_context(|| format!("{}", socket.display()))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, queued: Vec::new(), received: Vec::new(), taken: 0, next_id: 1, next_reply: 1 })
    }

    /// Puts a request with the others that are to be sent together.
    pub(super) fn queue(&mut self, ty: Type, tx: u32, payload: &[u8]) {
        for word in [ty.0, self.next_id, tx, payload.len() as u32] {
            self.queued.extend(word.to_le_bytes());
        }
        self.queued.extend(payload);
        self.next_id += 1;
    }

    /// Sends what was queued.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.stream.write_all(&self.queued)?;
        self.queued.clear();
        Ok(())
    }

    /// The next reply's payload. Events before it are dropped; an error is an error.
    pub(super) fn reply(&mut self) -> Result<Vec<u8>> {
        loop {
            let (ty, id, payload) = self.message()?;
            if ty == Type::WATCH_EVENT {
                continue;
            }
            ensure!(id == self.next_reply, "reply {id} where {} was due", self.next_reply);
            self.next_reply += 1;
            if ty == Type::ERROR {
                bail!("the server answers {}", String::from_utf8_lossy(&payload));
            }
            return Ok(payload);
        }
    }

    /// One request, and its reply's payload.
    pub(super) fn ask(&mut self, ty: Type, tx: u32, payload: &[u8]) -> Result<Vec<u8>> {
        self.queue(ty, tx, payload);
        self.flush()?;
        self.reply()
    }

    /// Many requests, so many in flight at a time.
    pub(super) fn ask_all(
        &mut self,
        ty: Type,
        payloads: impl IntoIterator<Item = impl AsRef<[u8]>>,
        in_flight: usize,
    ) -> Result<()> {
        let mut payloads = payloads.into_iter();
        loop {
            let mut count = 0;
            for payload in payloads.by_ref().take(in_flight) {
                self.queue(ty, 0, payload.as_ref());
                count += 1;
            }
            if count == 0 {
                return Ok(());
            }
            self.flush()?;
            for _ in 0..count {
                self.reply()?;
            }
        }
    }

    fn message(&mut self) -> Result<(Type, u32, Vec<u8>)> {
        self.receive(HEADER_LEN)?;
        let header = &self.received[self.taken..][..HEADER_LEN];
        let word =
            |index: usize| u32::from_le_bytes(header[index * 4..][..4].try_into().expect("four bytes"));
        let (ty, id, len) = (Type(word(0)), word(1), word(3) as usize);
        ensure!(len <= PAYLOAD_MAX, "a payload of {len} bytes");
        self.receive(HEADER_LEN + len)?;
        let payload = self.received[self.taken + HEADER_LEN..][..len].to_vec();
        self.taken += HEADER_LEN + len;
        Ok((ty, id, payload))
    }

    /// Waits until so many bytes are there.
    fn receive(&mut self, count: usize) -> Result<()> {
        while self.received.len() - self.taken < count {
            self.received.drain(..self.taken);
            self.taken = 0;
            let had = self.received.len();
            self.received.resize(had + (64 << 10), 0);
            let got = self.stream.read(&mut self.received[had..])?;
            self.received.truncate(had + got);
            ensure!(got > 0, "the server closed the connection");
        }
        Ok(())
    }
}
