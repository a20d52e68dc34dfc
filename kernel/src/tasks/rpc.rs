//! Calls from hostctl: decoded, carried out side by side, answered once.

use alloc::vec::Vec;
use core::cell::RefCell;

use link::rpc::{Begin, Finish, ReplyCache};
use proto::wire::{Fault, Request, RequestId, Response};

use crate::executor;
use crate::system::System;
use crate::tasks::calls;

/// Calls that may run side by side.
const RUNNING: usize = 64;
/// Answered calls that are remembered by id.
const REMEMBERED: usize = 256;
/// Bytes of answers that are kept.
const KEPT: usize = 64 << 10;

/// Calls that run or were answered lately.
pub type Replies = RefCell<ReplyCache<RequestId>>;

/// An empty table.
pub fn replies() -> Replies {
    RefCell::new(ReplyCache::new(RUNNING, REMEMBERED, KEPT))
}

/// Takes a message of channel 0 and begins the call in it.
pub fn receive(system: &'static System, message: &[u8]) {
    let Ok(request) = postcard::from_bytes::<Request>(message) else {
        log::warn!("link: a message of {} bytes is no request; dropped", message.len());
        return;
    };
    let id = request.id;
    let fault = match system.replies.borrow_mut().begin(id) {
        Begin::Run => None,
        Begin::Running => return,
        Begin::Done(reply) => return send(system, reply.to_vec()),
        Begin::Forgotten => Some(Fault::Forgotten),
        Begin::Busy { limit } => Some(Fault::Busy { limit: limit as u16 }),
    };
    match fault {
        Some(fault) => send(system, encode(id, Err(fault))),
        None => executor::spawn(carry_out(system, request)).detach(),
    }
}

async fn carry_out(system: &'static System, request: Request) {
    let result = calls::route(system, request.key, &request.body).await;
    let reply = encode(request.id, result);
    let finish = system.replies.borrow_mut().finish(request.id, &reply);
    if finish == Finish::Send {
        send(system, reply);
    }
}

fn encode(id: RequestId, result: Result<Vec<u8>, Fault>) -> Vec<u8> {
    postcard::to_allocvec(&Response { id, result }).expect("a vector takes any number of bytes")
}

fn send(system: &System, reply: Vec<u8>) {
    if let Err(error) = system.line.send(reply) {
        // The asker repeats its request when the link is back, and gets the answer from the cache.
        log::debug!("link: an answer has to wait: {error}");
    }
}
