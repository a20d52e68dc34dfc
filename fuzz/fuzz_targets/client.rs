//! A server that says whatever it likes to a client, over a stream and over a page whose words it changes at any moment.
//!
//! Nothing panics, every call ends once the connection does, and what waits is bounded.
#![no_main]

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use fuzz::settle;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use ring::layout::xenstore as page;
use ring::testing::{Memory, Port};
use ring::{EventChannel, Producer, Shared};
use xen_abi::DomId;
use xenstore::client::{Client, ClientError, Fault, Nodes, RingClient, block_on};
use xenstore::{Access, Perm};

/// What is said in many replies.
const WORDS: [&[u8]; 16] = [
    b"OK\0",
    b"EAGAIN\0",
    b"E2BIG\0",
    b"ENOENT\0",
    b"1\0",
    b"2\0",
    b"a\0t\0",
    b"a/b\0t\0",
    b"n0\0r5\0",
    b"7\0x\0\0",
    b"7\0x\0",
    b"8\0",
    b"T\0",
    b"",
    b"\0",
    b"\xff",
];

#[derive(Arbitrary, Debug)]
enum Said<'a> {
    /// A framed message; the id is that of a request, more or less.
    Message { ty: u8, req: u8, tx: u8, payload: Payload<'a> },
    /// Bytes as they are.
    Raw(&'a [u8]),
    /// A word of the page, where there is one.
    Word { which: u8, value: u32 },
    /// The same with one of the values that mean something.
    State { which: u8, value: u8 },
}

#[derive(Arbitrary, Debug)]
enum Payload<'a> {
    Known(u8),
    Bytes(&'a [u8]),
    Long(u16),
}

impl Said<'_> {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Said::Message { ty, req, tx, payload } => {
                let payload = match payload {
                    Payload::Known(which) => WORDS[usize::from(*which) % WORDS.len()].to_vec(),
                    Payload::Bytes(bytes) => bytes.to_vec(),
                    Payload::Long(len) => {
                        [&b"7\0"[..], &vec![b'a'; usize::from(*len) % 4094], b"\0"].concat()
                    }
                };
                let header =
                    [u32::from(*ty) % 28, u32::from(*req) % 32, u32::from(*tx) % 3, payload.len() as u32];
                header.iter().flat_map(|word| word.to_le_bytes()).chain(payload).collect()
            }
            Said::Raw(bytes) => bytes.to_vec(),
            Said::Word { .. } | Said::State { .. } => Vec::new(),
        }
    }
}

/// Every kind of call, some at the same time.
async fn calls(client: &Client) {
    let mut first = pin!(client.watch("a", "t", None));
    let mut second = pin!(client.begin());
    let mut is_set = false;
    let transaction = std::future::poll_fn(|cx| {
        is_set = is_set || first.as_mut().poll(cx).is_ready();
        second.as_mut().poll(cx)
    });
    if let Ok(transaction) = transaction.await {
        let _ = transaction.read("a").await;
        let _ = transaction.commit().await;
    }
    let _ = client.transact(async |transaction| transaction.write("a", "x").await).await;
    let _ = client.directory("a").await;
    let _ = client.perms("a").await;
    let _ = client.set_perms("a", &[Perm::new(DomId(1), Access::Read)]).await;
    let _ = client.get_domain_path(DomId(1)).await;
    let _ = client.is_domain_introduced(DomId(1)).await;
    let _ = client.quota_names().await;
    let _ = client.get_quota(None, "nodes").await;
    let _ = client.control(&["check"]).await;
    let _ = client.unwatch("a", "t").await;
    while let Ok(value) = client.read("a").await {
        assert!(value.len() <= 4096);
    }
}

/// What waits is bounded, and after the end there is nothing but the end.
fn check(client: &Client) {
    let mut events = 0;
    loop {
        match pin!(client.next_event()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(event)) => {
                assert_eq!(event.token, b"t");
                events += 1;
            }
            Poll::Ready(Err(ClientError::Ended(fault))) => {
                assert_eq!(client.fault(), Some(fault));
                break;
            }
            other => assert!(other.is_pending() && client.fault().is_none(), "{other:?}"),
        }
        if client.fault().is_none() {
            break;
        }
    }
    assert!(events <= 257, "{events} events waited");
}

fn over_a_stream(said: &[Said<'_>], piece: u8) {
    let client = Client::new();
    let bytes: Vec<u8> = said.iter().flat_map(Said::bytes).collect();
    let mut rest = &bytes[..];
    let server = |outgoing: &[u8], incoming: &mut [u8]| {
        let len = incoming.len().min(rest.len()).min(usize::from(piece) + 1);
        let (now, later) = rest.split_at(len);
        incoming[..len].copy_from_slice(now);
        rest = later;
        if len == 0 { Err(Fault::Closed) } else { Ok((outgoing.len(), len)) }
    };
    block_on(&client, server, calls(&client));
    check(&client);
}

/// The page as the client sees it: the server writes to it between any two looks.
struct Restless<'a> {
    memory: Memory,
    script: &'a RefCell<std::slice::Iter<'a, Said<'a>>>,
    looks: Cell<u8>,
}

fn put(memory: &Memory, said: &Said<'_>) {
    let offset = |which: &u8| 2048 + usize::from(*which) % 8 * 4;
    match said {
        Said::Word { which, value } => memory.store_u32(offset(which), *value),
        Said::State { which, value } => memory.store_u32(offset(which), u32::from(*value) % 8),
        message => drop(Producer::new(page::RSP).write(memory, &message.bytes())),
    }
}

impl Shared for Restless<'_> {
    fn load_u32(&self, offset: usize) -> u32 {
        let looks = self.looks.replace(self.looks.get().wrapping_add(1));
        if looks % 4 == 3
            && let Some(said) = self.script.borrow_mut().next()
        {
            put(&self.memory, said);
        }
        self.memory.load_u32(offset)
    }

    fn store_u32(&self, offset: usize, value: u32) {
        assert!([2052, 2056, page::CONNECTION].contains(&offset), "the client wrote the word at {offset}");
        self.memory.store_u32(offset, value);
    }

    fn read(&self, offset: usize, into: &mut [u8]) {
        assert!(offset >= 1024 && offset + into.len() <= 2048, "the client read replies from {offset}");
        self.memory.read(offset, into);
    }

    fn write(&self, offset: usize, from: &[u8]) {
        assert!(offset + from.len() <= 1024, "the client wrote requests to {offset}");
        self.memory.write(offset, from);
    }
}

fn over_a_ring(said: &[Said<'_>]) {
    let memory = Memory::new(4096);
    let (server, guest) = Port::pair();
    let script = RefCell::new(said.iter());
    let restless = Restless { memory: memory.clone(), script: &script, looks: Cell::new(0) };
    let mut ring = RingClient::new(restless, guest);
    let client = Client::new();
    let mut drive = pin!(async {
        match ring.connect().await {
            Ok(()) => client.drive(&mut ring).await,
            Err(fault) => {
                client.fail(fault);
                fault
            }
        }
    });
    let mut work = pin!(calls(&client));
    let (mut is_driven, mut is_done) = (true, false);
    for _ in 0..=said.len().min(200) {
        is_driven = is_driven && settle(drive.as_mut()).is_pending();
        is_done = is_done || settle(work.as_mut()).is_ready();
        if is_done {
            break;
        }
        let next = script.borrow_mut().next();
        next.into_iter().for_each(|said| put(&memory, said));
        server.notify();
    }
    if !is_driven && !is_done {
        assert!(settle(work.as_mut()).is_ready(), "the connection is over, and a call still waits");
    }
    check(&client);
}

fuzz_target!(|input: (Vec<Said<'_>>, u8, bool)| {
    let (said, piece, is_ring) = input;
    if is_ring { over_a_ring(&said) } else { over_a_stream(&said, piece) }
});
