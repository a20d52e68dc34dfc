//! The tasks that run for ever, and what starts them.

mod calls;
mod line;
pub mod rpc;

use hypercall::calls as xen_calls;
use hypercall::calls::evtchn::PirqSharing;
use ring::EventChannel;

use crate::system::System;
use crate::uart::{COM2_IRQ, LinkUart};
use crate::{executor, interrupts, ioapic};

/// Starts them all.
pub fn start(system: &'static System) {
    match LinkUart::open() {
        Some(uart) => {
            route_uart_interrupt(system);
            executor::spawn(line::run(system, uart)).detach();
        }
        None => log::warn!("there is no COM2, so no link to hostctl"),
    }
}

/// Has the UART's line wake the link's task, by whichever of the two ways this Xen offers (see `ioapic.rs`).
fn route_uart_interrupt(system: &'static System) {
    ioapic::enable_local();
    ioapic::unmask(COM2_IRQ, interrupts::UART_VECTOR);
    match system.xen.run(xen_calls::evtchn::bind_pirq(COM2_IRQ.into(), PirqSharing::Shared)) {
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
