//! Calls from hostctl: decoded, carried out side by side, answered once.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::cell::RefCell;

use async_task::Task;
use link::DownReason;
use link::rpc::{Begin, Bounds, Finish, ReplyCache};
use proto::endpoints::{DomainWait, Endpoint};
use proto::wire::{Fault, Request, RequestId, Response};

use crate::executor;
use crate::system::System;
use crate::tasks::calls;

/// Calls that may run side by side.
pub const MOST_CALLS: usize = 64;
/// An eighth of the heap may be arguments and answers of calls: room for eight of the longest messages, and for the
/// latest answers.
const BOUNDS: Bounds = Bounds { running: MOST_CALLS, arguments: 512 << 10, ids: 256, replies: 64 << 10 };

/// Calls among them that may wait for a domain's end. An asker that gives up cannot say so, and some domains never end.
const WAITING: usize = 32;

/// Calls that run or were answered lately.
pub struct Calls {
    replies: RefCell<ReplyCache<RequestId>>,
    /// Calls that wait for a domain's end, oldest first.
    waits: RefCell<VecDeque<(RequestId, Task<()>)>>,
    /// Answers that the link had no room for yet. Their calls still count as running, so they stay few.
    answers: RefCell<VecDeque<(RequestId, Vec<u8>)>>,
}

impl Calls {
    /// None yet.
    pub fn new() -> Self {
        Self {
            replies: RefCell::new(ReplyCache::new(BOUNDS)),
            waits: RefCell::default(),
            answers: RefCell::default(),
        }
    }

    /// The link went down: unless it is only lost, nobody waits any more. Who still wants to know asks again.
    pub fn link_down(&self, reason: &DownReason) {
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
    fn waits(&self, id: RequestId, task: Task<()>) -> Option<RequestId> {
        let mut waits = self.waits.borrow_mut();
        waits.push_back((id, task));
        let (oldest, task) = if waits.len() > WAITING { waits.pop_front() } else { None }?;
        drop(task);
        Some(oldest)
    }

    /// A call has its answer.
    fn answered(&self, id: RequestId, reply: Vec<u8>) {
        let mut waits = self.waits.borrow_mut();
        if let Some(place) = waits.iter().position(|(waiting, _)| *waiting == id)
            && let Some((_, task)) = waits.remove(place)
        {
            task.detach();
        }
        self.answers.borrow_mut().push_back((id, reply));
    }
}

/// Takes a message of channel 0 and begins the call in it.
pub fn receive(system: &'static System, message: &[u8]) {
    let Ok(request) = postcard::from_bytes::<Request>(message) else {
        log::warn!("link: a message of {} bytes is no request; dropped", message.len());
        return;
    };
    let id = request.id;
    let fault = match system.calls.replies.borrow_mut().begin(id, request.body.len()) {
        Begin::Run => None,
        Begin::Running => return,
        // All that are kept fit the link's queue together.
        Begin::Done(reply) => return send(system, reply.to_vec()),
        Begin::Forgotten => Some(Fault::Forgotten),
        Begin::Busy { limit } => Some(Fault::Busy { limit: limit as u16 }),
        Begin::Full { limit } => Some(Fault::Full { limit_kib: (limit >> 10) as u16 }),
    };
    match fault {
        Some(fault) => send(system, encode(id, Err(fault))),
        None if request.key == DomainWait::KEY => {
            let task = executor::spawn(carry_out(system, request));
            if let Some(oldest) = system.calls.waits(id, task) {
                system.calls.answered(oldest, encode(oldest, Err(Fault::Busy { limit: WAITING as u16 })));
            }
        }
        None => executor::spawn(carry_out(system, request)).detach(),
    }
}

/// Hands the link the answers that it has room for: for the task that drives it.
pub fn answer(system: &System) {
    let mut answers = system.calls.answers.borrow_mut();
    let has_room =
        |(_, reply): &mut (RequestId, Vec<u8>)| !system.line.with_link(|link| link.is_full_for(reply.len()));
    while let Some((id, reply)) = answers.pop_front_if(has_room) {
        let finish = system.calls.replies.borrow_mut().finish(id, &reply);
        if finish == Finish::Send {
            send(system, reply);
        }
    }
}

async fn carry_out(system: &'static System, Request { id, key, body }: Request) {
    let result = calls::route(system, key, body).await;
    system.calls.answered(id, encode(id, result));
    system.line.kick();
}

fn encode(id: RequestId, result: Result<Vec<u8>, Fault>) -> Vec<u8> {
    postcard::to_allocvec(&Response { id, result }).expect("a vector takes any number of bytes")
}

fn send(system: &System, reply: Vec<u8>) {
    if let Err(error) = system.line.send(reply) {
        // Whoever asked repeats the request when the link is back, and gets the answer from the cache.
        log::debug!("link: an answer was dropped: {error}");
    }
}
