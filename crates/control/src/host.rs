//! What only the machine can give.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::future::Future;
use core::task::Waker;

use ring::{EventChannel, Shared};
use toolstack::OwnMemory;
use xen_abi::EvtchnPort;

/// What only the machine can give. Its executor runs everything on one thread.
#[allow(async_fn_in_trait)] // The executor is single-threaded: nobody needs the futures to be Send.
pub trait Host: 'static {
    /// A port that is listened to, until this is dropped.
    type Port: EventChannel + 'static;
    /// A running task. Dropped, it cancels the task.
    type Task: 'static;
    /// Memory that is shared with the computer on which hostctl runs.
    type Memory: Shared + 'static;

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

    /// Starts a task.
    fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Self::Task;

    /// Lets a task run on, for ever if it wants to.
    fn detach(&self, task: Self::Task);

    /// Listens to a port of ours. Whoever bound the port closes it.
    fn listen(&self, port: EvtchnPort) -> Self::Port;

    /// The memory for images, if this machine has any.
    fn shared_memory(&self) -> Option<Rc<Self::Memory>>;

    /// What we use of the machine's memory.
    fn own_memory(&self) -> OwnMemory;

    /// Reads what was logged from byte number `from` on (or the first that is still kept) into `out`; returns the number of
    /// the byte after the last one read.
    fn read_log(&self, from: u64, out: &mut Vec<u8>) -> u64;

    /// Has `waker` woken at the next line, if nothing was logged since byte number `seen`; otherwise says no.
    fn wake_on_log(&self, seen: u64, waker: &Waker) -> bool;

    /// Ends the machine: a lab's with this code.
    fn end(&self, code: u8);
}
