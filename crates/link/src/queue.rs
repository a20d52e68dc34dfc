//! Events that wait to be taken. Whatever the peer does, they stay few.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::event::{Channel, Event};

/// So many ups and downs may wait; a peer that makes more has to wait itself.
const MAX_CHANGES: usize = 16;

/// The events, oldest first.
#[derive(Debug)]
pub(crate) struct EventQueue {
    events: VecDeque<Event>,
    /// Foreign bytes in `events`, and how many are kept at most.
    foreign: usize,
    max_foreign: usize,
    /// [`Event::Up`] and [`Event::Down`] in `events`.
    changes: usize,
    /// Messages in `events`, and how many of the first of them belong to sessions that are over.
    messages: usize,
    stale: usize,
}

impl EventQueue {
    pub(crate) const fn new(max_foreign: usize) -> Self {
        Self { events: VecDeque::new(), foreign: 0, max_foreign, changes: 0, messages: 0, stale: 0 }
    }

    /// Takes the oldest event, and says whether it is of a session that is over: then nothing is owed to the peer.
    pub(crate) fn pop(&mut self) -> Option<(Event, bool)> {
        let event = self.events.pop_front()?;
        let mut stale = false;
        match &event {
            Event::Message(_) => {
                self.messages -= 1;
                stale = self.stale > 0;
                self.stale = self.stale.saturating_sub(1);
            }
            Event::Foreign { bytes, .. } => self.foreign -= bytes.len(),
            Event::Up { .. } | Event::Down(_) => self.changes -= 1,
            _ => {}
        }
        Some((event, stale))
    }

    pub(crate) fn push(&mut self, event: Event) {
        match event {
            Event::Up { .. } | Event::Down(_) => self.changes += 1,
            Event::Message(_) => self.messages += 1,
            _ => {}
        }
        self.events.push_back(event);
    }

    /// The session is over: what waits is of the past.
    pub(crate) fn session_ended(&mut self) {
        self.stale = self.messages;
    }

    /// Says whether so many ups and downs wait that the peer must not cause more.
    pub(crate) fn is_crowded(&self) -> bool {
        self.changes >= MAX_CHANGES
    }

    /// Adds a stream's bytes to what waits of the same stream, if nothing of that stream came since: many
    /// small records make one event.
    pub(crate) fn push_data(&mut self, channel: Channel, data: &[u8]) {
        for event in self.events.iter_mut().rev() {
            match event {
                Event::StreamData(of, bytes) if *of == channel => return bytes.extend_from_slice(data),
                Event::StreamEnd(of) | Event::StreamReset(of) if *of == channel => break,
                Event::Up { .. } | Event::Down(_) => break,
                _ => {}
            }
        }
        self.events.push_back(Event::StreamData(channel, data.to_vec()));
    }

    /// Adds foreign bytes; those beyond the bound are counted with the latest that are kept.
    pub(crate) fn push_foreign(&mut self, data: &[u8]) {
        let (kept, over) = data.split_at(data.len().min(self.max_foreign - self.foreign));
        self.foreign += kept.len();
        let last = match self.events.back_mut() {
            Some(Event::Foreign { bytes, lost: 0 }) => Some(bytes),
            _ => None,
        };
        match last {
            Some(bytes) => bytes.extend_from_slice(kept),
            None if !kept.is_empty() => {
                self.events.push_back(Event::Foreign { bytes: kept.to_vec(), lost: 0 });
            }
            None => {}
        }
        if !over.is_empty() {
            self.count_lost(over.len() as u64);
        }
    }

    fn count_lost(&mut self, count: u64) {
        for event in self.events.iter_mut().rev() {
            if let Event::Foreign { lost, .. } = event {
                *lost += count;
                return;
            }
        }
        self.events.push_back(Event::Foreign { bytes: Vec::new(), lost: count });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_bytes_are_kept_up_to_the_bound_and_counted_beyond() {
        let mut queue = EventQueue::new(5);
        queue.push_foreign(b"abc");
        queue.push_foreign(b"defg");
        queue.push_foreign(b"h");
        assert_eq!(queue.pop(), Some((Event::Foreign { bytes: b"abcde".to_vec(), lost: 3 }, false)));
        queue.push_foreign(b"i");
        assert_eq!(queue.pop(), Some((Event::Foreign { bytes: b"i".to_vec(), lost: 0 }, false)));
        assert_eq!(queue.pop(), None);
    }

    #[test]
    fn bytes_of_a_stream_join_but_not_across_its_end() {
        let [a, b] = [1, 2].map(|number| Channel::new(number).expect("not 0"));
        let mut queue = EventQueue::new(0);
        queue.push_data(a, b"1");
        queue.push_data(b, b"x");
        queue.push_data(a, b"2");
        queue.push(Event::StreamEnd(a));
        queue.push_data(a, b"3");
        assert_eq!(queue.pop(), Some((Event::StreamData(a, b"12".to_vec()), false)));
        assert_eq!(queue.pop(), Some((Event::StreamData(b, b"x".to_vec()), false)));
        assert_eq!(queue.pop(), Some((Event::StreamEnd(a), false)));
        assert_eq!(queue.pop(), Some((Event::StreamData(a, b"3".to_vec()), false)));
    }
}
