//! Says so on its console and crashes.
#![no_std]
#![no_main]

use pvh::{Console, xen};

#[unsafe(no_mangle)]
extern "C" fn guest_main() -> ! {
    Console::open().write(b"about to crash\n");
    xen::shutdown(xen::CRASH)
}
