//! Bringing an image to the control domain, once: it is known there by its contents.

use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use image::host::{ImageCache, Kind, PreparedImage};
use proto::endpoints::{ImageBegin, ImageFinish, ImagesPresent};
use proto::error::ImageError;
use proto::image::{ImageId, ImageOffer, SharedMemoryUse, Upload};
use proto::wire::StreamChannel;
use ring::Producer;

use crate::client::{CallError, Client, Event, Signals};
use crate::dirs;
use crate::shm::{RING, SharedMemory};
use crate::xm::failure::{Failure, xen_text};

/// How often a wait looks round.
const LOOK: Duration = Duration::from_millis(50);
/// An image of at most so many bytes takes the line rather than wait for the shared memory.
const SMALL: usize = 128 << 10;
/// How long the control domain may take to notice that a sender was killed.
const PASSES: Duration = Duration::from_secs(5);

/// Sees to it that the control domain has the image of this file; returns what it is known by.
///
/// # Errors
/// The file is no such image, or the control domain does not take it.
pub fn ensure(client: &mut Client, path: &Path, kind: Kind) -> Result<ImageId, Failure> {
    let image = prepare(client, path, kind)?;
    let id = ImageId(image.id);
    let present = client.call::<ImagesPresent>(&vec![id])?;
    if present.first() != Some(&true) {
        let container = image.container().map_err(|error| Failure::Plain(error.to_string()))?;
        send(client, id, &container, path, kind)?;
    }
    Ok(id)
}

/// Unpacks, checks and packs the file, or finds it packed in the cache. That may take seconds: a terminal is told, and
/// Ctrl-C is heard.
fn prepare(client: &mut Client, path: &Path, kind: Kind) -> Result<PreparedImage, Failure> {
    client.progress.begin(&format!("unpacking and packing the {kind}"));
    let prepared = prepare_in_background(client, path, kind);
    client.progress.end();
    prepared
}

fn prepare_in_background(client: &mut Client, path: &Path, kind: Kind) -> Result<PreparedImage, Failure> {
    let (sender, receiver) = mpsc::channel();
    let file = path.to_owned();
    std::thread::spawn(move || {
        let cache = ImageCache::at(dirs::cache().join("images"));
        // Whoever waited may have been interrupted.
        let _ = sender.send(cache.prepare(&file, kind));
    });
    let signals = Signals::get()?;
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(prepared) => return prepared.map_err(|error| Failure::Plain(error.to_string())),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(Failure::Plain(format!("the {kind} {} could not be prepared", path.display())));
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        if let Some(signal) = signals.take() {
            return Err(CallError::Interrupted(signal).into());
        }
        client.progress.tick();
    }
}

fn send(client: &mut Client, id: ImageId, container: &[u8], path: &Path, kind: Kind) -> Result<(), Failure> {
    let memory = shared_memory(client, container.len())?;
    client.progress.begin_bytes(&format!("sending the {kind}"), container.len());
    let sent = send_in_turn(client, id, container, memory.as_ref());
    client.progress.end();
    sent?.map_err(|error| Failure::Plain(refusal(path, kind, &error)))
}

/// Sends the image, through the shared memory if there is any. The control domain may still have it taken by an upload whose sender
/// was just killed: that passes soon, and the line would take longer.
fn send_in_turn(
    client: &mut Client,
    id: ImageId,
    container: &[u8],
    memory: Option<&SharedMemory>,
) -> Result<Result<(), ImageError>, Failure> {
    let give_up = Instant::now() + PASSES;
    loop {
        let is_patient = container.len() > SMALL && Instant::now() < give_up;
        let channel = client.reserve()?;
        let sent = send_on(client, channel, id, container, memory, is_patient);
        client.reset(channel);
        match sent? {
            Some(result) => return Ok(result),
            None => pause(client)?,
        }
    }
}

/// Outer: it could not be sent. Then `None`: the memory is another's, and `is_patient`. Inner: the control domain does not take
/// it.
fn send_on(
    client: &mut Client,
    channel: u16,
    id: ImageId,
    container: &[u8],
    memory: Option<&SharedMemory>,
    is_patient: bool,
) -> Result<Option<Result<(), ImageError>>, Failure> {
    let shared_memory = match memory {
        None => SharedMemoryUse::Unreachable,
        Some(_) if is_patient => SharedMemoryUse::Awaited,
        Some(_) => SharedMemoryUse::IfFree,
    };
    let offer =
        ImageOffer { id, stored_len: container.len() as u64, channel: StreamChannel(channel), shared_memory };
    match (client.call::<ImageBegin>(&offer)?, memory) {
        (Err(error), _) => return Ok(Some(Err(error))),
        (Ok(Upload::Present), _) => return Ok(Some(Ok(()))),
        (Ok(Upload::Later), _) => return Ok(None),
        (Ok(Upload::SharedMemory), Some(memory)) => through_memory(client, channel, memory, container)?,
        (Ok(Upload::Line | Upload::SharedMemory), _) => over_line(client, channel, container)?,
    }
    client.finish(channel);
    Ok(Some(client.call::<ImageFinish>(&id)?))
}

/// The machine's shared memory, if it has one that we can reach. It is one upload's at a time: a large image waits for its
/// turn, which is still faster than the line.
fn shared_memory(client: &mut Client, len: usize) -> Result<Option<SharedMemory>, Failure> {
    let path = client.welcome()?.shared_memory.clone();
    // A file that cannot be mapped is no reason to fail: the line remains.
    let Some(memory) = path.and_then(|path| SharedMemory::open(Path::new(&path)).ok()) else {
        return Ok(None);
    };
    client.progress.begin("waiting for another upload");
    let has_turn = loop {
        match memory.take_turn() {
            Ok(false) if len > SMALL => pause(client)?,
            Ok(has_turn) => break has_turn,
            Err(_) => break false,
        }
    };
    client.progress.end();
    Ok(has_turn.then_some(memory))
}

/// A moment in which signals and limits are heard.
fn pause(client: &mut Client) -> Result<(), Failure> {
    let end = Instant::now() + LOOK;
    while Instant::now() < end {
        client.event(None, Some(end))?;
    }
    client.progress.tick();
    Ok(())
}

/// Writes the image to the ring; one byte on the stream tells of each write, and one comes back for each read.
fn through_memory(
    client: &mut Client,
    channel: u16,
    memory: &SharedMemory,
    bytes: &[u8],
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
            client.progress.at(sent);
        } else {
            wait_for_room(client, channel)?;
        }
    }
    Ok(())
}

/// Waits for a byte of the control domain's. What it said earlier may be among it: the ring is looked at again anyway.
fn wait_for_room(client: &mut Client, channel: u16) -> Result<(), Failure> {
    loop {
        match client.event(None, client.progress.due())? {
            Event::Deadline => client.progress.tick(),
            Event::Data(number, _) if number == channel => return Ok(()),
            Event::End(number) | Event::Reset(number) if number == channel => {
                return Err(Failure::Plain("the control domain broke the upload off; try again".into()));
            }
            _ => {}
        }
    }
}

fn over_line(client: &mut Client, channel: u16, bytes: &[u8]) -> Result<(), Failure> {
    let mut sent = 0;
    for part in bytes.chunks(16 << 10) {
        client.write(channel, part)?;
        sent += part.len();
        client.progress.at(sent);
    }
    Ok(())
}

fn refusal(path: &Path, kind: Kind, error: &ImageError) -> String {
    let what = format!("{kind} {}", path.display());
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
        ImageError::TooManyStreams { limit } => {
            format!(
                "{limit} consoles and transfers are open, and more are not possible; close one and try again"
            )
        }
        ImageError::ChannelInUse => "the stream's channel is in use at the control domain; try again".into(),
        ImageError::Xen(error) => format!("the {what} could not be stored: {}", xen_text(error)),
    }
}
