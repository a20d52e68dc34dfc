//! A journal: entries by key, each change of which is a record that is only ever appended.
//!
//! What is here turns changes into bytes and bytes into entries; whoever keeps the file writes and syncs it.
//!
//! * A file begins with its [`header`], twice, and goes on with [`record`]s. Each record has a number, and two checksums: one of its
//!   head, so that its length is known where its content is damaged, and one of its content.
//! * [`Index::replay`] reads all of it. A record that was cut off at the end ([`Fault::Torn`]) was never acknowledged. Anything else
//!   that is not as it was written is a [`Damage`], told by place, record and key; every whole record behind it counts.
//! * [`Index::draft`] makes the bytes of the next record; [`Index::commit`] follows when they are durable.
//! * [`Index::snapshot`] makes a file that has nothing but the present entries, to take the old one's place.
//!
//! Checksums begin with the journal's own id. So no text in a record, and no record of another journal, passes for one of this.
//! Heads, contents, entries and files have bounds, and reading is total: no bytes make it panic or allocate more than they are.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod checksum;
pub mod header;
mod index;
pub mod record;
pub mod replay;
mod snapshot;

pub use header::{Id, Unreadable};
pub use index::{Draft, Entry, Index, MAX_ENTRIES, MAX_FILE, Refused};
pub use record::{Change, Key, MAX_BODY, MAX_HEAD, Record};
pub use replay::{Damage, Fault, Place};
pub use snapshot::Unread;
