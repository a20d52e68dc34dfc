//! Tasks of one thread, run when they were woken.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

/// A task's work and what wakes it: the same waker each time, for those who wait in several places by one.
type Work = (Pin<Box<dyn Future<Output = ()>>>, Waker);

/// The tasks, and which of them can go on.
#[derive(Default)]
pub(crate) struct Executor {
    /// A task's work is taken out while it runs.
    tasks: RefCell<BTreeMap<u64, Option<Work>>>,
    next_id: Cell<u64>,
    ready: Arc<Ready>,
}

#[derive(Default)]
struct Ready(Mutex<VecDeque<u64>>);

impl Ready {
    fn push(&self, id: u64) {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !ids.contains(&id) {
            ids.push_back(id);
        }
    }

    fn take(&self) -> VecDeque<u64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Bell {
    id: u64,
    ready: Arc<Ready>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.id);
    }
}

/// A running task; dropped, it ends.
pub struct Task {
    executor: Rc<Executor>,
    id: u64,
    is_detached: bool,
}

impl Task {
    /// Lets it run on.
    pub(crate) fn detach(mut self) {
        self.is_detached = true;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.is_detached {
            let work = self.executor.tasks.borrow_mut().remove(&self.id);
            // Dropped after the borrow has ended: it may end other tasks.
            drop(work);
        }
    }
}

impl Executor {
    /// Starts a task.
    pub(crate) fn spawn(self: &Rc<Self>, future: impl Future<Output = ()> + 'static) -> Task {
        let id = self.next_id.replace(self.next_id.get() + 1);
        let waker = Waker::from(Arc::new(Bell { id, ready: self.ready.clone() }));
        self.tasks.borrow_mut().insert(id, Some((Box::pin(future), waker)));
        self.ready.push(id);
        Task { executor: self.clone(), id, is_detached: false }
    }

    /// Runs the tasks that are ready now, each once. Returns whether any ran.
    pub(crate) fn run_ready(&self) -> bool {
        let ids = self.ready.take();
        let any = !ids.is_empty();
        for id in ids {
            let Some((mut work, waker)) = self.tasks.borrow_mut().get_mut(&id).and_then(Option::take) else {
                continue;
            };
            let is_over = work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            let mut tasks = self.tasks.borrow_mut();
            if is_over {
                tasks.remove(&id);
            } else if let Some(place) = tasks.get_mut(&id) {
                *place = Some((work, waker));
                continue;
            }
            // It is over, or was ended while it ran.
            drop(tasks);
            drop(work);
        }
        any
    }
}

/// Lets every other task that is ready run once.
pub(crate) async fn yield_now() {
    embassy_futures::yield_now().await;
}
