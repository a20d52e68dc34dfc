//! The control domain's xenstore.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::wire::StreamChannel;

/// Asks for a stream to the control domain's xenstore.
///
/// The stream carries the store's own wire protocol (public/io/xs_wire.h), as the unix socket of a xenstored does: requests
/// one way, replies and watch events the other, with the control domain's rights. Each stream is a connection of its own:
/// its watches and transactions end with it. The control domain closes it when what comes is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct StoreOpen {
    /// The stream's channel.
    pub channel: StreamChannel,
}
