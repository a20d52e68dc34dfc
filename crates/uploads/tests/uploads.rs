//! Images on their way in: whole or not at all, and whatever the other end does, their memory is not kept for ever.

mod common;

use common::{RING, World, awaited, channel, image, offer, shared};
use link::{DownReason, Event, Micros};
use proptest::collection::vec;
use proptest::prelude::*;
use proto::error::ImageError;
use proto::image::{ImageId, SharedMemoryUse, Upload};
use ring::{Producer, Shared};
use sim_xen::Config;
use uploads::PATIENCE_NS;
use xen_abi::Pages;

const LEN: usize = 300_000;

fn incomplete(received: usize, expected: usize) -> Option<Result<(), ImageError>> {
    Some(Err(ImageError::Incomplete { received: received as u64, expected: expected as u64 }))
}

#[test]
fn an_image_arrives_over_the_line_and_is_there() {
    let mut world = World::new();
    let bytes = image(1, LEN);
    let offer = offer(&bytes, 5);
    assert_eq!(world.begin(&offer), Ok(Upload::Line));
    let asked = world.ask(offer.id);
    world.write(5, &bytes[..LEN - 1]);
    assert!(asked.borrow().is_none());
    world.write(5, &bytes[LEN - 1..]);
    assert_eq!(asked.take(), Some(Ok(())));
    world.end(5);
    assert_eq!(world.stack.images_present(&[offer.id]), [true]);
    // Asked again, it is known; and offered again, not wanted.
    assert_eq!(world.ask(offer.id).take(), Some(Ok(())));
    assert_eq!(world.begin(&offer), Ok(Upload::Present));
}

#[test]
fn an_image_arrives_through_shared_memory_with_a_bell_for_each_half() {
    let mut world = World::new();
    let bytes = image(2, 5_000_000);
    let offer = shared(&bytes, 5);
    assert_eq!(world.begin(&offer), Ok(Upload::SharedMemory));
    world.write_shared(5, &bytes);
    assert_eq!(world.ask(offer.id).take(), Some(Ok(())));
    let bells = world.desk.line.with_link(|link| link.stats().frames_in);
    assert!(bells < 100, "{bells} frames for {} halves", 2 * bytes.len() / RING.size());
}

#[test]
fn an_upload_that_stops_short_gives_its_memory_back() {
    let mut world = World::new();
    let bytes = image(3, LEN);
    for offer in [offer(&bytes, 5), shared(&bytes, 6)] {
        let number = offer.channel.0;
        world.begin(&offer).unwrap();
        assert!(!world.is_clean(), "it holds memory");
        match offer.shared_memory {
            SharedMemoryUse::IfFree => world.write_shared(number, &bytes[..1000]),
            _ => world.write(number, &bytes[..1000]),
        }
        world.end(number);
        assert_eq!(world.ask(offer.id).take(), incomplete(1000, LEN));
        world.assert_clean();
    }
}

#[test]
fn bytes_beyond_the_announced_ones_are_thrown_away_and_hold_nobody_up() {
    let mut world = World::new();
    let bytes = image(4, LEN);
    let offer = offer(&bytes[..1000], 5);
    world.begin(&offer).unwrap();
    world.write(5, &bytes);
    assert_eq!(world.ask(offer.id).take(), Some(Ok(())));
    world.end(5);
    assert!(world.desk.host_events.contains(&Event::StreamEnd(channel(5))));
    assert_eq!(world.stack.images_bytes(), 4096);
}

#[test]
fn bytes_that_are_not_the_announced_ones_are_not_kept() {
    let mut world = World::new();
    let bytes = image(5, LEN);
    for mut offer in [offer(&bytes, 5), shared(&bytes, 6)] {
        offer.id = ImageId([7; 32]);
        let number = offer.channel.0;
        world.begin(&offer).unwrap();
        match offer.shared_memory {
            SharedMemoryUse::IfFree => world.write_shared(number, &bytes),
            _ => world.write(number, &bytes),
        }
        assert_eq!(world.ask(offer.id).take(), Some(Err(ImageError::HashMismatch)));
        world.assert_clean();
    }
}

#[test]
fn one_image_sent_twice_at_once_is_kept_once_and_both_hear_of_it() {
    let mut world = World::new();
    let bytes = image(6, LEN);
    let (first, second) = (offer(&bytes, 5), offer(&bytes, 6));
    assert_eq!(world.begin(&first), Ok(Upload::Line));
    let asked_first = world.ask(first.id);
    assert_eq!(world.begin(&second), Ok(Upload::Line));
    let asked_second = world.ask(second.id);
    world.write(5, &bytes[..1000]);
    world.write(6, &bytes);
    assert_eq!(asked_second.take(), Some(Ok(())));
    // The first stops short; what it wanted is there all the same.
    world.end(5);
    assert_eq!(asked_first.take(), Some(Ok(())));
    assert_eq!(world.stack.images_bytes() as usize, LEN.next_multiple_of(4096));
}

#[test]
fn of_two_uploads_at_once_one_has_the_shared_memory_until_its_end() {
    let mut world = World::new();
    let (bytes, others) = (image(7, LEN), image(8, LEN));
    let (first, second) = (shared(&bytes, 5), shared(&others, 6));
    assert_eq!(world.begin(&first), Ok(Upload::SharedMemory));
    assert_eq!(world.begin(&second), Ok(Upload::Line));
    world.write_shared(5, &bytes[..LEN / 2]);
    world.write(6, &others);
    assert_eq!(world.ask(second.id).take(), Some(Ok(())));
    world.end(5);
    assert_eq!(world.ask(first.id).take(), incomplete(LEN / 2, LEN));
    assert_eq!(world.begin(&shared(&bytes, 7)), Ok(Upload::SharedMemory));
    world.write_shared(7, &bytes);
    assert_eq!(world.ask(first.id).take(), Some(Ok(())));
}

#[test]
fn who_waits_for_the_shared_memory_claims_nothing_meanwhile() {
    // Room for one copy of the image and for what is kept in reserve, not for two.
    let mut world = World::on(Config { memory: Pages(32 << 8), ..Config::default() });
    let large = image(16, 8 << 20);
    assert_eq!(world.begin(&awaited(&large, 5)), Ok(Upload::SharedMemory));
    world.write_shared(5, &large[..LEN]);
    let claimed = world.sim.snapshot();
    for number in 6..12 {
        assert_eq!(world.begin(&awaited(&large, number)), Ok(Upload::Later));
        world.sim.assert_clean(&claimed);
    }
    // Nor is a stream opened: its number is free for another.
    drop(world.desk.line.open(channel(6)).unwrap());
    world.end(5);
    assert_eq!(world.begin(&awaited(&large, 12)), Ok(Upload::SharedMemory));
    world.write_shared(12, &large);
    let id = awaited(&large, 12).id;
    assert_eq!(world.ask(id).take(), Some(Ok(())));
    // What is here need not be waited for.
    let other = image(17, LEN);
    assert_eq!(world.begin(&awaited(&other, 13)), Ok(Upload::SharedMemory));
    assert_eq!(world.begin(&awaited(&large, 14)), Ok(Upload::Present));
}

#[test]
fn a_host_that_restarts_in_the_middle_leaves_nothing_and_may_begin_again() {
    let mut world = World::new();
    let bytes = image(9, LEN);
    for (number, way) in [(5, Upload::Line), (6, Upload::SharedMemory)] {
        let mut offer = offer(&bytes, number);
        if way == Upload::SharedMemory {
            offer.shared_memory = SharedMemoryUse::IfFree;
        }
        assert_eq!(world.begin(&offer), Ok(way));
        if way == Upload::Line {
            world.write(number, &bytes[..100_000]);
        } else {
            world.write_shared(number, &bytes[..100_000]);
        }
        let asked = world.ask(offer.id);
        world.desk.restart_host();
        world.desk.settle();
        assert_eq!(asked.take(), incomplete(100_000, LEN));
        world.assert_clean();
    }
    let offer = shared(&bytes, 5);
    assert_eq!(world.begin(&offer), Ok(Upload::SharedMemory));
    world.write_shared(5, &bytes);
    assert_eq!(world.ask(offer.id).take(), Some(Ok(())));
}

#[test]
fn a_line_that_is_cut_for_a_moment_loses_nothing_and_one_cut_for_good_no_memory() {
    let mut world = World::new();
    let bytes = image(10, LEN);
    let offer = offer(&bytes, 5);
    world.begin(&offer).unwrap();
    world.write(5, &bytes[..100_000]);
    world.desk.is_cut = true;
    world.pass_ns(20_000_000_000);
    world.desk.is_cut = false;
    world.pass_ns(5_000_000_000);
    world.write(5, &bytes[100_000..200_000]);

    world.desk.is_cut = true;
    let _ = world.desk.host.stream_write(channel(5), &bytes[200_000..200_100]);
    world.pass_ns(PATIENCE_NS - 1_000_000_000);
    assert!(world.desk.host_events.contains(&Event::Down(DownReason::Lost)));
    assert!(!world.is_clean(), "it still has hope");
    world.pass_ns(1_000_000_000);
    world.assert_clean();
    // The host comes back, to the same session, and is told.
    world.desk.is_cut = false;
    world.pass_ns(5_000_000_000);
    assert!(world.was_reset(5));
    assert_eq!(world.ask(offer.id).take(), incomplete(200_000, LEN));
    assert_eq!(world.begin(&common::offer(&bytes, 6)), Ok(Upload::Line));
    world.write(6, &bytes);
    assert_eq!(world.ask(offer.id).take(), Some(Ok(())));
}

#[test]
fn a_host_that_goes_on_without_sending_the_image_is_given_up() {
    let bytes = image(11, LEN);
    // Bells without bytes are no progress.
    for (offer, bells) in [(offer(&bytes, 5), false), (shared(&bytes, 5), false), (shared(&bytes, 5), true)] {
        let mut world = World::new();
        world.begin(&offer).unwrap();
        match offer.shared_memory {
            SharedMemoryUse::IfFree => world.write_shared(5, &bytes[..1000]),
            _ => world.write(5, &bytes[..1000]),
        }
        for _ in 0..59 {
            world.pass_ns(1_000_000_000);
            if bells {
                world.write(5, &[1]);
            }
        }
        assert!(!world.is_clean() && !world.was_reset(5));
        world.pass_ns(1_000_000_000);
        world.assert_clean();
        assert!(world.was_reset(5));
        assert_eq!(world.ask(offer.id).take(), incomplete(1000, LEN));
    }
}

#[test]
fn a_slow_upload_is_not_given_up_as_long_as_it_goes_on() {
    let mut world = World::new();
    let bytes = image(12, 10);
    let offer = offer(&bytes, 5);
    world.begin(&offer).unwrap();
    for byte in &bytes {
        world.pass_ns(PATIENCE_NS - 1_000_000_000);
        world.write(5, &[*byte]);
    }
    assert_eq!(world.ask(offer.id).take(), Some(Ok(())));
}

#[test]
fn indices_that_lie_end_the_upload_at_once_and_do_not_harm_the_next() {
    for (cons, prod) in [(0, RING.size() as u32 + 1), (1, 0), (0x8000_0000, 0x7fff_ffff), (5, u32::MAX)] {
        let mut world = World::new();
        let bytes = image(13, LEN);
        let offer = shared(&bytes, 5);
        world.begin(&offer).unwrap();
        world.write_shared(5, &bytes[..1000]);
        world.memory.store_u32(0, cons);
        world.memory.store_u32(4, prod);
        world.write(5, &[1]);
        assert!(world.was_reset(5));
        assert_eq!(world.ask(offer.id).take(), incomplete(1000, LEN));
        world.assert_clean();
        assert_eq!(world.begin(&shared(&bytes, 6)), Ok(Upload::SharedMemory));
        world.write_shared(6, &bytes);
        assert_eq!(world.ask(offer.id).take(), Some(Ok(())));
    }
}

#[test]
fn what_was_left_in_the_ring_is_not_taken_for_the_next_image() {
    let mut world = World::new();
    Producer::new(RING).write(&*world.memory, b"an upload that broke off").unwrap();
    let bytes = image(14, LEN);
    let offer = shared(&bytes, 5);
    world.begin(&offer).unwrap();
    world.write_shared(5, &bytes);
    assert_eq!(world.ask(offer.id).take(), Some(Ok(())));
}

#[test]
fn what_cannot_begin_leaves_nothing() {
    let mut world = World::on(Config { memory: Pages(32 << 8), ..Config::default() });
    let small = image(15, 1000);
    assert_eq!(world.begin(&offer(&small, 0)), Err(ImageError::ChannelInUse));
    let taken = world.desk.line.open(channel(4)).unwrap();
    assert_eq!(world.begin(&offer(&small, 4)), Err(ImageError::ChannelInUse));
    drop(taken);
    world.assert_clean();
    // More than the machine has: neither memory nor the stream is kept.
    let mut large = offer(&small, 5);
    large.stored_len = 15 << 20;
    assert!(matches!(world.begin(&large), Err(ImageError::NotEnoughMemory { .. })));
    world.assert_clean();
    world.desk.settle();
    drop(world.desk.line.open(channel(5)).unwrap());
    assert_eq!(world.ask(large.id).take(), Some(Err(ImageError::NotBegun)));
    // All streams of the line are taken.
    let most = world.desk.line.most_streams() as u16;
    let streams: Vec<_> = (100..100 + most).map_while(|n| world.desk.line.open(channel(n)).ok()).collect();
    assert!(!streams.is_empty());
    let begun =
        world.uploads.begin(world.stack, &world.desk.line, &offer(&small, 6), || Some(world.memory.clone()));
    assert_eq!(begun.err(), Some(ImageError::TooManyStreams { limit: most }));
    world.assert_clean();
}

#[test]
fn uploads_without_end_are_forgotten_oldest_first_and_a_task_that_dies_tells_it() {
    let mut world = World::new();
    let ids: Vec<ImageId> = (0..20u8)
        .map(|n| {
            let offer = offer(&[n; 100], u16::from(n) + 1);
            world.begin(&offer).unwrap();
            offer.id
        })
        .collect();
    assert_eq!(world.ask(ids[3]).take(), Some(Err(ImageError::NotBegun)));
    assert_eq!(world.ask(ids[4]).take(), None);
    world.desk.kill_tasks();
    world.assert_clean();
    assert_eq!(world.ask(ids[19]).take(), Some(Err(ImageError::NotBegun)));
}

#[derive(Clone, Debug)]
enum Move {
    /// Writes an index, near or anywhere.
    Index(bool, u32),
    Bytes(usize),
    Bell,
    Wait,
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        1 => (any::<bool>(), prop_oneof![0..2_000_000u32, any::<u32>()]).prop_map(|(which, at)| Move::Index(which, at)),
        6 => (0..200_000usize).prop_map(Move::Bytes),
        6 => Just(Move::Bell),
        1 => Just(Move::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_to_the_shared_memory_the_upload_ends_and_is_right_or_not_there(
        script in vec(moves(), 0..60),
    ) {
        let mut world = World::new();
        let bytes = image(16, LEN);
        let offer = shared(&bytes, 5);
        world.begin(&offer).unwrap();
        let mut sent = 0;
        for step in script {
            match step {
                Move::Index(cons, at) => world.memory.store_u32(if cons { 0 } else { 4 }, at),
                Move::Bytes(count) => {
                    let part = &bytes[sent..LEN.min(sent + count)];
                    sent += Producer::new(RING).write(&*world.memory, part).unwrap_or(0);
                }
                Move::Bell => {
                    let _ = world.desk.host.stream_write(channel(5), &[1]);
                }
                Move::Wait => world.desk.pass(Micros::from_millis(100)),
            }
            world.desk.settle();
        }
        world.end(5);
        let end = world.ask(offer.id).take();
        let is_there = world.stack.images_present(&[offer.id]) == [true];
        prop_assert!(matches!(end, Some(Ok(()))) == is_there, "{:?}", end);
        if !is_there {
            prop_assert!(
                matches!(end, Some(Err(ImageError::Incomplete { .. } | ImageError::HashMismatch))),
                "{:?}", end
            );
            world.assert_clean();
        }
    }
}
