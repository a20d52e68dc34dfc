//! Xen's own console. Source: public/xen.h, `CONSOLEIO_...`.

use xen_abi::Errno;
use xen_abi::xen::{CONSOLEIO_READ, CONSOLEIO_WRITE};

use super::{Answer, Request};
use crate::access::{read_many, write_nth};

/// # Safety
/// As for [`hypercall::Door::call`].
pub(super) unsafe fn handle(request: Request<'_>) -> Answer {
    let Request { state, args: [command, count, address, ..], .. } = request;
    match command as u32 {
        CONSOLEIO_WRITE => {
            // SAFETY: the buffer is as long as the second register says.
            let text: Vec<u8> = unsafe { read_many(address, count as usize)? };
            state.console.output.extend(&text);
            state.print(&text);
            Ok(0)
        }
        CONSOLEIO_READ => {
            let take = state.console.input.len().min(count as usize);
            for (n, byte) in state.console.input.drain(..take).enumerate() {
                // SAFETY: as above.
                unsafe { write_nth(address, n, &byte)? };
            }
            Ok(take as u64)
        }
        _ => Err(Errno::ENOSYS),
    }
}
