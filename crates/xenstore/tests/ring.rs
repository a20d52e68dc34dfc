//! A guest on the other side of the page: framing, order, room, hostility, reconnection, release.

use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use ring::layout::xenstore as page;
use ring::testing::{Memory, Port};
use ring::{Consumer, EventChannel, Producer, RingError, Shared};
use xen_abi::DomId;
use xenstore::wire::{MessageType as Type, TooLong};
use xenstore::{Broken, Closed, RingConnection, SharedStore, Store, serve};

const WHO: DomId = DomId(5);

struct Guest {
    page: Memory,
    port: Port,
    requests: Producer,
    replies: Consumer,
}

impl Guest {
    fn send(&mut self, bytes: &[u8]) -> usize {
        let sent = self.requests.write(&self.page, bytes).unwrap();
        self.port.notify();
        sent
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut buf = vec![0; 1024];
        let got = self.replies.read(&self.page, &mut buf).unwrap();
        self.port.notify();
        buf.truncate(got);
        buf
    }
}

fn message(ty: Type, req_id: u32, payload: &[u8]) -> Vec<u8> {
    let header = [ty.0, req_id, 0, payload.len() as u32];
    let mut bytes: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend(payload);
    bytes
}

/// Splits what came into (type, request id, payload).
fn messages(bytes: &[u8]) -> Vec<(u32, u32, Vec<u8>)> {
    let (mut rest, mut found) = (bytes, Vec::new());
    while !rest.is_empty() {
        let word = |index: usize| u32::from_le_bytes(rest[index * 4..index * 4 + 4].try_into().unwrap());
        let (ty, req_id, len) = (word(0), word(1), word(3) as usize);
        found.push((ty, req_id, rest[16..16 + len].to_vec()));
        rest = &rest[16 + len..];
    }
    found
}

fn machine() -> (SharedStore, Guest, Port) {
    let mut store = Store::new(DomId(0));
    store.register(WHO);
    let perms = [xenstore::Perm::new(WHO, xenstore::Access::None)];
    store.control(|store| store.mkdir_with(&xenstore::home(WHO), &perms)).unwrap();
    store.introduce(WHO);
    let page = Memory::new(4096);
    let (ours, port) = Port::pair();
    let guest = Guest { page, port, requests: Producer::new(page::REQ), replies: Consumer::new(page::RSP) };
    (RefCell::new(store), guest, ours)
}

fn poll<F: Future>(task: &mut Pin<&mut F>) -> Poll<F::Output> {
    task.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls as an executor would: again as long as the task wakes itself.
fn settle<F: Future>(task: &mut Pin<&mut F>) -> Poll<F::Output> {
    for _ in 0..20 {
        if let ready @ Poll::Ready(_) = poll(task) {
            return ready;
        }
    }
    Poll::Pending
}

#[test]
fn requests_are_answered_in_order_with_one_notification() {
    let (store, mut guest, port) = machine();
    let mut task = pin!(serve(RingConnection::new(guest.page.clone(), port), WHO, &store));
    assert!(poll(&mut task).is_pending());
    assert_eq!(guest.page.load_u32(page::SERVER_FEATURES), 15);
    guest.send(&message(Type::WRITE, 1, b"a\0x"));
    assert!(poll(&mut task).is_pending());
    assert_eq!(guest.port.notified(), 1);
    assert_eq!(messages(&guest.receive()), [(11, 1, b"OK\0".to_vec())]);
    let mut two = message(Type::READ, 2, b"a\0");
    two.extend(message(Type::READ, 3, b"none\0"));
    guest.send(&two);
    assert!(poll(&mut task).is_pending());
    assert_eq!(messages(&guest.receive()), [(2, 2, b"x".to_vec()), (16, 3, b"ENOENT\0".to_vec())]);
    assert_eq!(guest.port.notified(), 3);
}

#[test]
fn requests_in_any_pieces_and_replies_longer_than_the_ring() {
    let (store, mut guest, port) = machine();
    let value: Vec<u8> = (0..4000u32).map(|i| i as u8).collect();
    store.borrow_mut().control(|store| store.write("/local/domain/5/long", &value)).unwrap();
    let mut task = pin!(serve(RingConnection::new(guest.page.clone(), port), WHO, &store));
    for byte in message(Type::READ, 9, b"long\0") {
        guest.send(&[byte]);
        assert!(settle(&mut task).is_pending());
    }
    let mut got = Vec::new();
    while got.len() < 4016 {
        let part = guest.receive();
        assert!(!part.is_empty());
        got.extend(part);
        assert!(settle(&mut task).is_pending());
    }
    assert_eq!(messages(&got), [(2, 9, value)]);
}

#[test]
fn events_come_without_being_asked_for() {
    let (store, mut guest, port) = machine();
    let mut task = pin!(serve(RingConnection::new(guest.page.clone(), port), WHO, &store));
    guest.send(&message(Type::WATCH, 1, b"a\0t\0"));
    assert!(settle(&mut task).is_pending());
    let expected = [(4, 1, b"OK\0".to_vec()), (15, 0, b"a\0t\0".to_vec())];
    assert_eq!(messages(&guest.receive()), expected);
    store.borrow_mut().control(|store| store.write("/local/domain/5/a/b", "x")).unwrap();
    assert!(settle(&mut task).is_pending());
    assert_eq!(messages(&guest.receive()), [(15, 0, b"a/b\0t\0".to_vec())]);
}

/// A guest that does not read gets no further requests served, and nothing grows.
#[test]
fn a_guest_that_does_not_read_waits_alone() {
    let (store, mut guest, port) = machine();
    let mut task = pin!(serve(RingConnection::new(guest.page.clone(), port), WHO, &store));
    let mut sent = 0;
    for index in 0..10_000u32 {
        let request = message(Type::WRITE, index, format!("a\0{index}").as_bytes());
        if guest.requests.room(&guest.page).unwrap() < request.len() {
            break;
        }
        guest.send(&request);
        sent = index;
        assert!(settle(&mut task).is_pending());
    }
    assert!(sent < 200, "{sent}");
    let value: u32 = {
        let store = store.borrow();
        let value = store.read("/local/domain/5/a").unwrap();
        std::str::from_utf8(value).unwrap().parse().unwrap()
    };
    assert!(value < sent);
    store.borrow_mut().release(WHO);
    assert_eq!(
        poll(&mut task),
        Poll::Ready(Closed::Released),
        "release ends it even while it waits for room"
    );
}

#[test]
fn a_payload_over_the_limit_cuts_the_guest_off_and_says_so() {
    let (store, mut guest, port) = machine();
    let mut task = pin!(serve(RingConnection::new(guest.page.clone(), port), WHO, &store));
    let mut bytes = message(Type::READ, 1, b"");
    bytes[12..].copy_from_slice(&5000u32.to_le_bytes());
    guest.send(&bytes);
    let closed = Closed::Broken(Broken::TooLong(TooLong(5000)));
    assert_eq!(settle(&mut task), Poll::Ready(closed));
    assert_eq!(guest.page.load_u32(page::ERROR), page::ERROR_PROTO);
    assert_eq!(guest.port.notified(), 1);
    assert!(store.borrow().is_introduced(WHO));
}

#[test]
fn indices_out_of_range_cut_the_guest_off_and_say_so() {
    for index in [2048, 2052, 2056, 2060] {
        let (store, mut guest, port) = machine();
        let mut task = pin!(serve(RingConnection::new(guest.page.clone(), port), WHO, &store));
        guest.send(&message(Type::WATCH, 1, b"a\0t\0"));
        guest.page.store_u32(index, 0x4000_0000);
        let reply = settle(&mut task);
        assert!(
            matches!(reply, Poll::Ready(Closed::Broken(Broken::Indices(RingError { .. })))),
            "{index}: {reply:?}"
        );
        assert_eq!(guest.page.load_u32(page::ERROR), page::ERROR_RINGIDX);
        assert_eq!(store.borrow().usage(WHO).unwrap().watches, 0);
    }
}

#[test]
fn a_guest_may_ask_for_a_fresh_connection() {
    let (store, mut guest, port) = machine();
    let mut task = pin!(serve(RingConnection::new(guest.page.clone(), port), WHO, &store));
    guest.send(&message(Type::WATCH, 1, b"a\0t\0"));
    assert!(settle(&mut task).is_pending());
    guest.send(&message(Type::WRITE, 2, b"a\0x")[..7]);
    guest.page.store_u32(page::CONNECTION, page::RECONNECT);
    guest.port.notify();
    assert!(settle(&mut task).is_pending());
    assert_eq!(guest.page.load_u32(page::CONNECTION), page::CONNECTED);
    assert_eq!(store.borrow().usage(WHO).unwrap().watches, 0);
    guest.send(&message(Type::WRITE, 3, b"a\0x"));
    assert!(settle(&mut task).is_pending());
    assert_eq!(messages(&guest.receive()), [(11, 3, b"OK\0".to_vec())]);
}

/// A page whose guest, on another processor, asks for a fresh connection whenever we look.
struct Restless(Memory);

impl Shared for Restless {
    fn load_u32(&self, offset: usize) -> u32 {
        if offset == page::CONNECTION { page::RECONNECT } else { self.0.load_u32(offset) }
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
fn a_guest_that_reconnects_without_end_lets_others_run() {
    let (store, guest, port) = machine();
    let mut task = pin!(serve(RingConnection::new(Restless(guest.page), port), WHO, &store));
    for _ in 0..100 {
        assert!(poll(&mut task).is_pending());
    }
}

#[test]
fn a_newer_connection_takes_the_place_of_the_older() {
    let (store, guest, port) = machine();
    let mut old = pin!(serve(RingConnection::new(guest.page.clone(), port.clone()), WHO, &store));
    assert!(poll(&mut old).is_pending());
    let mut new = pin!(serve(RingConnection::new(guest.page, port), WHO, &store));
    assert!(poll(&mut new).is_pending());
    assert_eq!(poll(&mut old), Poll::Ready(Closed::Released));
    let unknown = Memory::new(4096);
    let mut none = pin!(serve(RingConnection::new(unknown, Port::pair().0), DomId(77), &store));
    assert_eq!(poll(&mut none), Poll::Ready(Closed::Unknown));
}

proptest! {
    #[test]
    fn whatever_a_guest_puts_into_its_page_it_harms_itself_alone(
        steps in prop::collection::vec((0usize..4096, any::<u32>(), any::<bool>()), 1..60),
        bytes in prop::collection::vec(any::<u8>(), 0..1024),
    ) {
        let (store, mut guest, port) = machine();
        store.borrow_mut().control(|store| store.write("/kept", "x")).unwrap();
        let mut task = pin!(serve(RingConnection::new(guest.page.clone(), port), WHO, &store));
        guest.send(&bytes);
        for (offset, value, is_index) in steps {
            let offset = if is_index { 2048 + offset % 32 } else { offset } / 4 * 4;
            guest.page.store_u32(offset, if is_index { value % 3000 } else { value });
            guest.port.notify();
            if settle(&mut task).is_ready() {
                break;
            }
        }
        let store = store.borrow();
        prop_assert_eq!(store.read("/kept"), Ok(&b"x"[..]));
        prop_assert!(store.is_introduced(WHO));
    }
}
