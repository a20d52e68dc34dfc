//! Does what its console says: `echo TEXT`, `reboot`, `crash`, `poweroff`, a command a line.
#![no_std]
#![no_main]

use pvh::{Console, xen};

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
                let text = said.strip_prefix(b"echo ").unwrap_or(b"what?");
                console.write(text);
                console.write(b"\n");
            }
        }
    }
}
