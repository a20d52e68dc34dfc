//! What Xen says of itself. Source: public/version.h.

use xen_abi::Errno;
use xen_abi::version::{
    self as abi, CompileInfo, FeatureInfo, PlatformParameters, XENFEAT_AUTO_TRANSLATED_PHYSMAP, XENFEAT_DOM0,
    XENFEAT_HVM_CALLBACK_VECTOR, XENFEAT_HVM_PIRQS, XENFEAT_HVM_SAFE_PVCLOCK,
};

use super::{Answer, Request};
use crate::access::{read, write};

/// The build identifier, as long as real ones.
const BUILD_ID: [u8; 20] = *b"\xab\xcd simulated build\x01\x02";

fn text<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

/// # Safety
/// As for [`hypercall::Door::call`].
pub(super) unsafe fn handle(request: Request<'_>) -> Answer {
    let Request { state, args: [command, address, ..], .. } = request;
    let minor = state.config.minor;
    // SAFETY: each operation takes the structure that public/version.h pairs with it.
    unsafe {
        match command as u32 {
            abi::XENVER_VERSION => return Ok(4 << 16 | u64::from(minor)),
            abi::XENVER_PAGESIZE => return Ok(4096),
            abi::XENVER_EXTRAVERSION => write(address, &text::<16>(".0-sim"))?,
            abi::XENVER_COMPILE_INFO => {
                let info = CompileInfo {
                    compiler: text("rustc"),
                    compile_by: text("sim"),
                    compile_domain: text("nanodom"),
                    compile_date: text("Sun Nov 22 12:00:00 UTC 2026"),
                };
                write(address, &info)?;
            }
            abi::XENVER_CAPABILITIES => {
                let kinds = format!("xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_64 sim-4.{minor}");
                write(address, &text::<1024>(&kinds))?;
            }
            abi::XENVER_CHANGESET => write(address, &text::<64>("simulated"))?,
            abi::XENVER_COMMANDLINE => {
                let line = state.config.command_line.clone();
                write(address, &text::<1024>(&line))?;
            }
            abi::XENVER_PLATFORM_PARAMETERS => {
                write(address, &PlatformParameters { virt_start: 0xffff_8000_0000_0000 })?;
            }
            abi::XENVER_GET_FEATURES => {
                let mut arg: FeatureInfo = read(address)?;
                let bits = [
                    XENFEAT_AUTO_TRANSLATED_PHYSMAP,
                    XENFEAT_HVM_CALLBACK_VECTOR,
                    XENFEAT_HVM_SAFE_PVCLOCK,
                    XENFEAT_HVM_PIRQS,
                    XENFEAT_DOM0,
                ];
                arg.submap = match arg.submap_idx {
                    0 => bits.iter().map(|bit| 1 << bit).sum(),
                    _ => return Err(Errno::EINVAL),
                };
                write(address, &arg)?;
            }
            abi::XENVER_BUILD_ID => {
                let room: u32 = read(address)?;
                if (room as usize) < BUILD_ID.len() {
                    return Err(Errno::ENOBUFS);
                }
                write(address + size_of::<u32>() as u64, &BUILD_ID)?;
                return Ok(BUILD_ID.len() as u64);
            }
            _ => return Err(Errno::ENOSYS),
        }
    }
    Ok(0)
}
