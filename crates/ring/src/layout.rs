//! Where the rings of Xen's interfaces lie in their pages.

/// Where one byte ring lies in its shared memory.
///
/// Made by the functions and constants of this module only, so that its size is a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub(crate) data: usize,
    pub(crate) size: u32,
    pub(crate) cons: usize,
    pub(crate) prod: usize,
}

impl Layout {
    /// A ring of `size` bytes at `data` whose indices are the words at `cons` and `prod`.
    ///
    /// # Panics
    /// If `size` is not a power of two up to 2^31, or an index is not aligned to four bytes. At compile time when used in a
    /// constant.
    pub const fn new(data: usize, size: u32, cons: usize, prod: usize) -> Self {
        assert!(size.is_power_of_two(), "a ring's size is a power of two");
        assert!(cons.is_multiple_of(4) && prod.is_multiple_of(4), "an index is an aligned word");
        Layout { data, size, cons, prod }
    }

    /// Empties the ring by zeroing both indices. For the side that may: the one that resets the connection.
    pub fn clear(&self, shared: &impl crate::Shared) {
        shared.store_u32(self.cons, 0);
        shared.store_u32(self.prod, 0);
    }

    /// Whether anything was put into the ring since it was cleared (or 4 GiB later).
    pub fn was_used(&self, shared: &impl crate::Shared) -> bool {
        shared.load_u32(self.prod) != 0 || shared.load_u32(self.cons) != 0
    }

    /// The ring's capacity in bytes.
    pub const fn size(&self) -> usize {
        self.size as usize
    }
}

/// The xenstore page. C: `struct xenstore_domain_interface`. Source: public/io/xs_wire.h.
pub mod xenstore {
    use super::Layout;

    /// Requests, guest to server.
    pub const REQ: Layout = Layout::new(0, 1024, 2048, 2052);
    /// Replies and watch events, server to guest.
    pub const RSP: Layout = Layout::new(1024, 1024, 2056, 2060);
    /// Offset of `server_features`, a bitmap of the `FEATURE_` constants.
    pub const SERVER_FEATURES: usize = 2064;
    /// Offset of `connection`: [`CONNECTED`] or [`RECONNECT`].
    pub const CONNECTION: usize = 2068;
    /// Offset of `error`: one of the `ERROR_` constants.
    pub const ERROR: usize = 2072;

    /// The guest may ask for a fresh connection. C: `XENSTORE_SERVER_FEATURE_RECONNECTION`.
    pub const FEATURE_RECONNECTION: u32 = 1;
    /// The `error` field is in use. C: `XENSTORE_SERVER_FEATURE_ERROR`.
    pub const FEATURE_ERROR: u32 = 2;
    /// WATCH takes a depth. C: `XENSTORE_SERVER_FEATURE_WATCHDEPTH`.
    pub const FEATURE_WATCHDEPTH: u32 = 4;
    /// Permissions may name DOMID_ANY, everybody. C: `XENSTORE_SERVER_FEATURE_DOMID_ANY`.
    pub const FEATURE_DOMID_ANY: u32 = 8;

    /// The steady state. C: `XENSTORE_CONNECTED`.
    pub const CONNECTED: u32 = 0;
    /// The guest asks for a reset of the connection. C: `XENSTORE_RECONNECT`.
    pub const RECONNECT: u32 = 1;

    /// C: `XENSTORE_ERROR_NONE`.
    pub const ERROR_NONE: u32 = 0;
    /// The event channel does not work. C: `XENSTORE_ERROR_COMM`.
    pub const ERROR_COMM: u32 = 1;
    /// An index is out of range. C: `XENSTORE_ERROR_RINGIDX`.
    pub const ERROR_RINGIDX: u32 = 2;
    /// A message is too long. C: `XENSTORE_ERROR_PROTO`.
    pub const ERROR_PROTO: u32 = 3;
}

/// The console page. C: `struct xencons_interface`. Source: public/io/console.h.
pub mod console {
    use super::Layout;

    /// Input, towards the guest.
    pub const IN: Layout = Layout::new(0, 1024, 3072, 3076);
    /// Output, from the guest.
    pub const OUT: Layout = Layout::new(1024, 2048, 3080, 3084);
}

/// The shared page of a vchan. C: `struct vchan_interface`. Source: public/io/libxenvchan.h.
pub mod vchan {
    use super::Layout;

    /// Offset of `left_order`, a 16-bit word.
    pub const LEFT_ORDER: usize = 16;
    /// Offset of `right_order`, a 16-bit word.
    pub const RIGHT_ORDER: usize = 18;

    /// The left ring (client writes, server reads): `1 << order` bytes at `data`.
    ///
    /// # Panics
    /// If `order` is over 31.
    pub const fn left(order: u32, data: usize) -> Layout {
        Layout::new(data, 1 << order, 0, 4)
    }

    /// The right ring (server writes, client reads): `1 << order` bytes at `data`.
    ///
    /// # Panics
    /// If `order` is over 31.
    pub const fn right(order: u32, data: usize) -> Layout {
        Layout::new(data, 1 << order, 8, 12)
    }
}
