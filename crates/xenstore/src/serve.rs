//! One guest's connection, from its first request to its end.

use alloc::vec::Vec;
use core::future::poll_fn;
use core::pin::pin;
use core::task::{Context, Poll};

use ring::RingError;
use xen_abi::DomId;

use crate::connection::{ConnId, WatchEvent};
use crate::store::SharedStore;
use crate::wire::{Request, TooLong};

/// How many requests of one connection are answered before other tasks get their turn.
const TURN: usize = 8;

/// A way for messages to come and go.
#[allow(async_fn_in_trait)] // The executor is single-threaded: nobody needs the futures to be Send.
pub trait Connection {
    /// Tells the peer which features the server has. Called before anything else.
    fn offer(&mut self, features: u32);

    /// Waits for the next request. Dropping the future loses nothing: bytes already taken are kept.
    ///
    /// # Errors
    /// The connection cannot go on; see [`Broken`].
    async fn recv(&mut self) -> Result<Request, Broken>;

    /// Sends a whole message, waiting for room as long as it takes.
    ///
    /// # Errors
    /// The connection cannot go on; see [`Broken`].
    async fn send(&mut self, message: &[u8]) -> Result<(), Broken>;

    /// Begins anew, after [`Broken::Reconnect`]: nothing half read, nothing half written.
    fn restart(&mut self);

    /// Tells the peer that it is cut off, and why. Nothing is called afterwards.
    fn fail(&mut self, why: Broken);
}

/// Why a connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The peer asks for a fresh connection.
    Reconnect,
    /// The peer's ring indices make no sense.
    Indices(RingError),
    /// The peer announced a payload over the limit.
    TooLong(TooLong),
}

impl From<RingError> for Broken {
    fn from(error: RingError) -> Self {
        Broken::Indices(error)
    }
}

impl From<TooLong> for Broken {
    fn from(error: TooLong) -> Self {
        Broken::TooLong(error)
    }
}

/// How the service of a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The domain was released, or a newer connection took this one's place.
    Released,
    /// The domain had not been introduced.
    Unknown,
    /// The domain broke the protocol. It stays known, and its nodes stay; it is just not served any more.
    Broken(Broken),
}

/// Serves a domain until it is released or breaks the protocol; returns which.
///
/// Requests are answered one at a time and in order; the next is not read before the reply is written. So a guest that does not read
/// holds up itself alone, and costs one reply of memory. [`crate::Store::release`] ends it at any point.
pub async fn serve(conn: impl Connection, who: DomId, store: &SharedStore) -> Closed {
    let Ok(id) = store.borrow_mut().connect(who) else { return Closed::Unknown };
    serve_as(conn, id, who, store).await
}

/// Goes on serving a connection of a store that was saved and restored ([`crate::Store::connections`]). `conn` begins where a message begins.
pub async fn serve_again(conn: impl Connection, id: ConnId, store: &SharedStore) -> Closed {
    let who = store.borrow().connections().find_map(|(other, who)| (other == id).then_some(who));
    match who {
        Some(who) => serve_as(conn, id, who, store).await,
        None => Closed::Unknown,
    }
}

async fn serve_as(mut conn: impl Connection, id: ConnId, who: DomId, store: &SharedStore) -> Closed {
    conn.offer(store.borrow().features(who));
    loop {
        match exchange(&mut conn, id, store).await {
            None => return Closed::Released,
            Some(Broken::Reconnect) => {
                store.borrow_mut().reset(id);
                conn.restart();
                // A guest that asks for this without end has its turns like everybody.
                give_way().await;
            }
            Some(broken) => {
                store.borrow_mut().disconnect(id);
                conn.fail(broken);
                return Closed::Broken(broken);
            }
        }
    }
}

enum Next {
    Request(Result<Request, Broken>),
    Event(WatchEvent),
    Closed,
}

/// Answers requests and passes events on until the connection breaks or (None) is closed.
async fn exchange(conn: &mut impl Connection, id: ConnId, store: &SharedStore) -> Option<Broken> {
    let mut turn = 0;
    loop {
        // The borrows end before the next await: a slow guest holds up nobody else.
        let message: Vec<u8> = match next(conn, id, store).await {
            Next::Request(Ok(request)) => store.borrow_mut().handle(id, &request),
            Next::Event(event) => event.message(),
            Next::Request(Err(broken)) => return Some(broken),
            Next::Closed => return None,
        };
        match send(conn, id, store, &message).await? {
            Ok(()) => {}
            Err(broken) => return Some(broken),
        }
        turn += 1;
        if turn % TURN == 0 {
            give_way().await;
        }
    }
}

/// Whatever comes first; events before requests, so that a guest which asks without end hears them too.
async fn next(conn: &mut impl Connection, id: ConnId, store: &SharedStore) -> Next {
    let mut request = pin!(conn.recv());
    let poll_event = |cx: &mut Context<'_>| store.borrow_mut().poll_event(id, cx);
    poll_fn(|cx| match poll_event(cx) {
        Poll::Ready(Some(event)) => Poll::Ready(Next::Event(event)),
        Poll::Ready(None) => Poll::Ready(Next::Closed),
        // Who has made much to be told of waits until it is.
        Poll::Pending if store.borrow_mut().poll_ready(id, cx).is_pending() => Poll::Pending,
        Poll::Pending => request.as_mut().poll(cx).map(Next::Request),
    })
    .await
}

/// Sends, unless the connection is closed meanwhile (None).
async fn send(
    conn: &mut impl Connection,
    id: ConnId,
    store: &SharedStore,
    message: &[u8],
) -> Option<Result<(), Broken>> {
    let mut sent = pin!(conn.send(message));
    poll_fn(|cx| match store.borrow_mut().poll_closed(id, cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => sent.as_mut().poll(cx).map(Some),
    })
    .await
}

/// Lets other tasks run once.
pub(crate) async fn give_way() {
    let mut gave = false;
    poll_fn(|cx| {
        if core::mem::replace(&mut gave, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
