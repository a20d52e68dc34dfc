//! Xenstore's messages and ring. Source: public/io/xs_wire.h.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

constants! {
    /// Control of the server.
    XS_CONTROL: u32 = 0;
    /// Lists children.
    XS_DIRECTORY: u32 = 1;
    /// Reads a value.
    XS_READ: u32 = 2;
    /// Reads permissions.
    XS_GET_PERMS: u32 = 3;
    /// Sets a watch.
    XS_WATCH: u32 = 4;
    /// Removes a watch.
    XS_UNWATCH: u32 = 5;
    /// Starts a transaction.
    XS_TRANSACTION_START: u32 = 6;
    /// Ends a transaction.
    XS_TRANSACTION_END: u32 = 7;
    /// Tells of a domain.
    XS_INTRODUCE: u32 = 8;
    /// Tells that a domain is gone.
    XS_RELEASE: u32 = 9;
    /// A domain's home.
    XS_GET_DOMAIN_PATH: u32 = 10;
    /// Writes a value.
    XS_WRITE: u32 = 11;
    /// Makes a node.
    XS_MKDIR: u32 = 12;
    /// Removes a node and all below it.
    XS_RM: u32 = 13;
    /// Sets permissions.
    XS_SET_PERMS: u32 = 14;
    /// A watch fired.
    XS_WATCH_EVENT: u32 = 15;
    /// A request failed.
    XS_ERROR: u32 = 16;
    /// Is a domain known?
    XS_IS_DOMAIN_INTRODUCED: u32 = 17;
    /// A domain resumes.
    XS_RESUME: u32 = 18;
    /// A domain may act for another.
    XS_SET_TARGET: u32 = 19;
    /// Removes all watches.
    XS_RESET_WATCHES: u32 = 21;
    /// Lists children in parts.
    XS_DIRECTORY_PART: u32 = 22;
    /// Reads the features of a domain's server (from 4.21).
    XS_GET_FEATURE: u32 = 23;
    /// Sets the features of a domain's server (from 4.21).
    XS_SET_FEATURE: u32 = 24;
    /// Reads a quota (from 4.21).
    XS_GET_QUOTA: u32 = 25;
    /// Sets a quota (from 4.21).
    XS_SET_QUOTA: u32 = 26;
    /// No message.
    XS_INVALID: u32 = 0xffff;

    /// Bytes of a ring; a power of two.
    XENSTORE_RING_SIZE: u32 = 0x400;
    /// Bytes of a payload at most.
    XENSTORE_PAYLOAD_MAX: u32 = 0x1000;
    /// Bytes of an absolute path at most.
    XENSTORE_ABS_PATH_MAX: u32 = 0xc00;
    /// Bytes of a relative path at most.
    XENSTORE_REL_PATH_MAX: u32 = 0x800;
    /// Server feature: reconnection.
    XENSTORE_SERVER_FEATURE_RECONNECTION: u32 = 1;
    /// Server feature: the error field (from 4.17).
    XENSTORE_SERVER_FEATURE_ERROR: u32 = 2;
    /// `connection`: all is well.
    XENSTORE_CONNECTED: u32 = 0;
    /// `connection`: the guest asks to start afresh.
    XENSTORE_RECONNECT: u32 = 1;
    /// `error`: none (from 4.17).
    XENSTORE_ERROR_NONE: u32 = 0;
    /// `error`: communication failed (from 4.17).
    XENSTORE_ERROR_COMM: u32 = 1;
    /// `error`: a ring index is out of range (from 4.17).
    XENSTORE_ERROR_RINGIDX: u32 = 2;
    /// `error`: a message is against the protocol (from 4.17).
    XENSTORE_ERROR_PROTO: u32 = 3;
}

/// A message's header. C: `struct xsd_sockmsg`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SockMsg {
    /// `XS_...`.
    pub r#type: u32,
    /// Chosen by the client; the reply has the same.
    pub req_id: u32,
    /// The transaction; 0 for none.
    pub tx_id: u32,
    /// Bytes of payload that follow.
    pub len: u32,
}
assert_layout!(SockMsg = "xsd_sockmsg", 4.x 14 to 22, size 16, r#type @ 0, req_id @ 4, tx_id @ 8, len @ 12);

/// The page of xenstore up to 4.16. C: `struct xenstore_domain_interface`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StoreInterface414 {
    /// Requests.
    pub req: [u8; 1024],
    /// Replies and watch events.
    pub rsp: [u8; 1024],
    /// The server has read up to here.
    pub req_cons: u32,
    /// The guest has written up to here.
    pub req_prod: u32,
    /// The guest has read up to here.
    pub rsp_cons: u32,
    /// The server has written up to here.
    pub rsp_prod: u32,
    /// `XENSTORE_SERVER_FEATURE_...`.
    pub server_features: u32,
    /// `XENSTORE_CONNECTED` or `XENSTORE_RECONNECT`.
    pub connection: u32,
}
assert_layout!(
    StoreInterface414 = "xenstore_domain_interface", 4.x 14 to 16, size 2072,
    req @ 0, rsp @ 1024, req_cons @ 2048, req_prod @ 2052, rsp_cons @ 2056, rsp_prod @ 2060,
    server_features @ 2064, connection @ 2068,
);

/// The page of xenstore from 4.17 to 4.20. C: `struct xenstore_domain_interface`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StoreInterface417 {
    /// Requests.
    pub req: [u8; 1024],
    /// Replies and watch events.
    pub rsp: [u8; 1024],
    /// The server has read up to here.
    pub req_cons: u32,
    /// The guest has written up to here.
    pub req_prod: u32,
    /// The guest has read up to here.
    pub rsp_cons: u32,
    /// The server has written up to here.
    pub rsp_prod: u32,
    /// `XENSTORE_SERVER_FEATURE_...`.
    pub server_features: u32,
    /// `XENSTORE_CONNECTED` or `XENSTORE_RECONNECT`.
    pub connection: u32,
    /// `XENSTORE_ERROR_...`.
    pub error: u32,
}
assert_layout!(
    StoreInterface417 = "xenstore_domain_interface", 4.x 17 to 20, size 2076,
    req @ 0, rsp @ 1024, req_cons @ 2048, req_prod @ 2052, rsp_cons @ 2056, rsp_prod @ 2060,
    server_features @ 2064, connection @ 2068, error @ 2072,
);

/// The page of xenstore from 4.21. C: `struct xenstore_domain_interface`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StoreInterface421 {
    /// Requests.
    pub req: [u8; 1024],
    /// Replies and watch events.
    pub rsp: [u8; 1024],
    /// The server has read up to here.
    pub req_cons: u32,
    /// The guest has written up to here.
    pub req_prod: u32,
    /// The guest has read up to here.
    pub rsp_cons: u32,
    /// The server has written up to here.
    pub rsp_prod: u32,
    /// `XENSTORE_SERVER_FEATURE_...`.
    pub server_features: u32,
    /// `XENSTORE_CONNECTED` or `XENSTORE_RECONNECT`.
    pub connection: u32,
    /// `XENSTORE_ERROR_...`.
    pub error: u32,
    /// The guest's port, for a store that starts after the guest.
    pub evtchn_port: u32,
}
assert_layout!(
    StoreInterface421 = "xenstore_domain_interface", 4.x 21 to 22, size 2080,
    req @ 0, rsp @ 1024, req_cons @ 2048, req_prod @ 2052, rsp_cons @ 2056, rsp_prod @ 2060,
    server_features @ 2064, connection @ 2068, error @ 2072, evtchn_port @ 2076,
);
