//! Bytes on their way out: over the line, or through a lab's shared memory.
//!
//! An [`Outlet`] is a stream of the link, and with luck the shared memory's right ring beside it. Whoever fills it does not
//! care which way the bytes go; the reader does, and was told. Each write to the ring is followed by one byte on the
//! stream, and each read by one byte back, so that neither end polls.
//!
//! What it is filled from may hold a guest, so an outlet must end: when the other end throws the stream away, or when nothing
//! moved for as long as somebody is patient.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

use link::line::{Broken, Stream};
use ring::{Producer, RingError, Shared, layout};

use crate::transfer::{LEFT_ORDER, SharedTurn, in_time};

/// The shared memory's right ring, as agreed with hostctl: 512 KiB behind the left one.
const RIGHT_ORDER: u32 = 19;
const RIGHT_DATA: usize = 4096 + (1 << LEFT_ORDER);
/// Its indices (public/io/libxenvchan.h, `struct vchan_interface`).
const RIGHT_CONS: usize = 8;
const RIGHT_PROD: usize = 12;
/// How much memory must be shared, in bytes.
pub const DOWNLOAD_LEN: usize = RIGHT_DATA + (1 << RIGHT_ORDER);
/// How much is moved before other tasks get their turn, in bytes.
const TURN: usize = 256 << 10;
/// The same on the line, in bytes: at 9,600 baud it takes five seconds, which is well within anybody's patience.
const LINE_TURN: usize = 4 << 10;

/// The shared memory's right ring is another's for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken;

/// The turn at the right ring, which is one outlet's at a time.
#[derive(Debug, Default)]
pub struct Downloads {
    is_busy: Rc<Cell<bool>>,
}

/// A turn at the right ring.
#[derive(Debug)]
pub struct RingTurn {
    _turn: SharedTurn,
}

impl Downloads {
    /// Takes the turn.
    ///
    /// # Errors
    /// [`Taken`].
    pub fn turn(&self) -> Result<RingTurn, Taken> {
        SharedTurn::take(&self.is_busy).map(|turn| RingTurn { _turn: turn }).ok_or(Taken)
    }
}

/// Why nothing more goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// The other end threw the stream away, or the session is gone.
    Broken,
    /// Nothing moved for too long.
    Silent,
    /// The ring's indices make no sense.
    Damaged(RingError),
}

impl From<Broken> for Gone {
    fn from(Broken: Broken) -> Self {
        Gone::Broken
    }
}

/// A way out for bytes. Dropped before [`Self::finish`], the stream is thrown away.
#[derive(Debug)]
pub struct Outlet<S> {
    stream: Stream,
    ring: Option<Ring<S>>,
}

#[derive(Debug)]
struct Ring<S> {
    memory: Rc<S>,
    producer: Producer,
    _turn: RingTurn,
}

impl<S: Shared> Outlet<S> {
    /// An outlet over a stream, or through memory that holds [`DOWNLOAD_LEN`] bytes. What an outlet before left in the ring is thrown
    /// away.
    pub fn new(stream: Stream, memory: Option<(RingTurn, Rc<S>)>) -> Self {
        let ring = memory.map(|(turn, memory)| {
            memory.store_u32(RIGHT_PROD, memory.load_u32(RIGHT_CONS));
            Ring {
                memory,
                producer: Producer::new(layout::vchan::right(RIGHT_ORDER, RIGHT_DATA)),
                _turn: turn,
            }
        });
        Outlet { stream, ring }
    }

    /// Says whether bytes go through the shared memory.
    pub fn is_shared(&self) -> bool {
        self.ring.is_some()
    }

    /// Sends all of `bytes`. `breathe` lets other tasks run; `patience` is how long nothing may move.
    ///
    /// # Errors
    /// [`Gone`]: an unknown part of the bytes was taken.
    pub async fn send(
        &mut self,
        bytes: &[u8],
        breathe: &impl AsyncFn(),
        patience: &impl AsyncFn(),
    ) -> Result<(), Gone> {
        let mut heard = Vec::new();
        let most = if self.ring.is_some() { TURN } else { LINE_TURN };
        for part in bytes.chunks(most) {
            let Some(ring) = &mut self.ring else {
                in_time(self.stream.write_all(part), pin!(patience())).await.ok_or(Gone::Silent)??;
                continue;
            };
            let mut rest = part;
            while !rest.is_empty() {
                let count = ring.producer.write(&*ring.memory, rest).map_err(Gone::Damaged)?;
                rest = &rest[count..];
                heard.clear();
                let bells = if count > 0 {
                    in_time(self.stream.write_all(&[0]), pin!(patience())).await.ok_or(Gone::Silent)??;
                    breathe().await;
                    // Bells that are not needed make room for others.
                    glance(&self.stream, &mut heard).await
                } else {
                    // A bell, of whichever read: there may be room now.
                    Some(in_time(self.stream.read(&mut heard), pin!(patience())).await.ok_or(Gone::Silent)?)
                };
                if bells.transpose()? == Some(0) {
                    return Err(Gone::Broken);
                }
            }
        }
        Ok(())
    }

    /// Waits until the other end has ended its half, and ends ours: it has then taken everything.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn finish(self, patience: &impl AsyncFn()) -> Result<(), Gone> {
        let mut heard = Vec::new();
        let mut patience = pin!(patience());
        loop {
            heard.clear();
            match in_time(self.stream.read(&mut heard), patience.as_mut()).await {
                Some(Ok(0)) => break,
                Some(Ok(_)) => {}
                Some(Err(Broken)) => return Err(Gone::Broken),
                None => return Err(Gone::Silent),
            }
        }
        self.stream.close();
        Ok(())
    }
}

/// Reads what is there already.
async fn glance(stream: &Stream, out: &mut Vec<u8>) -> Option<Result<usize, Broken>> {
    let mut read = pin!(stream.read(out));
    poll_fn(|context| match read.as_mut().poll(context) {
        Poll::Ready(bells) => Poll::Ready(Some(bells)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
