//! All streams of a session: a bounded table, served in turn.
//!
//! # Resets
//!
//! Each end says `Reset` once of a stream that is thrown away: the one as a wish, the other as the answer, or both at
//! once. Then its number is free. So a reset of a stream that we do not know is answered: the peer's may have crossed
//! our end. But one of a stream that we refused is the answer to our own; to answer that as well would go on for ever.
//!
//! No count of refusals and answers is too many. They are kept in sets of numbers, which have a bound of their
//! own, and one peer's program that opens or resets without end costs the others nothing but its share of the line.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Bound;

use crate::channel_set::ChannelSet;
use crate::config::Config;
use crate::event::{Channel, Event, StreamError, Violation};
use crate::queue::EventQueue;
use crate::record::Record;
use crate::stream::Stream;

#[derive(Debug)]
pub(crate) struct Streams {
    table: BTreeMap<Channel, Stream>,
    /// Streams to be reset that are in the table no more, or never were.
    resets: ChannelSet,
    /// Streams of the peer's for which there was no room: until it answers our reset, or has crossed it with its own.
    refused: ChannelSet,
    /// Whose data went last.
    last: Option<Channel>,
    limit: usize,
    out_limit: usize,
    in_limit: usize,
}

impl Streams {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            table: BTreeMap::new(),
            resets: ChannelSet::default(),
            refused: ChannelSet::default(),
            last: None,
            limit: config.streams,
            out_limit: config.stream_out.max(1),
            in_limit: config.stream_in.clamp(1, 1 << 30),
        }
    }

    /// Says whether no stream is open at either end.
    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    // What the application does.

    pub(crate) fn open(&mut self, channel: Channel, events: &mut EventQueue) -> Result<(), StreamError> {
        if let Some(stream) = self.table.get_mut(&channel) {
            if !stream.open() {
                return Err(StreamError::InUse);
            }
            if stream.has_peer_ended() {
                events.push(Event::StreamEnd(channel));
            }
            return Ok(());
        }
        if self.refused.contains(channel) {
            return Err(StreamError::TooMany);
        }
        self.insert(channel).map(Stream::open).map(drop).ok_or(StreamError::TooMany)
    }

    fn insert(&mut self, channel: Channel) -> Option<&mut Stream> {
        if self.table.len() >= self.limit {
            return None;
        }
        Some(self.table.entry(channel).or_insert(Stream::new(self.out_limit, self.in_limit)))
    }

    pub(crate) fn write(&mut self, channel: Channel, bytes: &[u8]) -> Result<usize, StreamError> {
        let stream = self.table.get_mut(&channel).filter(|stream| stream.is_writable());
        Ok(stream.ok_or(StreamError::NotOpen)?.write(bytes))
    }

    /// The stream, for calls that have no effect if it is gone.
    pub(crate) fn get_mut(&mut self, channel: Channel) -> Option<&mut Stream> {
        self.table.get_mut(&channel)
    }

    // What the peer does.

    pub(crate) fn peer_opened(&mut self, channel: Channel, credit: u32) -> Result<(), Violation> {
        if let Some(stream) = self.table.get_mut(&channel) {
            return stream.peer_opened(channel, credit);
        }
        if self.refused.contains(channel) {
            return Err(Violation::OpenedTwice(channel));
        }
        if let Some(stream) = self.insert(channel) {
            return stream.peer_opened(channel, credit);
        }
        self.refused.insert(channel);
        self.resets.insert(channel);
        Ok(())
    }

    /// Credit may still be on its way for a stream that is over: it is then nothing to us.
    pub(crate) fn granted(&mut self, channel: Channel, more: u32) -> Result<(), Violation> {
        self.table.get_mut(&channel).map_or(Ok(()), |stream| stream.granted(channel, more))
    }

    pub(crate) fn data_came(
        &mut self,
        channel: Channel,
        data: &[u8],
        events: &mut EventQueue,
    ) -> Result<(), Violation> {
        let stream = self.table.get_mut(&channel).ok_or(Violation::NotOpen(channel))?;
        if stream.data_came(channel, data.len())? && !data.is_empty() {
            events.push_data(channel, data);
        }
        Ok(())
    }

    /// The end of a stream that was refused may still be on its way: it is then nothing to us.
    pub(crate) fn peer_ended(&mut self, channel: Channel, events: &mut EventQueue) -> Result<(), Violation> {
        let Some(stream) = self.table.get_mut(&channel) else { return Ok(()) };
        if stream.peer_ended(channel)? {
            events.push(Event::StreamEnd(channel));
        }
        if stream.is_over() {
            self.table.remove(&channel);
        }
        Ok(())
    }

    pub(crate) fn reset_came(&mut self, channel: Channel, events: &mut EventQueue) {
        let stream = self.table.remove(&channel);
        let was_refused = self.refused.remove(channel);
        let (answer, tell) = stream.map_or((!was_refused, false), |stream| stream.reset_came());
        if tell {
            events.push(Event::StreamReset(channel));
        }
        if answer {
            self.resets.insert(channel);
        }
    }

    // What is to be sent.

    pub(crate) fn is_ready(&self) -> bool {
        self.resets.first().is_some() || self.table.values().any(Stream::is_ready)
    }

    /// Writes the next record that is not data to `out`; returns whether there was one.
    pub(crate) fn next_control(&mut self, out: &mut Vec<u8>) -> bool {
        if let Some(channel) = self.resets.first() {
            self.resets.remove(channel);
            Record::Reset(channel).put(out);
            return true;
        }
        self.table.iter_mut().any(|(channel, stream)| stream.next_control(*channel, out))
    }

    /// Writes data of the stream whose turn it is to `out`; returns whether there was any.
    pub(crate) fn next_data(&mut self, room: usize, out: &mut Vec<u8>, events: &mut EventQueue) -> bool {
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let upto = self.last.map_or(Bound::Excluded(FIRST), Bound::Included);
        let turn = self.find_data((after, Bound::Unbounded), room, out).or_else(|| {
            // Around: from the first up to and including the last.
            self.find_data((Bound::Unbounded, upto), room, out)
        });
        let Some(channel) = turn else { return false };
        self.last = Some(channel);
        if let Some(stream) = self.table.get_mut(&channel) {
            if stream.take_writable() {
                events.push(Event::Writable(channel));
            }
            if stream.is_over() {
                self.table.remove(&channel);
            }
        }
        true
    }

    fn find_data(
        &mut self,
        range: (Bound<Channel>, Bound<Channel>),
        room: usize,
        out: &mut Vec<u8>,
    ) -> Option<Channel> {
        let mut range = self.table.range_mut(range);
        range.find_map(|(channel, stream)| stream.next_data(*channel, room, out).then_some(*channel))
    }
}

/// The lowest number of a stream.
const FIRST: Channel = match Channel::new(1) {
    Some(channel) => channel,
    None => unreachable!(),
};
