//! The envelope around every message of channel 0, and the meaning of the other channels.
//!
//! * Channel 0 ([`RPC_CHANNEL`]) carries [`Request`]s to the control domain and [`Response`]s back. Requests run
//!   side by side; responses come in any order and are matched by id.
//! * Every other channel is a stream of bytes in both directions. The caller chooses a free number, names it in
//!   the request that opens the stream, and may reuse it when both ends have closed it.

use alloc::vec::Vec;

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

/// The channel of requests and responses.
pub const RPC_CHANNEL: u16 = 0;

/// A channel that carries a stream; never [`RPC_CHANNEL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Schema)]
pub struct StreamChannel(pub u16);

/// Identifies one call for ever: 64 random bits drawn by the program that asked.
///
/// A request sent again with the same id (reply lost, broker restarted) is not carried out again: the
/// control domain answers from its reply cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Schema)]
pub struct RequestId(pub u64);

/// Names an endpoint and the exact shape of its types.
pub type Key = [u8; 8];

/// A call, as it travels towards the control domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Which call this is.
    pub id: RequestId,
    /// Which endpoint is meant: [`crate::Endpoint::KEY`].
    pub key: Key,
    /// The endpoint's request type, in postcard.
    pub body: Vec<u8>,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The id of the request.
    pub id: RequestId,
    /// The endpoint's response type in postcard, or why the call was not even understood.
    pub result: Result<Vec<u8>, Fault>,
}

/// Why a call has no answer; what went wrong inside a call is in its response type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// No endpoint has this key: the two programs were built from different protocols.
    UnknownKey,
    /// The body is not what the endpoint's request type looks like.
    Malformed,
    /// Too many calls are under way (the bound is given); ask again.
    Busy {
        /// How many calls may run side by side.
        limit: u16,
    },
    /// The call's reply has already left the reply cache: whether it took effect must be looked up.
    Forgotten,
    /// The arguments of the calls under way leave no room for this one's; ask again.
    Full {
        /// How much they may take together, in KiB.
        limit_kib: u16,
    },
    /// The call was carried out, and its answer is longer than the asker takes: ask for less at once.
    TooLong {
        /// How long a message it takes, in KiB.
        limit_kib: u16,
    },
}
