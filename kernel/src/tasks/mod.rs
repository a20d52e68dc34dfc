//! The tasks that run for ever, and what starts them.

mod line;
pub mod store_client;

use hypercall::calls::evtchn::{self, PirqSharing};
use ring::EventChannel;

use crate::boot_info::BootInfo;
use crate::system::System;
use crate::uart::{COM2_IRQ, LinkUart};
use crate::{executor, interrupts, ioapic};

/// Starts them all, with the boot module's images in hand.
pub fn start(system: &'static System, boot: &BootInfo) {
    if let Some(bundle) = boot.module_bytes() {
        open_bundle(system, bundle);
    }
    system.control.start();
    match boot.cmdline.value("link") {
        None | Some("com2") => (),
        Some(other) => log::warn!("link={other}: no such line, com2 is used"),
    }
    match LinkUart::open() {
        Some(uart) => {
            route_uart_interrupt(system);
            executor::spawn(line::run(system, uart)).detach();
        }
        None => log::warn!("there is no COM2, so no link to hostctl"),
    }
}

/// Registers the images of the boot module.
fn open_bundle(system: &'static System, bundle: &'static [u8]) {
    match system.control.toolstack.add_bundle(bundle) {
        Ok(count) => log::info!("the bundle has {count} images"),
        Err(error) => log::error!("the bundle cannot be used: {error}"),
    }
}

/// Has the UART's line wake the link's task, by whichever of the two ways this Xen offers (see `ioapic.rs`).
fn route_uart_interrupt(system: &'static System) {
    ioapic::enable_local();
    ioapic::unmask(COM2_IRQ, interrupts::UART_VECTOR);
    match system.xen.run(evtchn::bind_pirq(COM2_IRQ.into(), PirqSharing::Shared)) {
        Ok(port) => {
            let port = system.events.listen(system.xen, port);
            executor::spawn(async move {
                loop {
                    port.wait().await;
                    system.uart_interrupt.signal(());
                }
            })
            .detach();
        }
        Err(error) => log::debug!("COM2 interrupts through the I/O APIC: {error}"),
    }
}
