//! One upload's bytes.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::Poll;

use hypercall::{Aperture, ClaimedMemory, Door};
use link::line::{Broken, Stream};
use proto::image::Upload;
use ring::{Consumer, Shared, layout};
use toolstack::ImageUpload;

use crate::outcome::{Duty, Outcome};

/// The shared memory's left ring, as agreed with hostctl: 1 MiB behind libxenvchan's page.
pub(crate) const LEFT_ORDER: u32 = 20;
const LEFT_DATA: usize = 4096;
/// Its indices (public/io/libxenvchan.h, `struct vchan_interface`).
const LEFT_CONS: usize = 0;
const LEFT_PROD: usize = 4;
/// How much memory is shared at least, in bytes.
pub const SHARED_LEN: usize = LEFT_DATA + (1 << LEFT_ORDER);
/// How much is moved before other tasks get their turn, in bytes.
const TURN: usize = 64 << 10;

/// What an upload that broke off left behind is nobody's: the ring starts empty, where the host finds it.
pub(crate) fn empty_ring(memory: &impl Shared) {
    memory.store_u32(LEFT_CONS, memory.load_u32(LEFT_PROD));
}

/// The turn of one upload to use the shared memory.
#[derive(Debug)]
pub(crate) struct SharedTurn(Rc<Cell<bool>>);

impl SharedTurn {
    pub(crate) fn take(busy: &Rc<Cell<bool>>) -> Option<Self> {
        (!busy.replace(true)).then(|| Self(busy.clone()))
    }
}

impl Drop for SharedTurn {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// The work of taking in one image. Dropped before its end, it gives everything back.
pub struct Transfer<'t, 'x, M: Door + Aperture, S> {
    incoming: ImageUpload<'t, 'x, ClaimedMemory<'x, M>>,
    stream: Stream,
    memory: Option<(SharedTurn, Rc<S>)>,
    duty: Duty,
}

/// Why no more bytes are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All have come, or the other end said that there are no more.
    Said,
    /// The other end has to be told that no more are wanted.
    Silence,
    /// Likewise.
    Nonsense,
}

impl<'t, 'x, M: Door + Aperture, S: Shared> Transfer<'t, 'x, M, S> {
    pub(crate) fn new(
        incoming: ImageUpload<'t, 'x, ClaimedMemory<'x, M>>,
        stream: Stream,
        memory: Option<(SharedTurn, Rc<S>)>,
        outcome: Rc<Outcome>,
    ) -> Self {
        Self { incoming, stream, memory, duty: Duty::new(outcome) }
    }

    /// Which way the bytes are to come.
    pub fn way(&self) -> Upload {
        if self.memory.is_some() { Upload::SharedMemory } else { Upload::Line }
    }

    /// Takes the image in, and tells those who wait what became of it.
    ///
    /// `breathe` lets other tasks run; `patience` waits for [`crate::PATIENCE_NS`].
    pub async fn run(mut self, breathe: impl AsyncFn(), patience: impl AsyncFn()) {
        let end = match &self.memory {
            Some((_, memory)) => {
                receive_shared(&mut self.incoming, &self.stream, &**memory, &breathe, &patience).await
            }
            None => receive_on_line(&mut self.incoming, &self.stream, &patience).await,
        };
        match end {
            End::Said => self.stream.close(),
            End::Silence | End::Nonsense => {
                log::warn!("{:?}: given up: {end:?}", self.incoming);
                // Dropped: thrown away both ways.
                drop(self.stream);
            }
        }
        // The next upload may have the shared memory as soon as somebody hears of the end of this one.
        drop(self.memory);
        self.duty.tell(self.incoming.finish());
    }
}

impl<M: Door + Aperture, S> fmt::Debug for Transfer<'_, '_, M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.incoming.fmt(f)
    }
}

/// An image in the toolstack's hands.
type Incoming<'t, 'x, M> = ImageUpload<'t, 'x, ClaimedMemory<'x, M>>;

async fn receive_on_line<M: Door + Aperture>(
    incoming: &mut Incoming<'_, '_, M>,
    stream: &Stream,
    patience: &impl AsyncFn(),
) -> End {
    let mut bytes = Vec::new();
    while incoming.missing() > 0 {
        bytes.clear();
        match in_time(stream.read(&mut bytes), pin!(patience())).await {
            Some(Ok(1..)) => incoming.write(&bytes),
            Some(Ok(0) | Err(Broken)) => return End::Said,
            None => return End::Silence,
        };
    }
    End::Said
}

/// Empties the ring each time the other end rings the bell, and rings back.
async fn receive_shared<M: Door + Aperture>(
    incoming: &mut Incoming<'_, '_, M>,
    stream: &Stream,
    memory: &impl Shared,
    breathe: &impl AsyncFn(),
    patience: &impl AsyncFn(),
) -> End {
    let mut ring = Consumer::new(layout::vchan::left(LEFT_ORDER, LEFT_DATA));
    let mut bells = Vec::new();
    // Patience starts anew with each byte of the image, not with each bell.
    while let before @ 1.. = incoming.missing() {
        let mut patience = pin!(patience());
        while incoming.missing() == before {
            bells.clear();
            match in_time(stream.read(&mut bells), patience.as_mut()).await {
                Some(Ok(1..)) => {}
                Some(Ok(0) | Err(Broken)) => return End::Said,
                None => return End::Silence,
            }
            loop {
                match incoming.write_with(TURN, |place| ring.read(memory, place)) {
                    Ok(0) => break,
                    Ok(_) => breathe().await,
                    Err(error) => {
                        log::warn!("the shared memory is damaged: {error}");
                        return End::Nonsense;
                    }
                }
            }
            if incoming.missing() == 0 {
                return End::Said;
            }
            match in_time(stream.write_all(&[0]), patience.as_mut()).await {
                Some(Ok(())) => {}
                Some(Err(Broken)) => return End::Said,
                None => return End::Silence,
            }
        }
    }
    End::Said
}

/// What `work` gives, unless `patience` is at its end before.
pub(crate) async fn in_time<T>(
    work: impl Future<Output = T>,
    mut patience: Pin<&mut impl Future<Output = ()>>,
) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => patience.as_mut().poll(context).map(|()| None),
    })
    .await
}
