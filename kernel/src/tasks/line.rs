//! Moves bytes between the UART and the link.

use embassy_futures::select::select3;
use link::Micros;
use link::line::Line;

use crate::clock::Clock;
use crate::system::System;
use crate::uart::{LinkUart, MOST_WORTH};

/// Serves the line for ever.
pub async fn run(system: &'static System, mut uart: LinkUart) {
    let line = system.control.line.clone();
    loop {
        loop {
            let more = uart.interrupts();
            receive(system.clock, &line, &mut uart);
            if !more {
                break;
            }
        }
        line.with_link(|link| link.tick(now(system.clock)));
        while let Some(event) = line.next_event() {
            system.control.on_event(event);
        }
        transmit(system, &line, &mut uart);
        let deadline = line.with_link(|link| link.deadline());
        select3(system.uart_interrupt.wait(), line.kicked(), sleep_until(system.clock, deadline)).await;
    }
}

fn receive(clock: &Clock, line: &Line, uart: &mut LinkUart) {
    let mut buffer = [0; 64];
    loop {
        let count = uart.receive(&mut buffer);
        if count == 0 {
            return;
        }
        line.with_link(|link| link.receive(&buffer[..count], now(clock)));
    }
}

fn transmit(system: &System, line: &Line, uart: &mut LinkUart) {
    let mut fifo = [0; MOST_WORTH];
    let fifo = &mut fifo[..uart.worth()];
    loop {
        // What was sent has made room.
        system.control.hand_answers();
        if !line.with_link(|link| link.wants_transmit()) {
            break;
        }
        if !uart.can_send() {
            uart.want_transmit_interrupt(true);
            return;
        }
        let count = line.with_link(|link| link.transmit(fifo, now(system.clock)));
        if count == 0 {
            break;
        }
        let sent = uart.send(&fifo[..count]);
        debug_assert_eq!(sent, count, "an empty FIFO takes its worth");
    }
    uart.want_transmit_interrupt(false);
}

async fn sleep_until(clock: &Clock, deadline: Option<Micros>) {
    match deadline {
        Some(deadline) => clock.sleep_until(deadline.0 * 1000).await,
        None => core::future::pending().await,
    }
}

fn now(clock: &Clock) -> Micros {
    Micros(clock.now_us())
}
