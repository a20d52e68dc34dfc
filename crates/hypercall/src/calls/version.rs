//! What Xen says of itself. Source: public/version.h.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use xen_abi::version::{
    self as abi, CompileInfo as Answer, FeatureInfo, PlatformParameters, XENVER_BUILD_ID,
    XENVER_CAPABILITIES, XENVER_CHANGESET, XENVER_COMMANDLINE, XENVER_COMPILE_INFO, XENVER_EXTRAVERSION,
    XENVER_GET_FEATURES, XENVER_PAGESIZE, XENVER_PLATFORM_PARAMETERS, XENVER_VERSION,
};

use crate::call::{Buffer, Call, Op, Place, Reply};
use crate::{CompileInfo, Nr};

// SAFETY: public/version.h pairs them; there is no guest handle.
const GET_FEATURES: Op<FeatureInfo> =
    unsafe { Op::new("XENVER_get_features", Nr::XEN_VERSION, XENVER_GET_FEATURES) };
// SAFETY: public/version.h pairs them; there is no guest handle.
const PLATFORM_PARAMETERS: Op<PlatformParameters> =
    unsafe { Op::new("XENVER_platform_parameters", Nr::XEN_VERSION, XENVER_PLATFORM_PARAMETERS) };

/// The release: major and minor number.
///
/// Hypercall: `XENVER_version`.
#[must_use]
pub fn version() -> Call<(u16, u16)> {
    // SAFETY: takes no argument.
    unsafe {
        Call::plain(
            "XENVER_version",
            Nr::XEN_VERSION,
            [u64::from(XENVER_VERSION), 0, 0, 0, 0],
            vec![],
            |reply| ((reply.value >> 16) as u16, reply.value as u16),
        )
    }
}

/// The size of a page in bytes.
///
/// Hypercall: `XENVER_pagesize`.
#[must_use]
pub fn page_size() -> Call<u64> {
    // SAFETY: takes no argument.
    unsafe {
        Call::plain(
            "XENVER_pagesize",
            Nr::XEN_VERSION,
            [u64::from(XENVER_PAGESIZE), 0, 0, 0, 0],
            vec![],
            |reply| reply.value,
        )
    }
}

/// An operation that fills a buffer with text.
///
/// # Safety
/// `command` writes at most `length` bytes.
unsafe fn text(name: &'static str, command: u32, length: usize) -> Call<String> {
    let room = Buffer::room(Place::Register(1), length);
    // SAFETY: the caller's promise.
    unsafe {
        Call::plain(name, Nr::XEN_VERSION, [u64::from(command), 0, 0, 0, 0], vec![room], |reply| {
            until_zero(reply.buffer(0))
        })
    }
}

/// The text before the first zero byte. What is not UTF-8 is replaced.
fn until_zero(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// The rest of the release's name: ".4".
///
/// Hypercall: `XENVER_extraversion`.
#[must_use]
pub fn extra_version() -> Call<String> {
    // SAFETY: writes a `xen_extraversion_t`.
    unsafe { text("XENVER_extraversion", XENVER_EXTRAVERSION, abi::XEN_EXTRAVERSION_LEN) }
}

/// The kinds of guests that Xen runs: "xen-3.0-x86_64 hvm-3.0-x86_32 ...".
///
/// Hypercall: `XENVER_capabilities`.
#[must_use]
pub fn capabilities() -> Call<String> {
    // SAFETY: writes a `xen_capabilities_info_t`.
    unsafe { text("XENVER_capabilities", XENVER_CAPABILITIES, abi::XEN_CAPABILITIES_INFO_LEN) }
}

/// The commit that Xen was made of.
///
/// Hypercall: `XENVER_changeset`.
#[must_use]
pub fn changeset() -> Call<String> {
    // SAFETY: writes a `xen_changeset_info_t`.
    unsafe { text("XENVER_changeset", XENVER_CHANGESET, abi::XEN_CHANGESET_INFO_LEN) }
}

/// Xen's command line.
///
/// Hypercall: `XENVER_commandline`.
#[must_use]
pub fn command_line() -> Call<String> {
    // SAFETY: writes a `xen_commandline_t`.
    unsafe { text("XENVER_commandline", XENVER_COMMANDLINE, abi::XEN_COMMANDLINE_LEN) }
}

/// Who compiled Xen, and with what.
///
/// Hypercall: `XENVER_compile_info`.
#[must_use]
pub fn compile_info() -> Call<CompileInfo> {
    let room = Buffer::room(Place::Register(1), size_of::<Answer>());
    let decode = |reply: &Reply<'_>| {
        let bytes = reply.buffer(0);
        let (compiler, rest) = bytes.split_at(64);
        let (by, rest) = rest.split_at(16);
        let (domain, date) = rest.split_at(32);
        CompileInfo {
            compiler: until_zero(compiler),
            by: until_zero(by),
            domain: until_zero(domain),
            date: until_zero(date),
        }
    };
    let registers = [u64::from(XENVER_COMPILE_INFO), 0, 0, 0, 0];
    // SAFETY: writes one such structure.
    unsafe { Call::plain("XENVER_compile_info", Nr::XEN_VERSION, registers, vec![room], decode) }
}

/// Bytes of the longest build identifier: a SHA-1 has 20.
const MOST_BUILD_ID: usize = 64;

/// What the linker stamped on Xen: differs for each build that differs.
///
/// Hypercall: `XENVER_build_id`. Fails with `ENODATA`: it was linked without; `ENOBUFS`: it is longer than any we know.
#[must_use]
pub fn build_id() -> Call<Vec<u8>> {
    let mut argument = [0u32; 1 + MOST_BUILD_ID / size_of::<u32>()];
    argument[0] = MOST_BUILD_ID as u32;
    let argument = Buffer::of(Place::Register(1), &argument);
    let registers = [u64::from(XENVER_BUILD_ID), 0, 0, 0, 0];
    // SAFETY: a `xen_build_id` is a length and so many bytes, which is what Xen writes at most.
    unsafe {
        Call::plain("XENVER_build_id", Nr::XEN_VERSION, registers, vec![argument], |reply| {
            reply.buffer(0)[size_of::<u32>()..].iter().copied().take(reply.value as usize).collect()
        })
    }
}

/// The features `32 * submap` to `32 * submap + 31`, a bit each: `XENFEAT_...`.
///
/// Hypercall: `XENVER_get_features`.
#[must_use]
pub fn features(submap: u32) -> Call<u32> {
    GET_FEATURES
        .call(FeatureInfo { submap_idx: submap, submap: 0 }, |reply| reply.arg::<FeatureInfo>().submap)
}

/// The first address that Xen keeps for itself in paravirtual guests.
///
/// Hypercall: `XENVER_platform_parameters`.
#[must_use]
pub fn virt_start() -> Call<u64> {
    PLATFORM_PARAMETERS
        .call(PlatformParameters { virt_start: 0 }, |reply| reply.arg::<PlatformParameters>().virt_start)
}
