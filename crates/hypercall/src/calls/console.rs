//! Xen's own console. Source: public/xen.h, `CONSOLEIO_...`.

use alloc::vec;
use alloc::vec::Vec;

use xen_abi::xen::{CONSOLEIO_READ, CONSOLEIO_WRITE};

use crate::Nr;
use crate::call::{Buffer, Call, Place, nothing};

/// Writes to Xen's console.
///
/// Hypercall: `CONSOLEIO_write`.
#[must_use]
pub fn write(text: &[u8]) -> Call<()> {
    let registers = [u64::from(CONSOLEIO_WRITE), text.len() as u64, 0, 0, 0];
    let buffer = Buffer::of(Place::Register(2), text);
    // SAFETY: reads that many bytes.
    unsafe { Call::plain("CONSOLEIO_write", Nr::CONSOLE_IO, registers, vec![buffer], nothing) }
}

/// Reads what was typed on Xen's console: `most` bytes at most.
///
/// Hypercall: `CONSOLEIO_read`.
#[must_use]
pub fn read(most: usize) -> Call<Vec<u8>> {
    let registers = [u64::from(CONSOLEIO_READ), most as u64, 0, 0, 0];
    let room = Buffer::room(Place::Register(2), most);
    // SAFETY: writes at most that many bytes.
    unsafe {
        Call::plain("CONSOLEIO_read", Nr::CONSOLE_IO, registers, vec![room], |reply| {
            let bytes = reply.buffer(0);
            bytes[..bytes.len().min(reply.value as usize)].to_vec()
        })
    }
}
