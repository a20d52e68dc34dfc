//! The bell beside a ring.

/// One end of an event channel that belongs to a ring.
#[allow(async_fn_in_trait)] // The executor is single-threaded: nobody needs the future to be Send.
pub trait EventChannel {
    /// Waits until the peer has notified at least once since the last `wait` returned.
    ///
    /// Notifications are latched: one that came before the call makes it return at once. Dropping the future loses
    /// nothing. May return spuriously.
    async fn wait(&self);

    /// Notifies the peer. Does not wait, and has no effect if the peer is gone.
    fn notify(&self);
}

impl<T: EventChannel + ?Sized> EventChannel for &T {
    async fn wait(&self) {
        (**self).wait().await;
    }

    fn notify(&self) {
        (**self).notify();
    }
}
