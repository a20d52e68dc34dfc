//! One loop over all clients.
//!
//! It sleeps in epoll until a client has sent or read something, so that a wake-up costs what is ready and not how many are connected.
//! A turn is bounded ([`super::client`]), and so is a step of the store's own work, which is done between turns: nobody waits for more
//! than one of each other client and one of the store. Between two such steps the server sleeps for a moment, unless a client comes.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use xen_abi::DomId;
use xenstore::Store;

use super::CONTROL;
use super::bells::{Bells, Token};
use super::client::{Client, Next, Scratch};
use super::host::ThisProcess;
use super::socket::Socket;
use crate::client::Signals;

/// What epoll calls the signals. The listening sockets follow, and behind them the clients.
const SIGNALS: Token = 0;
/// What epoll calls the first listening socket.
const LISTENERS: Token = 1;
/// How many ready sockets epoll tells at a time.
const READY_MAX: usize = 256;
/// How many clients are let in between two turns of the others.
const ACCEPTED_AT_ONCE: usize = 64;
/// How much of its own work the store does between turns: some tens of microseconds.
const WORK: usize = 512;
/// How long the server sleeps between two steps of the store's own work. Whom it has just answered may share its processor, and would
/// wait until the system takes that from a server which never sleeps: the rest of a slice, milliseconds. (`sched_yield` is no way
/// out: Linux sets the server back by a whole slice for it, and clients wait for the server.)
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000 };
/// How long nobody is let in after the system had no descriptor left for one more.
const FULL_PAUSE: Duration = Duration::from_millis(100);

/// The server.
pub(super) struct Server<'a> {
    /// Who is served where.
    sockets: &'a [(DomId, Socket)],
    signals: &'static Signals,
    epoll: OwnedFd,
    store: Store,
    clients: BTreeMap<Token, Served>,
    next_token: Token,
    bells: Bells,
    scratch: Scratch,
    /// Who wants another turn at once.
    again: Vec<Token>,
    /// Nobody more is let in for a moment.
    is_full: bool,
    is_verbose: bool,
}

struct Served {
    client: Client,
    /// What epoll waits for.
    interest: epoll::EventFlags,
}

impl<'a> Server<'a> {
    /// A server with an empty store, in which the sockets' domains are introduced.
    ///
    /// # Errors
    /// The system gives no epoll or no signals.
    pub(super) fn new(sockets: &'a [(DomId, Socket)], is_verbose: bool) -> io::Result<Self> {
        allow_many_files();
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let signals = Signals::get()?;
        let readable = epoll::EventFlags::IN;
        for fd in signals.fds() {
            epoll::add(&epoll, fd, epoll::EventData::new_u64(SIGNALS), readable)?;
        }
        let mut store = Store::new(CONTROL);
        store.set_host(Box::new(ThisProcess::default()));
        let mut next_token = LISTENERS;
        for (domid, socket) in sockets {
            store.introduce(*domid);
            epoll::add(&epoll, &socket.listener, epoll::EventData::new_u64(next_token), readable)?;
            next_token += 1;
        }
        Ok(Server {
            sockets,
            signals,
            epoll,
            store,
            clients: BTreeMap::new(),
            next_token,
            bells: Bells::default(),
            scratch: Scratch::new(),
            again: Vec::new(),
            is_full: false,
            is_verbose,
        })
    }

    /// Serves until a signal comes.
    ///
    /// # Errors
    /// epoll fails.
    pub(super) fn serve(&mut self) -> io::Result<()> {
        let mut ready: Vec<epoll::Event> = Vec::with_capacity(READY_MAX);
        let mut due: Vec<Token> = Vec::new();
        loop {
            ready.clear();
            if self.again.is_empty() && self.store.has_work() {
                self.rest()?;
            }
            match epoll::wait(&self.epoll, spare_capacity(&mut ready), self.patience().as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if self.is_full {
                self.let_in_again(true)?;
            }
            due.clear();
            due.append(&mut self.again);
            for event in &ready {
                let token = event.data.u64();
                if token == SIGNALS && self.signals.take().is_some() {
                    return Ok(());
                }
                match self.listener(token) {
                    Some((domid, socket)) => self.accept(*domid, socket)?,
                    None => due.push(token),
                }
            }
            self.turns(&mut due);
            self.store.work(WORK);
            self.tell(&mut due);
        }
    }

    /// The listening socket of this token.
    fn listener(&self, token: Token) -> Option<&'a (DomId, Socket)> {
        let index = token.checked_sub(LISTENERS)?;
        self.sockets.get(usize::try_from(index).ok()?)
    }

    /// Sleeps for a moment, or until somebody comes. By poll, since epoll counts in milliseconds.
    fn rest(&self) -> io::Result<()> {
        let mut epoll = [PollFd::new(&self.epoll, PollFlags::IN)];
        match poll(&mut epoll, Some(&PAUSE)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// How long epoll may sleep.
    fn patience(&self) -> Option<Timespec> {
        if !self.again.is_empty() || self.store.has_work() {
            Some(Timespec::default())
        } else if self.is_full {
            Timespec::try_from(FULL_PAUSE).ok()
        } else {
            None
        }
    }

    /// Gives everybody in the list one turn.
    fn turns(&mut self, due: &mut Vec<Token>) {
        due.sort_unstable();
        due.dedup();
        for token in due.drain(..) {
            let Some(served) = self.clients.get_mut(&token) else { continue };
            let next = served.client.turn(&mut self.store, &mut self.scratch);
            self.settle(token, next);
        }
    }

    /// Passes on the events that the turns made.
    fn tell(&mut self, rung: &mut Vec<Token>) {
        self.bells.take(rung);
        for token in rung.drain(..) {
            let Some(served) = self.clients.get_mut(&token) else { continue };
            let next = served.client.tell(&mut self.store, &mut self.scratch);
            self.settle(token, next);
        }
    }

    /// Has epoll wait for what the client waits for.
    fn settle(&mut self, token: Token, next: Next) {
        let interest = match next {
            Next::Readable => epoll::EventFlags::IN,
            Next::Writable => epoll::EventFlags::OUT,
            Next::Again => return self.again.push(token),
            Next::Gone => return self.dismiss(token),
        };
        let Some(served) = self.clients.get_mut(&token) else { return };
        if served.interest != interest {
            served.interest = interest;
            let data = epoll::EventData::new_u64(token);
            if epoll::modify(&self.epoll, &served.client, data, interest).is_err() {
                self.dismiss(token);
            }
        }
    }

    fn dismiss(&mut self, token: Token) {
        // Closing the socket takes it out of epoll.
        if let Some(served) = self.clients.remove(&token) {
            served.client.leave(&mut self.store);
        }
    }

    fn accept(&mut self, domid: DomId, from: &Socket) -> io::Result<()> {
        for _ in 0..ACCEPTED_AT_ONCE {
            match accept_with(&from.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(socket) => self.admit(domid, socket),
                Err(Errno::WOULDBLOCK) => break,
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) => {
                    self.say(&format!("nobody more is let in for a moment: {error}"));
                    return self.let_in_again(false);
                }
            }
        }
        Ok(())
    }

    fn admit(&mut self, domid: DomId, socket: OwnedFd) {
        // A domain that was released is turned away: its client sees its socket closed.
        let Ok(conn) = self.store.connect(domid) else { return };
        let token = self.next_token;
        self.next_token += 1;
        let interest = epoll::EventFlags::IN;
        // Without room in epoll too.
        match epoll::add(&self.epoll, &socket, epoll::EventData::new_u64(token), interest) {
            Ok(()) => {
                let client = Client::new(socket, conn, self.bells.bell(token));
                self.clients.insert(token, Served { client, interest });
            }
            Err(_) => self.store.disconnect(conn),
        }
    }

    /// Opens or closes the door. Left open while nobody can be let in, epoll would not sleep.
    fn let_in_again(&mut self, may_enter: bool) -> io::Result<()> {
        self.is_full = !may_enter;
        let interest = if may_enter { epoll::EventFlags::IN } else { epoll::EventFlags::empty() };
        for (token, (_, socket)) in (LISTENERS..).zip(self.sockets) {
            epoll::modify(&self.epoll, &socket.listener, epoll::EventData::new_u64(token), interest)?;
        }
        Ok(())
    }

    fn say(&self, text: &str) {
        if self.is_verbose {
            eprintln!("xenstored: {text}");
        }
    }
}

/// Allows as many clients as the system does.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    // Refused, the limit stays as it was, which serves fewer.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
