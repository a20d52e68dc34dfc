//! The client and the server against each other, over a page in memory: every request, transactions, watches, what is dropped half way.

mod client_world;

use client_world::{GUEST, Machine, TWO, block};
use xen_abi::DomId;
use xenstore::client::{Client, ClientError, MAX_IN_FLIGHT, Nodes, TRIES, block_on};
use xenstore::wire::{Decoder, MessageType as Type, Request, TooLong};
use xenstore::{Access, Error, Perm, Store};

#[test]
fn every_request_on_nodes_is_answered() {
    let machine = Machine::new();
    let client = Client::new();
    machine.run(GUEST, &client, async {
        client.write("a/b", "value").await.unwrap();
        assert_eq!(client.read("a/b").await.unwrap(), b"value");
        assert_eq!(client.read("/local/domain/5/a").await.unwrap(), b"");
        assert!(client.exists("a").await.unwrap());
        assert!(!client.exists("c").await.unwrap());
        client.mkdir("a/c").await.unwrap();
        assert_eq!(client.directory("a").await.unwrap(), ["b", "c"]);
        assert_eq!(client.directory("a/b").await.unwrap(), Vec::<String>::new());
        let perms = [Perm::new(DomId(GUEST), Access::Read), Perm::new(DomId(TWO), Access::Both)];
        client.set_perms("a/b", &perms).await.unwrap();
        assert_eq!(client.perms("a/b").await.unwrap(), perms);
        client.rm("a").await.unwrap();
        client.rm("a").await.unwrap();
        assert_eq!(client.read("a/b").await, Err(ClientError::Refused(Error::NotFound)));
        assert_eq!(client.rm("x/y/z").await, Err(ClientError::Refused(Error::NotFound)));
        assert_eq!(client.write("/tool/x", "").await, Err(ClientError::Refused(Error::Access)));
        let given = [Perm::new(DomId(TWO), Access::None)];
        client.mkdir("mine").await.unwrap();
        assert_eq!(client.set_perms("mine", &given).await, Err(ClientError::Refused(Error::NotPermitted)));
    });
}

#[test]
fn every_request_on_domains_is_answered() {
    let machine = Machine::new();
    let client = Client::new();
    let five = DomId(GUEST);
    machine.run(0, &client, async {
        assert_eq!(client.get_domain_path(five).await.unwrap(), "/local/domain/5");
        assert!(client.is_domain_introduced(five).await.unwrap());
        assert!(!client.is_domain_introduced(DomId(77)).await.unwrap());
        client.set_target(DomId(TWO), five).await.unwrap();
        client.resume(five).await.unwrap();
        assert_eq!(client.get_feature(None).await.unwrap() & 7, 7);
        assert_eq!(client.get_feature(Some(five)).await.unwrap() & 7, 7);
        assert_eq!(client.set_feature(five, 1).await, Err(ClientError::Refused(Error::Busy)));
        assert!(client.quota_names().await.unwrap().iter().any(|name| name == "nodes"));
        client.set_quota(Some(five), "nodes", 17).await.unwrap();
        assert_eq!(client.get_quota(Some(five), "nodes").await.unwrap(), 17);
        assert_eq!(client.get_quota(None, "nodes").await.unwrap(), 1000);
        assert_eq!(client.get_quota(None, "none").await, Err(ClientError::Refused(Error::Invalid)));
        assert_eq!(client.control(&["check"]).await.unwrap(), b"OK");
        assert!(client.control(&["no-such-command"]).await.is_err());
        client.release(five).await.unwrap();
        assert!(!client.is_domain_introduced(five).await.unwrap());
        client.watch("/a", "t", None).await.unwrap();
        client.reset_watches().await.unwrap();
        assert_eq!(client.unwatch("/a", "t").await, Err(ClientError::Refused(Error::NotFound)));
    });
}

#[test]
fn a_guest_is_refused_what_is_not_for_guests() {
    let machine = Machine::new();
    let client = Client::new();
    machine.run(GUEST, &client, async {
        let denied = Err(ClientError::Refused(Error::Access));
        assert_eq!(client.release(DomId(TWO)).await, denied);
        assert_eq!(client.introduce(DomId(9), 1, 1).await, denied);
        assert_eq!(client.set_quota(None, "nodes", 1).await, denied);
        assert_eq!(client.control(&["check"]).await, Err(ClientError::Refused(Error::Access)));
        assert_eq!(client.get_feature(None).await.unwrap() & 7, 7);
    });
}

#[test]
fn what_cannot_be_said_is_not_sent() {
    let machine = Machine::new();
    let client = Client::new();
    machine.run(GUEST, &client, async {
        assert_eq!(client.read("a\0b").await, Err(ClientError::Unsendable));
        assert_eq!(client.watch("a", "t\0", None).await, Err(ClientError::Unsendable));
        assert_eq!(client.write("a", [0; 4096]).await, Err(ClientError::Unsendable));
        assert_eq!(client.watch(&"a".repeat(4096), "t", None).await, Err(ClientError::Unsendable));
        client.write("a", "x").await.unwrap();
    });
    assert_eq!(machine.store.borrow().usage(DomId(GUEST)).unwrap().watches, 0);
}

#[test]
fn a_list_longer_than_a_message_comes_whole() {
    let machine = Machine::new();
    let names: Vec<String> = (0..3000).map(|index| format!("name-{index:04}")).collect();
    machine
        .store
        .borrow_mut()
        .control(|store| names.iter().try_for_each(|name| store.mkdir(&format!("/long/{name}"))))
        .unwrap();
    let client = Client::new();
    let mut got = machine.run(0, &client, async { client.directory("/long").await.unwrap() });
    got.sort();
    assert_eq!(got, names);
}

/// A name comes and goes between any two parts: what is returned was the list at one moment, or nothing is.
#[test]
fn a_list_that_changes_while_it_is_read_is_read_again() {
    let mut store = Store::new(DomId(0));
    store.control(|store| (0..1000).try_for_each(|index| store.mkdir(&format!("/long/{index:04}")))).unwrap();
    for changes in [1, u32::MAX] {
        let (client, conn, mut left) = (Client::new(), store.connect_control(), changes);
        let server = direct(|request| {
            if request.ty == Type::DIRECTORY_PART && left > 0 {
                left -= 1;
                store.control(|store| store.write("/long/0000/x", left.to_string())).unwrap();
                store.control(|store| store.mkdir(&format!("/long/new-{left}"))).unwrap();
            }
            store.handle(conn, &request)
        });
        let got = block_on(&client, server, client.directory("/long"));
        match changes {
            1 => assert_eq!(got.unwrap().len(), 1001),
            _ => assert_eq!(got, Err(ClientError::Unstable)),
        }
    }
}

#[test]
fn a_transaction_that_conflicts_is_tried_again() {
    let machine = Machine::new();
    let (ours, theirs) = (Client::new(), Client::new());
    let mut tries = 0;
    machine.run_two((GUEST, &ours), (TWO, &theirs), async {
        ours.write("count", "0").await.unwrap();
        let both = [Perm::new(DomId(GUEST), Access::Both)];
        ours.set_perms("count", &both).await.unwrap();
        let add_one = async |client: &Client, tries: &mut u32| {
            client
                .transact(async |transaction| {
                    *tries += 1;
                    let count = transaction.read("/local/domain/5/count").await?;
                    let count: u32 = String::from_utf8(count).unwrap().parse().unwrap();
                    if *tries == 1 {
                        theirs.write("/local/domain/5/count", "10").await?;
                    }
                    transaction.write("/local/domain/5/count", (count + 1).to_string()).await
                })
                .await
                .unwrap();
        };
        add_one(&ours, &mut tries).await;
        assert_eq!(ours.read("count").await.unwrap(), b"11");
    });
    assert_eq!(tries, 2);
}

#[test]
fn a_transaction_that_conflicts_always_is_given_up() {
    let machine = Machine::new();
    let (ours, theirs) = (Client::new(), Client::new());
    let mut tries = 0;
    machine.run_two((GUEST, &ours), (0, &theirs), async {
        let done: Result<(), _> = ours
            .transact(async |transaction| {
                tries += 1;
                transaction.mkdir("a").await?;
                theirs.write("/local/domain/5/a", tries.to_string()).await
            })
            .await;
        assert_eq!(done, Err(ClientError::Unstable));
        let done: Result<(), _> =
            ours.transact(async |transaction| transaction.read("none").await.map(drop)).await;
        assert_eq!(done, Err(ClientError::Refused(Error::NotFound)));
    });
    assert_eq!(tries, TRIES);
    assert_eq!(machine.store.borrow().usage(DomId(GUEST)).unwrap().transactions, 0);
}

#[test]
fn events_come_in_order_and_not_after_the_watch_is_gone() {
    let machine = Machine::new();
    let client = Client::new();
    machine.run(GUEST, &client, async {
        let next = async || {
            let event = client.next_event().await.unwrap();
            (event.path.to_string(), String::from_utf8(event.token).unwrap())
        };
        client.watch("a", "t", None).await.unwrap();
        assert_eq!(next().await, ("a".into(), "t".into()));
        for name in ["a/1", "a/2", "b", "a/3"] {
            client.write(name, "").await.unwrap();
        }
        for name in ["a/1", "a/2", "a/3"] {
            assert_eq!(next().await, (name.into(), "t".into()));
        }
        client.watch("/local/domain/5/a", "near", Some(1)).await.unwrap();
        assert_eq!(next().await.1, "near");
        client.write("a/1/2", "").await.unwrap();
        client.unwatch("a", "t").await.unwrap();
        client.write("a/4", "").await.unwrap();
        assert_eq!(next().await, ("/local/domain/5/a/4".into(), "near".into()));
        assert_eq!(
            client.watch("/local/domain/5/a", "near", None).await,
            Err(ClientError::Refused(Error::Exists))
        );
        client.write("a/5", "").await.unwrap();
        assert_eq!(next().await, ("/local/domain/5/a/5".into(), "near".into()));
    });
}

#[test]
fn an_event_wakes_who_waits_for_it() {
    let machine = Machine::new();
    let client = Client::new();
    machine.run(0, &client, async {
        client.watch("@releaseDomain", "gone", None).await.unwrap();
        assert_eq!(&*client.next_event().await.unwrap().path, "@releaseDomain");
        machine.store.borrow_mut().release(DomId(GUEST));
        assert_eq!(&*client.next_event().await.unwrap().path, "@releaseDomain");
    });
}

#[test]
fn more_calls_than_may_be_in_flight_are_all_answered() {
    let machine = Machine::new();
    let client = Client::new();
    machine.run(GUEST, &client, async {
        let names: Vec<String> = (0..MAX_IN_FLIGHT * 4).map(|index| format!("n{index}")).collect();
        let calls = names.iter().map(|name| {
            let client = &client;
            async move {
                client.write(name, name).await.unwrap();
                assert_eq!(client.read(name).await.unwrap(), name.as_bytes());
            }
        });
        client_world::join_all(calls).await;
        assert_eq!(client.directory("/local/domain/5").await.unwrap().len(), names.len());
    });
}

#[test]
fn what_a_dropped_call_brought_is_taken_back() {
    let machine = Machine::new();
    let client = Client::new();
    machine.run(GUEST, &client, async {
        // Each is dropped after some polls: before it is sent, while it is in flight, when it is answered.
        for polls in 0..12 {
            client_world::poll_some(polls, client.begin()).await;
            if let Some(set) = client_world::poll_some(polls, client.watch("a", "t", None)).await {
                set.unwrap();
                client.unwatch("a", "t").await.unwrap();
            }
            client_world::poll_some(polls, client.read("a")).await;
        }
        drop(client.begin().await.unwrap());
        let transaction = client.begin().await.unwrap();
        client_world::poll_some(1, transaction.commit()).await;
        for _ in 0..3 {
            assert_eq!(client.read("a").await, Err(ClientError::Refused(Error::NotFound)));
        }
    });
    let usage = machine.store.borrow().usage(DomId(GUEST)).unwrap();
    assert_eq!((usage.transactions, usage.watches), (0, 0));
}

#[test]
fn calls_fail_when_nobody_moves_bytes_any_more() {
    let client = Client::new();
    let read = client.read("a");
    block(async {
        let mut read = std::pin::pin!(read);
        assert!(client_world::poll_once(read.as_mut()).is_pending());
        client_world::poll_some(3, client.drive(client_world::Silent)).await;
        assert!(matches!(client_world::poll_once(read), std::task::Poll::Ready(Err(ClientError::Ended(_)))));
        assert!(matches!(client.write("a", "").await, Err(ClientError::Ended(_))));
        assert!(matches!(client.next_event().await, Err(ClientError::Ended(_))));
    });
}

/// A server without a connection: a function from request to reply.
fn direct(
    mut answer: impl FnMut(Request) -> Vec<u8>,
) -> impl FnMut(&[u8], &mut [u8]) -> Result<(usize, usize), xenstore::client::Fault> {
    let (mut decoder, mut replies) = (Decoder::new(), Vec::new());
    move |outgoing, incoming| {
        let mut rest = outgoing;
        while let Some(request) = decoder
            .decode(|into| {
                let len = into.len().min(rest.len());
                into[..len].copy_from_slice(&rest[..len]);
                rest = &rest[len..];
                Ok::<_, TooLong>(len)
            })
            .unwrap()
        {
            replies.extend(answer(request));
        }
        let len = incoming.len().min(replies.len());
        incoming[..len].copy_from_slice(&replies[..len]);
        replies.drain(..len);
        assert!(len + outgoing.len() > 0, "the client waits for nothing");
        Ok((outgoing.len(), len))
    }
}
