//! Tasks that wait for something to change.
//!
//! A set of wakers, each owned by one [`Turn`] future. Waking takes them all out: whoever still waits looks at the
//! world again and enrols again. A future that is dropped takes its waker with it, so the set is never
//! larger than the number of those who wait.

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// See the module's page.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    /// Counts the wakings, so that none is missed between looking and waiting.
    turn: Cell<u64>,
    next_ticket: Cell<u64>,
    wakers: RefCell<Vec<(u64, Waker)>>,
}

impl Waiters {
    /// Wakes everybody.
    pub(crate) fn wake_all(&self) {
        self.turn.set(self.turn.get() + 1);
        // Taken out first: a waker may run code that enrols again.
        for (_, waker) in self.wakers.take() {
            waker.wake();
        }
    }

    /// Waits until `look` finds something; it is asked now and after each waking.
    pub(crate) async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        loop {
            let turn = self.turn();
            if let Some(found) = look() {
                return found;
            }
            turn.await;
        }
    }

    fn turn(&self) -> Turn<'_> {
        let ticket = self.next_ticket.get();
        self.next_ticket.set(ticket + 1);
        Turn { waiters: self, ticket, seen: self.turn.get() }
    }
}

/// Ready at the first waking after it was made.
struct Turn<'a> {
    waiters: &'a Waiters,
    ticket: u64,
    seen: u64,
}

impl Future for Turn<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.waiters.turn.get() != self.seen {
            return Poll::Ready(());
        }
        let mut wakers = self.waiters.wakers.borrow_mut();
        match wakers.iter_mut().find(|(ticket, _)| *ticket == self.ticket) {
            Some((_, waker)) => waker.clone_from(context.waker()),
            None => wakers.push((self.ticket, context.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.waiters.wakers.borrow_mut().retain(|(ticket, _)| *ticket != self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use core::pin::pin;

    use super::*;

    #[test]
    fn everybody_who_waits_sees_the_change() {
        let waiters = Waiters::default();
        let world = Cell::new(0);
        let mut context = Context::from_waker(Waker::noop());
        let look = || (world.get() == 2).then_some("two");
        let mut a = pin!(waiters.until(look));
        let mut b = pin!(waiters.until(look));
        assert!(a.as_mut().poll(&mut context).is_pending());
        assert!(b.as_mut().poll(&mut context).is_pending());
        world.set(1);
        waiters.wake_all();
        assert!(a.as_mut().poll(&mut context).is_pending());
        world.set(2);
        waiters.wake_all();
        assert_eq!(a.as_mut().poll(&mut context), Poll::Ready("two"));
        assert_eq!(b.as_mut().poll(&mut context), Poll::Ready("two"));
    }

    #[test]
    fn one_who_gives_up_leaves_nothing_behind() {
        let waiters = Waiters::default();
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..3 {
            let mut wait = pin!(waiters.until(|| None::<()>));
            assert!(wait.as_mut().poll(&mut context).is_pending());
            assert!(wait.as_mut().poll(&mut context).is_pending());
            assert_eq!(waiters.wakers.borrow().len(), 1);
        }
        assert_eq!(waiters.wakers.borrow().len(), 0);
    }

    #[test]
    fn a_waker_may_wait_again_at_once() {
        let waiters = Waiters::default();
        let turn = waiters.turn();
        waiters.wake_all();
        let mut turn = pin!(turn);
        let mut context = Context::from_waker(Waker::noop());
        assert!(turn.as_mut().poll(&mut context).is_ready(), "a waking between looking and waiting counts");
    }
}
