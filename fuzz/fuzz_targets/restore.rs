//! The saved form of a store: made by a history and changed at some places, or made up, always with the right checksum.
//!
//! What was not changed is a store again. Whatever is a store at all serves: every request of every connection is answered, all work comes
//! to an end, and it can be saved and restored once more.
#![no_main]

use crc::{CRC_32_ISCSI, Crc};
use fuzz::{CONTROL, GUESTS, add_domain, store, word};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use xen_abi::DomId;
use xenstore::wire::{HEADER_LEN, MessageType as Type, PAYLOAD_MAX, Request};
use xenstore::{ConnId, Store};

/// What comes before the part that is fuzzed: a name and a version.
const HEAD: &[u8] = b"XSTORE\x02";

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    /// What comes after the head.
    MadeUp(&'a [u8]),
    /// A history, and changes to what was saved at its end.
    History { steps: Vec<Step>, lies: Vec<Lie>, after: Vec<Step> },
}

#[derive(Arbitrary, Debug)]
enum Lie {
    /// Another byte at a place, counted from the end.
    Byte { at: u16, byte: u8 },
    /// A few bytes are cut out.
    Cut { at: u16, len: u8 },
    /// A few bytes are there twice.
    Again { at: u16, len: u8 },
}

#[derive(Arbitrary, Debug)]
enum Step {
    Request { who: u8, ty: u8, tx: u8, path: Vec<u8>, word: u8 },
    Replace { who: u8 },
    Work { budget: u8 },
}

const NAMES: [&str; 8] = ["a", "b", "c", "local", "domain", "1", "2", "@releaseDomain"];
const WORDS: [&str; 12] = [
    "",
    "t",
    "n1",
    "b2",
    "r3",
    "T",
    "F",
    "0",
    "1",
    "nodes",
    "a value that is somewhat longer than others",
    "quota",
];

impl Step {
    fn apply(&self, store: &mut Store) {
        let conns: Vec<(ConnId, DomId)> = store.connections().collect();
        match self {
            Step::Request { who, ty, tx, path, word } if !conns.is_empty() => {
                let (conn, domid) = conns[usize::from(*who) % conns.len()];
                let names: Vec<&str> =
                    path.iter().take(6).map(|name| NAMES[usize::from(*name) % NAMES.len()]).collect();
                let is_home = path.len() % 2 == 0 && domid != CONTROL;
                let word = WORDS[usize::from(*word) % WORDS.len()];
                let payload = format!("{}{}\0{word}\0", if is_home { "" } else { "/" }, names.join("/"));
                ask(store, conn, u32::from(*ty) % 28, u32::from(*tx) % 4, payload.as_bytes());
                if ty % 4 == 0 {
                    store.next_event(conn);
                }
            }
            Step::Request { .. } => {}
            Step::Replace { who } => {
                let domid = GUESTS[usize::from(*who) % GUESTS.len()];
                store.release(domid);
                add_domain(store, domid);
                // Not if the store's control domain is this one: then nothing was released.
                let _ = store.connect(domid);
            }
            Step::Work { budget } => drop(store.work(usize::from(*budget))),
        }
    }
}

/// Asks, and checks that it is answered.
fn ask(store: &mut Store, conn: ConnId, ty: u32, tx_id: u32, payload: &[u8]) {
    let request = Request { ty: Type(ty), req_id: 9, tx_id, payload: payload.to_vec() };
    let reply = store.handle(conn, &request);
    assert!(reply.len() >= HEADER_LEN && reply.len() <= HEADER_LEN + PAYLOAD_MAX);
    assert_eq!((word(&reply, 1), word(&reply, 2)), (9, tx_id));
    assert_eq!(word(&reply, 3) as usize, reply.len() - HEADER_LEN);
}

fn signed(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = Crc::<u32>::new(&CRC_32_ISCSI).checksum(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

fn change(bytes: &mut Vec<u8>, lie: &Lie) {
    let len = bytes.len();
    let place =
        |at: u16| len.saturating_sub(1 + usize::from(at) % (len + 1 - HEAD.len())).max(HEAD.len().min(len));
    match lie {
        Lie::Byte { at, byte } => {
            if let Some(changed) = bytes.get_mut(place(*at)) {
                *changed = *byte;
            }
        }
        Lie::Cut { at, len: cut } => {
            let at = place(*at);
            bytes.drain(at..len.min(at + usize::from(*cut % 16)));
        }
        Lie::Again { at, len: copied } => {
            let at = place(*at);
            let part = bytes[at..len.min(at + usize::from(*copied % 16))].to_vec();
            bytes.splice(at..at, part);
        }
    }
}

/// Uses a store that was restored from anything.
fn serve(mut store: Store, after: &[Step]) {
    for step in after.iter().take(40) {
        step.apply(&mut store);
    }
    let conns: Vec<(ConnId, DomId)> = store.connections().take(8).collect();
    for (conn, _) in conns {
        for ty in 0..28 {
            ask(&mut store, conn, ty, 0, b"/local/domain/1/a\0t\0");
            ask(&mut store, conn, ty, 1, b"/a\0");
        }
        let mut most = 100_000;
        while store.next_event(conn).is_some() && most > 0 {
            most -= 1;
        }
        assert!(most > 0, "events without end");
    }
    let mut most = 100_000;
    while store.work(1000) {
        most -= 1;
        assert!(most > 0, "work without end");
    }
    let again = Store::restore(&store.save());
    assert!(again.is_ok(), "it cannot be restored once more: {:?}", again.err());
}

fuzz_target!(|input: Input<'_>| {
    match input {
        Input::MadeUp(bytes) => {
            if let Ok(store) = Store::restore(&signed([HEAD, bytes].concat())) {
                serve(store, &[]);
            }
        }
        Input::History { steps, lies, after } => {
            let mut store = store();
            store.connect_control();
            for domid in GUESTS {
                store.connect(domid).expect("it was introduced");
            }
            steps.iter().take(60).for_each(|step| step.apply(&mut store));
            let mut bytes = store.save();
            bytes.truncate(bytes.len() - 4);
            for lie in lies.iter().take(8) {
                change(&mut bytes, lie);
            }
            match Store::restore(&signed(bytes)) {
                Ok(restored) => serve(restored, &after),
                Err(error) => assert!(!lies.is_empty(), "what was saved is refused: {error}"),
            }
        }
    }
});
