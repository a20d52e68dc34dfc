//! Bringing an image to the control domain, once: it is known there by its contents.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use proto::endpoints::{ImageBegin, ImageFinish, ImagesPresent};
use proto::error::ImageError;
use proto::image::{ImageId, ImageOffer, Upload};
use proto::wire::StreamChannel;
use ring::Producer;

use crate::client::{Client, Event};
use crate::containers;
use crate::shm::{RING, SharedMemory};
use crate::xm::failure::{Failure, xen_text};

/// What an image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A kernel: what a bzImage holds is unpacked here.
    Kernel,
    /// A ramdisk: taken as it is.
    Ramdisk,
}

impl Kind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Kernel => "kernel",
            Kind::Ramdisk => "ramdisk",
        }
    }
}

/// Sees to it that the control domain has the image of this file; returns what it is known by.
///
/// # Errors
/// The file is no such image, or the control domain does not take it.
pub fn ensure(client: &mut Client, path: &Path, kind: Kind) -> Result<ImageId, Failure> {
    let container = containers::load(path, kind).map_err(Failure::Plain)?;
    let id = container.id;
    let present = client.call::<ImagesPresent>(&vec![id])?;
    if present.first() != Some(&true) {
        send(client, &container, path, kind)?;
    }
    Ok(id)
}

fn send(
    client: &mut Client,
    container: &containers::Container,
    path: &Path,
    kind: Kind,
) -> Result<(), Failure> {
    let refused = |error: &ImageError| Failure::Plain(refusal(path, kind, error));
    let memory = shared_memory(client)?;
    let channel = client.reserve()?;
    let offer = ImageOffer {
        id: container.id,
        stored_len: container.bytes.len() as u64,
        channel: StreamChannel(channel),
        shared_memory: memory.is_some(),
    };
    let mut progress = Progress::new(kind, container.bytes.len());
    let way = client.call::<ImageBegin>(&offer)?;
    let sent = match (way, memory) {
        (Err(error), _) => Err(refused(&error)),
        (Ok(Upload::Present), _) => {
            client.reset(channel);
            return Ok(());
        }
        (Ok(Upload::SharedMemory), Some(memory)) => {
            through_memory(client, channel, &memory, &container.bytes, &mut progress)
        }
        (Ok(Upload::Line | Upload::SharedMemory), _) => {
            over_line(client, channel, &container.bytes, &mut progress)
        }
    };
    drop(progress);
    if let Err(failure) = sent {
        client.reset(channel);
        return Err(failure);
    }
    client.finish(channel);
    let result = client.call::<ImageFinish>(&container.id)?;
    client.reset(channel);
    result.map_err(|error| refused(&error))
}

/// The machine's shared memory, if it has one that we can reach.
fn shared_memory(client: &mut Client) -> Result<Option<SharedMemory>, Failure> {
    let path = client.welcome()?.shared_memory.clone();
    // A file that cannot be mapped is no reason to fail: the line remains.
    Ok(path.and_then(|path| SharedMemory::open(Path::new(&path)).ok()))
}

/// Writes the image to the ring; one byte on the stream tells of each write, and one comes back for each read.
fn through_memory(
    client: &mut Client,
    channel: u16,
    memory: &SharedMemory,
    bytes: &[u8],
    progress: &mut Progress,
) -> Result<(), Failure> {
    let mut ring = Producer::new(RING);
    let mut sent = 0;
    while sent < bytes.len() {
        // Half a ring at once: the machine reads one half while we write the other.
        let end = bytes.len().min(sent + RING.size() / 2);
        let count = ring
            .write(memory, &bytes[sent..end])
            .map_err(|error| Failure::Plain(format!("the shared memory is damaged: {error}")))?;
        if count > 0 {
            sent += count;
            client.write(channel, &[1])?;
            progress.at(sent);
        } else {
            wait_for_room(client, channel)?;
        }
    }
    Ok(())
}

/// Waits for a byte of the control domain's. What it said earlier may be among it: the ring is looked at again anyway.
fn wait_for_room(client: &mut Client, channel: u16) -> Result<(), Failure> {
    loop {
        match client.event(None, None)? {
            Event::Data(number, _) if number == channel => return Ok(()),
            Event::End(number) | Event::Reset(number) if number == channel => {
                return Err(Failure::Plain("the control domain broke the upload off; try again".into()));
            }
            _ => {}
        }
    }
}

fn over_line(
    client: &mut Client,
    channel: u16,
    bytes: &[u8],
    progress: &mut Progress,
) -> Result<(), Failure> {
    let mut sent = 0;
    for part in bytes.chunks(16 << 10) {
        client.write(channel, part)?;
        sent += part.len();
        progress.at(sent);
    }
    Ok(())
}

fn refusal(path: &Path, kind: Kind, error: &ImageError) -> String {
    let what = format!("{} {}", kind.name(), path.display());
    match error {
        ImageError::BadLength { most: 0 } => format!("the {what} is empty"),
        ImageError::BadLength { most } => {
            format!("the {what} is too large: the control domain takes {} MiB at most", most >> 20)
        }
        ImageError::NotEnoughMemory { needed_kib, free_kib } => format!(
            "not enough free memory for the {what}: {} MiB are needed and {} MiB are free; destroy a domain",
            needed_kib.div_ceil(1024),
            free_kib / 1024
        ),
        ImageError::HashMismatch => format!("the {what} arrived damaged; try again"),
        ImageError::Incomplete { received, expected } => {
            format!("of the {what} only {received} of {expected} bytes arrived; try again")
        }
        ImageError::NotBegun => format!("the control domain forgot the upload of the {what}; try again"),
        ImageError::ChannelInUse => "the stream's channel is in use at the control domain; try again".into(),
        ImageError::Xen(error) => format!("the {what} could not be stored: {}", xen_text(error)),
    }
}

/// A bar on a terminal's stderr, for what takes longer than a second.
struct Progress {
    bar: ProgressBar,
    started: Instant,
    is_shown: bool,
}

impl Progress {
    fn new(kind: Kind, len: usize) -> Progress {
        let bar = ProgressBar::with_draw_target(Some(len as u64), ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{msg} [{bar:40}] {bytes}/{total_bytes} {eta}");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(format!("sending {}", kind.name()));
        Progress { bar, started: Instant::now(), is_shown: false }
    }

    fn at(&mut self, sent: usize) {
        if !self.is_shown && self.started.elapsed() > Duration::from_secs(1) && io::stderr().is_terminal() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.is_shown = true;
        }
        self.bar.set_position(sent as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
