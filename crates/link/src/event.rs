//! What a link tells its application, and with which words it refuses.

use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU16;

/// Names one start of a program at an end of the line: 64 random bits, never 0.
///
/// A new one tells the peer that everything it had under way is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootId(u64);

impl BootId {
    /// Takes random bits; 0, which means "nobody" on the line, becomes 1.
    pub const fn new(random: u64) -> Self {
        Self(if random == 0 { 1 } else { random })
    }

    /// The bits.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The number of a stream. Channel 0 carries messages and is no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(NonZeroU16);

impl Channel {
    /// The stream of this number, unless it is 0.
    pub const fn new(number: u16) -> Option<Self> {
        match NonZeroU16::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

/// Something that happened, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer answers. All of [`crate::Link`]'s calls work now.
    Up {
        /// Which start of the peer this is.
        peer: BootId,
        /// The session is the one that was lost ([`DownReason::Lost`]): its streams and all bytes under way are intact.
        resumed: bool,
    },
    /// The peer does not answer any more, or not in a way that we understand.
    ///
    /// Except for [`DownReason::Lost`] the session is gone: its streams are closed without further events, what
    /// waited to be sent is dropped, and only a request sent again tells whether the last one was carried out.
    Down(DownReason),
    /// A whole message of channel 0.
    Message(Vec<u8>),
    /// Bytes of a stream. [`crate::Link::stream_consumed`] must follow when they have been used, or the stream stops.
    StreamData(Channel, Vec<u8>),
    /// The peer will send nothing more on this stream; we still may.
    StreamEnd(Channel),
    /// The peer threw this stream away, both ways; it is gone. Also the answer to opening more than the peer allows.
    StreamReset(Channel),
    /// A write that was refused or cut short would be taken now.
    Writable(Channel),
    /// Bytes that are no frame: somebody else's text, or what a bad line made of a frame.
    Foreign {
        /// The bytes, as they came.
        bytes: Vec<u8>,
        /// How many more came after these, beyond [`crate::Config::foreign`].
        lost: u64,
    },
}

/// Why a link went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// Nothing was heard for [`crate::Config::lost_after`] although something was outstanding. The session is kept
    /// and goes on ([`Event::Up`] with `resumed`) if the peer, unchanged, is heard again.
    Lost,
    /// The peer started anew: what it was doing is gone with it.
    PeerRestarted {
        /// The start that is gone.
        old: BootId,
        /// The start that answers now.
        new: BootId,
    },
    /// The peer is the same, but forgot the session: it saw a breach of protocol, or spoke with another end in between.
    /// Requests may be sent again under their old ids.
    PeerReset,
    /// The peer speaks another version of the link. Nothing more is sent until it says hello in ours.
    VersionMismatch {
        /// [`crate::LINK_VERSION`].
        ours: u16,
        /// The version in the peer's hello.
        theirs: u16,
    },
    /// The peer broke the protocol. The session was thrown away; a new one is sought.
    Protocol(Violation),
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => f.write_str("no answer from the other end of the line"),
            Self::PeerRestarted { .. } => f.write_str("the other end of the line has restarted"),
            Self::PeerReset => f.write_str("the other end of the line has reset the connection"),
            Self::VersionMismatch { ours, theirs } => {
                write!(
                    f,
                    "the other end of the line speaks version {theirs} of the link, this end version {ours}"
                )
            }
            Self::Protocol(what) => write!(f, "the other end of the line broke the protocol: {what}"),
        }
    }
}

/// What a peer did that no correct one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A record that does not parse.
    Malformed,
    /// A sequence number beyond the window that we offered.
    Window,
    /// More bytes on this channel (0: messages) than we gave credit for.
    Credit(u16),
    /// Credit for this channel beyond what can be counted.
    Grant(u16),
    /// A message longer than we said we take.
    MessageTooLong,
    /// A continued message that never started, or a new one within another.
    MessageOrder,
    /// Data on a stream that is not open, or after its end.
    NotOpen(Channel),
    /// A stream opened twice.
    OpenedTwice(Channel),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("a record that does not parse"),
            Self::Window => f.write_str("a frame beyond the window"),
            Self::Credit(channel) => write!(f, "more bytes than credit on channel {channel}"),
            Self::Grant(channel) => write!(f, "absurd credit for channel {channel}"),
            Self::MessageTooLong => f.write_str("a message longer than allowed"),
            Self::MessageOrder => f.write_str("parts of messages out of order"),
            Self::NotOpen(channel) => write!(f, "data on channel {}, which is not open", channel.get()),
            Self::OpenedTwice(channel) => write!(f, "channel {} opened twice", channel.get()),
        }
    }
}

/// Why a message was not taken. It was not sent, in whole or part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// No session: wait for [`Event::Up`].
    NotUp,
    /// Longer than the peer takes.
    TooLong {
        /// The longest that it takes, in bytes.
        limit: usize,
    },
    /// Too many bytes wait already; try again after more [`crate::Link::transmit`].
    Full,
}

/// Why a call on a stream had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// No session: wait for [`Event::Up`].
    NotUp,
    /// The stream is not open at this end, or was closed or reset.
    NotOpen,
    /// The stream is open already, or its closing is not finished at both ends.
    InUse,
    /// This end has [`crate::Config::streams`] streams.
    TooMany,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUp => f.write_str("the link is down"),
            Self::TooLong { limit } => write!(f, "the other end takes messages of {limit} bytes at most"),
            Self::Full => f.write_str("too many messages wait to be sent"),
        }
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUp => "the link is down",
            Self::NotOpen => "the stream is not open",
            Self::InUse => "the stream's number is in use",
            Self::TooMany => "too many streams are open",
        })
    }
}

impl core::error::Error for DownReason {}
impl core::error::Error for SendError {}
impl core::error::Error for StreamError {}
