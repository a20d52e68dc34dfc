//! The client's end of the protocol: for a control domain whose store somebody else serves, for tools, for tests.
//!
//! A [`Client`] is one connection. It knows no executor and no transport: any number of tasks call its methods, and one, which runs
//! [`Client::drive`] over a [`Transport`], moves the bytes ([`RingClient`] is the transport over a shared page). Without
//! tasks, [`block_on`] does both on one thread. Below both are [`Client::transmit`] and [`Client::receive`], which do no I/O at all.
//!
//! * Requests on nodes are [`Nodes`], outside transactions and, on a [`Transaction`], inside. [`Client::transact`] tries again what
//!   conflicted.
//! * Several requests may be in flight, [`MAX_IN_FLIGHT`] at most; further calls wait for room.
//! * Watch events wait, in order, in a queue of fixed length for [`Client::next_event`]. When it is full each watch owes one event,
//!   on its own path: what they have in common is that something changed there.
//! * Dropping a call's future drops its answer, and takes back what the answer would have brought: a transaction, a watch.
//!
//! The server is not trusted. A reply that nobody asked for, of the wrong type or transaction, too long or malformed, ends the
//! connection: every call, present or future, fails with [`ClientError::Ended`] and the [`Fault`]. A new connection is a new [`Client`].

use alloc::vec::Vec;
use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;

use crate::WatchEvent;
use crate::wire::MessageType;

mod blocking;
mod domains;
mod drive;
mod error;
mod event_queue;
mod nodes;
mod ring_client;
mod session;
mod transaction;
mod watches;

pub use blocking::block_on;
pub use drive::Transport;
pub use error::{ClientError, Fault, Refusal};
pub use nodes::Nodes;
pub use ring_client::RingClient;
pub use session::MAX_IN_FLIGHT;
pub use transaction::{TRIES, Transaction};

use session::{Session, Undo};

/// One connection to a xenstore server. See the module's text.
#[derive(Debug, Default)]
pub struct Client {
    /// Borrowed for one step, never across an await.
    session: RefCell<Session>,
}

impl Client {
    /// A connection on which nothing was said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes for the server, as many as there are and fit. Returns how many.
    pub fn transmit(&self, into: &mut [u8]) -> usize {
        self.session.borrow_mut().transmit(into)
    }

    /// Takes in bytes from the server, in any pieces.
    ///
    /// # Errors
    /// The [`Fault`] that they show, or an earlier one. The connection is over.
    pub fn receive(&self, bytes: &[u8]) -> Result<(), Fault> {
        self.session.borrow_mut().receive(bytes)
    }

    /// Ends the connection. The first fault stays.
    pub fn fail(&self, fault: Fault) {
        self.session.borrow_mut().fail(fault);
    }

    /// Why the connection is over, if it is.
    pub fn fault(&self) -> Option<Fault> {
        self.session.borrow().fault()
    }

    /// Waits for the next watch event.
    ///
    /// # Errors
    /// [`ClientError::Ended`], once the events that came before the end have been handed out.
    pub async fn next_event(&self) -> Result<WatchEvent, ClientError> {
        poll_fn(|cx| self.session.borrow_mut().poll_event(cx)).await
    }

    /// Sends one request and waits for its reply's payload.
    async fn call(
        &self,
        ty: MessageType,
        tx_id: u32,
        parts: &[&[u8]],
        undo: Undo,
    ) -> Result<Vec<u8>, ClientError> {
        let mut undo = Some(undo);
        let req_id = poll_fn(|cx| {
            let mut session = self.session.borrow_mut();
            match session.poll_room(cx) {
                Poll::Ready(Ok(())) => {
                    Poll::Ready(session.begin(ty, tx_id, parts, undo.take().unwrap_or(Undo::Nothing)))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await?;
        let asked = Asked { client: self, req_id };
        poll_fn(|cx| asked.client.session.borrow_mut().poll_reply(asked.req_id, cx)).await
    }

    /// As [`Self::call`], for requests outside transactions that bring nothing that would have to be taken back.
    async fn ask(&self, ty: MessageType, parts: &[&[u8]]) -> Result<Vec<u8>, ClientError> {
        self.call(ty, 0, parts, Undo::Nothing).await
    }

    /// Ends the connection over an answer that its request does not allow.
    fn malformed(&self, ty: MessageType) -> ClientError {
        let fault = Fault::Malformed(ty);
        self.fail(fault);
        ClientError::Ended(fault)
    }
}

/// A request in flight. Dropped before the reply came, it is abandoned.
struct Asked<'a> {
    client: &'a Client,
    req_id: u32,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.client.session.borrow_mut().abandon(self.req_id);
    }
}
