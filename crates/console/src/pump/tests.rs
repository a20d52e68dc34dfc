//! A guest on the other side of the page.

use core::cell::RefCell;
use core::task::{Context, Waker};

use alloc::vec;
use alloc::vec::Vec;

use ring::testing::{Memory, Port};
use xen_abi::DomId;

use super::*;
use crate::registry::{Limits, Start};

/// The frontend's end of the page.
struct Guest {
    page: Memory,
    port: Port,
    output: Producer,
    input: Consumer,
}

impl Guest {
    fn print(&mut self, bytes: &[u8]) -> usize {
        let sent = self.output.write(&self.page, bytes).unwrap();
        self.port.notify();
        sent
    }

    fn read(&mut self) -> Vec<u8> {
        let mut buf = vec![0; 2000];
        let got = self.input.read(&self.page, &mut buf).unwrap();
        buf.truncate(got);
        buf
    }
}

fn machine() -> (Guest, Port, SharedConsoles, ConsoleId) {
    let page = Memory::new(4096);
    let (ours, port) = Port::pair();
    let mut consoles = Consoles::new(Limits::default());
    let id = consoles.open(DomId(1), "guest", [1; 16]);
    let guest = Guest { page, port, output: Producer::new(page::OUT), input: Consumer::new(page::IN) };
    (guest, ours, RefCell::new(consoles), id)
}

fn printed(consoles: &SharedConsoles, id: ConsoleId) -> Vec<u8> {
    let consoles = consoles.borrow();
    let mut reader = consoles.reader(id, Start::Oldest).unwrap();
    let mut buf = vec![0; 1 << 17];
    let read = consoles.read(&mut reader, &mut buf).unwrap();
    buf.truncate(read.len);
    buf
}

#[test]
fn a_dialogue_passes_and_the_guest_is_notified_of_input_only() {
    let (mut guest, port, consoles, id) = machine();
    let mut cx = Context::from_waker(Waker::noop());
    let mut task = pin!(serve(guest.page.clone(), port, id, &consoles));
    guest.print(b"login: ");
    assert!(task.as_mut().poll(&mut cx).is_pending());
    assert_eq!((printed(&consoles, id), guest.port.notified()), (b"login: ".to_vec(), 0));
    assert_eq!(consoles.borrow_mut().write(id, b"root\r"), Ok(5));
    assert!(task.as_mut().poll(&mut cx).is_pending());
    assert_eq!((guest.read(), guest.port.notified()), (b"root\r".to_vec(), 1));
}

#[test]
fn a_guest_whose_ring_was_full_is_told_of_the_room() {
    let (mut guest, port, consoles, id) = machine();
    let mut cx = Context::from_waker(Waker::noop());
    let mut task = pin!(serve(guest.page.clone(), port, id, &consoles));
    assert_eq!(guest.print(&[b'x'; 3000]), 2048);
    assert!(task.as_mut().poll(&mut cx).is_pending());
    assert_eq!(guest.port.notified(), 1);
    assert_eq!(guest.print(&[b'x'; 952]), 952);
}

#[test]
fn input_waits_until_the_guest_takes_it() {
    let (mut guest, port, consoles, id) = machine();
    let mut cx = Context::from_waker(Waker::noop());
    let mut task = pin!(serve(guest.page.clone(), port, id, &consoles));
    let typed: Vec<u8> = (0..1500u32).map(|i| i as u8).collect();
    assert_eq!(consoles.borrow_mut().write(id, &typed), Ok(1500));
    assert!(task.as_mut().poll(&mut cx).is_pending());
    assert!(task.as_mut().poll(&mut cx).is_pending());
    let mut got = guest.read();
    assert_eq!(got.len(), 1024);
    guest.port.notify();
    assert!(task.as_mut().poll(&mut cx).is_pending());
    got.extend(guest.read());
    assert_eq!(got, typed);
}

#[test]
fn what_is_left_in_the_ring_is_read_when_the_domain_goes() {
    let (mut guest, port, consoles, id) = machine();
    let mut cx = Context::from_waker(Waker::noop());
    let mut task = pin!(serve(guest.page.clone(), port, id, &consoles));
    assert!(task.as_mut().poll(&mut cx).is_pending());
    guest.output.write(&guest.page, b"Kernel panic").unwrap();
    consoles.borrow_mut().close(id);
    assert_eq!(task.as_mut().poll(&mut cx), Poll::Ready(Closed::Gone));
    assert_eq!(printed(&consoles, id), b"Kernel panic");
}

/// A page that a guest on another processor fills again as soon as it is read.
struct Flood(Memory);

impl Shared for Flood {
    fn load_u32(&self, offset: usize) -> u32 {
        let cons = self.0.load_u32(3080);
        self.0.store_u32(3084, cons.wrapping_add(2048));
        self.0.load_u32(offset)
    }

    fn store_u32(&self, offset: usize, value: u32) {
        self.0.store_u32(offset, value);
    }

    fn read(&self, offset: usize, into: &mut [u8]) {
        self.0.read(offset, into);
    }

    fn write(&self, offset: usize, from: &[u8]) {
        self.0.write(offset, from);
    }
}

#[test]
fn a_flood_is_taken_in_bounded_turns() {
    let (guest, port, consoles, id) = machine();
    let done = Pump::new(Flood(guest.page.clone())).pump(id, &mut consoles.borrow_mut()).unwrap();
    assert_eq!((done.output, done.more, done.notify), (TURN, true, true));
    let mut cx = Context::from_waker(Waker::noop());
    let mut task = pin!(serve(Flood(guest.page), port, id, &consoles));
    for turn in 1..=50u64 {
        assert!(task.as_mut().poll(&mut cx).is_pending());
        assert!(consoles.borrow().info(id).unwrap().printed <= (turn + 1) * TURN as u64 + TURN as u64);
    }
    consoles.borrow_mut().close(id);
    assert_eq!(task.as_mut().poll(&mut cx), Poll::Ready(Closed::Gone));
}

#[test]
fn a_broken_ring_ends_that_console_alone_and_leaves_its_log() {
    let (mut guest, port, consoles, id) = machine();
    let mut cx = Context::from_waker(Waker::noop());
    let mut task = pin!(serve(guest.page.clone(), port, id, &consoles));
    guest.print(b"before");
    assert!(task.as_mut().poll(&mut cx).is_pending());
    guest.page.store_u32(3084, 0x8000_0000);
    guest.port.notify();
    assert!(matches!(task.as_mut().poll(&mut cx), Poll::Ready(Closed::Broken(_))));
    assert_eq!(printed(&consoles, id), b"before");
}
