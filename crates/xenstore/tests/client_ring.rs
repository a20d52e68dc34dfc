//! The client's end of a ring: pages that somebody used before, reconnection, and servers that write anything into theirs.

mod client_world;

use std::pin::pin;
use std::task::Poll;

use client_world::{GUEST, Machine, block, poll_once, with};
use proptest::prelude::*;
use ring::layout::xenstore as page;
use ring::testing::{Memory, Port};
use ring::{EventChannel, Producer, RingError, Shared};
use xen_abi::DomId;
use xenstore::client::{Client, ClientError, Fault, Nodes, RingClient, Transport};
use xenstore::{RingConnection, serve};

/// The server's end, in the test's hands, and the client's.
fn ends() -> (Memory, Port, RingClient<Memory, Port>) {
    let memory = Memory::new(4096);
    let (server, guest) = Port::pair();
    (memory.clone(), server, RingClient::new(memory, guest))
}

fn exchange(ring: &mut RingClient<Memory, Port>, outgoing: &[u8]) -> Poll<Result<(usize, usize), Fault>> {
    poll_once(pin!(ring.exchange(outgoing, &mut [0; 64])))
}

#[test]
fn a_server_that_offers_reconnection_is_asked_for_one() {
    let (memory, server, mut ring) = ends();
    memory.store_u32(page::SERVER_FEATURES, page::FEATURE_RECONNECTION);
    let mut connect = pin!(ring.connect());
    assert!(poll_once(connect.as_mut()).is_pending());
    assert_eq!((memory.load_u32(page::CONNECTION), server.notified()), (page::RECONNECT, 1));
    server.notify();
    assert!(poll_once(connect.as_mut()).is_pending(), "a notification is not the answer");
    memory.store_u32(page::CONNECTION, page::CONNECTED);
    server.notify();
    assert_eq!(poll_once(connect), Poll::Ready(Ok(())));
}

#[test]
fn a_reset_that_somebody_else_began_is_waited_for() {
    let (memory, server, mut ring) = ends();
    memory.store_u32(page::CONNECTION, page::RECONNECT);
    // What else is in the page means nothing yet.
    memory.store_u32(2060, 0x4000_0000);
    let mut connect = pin!(ring.connect());
    assert!(poll_once(connect.as_mut()).is_pending());
    memory.store_u32(2060, 0);
    memory.store_u32(page::CONNECTION, page::CONNECTED);
    server.notify();
    assert_eq!(poll_once(connect), Poll::Ready(Ok(())));
}

#[test]
fn an_old_server_s_left_over_replies_are_thrown_away() {
    let (memory, _, mut ring) = ends();
    let mut replies = Producer::new(page::RSP);
    replies.write(&memory, &[7; 1024]).unwrap();
    assert_eq!(poll_once(pin!(ring.connect())), Poll::Ready(Ok(())));
    assert!(exchange(&mut ring, b"").is_pending());
    replies.write(&memory, &[8; 5]).unwrap();
    assert_eq!(exchange(&mut ring, b"abc"), Poll::Ready(Ok((3, 5))));
}

#[test]
fn the_peer_is_notified_once_before_the_client_sleeps() {
    let (memory, server, mut ring) = ends();
    assert_eq!(exchange(&mut ring, &[1; 10]), Poll::Ready(Ok((10, 0))));
    assert_eq!(exchange(&mut ring, &[2; 2000]), Poll::Ready(Ok((1014, 0))));
    assert_eq!(server.notified(), 0);
    assert!(exchange(&mut ring, &[3; 10]).is_pending());
    assert!(exchange(&mut ring, &[3; 10]).is_pending());
    assert_eq!(server.notified(), 1);
    ring::Consumer::new(page::REQ).read(&memory, &mut [0; 4]).unwrap();
    assert_eq!(exchange(&mut ring, &[3; 10]), Poll::Ready(Ok((4, 0))));
}

#[test]
fn what_the_page_says_ends_the_connection() {
    let (memory, _, mut ring) = ends();
    memory.store_u32(page::ERROR, page::ERROR_PROTO);
    assert!(exchange(&mut ring, b"").is_pending(), "without the feature the field means nothing");
    memory.store_u32(page::SERVER_FEATURES, page::FEATURE_ERROR);
    assert_eq!(exchange(&mut ring, b"x"), Poll::Ready(Err(Fault::CutOff(page::ERROR_PROTO))));
    memory.store_u32(page::CONNECTION, page::RECONNECT);
    assert_eq!(exchange(&mut ring, b"x"), Poll::Ready(Err(Fault::Reset)));
    let (memory, _, mut ring) = ends();
    memory.store_u32(2060, 1025);
    let fault = Fault::Indices(RingError { cons: 0, prod: 1025 });
    assert_eq!(exchange(&mut ring, b""), Poll::Ready(Err(fault)));
    assert_eq!(poll_once(pin!(ring.connect())), Poll::Ready(Err(fault)));
}

/// After a fault the same ring serves a new client, and the server remembers nothing of the old one.
#[test]
fn a_new_client_begins_anew_on_the_same_ring() {
    let machine = Machine::new();
    let memory = Memory::new(4096);
    let (ours, theirs) = Port::pair();
    let server = async {
        serve(RingConnection::new(memory.clone(), ours), DomId(GUEST), &machine.store).await;
    };
    let mut ring = RingClient::new(memory.clone(), theirs);
    let work = async {
        for round in 0..3 {
            ring.connect().await.unwrap();
            let client = Client::new();
            let drive = async {
                client.drive(&mut ring).await;
            };
            with(drive, async {
                client.watch("a", "t", None).await.unwrap();
                let transaction = client.begin().await.unwrap();
                transaction.write("a", round.to_string()).await.unwrap();
                let usage = machine.store.borrow().usage(DomId(GUEST)).unwrap();
                assert_eq!((usage.watches, usage.transactions), (1, 1));
                client.fail(Fault::Closed);
                assert_eq!(transaction.commit().await, Err(ClientError::Ended(Fault::Closed)));
            })
            .await;
        }
    };
    block(with(server, work));
}

#[derive(Clone, Debug)]
enum Step {
    Word(usize, u32),
    Replies(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![0u32..3, 0u32..3000, any::<u32>()];
    prop_oneof![
        (0usize..8, value).prop_map(|(index, value)| Step::Word(2048 + index * 4, value)),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(Step::Replies),
    ]
}

proptest! {
    #[test]
    fn whatever_a_server_puts_into_the_page_nothing_but_requests_and_indices_is_written(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let (memory, server, mut ring) = ends();
        let client = Client::new();
        let mut work = pin!(async {
            let connect = ring.connect().await;
            if connect.is_ok() {
                let drive = async { client.drive(&mut ring).await; };
                with(drive, async { while client.write("a", [b'x'; 500]).await.is_ok() {} }).await;
            }
        });
        for step in steps {
            match step {
                Step::Word(offset, value) => memory.store_u32(offset, value),
                Step::Replies(bytes) => memory.write(1024, &bytes),
            }
            server.notify();
            let mut before = vec![0; 4096];
            memory.read(0, &mut before);
            let is_over = poll_once(work.as_mut()).is_ready();
            let mut after = vec![0; 4096];
            memory.read(0, &mut after);
            for at in 0..4096 {
                let may = at < 1024 || (2052..2060).contains(&at) || (2068..2072).contains(&at);
                prop_assert!(may || before[at] == after[at], "byte {} was written", at);
            }
            if is_over {
                break;
            }
        }
    }
}
