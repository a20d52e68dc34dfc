//! Every call that there is: its path, its request and its response.

use alloc::string::String;
use alloc::vec::Vec;

use postcard_schema::Schema;
use postcard_schema::key;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::console::{ConsoleOpen, ConsoleOpened};
use crate::detail::{DetailError, DetailListing, DetailQuery};
use crate::domain::{CreateRequest, Created, DomainInfo, DomainPage, DomainRef, Ended};
use crate::dump::{CoreId, DumpError, DumpOpen, DumpOpened, WaitingCore};
use crate::error::{CreateError, DomainError, ImageError, XenError};
use crate::host::{ConsolePart, ConsoleRead, Greeting, HostInfo, LogOpen, Usage};
use crate::image::{ImageId, ImageOffer, Upload};
use crate::journal::JournalPage;
use crate::life::{
    AskedPage, EndRequest, FollowRequest, RenameError, RenameRequest, ResetError, Stage, SysrqError,
    SysrqRequest, TriggerError, TriggerRequest,
};
use crate::resize::{DomainMemory, DomainVcpuCount, MemoryWish, ResizeError, VcpuWish};
use crate::sched::{
    Pool, PoolChange, PoolConfig, PoolError, PoolTuning, SchedChange, SchedError, SchedPage, SchedQuery,
    Scheduler, Tuning, TuningError,
};
use crate::store::StoreOpen;
use crate::top::{self, TopRequest};
use crate::vcpu::{PinError, PinRequest, VcpuListError, VcpuListing, VcpuQuery};
use crate::wire::Key;

/// One call: a path, what is asked, what is answered.
pub trait Endpoint {
    /// What is asked.
    type Request: Serialize + DeserializeOwned + Schema;
    /// What is answered.
    type Response: Serialize + DeserializeOwned + Schema;
    /// The call's name, for people and logs.
    const PATH: &'static str;
    /// The call's name on the wire: a hash of the path and of both types' shapes.
    const KEY: Key;
}

macro_rules! endpoints {
    ($($(#[$doc:meta])* $name:ident($request:ty) -> $response:ty, $path:literal;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $name;

            impl Endpoint for $name {
                type Request = $request;
                type Response = $response;
                const PATH: &'static str = $path;
                const KEY: Key = both(
                    key::Key::for_path::<$request>($path).to_bytes(),
                    key::Key::for_path::<$response>($path).to_bytes(),
                );
            }
        )+

        /// Every endpoint's path and key, in the order of declaration.
        pub const ALL: &[(&str, Key)] = &[$(($path, <$name as Endpoint>::KEY)),+];
    };
}

/// Folds the keys of a request and of a response into the endpoint's.
const fn both(request: Key, response: Key) -> Key {
    let mut key = [0; 8];
    let mut i = 0;
    while i < key.len() {
        // The rotation keeps two equal types from cancelling out.
        key[i] = request[i] ^ response[i].rotate_left(3);
        i += 1;
    }
    key
}

endpoints! {
    /// Who are you? Its types never change.
    Hello(()) -> Greeting, "hello";
    /// Domains from this id on, by id: a page.
    DomainList(u16) -> Result<DomainPage, XenError>, "domain/list";
    /// The one domain that a word names: by name, else by id, else by uuid.
    DomainFind(DomainRef) -> Result<DomainInfo, DomainError>, "domain/find";
    /// All that is known of domains.
    DomainDetails(DetailQuery) -> Result<DetailListing, DetailError>, "domain/details";
    /// Builds a domain from images in the cache.
    DomainCreate(CreateRequest) -> Result<Created, CreateError>, "domain/create";
    /// Stops a domain's vCPUs.
    DomainPause(DomainRef) -> Result<(), DomainError>, "domain/pause";
    /// Lets a domain's vCPUs run.
    DomainUnpause(DomainRef) -> Result<(), DomainError>, "domain/unpause";
    /// Ends a domain at once, without asking it.
    DomainDestroy(DomainRef) -> Result<(), DomainError>, "domain/destroy";
    /// Answers when a domain has ended (shut down, crashed or was destroyed), with how. A domain that ended
    /// lately answers at once.
    DomainWait(DomainRef) -> Result<Ended, DomainError>, "domain/wait";
    /// Asks guests to end, and answers at once.
    DomainEnd(EndRequest) -> Result<AskedPage, DomainError>, "domain/end";
    /// Answers when one of some lives has come further, or patience is over.
    DomainFollow(FollowRequest) -> Vec<Stage>, "domain/follow";
    /// Sends a guest a system request, and answers when it has taken it.
    DomainSysrq(SysrqRequest) -> Result<(), SysrqError>, "domain/sysrq";
    /// Gives a domain another name.
    DomainRename(RenameRequest) -> Result<(), RenameError>, "domain/rename";
    /// Destroys a domain and builds it anew from the same configuration.
    DomainReset(DomainRef) -> Result<Created, ResetError>, "domain/reset";
    /// Presses a button of a domain, or sends it an interrupt.
    DomainTrigger(TriggerRequest) -> Result<(), TriggerError>, "domain/trigger";
    /// Tells a domain how much memory to have.
    DomainSetMemory(MemoryWish) -> Result<DomainMemory, ResizeError>, "domain/set-memory";
    /// Sets the most memory that a domain may have.
    DomainSetMaxMemory(MemoryWish) -> Result<DomainMemory, ResizeError>, "domain/set-max-memory";
    /// Tells a domain how many of its vCPUs to have online.
    DomainSetVcpus(VcpuWish) -> Result<DomainVcpuCount, ResizeError>, "domain/set-vcpus";
    /// What vCPUs do.
    VcpuList(VcpuQuery) -> Result<VcpuListing, VcpuListError>, "vcpu/list";
    /// Sets on which CPUs vCPUs may run.
    VcpuPin(PinRequest) -> Result<(), PinError>, "vcpu/pin";
    /// Opens a stream on which a dump of a domain's memory comes.
    DumpOpenStream(DumpOpen) -> Result<DumpOpened, DumpError>, "dump/open";
    /// Answers when a domain has crashed whose rule is to keep a dump, and that is none of these; which waits for it.
    CoreWait(Vec<CoreId>) -> WaitingCore, "core/wait";
    /// A host has the dump of this domain: its rule goes on, and it is destroyed.
    CoreKept(CoreId) -> Result<(), DomainError>, "core/kept";
    /// Opens a stream to a domain's console.
    ConsoleOpenStream(ConsoleOpen) -> Result<ConsoleOpened, DomainError>, "console/open";
    /// Which of these images are in the cache?
    ImagesPresent(Vec<ImageId>) -> Vec<bool>, "image/present";
    /// The names and ids of the bundle's images.
    ImagesBundled(()) -> Vec<(String, ImageId)>, "image/bundled";
    /// Announces an image and asks how to send it.
    ImageBegin(ImageOffer) -> Result<Upload, ImageError>, "image/begin";
    /// Answers when the announced image is complete and its hash checked.
    ImageFinish(ImageId) -> Result<(), ImageError>, "image/finish";
    /// How domains are scheduled: a page of them, or the one that is named.
    SchedList(SchedQuery) -> Result<SchedPage, SchedError>, "sched/list";
    /// Changes how a domain is scheduled; answers under which scheduler.
    SchedSet(SchedChange) -> Result<Scheduler, SchedError>, "sched/set";
    /// Tells what a pool's scheduler is set to, after setting it where that is wanted.
    SchedTune(PoolTuning) -> Result<Tuning, TuningError>, "sched/tune";
    /// All pools of processors, in the order of their ids.
    PoolList(()) -> Result<Vec<Pool>, XenError>, "pool/list";
    /// Makes a pool of free processors.
    PoolCreate(PoolConfig) -> Result<Pool, PoolError>, "pool/create";
    /// Changes pools.
    PoolModify(PoolChange) -> Result<(), PoolError>, "pool/modify";
    /// What the hypervisor and the machine are.
    Host(()) -> Result<HostInfo, XenError>, "host/info";
    /// A part of Xen's console ring.
    HostDmesg(ConsoleRead) -> Result<ConsolePart, XenError>, "host/dmesg";
    /// What the toolstack did, from this entry on: a page.
    HostJournal(u64) -> JournalPage, "host/journal";
    /// Answers when the journal has an entry of this number or a later one.
    HostJournalWait(u64) -> (), "host/journal/wait";
    /// What the host has and its domains use, at this moment.
    HostTop(TopRequest) -> Result<top::HostTop, XenError>, "host/top";
    /// Presses Xen's debug keys; what they print comes on its console.
    HostDebugKeys(String) -> Result<(), XenError>, "host/debug-keys";
    /// What the control domain itself uses: memory, hypercalls.
    HostUsage(()) -> Usage, "host/usage";
    /// Opens a stream of the control domain's own log, oldest line first.
    HostLog(LogOpen) -> Result<(), DomainError>, "host/log";
    /// Opens a stream that speaks xenstore's wire protocol.
    StoreOpenStream(StoreOpen) -> Result<(), DomainError>, "store/open";
    /// Ends the machine: a lab's QEMU exits with this code, hardware powers off.
    HostHalt(u8) -> Result<(), XenError>, "host/halt";
}
