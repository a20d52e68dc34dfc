//! A peer: a server in another process.

use std::collections::BTreeMap;
use std::io;
use std::process::ExitStatus;

use store_peers::{Client, DomainState, Message, Peer, PeerKind, RING_PORT};

use crate::history::{CONTROLS, Who, ty};
use crate::server::{Events, LIMITS, Reply, Server, event, reply};

/// The process and the connections to it.
pub(crate) struct PeerServer {
    kind: PeerKind,
    clients: BTreeMap<Who, Client>,
    events: Events,
    next_req: u32,
    /// A reply had its request's id, but another transaction's.
    had_wrong_id: bool,
    /// Dropped after the clients.
    peer: Peer,
}

impl PeerServer {
    pub(crate) fn start(kind: PeerKind) -> io::Result<Self> {
        let peer = Peer::start_with(kind, Some(&LIMITS))?;
        let mut clients = BTreeMap::new();
        for who in CONTROLS {
            clients.insert(who, Client::connect(peer.socket())?);
        }
        Ok(PeerServer { kind, clients, events: Events::new(), next_req: 0, had_wrong_id: false, peer })
    }

    /// How the process ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.peer.ended()
    }

    /// Whether a reply since the last call had another transaction's id than its request.
    pub(crate) fn take_wrong_id(&mut self) -> bool {
        std::mem::take(&mut self.had_wrong_id)
    }

    fn send(&mut self, who: Who, tx_id: u32, ty: u32, payload: &[u8]) -> io::Result<()> {
        self.next_req += 1;
        let message = Message { ty, req_id: self.next_req, tx_id, payload: payload.to_vec() };
        self.client(who)?.send(&message)
    }

    /// The reply to a request.
    fn recv(&mut self, who: Who, req_id: u32, tx_id: u32, ty: u32) -> io::Result<Reply> {
        loop {
            let message = self.client(who)?.recv()?;
            if message.ty == ty::WATCH_EVENT {
                self.events.entry(who).or_default().push(event(&message.payload)?);
                continue;
            }
            if message.req_id != req_id {
                return Err(io::Error::other("a reply to another request"));
            }
            self.had_wrong_id |= message.tx_id != tx_id;
            return reply(ty, message.ty, message.payload);
        }
    }

    fn client(&mut self, who: Who) -> io::Result<&mut Client> {
        self.clients.get_mut(&who).ok_or_else(|| io::Error::other(format!("{who} is not connected")))
    }

    /// Until the server has seen what happened to a domain.
    fn change(&mut self, domid: u16, state: DomainState) -> io::Result<()> {
        self.peer.xen().set_state(domid, state)?;
        self.peer.xen().tell_of_domains()
    }
}

impl Server for PeerServer {
    fn name(&self) -> String {
        self.kind.to_string()
    }

    fn ask(&mut self, who: Who, tx_id: u32, ty: u32, payload: &[u8]) -> io::Result<Reply> {
        self.send(who, tx_id, ty, payload)?;
        self.recv(who, self.next_req, tx_id, ty)
    }

    fn create(&mut self, domid: u16) -> io::Result<()> {
        self.peer.xen().set_state(domid, DomainState::Running)
    }

    fn boot(&mut self, domid: u16) -> io::Result<()> {
        let ring = self.peer.xen().ring(domid)?;
        let arguments = format!("{domid}\x001\0{RING_PORT}\0");
        match self.ask(CONTROLS[0], 0, ty::INTRODUCE, arguments.as_bytes())? {
            Ok(_) => self.clients.insert(Who::Guest(domid), Client::over(ring)),
            Err(error) => return Err(io::Error::other(format!("d{domid} is not introduced: {error}"))),
        };
        Ok(())
    }

    fn shut_down(&mut self, domid: u16) -> io::Result<()> {
        self.change(domid, DomainState::ShutDown)
    }

    fn die(&mut self, domid: u16) -> io::Result<()> {
        // Its events are nobody's any more.
        self.drop_connection(domid);
        self.change(domid, DomainState::Gone)
    }

    fn drop_connection(&mut self, domid: u16) {
        self.clients.remove(&Who::Guest(domid));
        self.events.remove(&Who::Guest(domid));
    }

    /// Events come in order with replies, so whoever gets a reply now has got all events from before.
    fn events(&mut self) -> io::Result<Events> {
        let whos: Vec<Who> = self.clients.keys().copied().collect();
        let first = self.next_req + 1;
        for who in &whos {
            self.send(*who, 0, ty::GET_DOMAIN_PATH, b"1\0")?;
        }
        for (req_id, who) in (first..).zip(whos) {
            self.recv(who, req_id, 0, ty::GET_DOMAIN_PATH)?.map_err(io::Error::other)?;
        }
        Ok(std::mem::take(&mut self.events))
    }
}
