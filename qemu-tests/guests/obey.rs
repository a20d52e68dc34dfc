//! Does what its console says: `echo TEXT`, `write TEXT`, `reboot`, `crash`, `poweroff`, a command a line.
#![no_std]
#![no_main]

use pvh::{Console, xen};

/// Where `write` puts its text: far above this guest, in the memory of the smallest that the tests make.
const PLACE: *mut u8 = 0x30_0000 as *mut u8;

#[unsafe(no_mangle)]
extern "C" fn guest_main() -> ! {
    let console = Console::open();
    console.write(b"ready\n");
    let mut line = [0; 256];
    loop {
        match console.read_line(&mut line) {
            b"reboot" => xen::shutdown(xen::REBOOT),
            b"crash" => xen::shutdown(xen::CRASH),
            b"poweroff" => xen::shutdown(xen::POWEROFF),
            said => {
                let answer = match (said.strip_prefix(b"echo "), said.strip_prefix(b"write ")) {
                    (Some(text), _) => text,
                    (None, Some(text)) => {
                        write(text);
                        b"written"
                    }
                    (None, None) => b"what?",
                };
                console.write(answer);
                console.write(b"\n");
            }
        }
    }
}

/// Puts text into memory, with a zero behind it.
fn write(text: &[u8]) {
    for (n, byte) in text.iter().chain(&[0]).enumerate() {
        // SAFETY: nothing of this guest is there, and memory is mapped one to one.
        unsafe { PLACE.add(n).write_volatile(*byte) };
    }
}
