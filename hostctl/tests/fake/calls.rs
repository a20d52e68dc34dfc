//! The fake's calls, and their canned answers.

use link::Channel;
use proto::Endpoint;
use proto::console::ConsoleOpened;
use proto::domain::{Created, DomainInfo, DomainPage, DomainRef, DomainState, Phase};
use proto::endpoints::*;
use proto::error::{DomainError, ImageError};
use proto::host::{ConsolePart, Greeting};
use proto::image::{SharedMemoryUse, Upload};
use proto::wire::{Fault, Request, RequestId};

use super::domain;
use super::line::{Incoming, Machine};

impl Machine {
    fn find(&self, name: &DomainRef) -> Result<DomainInfo, DomainError> {
        let world = self.world.lock().unwrap();
        let by_name = world.domains.iter().find(|domain| domain.name == name.0);
        let by_id = || world.domains.iter().find(|domain| domain.domid.to_string() == name.0);
        let by_uuid =
            || world.domains.iter().find(|domain| hostctl::output::uuid_text(&domain.uuid) == name.0);
        by_name.or_else(by_id).or_else(by_uuid).cloned().ok_or(DomainError::NotFound)
    }

    fn act(&mut self, request: &Request, change: impl Fn(&mut DomainInfo)) -> Result<(), DomainError> {
        let found = self.find(&body::<DomainPause>(request))?;
        if found.domid == 0 {
            return Err(DomainError::Privileged);
        }
        let mut world = self.world.lock().unwrap();
        world.domains.iter_mut().filter(|domain| domain.domid == found.domid).for_each(change);
        Ok(())
    }

    pub(super) fn create_now(&mut self, id: RequestId) {
        let mut world = self.world.lock().unwrap();
        let config = world.created.last().expect("it was recorded").config.clone();
        let mut info = domain(&config.name, 7);
        info.uuid = config.uuid.unwrap_or([7; 16]);
        world.domains.push(info.clone());
        drop(world);
        let phases = vec![Phase { name: "build".into(), us: 1500 }];
        let created = Created { domid: 7, uuid: info.uuid, phases, exits: 30, hypercalls: 55 };
        self.answer::<DomainCreate>(id, &Ok(created));
    }

    pub(super) fn on_request(&mut self, request: Request) {
        let id = request.id;
        let path = ALL.iter().find(|(_, key)| *key == request.key).map(|(path, _)| *path);
        let is_foreign = self.world.lock().unwrap().is_foreign;
        let Some(path) = path.filter(|path| !is_foreign || *path == Hello::PATH) else {
            return self.reply(id, Err(Fault::UnknownKey));
        };
        self.world.lock().unwrap().paths.push(path);
        match path {
            Hello::PATH if self.world.lock().unwrap().greets => self.answer::<Hello>(
                id,
                &Greeting {
                    version: "9.9.9".into(),
                    boot_id: self.boot,
                    xen: "4.17.6".into(),
                    uptime_ms: 5,
                    paths: ALL.iter().map(|(path, _)| path.to_string()).collect(),
                },
            ),
            Hello::PATH => {}
            DomainList::PATH => {
                let domains = self.world.lock().unwrap().domains.clone();
                self.answer::<DomainList>(id, &Ok(DomainPage { domains, next: None }));
            }
            DomainFind::PATH => {
                let found = self.find(&body::<DomainFind>(&request));
                self.answer::<DomainFind>(id, &found);
            }
            DomainPause::PATH => {
                let done = self.act(&request, |domain| domain.state |= DomainState::PAUSED);
                self.answer::<DomainPause>(id, &done);
            }
            DomainUnpause::PATH => {
                let done = self.act(&request, |domain| domain.state -= DomainState::PAUSED);
                self.answer::<DomainUnpause>(id, &done);
            }
            DomainDestroy::PATH => {
                let found = self.find(&body::<DomainDestroy>(&request));
                let done = self.act(&request, |_| ());
                if let (Ok(found), Ok(())) = (found, &done) {
                    self.world.lock().unwrap().domains.retain(|domain| domain.domid != found.domid);
                }
                self.answer::<DomainDestroy>(id, &done);
            }
            DomainWait::PATH => self.waits.push(id),
            DomainCreate::PATH => {
                let mut world = self.world.lock().unwrap();
                world.created.push(body::<DomainCreate>(&request));
                let (refuses, holds) = (world.refuses_creation.clone(), world.holds_creations);
                drop(world);
                match refuses {
                    Some(error) => self.answer::<DomainCreate>(id, &Err(error)),
                    None if holds => self.held.push(id),
                    None => self.create_now(id),
                }
            }
            ConsoleOpenStream::PATH => {
                let open = body::<ConsoleOpenStream>(&request);
                let found = self.find(&open.domain);
                if let Ok(found) = &found {
                    let channel = Channel::new(open.channel.0).expect("a stream's channel");
                    self.link.stream_open(channel).expect("the channel is free");
                    let opened = ConsoleOpened { domid: found.domid, lost: 0 };
                    self.answer::<ConsoleOpenStream>(id, &Ok(opened));
                    let text = self.world.lock().unwrap().console_text.clone();
                    let _ = self.link.stream_write(channel, &text);
                    if open.follow {
                        self.consoles.push(channel);
                        self.world.lock().unwrap().consoles = self.consoles.len();
                    } else {
                        self.link.stream_close(channel);
                    }
                } else {
                    self.answer::<ConsoleOpenStream>(id, &Err(DomainError::NotFound));
                }
            }
            ImagesPresent::PATH => {
                let ids = body::<ImagesPresent>(&request);
                self.answer::<ImagesPresent>(id, &vec![false; ids.len()]);
            }
            ImagesBundled::PATH => {
                self.answer::<ImagesBundled>(id, &vec![("k".into(), proto::image::ImageId([1; 32]))]);
            }
            ImageBegin::PATH => {
                let offer = body::<ImageBegin>(&request);
                let channel = Channel::new(offer.channel.0).expect("a stream's channel");
                self.link.stream_open(channel).expect("the channel is free");
                let is_reachable = offer.shared_memory != SharedMemoryUse::Unreachable;
                let memory = self.world.lock().unwrap().shared_memory.clone().filter(|_| is_reachable);
                let memory = memory.map(|path| {
                    let memory = hostctl::shm::SharedMemory::open(&path).expect("the shared memory");
                    (memory, ring::Consumer::new(hostctl::shm::RING))
                });
                let way = if memory.is_some() { Upload::SharedMemory } else { Upload::Line };
                let incoming = Incoming { expected: offer.stored_len as usize, received: 0, memory };
                self.uploads.insert(channel, incoming);
                self.answer::<ImageBegin>(id, &Ok(way));
            }
            ImageFinish::PATH => {
                if self.uploads.is_empty() {
                    self.answer::<ImageFinish>(id, &Err(ImageError::NotBegun));
                } else {
                    self.finishing = Some(id);
                    self.check_upload();
                }
            }
            HostLog::PATH => {
                let channel = Channel::new(body::<HostLog>(&request).channel.0).expect("a stream's channel");
                self.link.stream_open(channel).expect("the channel is free");
                self.answer::<HostLog>(id, &Ok(()));
                let _ = self.link.stream_write(channel, b"INFO up\n");
                self.link.stream_close(channel);
            }
            StoreOpenStream::PATH if self.world.lock().unwrap().refuses_stores => {
                self.answer::<StoreOpenStream>(id, &Err(DomainError::TooManyStreams { limit: 32 }));
            }
            StoreOpenStream::PATH => {
                let channel = body::<StoreOpenStream>(&request).channel.0;
                let channel = Channel::new(channel).expect("a stream's channel");
                self.link.stream_open(channel).expect("the channel is free");
                self.stores.open(channel);
                self.answer::<StoreOpenStream>(id, &Ok(()));
            }
            HostDmesg::PATH => {
                let mut text = b"(XEN) one\n(XEN) two\x1b[31m".to_vec();
                text.resize(text.len() + self.world.lock().unwrap().dmesg_padding, b'.');
                let part = ConsolePart { next: text.len() as u32, text, lost: 0, is_last: true };
                self.answer::<HostDmesg>(id, &Ok(part));
            }
            _ => self.reply(id, Err(Fault::UnknownKey)),
        }
    }
}

fn body<E: Endpoint>(request: &Request) -> E::Request {
    postcard::from_bytes(&request.body).expect("the endpoint's request")
}
