//! A client of any server: framing over a unix socket or a ring.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::xen::Ring;

/// One message, as it is on the wire. C: `struct xsd_sockmsg` and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `enum xsd_sockmsg_type`.
    pub ty: u32,
    /// The request's id.
    pub req_id: u32,
    /// The transaction's id.
    pub tx_id: u32,
    /// At most 4096 bytes.
    pub payload: Vec<u8>,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection to a server.
pub struct Client {
    stream: Box<dyn Stream>,
}

impl Client {
    /// Connects to a socket, as domain 0.
    ///
    /// # Errors
    /// From the socket.
    pub fn connect(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Client { stream: Box::new(stream) })
    }

    /// Speaks over a domain's ring.
    pub fn over(ring: Ring) -> Self {
        Client { stream: Box::new(ring) }
    }

    /// Sends a message, whatever it holds.
    ///
    /// # Errors
    /// From the stream.
    pub fn send(&mut self, message: &Message) -> io::Result<()> {
        let len = message.payload.len() as u32;
        let mut bytes = Vec::with_capacity(16 + message.payload.len());
        for word in [message.ty, message.req_id, message.tx_id, len] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&message.payload);
        self.stream.write_all(&bytes)
    }

    /// Waits for a message: a reply or a watch event.
    ///
    /// # Errors
    /// From the stream; `InvalidData` if a payload is longer than the protocol allows.
    pub fn recv(&mut self) -> io::Result<Message> {
        let mut header = [0; 16];
        self.stream.read_exact(&mut header)?;
        let [ty, req_id, tx_id, len] = std::array::from_fn(|index| {
            let word = &header[index * 4..][..4];
            u32::from_le_bytes([word[0], word[1], word[2], word[3]])
        });
        if len > 4096 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a payload of {len} bytes")));
        }
        let mut payload = vec![0; len as usize];
        self.stream.read_exact(&mut payload)?;
        Ok(Message { ty, req_id, tx_id, payload })
    }
}
