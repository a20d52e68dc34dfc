//! Grant tables. Source: public/grant_table.h.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{DomId, GrantRef};

constants! {
    /// Maps granted pages.
    GNTTABOP_MAP_GRANT_REF: u32 = 0;
    /// Unmaps granted pages.
    GNTTABOP_UNMAP_GRANT_REF: u32 = 1;
    /// Sets up a grant table.
    GNTTABOP_SETUP_TABLE: u32 = 2;
    /// Copies between granted pages.
    GNTTABOP_COPY: u32 = 5;
    /// How large a grant table is.
    GNTTABOP_QUERY_SIZE: u32 = 6;
    /// Sets this domain's grant table version.
    GNTTABOP_SET_VERSION: u32 = 8;
    /// Reads a domain's grant table version.
    GNTTABOP_GET_VERSION: u32 = 10;

    /// Type of an entry: not used.
    GTF_INVALID: u16 = 0;
    /// Type of an entry: the other domain may map the frame.
    GTF_PERMIT_ACCESS: u16 = 1;
    /// The bits of an entry's type.
    GTF_TYPE_MASK: u16 = 3;
    /// Flag of an entry: for reading only.
    GTF_READONLY: u16 = 4;
    /// Flag of an entry: mapped for reading.
    GTF_READING: u16 = 8;
    /// Flag of an entry: mapped for writing.
    GTF_WRITING: u16 = 16;

    /// Flag of a copy: the source is a grant.
    GNTCOPY_SOURCE_GREF: u16 = 1;
    /// Flag of a copy: the destination is a grant.
    GNTCOPY_DEST_GREF: u16 = 2;

    /// Flag of a mapping: for devices.
    GNTMAP_DEVICE_MAP: u32 = 1;
    /// Flag of a mapping: for this domain's CPUs.
    GNTMAP_HOST_MAP: u32 = 2;
    /// Flag of a mapping: for reading only.
    GNTMAP_READONLY: u32 = 4;

    /// The entry of the console's ring.
    GNTTAB_RESERVED_CONSOLE: u32 = 0;
    /// The entry of xenstore's ring.
    GNTTAB_RESERVED_XENSTORE: u32 = 1;
    /// How many entries the toolstack keeps.
    GNTTAB_NR_RESERVED_ENTRIES: u32 = 8;

    /// Done.
    GNTST_OKAY: i16 = 0;
}

/// Negative answers in a `status` field. Source: public/grant_table.h, `GNTST_...`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct GrantStatus(pub i16);

macro_rules! grant_statuses {
    ($($name:ident = $value:literal, $c:literal, $text:literal;)*) => {
        impl GrantStatus {
            $(#[doc = concat!("`", $c, "`: ", $text, ".")]
            pub const $name: GrantStatus = GrantStatus($value);)*

            /// What it means, in a few words.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self.0 { $($value => $text,)* _ => "unknown grant status" }
            }
        }

        /// Every grant status, for the test that compares them with the C headers.
        pub const STATUSES: &[crate::layout::Constant] =
            &[$(crate::layout::Constant { name: $c, value: $value as i64 as u64 },)*];
    };
}

grant_statuses! {
    OKAY = 0, "GNTST_okay", "done";
    GENERAL_ERROR = -1, "GNTST_general_error", "general error";
    BAD_DOMAIN = -2, "GNTST_bad_domain", "no such domain";
    BAD_GNTREF = -3, "GNTST_bad_gntref", "not granted";
    BAD_HANDLE = -4, "GNTST_bad_handle", "no such mapping";
    BAD_VIRT_ADDR = -5, "GNTST_bad_virt_addr", "bad address";
    BAD_DEV_ADDR = -6, "GNTST_bad_dev_addr", "bad device address";
    NO_DEVICE_SPACE = -7, "GNTST_no_device_space", "no room in the IOMMU";
    PERMISSION_DENIED = -8, "GNTST_permission_denied", "permission denied";
    BAD_PAGE = -9, "GNTST_bad_page", "bad page";
    BAD_COPY_ARG = -10, "GNTST_bad_copy_arg", "copy across a page's end";
    ADDRESS_TOO_BIG = -11, "GNTST_address_too_big", "address too big";
    EAGAIN = -12, "GNTST_eagain", "try again";
    NO_SPACE = -13, "GNTST_no_space", "no room for a handle";
}

/// An entry of a grant table, version 1. C: `struct grant_entry_v1`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GrantEntryV1 {
    /// `GTF_...`.
    pub flags: u16,
    /// The domain that may map.
    pub domid: DomId,
    /// The frame.
    pub frame: u32,
}
assert_layout!(GrantEntryV1 = "grant_entry_v1", 4.x 14 to 22, size 8, flags @ 0, domid @ 2, frame @ 4);

/// Argument of map_grant_ref. C: `struct gnttab_map_grant_ref`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MapGrantRef {
    /// In: where it shall appear: a physical address, in a translated domain.
    pub host_addr: u64,
    /// In: `GNTMAP_...`.
    pub flags: u32,
    /// In: the grant.
    pub r#ref: GrantRef,
    /// In: the domain that grants.
    pub dom: DomId,
    /// Out: done, or why not.
    pub status: GrantStatus,
    /// Out: for unmapping.
    pub handle: u32,
    /// Out: for devices.
    pub dev_bus_addr: u64,
}
assert_layout!(
    MapGrantRef = "gnttab_map_grant_ref", 4.x 14 to 22, size 32,
    host_addr @ 0, flags @ 8, r#ref @ 12, dom @ 16, status @ 18, handle @ 20, dev_bus_addr @ 24,
);

/// Argument of unmap_grant_ref. C: `struct gnttab_unmap_grant_ref`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UnmapGrantRef {
    /// In: where it appears.
    pub host_addr: u64,
    /// In: for devices; 0 else.
    pub dev_bus_addr: u64,
    /// In: as mapping answered.
    pub handle: u32,
    /// Out: done, or why not.
    pub status: GrantStatus,
    /// Not used.
    pub _pad: u16,
}
assert_layout!(
    UnmapGrantRef = "gnttab_unmap_grant_ref", 4.x 14 to 22, size 24,
    host_addr @ 0, dev_bus_addr @ 8, handle @ 16, status @ 20, _pad @ 22,
);

/// Argument of setup_table. C: `struct gnttab_setup_table`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SetupTable {
    /// In: the domain.
    pub dom: DomId,
    /// Zero.
    pub _pad1: u16,
    /// In: how many frames.
    pub nr_frames: u32,
    /// Out: done, or why not.
    pub status: GrantStatus,
    /// Zero.
    pub _pad2: [u16; 3],
    /// In: the address for the list of frames.
    pub frame_list: u64,
}
assert_layout!(
    SetupTable = "gnttab_setup_table", 4.x 14 to 22, size 24,
    dom @ 0, _pad1 @ 2, nr_frames @ 4, status @ 8, _pad2 @ 10, frame_list @ 16,
);

/// Answer of query_size. C: `struct gnttab_query_size`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct QuerySize {
    /// In: the domain.
    pub dom: DomId,
    /// Zero.
    pub _pad1: u16,
    /// Out: how many frames the table has.
    pub nr_frames: u32,
    /// Out: how many it may have.
    pub max_nr_frames: u32,
    /// Out: done, or why not.
    pub status: GrantStatus,
    /// Not used.
    pub _pad2: u16,
}
assert_layout!(
    QuerySize = "gnttab_query_size", 4.x 14 to 22, size 16,
    dom @ 0, _pad1 @ 2, nr_frames @ 4, max_nr_frames @ 8, status @ 12, _pad2 @ 14,
);

/// Argument of set_version. C: `struct gnttab_set_version`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SetVersion {
    /// In and out: the version.
    pub version: u32,
}
assert_layout!(SetVersion = "gnttab_set_version", 4.x 14 to 22, size 4, version @ 0);

/// Answer of get_version. C: `struct gnttab_get_version`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GetVersion {
    /// In: the domain.
    pub dom: DomId,
    /// Zero.
    pub pad: u16,
    /// Out: the version.
    pub version: u32,
}
assert_layout!(GetVersion = "gnttab_get_version", 4.x 14 to 22, size 8, dom @ 0, pad @ 2, version @ 4);

/// One end of a copy. C: `struct gnttab_copy_ptr`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GrantCopyEnd {
    /// In: the grant, or without the flag for it the frame.
    pub u: u64,
    /// In: the domain that grants, or ourselves.
    pub domid: DomId,
    /// In: the first byte in the page.
    pub offset: u16,
    /// Not used.
    pub _pad: u32,
}
assert_layout!(
    GrantCopyEnd = "gnttab_copy_ptr", 4.x 14 to 22, size 16,
    u @ 0, domid @ 8, offset @ 10, _pad @ 12,
);

/// Argument of copy. C: `struct gnttab_copy`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GrantCopy {
    /// In: from where.
    pub source: GrantCopyEnd,
    /// In: to where.
    pub dest: GrantCopyEnd,
    /// In: bytes.
    pub len: u16,
    /// In: `GNTCOPY_...`.
    pub flags: u16,
    /// Out: done, or why not.
    pub status: GrantStatus,
    /// Not used.
    pub _pad: u16,
}
assert_layout!(
    GrantCopy = "gnttab_copy", 4.x 14 to 22, size 40,
    source @ 0, dest @ 16, len @ 32, flags @ 34, status @ 36, _pad @ 38,
);
