//! A session: what two identities share until one of them forgets it.

use alloc::vec::Vec;

use crate::config::Config;
use crate::event::{Event, Violation};
use crate::frame::{Acks, Frame, Tag};
use crate::hello::{Identity, Limits};
use crate::message::{Inbox, Outbox};
use crate::queue::EventQueue;
use crate::receiver::{Arrival, Receiver};
use crate::record::Record;
use crate::sender::Sender;
use crate::streams::Streams;
use crate::time::Micros;

/// What a session wants on the line.
pub(crate) enum Outgoing {
    /// A record: the transmission's number, and whether it was sent before.
    Data { number: u32, repeated: bool },
    /// Only an acknowledgement.
    Ack,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) peer: Identity,
    /// Tag of what we send, and of what the peer sends.
    pub(crate) tag_out: Tag,
    pub(crate) tag_in: Tag,
    /// The peer has shown that it knows us. Before, nothing but hellos is sent, so that
    /// a session not confirmed can be dropped without trace.
    pub(crate) confirmed: bool,
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
    pub(crate) outbox: Outbox,
    pub(crate) inbox: Inbox,
    pub(crate) streams: Streams,
    /// Longest record that both ends take.
    record: usize,
}

impl Session {
    pub(crate) fn new(config: &Config, me: Identity, peer: Identity, theirs: &Limits) -> Self {
        let ours = Limits::of(config);
        Self {
            peer,
            tag_out: me.tag_towards(peer),
            tag_in: peer.tag_towards(me),
            confirmed: false,
            sender: Sender::new(ours.window.min(theirs.window)),
            receiver: Receiver::new(ours.window),
            outbox: Outbox::new(theirs, config.message_queue),
            inbox: Inbox::new(&ours),
            streams: Streams::new(config),
            record: ours.record.min(theirs.record),
        }
    }

    /// Takes in a data frame; returns what became of it.
    pub(crate) fn data_came(
        &mut self,
        (sequence, number): (u8, u8),
        record: &[u8],
        events: &mut EventQueue,
    ) -> Result<Arrival, Violation> {
        let arrival = self.receiver.arrived(sequence, number, record)?;
        if arrival == Arrival::InOrder {
            self.record_came(record, events)?;
            while let Some(record) = self.receiver.next_held() {
                self.record_came(&record, events)?;
            }
        }
        Ok(arrival)
    }

    fn record_came(&mut self, record: &[u8], events: &mut EventQueue) -> Result<(), Violation> {
        match Record::parse(record).ok_or(Violation::Malformed)? {
            Record::Whole(bytes) => {
                let message = self.inbox.whole(bytes)?;
                events.push(Event::Message(message));
            }
            Record::Start { total, part } => self.inbox.start(total, part)?,
            Record::Part(part) => {
                if let Some(message) = self.inbox.part(part)? {
                    events.push(Event::Message(message));
                }
            }
            Record::MessageCredit(more) => self.outbox.grant(more)?,
            Record::Data(channel, data) => self.streams.data_came(channel, data, events)?,
            Record::End(channel) => self.streams.peer_ended(channel, events)?,
            Record::Open(channel, credit) => self.streams.peer_opened(channel, credit)?,
            Record::Credit(channel, more) => self.streams.granted(channel, more)?,
            Record::Reset(channel) => self.streams.reset_came(channel, events),
        }
        Ok(())
    }

    /// Says whether [`next_frame`](Self::next_frame) has something.
    pub(crate) fn wants_transmit(&self) -> bool {
        self.receiver.is_due()
            || self.sender.has_due()
            || (self.sender.has_room()
                && (self.inbox.is_grant_due()
                    || self.outbox.is_ready(self.record)
                    || self.streams.is_ready()))
    }

    /// Writes the next frame to `out`: what is to be repeated before what is new, since everything waits for it.
    pub(crate) fn next_frame(
        &mut self,
        now: Micros,
        out: &mut Vec<u8>,
        events: &mut EventQueue,
    ) -> Option<Outgoing> {
        if !self.sender.has_due() && self.sender.has_room() {
            let mut record = self.sender.buffer();
            if self.compose(&mut record, events) {
                self.sender.push(record);
            } else {
                self.sender.recycle(record);
            }
        }
        if let Some(due) = self.sender.next_due(now) {
            let (number, repeated) = (due.number, due.repeated);
            let acks = self.receiver.acknowledge();
            Frame::Data {
                tag: self.tag_out,
                acks,
                sequence: due.sequence,
                number: number as u8,
                record: due.record,
            }
            .put(out);
            return Some(Outgoing::Data { number, repeated });
        }
        if !self.receiver.is_due() {
            return None;
        }
        self.put_ack(false, out);
        Some(Outgoing::Ack)
    }

    /// Writes a frame that only acknowledges, and may ask for the same, to `out`.
    pub(crate) fn put_ack(&mut self, ask: bool, out: &mut Vec<u8>) {
        let acks: Acks = self.receiver.acknowledge();
        Frame::Ack { tag: self.tag_out, acks, ask }.put(out);
    }

    /// Writes the next new record: credit and marks, then messages, then the streams in turn.
    fn compose(&mut self, out: &mut Vec<u8>, events: &mut EventQueue) -> bool {
        if let Some(more) = self.inbox.grant() {
            Record::MessageCredit(more).put(out);
            return true;
        }
        self.streams.next_control(out)
            || self.outbox.next_record(self.record, out)
            || self.streams.next_data(self.record, out, events)
    }
}
