//! The kernel's own log, on a stream.

use alloc::vec::Vec;
use core::future::poll_fn;
use core::task::Poll;

use embassy_futures::select::{Either, select};
use link::line::Stream;

use crate::host::Host;

/// Sends what was logged; with `follow` also what will be.
pub(crate) async fn send<H: Host>(host: &H, stream: Stream, follow: bool) {
    let mut next = 0;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        next = host.read_log(next, &mut bytes);
        if bytes.is_empty() {
            if !follow {
                return stream.close();
            }
            let seen = next;
            let more = poll_fn(|context| match host.wake_on_log(seen, context.waker()) {
                true => Poll::Pending,
                false => Poll::Ready(()),
            });
            if let Either::Second(()) = select(more, stream.broken()).await {
                return;
            }
        } else if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
