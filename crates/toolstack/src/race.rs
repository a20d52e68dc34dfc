//! Two futures, of which one is enough.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

/// Waits for `wanted`, or until `limit` is over: then `None`. What is ready at once counts, however short the limit.
pub(crate) async fn first<T>(wanted: impl Future<Output = T>, limit: impl Future<Output = ()>) -> Option<T> {
    let mut wanted = pin!(wanted);
    let mut limit = pin!(limit);
    poll_fn(|context| match wanted.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => limit.as_mut().poll(context).map(|()| None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use core::future::{pending, ready};
    use core::task::{Context, Waker};

    use super::*;

    #[test]
    fn what_is_ready_wins_over_a_limit_that_is_over() {
        let mut context = Context::from_waker(Waker::noop());
        let mut poll = |future: &mut dyn FnMut(&mut Context<'_>) -> Poll<Option<u8>>| future(&mut context);
        let mut both = pin!(first(ready(1), ready(())));
        assert_eq!(poll(&mut |c| both.as_mut().poll(c)), Poll::Ready(Some(1)));
        let mut late = pin!(first(pending(), ready(())));
        assert_eq!(poll(&mut |c| late.as_mut().poll(c)), Poll::Ready(None));
        let mut neither = pin!(first(pending(), pending()));
        assert_eq!(poll(&mut |c| neither.as_mut().poll(c)), Poll::Pending);
    }
}
