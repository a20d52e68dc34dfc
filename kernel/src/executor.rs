//! One vCPU, cooperative tasks, and a halt when there is nothing to do.
//!
//! Tasks are woken by each other and by [`crate::events`], never by an interrupt handler; so the run queue is
//! only ever touched between two instructions of the same thread, with interrupts off.

use alloc::collections::VecDeque;
use core::cell::RefCell;
use core::future::{Future, poll_fn};
use core::task::Poll;

use async_task::{Runnable, Task};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use spin::Mutex;

/// Wakes one task; remembers one wake-up that came early.
pub type Wake = Signal<NoopRawMutex, ()>;

/// Tasks that can go on.
static READY: Mutex<VecDeque<Runnable>> = Mutex::new(VecDeque::new());

/// Starts a task. Dropping the handle cancels it; `detach` lets it run on.
pub fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> Task<T> {
    // SAFETY: 1. `future` and `schedule` are 'static. 2. They need not be `Send`: there is one vCPU, and neither
    // interrupt handlers nor other processors run tasks or hold wakers (interrupts.rs).
    let (runnable, task) = unsafe { async_task::spawn_unchecked(future, schedule) };
    runnable.schedule();
    task
}

fn schedule(runnable: Runnable) {
    READY.lock().push_back(runnable);
}

/// Runs the tasks that are ready now, each once; those that they wake wait for the next round. Returns whether
/// any ran.
pub fn run_ready() -> bool {
    let count = READY.lock().len();
    for _ in 0..count {
        // Popped first: the task may schedule others, and itself.
        let next = READY.lock().pop_front();
        if let Some(runnable) = next {
            runnable.run();
        }
    }
    count != 0
}

/// Lets every other ready task run once.
pub async fn yield_now() {
    let yielded = RefCell::new(false);
    poll_fn(|context| {
        if yielded.replace(true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
