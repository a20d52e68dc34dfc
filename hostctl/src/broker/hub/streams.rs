//! The broker's streams: whose they are, and how much of them may wait.

use link::Channel;

use super::{ClientId, Hub};
use crate::broker::client::SLOW;
use crate::broker::ipc::FromBroker;

/// A stream's channel that is in use.
pub(super) struct Stream {
    /// Whose it is; `None` when the client is gone, and the channel is kept until that client's calls are answered.
    pub(super) client: Option<ClientId>,
    /// The control domain has been heard on it.
    pub(super) heard: bool,
    /// Bytes that were passed to the client and not yet given back as credit.
    unconsumed: usize,
}

impl Hub {
    pub(super) fn owns(&self, id: ClientId, channel: u16) -> bool {
        self.streams.get(&channel).is_some_and(|stream| stream.client == Some(id))
    }

    /// Opens our end of a free channel. Numbers go round, so that a late word on an old stream does not meet a new one.
    pub(super) fn reserve(&mut self, id: ClientId) -> Option<u16> {
        for _ in 0..u16::MAX {
            self.next_channel = self.next_channel.wrapping_add(1);
            let Some(channel) = Channel::new(self.next_channel) else { continue };
            match self.link.stream_open(channel) {
                Ok(()) => {
                    let stream = Stream { client: Some(id), heard: false, unconsumed: 0 };
                    self.streams.insert(channel.get(), stream);
                    return Some(channel.get());
                }
                Err(link::StreamError::InUse) => {}
                Err(_) => return None,
            }
        }
        None
    }

    pub(super) fn write_held(&mut self, channel: Channel) {
        let holder = self
            .clients
            .iter()
            .find(|(_, client)| client.held.as_ref().is_some_and(|(number, ..)| *number == channel.get()))
            .map(|(&id, _)| id);
        if let Some(id) = holder {
            self.write_held_of(id);
        }
    }

    /// Writes what a client holds for its stream, as far as the stream takes it.
    pub(super) fn write_held_of(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let Some((number, bytes, written)) = &mut client.held else { return };
        let Some(channel) = Channel::new(*number) else { return };
        match self.link.stream_write(channel, &bytes[*written..]) {
            Ok(count) if *written + count < bytes.len() => *written += count,
            // All of it, or the stream is gone: its reset is an event of its own.
            Ok(_) | Err(_) => client.held = None,
        }
    }

    pub(super) fn on_data(&mut self, channel: Channel, bytes: Vec<u8>) {
        let Some(stream) = self.streams.get_mut(&channel.get()) else {
            self.link.stream_consumed(channel, bytes.len());
            return;
        };
        stream.heard = true;
        stream.unconsumed += bytes.len();
        let client = stream.client;
        self.tell(client, &FromBroker::Data { channel: channel.get(), bytes });
    }

    /// Gives credit for what was passed on, unless the client is slow to take it.
    pub(super) fn give_credit(&mut self) {
        for (&number, stream) in self.streams.iter_mut().filter(|(_, stream)| stream.unconsumed > 0) {
            let waiting =
                stream.client.and_then(|id| self.clients.get(&id)).map_or(0, |client| client.out.len());
            if waiting <= SLOW
                && let Some(channel) = Channel::new(number)
            {
                self.link.stream_consumed(channel, std::mem::take(&mut stream.unconsumed));
            }
        }
    }

    pub(super) fn drop_stream(&mut self, number: u16) {
        self.streams.remove(&number);
        if let Some(channel) = Channel::new(number) {
            self.link.stream_reset(channel);
        }
    }

    /// Throws away streams whose client is gone, once none of the calls of gone clients is under way.
    pub(super) fn drop_orphans(&mut self) {
        if self.calls.iter().any(|(&id, call)| call.client.is_none() && !self.is_about_cores(id)) {
            return;
        }
        let orphans: Vec<u16> =
            self.streams.iter().filter(|(_, s)| s.client.is_none()).map(|(&n, _)| n).collect();
        orphans.into_iter().for_each(|number| self.drop_stream(number));
    }
}
