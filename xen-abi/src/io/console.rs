//! The console's ring. Source: public/io/console.h.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

constants! {
    /// `connection`: the backend is there (from 4.21).
    XENCONSOLE_CONNECTED: u8 = 0;
    /// `connection`: the backend is not there yet (from 4.21).
    XENCONSOLE_DISCONNECTED: u8 = 1;
}

/// The page of a console up to 4.20. C: `struct xencons_interface`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ConsoleInterface414 {
    /// Bytes to the guest.
    pub r#in: [u8; 1024],
    /// Bytes from the guest.
    pub out: [u8; 2048],
    /// The guest has read up to here.
    pub in_cons: u32,
    /// The backend has written up to here.
    pub in_prod: u32,
    /// The backend has read up to here.
    pub out_cons: u32,
    /// The guest has written up to here.
    pub out_prod: u32,
}
assert_layout!(
    ConsoleInterface414 = "xencons_interface", 4.x 14 to 20, size 3088,
    r#in @ 0, out @ 1024, in_cons @ 3072, in_prod @ 3076, out_cons @ 3080, out_prod @ 3084,
);

/// The page of a console from 4.21. C: `struct xencons_interface`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ConsoleInterface421 {
    /// Bytes to the guest.
    pub r#in: [u8; 1024],
    /// Bytes from the guest.
    pub out: [u8; 2048],
    /// The guest has read up to here.
    pub in_cons: u32,
    /// The backend has written up to here.
    pub in_prod: u32,
    /// The backend has read up to here.
    pub out_cons: u32,
    /// The guest has written up to here.
    pub out_prod: u32,
    /// `XENCONSOLE_...`.
    pub connection: u8,
    /// Zero.
    pub _pad: [u8; 3],
}
assert_layout!(
    ConsoleInterface421 = "xencons_interface", 4.x 21 to 22, size 3092,
    r#in @ 0, out @ 1024, in_cons @ 3072, in_prod @ 3076, out_cons @ 3080, out_prod @ 3084,
    connection @ 3088, _pad @ 3089,
);
