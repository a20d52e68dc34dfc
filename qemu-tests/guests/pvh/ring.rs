//! The console and store pages that the toolstack shares with its guest.
//! Source: public/io/console.h, public/io/xs_wire.h.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::xen;

/// A page that the toolstack reads and writes as well, and the event channel that goes with it.
#[derive(Clone, Copy)]
pub struct SharedPage {
    address: usize,
    port: u32,
}

impl SharedPage {
    /// This domain's console page.
    pub fn console() -> Self {
        Self::open(xen::CONSOLE_PFN, xen::CONSOLE_EVTCHN)
    }

    /// This domain's store page.
    pub fn store() -> Self {
        Self::open(xen::STORE_PFN, xen::STORE_EVTCHN)
    }

    fn open(pfn: u32, port: u32) -> Self {
        Self { address: (xen::param(pfn) << 12) as usize, port: xen::param(port) as u32 }
    }

    /// One 32-bit word of the page, by its offset in bytes.
    pub fn word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset < 4096 && offset.is_multiple_of(4));
        // SAFETY: the page is mapped one to one for as long as this domain lives, and only used through atomics.
        unsafe { AtomicU32::from_ptr((self.address + offset) as *mut u32) }
    }

    /// Tells the toolstack to look.
    pub fn notify(&self) {
        xen::notify(self.port);
    }

    /// Sleeps until the toolstack tells us to look.
    pub fn wait(&self) {
        xen::wait(self.port);
    }

    fn byte(&self, offset: usize) -> *mut u8 {
        (self.address + offset) as *mut u8
    }
}

/// This domain's console, used as it is meant to be.
pub struct Console(SharedPage);

const IN_SIZE: u32 = 1024;
const OUT_SIZE: u32 = 2048;
/// Offsets of the four indices in `struct xencons_interface`.
pub const IN_CONS: usize = 3072;
/// Of what the toolstack wrote.
pub const IN_PROD: usize = 3076;
/// Of what the toolstack read.
pub const OUT_CONS: usize = 3080;
/// Of what the guest wrote.
pub const OUT_PROD: usize = 3084;

impl Console {
    /// Finds the console.
    pub fn open() -> Self {
        Self(SharedPage::console())
    }

    /// Writes all of `text`, waiting while the ring is full.
    pub fn write(&self, text: &[u8]) {
        for byte in text {
            let produced = self.0.word(OUT_PROD).load(Ordering::Relaxed);
            while produced.wrapping_sub(self.0.word(OUT_CONS).load(Ordering::Acquire)) >= OUT_SIZE {
                self.0.notify();
                self.0.wait();
            }
            let at = IN_SIZE + produced % OUT_SIZE;
            // SAFETY: inside of the page's output buffer; the toolstack does not read it before the index moves.
            unsafe { self.0.byte(at as usize).write_volatile(*byte) };
            self.0.word(OUT_PROD).store(produced.wrapping_add(1), Ordering::Release);
        }
        self.0.notify();
    }

    /// Reads up to the next line end, which is left out, or until `line` is full; waits for it.
    pub fn read_line<'a>(&self, line: &'a mut [u8]) -> &'a [u8] {
        let mut len = 0;
        while len < line.len() {
            match self.read() {
                b'\r' | b'\n' if len == 0 => {}
                b'\r' | b'\n' => break,
                byte => {
                    line[len] = byte;
                    len += 1;
                }
            }
        }
        &line[..len]
    }

    fn read(&self) -> u8 {
        let consumed = self.0.word(IN_CONS).load(Ordering::Relaxed);
        while consumed == self.0.word(IN_PROD).load(Ordering::Acquire) {
            self.0.wait();
        }
        // SAFETY: inside of the page's input buffer; the toolstack does not write it before the index moves.
        let byte = unsafe { self.0.byte((consumed % IN_SIZE) as usize).read_volatile() };
        self.0.word(IN_CONS).store(consumed.wrapping_add(1), Ordering::Release);
        self.0.notify();
        byte
    }
}
