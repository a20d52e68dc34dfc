//! A guest that writes anything anywhere into its page, at any moment, while the server looks at it.
//!
//! The page changes by script: whenever the server loads an index or the connection's state, the guest may have written just before. The
//! server writes only where it has to write, its other guests are served, and the accounts stay right.
#![no_main]

use std::cell::{Cell, RefCell};
use std::pin::pin;

use fuzz::{GUESTS, check, settle, store};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use ring::layout::xenstore as page;
use ring::testing::{Memory, Port};
use ring::{Consumer, EventChannel, Producer, Shared};
use xenstore::wire::MessageType as Type;
use xenstore::{RingConnection, serve};

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    /// A word of the upper half, where the indices and states are: set to a value, or moved by some.
    Word { which: u8, value: Value },
    /// Bytes anywhere in the page.
    Bytes { at: u16, bytes: &'a [u8] },
    /// A request, written as it should be.
    Request { ty: u8, payload: &'a [u8] },
    /// As much as there is is read.
    Read,
    /// Nothing is written, and the server runs.
    Run,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Value {
    Exact(u32),
    Small(u8),
    Moved(i16),
}

/// What the guest writes next: one each time that the server looks.
#[derive(Arbitrary, Debug)]
struct Meanwhile {
    after: u8,
    which: u8,
    value: Value,
}

fn word_offset(which: u8) -> usize {
    page::REQ.size() * 2 + usize::from(which) % 8 * 4
}

fn put(memory: &Memory, which: u8, value: Value) {
    let at = word_offset(which);
    let old = memory.load_u32(at);
    memory.store_u32(
        at,
        match value {
            Value::Exact(value) => value,
            Value::Small(value) => value.into(),
            Value::Moved(by) => old.wrapping_add_signed(by.into()),
        },
    );
}

/// The page as the server sees it: somebody writes to it between any two looks.
struct Restless<'a> {
    memory: Memory,
    script: &'a [Meanwhile],
    at: Cell<usize>,
    looks: Cell<u8>,
}

impl Restless<'_> {
    fn look(&self) {
        let Some(next) = self.script.get(self.at.get()) else { return };
        if self.looks.replace(self.looks.get().wrapping_add(1)) >= next.after {
            put(&self.memory, next.which, next.value);
            self.at.set(self.at.get() + 1);
            self.looks.set(0);
        }
    }
}

impl Shared for Restless<'_> {
    fn load_u32(&self, offset: usize) -> u32 {
        self.look();
        self.memory.load_u32(offset)
    }

    fn store_u32(&self, offset: usize, value: u32) {
        let may = [2048, 2052, 2056, 2060, page::SERVER_FEATURES, page::CONNECTION, page::ERROR];
        assert!(may.contains(&offset), "the server wrote the word at {offset}");
        self.memory.store_u32(offset, value);
        self.look();
    }

    fn read(&self, offset: usize, into: &mut [u8]) {
        assert!(offset + into.len() <= 1024, "the server read requests from {offset}");
        self.look();
        self.memory.read(offset, into);
    }

    fn write(&self, offset: usize, from: &[u8]) {
        assert!(offset >= 1024 && offset + from.len() <= 2048, "the server wrote replies to {offset}");
        self.memory.write(offset, from);
        self.look();
    }
}

fuzz_target!(|input: (Vec<Step<'_>>, Vec<Meanwhile>)| {
    let (steps, script) = input;
    let store = RefCell::new(store());
    let memory = Memory::new(4096);
    let (ours, theirs) = Port::pair();
    let restless =
        Restless { memory: memory.clone(), script: &script, at: Cell::new(0), looks: Cell::new(0) };
    let mut task = pin!(serve(RingConnection::new(restless, ours), GUESTS[0], &store));
    // Another guest, who does nothing wrong, on a page of its own.
    let quiet = Memory::new(4096);
    let (quiet_ours, quiet_theirs) = Port::pair();
    let mut quiet_task = pin!(serve(RingConnection::new(quiet.clone(), quiet_ours), GUESTS[1], &store));
    for step in steps.iter().take(100) {
        match step {
            Step::Word { which, value } => put(&memory, *which, *value),
            Step::Bytes { at, bytes } => {
                let at = usize::from(*at) % 4096;
                memory.write(at, &bytes[..bytes.len().min(4096 - at)]);
            }
            Step::Request { ty, payload } => {
                let payload = &payload[..payload.len().min(4096)];
                let mut bytes: Vec<u8> = Vec::new();
                for word in [u32::from(*ty) % 28, 1, 0, payload.len() as u32] {
                    bytes.extend(word.to_le_bytes());
                }
                bytes.extend_from_slice(payload);
                let _ = Producer::new(page::REQ).write(&memory, &bytes);
            }
            Step::Read => drop(Consumer::new(page::RSP).read(&memory, &mut [0; 2048])),
            Step::Run => {}
        }
        theirs.notify();
        if settle(task.as_mut()).is_ready() {
            break;
        }
    }
    let mut request: Vec<u8> =
        [Type::READ.0, 5, 0, 2].iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
    request.extend(b"a\0");
    assert_eq!(Producer::new(page::REQ).write(&quiet, &request), Ok(18));
    quiet_theirs.notify();
    assert!(settle(quiet_task.as_mut()).is_pending());
    let mut reply = [0; 64];
    assert_eq!(Consumer::new(page::RSP).read(&quiet, &mut reply), Ok(16 + "ENOENT".len() + 1));
    assert_eq!(fuzz::word(&reply, 1), 5);
    check(&mut store.borrow_mut());
});
