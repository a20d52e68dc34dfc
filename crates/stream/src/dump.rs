//! A core dump on its way: a sequence of records, each a header and a body.
//!
//! | header | bytes | |
//! |---|---|---|
//! | kind | 1 | what it is: [`Record`] |
//! | packing | 1 | 0: the body as it is, 1: one lz4 block of the body |
//! | zero | 2 | |
//! | length | 4 | bytes of the body as it travels |
//! | first | 8 | the first frame, or the vCPU |
//! | count | 8 | how many frames |
//!
//! Numbers are little-endian. Frames come in ascending order, each at most once; frames that no record names have no memory.
//! The last record is [`Record::End`] or [`Record::Failed`]: a stream without one was cut.

mod reader;
mod writer;

pub use reader::{BadDump, Reader};
pub use writer::{Packing, Writer};

/// Pages in one record at most: a block of 64 KiB.
pub const BLOCK_PAGES: usize = 16;
/// Bytes of a header.
const HEADER: usize = 24;
/// The longest text of [`Record::Failed`], in bytes.
pub const MAX_REASON: usize = 1024;
/// Where frames end: 52 bits of physical address are all that a processor can have.
pub const MAX_FRAME: u64 = 1 << 40;

const VCPU: u8 = 1;
const PAGES: u8 = 2;
const ZEROES: u8 = 3;
const END: u8 = 4;
const FAILED: u8 = 5;

/// One record, as its reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// The registers of a vCPU that is up.
    Vcpu {
        /// Which one.
        id: u32,
        /// `struct vcpu_guest_context`: [`crate::REGISTERS`] bytes.
        registers: &'a [u8],
    },
    /// Frames with memory.
    Pages {
        /// The first one; the others follow.
        first: u64,
        /// Their bytes: at least one page, at most [`BLOCK_PAGES`].
        bytes: &'a [u8],
    },
    /// Frames with memory that is all zeroes.
    Zeroes {
        /// The first one.
        first: u64,
        /// How many; at least one.
        count: u64,
    },
    /// That was all, and it is complete.
    End,
    /// Nothing more comes, and it is not complete. The reason is the sender's, in words that both ends agreed on elsewhere.
    Failed(&'a [u8]),
}
