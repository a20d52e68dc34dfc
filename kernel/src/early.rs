//! The few hypercalls that must work without a heap and in any state: the console, the memory map, the end.
//!
//! The console is Xen's, which only a privileged domain may write to; a guest has [`pv_console`].

use core::hint::black_box;

use hypercall::Door;
use hypercall::door::native::VendorDoor;
use spin::LazyLock;
use xen_abi::EvtchnPort;
use xen_abi::event_channel::{EVTCHNOP_SEND, Send};
use xen_abi::memory::{E820Entry, MemoryMap, XENMEM_MEMORY_MAP};
use xen_abi::sched::{SCHEDOP_SHUTDOWN, SCHEDOP_YIELD, Shutdown};
use xen_abi::xen::{CONSOLEIO_WRITE, Nr};

use crate::pv_console;

/// Found once: CPUID is an exit.
static DOOR: LazyLock<VendorDoor> = LazyLock::new(VendorDoor::detect);

/// The hypercall instruction of this processor.
pub fn door() -> VendorDoor {
    *DOOR
}

/// Writes to the console. What it does not take is lost; there is nobody to tell.
pub fn console_write(text: &[u8]) {
    if pv_console::write(text) {
        return;
    }
    let args = [u64::from(CONSOLEIO_WRITE), text.len() as u64, text.as_ptr() as u64, 0, 0];
    // SAFETY: Xen reads `text`, no more.
    unsafe { door().call(Nr::CONSOLE_IO, args) };
}

/// Reads our memory map into `map`; returns how many entries there are. Version 0 of the start info, Xen's own,
/// has no memory map.
///
/// # Panics
/// If Xen does not answer: there is no going on without memory.
pub fn memory_map(map: &mut [E820Entry]) -> usize {
    let mut request = MemoryMap { nr_entries: map.len() as u32, _pad: 0, buffer: map.as_mut_ptr() as u64 };
    let args = [u64::from(XENMEM_MEMORY_MAP), &raw mut request as u64, 0, 0, 0];
    // SAFETY: `request` and the buffer that it names are ours to be written, and as large as it says.
    let result = unsafe { door().call(Nr::MEMORY_OP, args) };
    assert!(result == 0, "XENMEM_memory_map: error {result}");
    // Xen wrote behind the compiler's back.
    black_box(&raw mut request);
    (request.nr_entries as usize).min(map.len())
}

/// Asks Xen to end this domain; domain 0 takes the machine along.
pub fn shutdown(reason: u32) {
    let request = Shutdown { reason };
    let args = [u64::from(SCHEDOP_SHUTDOWN), &raw const request as u64, 0, 0, 0];
    // SAFETY: Xen reads `request`, no more.
    unsafe { door().call(Nr::SCHED_OP, args) };
}

/// Notifies the other end of a port of ours.
pub fn notify(port: EvtchnPort) {
    let request = Send { port };
    let args = [u64::from(EVTCHNOP_SEND), &raw const request as u64, 0, 0, 0];
    // SAFETY: Xen reads `request`, no more.
    unsafe { door().call(Nr::EVENT_CHANNEL_OP, args) };
}

/// Lets other domains have the processor for a while.
pub fn give_way() {
    // SAFETY: takes no argument.
    unsafe { door().call(Nr::SCHED_OP, [u64::from(SCHEDOP_YIELD), 0, 0, 0, 0]) };
}
