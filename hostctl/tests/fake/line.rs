//! The fake's line: one connection after the other, crate `link` on it, and the streams that are open.

use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use link::{BootId, Channel, Config, Event, Link, Micros};
use proto::Endpoint;
use proto::endpoints::*;
use proto::wire::{Fault, Request, RequestId, Response};

use super::{Order, World, store};

/// The control domain: crate `link`, and what is open on it.
pub(super) struct Machine {
    pub(super) world: Arc<Mutex<World>>,
    orders: Receiver<Order>,
    start: Instant,
    pub(super) boot: u64,
    pub(super) link: Link,
    pub(super) waits: Vec<RequestId>,
    pub(super) held: Vec<RequestId>,
    pub(super) consoles: Vec<Channel>,
    /// Uploads: bytes so far, or through memory.
    pub(super) uploads: HashMap<Channel, Incoming>,
    answers: HashMap<RequestId, Vec<u8>>,
    /// Answers that the link did not take yet.
    unsent: VecDeque<Vec<u8>>,
    pub(super) finishing: Option<RequestId>,
    pub(super) stores: store::Stores,
}

/// An image on its way in.
pub(super) struct Incoming {
    pub(super) expected: usize,
    pub(super) received: usize,
    pub(super) memory: Option<(hostctl::shm::SharedMemory, ring::Consumer)>,
}

impl Machine {
    pub(super) fn new(world: Arc<Mutex<World>>, orders: Receiver<Order>) -> Machine {
        Machine {
            world,
            orders,
            start: Instant::now(),
            boot: 1000,
            link: Link::new(Config::kernel(), BootId::new(1000), Micros(0)),
            waits: Vec::new(),
            held: Vec::new(),
            consoles: Vec::new(),
            uploads: HashMap::new(),
            answers: HashMap::new(),
            unsent: VecDeque::new(),
            finishing: None,
            stores: store::Stores::new(),
        }
    }

    fn now(&self) -> Micros {
        Micros(self.start.elapsed().as_micros() as u64)
    }

    pub(super) fn run(&mut self, listener: &UnixListener) {
        listener.set_nonblocking(true).expect("sockets can be non-blocking");
        let mut line: Option<UnixStream> = None;
        loop {
            match self.orders.try_recv() {
                Ok(Order::Quit) | Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
                Ok(Order::Cut) => line = None,
                Ok(order) => self.obey(order),
                Err(std::sync::mpsc::TryRecvError::Empty) => {}
            }
            if let Ok((stream, _)) = listener.accept() {
                stream.set_nonblocking(false).expect("sockets can block");
                stream.set_read_timeout(Some(Duration::from_millis(1))).expect("reads can have a limit");
                line = Some(stream);
            }
            match &mut line {
                Some(stream) => {
                    if !self.serve(stream) {
                        line = None;
                    }
                }
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// One round on the line; false when it is gone.
    fn serve(&mut self, stream: &mut UnixStream) -> bool {
        let mut buffer = [0; 65536];
        match stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => {
                let now = self.now();
                self.link.receive(&buffer[..count], now);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return false,
        }
        let now = self.now();
        self.link.tick(now);
        self.send();
        while let Some(event) = self.link.poll_event() {
            self.on_event(event);
        }
        self.stores.send(&mut self.link);
        self.world.lock().unwrap().stores = self.stores.nr_open();
        loop {
            let count = self.link.transmit(&mut buffer, now);
            if count == 0 {
                return true;
            }
            if stream.write_all(&buffer[..count]).is_err() {
                return false;
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Restart => {
                self.boot += 1;
                self.link = Link::new(Config::kernel(), BootId::new(self.boot), self.now());
                self.answers.clear();
                self.waits.clear();
                self.held.clear();
                self.consoles.clear();
            }
            Order::End(ended) => {
                for id in std::mem::take(&mut self.waits) {
                    self.answer::<DomainWait>(id, &Ok(ended));
                }
                for console in std::mem::take(&mut self.consoles) {
                    self.link.stream_close(console);
                }
            }
            Order::Release => {
                for id in std::mem::take(&mut self.held) {
                    self.create_now(id);
                }
            }
            Order::Print(bytes) => {
                for console in self.consoles.clone() {
                    let _ = self.link.stream_write(console, &bytes);
                }
            }
            Order::Cut | Order::Quit => unreachable!("handled by the loop"),
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Message(bytes) => {
                let request: Request = postcard::from_bytes(&bytes).expect("a request");
                match self.answers.get(&request.id) {
                    Some(answer) => {
                        let _ = self.link.send_message(answer.clone());
                    }
                    // It runs; its answer comes when it is ready.
                    None if self.held.contains(&request.id) => {}
                    None => self.on_request(request),
                }
            }
            Event::StreamData(channel, bytes) if self.stores.has(channel) => {
                self.link.stream_consumed(channel, bytes.len());
                if !self.stores.receive(channel, &bytes) {
                    self.stores.close(channel);
                    self.link.stream_close(channel);
                }
            }
            Event::StreamReset(channel) | Event::StreamEnd(channel) if self.stores.has(channel) => {
                self.stores.close(channel);
                self.link.stream_reset(channel);
            }
            Event::StreamData(channel, bytes) => {
                if self.world.lock().unwrap().is_deaf {
                    return;
                }
                self.link.stream_consumed(channel, bytes.len());
                if let Some(incoming) = self.uploads.get_mut(&channel) {
                    match &mut incoming.memory {
                        Some((memory, consumer)) => {
                            let mut part = vec![0; 1 << 20];
                            let count = consumer.read(memory, &mut part).expect("the ring is whole");
                            incoming.received += count;
                            let _ = self.link.stream_write(channel, &[1]);
                        }
                        None => incoming.received += bytes.len(),
                    }
                    self.check_upload();
                } else {
                    let mut world = self.world.lock().unwrap();
                    world.typed.extend(&bytes);
                    if !world.is_mute {
                        let _ = self.link.stream_write(channel, &bytes);
                    }
                }
            }
            // The end is behind what is typed, and that is not taken.
            Event::StreamEnd(channel)
                if self.consoles.contains(&channel) && self.world.lock().unwrap().is_deaf => {}
            Event::StreamReset(channel) | Event::StreamEnd(channel) if self.consoles.contains(&channel) => {
                self.consoles.retain(|console| *console != channel);
                self.world.lock().unwrap().consoles = self.consoles.len();
                self.link.stream_reset(channel);
            }
            _ => {}
        }
    }

    pub(super) fn check_upload(&mut self) {
        let done = self.uploads.iter().find(|(_, incoming)| incoming.received >= incoming.expected);
        if let (Some((&channel, _)), Some(id)) = (done, self.finishing) {
            let incoming = self.uploads.remove(&channel).expect("it was found");
            self.world.lock().unwrap().uploads.push((incoming.received, incoming.memory.is_some()));
            self.finishing = None;
            self.link.stream_reset(channel);
            self.answer::<ImageFinish>(id, &Ok(()));
        }
    }

    pub(super) fn answer<E: Endpoint>(&mut self, id: RequestId, body: &E::Response) {
        let body = postcard::to_allocvec(body).expect("encodable");
        self.reply(id, Ok(body));
    }

    pub(super) fn reply(&mut self, id: RequestId, result: Result<Vec<u8>, Fault>) {
        let bytes = postcard::to_allocvec(&Response { id, result }).expect("encodable");
        self.answers.insert(id, bytes.clone());
        self.unsent.push_back(bytes);
        self.send();
    }

    /// Sends what the link takes now.
    fn send(&mut self) {
        while let Some(bytes) = self.unsent.pop_front() {
            if let Err(link::SendError::Full) = self.link.send_message(bytes.clone()) {
                self.unsent.push_front(bytes);
                return;
            }
        }
    }
}
