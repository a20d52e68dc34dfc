//! What the fuzz targets share: a store with a few domains, and how to look whether it still holds together.
#![forbid(unsafe_code)]

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use xen_abi::DomId;
use xenstore::wire::{HEADER_LEN, MessageType as Type, PAYLOAD_MAX, Request};
use xenstore::{Access, Perm, Store};

/// The control domain.
pub const CONTROL: DomId = DomId(0);
/// The guests that every world begins with.
pub const GUESTS: [DomId; 3] = [DomId(1), DomId(2), DomId(3)];

/// Makes a domain known and served, with a home that it owns.
pub fn add_domain(store: &mut Store, domid: DomId) {
    store.register(domid);
    let perms = [Perm::new(domid, Access::None)];
    store
        .control(|store| store.mkdir_with(&xenstore::home(domid), &perms))
        .expect("the control domain has no quota");
    store.introduce(domid);
}

/// A store with the guests, and a node of the control domain's that no guest may touch.
pub fn store() -> Store {
    let mut store = Store::new(CONTROL);
    for domid in GUESTS {
        add_domain(&mut store, domid);
    }
    store.control(|store| store.write("/kept", "x")).expect("the control domain has no quota");
    store
}

/// Checks what must hold whatever guests did.
///
/// # Panics
/// It does not.
pub fn check(store: &mut Store) {
    assert_eq!(store.read("/kept"), Ok(&b"x"[..]), "a guest changed what is not its own");
    for domid in GUESTS {
        let usage = store.usage(domid);
        assert!(usage.is_none_or(|usage| usage.memory <= 256 << 10), "{domid:?} uses {usage:?}");
    }
    let conn = store.connect_control();
    let request = Request { ty: Type::CONTROL, req_id: 7, tx_id: 0, payload: b"check\0".to_vec() };
    let reply = store.handle(conn, &request);
    assert_eq!(word(&reply, 0), Type::CONTROL.0, "the accounts are wrong: {}", reply.escape_ascii());
    store.disconnect(conn);
}

/// The header's word at `index`.
pub fn word(message: &[u8], index: usize) -> u32 {
    let bytes = message[index * 4..index * 4 + 4].try_into().expect("four bytes are four bytes");
    u32::from_le_bytes(bytes)
}

/// Checks that `bytes` is whole messages that a server may send, but perhaps the last; returns how many bytes those are.
///
/// # Panics
/// It is not.
pub fn check_messages(bytes: &[u8], mut each: impl FnMut(&[u8])) -> usize {
    let mut at = 0;
    while bytes.len() - at >= HEADER_LEN {
        let len = word(&bytes[at..], 3) as usize;
        assert!(len <= PAYLOAD_MAX, "a message of {len} bytes");
        if bytes.len() - at < HEADER_LEN + len {
            break;
        }
        each(&bytes[at..at + HEADER_LEN + len]);
        at += HEADER_LEN + len;
    }
    at
}

/// Polls as an executor would: again as long as the task may have woken itself.
pub fn settle<F: Future + ?Sized>(mut task: Pin<&mut F>) -> Poll<F::Output> {
    for _ in 0..6 {
        if let ready @ Poll::Ready(_) = task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return ready;
        }
    }
    Poll::Pending
}
