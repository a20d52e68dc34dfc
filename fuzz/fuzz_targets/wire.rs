//! Guests that send whatever they like, whole requests and raw bytes, while domains come and go.
//!
//! Each connection is served by the real [`serve`] over pipes in memory. Every request has one reply, in order, with its ids; what
//! is not a guest's stays as it was; the accounts stay right.
#![no_main]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use fuzz::{CONTROL, GUESTS, add_domain, check, check_messages, settle, store, word};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use xenstore::wire::{Decoder, MessageType as Type, Request, TooLong};
use xenstore::{Broken, Connection, serve};

/// The names that paths are made of: few, so that they meet.
const NAMES: [&str; 12] =
    ["a", "b", "c", "local", "domain", "1", "2", "3", "kept", "@releaseDomain", "@introduceDomain", "tool"];
/// Permission entries, for the same reason.
const PERMS: [&str; 8] = ["n1", "b1", "r2", "b2", "w3", "n0", "b7", "r"];

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    /// Bytes as they are.
    Raw { who: u8, bytes: &'a [u8] },
    /// A framed request.
    Request { who: u8, ty: u8, tx: u8, words: Vec<Word<'a>>, is_ended: bool },
    /// The domain is gone.
    Release { who: u8 },
    /// The domain crashed.
    ShutDown { who: u8 },
    /// The toolstack makes one domain the device model of another.
    Target { who: u8, whom: u8 },
    /// The toolstack takes something away.
    Remove { path: Vec<u8> },
    /// The guest reads nothing for a while, or reads again.
    Stop { who: u8, is_stopped: bool },
}

#[derive(Arbitrary, Debug)]
enum Word<'a> {
    Path { is_relative: bool, names: Vec<u8> },
    Perm(u8),
    Number(u8),
    Bytes(&'a [u8]),
    Long(u16),
}

impl Word<'_> {
    fn put(&self, into: &mut Vec<u8>) {
        match self {
            Word::Path { is_relative, names } => into.extend(path(*is_relative, names).as_bytes()),
            Word::Perm(which) => into.extend(PERMS[usize::from(*which) % PERMS.len()].as_bytes()),
            Word::Number(number) => into.extend(number.to_string().as_bytes()),
            Word::Bytes(bytes) => into.extend_from_slice(bytes),
            Word::Long(len) => into.resize(into.len() + usize::from(*len) % 4200, b'a'),
        }
    }
}

fn path(is_relative: bool, names: &[u8]) -> String {
    let names: Vec<&str> = names.iter().take(8).map(|name| NAMES[usize::from(*name) % NAMES.len()]).collect();
    format!("{}{}", if is_relative { "" } else { "/" }, names.join("/"))
}

/// What lies between a guest and its server.
#[derive(Default)]
struct Pipe {
    to_server: RefCell<VecDeque<u8>>,
    to_guest: RefCell<Vec<u8>>,
    is_stopped: Cell<bool>,
}

struct End {
    pipe: Rc<Pipe>,
    decoder: Decoder,
}

impl Connection for End {
    fn offer(&mut self, _: u32) {}

    async fn recv(&mut self) -> Result<Request, Broken> {
        poll_fn(|_| {
            let mut bytes = self.pipe.to_server.borrow_mut();
            let decoded = self.decoder.decode(|into| {
                let len = into.len().min(bytes.len());
                for (to, from) in into.iter_mut().zip(bytes.drain(..len)) {
                    *to = from;
                }
                Ok::<_, TooLong>(len)
            });
            match decoded {
                Ok(Some(request)) => Poll::Ready(Ok(request)),
                Ok(None) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error.into())),
            }
        })
        .await
    }

    async fn send(&mut self, message: &[u8]) -> Result<(), Broken> {
        poll_fn(|_| if self.pipe.is_stopped.get() { Poll::Pending } else { Poll::Ready(()) }).await;
        self.pipe.to_guest.borrow_mut().extend_from_slice(message);
        Ok(())
    }

    fn restart(&mut self) {}

    fn fail(&mut self, _: Broken) {}
}

/// A guest as it sees itself: what it sent and has no reply to.
#[derive(Default)]
struct Guest {
    pipe: Rc<Pipe>,
    waiting: VecDeque<(u32, u32, u32)>,
    /// It sent raw bytes: nobody knows any more what it may expect.
    is_wild: bool,
    next_req: u32,
}

impl Guest {
    fn send(&mut self, ty: u32, tx: u32, payload: &[u8]) {
        self.next_req += 1;
        let mut bytes = self.pipe.to_server.borrow_mut();
        for word in [ty, self.next_req, tx, payload.len() as u32] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(payload);
        self.waiting.push_back((ty, self.next_req, tx));
    }

    /// Takes what came, and checks that it is what has to come.
    fn take(&mut self) {
        let mut bytes = self.pipe.to_guest.borrow_mut();
        let (waiting, is_wild) = (&mut self.waiting, self.is_wild);
        let whole = check_messages(&bytes, |message| {
            let (ty, req_id, tx) = (word(message, 0), word(message, 1), word(message, 2));
            if ty == Type::WATCH_EVENT.0 {
                assert_eq!((req_id, tx), (0, 0), "an event has no ids");
            } else if !is_wild {
                let (asked, id, transaction) = waiting.pop_front().expect("a reply that nobody asked for");
                assert_eq!((req_id, tx), (id, transaction), "a reply to another request");
                assert!(ty == asked || ty == Type::ERROR.0, "a reply of type {ty} to {asked}");
            }
        });
        assert_eq!(whole, bytes.len(), "messages are sent whole");
        bytes.clear();
    }
}

fuzz_target!(|steps: Vec<Step<'_>>| {
    let store = RefCell::new(store());
    let mut guests: Vec<Guest> = (0..=GUESTS.len()).map(|_| Guest::default()).collect();
    let new_task = |guest: &Guest, index: usize| {
        let who = if index == 0 { CONTROL } else { GUESTS[index - 1] };
        let end = End { pipe: guest.pipe.clone(), decoder: Decoder::new() };
        Some(Box::pin(serve(end, who, &store)))
    };
    let mut tasks: Vec<_> = guests.iter().enumerate().map(|(index, guest)| new_task(guest, index)).collect();
    for step in steps.iter().take(200) {
        match step {
            Step::Raw { who, bytes } => {
                // The control domain is ours: it is not wild.
                let guest = &mut guests[1 + usize::from(*who) % GUESTS.len()];
                guest.pipe.to_server.borrow_mut().extend(*bytes);
                guest.is_wild = true;
            }
            Step::Request { who, ty, tx, words, is_ended } => {
                let mut payload = Vec::new();
                for (index, word) in words.iter().take(8).enumerate() {
                    if index > 0 {
                        payload.push(0);
                    }
                    word.put(&mut payload);
                }
                payload.extend(is_ended.then_some(0));
                payload.truncate(4096);
                let who = usize::from(*who) % guests.len();
                // What the control domain does to itself is no attack.
                if who != 0 || !matches!(u32::from(*ty) % 28, 8 | 11 | 13 | 14 | 19 | 26) {
                    guests[who].send(u32::from(*ty) % 28, u32::from(*tx) % 4, &payload);
                }
            }
            Step::Release { who } => {
                let index = 1 + usize::from(*who) % GUESTS.len();
                store.borrow_mut().release(GUESTS[index - 1]);
                if let Some(task) = &mut tasks[index] {
                    assert!(settle(task.as_mut()).is_ready(), "released, and still served");
                }
                add_domain(&mut store.borrow_mut(), GUESTS[index - 1]);
                guests[index] = Guest::default();
                tasks[index] = new_task(&guests[index], index);
            }
            Step::ShutDown { who } => store.borrow_mut().shut_down(GUESTS[usize::from(*who) % GUESTS.len()]),
            Step::Target { who, whom } => {
                let index = |which: &u8| 1 + usize::from(*which) % GUESTS.len();
                guests[0].send(19, 0, format!("{}\0{}\0", index(who), index(whom)).as_bytes());
            }
            Step::Remove { path: names } => {
                let path = path(false, names);
                if path != "/kept" {
                    let _ = store.borrow_mut().control(|store| store.rm(&path));
                }
            }
            Step::Stop { who, is_stopped } => {
                guests[1 + usize::from(*who) % GUESTS.len()].pipe.is_stopped.set(*is_stopped);
            }
        }
        for (guest, slot) in guests.iter_mut().zip(&mut tasks) {
            if slot.as_mut().is_some_and(|task| settle(task.as_mut()).is_ready()) {
                *slot = None;
                guest.is_wild = true;
            }
            guest.take();
        }
    }
    for (guest, slot) in guests.iter_mut().zip(&mut tasks) {
        guest.pipe.is_stopped.set(false);
        if let Some(task) = slot {
            while !guest.is_wild && !guest.waiting.is_empty() && settle(task.as_mut()).is_pending() {
                let before = guest.waiting.len();
                guest.take();
                assert!(guest.waiting.len() < before, "a request without a reply");
            }
        }
        guest.take();
    }
    check(&mut store.borrow_mut());
});
