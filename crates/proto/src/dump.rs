//! Dumps of domains' memory.
//!
//! The bytes on the stream are records of crate `stream`; they end with one that says whether all came. When the caller has
//! ended its half of the stream, the dump is over for the control domain too.

use alloc::string::String;

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::domain::DomainRef;
use crate::error::XenError;
use crate::wire::StreamChannel;

/// Asks for a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DumpOpen {
    /// Whose memory.
    pub domain: DomainRef,
    /// Whether the domain runs meanwhile, and when it goes on.
    pub pause: DumpPause,
    /// The stream on which it comes, where it goes over the line.
    pub channel: StreamChannel,
    /// The caller can read the machine's shared memory.
    pub reads_shared_memory: bool,
}

/// Whether a domain runs while it is dumped. One that was paused stays so in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum DumpPause {
    /// It runs on: what is read is not of one moment.
    Live,
    /// It is paused until its last page was read.
    Reading,
    /// It is paused until the caller ends the stream, and may have destroyed it by then.
    Holding,
}

/// A dump begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DumpOpened {
    /// The domain's id.
    pub domid: u16,
    /// Its name.
    pub name: String,
    /// How many pages it has at this moment: what progress is measured by.
    pub pages: u64,
    /// Which way the records come.
    pub way: DumpWay,
    /// The domain crashed and waits for its core to be kept: what [`crate::endpoints::CoreKept`] takes once it is.
    pub core: Option<CoreId>,
}

/// Which way a dump's records come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum DumpWay {
    /// On the stream, packed.
    Line,
    /// Through the shared memory's other ring; each write is followed by one byte on the stream, and each read by one byte back, so that
    /// neither end polls.
    SharedMemory,
}

/// A dump was not begun; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum DumpError {
    /// No domain has this name, id or uuid.
    NotFound,
    /// Not of the control domain.
    Privileged,
    /// Not in the state that it is in.
    NotStarted,
    /// It is a paravirtual guest, whose frames have other numbers.
    Paravirtual,
    /// Another dump of it is under way.
    UnderWay,
    /// Too many dumps are under way.
    TooMany {
        /// How many may be.
        limit: u16,
    },
    /// The shared memory is another dump's for now; ask again.
    Later,
    /// Too many streams are open.
    TooManyStreams {
        /// How many may be.
        limit: u16,
    },
    /// The offered channel carries a stream already, or is the RPC channel.
    ChannelInUse,
    /// Xen refused.
    Xen(XenError),
}

/// Why a dump broke off: in its last record, in postcard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum DumpFailure {
    /// The domain was destroyed meanwhile.
    Destroyed,
    /// Xen refused.
    Xen(XenError),
}

/// Names a crashed domain of which a host is to keep a dump; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Schema)]
pub struct CoreId(pub u64);

/// A domain that crashed, and whose rule is to keep a dump of it. It waits for a host that does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct WaitingCore {
    /// What [`crate::endpoints::CoreKept`] takes.
    pub id: CoreId,
    /// The domain's id.
    pub domid: u16,
    /// The name that it had when it crashed.
    pub name: String,
    /// The uuid that it has now: what [`DumpOpen`] takes, whatever the domain is called meanwhile.
    pub uuid: [u8; 16],
}
