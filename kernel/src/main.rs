//! The control domain: Xen's PVH domain 0, without Linux.
//!
//! State of the machine at [`kernel_entry`] (start.S): 64-bit mode, the first 4 GiB mapped one to one and
//! everything writable, interrupts off, one vCPU, zeroed data, a stack of 128 KiB, no heap. From there: memory,
//! page tables, heap; then Xen is asked its version; then events, time and the link; then tasks, for ever.
//! Logic lives in the crates that this one binds to the machine.
//!
//! With `xenstore=client` on its command line it is a guest instead (`tasks/store_client.rs`): unprivileged, served by another.
#![no_std]
#![no_main]
#![allow(unreachable_pub, reason = "a program has no outside: `pub` says what a module offers the others")]

extern crate alloc;

mod boot_info;
mod clock;
mod cmdline;
mod device_memory;
mod early;
mod events;
mod executor;
mod heap;
mod host;
mod interrupts;
mod ioapic;
mod layout;
mod log_ring;
mod machine;
mod memory;
mod paging;
mod panic;
mod pci;
mod pv_console;
mod ram;
mod random;
mod shared_info;
mod shared_memory;
mod system;
mod tasks;
mod uart;

use clock::Clock;
use events::Events;
use executor::Wake;
use system::System;

core::arch::global_asm!(include_str!("start.S"));

/// Rust's first function. `start_info` is the physical address of `hvm_start_info`.
#[unsafe(no_mangle)]
extern "C" fn kernel_entry(start_info: u64) -> ! {
    // SAFETY: it is what start.S found in ebx, and nothing has been written to but our own zeroed data.
    let boot = unsafe { boot_info::BootInfo::read(start_info) };
    interrupts::init();
    let machine = memory::init(&boot);
    log_ring::init(boot.cmdline.value("log"));
    if boot.cmdline.is_guest() {
        let (events, clock) = tasks::store_client::start(machine);
        run(&events, clock, &Wake::new());
    }
    let system = System::new(machine, &boot);
    let abi = system.xen.abi();
    log::info!("{} on Xen {}.{}", env!("CARGO_PKG_VERSION"), abi.major, abi.minor);
    tasks::start(system, &boot);
    run(&system.events, system.clock, &system.uart_interrupt)
}

/// Runs tasks while there are any that can go on, and halts while there are none.
fn run(events: &Events, clock: &Clock, uart_interrupt: &Wake) -> ! {
    loop {
        events.dispatch();
        clock.dispatch();
        if interrupts::take_uart_fired() {
            uart_interrupt.signal(());
        }
        if executor::run_ready() {
            interrupts::let_in();
        } else {
            clock.program();
            interrupts::wait();
        }
    }
}
