//! Tasks that wait for the same thing.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::task::Waker;

/// They are all woken at once, and look again whether it has come. Each task is in it once.
#[derive(Debug, Default)]
pub(super) struct Wakers(RefCell<Vec<Waker>>);

impl Wakers {
    pub(super) fn register(&self, waker: &Waker) {
        let mut wakers = self.0.borrow_mut();
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }

    pub(super) fn wake(&self) {
        // Taken out first: who is woken may register again.
        self.0.take().into_iter().for_each(Waker::wake);
    }
}
