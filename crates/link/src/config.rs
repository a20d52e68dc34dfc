//! What an end of the line is told at its start: its part in the handshake, and its bounds.

use crate::time::Micros;

/// The longest record that a frame can carry, head included, in bytes.
pub const MAX_RECORD: usize = 512;

/// The widest window, in frames. A sequence number is one byte on the line; a quarter of its range tells
/// every old frame from every new one on a line that never reorders.
pub const MAX_WINDOW: usize = 64;

/// Which part an end plays when the other is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Looks for its peer: repeats its hello with growing pauses, asks again while it waits for something. The host.
    Prober,
    /// Announces itself once and then only answers: no timer runs and no byte is sent while nothing is
    /// outstanding. The control domain.
    Responder,
}

/// Bounds and times of one end. Both ends may differ in all of it; the hello tells each what the other can take.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who looks for whom.
    pub role: Role,
    /// Frames that this end keeps for reordering, and has under way at most: 1 to [`MAX_WINDOW`].
    pub window: usize,
    /// Bytes of a record that this end sends and takes: 64 to [`MAX_RECORD`]. Smaller suits a very bad or slow line.
    pub record: usize,
    /// Longest message that this end takes, in bytes. What waits in [`crate::Link::poll_event`] is bounded by 5/4 of it.
    pub message_in: usize,
    /// Bytes of messages that may wait to be sent. One message is always taken when none waits.
    pub message_queue: usize,
    /// Streams that may be open at once.
    pub streams: usize,
    /// Bytes that the peer may send on one stream before the application consumed them.
    pub stream_in: usize,
    /// Bytes of one stream that may wait to be sent.
    pub stream_out: usize,
    /// Foreign bytes that are kept until [`crate::Link::poll_event`] takes them; more are only counted.
    pub foreign: usize,
    /// How long an acknowledgement may wait for a frame to ride on.
    pub ack_delay: Micros,
    /// How long the peer may be silent while something is outstanding, before [`crate::DownReason::Lost`].
    pub lost_after: Micros,
    /// Prober only: the longest pause between two hellos or questions.
    pub probe_limit: Micros,
}

impl Config {
    /// For the control domain: little memory, quiet when idle.
    ///
    /// At worst about 17 KiB of frames, 80 KiB of messages in, and 12 KiB a stream
    /// that both ends keep full.
    pub const fn kernel() -> Self {
        Self {
            role: Role::Responder,
            window: 16,
            record: MAX_RECORD,
            message_in: 64 * 1024,
            message_queue: 128 * 1024,
            streams: 32,
            stream_in: 8192,
            stream_out: 4096,
            foreign: 1024,
            ack_delay: Micros::from_millis(10),
            lost_after: Micros::from_millis(5_000),
            probe_limit: Micros::from_millis(2_000),
        }
    }

    /// For the host: looks for its peer and takes long messages.
    pub const fn host() -> Self {
        Self {
            role: Role::Prober,
            window: 32,
            record: MAX_RECORD,
            message_in: 4 * 1024 * 1024,
            message_queue: 4 * 1024 * 1024,
            // No more than the control domain takes: it would answer each further one with a reset.
            streams: Self::kernel().streams,
            stream_in: 64 * 1024,
            stream_out: 64 * 1024,
            foreign: 64 * 1024,
            ack_delay: Micros::from_millis(10),
            lost_after: Micros::from_millis(5_000),
            probe_limit: Micros::from_millis(2_000),
        }
    }
}
