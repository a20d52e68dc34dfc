//! A client without tasks.

use alloc::vec::Vec;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use super::{Client, Fault};

/// The bytes taken in at a time.
const PIECE: usize = 4096;

/// Runs `work`, which calls `client`, to its end on this thread. Whenever it waits, `exchange` sends some of the bytes it is given and takes
/// in some, waiting until at least one has moved; it returns how many of each.
///
/// What `exchange` fails with ends the connection, and so each call of `work`'s. `work` must wait for nothing but the client.
pub fn block_on<R>(
    client: &Client,
    mut exchange: impl FnMut(&[u8], &mut [u8]) -> Result<(usize, usize), Fault>,
    work: impl Future<Output = R>,
) -> R {
    let mut work = pin!(work);
    let (mut outgoing, mut incoming) = (Vec::new(), alloc::vec![0; PIECE]);
    loop {
        if let Poll::Ready(result) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return result;
        }
        client.session.borrow_mut().take_outgoing(&mut outgoing);
        let done = exchange(&outgoing, &mut incoming).and_then(|(sent, got)| {
            outgoing.drain(..sent.min(outgoing.len()));
            client.receive(incoming.get(..got).unwrap_or_default())
        });
        if let Err(fault) = done {
            client.fail(fault);
        }
    }
}
