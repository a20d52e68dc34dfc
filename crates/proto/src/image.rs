//! Images: kernels and ramdisks, known by what they contain.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::wire::StreamChannel;

/// The SHA-256 of an image's container, the bytes that travel (crate `image` says what they are).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Schema)]
pub struct ImageId(pub [u8; 32]);

/// Announces an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct ImageOffer {
    /// What it is known by.
    pub id: ImageId,
    /// Length of the container in bytes.
    pub stored_len: u64,
    /// The stream on which it comes, where it goes over the line.
    pub channel: StreamChannel,
    /// What is to be done with the machine's shared memory.
    pub shared_memory: SharedMemoryUse,
}

/// What an offer says of the machine's shared memory, which is one upload's at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum SharedMemoryUse {
    /// The caller cannot write to it.
    Unreachable,
    /// It is used if it is free, else the line.
    IfFree,
    /// It is worth waiting for: while it is another's, nothing is begun ([`Upload::Later`]).
    Awaited,
}

/// How an announced image is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Upload {
    /// Not at all: it is there already.
    Present,
    /// Not now: the shared memory is another upload's. Nothing was claimed, and the stream was not opened.
    Later,
    /// On the offered stream.
    Line,
    /// Through the shared memory's ring; each write is followed by one byte on the offered stream, and each
    /// read by one byte back, so that neither end polls.
    SharedMemory,
}
