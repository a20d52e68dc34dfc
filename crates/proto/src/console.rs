//! Guests' consoles.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::domain::DomainRef;
use crate::wire::StreamChannel;

/// Asks for a stream to a domain's console.
///
/// What the domain prints comes on the stream; what is written to the stream is typed into the domain. The
/// control domain closes the stream when the domain is gone, or, without `follow`, at the end of the buffer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct ConsoleOpen {
    /// Whose console; with `follow` unset also that of a domain which is gone.
    pub domain: DomainRef,
    /// The stream's channel.
    pub channel: StreamChannel,
    /// Begin with what is in the buffer, not with what comes next.
    pub replay: bool,
    /// Stay, and send what comes.
    pub follow: bool,
}

/// The stream is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct ConsoleOpened {
    /// Whose console it is.
    pub domid: u16,
    /// Bytes that were printed but had left the buffer before this reader came.
    pub lost: u64,
}
