//! One connection's state, without any I/O: what is to be sent, what is in flight, what came.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::task::{Context, Poll, Waker};

use super::error::{ClientError, Fault, refused};
use super::event_queue::EventQueue;
use crate::WatchEvent;
use crate::wire::{Decoder, MessageType as Type, PAYLOAD_MAX, Request, decimal, encode, one_string};

/// The requests that are in flight at a time; upstream's servers allow guests 20.
pub const MAX_IN_FLIGHT: usize = 16;

/// What has to be taken back if nobody waits any more for a request's answer.
#[derive(Debug)]
pub(super) enum Undo {
    Nothing,
    /// It began a transaction.
    Transaction,
    /// It set a watch.
    Watch {
        path: String,
        token: String,
    },
}

#[derive(Debug)]
enum State {
    Waiting(Option<Waker>),
    Done(Result<Vec<u8>, ClientError>),
    Abandoned,
}

#[derive(Debug)]
struct Flight {
    ty: Type,
    tx_id: u32,
    undo: Undo,
    state: State,
}

#[derive(Debug, Default)]
pub(super) struct Session {
    outgoing: VecDeque<u8>,
    decoder: Decoder,
    flights: BTreeMap<u32, Flight>,
    last_id: u32,
    pub(super) events: EventQueue,
    fault: Option<Fault>,
    /// Who moves the bytes.
    driver: Option<Waker>,
    /// Who waits for room among the flights, or for an event.
    room: Vec<Waker>,
    listeners: Vec<Waker>,
}

impl Session {
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    pub(super) fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
        self.outgoing.clear();
        for flight in self.flights.values_mut() {
            if let State::Waiting(waker) = &mut flight.state {
                waker.take().into_iter().for_each(Waker::wake);
            }
        }
        let all = self.room.drain(..).chain(self.listeners.drain(..)).chain(self.driver.take());
        all.for_each(Waker::wake);
    }

    pub(super) fn transmit(&mut self, into: &mut [u8]) -> usize {
        let len = into.len().min(self.outgoing.len());
        for (to, from) in into.iter_mut().zip(self.outgoing.drain(..len)) {
            *to = from;
        }
        len
    }

    /// Ready when there is something to send, or the connection is over.
    pub(super) fn poll_outgoing(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.fault.is_some() || !self.outgoing.is_empty() {
            return Poll::Ready(());
        }
        self.driver = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Moves all that is to be sent behind `into`.
    pub(super) fn take_outgoing(&mut self, into: &mut Vec<u8>) {
        into.extend(self.outgoing.drain(..));
    }

    pub(super) fn receive(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        loop {
            if let Some(fault) = self.fault {
                return Err(fault);
            }
            let decoded = self.decoder.decode(|into| {
                let len = into.len().min(bytes.len());
                let (now, rest) = bytes.split_at(len);
                into[..len].copy_from_slice(now);
                bytes = rest;
                Ok::<_, Fault>(len)
            });
            let done = match decoded {
                Ok(None) => return Ok(()),
                Ok(Some(message)) => self.accept(message),
                Err(fault) => Err(fault),
            };
            if let Err(fault) = done {
                self.fail(fault);
                return Err(fault);
            }
        }
    }

    /// A message of the server's. (What comes has the form of a request.)
    fn accept(&mut self, message: Request) -> Result<(), Fault> {
        let Request { ty, req_id, tx_id, payload } = message;
        if ty == Type::WATCH_EVENT {
            return self.accept_event(&payload);
        }
        let flight = self.flights.get_mut(&req_id).ok_or(Fault::Unasked { req_id })?;
        if matches!(flight.state, State::Done(_)) {
            return Err(Fault::Unasked { req_id });
        }
        let answer = match ty {
            Type::ERROR => Err(refused(one_string(&payload).map_err(|_| Fault::Malformed(ty))?)),
            _ => Ok(payload),
        };
        if tx_id != flight.tx_id || (answer.is_ok() && ty != flight.ty) {
            return Err(Fault::Mismatched { req_id });
        }
        if let (Undo::Watch { path, token }, Err(_)) = (&flight.undo, &answer) {
            self.events.unwatch(path, token);
        }
        match &mut flight.state {
            State::Waiting(waker) => {
                waker.take().into_iter().for_each(Waker::wake);
                flight.state = State::Done(answer);
            }
            State::Abandoned | State::Done(_) => {
                if let (Some(flight), Ok(payload)) = (self.flights.remove(&req_id), answer) {
                    self.undo(flight, &payload);
                }
                self.room.drain(..).for_each(Waker::wake);
            }
        }
        Ok(())
    }

    fn accept_event(&mut self, payload: &[u8]) -> Result<(), Fault> {
        let malformed = Fault::Malformed(Type::WATCH_EVENT);
        let (path, rest) = split_string(payload).ok_or(malformed)?;
        let token = one_string(rest).map_err(|_| malformed)?;
        let path = core::str::from_utf8(path).map_err(|_| malformed)?;
        self.events.push(WatchEvent { path: path.into(), token: token.to_vec() });
        self.listeners.drain(..).for_each(Waker::wake);
        Ok(())
    }

    /// Takes back what an answer brought that nobody waited for.
    fn undo(&mut self, flight: Flight, payload: &[u8]) {
        // Over the limit if need be: each of these stands for a flight that has just landed.
        match flight.undo {
            Undo::Nothing => {}
            Undo::Transaction => {
                if let Some(tx_id) = transaction_id(payload) {
                    self.abort(tx_id);
                }
            }
            Undo::Watch { path, token } => {
                self.events.unwatch(&path, &token);
                let parts = [path.as_bytes(), &[0], token.as_bytes(), &[0]];
                self.send(Type::UNWATCH, 0, &parts, Undo::Nothing, State::Abandoned);
            }
        }
    }

    /// Ends a transaction without waiting for the answer.
    pub(super) fn abort(&mut self, tx_id: u32) {
        if self.fault.is_none() {
            self.send(Type::TRANSACTION_END, tx_id, &[b"F\0"], Undo::Nothing, State::Abandoned);
        }
    }

    /// Ready when one more request may be in flight.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        if let Some(fault) = self.fault {
            return Poll::Ready(Err(ClientError::Ended(fault)));
        }
        if self.flights.len() < MAX_IN_FLIGHT {
            return Poll::Ready(Ok(()));
        }
        remember(&mut self.room, cx);
        Poll::Pending
    }

    /// Puts a request in flight; returns its id.
    pub(super) fn begin(
        &mut self,
        ty: Type,
        tx_id: u32,
        parts: &[&[u8]],
        undo: Undo,
    ) -> Result<u32, ClientError> {
        if parts.iter().map(|part| part.len()).sum::<usize>() > PAYLOAD_MAX {
            return Err(ClientError::Unsendable);
        }
        if let Undo::Watch { path, token } = &undo {
            self.events.watch(path, token);
        }
        Ok(self.send(ty, tx_id, parts, undo, State::Waiting(None)))
    }

    fn send(&mut self, ty: Type, tx_id: u32, parts: &[&[u8]], undo: Undo, state: State) -> u32 {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            // 0 is what events carry.
            if self.last_id != 0 && !self.flights.contains_key(&self.last_id) {
                break;
            }
        }
        self.outgoing.extend(encode(ty, self.last_id, tx_id, parts));
        self.flights.insert(self.last_id, Flight { ty, tx_id, undo, state });
        self.driver.take().into_iter().for_each(Waker::wake);
        self.last_id
    }

    pub(super) fn poll_reply(
        &mut self,
        req_id: u32,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Vec<u8>, ClientError>> {
        match self.flights.remove(&req_id) {
            Some(Flight { state: State::Done(answer), .. }) => {
                self.room.drain(..).for_each(Waker::wake);
                Poll::Ready(answer)
            }
            Some(flight) if self.fault.is_none() => {
                let state = State::Waiting(Some(cx.waker().clone()));
                self.flights.insert(req_id, Flight { state, ..flight });
                Poll::Pending
            }
            _ => Poll::Ready(Err(ClientError::Ended(self.fault.unwrap_or(Fault::Closed)))),
        }
    }

    /// Nobody waits for the answer any more.
    pub(super) fn abandon(&mut self, req_id: u32) {
        match self.flights.get_mut(&req_id) {
            Some(Flight { state: State::Done(_), .. }) => {
                let Some(flight) = self.flights.remove(&req_id) else { return };
                if let State::Done(Ok(payload)) = &flight.state
                    && self.fault.is_none()
                {
                    let payload = payload.clone();
                    self.undo(flight, &payload);
                }
                self.room.drain(..).for_each(Waker::wake);
            }
            Some(flight) => flight.state = State::Abandoned,
            None => {}
        }
    }

    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<WatchEvent, ClientError>> {
        if let Some(event) = self.events.pop() {
            return Poll::Ready(Ok(event));
        }
        if let Some(fault) = self.fault {
            return Poll::Ready(Err(ClientError::Ended(fault)));
        }
        remember(&mut self.listeners, cx);
        Poll::Pending
    }
}

/// The id that a TRANSACTION_START's answer gives. 0 would be no transaction.
pub(super) fn transaction_id(payload: &[u8]) -> Option<u32> {
    let text = one_string(payload).ok()?;
    decimal(text).ok().filter(|id| *id != 0)
}

/// The bytes before the first nul, and those after it.
pub(super) fn split_string(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let nul = payload.iter().position(|byte| *byte == 0)?;
    Some((&payload[..nul], &payload[nul + 1..]))
}

fn remember(wakers: &mut Vec<Waker>, cx: &Context<'_>) {
    if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
        wakers.push(cx.waker().clone());
    }
}
