//! What hostctl and the broker say to each other over the broker's unix socket.
//!
//! Each end first sends its [`GREETING`] as it stands, which settles whether both are of one build. Then frames follow:
//! four bytes of length, little-endian, and a postcard message. The broker does not look into calls: it passes
//! [`proto::wire`] envelopes on, and hands out numbers for streams, since several clients share one line.

use postcard::{from_bytes, to_extend};
use proto::host::Greeting;
use proto::wire::{Request, RequestId, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The first bytes on the socket, in both directions; the last two are the version of this module's messages.
pub const GREETING: [u8; 8] = *b"ndbrok\x00\x02";

/// The longest frame that is taken.
pub const MAX_FRAME: usize = 16 << 20;

/// From a client to the broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToBroker {
    /// Carry this call to the control domain; answered by [`FromBroker::Answer`].
    Call(Request),
    /// Give me a free stream channel; answered by [`FromBroker::Reserved`].
    Reserve,
    /// Bytes for a stream of mine.
    Data {
        /// The stream.
        channel: u16,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// I will write nothing more to this stream.
    Finish {
        /// The stream.
        channel: u16,
    },
    /// I am done with this stream, whether the control domain ever opened it or not.
    Reset {
        /// The stream.
        channel: u16,
    },
}

/// From the broker to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromBroker {
    /// The control domain is there. Sent once, before any answer.
    Welcome(Welcome),
    /// What came of a call.
    Answer(Response),
    /// A call is longer than the control domain takes, and was not made. Nothing is known of the caller's other calls yet.
    TooLong {
        /// The call.
        id: RequestId,
        /// How many bytes it takes at most.
        limit: u64,
    },
    /// A stream channel, or none when all are taken.
    Reserved(Option<u16>),
    /// Bytes of a stream.
    Data {
        /// The stream.
        channel: u16,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The control domain will send nothing more on this stream.
    End {
        /// The stream.
        channel: u16,
    },
    /// The stream is gone, both ways.
    Reset {
        /// The stream.
        channel: u16,
    },
    /// The line is lost; pending calls will not be answered. The broker closes the connection.
    Lost(Lost),
}

/// Whom the client talks to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The control domain.
    pub greeting: Greeting,
    /// The file of the machine's shared memory, where there is one.
    pub shared_memory: Option<String>,
}

/// Why a line was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lost {
    /// The line's other end was closed: QEMU or the terminal server ended.
    LineClosed,
    /// Reading or writing the line failed.
    LineError(String),
    /// The control domain was restarted.
    Restarted,
    /// The control domain did not answer for too long.
    Silent,
    /// The other end speaks another version of the link.
    LinkVersion {
        /// Ours.
        ours: u16,
        /// The other end's.
        theirs: u16,
    },
    /// The other end answers, but makes no sense.
    Incomprehensible,
}

/// A damaged frame: too long, or no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a damaged frame on the broker's socket")]
pub struct BadFrame;

/// Appends a message as a frame.
pub fn encode<T: Serialize>(message: &T, out: Vec<u8>) -> Vec<u8> {
    let start = out.len();
    let mut out = out;
    out.extend([0; 4]);
    let mut out = to_extend(message, out).expect("writing into a Vec cannot fail");
    let length = u32::try_from(out.len() - start - 4).expect("messages are bounded by MAX_FRAME");
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out
}

/// Takes frames out of a stream of bytes.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
}

impl Decoder {
    /// Adds bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 && self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > 64 << 10 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// How many bytes were added and not taken.
    pub fn nr_waiting(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Takes the other end's greeting; `None` until all of it is there.
    pub fn greeting(&mut self) -> Option<[u8; 8]> {
        let greeting = self.buffer.get(self.start..self.start + 8)?.try_into().ok()?;
        self.start += 8;
        Some(greeting)
    }

    /// Takes the next message; `None` until all of it is there.
    ///
    /// # Errors
    /// The frame is longer than [`MAX_FRAME`] or holds no message; nothing after it can be read.
    pub fn message<T: DeserializeOwned>(&mut self) -> Result<Option<T>, BadFrame> {
        let waiting = &self.buffer[self.start..];
        let Some((length, rest)) = waiting.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > MAX_FRAME {
            return Err(BadFrame);
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let message = from_bytes(body).map_err(|_| BadFrame)?;
        self.start += 4 + length;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_however_they_arrive() {
        let messages = [
            ToBroker::Reserve,
            ToBroker::Data { channel: 3, bytes: vec![7; 300] },
            ToBroker::Finish { channel: 3 },
        ];
        let bytes = messages.iter().fold(Vec::new(), |out, message| encode(message, out));
        let mut decoder = Decoder::default();
        let mut seen = Vec::new();
        for byte in bytes {
            decoder.push(&[byte]);
            while let Some(message) = decoder.message::<ToBroker>().unwrap() {
                seen.push(message);
            }
        }
        assert_eq!(seen, messages);
    }

    #[test]
    fn damaged_frames_are_refused_not_awaited() {
        let mut long = Decoder::default();
        long.push(&u32::MAX.to_le_bytes());
        assert_eq!(long.message::<ToBroker>(), Err(BadFrame));
        let mut nonsense = Decoder::default();
        nonsense.push(&[1, 0, 0, 0, 250]);
        assert_eq!(nonsense.message::<ToBroker>(), Err(BadFrame));
    }
}
