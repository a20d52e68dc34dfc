//! The broker as a process: its lock, its socket, its line, and one loop over all of them.
//!
//! The loop sleeps in poll(2) until a socket is ready or the link has something to do; it has no tick.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use link::Micros;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};

use super::hub::{ClientId, Hub};
use super::ipc::Lost;
use super::keeping::Keeping;
use super::place::Place;
use crate::connect::Line;

/// How long the last words to clients may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// Text of the line that is kept in the log.
const LOG_LIMIT: usize = 16 << 20;

/// Runs a broker until its line ends or nobody needs it. Tells the starter on stdout: `ready`, `taken` or a reason.
///
/// # Errors
/// The lock or the socket could not be made; the starter was told.
pub fn run(line: &Line, idle: Duration) -> io::Result<()> {
    let started = prepare(line);
    let answer = match &started {
        Ok(Some(_)) => "ready".to_owned(),
        Ok(None) => "taken".to_owned(),
        Err(error) => error.to_string().replace('\n', " "),
    };
    // The starter may have been killed meanwhile: no reason to stop.
    let _ = writeln!(io::stdout(), "{answer}").and_then(|()| io::stdout().flush());
    release_stdout()?;
    match started? {
        Some(mut broker) => broker.serve(idle),
        None => Ok(()),
    }
}

/// Lets go of the starter's pipe.
fn release_stdout() -> io::Result<()> {
    let null = OpenOptions::new().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(())
}

/// Takes the line; `None` when another broker has it.
fn prepare(line: &Line) -> io::Result<Option<Broker>> {
    let place = Place::of(line)?;
    let name = line.to_string();
    let lock = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&place.lock)?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(None);
    }
    let wire = UnixStream::connect(&place.line).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot open the line {}: {error}", place.line.display()))
    })?;
    wire.set_nonblocking(true)?;
    // We own the lock, so whoever made this socket is gone.
    let _ = std::fs::remove_file(&place.socket);
    let mask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(&place.socket);
    rustix::process::umask(mask);
    let listener = listener?;
    listener.set_nonblocking(true)?;
    let start = Instant::now();
    let shared_memory = place.shared_memory.as_ref().map(|path| path.display().to_string());
    let hub = Hub::new(crate::random()?, shared_memory, Micros(0));
    Ok(Some(Broker {
        place,
        line: name,
        keeping: None,
        _lock: lock,
        listener,
        wire,
        unsent: Vec::new(),
        clients: BTreeMap::new(),
        hub,
        start,
        logged: 0,
    }))
}

struct Broker {
    place: Place,
    /// What the line is called.
    line: String,
    /// A core that is being fetched.
    keeping: Option<Keeping>,
    _lock: File,
    listener: UnixListener,
    wire: UnixStream,
    /// Bytes for the line that it did not take yet.
    unsent: Vec<u8>,
    clients: BTreeMap<ClientId, UnixStream>,
    hub: Hub,
    start: Instant,
    logged: usize,
}

/// What one look at all sockets found ready.
struct Ready {
    line: PollFlags,
    listener: bool,
    clients: Vec<(ClientId, PollFlags)>,
}

impl Broker {
    fn now(&self) -> Micros {
        Micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn serve(&mut self, idle: Duration) -> io::Result<()> {
        let mut idle_since = Instant::now();
        loop {
            if let Err(lost) = self.drive_line() {
                return self.end(&lost);
            }
            self.drive_clients();
            self.keep_cores();
            self.write_log();
            if self.hub.nr_clients() > 0 {
                idle_since = Instant::now();
            }
            let is_idle = !self.place.stays && idle_since.elapsed() >= idle;
            if is_idle || self.hub.is_retired() {
                let _ = std::fs::remove_file(&self.place.socket);
                return Ok(());
            }
            let idle_left = (!self.place.stays && self.hub.nr_clients() == 0)
                .then(|| idle.saturating_sub(idle_since.elapsed()));
            let ready = self.wait(idle_left)?;
            if let Err(lost) = self.take_line(ready.line) {
                return self.end(&lost);
            }
            if ready.listener {
                self.accept();
            }
            for (id, flags) in ready.clients {
                self.take_client(id, flags);
            }
            let now = self.now();
            self.hub.tick(now);
        }
    }

    /// Sleeps until something is ready, the link's deadline, or the end of the idle time.
    fn wait(&self, idle_left: Option<Duration>) -> io::Result<Ready> {
        let link_left =
            self.hub.deadline().map(|deadline| Duration::from_micros(deadline.since(self.now()).0));
        let timeout = match (link_left, idle_left) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let timeout = timeout.and_then(|left| Timespec::try_from(left).ok());
        let wire_flags = if self.unsent.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
        let mut fds = vec![PollFd::new(&self.wire, wire_flags), PollFd::new(&self.listener, PollFlags::IN)];
        let mut ids = Vec::with_capacity(self.clients.len());
        for (&id, stream) in &self.clients {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, self.hub.wants(id));
            flags.set(PollFlags::OUT, self.hub.has_output(id));
            fds.push(PollFd::from_borrowed_fd(stream.as_fd(), flags));
            ids.push(id);
        }
        // Its end is seen by a pipe; what is to be done then is looked at in each round.
        fds.extend(
            self.keeping.iter().map(|keeping| PollFd::from_borrowed_fd(keeping.ended(), PollFlags::IN)),
        );
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Ready {
            line: fds[0].revents(),
            listener: !fds[1].revents().is_empty(),
            clients: ids.into_iter().zip(fds[2..].iter().map(|fd| fd.revents())).collect(),
        })
    }

    /// Puts what the link has to say on the line, as far as the line takes it.
    fn drive_line(&mut self) -> Result<(), Lost> {
        let mut buffer = [0; 8192];
        loop {
            if self.unsent.is_empty() {
                let now = self.now();
                let count = self.hub.to_line(&mut buffer, now);
                if count == 0 {
                    return Ok(());
                }
                self.unsent.extend_from_slice(&buffer[..count]);
            }
            match self.wire.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(line_error(&error)),
            }
        }
    }

    fn take_line(&mut self, flags: PollFlags) -> Result<(), Lost> {
        if !flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            return Ok(());
        }
        let mut buffer = [0; 16384];
        loop {
            match self.wire.read(&mut buffer) {
                Ok(0) => return Err(Lost::LineClosed),
                Ok(count) => {
                    let now = self.now();
                    self.hub.from_line(&buffer[..count], now);
                    if count < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(line_error(&error)),
            }
        }
    }

    /// Has cores fetched that wait to be, one at a time.
    fn keep_cores(&mut self) {
        let now = self.now();
        if let Some(is_done) = self.keeping.as_mut().and_then(Keeping::outcome) {
            self.keeping = None;
            self.hub.core_done(is_done, now);
        }
        if self.keeping.is_none()
            && let Some(core) = self.hub.take_core(now)
        {
            match Keeping::start(&self.line, &core) {
                Ok(keeping) => self.keeping = Some(keeping),
                Err(error) => {
                    eprintln!("[broker] the core of {} cannot be fetched: {error}", core.name);
                    self.hub.core_done(false, now);
                }
            }
        }
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if stream.set_nonblocking(true).is_ok() {
                let id = self.hub.add_client();
                self.clients.insert(id, stream);
                // Its greeting and first call are there already as a rule.
                self.take_client(id, PollFlags::IN);
            }
        }
    }

    fn take_client(&mut self, id: ClientId, flags: PollFlags) {
        let gone = flags.intersects(PollFlags::HUP | PollFlags::ERR);
        if !flags.contains(PollFlags::IN) && !gone {
            return;
        }
        let Some(stream) = self.clients.get_mut(&id) else { return };
        let mut buffer = [0; 65536];
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => {
                let now = self.now();
                self.hub.from_client(id, &buffer[..count], now);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Ok(_) | Err(_) => self.forget(id),
        }
    }

    fn forget(&mut self, id: ClientId) {
        self.clients.remove(&id);
        let now = self.now();
        self.hub.remove_client(id, now);
    }

    /// Sends clients what waits for them, and lets go of those that are finished.
    fn drive_clients(&mut self) {
        for id in self.clients.keys().copied().collect::<Vec<_>>() {
            let (Some(stream), Some(out)) = (self.clients.get_mut(&id), self.hub.output(id)) else {
                continue;
            };
            let mut sent = 0;
            let mut failed = false;
            while sent < out.len() {
                match stream.write(&out[sent..]) {
                    Ok(count) => sent += count,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => {
                        failed = error.kind() != ErrorKind::WouldBlock;
                        break;
                    }
                }
            }
            out.drain(..sent);
            if failed || (out.is_empty() && self.hub.is_finished(id)) {
                self.forget(id);
            }
        }
    }

    /// The line is gone: says so to everybody, gives the last words a moment to leave, and ends.
    fn end(&mut self, reason: &Lost) -> io::Result<()> {
        // Nobody may find this broker any more; the next hostctl opens the line anew.
        let _ = std::fs::remove_file(&self.place.socket);
        eprintln!("[broker] the line is lost: {reason:?}");
        self.accept();
        self.hub.lose(reason);
        let until = Instant::now() + FAREWELL;
        self.drive_clients();
        while !self.clients.is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
            self.drive_clients();
        }
        Ok(())
    }

    fn write_log(&mut self) {
        let text = self.hub.take_log();
        let room = LOG_LIMIT.saturating_sub(self.logged).min(text.len());
        self.logged += room;
        // The log is stderr; a full disk must not stop the broker.
        let _ = io::stderr().write_all(&text[..room]);
    }
}

fn line_error(error: &io::Error) -> Lost {
    match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Lost::LineClosed,
        _ => Lost::LineError(error.to_string()),
    }
}
