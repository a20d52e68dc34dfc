//! The watches that are set, and the events that wait.
//!
//! An event with a token that no watch has is dropped: it may be late, for a watch that was removed.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use crate::WatchEvent;

/// The events that wait, at most.
const QUEUE_MAX: usize = 256;
/// The bytes of their paths and tokens, at most.
const QUEUE_BYTES: usize = 64 << 10;

/// A watch that is set, or being set.
#[derive(Debug)]
struct Watched {
    path: String,
    token: String,
    /// An event did not fit into the queue: one on the watch's own path is owed.
    is_owed: bool,
}

#[derive(Debug, Default)]
pub(super) struct EventQueue {
    watched: Vec<Watched>,
    queue: VecDeque<WatchEvent>,
    queue_bytes: usize,
}

impl EventQueue {
    pub(super) fn watch(&mut self, path: &str, token: &str) {
        self.watched.push(Watched { path: path.into(), token: token.into(), is_owed: false });
    }

    /// Forgets a watch, and the events that its token names no watch for any more.
    pub(super) fn unwatch(&mut self, path: &str, token: &str) {
        if let Some(at) = self.watched.iter().position(|watch| watch.path == path && watch.token == token) {
            self.watched.remove(at);
        }
        if self.watched.iter().all(|watch| watch.token != token) {
            let bytes = &mut self.queue_bytes;
            self.queue.retain(|event| {
                let stays = event.token != token.as_bytes();
                *bytes -= if stays { 0 } else { size(event) };
                stays
            });
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Queues an event, unless the same one waits already.
    pub(super) fn push(&mut self, event: WatchEvent) {
        if self.queue.contains(&event) {
            return;
        }
        let mut concerned =
            self.watched.iter_mut().filter(|watch| watch.token.as_bytes() == event.token).peekable();
        if concerned.peek().is_none() {
            return;
        }
        if self.queue.len() < QUEUE_MAX && self.queue_bytes + size(&event) <= QUEUE_BYTES {
            self.queue_bytes += size(&event);
            self.queue.push_back(event);
        } else {
            concerned.for_each(|watch| watch.is_owed = true);
        }
    }

    pub(super) fn pop(&mut self) -> Option<WatchEvent> {
        if let Some(event) = self.queue.pop_front() {
            self.queue_bytes -= size(&event);
            return Some(event);
        }
        let watch = self.watched.iter_mut().find(|watch| watch.is_owed)?;
        watch.is_owed = false;
        Some(WatchEvent { path: watch.path.as_str().into(), token: watch.token.as_bytes().to_vec() })
    }
}

fn size(event: &WatchEvent) -> usize {
    event.path.len() + event.token.len()
}
