//! Calls, as whoever holds the other end of the line may make them: repeated, unknown, malformed, too many.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use link::{BootId, Config, Event, Link, Micros};
use proto::Endpoint;
use proto::domain::{DomainRef, Ended};
use proto::endpoints::{DomainDestroy, DomainList, DomainWait};
use proto::error::DomainError;
use proto::wire::{Fault, Request, RequestId, Response};
use sim_control::{Guest, Setup, SimControl};

/// A control domain, and the other end of its line.
struct Peer {
    control: SimControl,
    stream: UnixStream,
    link: Link,
    started: Instant,
    answers: Vec<Response>,
    _dir: tempfile::TempDir,
}

impl Peer {
    fn new() -> Peer {
        Self::with(Config::host())
    }

    fn with(config: Config) -> Peer {
        let dir = tempfile::tempdir().unwrap();
        let control = SimControl::start(&dir.path().join("line"), Setup::default());
        let stream = UnixStream::connect(control.line()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let link = Link::new(config, BootId::new(7), Micros(0));
        Peer { control, stream, link, started: Instant::now(), answers: Vec::new(), _dir: dir }
    }

    fn guest(&self, name: &'static str) {
        self.control.on(move |world| {
            world.create(Guest::new(name));
        });
    }

    fn step(&mut self) {
        let now = Micros(self.started.elapsed().as_micros() as u64);
        let mut bytes = [0; 4096];
        self.link.tick(now);
        loop {
            let count = self.link.transmit(&mut bytes, now);
            if count == 0 {
                break;
            }
            self.stream.write_all(&bytes[..count]).unwrap();
        }
        // Nothing may have come.
        let count = self.stream.read(&mut bytes).unwrap_or(0);
        self.link.receive(&bytes[..count], now);
        while let Some(event) = self.link.poll_event() {
            if let Event::Message(message) = event {
                self.answers.push(postcard::from_bytes(&message).unwrap());
            }
        }
    }

    fn send(&mut self, id: u64, key: proto::wire::Key, body: Vec<u8>) {
        let message = postcard::to_allocvec(&Request { id: RequestId(id), key, body }).unwrap();
        // At first the ends have not met.
        for _ in 0..5000 {
            if self.link.send_message(message.clone()).is_ok() {
                return;
            }
            self.step();
        }
        panic!("the line never came up");
    }

    fn answer(&mut self, id: u64) -> Result<Vec<u8>, Fault> {
        for _ in 0..5000 {
            if let Some(place) = self.answers.iter().position(|answer| answer.id == RequestId(id)) {
                return self.answers.remove(place).result;
            }
            self.step();
        }
        panic!("call {id} is never answered");
    }

    fn call<E: Endpoint>(&mut self, id: u64, request: &E::Request) -> E::Response {
        self.send(id, E::KEY, postcard::to_allocvec(request).unwrap());
        postcard::from_bytes(&self.answer(id).unwrap()).unwrap()
    }
}

fn domain(name: &str) -> DomainRef {
    DomainRef(name.into())
}

#[test]
fn a_repeated_request_is_carried_out_once() {
    let mut peer = Peer::new();
    peer.guest("web");
    assert_eq!(peer.call::<DomainDestroy>(1, &domain("web")), Ok(()));
    peer.guest("web");
    assert_eq!(peer.call::<DomainDestroy>(1, &domain("web")), Ok(()), "the first answer again");
    assert_eq!(peer.call::<DomainList>(2, &0).unwrap().domains.len(), 2, "and the new one lives");
    assert_eq!(peer.call::<DomainDestroy>(3, &domain("web")), Ok(()));
    assert_eq!(peer.call::<DomainDestroy>(4, &domain("web")), Err(DomainError::NotFound));
}

#[test]
fn what_is_no_call_is_answered_as_such() {
    let mut peer = Peer::new();
    peer.send(1, [0xff; 8], Vec::new());
    assert_eq!(peer.answer(1), Err(Fault::UnknownKey));
    peer.send(2, DomainDestroy::KEY, vec![0xff; 3]);
    assert_eq!(peer.answer(2), Err(Fault::Malformed));
    assert_eq!(peer.call::<DomainList>(3, &0).unwrap().domains.len(), 1, "the line works on");
}

#[test]
fn of_too_many_that_wait_the_oldest_gives_way() {
    let mut peer = Peer::new();
    peer.guest("web");
    let body = postcard::to_allocvec(&domain("web")).unwrap();
    for id in 0..33 {
        peer.send(id, DomainWait::KEY, body.clone());
    }
    assert_eq!(peer.answer(0), Err(Fault::Busy { limit: 32 }));
    assert_eq!(peer.call::<DomainDestroy>(100, &domain("web")), Ok(()));
    for id in 1..33 {
        let ended: Result<Ended, DomainError> = postcard::from_bytes(&peer.answer(id).unwrap()).unwrap();
        assert_eq!(ended, Ok(Ended::Destroyed));
    }
}

#[test]
fn an_answer_that_is_longer_than_the_asker_takes_is_a_fault_that_says_so() {
    let mut peer = Peer::with(Config { message_in: 1024, ..Config::host() });
    assert!(peer.call::<DomainList>(1, &0).is_ok());
    for n in 0..5 {
        peer.guest(format!("{n}{}", "x".repeat(240)).leak());
    }
    peer.guest("a");
    let everything = postcard::to_allocvec(&0u16).unwrap();
    peer.send(2, DomainList::KEY, everything.clone());
    assert_eq!(peer.answer(2), Err(Fault::TooLong { limit_kib: 1 }));
    peer.send(2, DomainList::KEY, everything);
    assert_eq!(peer.answer(2), Err(Fault::TooLong { limit_kib: 1 }), "a repetition is answered the same");
    assert_eq!(peer.call::<DomainDestroy>(3, &domain("a")), Ok(()), "the line works on");
}
