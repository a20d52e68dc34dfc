//! What Xen says of itself. Source: public/version.h and public/features.h.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

constants! {
    /// The release: major in the high 16 bits of the answer, minor in the low.
    XENVER_VERSION: u32 = 0;
    /// The rest of the release's name, ".4".
    XENVER_EXTRAVERSION: u32 = 1;
    /// Who compiled it, and with what.
    XENVER_COMPILE_INFO: u32 = 2;
    /// The kinds of guests that it runs.
    XENVER_CAPABILITIES: u32 = 3;
    /// The commit that it was made of.
    XENVER_CHANGESET: u32 = 4;
    /// Where Xen is in the address space of guests.
    XENVER_PLATFORM_PARAMETERS: u32 = 5;
    /// `XENFEAT_...`.
    XENVER_GET_FEATURES: u32 = 6;
    /// The size of a page.
    XENVER_PAGESIZE: u32 = 7;
    /// The handle (UUID) of this domain.
    XENVER_GUEST_HANDLE: u32 = 8;
    /// Xen's command line.
    XENVER_COMMANDLINE: u32 = 9;
    /// Xen's build identifier.
    XENVER_BUILD_ID: u32 = 10;

    /// Bytes of extraversion's answer.
    XEN_EXTRAVERSION_LEN: usize = 16;
    /// Bytes of capabilities' answer.
    XEN_CAPABILITIES_INFO_LEN: usize = 0x400;
    /// Bytes of changeset's answer.
    XEN_CHANGESET_INFO_LEN: usize = 64;

    /// Feature: page tables hold guest frames.
    XENFEAT_AUTO_TRANSLATED_PHYSMAP: u32 = 2;
    /// Feature: events can come as an interrupt vector.
    XENFEAT_HVM_CALLBACK_VECTOR: u32 = 8;
    /// Feature: the clock is safe to use in an HVM guest.
    XENFEAT_HVM_SAFE_PVCLOCK: u32 = 9;
    /// Feature: physical interrupts can be event channels.
    XENFEAT_HVM_PIRQS: u32 = 10;
    /// Feature: this is the first domain.
    XENFEAT_DOM0: u32 = 11;
}

/// Bytes of commandline's answer: 1024, `xen_commandline_t`.
pub const XEN_COMMANDLINE_LEN: usize = 1024;

/// Answer of compile_info. C: `struct xen_compile_info`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CompileInfo {
    /// Out: the compiler.
    pub compiler: [u8; 64],
    /// Out: who.
    pub compile_by: [u8; 16],
    /// Out: on which machine.
    pub compile_domain: [u8; 32],
    /// Out: when.
    pub compile_date: [u8; 32],
}
assert_layout!(
    CompileInfo = "xen_compile_info", 4.x 14 to 22, size 144,
    compiler @ 0, compile_by @ 64, compile_domain @ 80, compile_date @ 112,
);

/// Answer of get_features. C: `struct xen_feature_info`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FeatureInfo {
    /// In: which 32 features.
    pub submap_idx: u32,
    /// Out: a bit each.
    pub submap: u32,
}
assert_layout!(FeatureInfo = "xen_feature_info", 4.x 14 to 22, size 8, submap_idx @ 0, submap @ 4);

/// Answer of platform_parameters. C: `struct xen_platform_parameters`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PlatformParameters {
    /// Out: the first address that Xen keeps for itself in PV guests.
    pub virt_start: u64,
}
assert_layout!(PlatformParameters = "xen_platform_parameters", 4.x 14 to 22, size 8, virt_start @ 0);
