//! The broker's logic: many clients, one link. No input or output happens here.
//!
//! * Calls pass through. The broker remembers whose a call is and the request itself, so that it can be sent again when the
//!   control domain forgot the session; request ids keep that from taking effect twice.
//! * A client that goes away loses its streams at once; its calls finish in the control domain, unheard.
//! * A slow client holds up only itself, and takes up only so much: its streams get no credit while its bytes wait; its socket is not
//!   read while they do, while many of its calls are under way, or while a stream of its own takes nothing more.

mod cores;
mod streams;

use std::collections::{BTreeMap, HashMap};

use link::{BootId, Channel, Config, DownReason, Event, Link, Micros};
use proto::Endpoint;
use proto::endpoints::Hello;
use proto::host::Greeting;
use proto::wire::{Fault, Request, RequestId, Response};

use self::cores::Cores;
use self::streams::Stream;
use super::client::{Client, State};
use super::ipc::{FromBroker, Lost, ToBroker, Welcome};

/// Names a client within a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(pub u64);

/// A call under way.
struct Call {
    /// Who asked; `None` when it was the broker, or the client is gone.
    client: Option<ClientId>,
    request: Request,
    /// It was handed to the link's present session.
    sent: bool,
}

/// The broker, without its sockets.
pub struct Hub {
    link: Link,
    shared_memory: Option<String>,
    greeting: Option<Greeting>,
    hello: RequestId,
    /// The latest id of a call of ours.
    last_id: RequestId,
    clients: BTreeMap<ClientId, Client>,
    next_client: u64,
    calls: HashMap<RequestId, Call>,
    streams: BTreeMap<u16, Stream>,
    next_channel: u16,
    cores: Cores,
    log: Vec<u8>,
    is_outdated: bool,
}

impl Hub {
    /// A broker at its start. `random` names this start, and must be drawn anew for each.
    pub fn new(random: u64, shared_memory: Option<String>, now: Micros) -> Hub {
        Hub {
            link: Link::new(Config::host(), BootId::new(random), now),
            shared_memory,
            greeting: None,
            hello: RequestId(random),
            last_id: RequestId(random),
            clients: BTreeMap::new(),
            next_client: 0,
            calls: HashMap::new(),
            streams: BTreeMap::new(),
            next_channel: 0,
            cores: Cores::default(),
            log: Vec::new(),
            is_outdated: false,
        }
    }

    /// Takes in a new client.
    pub fn add_client(&mut self) -> ClientId {
        let id = ClientId(self.next_client);
        self.next_client += 1;
        self.clients.insert(id, Client::default());
        id
    }

    /// A client's connection ended.
    pub fn remove_client(&mut self, id: ClientId, now: Micros) {
        self.clients.remove(&id);
        let mut has_calls = false;
        for call in self.calls.values_mut().filter(|call| call.client == Some(id)) {
            call.client = None;
            has_calls = true;
        }
        let mine: Vec<u16> =
            self.streams.iter().filter(|(_, s)| s.client == Some(id)).map(|(&number, _)| number).collect();
        for number in mine {
            // A call that will open the stream may still be on its way: a reset now would overtake it.
            if has_calls && !self.streams[&number].heard {
                self.streams.get_mut(&number).expect("it is in the list").client = None;
            } else {
                self.drop_stream(number);
            }
        }
        self.settle(now);
    }

    /// How many clients there are.
    pub fn nr_clients(&self) -> usize {
        self.clients.len()
    }

    /// Says whether the broker is to end: a client of another build came, and there is no client of ours.
    pub fn is_retired(&self) -> bool {
        self.is_outdated && self.clients.values().all(|client| client.state == State::Finished)
    }

    /// Takes bytes that a client sent.
    pub fn from_client(&mut self, id: ClientId, bytes: &[u8], now: Micros) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.decoder.push(bytes);
        }
        self.settle(now);
    }

    /// Says whether more bytes of a client would be looked at now.
    pub fn wants(&self, id: ClientId) -> bool {
        self.clients.get(&id).is_some_and(|client| client.wants_bytes(self.nr_calls(id)))
    }

    /// How many of a client's calls are under way.
    fn nr_calls(&self, id: ClientId) -> usize {
        self.calls.values().filter(|call| call.client == Some(id)).count()
    }

    /// What is to be sent to a client; the caller removes what it sent and then calls [`Hub::tick`].
    pub fn output(&mut self, id: ClientId) -> Option<&mut Vec<u8>> {
        self.clients.get_mut(&id).map(|client| &mut client.out)
    }

    /// Says whether something waits to be sent to a client.
    pub fn has_output(&self, id: ClientId) -> bool {
        self.clients.get(&id).is_some_and(|client| !client.out.is_empty())
    }

    /// Says whether a client's connection is to be closed once its output is sent.
    pub fn is_finished(&self, id: ClientId) -> bool {
        self.clients.get(&id).is_none_or(|client| client.state == State::Finished)
    }

    /// Takes bytes from the line.
    pub fn from_line(&mut self, bytes: &[u8], now: Micros) {
        self.link.receive(bytes, now);
        self.settle(now);
    }

    /// Puts bytes for the line to the front of `out`; returns how many.
    pub fn to_line(&mut self, out: &mut [u8], now: Micros) -> usize {
        self.link.transmit(out, now)
    }

    /// When [`Hub::tick`] must be called at the latest.
    pub fn deadline(&self) -> Option<Micros> {
        self.link.deadline().into_iter().chain(self.cores.deadline().filter(|_| self.link.is_up())).min()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Micros) {
        self.link.tick(now);
        self.settle(now);
    }

    /// The line is lost for good: tells every client.
    pub fn lose(&mut self, reason: &Lost) {
        self.fail_all(reason);
        self.clients.values_mut().for_each(|client| client.finish());
    }

    /// Takes text that came over the line and belongs to nobody, and notes on the link's state.
    pub fn take_log(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.log)
    }

    /// Handles everything that can be handled now.
    fn settle(&mut self, now: Micros) {
        loop {
            while let Some(event) = self.link.poll_event() {
                self.on_link(event, now);
            }
            if !self.serve_clients() {
                break;
            }
        }
        self.ask_for_cores(now);
        self.give_credit();
        // A crash that may never come is nothing to watch the line for.
        let waits = self.calls.keys().any(|&id| !self.is_about_cores(id));
        self.link.set_waiting(waits, now);
    }

    fn on_link(&mut self, event: Event, now: Micros) {
        match event {
            Event::Up { peer, resumed } => {
                self.note(&format!("up: control domain's start {:016x}", peer.get()));
                if resumed && self.greeting.is_some() {
                    self.welcome_all();
                } else {
                    self.say_hello();
                }
            }
            Event::Down(reason) => self.on_down(reason),
            Event::Message(bytes) => match postcard::from_bytes::<Response>(&bytes) {
                Ok(response) => self.on_response(response, now),
                Err(error) => self.note(&format!("a message that is no response: {error}")),
            },
            Event::StreamData(channel, bytes) => self.on_data(channel, bytes),
            Event::StreamEnd(channel) => {
                if let Some(stream) = self.streams.get_mut(&channel.get()) {
                    stream.heard = true;
                    let client = stream.client;
                    self.tell(client, &FromBroker::End { channel: channel.get() });
                }
            }
            Event::StreamReset(channel) => {
                if let Some(stream) = self.streams.remove(&channel.get()) {
                    self.tell(stream.client, &FromBroker::Reset { channel: channel.get() });
                }
            }
            Event::Writable(channel) => self.write_held(channel),
            Event::Foreign { bytes, lost } => {
                self.log.extend_from_slice(&bytes);
                if lost > 0 {
                    self.note(&format!("{lost} more bytes of foreign text"));
                }
            }
        }
    }

    fn on_down(&mut self, reason: DownReason) {
        self.note(&format!("down: {reason}"));
        match reason {
            // Nobody waits 5 s for nothing: clients are told, though the session may yet be resumed.
            DownReason::Lost => self.fail_all(&Lost::Silent),
            DownReason::PeerRestarted { .. } => {
                self.forget_session();
                self.greeting = None;
                self.fail_all(&Lost::Restarted);
            }
            DownReason::PeerReset | DownReason::Protocol(_) => self.forget_session(),
            DownReason::VersionMismatch { ours, theirs } => {
                self.forget_session();
                self.greeting = None;
                self.fail_all(&Lost::LinkVersion { ours, theirs });
            }
        }
    }

    /// The link's session is gone: streams with it; calls will be sent again.
    fn forget_session(&mut self) {
        for (channel, stream) in std::mem::take(&mut self.streams) {
            self.tell(stream.client, &FromBroker::Reset { channel });
        }
        for client in self.clients.values_mut() {
            client.held = None;
        }
        for call in self.calls.values_mut() {
            call.sent = false;
        }
    }

    /// Asks the control domain who it is: clients are welcomed when it has said so.
    fn say_hello(&mut self) {
        // A fresh id for each start, or the control domain would answer from its reply cache.
        self.hello = self.fresh_id();
        let body = postcard::to_allocvec(&()).expect("the unit is encodable");
        let request = Request { id: self.hello, key: Hello::KEY, body };
        self.calls.insert(self.hello, Call { client: None, request, sent: false });
        self.send_calls();
    }

    /// An id that no call of ours had.
    fn fresh_id(&mut self) -> RequestId {
        self.last_id =
            RequestId(self.last_id.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407));
        self.last_id
    }

    fn send_calls(&mut self) {
        let mut too_long = Vec::new();
        for call in self.calls.values_mut().filter(|call| !call.sent) {
            let bytes = postcard::to_allocvec(&call.request).expect("an envelope is encodable");
            match self.link.send_message(bytes) {
                Ok(()) => call.sent = true,
                // Later: the queue is full, or there is no session yet.
                Err(link::SendError::NotUp | link::SendError::Full) => break,
                Err(link::SendError::TooLong { limit }) => too_long.push((call.request.id, limit)),
            }
        }
        for (id, limit) in too_long {
            if let Some(call) = self.calls.remove(&id) {
                self.tell(call.client, &FromBroker::TooLong { id, limit: limit as u64 });
            }
        }
    }

    fn on_response(&mut self, response: Response, now: Micros) {
        let Some(call) = self.calls.remove(&response.id) else {
            // An answer that came twice, or to a call of a broker before us.
            return;
        };
        if response.id == self.hello {
            return self.on_hello(response);
        }
        if self.is_about_cores(response.id) {
            return self.on_core(&response, now);
        }
        self.tell(call.client, &FromBroker::Answer(response));
        self.drop_orphans();
    }

    fn on_hello(&mut self, response: Response) {
        let greeting = response.result.map(|body| postcard::from_bytes::<Greeting>(&body));
        match greeting {
            Ok(Ok(greeting)) => {
                self.note(&format!("control domain version {}, Xen {}", greeting.version, greeting.xen));
                self.greeting = Some(greeting);
                self.send_calls();
                self.welcome_all();
            }
            Ok(Err(_)) | Err(Fault::UnknownKey | Fault::Malformed | Fault::TooLong { .. }) => {
                self.fail_all(&Lost::Incomprehensible)
            }
            Err(Fault::Busy { .. } | Fault::Full { .. } | Fault::Forgotten) => self.say_hello(),
        }
    }

    fn welcome_all(&mut self) {
        let Some(greeting) = &self.greeting else { return };
        for client in self.clients.values_mut().filter(|client| client.state == State::Greeted) {
            client.state = State::Welcomed;
            client.send(&FromBroker::Welcome(Welcome {
                greeting: greeting.clone(),
                shared_memory: self.shared_memory.clone(),
            }));
        }
    }

    /// Tells every client that was welcomed why it will hear nothing more, and forgets their calls.
    ///
    /// Clients that still wait for the control domain go on waiting, unless it will never understand us.
    fn fail_all(&mut self, reason: &Lost) {
        let patient = matches!(reason, Lost::Silent | Lost::Restarted);
        for client in self.clients.values_mut() {
            if client.state == State::Welcomed || !patient {
                client.send(&FromBroker::Lost(reason.clone()));
                client.finish();
            }
        }
        self.calls.clear();
        for number in self.streams.keys().copied().collect::<Vec<_>>() {
            self.drop_stream(number);
        }
    }

    /// Looks at what clients sent; true when something was done.
    fn serve_clients(&mut self) -> bool {
        let ids: Vec<ClientId> = self.clients.keys().copied().collect();
        let mut progress = false;
        for id in ids {
            loop {
                let nr_calls = self.nr_calls(id);
                let Some(client) = self.clients.get_mut(&id) else { break };
                match client.state {
                    State::New => {
                        if !client.take_greeting() {
                            break;
                        }
                        self.is_outdated |= client.state == State::Finished;
                        if self.link.is_up() {
                            self.welcome_all();
                        }
                        progress = true;
                    }
                    State::Welcomed if client.is_served(nr_calls) => {
                        match client.decoder.message::<ToBroker>() {
                            Ok(Some(message)) => {
                                self.on_client(id, message);
                                progress = true;
                            }
                            Ok(None) => break,
                            Err(_) => {
                                client.finish();
                                break;
                            }
                        }
                    }
                    _ => break,
                }
            }
        }
        progress
    }

    fn on_client(&mut self, id: ClientId, message: ToBroker) {
        match message {
            ToBroker::Call(request) => {
                self.calls.insert(request.id, Call { client: Some(id), request, sent: false });
                self.send_calls();
            }
            ToBroker::Reserve => {
                let channel = self.reserve(id);
                self.tell(Some(id), &FromBroker::Reserved(channel));
            }
            ToBroker::Data { channel, bytes } => {
                if self.owns(id, channel)
                    && let Some(client) = self.clients.get_mut(&id)
                {
                    client.held = Some((channel, bytes, 0));
                    self.write_held_of(id);
                }
            }
            ToBroker::Finish { channel } => {
                if self.owns(id, channel)
                    && let Some(channel) = Channel::new(channel)
                {
                    self.link.stream_close(channel);
                }
            }
            ToBroker::Reset { channel } => {
                if self.owns(id, channel) {
                    self.drop_stream(channel);
                }
            }
        }
    }

    fn tell(&mut self, client: Option<ClientId>, message: &FromBroker) {
        if let Some(client) = client.and_then(|id| self.clients.get_mut(&id)) {
            client.send(message);
        }
    }

    fn note(&mut self, text: &str) {
        self.log.extend_from_slice(format!("[broker] {text}\n").as_bytes());
    }
}
