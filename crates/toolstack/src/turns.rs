//! Turns at something of which only so much may go on at once, in the order of asking.

use alloc::collections::VecDeque;
use core::cell::{Cell, RefCell};

use crate::waiters::Waiters;

/// See the module's page.
#[derive(Debug)]
pub(crate) struct Turns {
    free: Cell<usize>,
    /// Those who wait, first come first.
    queue: RefCell<VecDeque<u64>>,
    next_ticket: Cell<u64>,
    bell: Waiters,
}

/// A turn. Dropped: the next one has it.
#[derive(Debug)]
#[must_use = "dropped at once, it is over"]
pub(crate) struct Turn<'a>(&'a Turns);

/// A place in the queue. Dropped: given up, or called.
struct Place<'a> {
    turns: &'a Turns,
    ticket: u64,
}

impl Turns {
    /// So many at once.
    pub(crate) fn new(at_once: usize) -> Self {
        Self {
            free: Cell::new(at_once),
            queue: RefCell::default(),
            next_ticket: Cell::new(0),
            bell: Waiters::default(),
        }
    }

    /// Waits for a turn.
    pub(crate) async fn take(&self) -> Turn<'_> {
        let ticket = self.next_ticket.get();
        self.next_ticket.set(ticket + 1);
        self.queue.borrow_mut().push_back(ticket);
        let place = Place { turns: self, ticket };
        let is_called = || self.free.get() > 0 && self.queue.borrow().front() == Some(&ticket);
        self.bell.until(|| is_called().then_some(())).await;
        self.free.set(self.free.get() - 1);
        drop(place);
        Turn(self)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.turns.queue.borrow_mut().retain(|ticket| *ticket != self.ticket);
        self.turns.bell.wake_all();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.free.set(self.0.free.get() + 1);
        self.0.bell.wake_all();
    }
}

#[cfg(test)]
mod tests {
    use core::future::Future;
    use core::pin::pin;
    use core::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn turns_come_in_the_order_of_asking_also_when_somebody_gives_up() {
        let turns = Turns::new(2);
        let mut context = Context::from_waker(Waker::noop());
        let mut a = pin!(turns.take());
        let mut b = pin!(turns.take());
        let Poll::Ready(first) = a.as_mut().poll(&mut context) else { panic!("there are two") };
        let Poll::Ready(second) = b.as_mut().poll(&mut context) else { panic!("there are two") };
        let mut d = pin!(turns.take());
        {
            let mut c = pin!(turns.take());
            assert!(c.as_mut().poll(&mut context).is_pending());
            assert!(d.as_mut().poll(&mut context).is_pending());
            drop(first);
            assert!(d.as_mut().poll(&mut context).is_pending(), "the other one came before");
        }
        let Poll::Ready(third) = d.as_mut().poll(&mut context) else { panic!("it is its turn") };
        let mut e = pin!(turns.take());
        assert!(e.as_mut().poll(&mut context).is_pending(), "two are under way");
        drop((second, third));
        assert!(e.as_mut().poll(&mut context).is_ready());
        assert!(turns.queue.borrow().is_empty());
    }
}
