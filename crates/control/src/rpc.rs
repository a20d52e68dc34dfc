//! Calls from hostctl: decoded, carried out side by side, answered once.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::cell::RefCell;

use hypercall::{Aperture, Door};
use link::rpc::{Begin, Bounds, Finish, ReplyCache};
use link::{DownReason, SendError};
use proto::endpoints::{CoreWait, DomainFollow, DomainSysrq, DomainWait, Endpoint, HostJournalWait};
use proto::wire::{Fault, Key, Request, RequestId, Response};

use crate::control::Control;
use crate::host::Host;

/// Calls that may run side by side.
const MOST_CALLS: usize = 64;
/// An eighth of the heap may be arguments and answers of calls: room for eight of the longest messages, and for the
/// latest answers.
const BOUNDS: Bounds = Bounds { running: MOST_CALLS, arguments: 512 << 10, ids: 256, replies: 64 << 10 };

/// Calls among them that may wait for a domain's end, for what comes before it, or for news of the journal. An asker that gives up
/// cannot say so, and some domains never end.
const WAITING: usize = 32;

/// The calls that wait.
const WAITS: [Key; 5] =
    [DomainWait::KEY, DomainFollow::KEY, DomainSysrq::KEY, HostJournalWait::KEY, CoreWait::KEY];

/// Calls that run or were answered lately.
pub(crate) struct Calls<H: Host> {
    replies: RefCell<ReplyCache<RequestId>>,
    /// Calls that wait, oldest first.
    waits: RefCell<VecDeque<(RequestId, H::Task)>>,
    /// Answers that the link had no room for yet. Their calls still count as running, so they stay few.
    answers: RefCell<VecDeque<(RequestId, Vec<u8>)>>,
}

impl<H: Host> Calls<H> {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            replies: RefCell::new(ReplyCache::new(BOUNDS)),
            waits: RefCell::default(),
            answers: RefCell::default(),
        }
    }

    /// The link went down: unless it is only lost, nobody waits any more. Who still wants to know asks again.
    pub(crate) fn link_down(&self, reason: &DownReason) {
        if *reason == DownReason::Lost {
            return;
        }
        let mut replies = self.replies.borrow_mut();
        replies.link_down(reason);
        for (id, task) in self.waits.take() {
            // Dropping a task's handle cancels it.
            drop(task);
            replies.release(id);
        }
    }

    /// Enters a call that waits; in return gives the oldest one back, if there are too many.
    fn waits(&self, id: RequestId, task: H::Task) -> Option<RequestId> {
        let mut waits = self.waits.borrow_mut();
        waits.push_back((id, task));
        let (oldest, task) = if waits.len() > WAITING { waits.pop_front() } else { None }?;
        drop(task);
        Some(oldest)
    }

    /// A call has its answer; in return gives its task back, if it was one that waits.
    fn answered(&self, id: RequestId, reply: Vec<u8>) -> Option<H::Task> {
        self.answers.borrow_mut().push_back((id, reply));
        let mut waits = self.waits.borrow_mut();
        let place = waits.iter().position(|(waiting, _)| *waiting == id)?;
        waits.remove(place).map(|(_, task)| task)
    }
}

impl<M: Door + Aperture + 'static, H: Host> Control<M, H> {
    /// Takes a message of channel 0 and begins the call in it.
    pub(crate) fn receive(&'static self, message: &[u8]) {
        let Ok(request) = postcard::from_bytes::<Request>(message) else {
            log::warn!("link: a message of {} bytes is no request; dropped", message.len());
            return;
        };
        let id = request.id;
        let fault = match self.calls.replies.borrow_mut().begin(id, request.body.len()) {
            Begin::Run => None,
            Begin::Running => return,
            // All that are kept fit the link's queue together.
            Begin::Done(reply) => return self.send(id, reply.to_vec()),
            Begin::Forgotten => Some(Fault::Forgotten),
            Begin::Busy { limit } => Some(Fault::Busy { limit: limit as u16 }),
            Begin::Full { limit } => Some(Fault::Full { limit_kib: (limit >> 10) as u16 }),
        };
        match fault {
            Some(fault) => self.send(id, encode(id, Err(fault))),
            None if WAITS.contains(&request.key) => {
                let task = self.host().spawn(self.carry_out(request));
                if let Some(oldest) = self.calls.waits(id, task) {
                    self.calls.answered(oldest, encode(oldest, Err(Fault::Busy { limit: WAITING as u16 })));
                }
            }
            None => self.run(self.carry_out(request)),
        }
    }

    /// Hands the link the answers that it has room for: for the task that drives it.
    pub fn hand_answers(&self) {
        let mut answers = self.calls.answers.borrow_mut();
        let has_room = |(_, reply): &mut (RequestId, Vec<u8>)| {
            !self.line.with_link(|link| link.is_full_for(reply.len()))
        };
        while let Some((id, reply)) = answers.pop_front_if(has_room) {
            let finish = self.calls.replies.borrow_mut().finish(id, &reply);
            if finish == Finish::Send {
                self.send(id, reply);
            }
        }
    }

    async fn carry_out(&'static self, Request { id, key, body }: Request) {
        let result = self.route(key, body).await;
        if let Some(task) = self.calls.answered(id, encode(id, result)) {
            self.host().detach(task);
        }
        self.line.kick();
    }

    fn send(&self, id: RequestId, reply: Vec<u8>) {
        let sent = match self.line.send(reply) {
            Err(SendError::TooLong { limit }) => {
                log::warn!("link: an answer is longer than the {limit} bytes that the asker takes");
                let limit_kib = u16::try_from(limit >> 10).unwrap_or(u16::MAX);
                self.line.send(encode(id, Err(Fault::TooLong { limit_kib })))
            }
            sent => sent,
        };
        if let Err(error) = sent {
            // Whoever asked repeats the request when the link is back, and gets the answer from the cache.
            log::debug!("link: an answer was dropped: {error}");
        }
    }
}

fn encode(id: RequestId, result: Result<Vec<u8>, Fault>) -> Vec<u8> {
    postcard::to_allocvec(&Response { id, result }).expect("a vector takes any number of bytes")
}
