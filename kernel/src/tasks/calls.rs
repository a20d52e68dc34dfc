//! What each call does: the bridge from messages to the toolstack.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use console::Start;
use embassy_sync::semaphore::Semaphore;
use link::line::Stream;
use link::{Channel, StreamError};
use proto::console::{ConsoleOpen, ConsoleOpened};
use proto::domain::{CreateRequest, Created, DomainInfo, DomainRef, Ended};
use proto::endpoints::*;
use proto::error::{CreateError, DomainError, ImageError, XenError};
use proto::host::{Greeting, HostInfo, LogOpen, Usage};
use proto::image::{ImageId, ImageOffer, Upload};
use proto::store::StoreOpen;
use proto::wire::{Fault, Key, StreamChannel};
use toolstack::OwnMemory;
use xen_abi::sched::SHUTDOWN_POWEROFF;

use crate::system::System;
use crate::tasks::{console as console_task, log_stream, store, upload};
use crate::{executor, heap, layout, panic};

/// Finds the endpoint that `key` names, decodes, carries out, encodes.
///
/// # Errors
/// [`Fault::UnknownKey`], [`Fault::Malformed`].
pub async fn route(system: &'static System, key: Key, body: Vec<u8>) -> Result<Vec<u8>, Fault> {
    macro_rules! endpoints {
        ($($endpoint:ty => $handler:path,)+) => {
            $(if key == <$endpoint as Endpoint>::KEY {
                let request = postcard::from_bytes::<<$endpoint as Endpoint>::Request>(&body)
                    .map_err(|_| Fault::Malformed)?;
                // Some calls take long, and a body may be longer than what is in it.
                drop(body);
                let response: <$endpoint as Endpoint>::Response = $handler(system, request).await;
                return postcard::to_allocvec(&response).map_err(|_| Fault::Malformed);
            })+
        };
    }
    endpoints! {
        Hello => hello,
        DomainList => list,
        DomainFind => find,
        DomainCreate => create,
        DomainPause => pause,
        DomainUnpause => unpause,
        DomainDestroy => destroy,
        DomainWait => wait,
        ConsoleOpenStream => open_console,
        ImagesPresent => images_present,
        ImagesBundled => images_bundled,
        ImageBegin => image_begin,
        ImageFinish => image_finish,
        Host => host_info,
        HostDmesg => dmesg,
        HostUsage => usage,
        HostLog => open_log,
        StoreOpenStream => open_store,
        HostHalt => halt,
    }
    Err(Fault::UnknownKey)
}

async fn hello(system: &'static System, (): ()) -> Greeting {
    let abi = system.xen.abi();
    Greeting {
        version: env!("CARGO_PKG_VERSION").into(),
        boot_id: system.boot_id.get(),
        // Xen refuses this to nobody; what matters of the version was probed at boot.
        xen: format!("{}.{}{}", abi.major, abi.minor, system.xen.extra_version().unwrap_or_default()),
        uptime_ms: (system.clock.now_ns() - system.booted_ns) / 1_000_000,
        paths: ALL.iter().map(|(path, _)| String::from(*path)).collect(),
    }
}

async fn list(system: &'static System, (): ()) -> Result<Vec<DomainInfo>, XenError> {
    system.toolstack.list()
}

async fn find(system: &'static System, domain: DomainRef) -> Result<DomainInfo, DomainError> {
    system.toolstack.find(&domain)
}

/// Builds a few domains at a time, in the order of asking: each build takes room on the heap to unpack in, and one
/// vCPU builds no faster by doing more at once.
async fn create(system: &'static System, request: CreateRequest) -> Result<Created, CreateError> {
    // `Err` is for a queue that is full; as many calls as run side by side fit into it.
    let _turn = system.builds.acquire(1).await.map_err(|_| CreateError::OutOfHeap)?;
    system.toolstack.create(request).await
}

async fn pause(system: &'static System, domain: DomainRef) -> Result<(), DomainError> {
    system.toolstack.pause(&domain)
}

async fn unpause(system: &'static System, domain: DomainRef) -> Result<(), DomainError> {
    system.toolstack.unpause(&domain)
}

async fn destroy(system: &'static System, domain: DomainRef) -> Result<(), DomainError> {
    system.toolstack.destroy(&domain).await
}

async fn wait(system: &'static System, domain: DomainRef) -> Result<Ended, DomainError> {
    system.toolstack.wait(&domain).await
}

async fn open_console(system: &'static System, request: ConsoleOpen) -> Result<ConsoleOpened, DomainError> {
    let consoles = system.consoles;
    let word = &request.domain;
    // A domain that lives is found by the usual rules, one that is gone by what its console remembers.
    let console = match system.toolstack.domid(word) {
        Ok(domid) => consoles.borrow().find(|info| info.is_live && info.domid == domid),
        Err(error) if request.follow => return Err(error),
        Err(_) => {
            let consoles = consoles.borrow();
            let by_name = consoles.find(|info| info.name == word.0);
            by_name.or_else(|| consoles.find(|info| word.0.parse() == Ok(info.domid.0)))
        }
    }
    .ok_or(DomainError::NotFound)?;
    let start = if request.replay { Start::Oldest } else { Start::Now };
    let (reader, info) = {
        let consoles = consoles.borrow();
        let reader = consoles.reader(console, start).map_err(|_| DomainError::NotFound)?;
        (reader, consoles.info(console).ok_or(DomainError::NotFound)?)
    };
    let stream = open_stream(system, request.channel)?;
    executor::spawn(console_task::attach(consoles, reader, stream, request.follow)).detach();
    Ok(ConsoleOpened { domid: info.domid.0, lost: if request.replay { info.lost } else { 0 } })
}

async fn open_log(system: &'static System, request: LogOpen) -> Result<(), DomainError> {
    let stream = open_stream(system, request.channel)?;
    executor::spawn(log_stream::send(stream, request.follow)).detach();
    Ok(())
}

async fn open_store(system: &'static System, request: StoreOpen) -> Result<(), DomainError> {
    let stream = open_stream(system, request.channel)?;
    executor::spawn(store::serve(system.store, stream)).detach();
    Ok(())
}

fn open_stream(system: &'static System, channel: StreamChannel) -> Result<Stream, DomainError> {
    let channel = Channel::new(channel.0).ok_or(DomainError::ChannelInUse)?;
    system.line.open(channel).map_err(|error| match error {
        StreamError::TooMany => DomainError::TooManyStreams { limit: system.line.most_streams() as u16 },
        StreamError::InUse | StreamError::NotUp | StreamError::NotOpen => DomainError::ChannelInUse,
    })
}

async fn images_present(system: &'static System, ids: Vec<ImageId>) -> Vec<bool> {
    system.toolstack.images_present(&ids)
}

async fn images_bundled(system: &'static System, (): ()) -> Vec<(String, ImageId)> {
    system.toolstack.images_bundled()
}

async fn image_begin(system: &'static System, offer: ImageOffer) -> Result<Upload, ImageError> {
    upload::begin(system, &offer)
}

async fn image_finish(system: &'static System, id: ImageId) -> Result<(), ImageError> {
    system.uploads.finish(&system.toolstack, id).await
}

async fn host_info(system: &'static System, (): ()) -> Result<HostInfo, XenError> {
    system.toolstack.host_info()
}

async fn dmesg(system: &'static System, clear: bool) -> Result<Vec<u8>, XenError> {
    system.toolstack.dmesg(clear)
}

async fn usage(system: &'static System, (): ()) -> Usage {
    let heap = heap::usage();
    let image = layout::image();
    let kernel_image = image.end - image.start;
    system.toolstack.usage(OwnMemory {
        heap_used: heap.used as u64,
        heap_size: heap.size as u64,
        kernel_image,
    })
}

/// Answers first, so that whoever asked knows that it was heard.
async fn halt(system: &'static System, code: u8) -> Result<(), XenError> {
    log::info!("ends the machine with code {code}, as it was told to");
    executor::spawn(async move {
        system.clock.sleep_until(system.clock.now_ns() + HALT_DELAY_NS).await;
        panic::end(code, SHUTDOWN_POWEROFF)
    })
    .detach();
    Ok(())
}

/// Time for the answer to leave, in nanoseconds.
const HALT_DELAY_NS: u64 = 50_000_000;
