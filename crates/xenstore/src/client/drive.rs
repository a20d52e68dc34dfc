//! Moving a client's bytes as a task.

use alloc::vec::Vec;
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;

use super::{Client, Fault};
use crate::serve::give_way;

/// How many moves of one connection are made before other tasks get their turn.
const TURN: usize = 8;
/// The bytes taken in at a time: a ring holds as many.
const PIECE: usize = 1024;

/// A way for bytes to come and go.
#[allow(async_fn_in_trait)] // The executor is single-threaded: nobody needs the future to be Send.
pub trait Transport {
    /// Sends some of `outgoing` and takes in some bytes; waits until at least one byte has moved, either way. Returns how many were
    /// sent, and how many were taken in.
    ///
    /// Whatever moves, it returns without waiting any further: dropping the future loses nothing.
    ///
    /// # Errors
    /// The connection cannot go on.
    async fn exchange(&mut self, outgoing: &[u8], incoming: &mut [u8]) -> Result<(usize, usize), Fault>;
}

impl<T: Transport + ?Sized> Transport for &mut T {
    async fn exchange(&mut self, outgoing: &[u8], incoming: &mut [u8]) -> Result<(usize, usize), Fault> {
        (**self).exchange(outgoing, incoming).await
    }
}

impl Client {
    /// Moves the connection's bytes until it is over; returns why. One task does this while others call; when it is dropped, the
    /// connection is over too.
    pub async fn drive(&self, mut transport: impl Transport) -> Fault {
        let _end = End(self);
        let (mut outgoing, mut incoming) = (Vec::new(), alloc::vec![0; PIECE]);
        let mut turn = 0;
        loop {
            self.session.borrow_mut().take_outgoing(&mut outgoing);
            turn += 1;
            if turn % TURN == 0 {
                // A server that sends without end has its turns like everybody.
                give_way().await;
            }
            let moved = {
                let mut exchange = pin!(transport.exchange(&outgoing, &mut incoming));
                poll_fn(|cx| match self.session.borrow_mut().poll_outgoing(cx) {
                    Poll::Ready(()) => Poll::Ready(Ok((0, 0))),
                    Poll::Pending => exchange.as_mut().poll(cx),
                })
                .await
            };
            let done = moved.and_then(|(sent, got)| {
                outgoing.drain(..sent.min(outgoing.len()));
                self.receive(incoming.get(..got).unwrap_or_default())
            });
            if let Err(fault) = done {
                self.fail(fault);
                return self.fault().unwrap_or(fault);
            }
        }
    }
}

/// Nobody moves bytes any more once this is dropped.
struct End<'a>(&'a Client);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.fail(Fault::Closed);
    }
}
