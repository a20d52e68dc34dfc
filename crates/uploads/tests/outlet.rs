//! Bytes on their way out: all of them arrive in order, and an outlet nobody reads ends.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use link::testing::Desk;
use link::{Channel, Event, Micros};
use ring::testing::Memory;
use ring::{Consumer, Layout, Shared, layout};
use uploads::{DOWNLOAD_LEN, Downloads, Gone, Outlet, Taken};

const RING: Layout = layout::vchan::right(19, 4096 + (1 << 20));
const PATIENCE_NS: u64 = 1_000_000_000;

/// What became of a task.
type Answer = Rc<RefCell<Option<Result<(), Gone>>>>;

/// A control domain that sends, and a host that reads.
struct World {
    desk: Desk,
    downloads: Downloads,
    memory: Rc<Memory>,
    clock: Rc<(Cell<u64>, RefCell<Vec<Waker>>)>,
    channel: Channel,
}

impl World {
    fn new() -> Self {
        let mut desk = Desk::new();
        let channel = Channel::new(5).unwrap();
        desk.host.stream_open(channel).unwrap();
        desk.settle();
        let memory = Rc::new(Memory::new(DOWNLOAD_LEN));
        World { desk, downloads: Downloads::default(), memory, clock: Rc::default(), channel }
    }

    /// A task that sends these bytes, in calls of 300,000 bytes, and says goodbye.
    fn send(&mut self, bytes: &[u8], is_shared: bool) -> Answer {
        let stream = self.desk.line.open(self.channel).unwrap();
        let memory = is_shared.then(|| (self.downloads.turn().unwrap(), self.memory.clone()));
        let mut outlet = Outlet::new(stream, memory);
        assert_eq!(outlet.is_shared(), is_shared);
        let (bytes, clock) = (bytes.to_vec(), self.clock.clone());
        let answer = self.desk.spawn(async move {
            let patience = async || {
                let until = clock.0.get() + PATIENCE_NS;
                poll_fn(|context| {
                    if clock.0.get() >= until {
                        return Poll::Ready(());
                    }
                    clock.1.borrow_mut().push(context.waker().clone());
                    Poll::Pending
                })
                .await;
            };
            for part in bytes.chunks(300_000) {
                outlet.send(part, &async || {}, &patience).await?;
            }
            outlet.finish(&patience).await
        });
        self.desk.settle();
        answer
    }

    fn pass_ns(&mut self, span_ns: u64) {
        self.desk.pass(Micros(span_ns / 1000));
        self.clock.0.set(self.clock.0.get() + span_ns);
        self.clock.1.take().into_iter().for_each(Waker::wake);
        self.desk.settle();
    }

    /// The host reads the ring until nothing comes, and rings back each time.
    fn read_ring(&mut self, most: usize) -> Vec<u8> {
        let mut ring = Consumer::new(RING);
        let mut all = Vec::new();
        while !self.desk.host_bytes(self.channel).is_empty() {
            let mut part = vec![0; most];
            loop {
                let count = ring.read(&*self.memory, &mut part).unwrap();
                all.extend(&part[..count]);
                if count == 0 {
                    break;
                }
            }
            self.desk.host.stream_write(self.channel, &[0]).unwrap();
            self.desk.settle();
        }
        all
    }

    fn end(&mut self) {
        self.desk.host.stream_close(self.channel);
        self.desk.settle();
    }

    fn was_reset(&self) -> bool {
        self.desk.host_events.contains(&Event::StreamReset(self.channel))
    }
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[test]
fn bytes_arrive_over_the_line() {
    let mut world = World::new();
    let sent = bytes(700_001);
    let answer = world.send(&sent, false);
    let mut seen = Vec::new();
    while seen.len() < sent.len() {
        let some = world.desk.host_bytes(world.channel);
        assert!(!some.is_empty(), "it stands still at {}", seen.len());
        seen.extend(some);
        world.desk.settle();
    }
    assert!(seen == sent);
    assert!(answer.borrow().is_none(), "the host has not said that it has them");
    world.end();
    assert_eq!(answer.take(), Some(Ok(())));
    assert!(!world.was_reset());
}

#[test]
fn bytes_arrive_through_the_ring_whatever_was_left_in_it() {
    let mut world = World::new();
    world.memory.store_u32(8, 0xffff_ff00);
    world.memory.store_u32(12, 77);
    let sent = bytes(5_000_001);
    let answer = world.send(&sent, true);
    assert!(world.read_ring(100_000) == sent);
    assert!(world.downloads.turn().is_err(), "the ring is its own until the end");
    world.end();
    assert_eq!(answer.take(), Some(Ok(())));
    assert!(world.downloads.turn().is_ok());
    let bells = world.desk.line.with_link(|link| link.stats().frames_out);
    assert!(bells < 150, "{bells} frames");
}

#[test]
fn a_second_one_finds_the_ring_taken() {
    let downloads = Downloads::default();
    let first = downloads.turn().unwrap();
    assert_eq!(downloads.turn().unwrap_err(), Taken);
    drop(first);
    downloads.turn().unwrap();
}

#[test]
fn an_outlet_that_nobody_reads_ends_and_throws_the_stream_away() {
    for is_shared in [false, true] {
        let mut world = World::new();
        let answer = world.send(&bytes(5_000_000), is_shared);
        world.pass_ns(PATIENCE_NS / 2);
        assert!(answer.borrow().is_none());
        world.pass_ns(PATIENCE_NS);
        assert_eq!(answer.take(), Some(Err(Gone::Silent)), "shared: {is_shared}");
        assert!(world.was_reset());
        assert!(world.downloads.turn().is_ok());
    }
}

#[test]
fn an_outlet_whose_stream_is_thrown_away_ends_at_once() {
    for is_shared in [false, true] {
        let mut world = World::new();
        let answer = world.send(&bytes(5_000_000), is_shared);
        assert!(answer.borrow().is_none());
        world.desk.host.stream_reset(world.channel);
        world.desk.settle();
        assert_eq!(answer.take(), Some(Err(Gone::Broken)), "shared: {is_shared}");
    }
}

#[test]
fn a_host_that_leaves_before_everything_was_sent_is_gone() {
    let mut world = World::new();
    let answer = world.send(&bytes(5_000_000), true);
    world.end();
    assert_eq!(answer.take(), Some(Err(Gone::Broken)));
}

#[test]
fn damaged_indices_end_it() {
    let mut world = World::new();
    let answer = world.send(&bytes(5_000_000), true);
    world.memory.store_u32(8, 1 << 30);
    world.desk.host.stream_write(world.channel, &[0]).unwrap();
    world.desk.settle();
    assert!(matches!(answer.take(), Some(Err(Gone::Damaged(_)))));
}
