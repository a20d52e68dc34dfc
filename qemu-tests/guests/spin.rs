//! Keeps its processor busy for ever.
#![no_std]
#![no_main]

use pvh::Console;

#[unsafe(no_mangle)]
extern "C" fn guest_main() -> ! {
    Console::open().write(b"spinning\n");
    loop {
        core::hint::spin_loop();
    }
}
