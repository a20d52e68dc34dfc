//! The console of a kernel that is a guest: a ring that whoever serves the guest's console drains.
//!
//! Writing waits for room, but not for ever: when nobody drains the ring, what does not fit is lost, and the next write waits
//! no more until there is room again.
//!
//! Source: public/io/console.h.

use ring::{Producer, layout};
use spin::Mutex;
use xen_abi::EvtchnPort;

use crate::device_memory::DeviceMemory;
use crate::early;

/// How often others get the processor before a full ring counts as one that nobody drains.
const PATIENCE: u32 = 10_000;

/// The console, once there is one.
static CONSOLE: Mutex<Option<PvConsole>> = Mutex::new(None);

struct PvConsole {
    page: DeviceMemory,
    ring: Producer,
    port: EvtchnPort,
    is_stuck: bool,
}

/// From now on everything goes there: `page` is the console's page, `port` our end of its event channel.
pub fn init(page: DeviceMemory, port: EvtchnPort) {
    let ring = Producer::new(layout::console::OUT);
    *CONSOLE.lock() = Some(PvConsole { page, ring, port, is_stuck: false });
}

/// Writes text, each line's end as a terminal wants it. False: there is no such console.
pub fn write(text: &[u8]) -> bool {
    // It is taken only by a write that panicked: those last words are lost, and this panic's own not.
    let Some(mut console) = CONSOLE.try_lock() else { return false };
    let Some(console) = &mut *console else { return false };
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                console.put(line);
                console.put(b"\r\n");
            }
            None => console.put(line),
        }
    }
    early::notify(console.port);
    true
}

impl PvConsole {
    fn put(&mut self, mut bytes: &[u8]) {
        let mut patience = if self.is_stuck { 0 } else { PATIENCE };
        while !bytes.is_empty() {
            // Indices that make no sense are the drainer's doing: nothing more reaches it.
            let Ok(count) = self.ring.write(&self.page, bytes) else { return };
            bytes = &bytes[count..];
            self.is_stuck = count == 0 && patience == 0;
            if self.is_stuck {
                return;
            }
            if !bytes.is_empty() {
                patience = patience.saturating_sub(1);
                early::notify(self.port);
                early::give_way();
            }
        }
    }
}
