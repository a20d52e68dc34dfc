//! What each call does: the bridge from messages to the toolstack.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use console::Start;
use hypercall::{Aperture, Door};
use link::line::Stream;
use link::{Channel, StreamError};
use proto::console::{ConsoleOpen, ConsoleOpened};
use proto::detail::{DetailError, DetailListing, DetailQuery};
use proto::domain::{CreateRequest, Created, DomainInfo, DomainPage, DomainRef, Ended};
use proto::dump::{CoreId, DumpError, DumpOpen, DumpOpened, DumpWay, WaitingCore};
use proto::endpoints::{self, *};
use proto::error::{CreateError, DomainError, ImageError, XenError};
use proto::host::{ConsolePart, ConsoleRead, Greeting, HostInfo, LogOpen, Usage};
use proto::image::{ImageId, ImageOffer, Upload};
use proto::journal::{Event, JournalPage, Who};
use proto::life::{
    AskedPage, End, EndRequest, FollowRequest, RenameError, RenameRequest, ResetError, Stage, SysrqError,
    SysrqRequest, Trigger, TriggerError, TriggerRequest, Whom,
};
use proto::resize::{DomainMemory, DomainVcpuCount, MemoryWish, ResizeError, VcpuWish};
use proto::sched::{
    Change, Cpus, Pool, PoolChange, PoolConfig, PoolError, PoolTuning, SchedChange, SchedError, SchedPage,
    SchedQuery, Scheduler, Tuning, TuningError,
};
use proto::store::StoreOpen;
use proto::top::{HostTop, TopRequest};
use proto::vcpu::{CpuSet, PinError, PinRequest, VcpuListError, VcpuListing, VcpuQuery};
use proto::wire::{Fault, Key, StreamChannel};
use stream::dump::Packing;
use uploads::{Begun, Outlet, PATIENCE_NS};

use crate::control::Control;
use crate::host::Host;
use crate::streams;

/// Time for the answer to leave, in nanoseconds.
const HALT_DELAY_NS: u64 = 50_000_000;

impl<M: Door + Aperture + 'static, H: Host> Control<M, H> {
    /// Finds the endpoint that `key` names, decodes, carries out, encodes.
    ///
    /// # Errors
    /// [`Fault::UnknownKey`], [`Fault::Malformed`].
    pub(crate) async fn route(&'static self, key: Key, body: Vec<u8>) -> Result<Vec<u8>, Fault> {
        macro_rules! endpoints {
            ($($endpoint:ty => $handler:ident,)+) => {
                $(if key == <$endpoint as Endpoint>::KEY {
                    let request = postcard::from_bytes::<<$endpoint as Endpoint>::Request>(&body)
                        .map_err(|_| Fault::Malformed)?;
                    // Some calls take long, and a body may be longer than what is in it.
                    drop(body);
                    let response: <$endpoint as Endpoint>::Response = self.$handler(request).await;
                    return postcard::to_allocvec(&response).map_err(|_| Fault::Malformed);
                })+
            };
        }
        endpoints! {
            Hello => hello,
            DomainList => list,
            DomainFind => find,
            DomainDetails => details,
            DomainCreate => create,
            DomainPause => pause,
            DomainUnpause => unpause,
            DomainDestroy => destroy,
            DomainWait => wait,
            DomainEnd => ask_to_end,
            DomainFollow => follow,
            DomainSysrq => sysrq,
            DomainRename => rename,
            DomainReset => reset,
            DomainTrigger => trigger,
            DomainSetMemory => set_memory,
            DomainSetMaxMemory => set_max_memory,
            DomainSetVcpus => set_vcpus,
            VcpuList => vcpus,
            VcpuPin => pin,
            DumpOpenStream => open_dump,
            CoreWait => next_core,
            CoreKept => core_kept,
            ConsoleOpenStream => open_console,
            ImagesPresent => images_present,
            ImagesBundled => images_bundled,
            ImageBegin => image_begin,
            ImageFinish => image_finish,
            SchedList => scheduled,
            SchedSet => schedule,
            SchedTune => tune_pool,
            PoolList => pools,
            PoolCreate => create_pool,
            PoolModify => change_pools,
            endpoints::Host => host_info,
            HostDmesg => dmesg,
            endpoints::HostTop => top,
            HostJournal => journal,
            HostJournalWait => journal_wait,
            HostDebugKeys => debug_keys,
            HostUsage => usage,
            HostLog => open_log,
            StoreOpenStream => open_store,
            HostHalt => halt,
        }
        Err(Fault::UnknownKey)
    }

    async fn hello(&'static self, (): ()) -> Greeting {
        let abi = self.xen.abi();
        Greeting {
            version: self.toolstack.about().release.clone(),
            boot_id: self.boot_id.get(),
            // Xen refuses this to nobody; what matters of the version was probed at boot.
            xen: format!("{}.{}{}", abi.major, abi.minor, self.xen.extra_version().unwrap_or_default()),
            uptime_ms: (self.host().now_ns() - self.booted_ns) / 1_000_000,
            paths: ALL.iter().map(|(path, _)| String::from(*path)).collect(),
        }
    }

    async fn list(&'static self, from: u16) -> Result<DomainPage, XenError> {
        self.toolstack.list_from(from)
    }

    async fn details(&'static self, query: DetailQuery) -> Result<DetailListing, DetailError> {
        self.toolstack.details(&query)
    }

    async fn find(&'static self, domain: DomainRef) -> Result<DomainInfo, DomainError> {
        self.toolstack.find(&domain)
    }

    async fn create(&'static self, request: CreateRequest) -> Result<Created, CreateError> {
        self.toolstack.create(request).await
    }

    async fn pause(&'static self, domain: DomainRef) -> Result<(), DomainError> {
        self.toolstack.on_command("pause", &domain, async { self.toolstack.pause(&domain) }).await
    }

    async fn unpause(&'static self, domain: DomainRef) -> Result<(), DomainError> {
        self.toolstack.on_command("unpause", &domain, async { self.toolstack.unpause(&domain) }).await
    }

    async fn destroy(&'static self, domain: DomainRef) -> Result<(), DomainError> {
        self.toolstack.on_command("destroy", &domain, self.toolstack.destroy(&domain)).await
    }

    async fn wait(&'static self, domain: DomainRef) -> Result<Ended, DomainError> {
        self.toolstack.wait(&domain).await
    }

    async fn ask_to_end(&'static self, request: EndRequest) -> Result<AskedPage, DomainError> {
        let word = match request.end {
            End::Poweroff => "shutdown",
            End::Halt => "shutdown -H",
            End::Reboot => "reboot",
        };
        let whom = match &request.whom {
            Whom::From(_) => DomainRef("all domains".into()),
            Whom::One(domain) => domain.clone(),
        };
        self.toolstack.on_command(word, &whom, async { self.toolstack.ask_to_end(&request) }).await
    }

    async fn follow(&'static self, request: FollowRequest) -> Vec<Stage> {
        self.toolstack.follow(&request).await
    }

    async fn sysrq(&'static self, request: SysrqRequest) -> Result<(), SysrqError> {
        let what = format!("sysrq {}", char::from(request.letter).escape_default());
        self.toolstack.on_command(&what, &request.domain, self.toolstack.sysrq(&request)).await
    }

    async fn rename(&'static self, request: RenameRequest) -> Result<(), RenameError> {
        let what = format!("rename {}", request.name.escape_default());
        self.toolstack.on_command(&what, &request.domain, async { self.toolstack.rename(&request) }).await
    }

    async fn reset(&'static self, domain: DomainRef) -> Result<Created, ResetError> {
        self.toolstack.on_command("reset", &domain, self.toolstack.reset(&domain)).await
    }

    async fn trigger(&'static self, request: TriggerRequest) -> Result<(), TriggerError> {
        let trigger = match request.trigger {
            Trigger::Nmi => "nmi",
            Trigger::Reset => "reset",
            Trigger::Init => "init",
            Trigger::Power => "power",
            Trigger::Sleep => "sleep",
            Trigger::S3Resume => "s3resume",
        };
        let what = format!("trigger {trigger} to vcpu {}", request.vcpu);
        self.toolstack.on_command(&what, &request.domain, async { self.toolstack.trigger(&request) }).await
    }

    async fn set_memory(&'static self, wish: MemoryWish) -> Result<DomainMemory, ResizeError> {
        let what = format!("mem-set {} KiB", wish.kib);
        self.toolstack.on_command(&what, &wish.domain, async { self.toolstack.set_memory(&wish) }).await
    }

    async fn set_max_memory(&'static self, wish: MemoryWish) -> Result<DomainMemory, ResizeError> {
        let what = format!("mem-max {} KiB", wish.kib);
        self.toolstack.on_command(&what, &wish.domain, async { self.toolstack.set_max_memory(&wish) }).await
    }

    async fn set_vcpus(&'static self, wish: VcpuWish) -> Result<DomainVcpuCount, ResizeError> {
        let what = format!("vcpu-set {}", wish.count);
        self.toolstack.on_command(&what, &wish.domain, async { self.toolstack.set_vcpus(&wish) }).await
    }

    async fn vcpus(&'static self, query: VcpuQuery) -> Result<VcpuListing, VcpuListError> {
        self.toolstack.vcpus(&query).await
    }

    async fn pin(&'static self, request: PinRequest) -> Result<(), PinError> {
        let what = match request.vcpu {
            Some(vcpu) => format!("vcpu-pin {vcpu}"),
            None => "vcpu-pin all".into(),
        };
        self.toolstack.on_command(&what, &request.domain, async { self.toolstack.pin(&request) }).await
    }

    async fn open_console(&'static self, request: ConsoleOpen) -> Result<ConsoleOpened, DomainError> {
        let consoles = self.consoles;
        let word = &request.domain;
        // A domain that lives is found by the usual rules, one that is gone by what its console remembers.
        let console = match self.toolstack.domid(word) {
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
        let stream = self.open_stream(request.channel)?;
        self.run(streams::console::attach(consoles, reader, stream, request.follow));
        Ok(ConsoleOpened { domid: info.domid.0, lost: if request.replay { info.lost } else { 0 } })
    }

    /// Looks at the turn of the shared memory before the domain: who waits for it asks again and again, and would pause the
    /// domain each time.
    async fn open_dump(&'static self, request: DumpOpen) -> Result<DumpOpened, DumpError> {
        let shared = if request.reads_shared_memory { self.host().shared_memory() } else { None };
        let memory = match shared {
            Some(memory) => Some((self.downloads.turn().map_err(|_| DumpError::Later)?, memory)),
            None => None,
        };
        let packing = if memory.is_some() { Packing::Plain } else { Packing::Lz4 };
        let dump = async { self.toolstack.dump(&request.domain, request.pause, packing) };
        let dump = self.toolstack.on_command("dump-core", &request.domain, dump).await?;
        let stream = self.open_stream(request.channel).map_err(|error| match error {
            DomainError::TooManyStreams { limit } => DumpError::TooManyStreams { limit },
            _ => DumpError::ChannelInUse,
        })?;
        let outlet = Outlet::new(stream, memory);
        let opened = DumpOpened {
            domid: dump.domid(),
            name: dump.name().into(),
            pages: dump.pages(),
            way: if outlet.is_shared() { DumpWay::SharedMemory } else { DumpWay::Line },
            core: dump.core(),
        };
        self.run(streams::dump::send(self, dump, outlet, request.pause));
        Ok(opened)
    }

    async fn next_core(&'static self, but: Vec<CoreId>) -> WaitingCore {
        self.toolstack.next_core(&but).await
    }

    async fn core_kept(&'static self, id: CoreId) -> Result<(), DomainError> {
        self.toolstack.core_kept(id).await
    }

    async fn open_log(&'static self, request: LogOpen) -> Result<(), DomainError> {
        let stream = self.open_stream(request.channel)?;
        self.run(streams::log::send(self.host(), stream, request.follow));
        Ok(())
    }

    async fn open_store(&'static self, request: StoreOpen) -> Result<(), DomainError> {
        let stream = self.open_stream(request.channel)?;
        self.run(streams::store::serve(self.host(), self.store, stream));
        Ok(())
    }

    fn open_stream(&'static self, channel: StreamChannel) -> Result<Stream, DomainError> {
        let channel = Channel::new(channel.0).ok_or(DomainError::ChannelInUse)?;
        self.line.open(channel).map_err(|error| match error {
            StreamError::TooMany => DomainError::TooManyStreams { limit: self.line.most_streams() as u16 },
            StreamError::InUse | StreamError::NotUp | StreamError::NotOpen => DomainError::ChannelInUse,
        })
    }

    async fn images_present(&'static self, ids: Vec<ImageId>) -> Vec<bool> {
        self.toolstack.images_present(&ids)
    }

    async fn images_bundled(&'static self, (): ()) -> Vec<(String, ImageId)> {
        self.toolstack.images_bundled()
    }

    async fn image_begin(&'static self, offer: ImageOffer) -> Result<Upload, ImageError> {
        let shared = || self.host().shared_memory();
        let transfer = match self.uploads.begin(&self.toolstack, &self.line, &offer, shared)? {
            Begun::Present => return Ok(Upload::Present),
            Begun::Later => return Ok(Upload::Later),
            Begun::Transfer(transfer) => transfer,
        };
        let way = transfer.way();
        let breathe = async || self.host().yield_now().await;
        let patience = async || self.sleep_ns(PATIENCE_NS).await;
        self.run(transfer.run(breathe, patience));
        Ok(way)
    }

    async fn image_finish(&'static self, id: ImageId) -> Result<(), ImageError> {
        self.uploads.finish(&self.toolstack, id).await
    }

    async fn host_info(&'static self, (): ()) -> Result<HostInfo, XenError> {
        self.toolstack.host_info()
    }

    async fn dmesg(&'static self, part: ConsoleRead) -> Result<ConsolePart, XenError> {
        self.toolstack.dmesg(part)
    }

    async fn top(&'static self, request: TopRequest) -> Result<HostTop, XenError> {
        self.toolstack.top(request)
    }

    async fn journal(&'static self, from: u64) -> JournalPage {
        self.toolstack.journal(from)
    }

    async fn journal_wait(&'static self, from: u64) {
        self.toolstack.journal_wait(from).await;
    }

    async fn scheduled(&'static self, query: SchedQuery) -> Result<SchedPage, SchedError> {
        match query {
            SchedQuery::From(first) => self.toolstack.scheduled_from(first),
            SchedQuery::One(domain) => {
                self.toolstack.scheduled(&domain).map(|one| SchedPage { domains: vec![one], next: None })
            }
        }
    }

    async fn schedule(&'static self, request: SchedChange) -> Result<Scheduler, SchedError> {
        let what = match &request.change {
            Change::Share { weight, cap, .. } => {
                let part = |name, value: &Option<i64>| {
                    value.map_or(String::new(), |value| format!(" {name} {value}"))
                };
                format!("sched{}{}", part("weight", weight), part("cap", cap))
            }
            Change::Budgets(changes) => format!("sched budgets ({})", changes.len()),
        };
        self.toolstack.on_command(&what, &request.domain, async { self.toolstack.schedule(&request) }).await
    }

    async fn tune_pool(&'static self, wish: PoolTuning) -> Result<Tuning, TuningError> {
        let is_change =
            wish.tslice_ms.is_some() || wish.ratelimit_us.is_some() || wish.migration_delay_us.is_some();
        if !is_change {
            return self.toolstack.tune_pool(&wish);
        }
        let what = format!("sched-{} of the pool", wish.scheduler);
        self.toolstack.on_pool(&what, &wish.pool.0, || self.toolstack.tune_pool(&wish))
    }

    async fn pools(&'static self, (): ()) -> Result<Vec<Pool>, XenError> {
        self.toolstack.pools()
    }

    async fn create_pool(&'static self, config: PoolConfig) -> Result<Pool, PoolError> {
        let what = format!("cpupool-create {}, {}", config.scheduler, cpus(&config.cpus));
        self.toolstack.on_pool(&what, &config.name, || self.toolstack.create_pool(&config))
    }

    async fn change_pools(&'static self, change: PoolChange) -> Result<(), PoolError> {
        let (what, pool) = match &change {
            PoolChange::Migrate(domain, pool) => {
                let what = format!("cpupool-migrate to {}", pool.0.escape_default());
                return self
                    .toolstack
                    .on_command(&what, domain, async { self.toolstack.change_pools(&change) })
                    .await;
            }
            PoolChange::Destroy(pool) => ("cpupool-destroy".into(), pool.0.as_str()),
            PoolChange::Add(pool, added) => (format!("cpupool-cpu-add {}", cpus(added)), pool.0.as_str()),
            PoolChange::Remove(pool, removed) => {
                (format!("cpupool-cpu-remove {}", cpus(removed)), pool.0.as_str())
            }
            PoolChange::Rename(pool, name) => {
                (format!("cpupool-rename to {}", name.escape_default()), pool.0.as_str())
            }
            PoolChange::SplitNuma => ("cpupool-numa-split".into(), "of each node"),
        };
        self.toolstack.on_pool(&what, pool, || self.toolstack.change_pools(&change))
    }

    async fn debug_keys(&'static self, keys: String) -> Result<(), XenError> {
        self.toolstack.debug_keys(&keys)
    }

    async fn usage(&'static self, (): ()) -> Usage {
        self.toolstack.usage(self.host().own_memory())
    }

    /// Answers first, so that whoever asked knows that it was heard.
    async fn halt(&'static self, code: u8) -> Result<(), XenError> {
        log::info!("ends the machine with code {code}, as it was told to");
        self.toolstack.note(Who::Command, Event::Halt { code });
        self.run(async move {
            self.sleep_ns(HALT_DELAY_NS).await;
            self.host().end(code);
        });
        Ok(())
    }
}

/// Which processors, in words.
fn cpus(cpus: &Cpus) -> String {
    match cpus {
        Cpus::Some(count) => format!("{count} processors"),
        Cpus::These(cpus) => format!("CPUs {}", cpus.iter().copied().collect::<CpuSet>()),
        Cpus::Node(node) => format!("CPUs of node {node}"),
    }
}
