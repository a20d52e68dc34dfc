//! The note that makes a kernel a PVH kernel.

use super::KernelError;
use super::header::{Program, u32_at};
use crate::source::ReadAt;

/// `XEN_ELFNOTE_PHYS32_ENTRY`: the physical address at which a PVH guest starts.
const PHYS32_ENTRY: u32 = 18;
const XEN: [u8; 4] = *b"Xen\0";
/// A note before its name: lengths of name and descriptor, type.
const NOTE: u64 = 12;
/// Notes of a file that are looked through: bounds the work on a hostile one, of which each may lie in a block of its own.
pub(super) const MAX_NOTES: usize = 1024;

/// The PVH entry point, if it is among these notes.
///
/// Notes are aligned to 4 bytes, in segments that say so to 8. At most `left` are looked at, and taken from it.
pub(super) fn entry(
    image: &mut impl ReadAt,
    notes: &Program,
    left: &mut usize,
) -> Result<Option<u64>, KernelError> {
    let align = if notes.align == 8 { 8 } else { 4 };
    let mut at = 0u64;
    while *left > 0 {
        *left -= 1;
        let Some(name_at) = at.checked_add(NOTE).filter(|&name_at| name_at <= notes.file_size) else { break };
        let mut head = [0; NOTE as usize];
        read(image, notes, at, &mut head)?;
        let name_len = u64::from(u32_at(&head, 0));
        let value_len = u64::from(u32_at(&head, 4));
        // All three are below 2^33 behind `at`, which is inside the notes: no overflow, unless the notes are
        // larger than any file, and then reading fails first.
        let value_at = (name_at + name_len).next_multiple_of(align);
        let end = value_at + value_len;
        if end > notes.file_size {
            break;
        }
        if u32_at(&head, 8) == PHYS32_ENTRY && name_len == XEN.len() as u64 {
            let mut name = [0; XEN.len()];
            read(image, notes, name_at, &mut name)?;
            if name == XEN && matches!(value_len, 4 | 8) {
                let mut value = [0; 8];
                read(image, notes, value_at, &mut value[..value_len as usize])?;
                return Ok(Some(u64::from_le_bytes(value)));
            }
        }
        at = end.next_multiple_of(align);
    }
    Ok(None)
}

fn read(image: &mut impl ReadAt, notes: &Program, at: u64, out: &mut [u8]) -> Result<(), KernelError> {
    Ok(image.read_at(notes.offset.saturating_add(at), out)?)
}
