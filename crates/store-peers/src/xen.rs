//! Xen as the server sees it: the host's side of what `preload/xenless.rs` describes.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ring::layout::xenstore::{CONNECTION, ERROR, REQ, RSP};
use ring::{Consumer, Producer, RingError, Shared};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::page::{PAGE, Page};

/// The port that every domain has for its ring.
pub const RING_PORT: u32 = 1;
/// The server's port for domain 0's ring; domain N's is N above.
const FIRST_PORT: u32 = 16;
/// The server's port for the interrupt that tells of domains.
const VIRQ: u32 = 1;
/// Where in the memory the domains' states are.
const STATES: u64 = (PAGE as u64) << 16;
/// How long a server may take for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether Xen has a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainState {
    /// There is none with this id.
    Gone = 0,
    /// It runs.
    Running = 1,
    /// It shut down, and is still there.
    ShutDown = 2,
    /// It is being destroyed.
    Dying = 3,
}

/// The stand-in for Xen under one server.
#[derive(Debug)]
pub struct Xen {
    memory: File,
    bell: Rc<Bell>,
}

/// All event channels of one server.
#[derive(Debug)]
struct Bell {
    stream: UnixStream,
    /// How often the server has been through with [`VIRQ`].
    virqs_done: Cell<u64>,
}

impl Bell {
    fn ring(&self, port: u32) -> io::Result<()> {
        // What the server wrote for nobody is taken out first: a full socket would hold it up.
        while self.take(RecvFlags::DONTWAIT)? {}
        (&self.stream).write_all(&port.to_ne_bytes())
    }

    /// Waits for anything from the server.
    fn wait(&self) -> io::Result<()> {
        if self.take(RecvFlags::empty())? { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
    }

    /// Takes out words. False if there are none.
    fn take(&self, flags: RecvFlags) -> io::Result<bool> {
        // The server writes whole words, so whole words are read.
        let mut words = [0; 1024];
        let got = match recv(&self.stream, &mut words, flags) {
            Ok((got, _)) if got > 0 => got,
            Ok(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(Errno::AGAIN) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let virqs = words[..got].chunks_exact(4).filter(|word| **word == VIRQ.to_ne_bytes()).count();
        self.virqs_done.set(self.virqs_done.get() + virqs as u64);
        Ok(true)
    }
}

/// Xen's files before the server has opened them.
#[derive(Debug)]
pub(crate) struct Prepared {
    memory: File,
    listener: UnixListener,
}

impl Prepared {
    /// Makes the files in `dir`: domain 0 and nothing else.
    pub(crate) fn new(dir: &Path) -> io::Result<Self> {
        let memory = OpenOptions::new().read(true).write(true).create_new(true).open(dir.join("memory"))?;
        // Sparse: only pages that are used take memory.
        memory.set_len(STATES + (1 << 16))?;
        memory.write_all_at(&[DomainState::Running as u8], STATES)?;
        fs::write(dir.join("port"), RING_PORT.to_string())?;
        Ok(Prepared { memory, listener: UnixListener::bind(dir.join("evtchn"))? })
    }

    /// Waits until the server has opened its event channels; `is_alive` says whether it still may.
    pub(crate) fn connect(self, mut is_alive: impl FnMut() -> bool) -> io::Result<Xen> {
        self.listener.set_nonblocking(true)?;
        let start = Instant::now();
        loop {
            match self.listener.accept() {
                Ok((bell, _)) => {
                    bell.set_nonblocking(false)?;
                    bell.set_read_timeout(Some(PATIENCE))?;
                    let bell = Bell { stream: bell, virqs_done: Cell::new(0) };
                    return Ok(Xen { memory: self.memory, bell: Rc::new(bell) });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if !is_alive() || start.elapsed() > PATIENCE {
                return Err(io::Error::other("the server did not open its event channels"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Xen {
    /// Makes, stops or removes a domain. The server hears of it by [`Self::tell_of_domains`].
    ///
    /// # Errors
    /// From the file.
    pub fn set_state(&self, domid: u16, state: DomainState) -> io::Result<()> {
        self.memory.write_all_at(&[state as u8], STATES + u64::from(domid))
    }

    /// Raises the interrupt upon which the server looks which domains there are, and waits until it has.
    ///
    /// # Errors
    /// The server is gone.
    pub fn tell_of_domains(&self) -> io::Result<()> {
        let before = self.bell.virqs_done.get();
        self.bell.ring(VIRQ)?;
        while self.bell.virqs_done.get() == before {
            self.bell.wait()?;
        }
        Ok(())
    }

    /// The domain's ring, empty. One at a time for each domain.
    ///
    /// # Errors
    /// From `mmap`.
    pub fn ring(&self, domid: u16) -> io::Result<Ring> {
        let page = Page::map(&self.memory, u64::from(domid) * PAGE as u64)?;
        REQ.clear(&page);
        RSP.clear(&page);
        page.store_u32(CONNECTION, 0);
        page.store_u32(ERROR, 0);
        Ok(Ring {
            page,
            requests: Producer::new(REQ),
            replies: Consumer::new(RSP),
            port: FIRST_PORT + u32::from(domid),
            bell: self.bell.clone(),
        })
    }
}

/// The guest's end of a ring, as a stream of bytes.
#[derive(Debug)]
pub struct Ring {
    page: Page,
    requests: Producer,
    replies: Consumer,
    port: u32,
    bell: Rc<Bell>,
}

impl Ring {
    /// What the server wrote into the ring's `error` field.
    pub fn error(&self) -> u32 {
        self.page.load_u32(ERROR)
    }
}

fn broken(error: RingError) -> io::Error {
    io::Error::other(error.to_string())
}

impl Write for Ring {
    /// Waits for room.
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        loop {
            let written = self.requests.write(&self.page, from).map_err(broken)?;
            if written > 0 || from.is_empty() {
                self.bell.ring(self.port)?;
                return Ok(written);
            }
            // For whichever domain: callers look at their rings before they wait.
            self.bell.wait()?;
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Ring {
    /// Waits for bytes.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let was_full = self.replies.available(&self.page).map_err(broken)? == RSP.size();
            let got = self.replies.read(&self.page, into).map_err(broken)?;
            if was_full && got > 0 {
                // Only then may the server be waiting for room.
                self.bell.ring(self.port)?;
            }
            if got > 0 || into.is_empty() {
                return Ok(got);
            }
            self.bell.wait()?;
        }
    }
}
