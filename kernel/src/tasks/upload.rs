//! Images on their way in: over the line, or through a lab's shared memory.
//!
//! An upload is announced, then its bytes come, then somebody asks what became of it: three calls, and a task
//! between the first and the last.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Poll, Waker};

use hypercall::ClaimedMemory;
use hypercall::calls::physdev::{self, PciAddress};
use link::Channel;
use proto::error::ImageError;
use proto::image::{ImageId, ImageOffer, Upload};
use ring::{Consumer, Shared, layout};
use toolstack::ImageUpload;

use crate::device_memory::DeviceMemory;
use crate::line::{Broken, Stream};
use crate::machine::Machine;
use crate::paging::DIRECT_MAP_END;
use crate::system::System;
use crate::{executor, pci};

/// The shared memory's left ring, as agreed with hostctl: 1 MiB behind libxenvchan's page.
const LEFT_ORDER: u32 = 20;
const LEFT_DATA: usize = 4096;
/// Its indices (public/io/libxenvchan.h, `struct vchan_interface`).
const LEFT_CONS: usize = 0;
const LEFT_PROD: usize = 4;
/// How much is moved before other tasks get their turn, in bytes.
const TURN: usize = 64 << 10;
/// Uploads whose end can be asked after; the oldest are forgotten.
const REMEMBERED: usize = 16;

/// An image in the toolstack's hands.
type Incoming = ImageUpload<'static, 'static, ClaimedMemory<'static, Machine>>;

/// All uploads, and the way through shared memory.
#[derive(Default)]
pub struct Uploads {
    /// The latest upload of each image, oldest first.
    outcomes: RefCell<VecDeque<(ImageId, Rc<Outcome>)>>,
    shared: RefCell<Search>,
    shared_busy: Cell<bool>,
}

/// What became of an upload's bytes.
#[derive(Default)]
struct Outcome {
    result: RefCell<Option<Result<(), ImageError>>>,
    /// Those that want to know: two programs may send the same image at the same time.
    wakers: RefCell<Vec<Waker>>,
}

impl Outcome {
    fn set(&self, result: Result<(), ImageError>) {
        self.result.replace(Some(result));
        self.wakers.take().into_iter().for_each(Waker::wake);
    }

    async fn get(&self) -> Result<(), ImageError> {
        poll_fn(|context| match &*self.result.borrow() {
            Some(result) => Poll::Ready(result.clone()),
            None => {
                self.wakers.borrow_mut().push(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}

/// Whether this machine has shared memory; looked for when first needed, since looking costs exits.
#[derive(Default)]
enum Search {
    #[default]
    NotYet,
    Done(Option<Rc<DeviceMemory>>),
}

/// Announces an image: claims memory for it and begins to take it in.
///
/// # Errors
/// See [`ImageError`].
pub fn begin(system: &'static System, offer: &ImageOffer) -> Result<Upload, ImageError> {
    let channel = Channel::new(offer.channel.0).ok_or(ImageError::ChannelInUse)?;
    let Some(incoming) = system.toolstack.begin_image(offer)? else { return Ok(Upload::Present) };
    let stream = system.line.open(channel).map_err(|_| ImageError::ChannelInUse)?;
    let outcome = system.uploads.remember(offer.id);
    let memory = if offer.shared_memory { SharedTurn::take(system) } else { None };
    if let Some(SharedTurn { memory, .. }) = &memory {
        // What an upload that broke off left behind is nobody's: the ring starts empty, where hostctl finds it.
        memory.store_u32(LEFT_CONS, memory.load_u32(LEFT_PROD));
    }
    let way = if memory.is_some() { Upload::SharedMemory } else { Upload::Line };
    executor::spawn(async move {
        let result = match memory {
            Some(memory) => receive_shared(incoming, &stream, &memory).await,
            None => receive_on_line(incoming, &stream).await,
        };
        stream.close();
        outcome.set(result);
    })
    .detach();
    Ok(way)
}

/// Waits until an announced image is complete; says what became of it.
///
/// # Errors
/// See [`ImageError`].
pub async fn finish(system: &'static System, id: ImageId) -> Result<(), ImageError> {
    let is_present = || system.toolstack.images_present(&[id])[..] == [true];
    if is_present() {
        return Ok(());
    }
    let outcome = system.uploads.latest(id).ok_or(ImageError::NotBegun)?;
    // Where another program sends the same image, its upload may fail, and the asker's may have been right.
    outcome.get().await.or_else(|why| if is_present() { Ok(()) } else { Err(why) })
}

impl Uploads {
    fn remember(&self, id: ImageId) -> Rc<Outcome> {
        let outcome = Rc::new(Outcome::default());
        let mut outcomes = self.outcomes.borrow_mut();
        outcomes.retain(|(other, _)| *other != id);
        if outcomes.len() >= REMEMBERED {
            outcomes.pop_front();
        }
        outcomes.push_back((id, outcome.clone()));
        outcome
    }

    fn latest(&self, id: ImageId) -> Option<Rc<Outcome>> {
        let outcomes = self.outcomes.borrow();
        outcomes.iter().find(|(other, _)| *other == id).map(|(_, outcome)| outcome.clone())
    }

    fn shared_memory(&self, system: &System) -> Option<Rc<DeviceMemory>> {
        let mut search = self.shared.borrow_mut();
        if let Search::NotYet = *search {
            *search = Search::Done(find_shared_memory(system).map(Rc::new));
        }
        match &*search {
            Search::NotYet => None,
            Search::Done(found) => found.clone(),
        }
    }
}

/// The shared memory, for one upload at a time; later ones take the line.
struct SharedTurn {
    busy: &'static Cell<bool>,
    memory: Rc<DeviceMemory>,
}

impl SharedTurn {
    fn take(system: &'static System) -> Option<Self> {
        let memory = system.uploads.shared_memory(system)?;
        let busy = &system.uploads.shared_busy;
        (!busy.replace(true)).then_some(Self { busy, memory })
    }
}

impl Drop for SharedTurn {
    fn drop(&mut self) {
        self.busy.set(false);
    }
}

fn find_shared_memory(system: &System) -> Option<DeviceMemory> {
    let slot = pci::find_shared_memory()?;
    // Without an IOMMU Xen maps a device's memory only when it is told of the device; with one it knows
    // already and refuses. Either way the memory is there afterwards.
    let address = PciAddress { segment: 0, bus: 0, devfn: slot.devfn };
    if let Err(error) = system.xen.run(physdev::pci_device_add(address)) {
        log::debug!("shared memory: {error}");
    }
    let range = slot.memory()?;
    let needed = (LEFT_DATA + (1 << LEFT_ORDER)) as u64;
    if range.end - range.start < needed || range.end > DIRECT_MAP_END {
        log::warn!("shared memory at {range:#x?} cannot be used");
        return None;
    }
    log::info!("shared memory at {range:#x?}");
    // SAFETY: the device's own memory, in the first 4 GiB, which are mapped for good; only this task's code uses it.
    Some(unsafe { DeviceMemory::new(range) })
}

async fn receive_on_line(mut incoming: Incoming, stream: &Stream) -> Result<(), ImageError> {
    let mut bytes = Vec::new();
    while incoming.missing() > 0 {
        bytes.clear();
        match stream.read(&mut bytes).await {
            Ok(0) | Err(Broken) => break,
            Ok(_) => incoming.write(&bytes),
        };
    }
    incoming.finish()
}

/// Empties the ring each time the other end rings the bell, and rings back.
async fn receive_shared(
    mut incoming: Incoming,
    stream: &Stream,
    shared: &SharedTurn,
) -> Result<(), ImageError> {
    let mut ring = Consumer::new(layout::vchan::left(LEFT_ORDER, LEFT_DATA));
    let mut bells = Vec::new();
    let mut bytes = vec![0; TURN];
    while incoming.missing() > 0 {
        bells.clear();
        if !matches!(stream.read(&mut bells).await, Ok(1..)) {
            break;
        }
        // Indices that make no sense end the upload, which then is incomplete.
        while incoming.missing() > 0
            && let Ok(count @ 1..) = ring.read(&*shared.memory, &mut bytes)
        {
            incoming.write(&bytes[..count]);
            executor::yield_now().await;
        }
        if incoming.missing() > 0 && stream.write_all(&[0]).await.is_err() {
            break;
        }
    }
    incoming.finish()
}
