//! Fetching a dump: from the control domain's records to a file.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proto::domain::DomainRef;
use proto::dump::{CoreId, DumpError, DumpFailure, DumpOpen, DumpOpened, DumpPause, DumpWay};
use proto::endpoints::{DumpOpenStream, Host};
use proto::host::HostInfo;
use proto::wire::StreamChannel;
use ring::Consumer;
use stream::core_file::{CoreFile, XenVersion};
use stream::dump::{Reader, Record};
use stream::{PAGE, REGISTERS};

use super::draft::Draft;
use crate::client::{CallError, Client, Event};
use crate::shm::{DOWNLOADS, SharedMemory};
use crate::xm::failure::{reason, xen_text};

/// How often a wait looks round.
const LOOK: Duration = Duration::from_millis(50);
/// Bytes taken from the ring at once.
const PART: usize = 256 << 10;

/// A dump that is on the disk. Until it is dropped the domain may still be held, if that was asked for.
#[derive(Debug)]
pub struct Fetched {
    /// The file.
    pub file: PathBuf,
    /// Whose memory.
    pub opened: DumpOpened,
    /// Pages in it.
    pub pages: u64,
    /// How long the file is.
    pub len: u64,
    /// What it takes on the disk.
    pub on_disk: u64,
    /// How many bytes travelled.
    pub travelled: u64,
    /// From the request to the file.
    pub took: Duration,
    channel: u16,
}

/// A dump that is not on the disk; nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The control domain did not begin it.
    #[error("{}", error_text(.0))]
    NotBegun(DumpError),
    /// It broke off.
    #[error("{}", failure_text(.0))]
    BrokeOff(DumpFailure),
    /// The stream ended before the dump did.
    #[error("the control domain broke it off; try again")]
    Cut,
    /// What came makes no sense.
    #[error("what came is no dump: {0}")]
    Nonsense(String),
    /// The file cannot be made or written.
    #[error("cannot write {}: {}; nothing of it is left", .file.display(), reason(.error))]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The line failed, or a signal came.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// What is to be dumped, and how.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The domain, by name, id or uuid.
    pub domain: &'a str,
    /// Only if it waits for its core to be kept under this number; else there is no such domain.
    pub core: Option<CoreId>,
    /// Whether it runs meanwhile.
    pub pause: DumpPause,
}

/// Dumps a domain to a file.
///
/// # Errors
/// [`Refusal`]: whatever happened, nothing of the file is left, and the domain goes on as it was.
pub fn fetch(client: &mut Client, wish: Wish<'_>, target: &Path) -> Result<Fetched, Refusal> {
    let begun = Instant::now();
    let writing = |error| Refusal::File { file: target.to_owned(), error };
    let draft = Draft::new(target).map_err(writing)?;
    let host = client.call::<Host>(&())?.map_err(|error| Refusal::NotBegun(DumpError::Xen(error)))?;
    let path = client.welcome()?.shared_memory.clone();
    // A file that cannot be mapped is no reason to fail: the line remains.
    let memory = path.and_then(|path| SharedMemory::open(Path::new(&path)).ok());
    let (channel, opened) = open(client, wish, memory.is_some())?;
    client.progress.begin_bytes(&format!("dumping {}", opened.name), opened.pages as usize * PAGE);
    let memory = memory.filter(|_| opened.way == DumpWay::SharedMemory);
    let intake = Intake {
        draft: &draft,
        reader: Reader::default(),
        core: CoreFile::new(),
        source: memory.map(|memory| (memory, Consumer::new(DOWNLOADS), vec![0; PART])),
        travelled: 0,
    };
    let done = intake.run(client, channel).and_then(|(core, travelled)| {
        let pages = core.pages();
        let (file, len) = finish(core, draft, &host).map_err(writing)?;
        let on_disk = file.metadata().map_err(writing)?.blocks() * 512;
        Ok((pages, len, on_disk, travelled))
    });
    client.progress.end();
    match done {
        Ok((pages, len, on_disk, travelled)) => Ok(Fetched {
            file: target.to_owned(),
            opened,
            pages,
            len,
            on_disk,
            travelled,
            took: begun.elapsed(),
            channel,
        }),
        Err(refusal) => {
            client.reset(channel);
            Err(refusal)
        }
    }
}

impl Fetched {
    /// Lets go of a domain that is held. Waits until the control domain has heard it.
    ///
    /// # Errors
    /// The line failed, or a signal came.
    pub fn let_go(&self, client: &mut Client) -> Result<(), CallError> {
        client.finish(self.channel);
        loop {
            match client.event(None, client.progress.due())? {
                Event::Deadline => client.progress.tick(),
                Event::End(number) | Event::Reset(number) if number == self.channel => break,
                _ => {}
            }
        }
        client.reset(self.channel);
        Ok(())
    }
}

/// Begins the dump; waits for the shared memory where another dump has it.
fn open(
    client: &mut Client,
    wish: Wish<'_>,
    reads_shared_memory: bool,
) -> Result<(u16, DumpOpened), Refusal> {
    client.progress.begin("waiting for another dump");
    loop {
        let channel = client.reserve()?;
        let request = DumpOpen {
            domain: DomainRef(wish.domain.into()),
            pause: wish.pause,
            channel: StreamChannel(channel),
            reads_shared_memory,
        };
        let opened = client.call::<DumpOpenStream>(&request);
        match opened {
            Ok(Ok(opened)) if wish.core.is_none_or(|core| opened.core == Some(core)) => {
                return Ok((channel, opened));
            }
            Ok(Ok(_)) => {
                client.reset(channel);
                return Err(Refusal::NotBegun(DumpError::NotFound));
            }
            Ok(Err(DumpError::Later)) => {
                client.reset(channel);
                let end = Instant::now() + LOOK;
                while Instant::now() < end {
                    client.event(None, Some(end))?;
                }
                client.progress.tick();
            }
            Ok(Err(error)) => {
                client.reset(channel);
                return Err(Refusal::NotBegun(error));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Everything that takes records in.
struct Intake<'d> {
    draft: &'d Draft,
    reader: Reader,
    core: CoreFile,
    /// The shared memory's ring, and room to read it into.
    source: Option<(SharedMemory, Consumer, Vec<u8>)>,
    travelled: u64,
}

impl Intake<'_> {
    /// Takes records until the last one; gives what is known then, and how many bytes travelled.
    fn run(mut self, client: &mut Client, channel: u16) -> Result<(CoreFile, u64), Refusal> {
        loop {
            match client.event(None, client.progress.due())? {
                Event::Deadline => client.progress.tick(),
                Event::Data(number, bytes) if number == channel => {
                    let is_over = self.take(client, channel, &bytes)?;
                    if is_over {
                        return Ok((self.core, self.travelled));
                    }
                }
                Event::End(number) | Event::Reset(number) if number == channel => return Err(Refusal::Cut),
                _ => {}
            }
        }
    }

    /// Takes what came, or what was said to be in the ring; says whether that was all.
    fn take(&mut self, client: &mut Client, channel: u16, bytes: &[u8]) -> Result<bool, Refusal> {
        let Some((memory, mut ring, mut room)) = self.source.take() else {
            return self.records(client, bytes);
        };
        let mut is_over = false;
        loop {
            let count =
                ring.read(&memory, &mut room).map_err(|error| Refusal::Nonsense(error.to_string()))?;
            if count == 0 {
                break;
            }
            is_over = self.records(client, &room[..count])?;
        }
        client.queue(channel, &[0]);
        self.source = Some((memory, ring, room));
        Ok(is_over)
    }

    fn records(&mut self, client: &mut Client, bytes: &[u8]) -> Result<bool, Refusal> {
        self.travelled += bytes.len() as u64;
        self.reader.push(bytes);
        while let Some(record) =
            self.reader.next_record().map_err(|error| Refusal::Nonsense(error.to_string()))?
        {
            match record {
                Record::Vcpu { id, registers } => {
                    if let Ok(registers) = <&[u8; REGISTERS]>::try_from(registers) {
                        self.core.add_vcpu(id, registers);
                    }
                }
                Record::Pages { first, bytes } => {
                    let at = self.core.add_frames(first, (bytes.len() / PAGE) as u64);
                    self.draft
                        .write_at(at, bytes)
                        .map_err(|error| Refusal::File { file: self.draft.target().to_owned(), error })?;
                }
                // Nothing is written: the file has a hole there.
                Record::Zeroes { first, count } => {
                    self.core.add_frames(first, count);
                }
                Record::End => {}
                Record::Failed(reason) => {
                    return Err(match postcard::from_bytes(reason) {
                        Ok(failure) => Refusal::BrokeOff(failure),
                        Err(_) => Refusal::Cut,
                    });
                }
            }
        }
        client.progress.at(self.core.pages() as usize * PAGE);
        Ok(self.reader.is_over())
    }
}

/// Writes all that is not pages, and gives the file its name.
fn finish(core: CoreFile, draft: Draft, host: &HostInfo) -> io::Result<(File, u64)> {
    let xen = XenVersion {
        major: host.xen_major.into(),
        minor: host.xen_minor.into(),
        extra: &host.xen_extra,
        compiler: &host.cc_compiler,
        compile_by: &host.cc_compile_by,
        compile_domain: &host.cc_compile_domain,
        compile_date: &host.cc_compile_date,
        capabilities: &host.xen_caps,
        changeset: &host.xen_changeset,
        virt_start: host.virt_start,
    };
    let tail = core.finish(&xen);
    let len = tail.file_len();
    for piece in tail {
        draft.write_at(piece.offset, &piece.bytes)?;
    }
    Ok((draft.finish(len)?, len))
}

fn error_text(error: &DumpError) -> String {
    match error {
        DumpError::NotFound => "it does not exist".into(),
        DumpError::Privileged => "it is the control domain".into(),
        DumpError::NotStarted => "it is not started".into(),
        DumpError::Paravirtual => {
            "it is a paravirtual guest, and only PVH and HVM guests can be dumped".into()
        }
        DumpError::UnderWay => "another dump of it is under way; wait for its end".into(),
        DumpError::TooMany { limit } => {
            format!("{limit} dumps are under way, and more are not possible; wait for one's end")
        }
        DumpError::Later => "the shared memory is another dump's; try again".into(),
        DumpError::TooManyStreams { limit } => format!(
            "{limit} consoles and transfers are open, and more are not possible; close one and try again"
        ),
        DumpError::ChannelInUse => "the stream's channel is in use at the control domain; try again".into(),
        DumpError::Xen(error) => xen_text(error),
    }
}

fn failure_text(failure: &DumpFailure) -> String {
    match failure {
        DumpFailure::Destroyed => "the domain was destroyed meanwhile".into(),
        DumpFailure::Xen(error) => xen_text(error),
    }
}
