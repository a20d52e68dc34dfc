//! Says hello on its console and powers off.
#![no_std]
#![no_main]

use pvh::{Console, xen};

#[unsafe(no_mangle)]
extern "C" fn guest_main() -> ! {
    Console::open().write(b"hello from a guest\n");
    xen::shutdown(xen::POWEROFF)
}
