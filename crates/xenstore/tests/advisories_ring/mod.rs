//! Those attacks that need the page: framing, indices, replies that are not read, connections that break or are replaced.

use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use ring::layout::xenstore as page;
use ring::testing::{Memory, Port};
use ring::{Consumer, EventChannel, Producer, Shared};
use xen_abi::DomId;
use xenstore::wire::MessageType as Type;
use xenstore::{Access, Broken, Closed, Perm, RingConnection, SharedStore, Store, serve};

/// A guest's end of its page.
struct Guest {
    memory: Memory,
    port: Port,
    server: Option<Port>,
}

impl Guest {
    fn new() -> Self {
        let (server, port) = Port::pair();
        Guest { memory: Memory::new(4096), port, server: Some(server) }
    }

    fn serve<'a>(&mut self, domid: u16, store: &'a SharedStore) -> impl Future<Output = Closed> + use<'a> {
        let port = self.server.take().expect("a page is served once");
        serve(RingConnection::new(self.memory.clone(), port), DomId(domid), store)
    }

    fn send(&self, ty: Type, tx: u32, payload: &[u8]) {
        self.send_raw(&header(ty, tx, payload.len() as u32));
        self.send_raw(payload);
    }

    fn send_raw(&self, bytes: &[u8]) {
        assert_eq!(Producer::new(page::REQ).write(&self.memory, bytes), Ok(bytes.len()));
        self.port.notify();
    }

    /// Takes what came; the payloads, one after the other.
    fn receive(&self) -> Vec<Vec<u8>> {
        let (mut bytes, mut messages) = (vec![0; 1024], Vec::new());
        let got = Consumer::new(page::RSP).read(&self.memory, &mut bytes).unwrap();
        self.port.notify();
        let mut rest = &bytes[..got];
        while rest.len() >= 16 {
            let len = u32::from_le_bytes(rest[12..16].try_into().unwrap()) as usize;
            messages.push(rest[16..16 + len].to_vec());
            rest = &rest[16 + len..];
        }
        messages
    }
}

fn header(ty: Type, tx: u32, len: u32) -> Vec<u8> {
    [ty.0, 1, tx, len].iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn store() -> SharedStore {
    let mut store = Store::new(DomId(0));
    for domid in [1, 2] {
        add(&mut store, domid);
    }
    RefCell::new(store)
}

fn add(store: &mut Store, domid: u16) {
    store.register(DomId(domid));
    let perms = [Perm::new(DomId(domid), Access::None)];
    store.control(|store| store.mkdir_with(&xenstore::home(DomId(domid)), &perms)).unwrap();
    store.introduce(DomId(domid));
}

fn settle<F: Future>(task: &mut Pin<&mut F>) -> Poll<F::Output> {
    for _ in 0..50 {
        if let ready @ Poll::Ready(_) = task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return ready;
        }
    }
    Poll::Pending
}

/// Another guest that does nothing wrong is served as ever.
fn check_other(store: &SharedStore) {
    let mut guest = Guest::new();
    let mut task = pin!(guest.serve(2, store));
    guest.send(Type::WRITE, 0, b"a\0served");
    guest.send(Type::READ, 0, b"a\0");
    assert!(settle(&mut task).is_pending());
    assert_eq!(guest.receive(), [b"OK\0".to_vec(), b"served".to_vec()]);
}

/// Indices that lie further apart than the ring is long had bytes read and written beside it; a message longer than the protocol allows, a
/// buffer overrun. Here an index is checked on every look, and a length before any room is made.
#[test]
fn xsa_38_indices_and_lengths_out_of_range_cut_the_guest_off() {
    let rings: [(usize, usize); 2] = [(2048, 2052), (2056, 2060)];
    for (cons, prod) in rings {
        for (cons_value, prod_value) in [(0, 1025), (0, u32::MAX), (1, 0), (0x8000_0000, 0), (u32::MAX, 1024)]
        {
            let store = store();
            let mut guest = Guest::new();
            let mut task = pin!(guest.serve(1, &store));
            guest.send(Type::READ, 0, b"a\0");
            guest.memory.store_u32(cons, cons_value);
            guest.memory.store_u32(prod, prod_value);
            let before = guest.memory.clone();
            let closed = settle(&mut task);
            assert!(matches!(closed, Poll::Ready(Closed::Broken(Broken::Indices(_)))), "{closed:?}");
            assert_eq!(before.load_u32(page::ERROR), page::ERROR_RINGIDX);
            check_other(&store);
        }
    }
    for len in [4097, 1 << 20] {
        let store = store();
        let mut guest = Guest::new();
        let mut task = pin!(guest.serve(1, &store));
        guest.send_raw(&header(Type::WRITE, 0, len));
        let closed = settle(&mut task);
        assert!(matches!(closed, Poll::Ready(Closed::Broken(Broken::TooLong(_)))), "{closed:?}");
        assert_eq!(guest.memory.load_u32(page::ERROR), page::ERROR_PROTO);
        check_other(&store);
    }
}

/// A guest that broke the protocol was forgotten at once, and announced as gone while it ran: when it really went nobody was told, and
/// it stayed half alive. Here it is just not served any more.
#[test]
fn xsa_325_a_guest_that_is_cut_off_is_not_taken_for_gone() {
    let store = store();
    let control = store.borrow_mut().connect_control();
    store.borrow_mut().watch(control, "@releaseDomain", "t").unwrap();
    store.borrow_mut().next_event(control).unwrap();
    let mut guest = Guest::new();
    let mut task = pin!(guest.serve(1, &store));
    guest.send(Type::WRITE, 0, b"a\0x");
    assert!(settle(&mut task).is_pending());
    guest.send_raw(&header(Type::WRITE, 0, 5000));
    assert!(settle(&mut task).is_ready());
    assert!(store.borrow().is_introduced(DomId(1)));
    assert!(store.borrow_mut().next_event(control).is_none(), "it runs");
    assert_eq!(store.borrow().read("/local/domain/1/a"), Ok(&b"x"[..]));
    store.borrow_mut().release(DomId(1));
    assert_eq!(&*store.borrow_mut().next_event(control).unwrap().path, "@releaseDomain");
    assert!(store.borrow_mut().next_event(control).is_none());
}

/// A guest that sent requests and read no replies had them all worked on and their replies kept. Here the next request is taken when
/// the last one's reply is written.
#[test]
fn xsa_326_a_guest_that_reads_nothing_is_answered_nothing() {
    let store = store();
    let mut guest = Guest::new();
    let mut task = pin!(guest.serve(1, &store));
    let mut done = 0;
    for index in 0..100_000u32 {
        let payload = format!("a\0{index}");
        if Producer::new(page::REQ).room(&guest.memory).unwrap() < 16 + payload.len() {
            break;
        }
        guest.send(Type::WRITE, 0, payload.as_bytes());
        assert!(settle(&mut task).is_pending());
        done = index;
    }
    // Each reply is 19 bytes long: 53 fit into the ring, and one waits. The requests that fill the ring after them are not worked on.
    let value = store.borrow().read("/local/domain/1/a").unwrap().to_vec();
    let worked_on: u32 = String::from_utf8(value).unwrap().parse().unwrap();
    assert!((50..=54).contains(&worked_on), "{worked_on}");
    assert!((80..150).contains(&done), "{done}");
    check_other(&store);
}

/// What a request needed while it was worked on was kept until its reply had been read. Here a reply waits as its own bytes, one a guest.
#[test]
fn xsa_416_only_one_long_reply_waits_for_a_guest() {
    let store = store();
    let long = vec![b'x'; 4000];
    store.borrow_mut().control(|store| store.write("/local/domain/1/long", &long)).unwrap();
    let mut guest = Guest::new();
    let mut task = pin!(guest.serve(1, &store));
    for _ in 0..40 {
        guest.send(Type::READ, 0, b"long\0");
    }
    for _ in 0..20 {
        assert!(settle(&mut task).is_pending());
    }
    assert_eq!(
        guest.memory.load_u32(2048),
        21,
        "one request was taken, and the others wait in the guest's own ring"
    );
    check_other(&store);
}

/// A message of 1 to 4 GiB had a negative length, or one cut to 31 bits, and was looked at for ever, so that nobody else was served. Here
/// a length is a u32, compared before anything else.
#[test]
fn xsa_420_lengths_with_high_bits_end_one_connection() {
    for len in [0x4000_0000, 0x7fff_ffff, 0x8000_0000, 0x8000_0010, 0xffff_fff0, u32::MAX] {
        let store = store();
        let mut guest = Guest::new();
        let mut task = pin!(guest.serve(1, &store));
        guest.send_raw(&header(Type::READ, 0, len));
        let closed = settle(&mut task);
        assert!(matches!(closed, Poll::Ready(Closed::Broken(Broken::TooLong(_)))), "{closed:?}");
        check_other(&store);
    }
}

/// A guest's soft reset (released and introduced again, its page the same) in the midst of its requests freed its connection twice. Here
/// a connection is a number that is looked up, and the old server finds that it is gone.
#[test]
fn xsa_425_a_soft_reset_in_the_midst_of_requests_ends_the_old_connection() {
    let store = store();
    for round in 0..20 {
        let mut guest = Guest::new();
        let memory = guest.memory.clone();
        let mut old = pin!(guest.serve(1, &store));
        guest.send(Type::WATCH, 0, b"a\0t\0");
        guest.send(Type::TRANSACTION_START, 0, b"\0");
        guest.send(Type::WRITE, 0, b"a\0x");
        // Some of it is done, some not, a part of a request has come.
        for _ in 0..round % 4 {
            assert!(old.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        guest.send_raw(&header(Type::WRITE, 0, 3)[..9]);
        store.borrow_mut().release(DomId(1));
        add(&mut store.borrow_mut(), 1);
        page::REQ.clear(&memory);
        page::RSP.clear(&memory);
        let (server, port) = Port::pair();
        let mut new = pin!(serve(RingConnection::new(memory, server), DomId(1), &store));
        (guest.port, guest.server) = (port, None);
        guest.send(Type::WRITE, 0, b"b\0y");
        assert!(settle(&mut new).is_pending());
        let over = if round % 4 == 0 { Poll::Ready(Closed::Released) } else { settle(&mut old) };
        assert_eq!(over, Poll::Ready(Closed::Released));
        assert_eq!(guest.receive(), [b"OK\0".to_vec()]);
        let usage = store.borrow().usage(DomId(1)).unwrap();
        assert_eq!((usage.watches, usage.transactions, usage.nodes), (0, 0, 2));
    }
    check_other(&store);
}

/// A connection that broke inside a transaction left the server with a transaction that was gone, and it ended.
#[test]
fn xsa_484_a_connection_that_breaks_in_a_transaction_takes_it_along() {
    let store = store();
    let mut guest = Guest::new();
    let mut task = pin!(guest.serve(1, &store));
    guest.send(Type::TRANSACTION_START, 0, b"\0");
    guest.send(Type::WRITE, 1, b"a\0x");
    assert!(settle(&mut task).is_pending());
    assert_eq!(guest.receive(), [b"1\0".to_vec(), b"OK\0".to_vec()]);
    assert_eq!(store.borrow().usage(DomId(1)).unwrap().transactions, 1);
    guest.send_raw(&header(Type::WRITE, 1, u32::MAX));
    assert!(settle(&mut task).is_ready());
    assert_eq!(store.borrow().usage(DomId(1)).unwrap().transactions, 0);
    assert!(store.borrow().read("/local/domain/1/a").is_err());
    check_other(&store);
}
