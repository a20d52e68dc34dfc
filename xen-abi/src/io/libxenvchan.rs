//! A byte stream between two domains. Source: public/io/libxenvchan.h.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

constants! {
    /// Bit of a notify field: tell me when you write.
    VCHAN_NOTIFY_WRITE: u8 = 1;
    /// Bit of a notify field: tell me when you read.
    VCHAN_NOTIFY_READ: u8 = 2;
}

/// The indices of one direction. C: `struct ring_shared`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RingShared {
    /// Read up to here.
    pub cons: u32,
    /// Written up to here.
    pub prod: u32,
}
assert_layout!(RingShared = "ring_shared", 4.x 14 to 22, size 8, cons @ 0, prod @ 4);

/// The first bytes of the shared page; grants follow. C: `struct vchan_interface`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct VchanInterface {
    /// The ring that the client writes.
    pub left: RingShared,
    /// The ring that the server writes.
    pub right: RingShared,
    /// log2 of the left ring's bytes.
    pub left_order: u16,
    /// log2 of the right ring's bytes.
    pub right_order: u16,
    /// The client is: 0 gone, 1 there, 2 waiting.
    pub cli_live: u8,
    /// The server is: 0 gone, 1 there, 2 waiting.
    pub srv_live: u8,
    /// What the client wants to hear of.
    pub cli_notify: u8,
    /// What the server wants to hear of.
    pub srv_notify: u8,
}
assert_layout!(
    VchanInterface = "vchan_interface", 4.x 14 to 22, size 24,
    left @ 0, right @ 8, left_order @ 16, right_order @ 18, cli_live @ 20, srv_live @ 21, cli_notify @ 22,
    srv_notify @ 23,
);
