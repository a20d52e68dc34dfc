//! What only the machine can give.

use console::ConsoleId;
use xen_abi::{DomId, EvtchnPort};

use crate::rings::RingPage;

/// One of a domain's two service channels, at our end.
#[derive(Debug)]
pub struct Channel<R> {
    /// The ring's page.
    pub page: RingPage<R>,
    /// Our end of the event channel, bound to the guest's. The toolstack closes it after
    /// [`Platform::stop_services`].
    pub port: EvtchnPort,
}

/// What the tasks that serve a domain need.
#[derive(Debug)]
pub struct DomainChannels<R> {
    /// Whom they serve.
    pub domid: DomId,
    /// Its console.
    pub console: Channel<R>,
    /// The console's entry in the registry of consoles, which is there already.
    pub console_id: ConsoleId,
    /// Its way to xenstore. The domain is introduced already.
    pub store: Channel<R>,
}

/// No task can be started: the executor or the heap is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// What only the machine can give: time, chance, and tasks that serve a guest's rings.
///
/// `R` is what a mapping of a guest's pages is here. Nothing of this may call back into the toolstack.
#[allow(async_fn_in_trait)] // The executor is single-threaded: nobody needs the future to be Send.
pub trait Platform<R> {
    /// Nanoseconds since the machine started. Never goes back.
    fn now_ns(&self) -> u64;

    /// Milliseconds since 1970 by the machine's clock. May go back, when somebody sets that.
    fn unix_ms(&self) -> u64;

    /// Waits until [`Self::now_ns`] is at least `deadline_ns`.
    async fn sleep_until(&self, deadline_ns: u64);

    /// Fills `out` with random bytes. They become uuids: they must differ, they need not be secret.
    fn fill_random(&self, out: &mut [u8]);

    /// Lets every other task that is ready run once.
    async fn yield_now(&self);

    /// Starts the tasks that serve a domain's console and its way to xenstore.
    ///
    /// The domain has not run yet; what it sends before the tasks first run is latched in its event channels.
    ///
    /// # Errors
    /// [`NoRoom`]: then nothing was started, and the domain is not created.
    fn start_services(&self, channels: DomainChannels<R>) -> Result<(), NoRoom>;

    /// Ends these tasks. Called once for each domain whose services were started, before its ports are closed
    /// and its pages unmapped; then its windows are shut, so a task that ends a little later harms nobody.
    ///
    /// What is left in the console's ring need not be read here: the toolstack does it.
    fn stop_services(&self, domid: DomId);
}
