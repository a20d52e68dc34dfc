//! A control domain's tasks and a host, in one test: what [`crate::line`] needs around it.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Waker};

use crate::line::Line;
use crate::{BootId, Channel, Config, Event, Link, Micros};

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

type Task = (Arc<Woken>, Pin<Box<dyn Future<Output = ()>>>);

/// A control domain's line with its tasks, and a host whose link the test holds. Tasks are polled only when they were
/// woken, and time stands still unless the test lets it pass.
pub struct Desk {
    /// The host's end.
    pub host: Link,
    /// The control domain's end.
    pub line: Rc<Line>,
    /// The time at both ends.
    pub now: Micros,
    /// What the line's own task would be told.
    pub events: Vec<Event>,
    /// What the host's program would be told.
    pub host_events: Vec<Event>,
    /// Bytes get lost, both ways.
    pub is_cut: bool,
    tasks: Vec<Task>,
    boots: u64,
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tasks, {:?}, {:?}", self.tasks.len(), self.line, self.host)
    }
}

impl Desk {
    /// Two ends that have found each other.
    ///
    /// # Panics
    /// They have not.
    pub fn new() -> Self {
        let now = Micros(1_000_000);
        let line = Rc::new(Line::new(Link::new(Config::kernel(), BootId::new(1), now)));
        let host = Link::new(Config::host(), BootId::new(2), now);
        let mut desk = Self {
            host,
            line,
            now,
            events: Vec::new(),
            host_events: Vec::new(),
            is_cut: false,
            tasks: Vec::new(),
            boots: 2,
        };
        desk.settle();
        assert!(matches!(desk.events[..], [Event::Up { .. }]), "{:?}", desk.events);
        desk.events.clear();
        desk.host_events.clear();
        desk
    }

    /// The host's program starts anew; what is under way is lost.
    pub fn restart_host(&mut self) {
        self.boots += 1;
        self.host = Link::new(Config::host(), BootId::new(self.boots), self.now);
    }

    /// Starts a task; its result will be in what is returned.
    pub fn spawn<T: 'static>(&mut self, future: impl Future<Output = T> + 'static) -> Rc<RefCell<Option<T>>> {
        let result = Rc::new(RefCell::new(None));
        let place = result.clone();
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        self.tasks.push((woken, Box::pin(async move { *place.borrow_mut() = Some(future.await) })));
        result
    }

    /// Ends all tasks, wherever they are.
    pub fn kill_tasks(&mut self) {
        self.tasks.clear();
    }

    fn run_tasks(&mut self) -> bool {
        let mut any = false;
        self.tasks.retain_mut(|(woken, future)| {
            if !woken.0.swap(false, Ordering::Relaxed) {
                return true;
            }
            any = true;
            let waker = Waker::from(woken.clone());
            future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
        });
        any
    }

    /// Runs until nothing goes on without time passing.
    ///
    /// # Panics
    /// It goes on for ever.
    pub fn settle(&mut self) {
        for _ in 0..1_000_000 {
            let moved = self.carry_out() | self.carry_in();
            self.events.extend(core::iter::from_fn(|| self.line.next_event()));
            self.host_events.extend(core::iter::from_fn(|| self.host.poll_event()));
            if !self.run_tasks() && !moved {
                return;
            }
        }
        panic!("it goes on for ever");
    }

    fn carry_out(&mut self) -> bool {
        let mut bytes = [0; 64];
        let count = self.line.with_link(|link| link.transmit(&mut bytes, self.now));
        if !self.is_cut {
            self.host.receive(&bytes[..count], self.now);
        }
        count > 0
    }

    fn carry_in(&mut self) -> bool {
        let mut bytes = [0; 64];
        let count = self.host.transmit(&mut bytes, self.now);
        if !self.is_cut {
            self.line.with_link(|link| link.receive(&bytes[..count], self.now));
        }
        count > 0
    }

    /// Lets time pass, in steps of ten milliseconds.
    pub fn pass(&mut self, span: Micros) {
        let until = self.now + span;
        while self.now < until {
            self.now = self.now + Micros::from_millis(10);
            self.line.with_link(|link| link.tick(self.now));
            self.host.tick(self.now);
            self.settle();
        }
    }

    /// The bytes of a stream that came to the host since the last call; they are used up.
    pub fn host_bytes(&mut self, channel: Channel) -> Vec<u8> {
        let mut all = Vec::new();
        self.host_events.retain(|event| match event {
            Event::StreamData(of, bytes) if *of == channel => {
                all.extend(bytes);
                false
            }
            _ => true,
        });
        self.host.stream_consumed(channel, all.len());
        all
    }
}
