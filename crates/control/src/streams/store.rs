//! A stream of hostctl's tied to the store: requests come, replies and watch events go, with the control domain's rights.

use alloc::vec::Vec;
use core::future::poll_fn;
use core::pin::pin;
use core::task::{Context, Poll};

use link::line::Stream;
use xenstore::wire::{Decoder, Request, TooLong};
use xenstore::{ConnId, SharedStore, WatchEvent};

use crate::host::Host;

/// How many messages of one stream are sent before other tasks get their turn.
const TURN: usize = 8;

/// A connection to the store, ended with this.
struct Connection {
    store: &'static SharedStore,
    id: ConnId,
}

impl Connection {
    fn open(store: &'static SharedStore) -> Self {
        let id = store.borrow_mut().connect_control();
        Self { store, id }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.store.borrow_mut().disconnect(self.id);
    }
}

/// What comes first.
enum Next {
    Request(Request),
    Event(WatchEvent),
    /// Nothing more comes.
    End,
}

/// Serves the store on a stream until either end closes it. A request is read when the reply to the one before is
/// written, so a peer that does not read costs one reply, what the link holds of a stream, and the events of its watches,
/// which the store bounds.
pub(crate) async fn serve<H: Host>(host: &H, store: &'static SharedStore, stream: Stream) {
    let connection = Connection::open(store);
    let mut requests = Requests { stream: &stream, decoder: Decoder::new(), bytes: Vec::new(), taken: 0 };
    let mut turn = 0;
    loop {
        let message = match next(&connection, &mut requests).await {
            Next::Request(request) => store.borrow_mut().handle(connection.id, &request),
            Next::Event(event) => event.message(),
            Next::End => break,
        };
        if stream.write_all(&message).await.is_err() {
            return;
        }
        turn += 1;
        if turn % TURN == 0 {
            host.yield_now().await;
        }
    }
    stream.close();
}

/// Events before requests, so that a peer which asks without end hears them too.
async fn next(connection: &Connection, requests: &mut Requests<'_>) -> Next {
    let mut request = pin!(requests.next());
    let Connection { store, id } = connection;
    let poll_event = |context: &mut Context<'_>| store.borrow_mut().poll_event(*id, context);
    poll_fn(|context| match poll_event(context) {
        Poll::Ready(Some(event)) => Poll::Ready(Next::Event(event)),
        Poll::Ready(None) => Poll::Ready(Next::End),
        // What its requests changed is to be told first.
        Poll::Pending if store.borrow_mut().poll_ready(*id, context).is_pending() => Poll::Pending,
        Poll::Pending => {
            request.as_mut().poll(context).map(|request| request.map_or(Next::End, Next::Request))
        }
    })
    .await
}

/// The requests in a stream's bytes.
struct Requests<'s> {
    stream: &'s Stream,
    decoder: Decoder,
    /// What has arrived, no more than the link takes in for a stream.
    bytes: Vec<u8>,
    /// How much of it was looked at.
    taken: usize,
}

impl Requests<'_> {
    /// Waits for the next request; `None` at the stream's end, or when what comes is no request. Dropping the future loses
    /// nothing.
    async fn next(&mut self) -> Option<Request> {
        loop {
            let Self { decoder, bytes, taken, .. } = self;
            let request = decoder.decode(|into| {
                let count = into.len().min(bytes.len() - *taken);
                into[..count].copy_from_slice(&bytes[*taken..*taken + count]);
                *taken += count;
                Ok::<_, TooLong>(count)
            });
            match request {
                Ok(Some(request)) => return Some(request),
                Ok(None) => {}
                Err(TooLong(len)) => {
                    log::debug!("xenstore: a stream's peer announces {len} bytes in a message; closed");
                    return None;
                }
            }
            self.bytes.clear();
            self.taken = 0;
            match self.stream.read(&mut self.bytes).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return None,
            }
        }
    }
}
