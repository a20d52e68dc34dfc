//! The tasks that run for ever, and what starts them.

mod calls;
mod console;
mod line;
mod log_stream;
pub mod rpc;
mod store;
pub mod store_client;
pub mod upload;

use hypercall::calls as xen_calls;
use hypercall::calls::evtchn::PirqSharing;
use ring::EventChannel;
use xen_abi::VcpuId;
use xen_abi::xen::VIRQ_DOM_EXC;

use crate::boot_info::BootInfo;
use crate::system::System;
use crate::uart::{COM2_IRQ, LinkUart};
use crate::{executor, interrupts, ioapic};

/// How long Xen is left alone when it would not say which domains ended, in nanoseconds.
const LOOK_AGAIN_NS: u64 = 1_000_000_000;

/// Starts them all, with the boot module's images in hand.
pub fn start(system: &'static System, boot: &BootInfo) {
    if let Some(bundle) = boot.module_bytes() {
        open_bundle(system, bundle);
    }
    watch_domains(system);
    executor::spawn(xenstore::tend(system.store)).detach();
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
    match system.toolstack.add_bundle(bundle) {
        Ok(count) => log::info!("the bundle has {count} images"),
        Err(error) => log::error!("the bundle cannot be used: {error}"),
    }
}

/// Watches over domains that end by themselves, and follows their rules.
fn watch_domains(system: &'static System) {
    match system.xen.run(xen_calls::evtchn::bind_virq(VIRQ_DOM_EXC, VcpuId(0))) {
        Ok(port) => {
            let port = system.events.listen(system.xen, port);
            executor::spawn(async move {
                loop {
                    port.wait().await;
                    while let Err(error) = system.toolstack.on_virq_dom_exc() {
                        log::error!("domains that ended are not seen: {}: errno {}", error.call, error.errno);
                        system.clock.sleep_until(system.clock.now_ns() + LOOK_AGAIN_NS).await;
                    }
                }
            })
            .detach();
        }
        Err(error) => log::error!("domains that end will not be seen: {error}"),
    }
    executor::spawn(async move { system.toolstack.obey_rules().await }).detach();
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
