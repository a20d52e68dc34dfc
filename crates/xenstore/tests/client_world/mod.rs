//! A store that serves two guests and the control domain over pages in memory, and clients at the other ends.
#![allow(dead_code, unreachable_pub)] // Each test file uses its part of this.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use ring::testing::{Memory, Port};
use xen_abi::DomId;
use xenstore::client::{Client, Fault, RingClient, Transport};
use xenstore::{Access, Perm, RingConnection, SharedStore, Store, serve};

pub const GUEST: u16 = 5;
pub const TWO: u16 = 6;

/// More polls than any test needs: a test that hangs fails.
const POLLS: usize = 200_000;

pub struct Machine {
    pub store: SharedStore,
}

impl Machine {
    pub fn new() -> Self {
        let mut store = Store::new(DomId(0));
        for domid in [DomId(GUEST), DomId(TWO)] {
            store.register(domid);
            let perms = [Perm::new(domid, Access::None)];
            store.control(|store| store.mkdir_with(&xenstore::home(domid), &perms)).unwrap();
            store.introduce(domid);
        }
        Machine { store: RefCell::new(store) }
    }

    /// Runs `work`, whose client is the domain's end of a ring.
    pub fn run<R>(&self, domid: u16, client: &Client, work: impl Future<Output = R>) -> R {
        let connected = self.connect(domid, client);
        block(with(connected, work))
    }

    /// Runs `work`, which has two clients.
    pub fn run_two<R>(&self, one: (u16, &Client), two: (u16, &Client), work: impl Future<Output = R>) -> R {
        let (one, two) = (self.connect(one.0, one.1), self.connect(two.0, two.1));
        block(with(one, with(two, work)))
    }

    /// Both ends of a ring: the server's task, and the client's.
    async fn connect(&self, domid: u16, client: &Client) {
        let page = Memory::new(4096);
        let (ours, theirs) = Port::pair();
        let server = serve(RingConnection::new(page.clone(), ours), DomId(domid), &self.store);
        let mut ring = RingClient::new(page, theirs);
        let drive = async {
            ring.connect().await.unwrap();
            client.drive(&mut ring).await;
        };
        let serving = async {
            server.await;
        };
        with(serving, drive).await;
    }
}

/// Runs `work` to its end, and `beside` meanwhile.
pub async fn with<R>(beside: impl Future<Output = ()>, work: impl Future<Output = R>) -> R {
    let (mut beside, mut work) = (pin!(beside), pin!(work));
    let mut is_over = false;
    poll_fn(|cx| {
        if !is_over {
            is_over = beside.as_mut().poll(cx).is_ready();
        }
        work.as_mut().poll(cx)
    })
    .await
}

pub async fn join_all(all: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut all: Vec<_> = all.map(|one| Some(Box::pin(one))).collect();
    poll_fn(|cx| {
        for one in &mut all {
            if one.as_mut().is_some_and(|one| one.as_mut().poll(cx).is_ready()) {
                *one = None;
            }
        }
        if all.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Polls `work` so many times, with everybody else in between, and drops it. Some: it was done before that.
pub async fn poll_some<R>(times: usize, work: impl Future<Output = R>) -> Option<R> {
    let (mut work, mut left) = (pin!(work), times);
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        // Polled again, whether it asks for that or not.
        cx.waker().wake_by_ref();
        work.as_mut().poll(cx).map(Some)
    })
    .await
}

pub fn poll_once<F: Future>(task: Pin<&mut F>) -> Poll<F::Output> {
    task.poll(&mut Context::from_waker(Waker::noop()))
}

/// Somebody was woken since this was last looked at.
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Polls until it is done, and only as long as somebody is woken: a wake-up that is forgotten fails the test.
pub fn block<R>(work: impl Future<Output = R>) -> R {
    let (mut work, bell) = (pin!(work), Arc::new(Bell::default()));
    for _ in 0..POLLS {
        if let Poll::Ready(result) = work.as_mut().poll(&mut Context::from_waker(&bell.clone().into())) {
            return result;
        }
        assert!(bell.0.swap(false, Ordering::Relaxed), "everybody waits, and nobody was woken");
    }
    panic!("it never ends");
}

/// A server that says nothing, and takes all.
pub struct Silent;

impl Transport for Silent {
    async fn exchange(&mut self, outgoing: &[u8], _: &mut [u8]) -> Result<(usize, usize), Fault> {
        match outgoing.len() {
            0 => std::future::pending().await,
            len => Ok((len, 0)),
        }
    }
}
