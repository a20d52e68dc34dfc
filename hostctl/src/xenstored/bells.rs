//! Which connections have events: the store rings a client's bell, the loop looks who rang.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// The number of a client of this process; never used again.
pub(super) type Token = u64;

/// The clients that rang, each once: the store forgets a bell when it has rung it.
#[derive(Clone, Debug, Default)]
pub(super) struct Bells(Arc<Mutex<Vec<Token>>>);

impl Bells {
    /// A bell for this client.
    pub(super) fn bell(&self, token: Token) -> Waker {
        Waker::from(Arc::new(Bell { token, rung: self.0.clone() }))
    }

    /// Moves those who rang into `into`.
    pub(super) fn take(&self, into: &mut Vec<Token>) {
        into.append(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

struct Bell {
    token: Token,
    rung: Arc<Mutex<Vec<Token>>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner).push(self.token);
    }
}
