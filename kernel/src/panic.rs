//! The last words.
//!
//! A panic prints where and why on Xen's console, with the return addresses of the stack, and ends the machine:
//! in a lab with an exit code of its own, on hardware by asking Xen to stop.

use core::fmt::{self, Write};
use core::ops::Range;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use x86_64::instructions::port::Port;
use x86_64::instructions::{hlt, interrupts};
use xen_abi::sched::SHUTDOWN_CRASH;

use crate::{early, layout};

/// What a lab's QEMU is told after a panic; its exit status is twice that and one, 255.
const LAB_PANIC: u8 = 0x7f;
/// QEMU's isa-debug-exit device, where a lab has it.
const DEBUG_EXIT: u16 = 0xf4;
/// How many callers are printed at most.
const DEPTH: usize = 24;

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    static AGAIN: AtomicBool = AtomicBool::new(false);
    interrupts::disable();
    if !AGAIN.swap(true, Ordering::Relaxed) {
        let mut console = LastConsole;
        let _ = writeln!(console, "nanodom: {info}");
        let _ = backtrace(&mut console);
    }
    end(LAB_PANIC, SHUTDOWN_CRASH)
}

/// Ends the machine: a lab's QEMU with `code`, anything else for `reason` (`SHUTDOWN_...`, public/sched.h).
pub fn end(code: u8, reason: u32) -> ! {
    interrupts::disable();
    // SAFETY: without such a device the write goes nowhere; no other device of a PC listens there.
    unsafe { Port::<u8>::new(DEBUG_EXIT).write(code) };
    early::shutdown(reason);
    loop {
        hlt();
    }
}

/// Xen's console without the `log` crate, the heap or a lock.
struct LastConsole;

impl Write for LastConsole {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        early::console_write(text.as_bytes());
        Ok(())
    }
}

/// Prints the return addresses; `addr2line` with the kernel's image turns them into lines.
fn backtrace(out: &mut impl Write) -> fmt::Result {
    let mut frame: u64;
    // SAFETY: only reads a register.
    unsafe { core::arch::asm!("mov {}, rbp", out(reg) frame, options(nomem, nostack, preserves_flags)) };
    for _ in 0..DEPTH {
        let stacks = [layout::stack(), crate::interrupts::emergency_stack()];
        let is_frame = |stack: &Range<u64>| stack.contains(&frame) && stack.contains(&(frame + 15));
        if !frame.is_multiple_of(8) || !stacks.iter().any(is_frame) {
            break;
        }
        // SAFETY: both words lie in a stack, which is mapped.
        let (caller, address) = unsafe { ((frame as *const u64).read(), ((frame + 8) as *const u64).read()) };
        if !layout::text().contains(&address) {
            break;
        }
        writeln!(out, "nanodom:   from {address:#x}")?;
        frame = caller;
    }
    Ok(())
}
