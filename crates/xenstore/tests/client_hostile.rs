//! Servers that lie to the client: every lie ends the connection with its name, nothing panics, nothing grows without limit.

mod client_world;

use std::pin::pin;
use std::task::Poll;

use client_world::poll_once;
use proptest::prelude::*;
use xenstore::client::{Client, ClientError, Fault, Nodes, Refusal, block_on};
use xenstore::wire::{MessageType as Type, TooLong};
use xenstore::{Error, Perm};

fn message(ty: Type, req_id: u32, tx_id: u32, payload: &[u8]) -> Vec<u8> {
    let header = [ty.0, req_id, tx_id, payload.len() as u32];
    let mut bytes: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend(payload);
    bytes
}

/// What a client's call comes to when the server answers it with these bytes. The first request of a client has id 1.
fn answered<R>(bytes: &[u8], call: impl AsyncFnOnce(&Client) -> R) -> R {
    let client = Client::new();
    let mut rest = bytes;
    let server = |outgoing: &[u8], incoming: &mut [u8]| {
        let len = incoming.len().min(rest.len());
        let (now, later) = rest.split_at(len);
        incoming[..len].copy_from_slice(now);
        rest = later;
        // A server that says no more closes.
        if len == 0 { Err(Fault::Closed) } else { Ok((outgoing.len(), len)) }
    };
    block_on(&client, server, call(&client))
}

fn read(bytes: &[u8]) -> Result<Vec<u8>, ClientError> {
    answered(bytes, async |client| client.read("a").await)
}

#[test]
fn a_reply_that_is_not_to_this_request_ends_the_connection() {
    let ended = |fault| Err(ClientError::Ended(fault));
    assert_eq!(read(&message(Type::READ, 1, 0, b"x")), Ok(b"x".to_vec()));
    assert_eq!(read(&message(Type::READ, 2, 0, b"x")), ended(Fault::Unasked { req_id: 2 }));
    assert_eq!(read(&message(Type::READ, 0, 0, b"x")), ended(Fault::Unasked { req_id: 0 }));
    assert_eq!(read(&message(Type::READ, 1, 1, b"x")), ended(Fault::Mismatched { req_id: 1 }));
    assert_eq!(read(&message(Type::ERROR, 1, 1, b"EIO\0")), ended(Fault::Mismatched { req_id: 1 }));
    assert_eq!(read(&message(Type::WRITE, 1, 0, b"x")), ended(Fault::Mismatched { req_id: 1 }));
    assert_eq!(read(&message(Type(999), 1, 0, b"x")), ended(Fault::Mismatched { req_id: 1 }));
}

#[test]
fn a_second_reply_to_one_request_ends_the_connection() {
    let client = Client::new();
    let mut read = pin!(client.read("a"));
    assert!(poll_once(read.as_mut()).is_pending());
    let reply = message(Type::READ, 1, 0, b"x");
    assert_eq!(client.receive(&reply), Ok(()));
    assert_eq!(client.receive(&reply), Err(Fault::Unasked { req_id: 1 }));
    // What came before the lie is good.
    assert_eq!(poll_once(read), Poll::Ready(Ok(b"x".to_vec())));
    assert_eq!(client.receive(&reply), Err(Fault::Unasked { req_id: 1 }));
}

#[test]
fn lengths_over_the_limit_are_refused_before_any_room_is_made() {
    for len in [4097, 1 << 20, u32::MAX] {
        let mut bytes = message(Type::READ, 1, 0, b"");
        bytes[12..].copy_from_slice(&len.to_le_bytes());
        assert_eq!(read(&bytes), Err(ClientError::Ended(Fault::TooLong(TooLong(len)))));
    }
}

#[test]
fn errors_are_the_words_of_the_protocol() {
    let error = |word: &[u8]| read(&message(Type::ERROR, 1, 0, word)).unwrap_err();
    assert_eq!(error(b"ENOENT\0"), ClientError::Refused(Error::NotFound));
    assert_eq!(error(b"E2BIG\0"), ClientError::Refused(Error::TooBig));
    assert_eq!(error(b"ENOMEM\0"), ClientError::RefusedWith(Refusal::NoMemory));
    assert_eq!(error(b"EWHATEVER\0"), ClientError::RefusedWith(Refusal::Unknown));
    for malformed in [&b""[..], b"ENOENT", b"ENOENT\0\0", b"E\0ENOENT\0"] {
        assert_eq!(error(malformed), ClientError::Ended(Fault::Malformed(Type::ERROR)));
    }
}

#[test]
fn malformed_answers_end_the_connection() {
    let malformed = |ty| ClientError::Ended(Fault::Malformed(ty));
    for list in [&b"a"[..], b"a\0b", b"a\0\0b\0", b"\0", b"\xff\0"] {
        let got = answered(&message(Type::DIRECTORY, 1, 0, list), async |client| client.directory("a").await);
        assert_eq!(got, Err(malformed(Type::DIRECTORY)), "{list:?}");
    }
    for perms in [&b""[..], b"n1", b"x1\0", b"n\0", b"n1\0r65536\0", b"n1\0\0"] {
        let got: Result<Vec<Perm>, _> =
            answered(&message(Type::GET_PERMS, 1, 0, perms), async |client| client.perms("a").await);
        assert_eq!(got, Err(malformed(Type::GET_PERMS)), "{perms:?}");
    }
    for id in [&b""[..], b"0\0", b"7", b"-1\0", b"4294967296\0", b"1\x002\0", b" 1\0"] {
        let got = answered(&message(Type::TRANSACTION_START, 1, 0, id), async |client| {
            client.begin().await.map(|_| ())
        });
        assert_eq!(got, Err(malformed(Type::TRANSACTION_START)), "{id:?}");
    }
    for flag in [&b""[..], b"T", b"t\0", b"T\0\0"] {
        let got = answered(&message(Type::IS_DOMAIN_INTRODUCED, 1, 0, flag), async |client| {
            client.is_domain_introduced(xen_abi::DomId(1)).await
        });
        assert_eq!(got, Err(malformed(Type::IS_DOMAIN_INTRODUCED)), "{flag:?}");
    }
    for event in [&b""[..], b"a", b"a\0", b"a\0t", b"a\0t\0u\0", b"\xff\0t\0"] {
        assert_eq!(
            read(&message(Type::WATCH_EVENT, 0, 0, event)),
            Err(malformed(Type::WATCH_EVENT)),
            "{event:?}"
        );
    }
}

#[test]
fn a_list_without_an_end_is_given_up() {
    let too_big = message(Type::ERROR, 1, 0, b"E2BIG\0");
    let endless = |part: &[u8], times: u32| {
        let parts = (2..2 + times).flat_map(|req_id| message(Type::DIRECTORY_PART, req_id, 0, part));
        let bytes: Vec<u8> = too_big.iter().copied().chain(parts).collect();
        // One reply at a time, each after its request.
        let client = Client::new();
        let mut rest = &bytes[..];
        let server = |outgoing: &[u8], incoming: &mut [u8]| {
            let len = 16 + u32::from_le_bytes(rest[12..16].try_into().unwrap()) as usize;
            incoming[..len].copy_from_slice(&rest[..len]);
            rest = &rest[len..];
            Ok((outgoing.len(), len))
        };
        block_on(&client, server, client.directory("a"))
    };
    let full = [&b"7\0"[..], &[b'a'; 4000], b"\0"].concat();
    assert_eq!(endless(&full, 2000), Err(ClientError::Ended(Fault::Endless)));
    assert_eq!(
        endless(b"7\0", 1),
        Err(ClientError::Ended(Fault::Endless)),
        "nothing comes, and it is not the end"
    );
    assert_eq!(endless(b"7", 1), Err(ClientError::Ended(Fault::Malformed(Type::DIRECTORY_PART))));
    assert_eq!(endless(b"7\0a\0\0", 1), Ok(vec!["a".to_owned()]));
    assert_eq!(endless(b"7\0\0", 1), Ok(Vec::new()));
}

#[test]
fn events_nobody_takes_are_bounded_and_no_watch_is_forgotten() {
    let client = Client::new();
    for token in ["one", "two"] {
        let mut watch = pin!(client.watch("a", token, None));
        assert!(poll_once(watch.as_mut()).is_pending());
        let req_id = if token == "one" { 1 } else { 2 };
        client.receive(&message(Type::WATCH, req_id, 0, b"OK\0")).unwrap();
        assert_eq!(poll_once(watch), Poll::Ready(Ok(())));
    }
    for index in 0..100_000 {
        let event = format!("a/{index}\0one\0");
        client.receive(&message(Type::WATCH_EVENT, 0, 0, event.as_bytes())).unwrap();
        client.receive(&message(Type::WATCH_EVENT, 0, 0, b"a\0nobody's\0")).unwrap();
    }
    client.receive(&message(Type::WATCH_EVENT, 0, 0, b"a/x\0two\0")).unwrap();
    let mut taken = Vec::new();
    while let Poll::Ready(event) = poll_once(pin!(client.next_event())) {
        let event = event.unwrap();
        taken.push((event.path.to_string(), String::from_utf8(event.token).unwrap()));
    }
    assert!(taken.len() < 300, "{}", taken.len());
    assert_eq!(taken[0], ("a/0".to_owned(), "one".to_owned()));
    assert_eq!(taken[taken.len() - 2..], [("a".into(), "one".into()), ("a".into(), "two".into())]);
}

/// One event of 4096 bytes after the other: their bytes are bounded, not only their number.
#[test]
fn long_events_nobody_takes_are_bounded() {
    let client = Client::new();
    let mut watch = pin!(client.watch("a", "t", None));
    assert!(poll_once(watch.as_mut()).is_pending());
    for index in 0..1000 {
        let event = format!("{index:04000}\0t\0");
        client.receive(&message(Type::WATCH_EVENT, 0, 0, event.as_bytes())).unwrap();
    }
    let mut bytes = 0;
    while let Poll::Ready(event) = poll_once(pin!(client.next_event())) {
        bytes += event.unwrap().path.len();
    }
    assert!((4000..=64 << 10).contains(&bytes), "{bytes}");
}

/// Calls that a hostile server may answer with anything.
async fn some_calls(client: &Client) {
    let _ = client.watch("a", "t", None).await;
    let _ = client.directory("a").await;
    let _ = client.perms("a").await;
    let _ = client.transact(async |transaction| transaction.write("a", "x").await).await;
    let _ = client.unwatch("a", "t").await;
    let _ = client.get_feature(None).await;
    let _ = client.control(&["check"]).await;
}

/// What the server says: mostly close to what is allowed, since nonsense ends at once.
fn said() -> impl Strategy<Value = Vec<u8>> {
    let ty = prop_oneof![4 => 0u32..28, 1 => any::<u32>()].prop_map(Type);
    let payload = prop_oneof![
        4 => prop::sample::select(vec![&b"OK\0"[..], b"EAGAIN\0", b"E2BIG\0", b"1\0", b"a\0t\0", b"n0\0r5\0", b"7\0x\0\0", b"T\0"])
            .prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    let framed =
        (ty, 0u32..12, 0u32..3, payload).prop_map(|(ty, req, tx, payload)| message(ty, req, tx, &payload));
    prop_oneof![8 => framed, 1 => prop::collection::vec(any::<u8>(), 0..40)]
}

proptest! {
    #[test]
    fn whatever_a_server_says_every_call_ends(said in prop::collection::vec(said(), 0..40), piece in 1usize..200) {
        let client = Client::new();
        let bytes: Vec<u8> = said.concat();
        let mut rest = &bytes[..];
        let server = |outgoing: &[u8], incoming: &mut [u8]| {
            let len = incoming.len().min(rest.len()).min(piece);
            incoming[..len].copy_from_slice(&rest[..len]);
            rest = &rest[len..];
            if len == 0 { Err(Fault::Closed) } else { Ok((outgoing.len(), len)) }
        };
        block_on(&client, server, some_calls(&client));
        let mut events = 0;
        while let Poll::Ready(Ok(_)) = poll_once(pin!(client.next_event())) {
            events += 1;
        }
        prop_assert!(events <= 257);
    }

    /// The right answer in every case, but to each request one byte is changed on its way.
    #[test]
    fn a_reply_with_one_wrong_byte_is_taken_as_it_is_or_ends_the_connection(at in 0usize..19, byte in any::<u8>()) {
        let mut reply = message(Type::READ, 1, 0, b"abc");
        reply[at] = byte;
        match read(&reply) {
            Ok(value) => prop_assert!(value.len() <= 3),
            Err(error) => prop_assert!(matches!(error, ClientError::Ended(_) | ClientError::RefusedWith(_)), "{error:?}"),
        }
    }
}
