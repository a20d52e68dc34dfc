//! What travels between host and control domain beside calls: over the line, or through a lab's shared memory.
//!
//! Images on their way in are [`Uploads`]; bytes on their way out, of whatever kind, go through an [`Outlet`].
//!
//! An upload is announced, then its bytes come, then somebody asks what became of it: three calls, and a task
//! between the first and the last. [`Uploads::begin`] claims the memory and gives the task's work, a [`Transfer`];
//! [`Uploads::finish`] waits for its end.
//!
//! A transfer holds memory of the machine, so it must end: with its last byte, with its stream, or when no byte of the
//! image came for [`PATIENCE_NS`], whether the line is cut, the host stopped, or its indices make no sense.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod download;
mod outcome;
mod transfer;

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use hypercall::{Aperture, Door};
use link::line::Line;
use link::{Channel, StreamError};
use proto::error::ImageError;
use proto::image::{ImageId, ImageOffer, SharedMemoryUse};
use ring::Shared;
use toolstack::{Mapping, Platform, Toolstack};

pub use download::{DOWNLOAD_LEN, Downloads, Gone, Outlet, RingTurn, Taken};
use outcome::Outcome;
pub use transfer::{SHARED_LEN, Transfer};
use transfer::{SharedTurn, empty_ring};

/// How long a transfer waits for the next byte of its image, in nanoseconds. Far longer than a line is called lost, and
/// short enough that a forgotten upload does not keep a domain from being created the same day.
pub const PATIENCE_NS: u64 = 60_000_000_000;

/// Uploads whose end can be asked after; the oldest are forgotten.
const REMEMBERED: usize = 16;

/// What came of an offer.
#[expect(clippy::large_enum_variant, reason = "one for each upload, taken apart at once")]
pub enum Begun<'t, 'x, M: Door + Aperture, S> {
    /// The image is here already.
    Present,
    /// The shared memory is another's, and the offer was to wait for it: nothing is kept.
    Later,
    /// The image is to come, and this is the work of taking it in.
    Transfer(Transfer<'t, 'x, M, S>),
}

/// All uploads.
#[derive(Debug, Default)]
pub struct Uploads {
    /// The latest upload of each image, oldest first.
    outcomes: RefCell<VecDeque<(ImageId, Rc<Outcome>)>>,
    /// A transfer has the shared memory.
    shared_busy: Rc<Cell<bool>>,
}

impl Uploads {
    /// Announces an image: claims memory for it, and opens the stream that was offered.
    ///
    /// The turn at the shared memory is looked at before memory is claimed: who waits for it asks again and again, and its claims
    /// would take the memory that another's image needs.
    ///
    /// `shared` finds the memory that is shared with the host, [`SHARED_LEN`] bytes at least. It is asked only where the
    /// host can use it.
    ///
    /// # Errors
    /// See [`ImageError`]. Then nothing is kept.
    pub fn begin<'t, 'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>, S: Shared>(
        &self,
        toolstack: &'t Toolstack<'x, M, P>,
        line: &Rc<Line>,
        offer: &ImageOffer,
        shared: impl FnOnce() -> Option<Rc<S>>,
    ) -> Result<Begun<'t, 'x, M, S>, ImageError> {
        let channel = Channel::new(offer.channel.0).ok_or(ImageError::ChannelInUse)?;
        // One upload at a time; later ones take the line, or come again.
        let turn = match offer.shared_memory {
            SharedMemoryUse::Unreachable => None,
            SharedMemoryUse::IfFree | SharedMemoryUse::Awaited => SharedTurn::take(&self.shared_busy),
        };
        let is_present = || toolstack.images_present(&[offer.id])[..] == [true];
        if offer.shared_memory == SharedMemoryUse::Awaited && turn.is_none() && !is_present() {
            return Ok(Begun::Later);
        }
        let Some(incoming) = toolstack.begin_image(offer)? else { return Ok(Begun::Present) };
        let stream = line.open(channel).map_err(|error| match error {
            StreamError::TooMany => ImageError::TooManyStreams { limit: line.most_streams() as u16 },
            StreamError::InUse | StreamError::NotUp | StreamError::NotOpen => ImageError::ChannelInUse,
        })?;
        let memory = turn.and_then(|turn| Some((turn, shared()?)));
        if let Some((_, memory)) = &memory {
            empty_ring(&**memory);
        }
        Ok(Begun::Transfer(Transfer::new(incoming, stream, memory, self.remember(offer.id))))
    }

    /// Waits until an announced image is complete; says what became of it.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub async fn finish<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>>(
        &self,
        toolstack: &Toolstack<'x, M, P>,
        id: ImageId,
    ) -> Result<(), ImageError> {
        let is_present = || toolstack.images_present(&[id])[..] == [true];
        if is_present() {
            return Ok(());
        }
        let outcome = self.latest(id).ok_or(ImageError::NotBegun)?;
        // Where another program sends the same image, its upload may fail, and the asker's may have been right.
        outcome.get().await.or_else(|why| if is_present() { Ok(()) } else { Err(why) })
    }

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
}
