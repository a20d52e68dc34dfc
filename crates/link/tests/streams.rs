//! Streams: whole and in order over a bad line, ended from either side, and never in each other's way.

mod common;

use std::collections::BTreeMap;

use common::wire::{Dice, FAST, UART};
use common::{HOST, KERNEL, World, without_foreign};
use link::{Channel, Config, Event, Micros, StreamError};

fn channel(number: u16) -> Channel {
    Channel::new(number).expect("not 0")
}

/// One half of a stream, as its two programs see it.
struct Half {
    from: usize,
    channel: Channel,
    bytes: Vec<u8>,
    written: usize,
    closed: bool,
}

#[test]
fn many_streams_both_ways_are_intact_at_a_thousandth_error_a_byte() {
    let mut world = World::new(FAST.with_errors(1000), 5);
    let mut dice = Dice(5);
    world.connect();
    let mut halves = Vec::new();
    for number in [1, 2, 3, 300, 65_535] {
        for from in [HOST, KERNEL] {
            world.links[from].stream_open(channel(number)).expect("it is free");
            let length = 10_000 + dice.below(20_000) as usize;
            let bytes = dice.bytes(length);
            halves.push(Half { from, channel: channel(number), bytes, written: 0, closed: false });
        }
    }
    let mut came: BTreeMap<(usize, Channel), Vec<u8>> = BTreeMap::new();
    let mut ended = 0;
    let until = world.now + Micros::from_millis(600_000);
    while ended < halves.len() {
        for half in &mut halves {
            if half.written < half.bytes.len() {
                let end = half.bytes.len().min(half.written + 1 + dice.below(700) as usize);
                let part = &half.bytes[half.written..end];
                half.written += world.links[half.from].stream_write(half.channel, part).expect("it is open");
            } else if !half.closed {
                world.links[half.from].stream_close(half.channel);
                half.closed = true;
            }
        }
        assert!(world.step(until), "the streams stand still");
        for end in [HOST, KERNEL] {
            while let Some(event) = world.links[end].poll_event() {
                match event {
                    Event::StreamData(channel, bytes) => {
                        world.links[end].stream_consumed(channel, bytes.len());
                        came.entry((end, channel)).or_default().extend(bytes);
                    }
                    Event::StreamEnd(_) => ended += 1,
                    Event::Foreign { .. } | Event::Writable(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    for half in &halves {
        assert!(came[&(1 - half.from, half.channel)] == half.bytes, "{:?} is damaged", half.channel);
    }
    // Both ends have closed all: the numbers are free, and nothing is left to do.
    assert_eq!(without_foreign(world.run(Micros::from_millis(1_000)).concat()), []);
    for end in [HOST, KERNEL] {
        assert_eq!(world.links[end].stream_open(channel(300)), Ok(()));
    }
}

#[test]
fn a_reader_that_stopped_holds_up_neither_messages_nor_other_streams() {
    let mut world = World::new(UART, 1);
    world.connect();
    let (stuck, lively) = (channel(1), channel(2));
    for link in &mut world.links {
        link.stream_open(stuck).expect("it is free");
        link.stream_open(lively).expect("it is free");
    }
    let (mut stuck_bytes, mut lively_bytes, mut messages) = (0, 0, 0);
    let until = world.now + Micros::from_millis(10_000);
    let mut next_message = world.now;
    loop {
        let kernel = &mut world.links[KERNEL];
        kernel.stream_write(stuck, &[b's'; 1000]).expect("it is open");
        kernel.stream_write(lively, &[b'l'; 1000]).expect("it is open");
        if world.now >= next_message {
            world.links[KERNEL].send_message(vec![0; 40]).expect("few wait");
            next_message = world.now + Micros::from_millis(100);
        }
        if !world.step(until) {
            break;
        }
        while let Some(event) = world.links[HOST].poll_event() {
            match event {
                Event::StreamData(of, bytes) if of == lively => {
                    lively_bytes += bytes.len();
                    world.links[HOST].stream_consumed(lively, bytes.len());
                }
                Event::StreamData(_, bytes) => stuck_bytes += bytes.len(),
                Event::Message(_) => messages += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(messages >= 95, "{messages} of 100 messages came");
    assert!(stuck_bytes <= Config::host().stream_in, "{stuck_bytes} bytes without credit");
    // The line carries 115,200 bytes in the time; the two streams shared it until one ran out of credit.
    assert!(lively_bytes > 40_000, "{lively_bytes} bytes of the stream that is read");
    // Read at last, it goes on.
    world.links[HOST].stream_consumed(stuck, stuck_bytes);
    let more = world.run(Micros::from_millis(2_000));
    assert!(more[HOST].iter().any(|event| matches!(event, Event::StreamData(of, _) if *of == stuck)));
}

#[test]
fn a_message_overtakes_the_bytes_that_wait_on_streams() {
    let mut world = World::new(UART, 1);
    world.connect();
    for link in &mut world.links {
        link.stream_open(channel(1)).expect("it is free");
    }
    world.run(Micros::from_millis(100));
    world.links[KERNEL].stream_write(channel(1), &[0; 4096]).expect("it is open");
    world.run(Micros::from_millis(20));
    world.links[KERNEL].send_message(b"now".to_vec()).expect("none waits");
    // What is left of one frame (46 ms), then the message; not the 4 KiB before it (370 ms).
    let [host, _] = world.run(Micros::from_millis(60));
    assert!(host.contains(&Event::Message(b"now".to_vec())), "{host:?}");
}

#[test]
fn a_write_beyond_the_buffer_is_cut_short_and_writable_tells_when_to_go_on() {
    let mut world = World::new(FAST, 1);
    world.connect();
    for link in &mut world.links {
        link.stream_open(channel(1)).expect("it is free");
    }
    let room = Config::kernel().stream_out;
    let kernel = &mut world.links[KERNEL];
    assert_eq!(kernel.stream_write(channel(1), &vec![1; room + 1]), Ok(room));
    assert_eq!(kernel.stream_write(channel(1), &[1]), Ok(0));
    let [_, kernel] = world.run(Micros::from_millis(500));
    assert_eq!(kernel, [Event::Writable(channel(1))]);
}

#[test]
fn either_half_of_a_stream_may_end_first_and_its_number_is_free_afterwards() {
    let mut world = World::new(FAST, 1);
    world.connect();
    for first in [HOST, KERNEL, HOST] {
        for link in &mut world.links {
            assert_eq!(link.stream_open(channel(9)), Ok(()));
            assert_eq!(link.stream_open(channel(9)), Err(StreamError::InUse));
        }
        world.links[first].stream_write(channel(9), b"last words").expect("it is open");
        world.links[first].stream_close(channel(9));
        assert_eq!(world.links[first].stream_write(channel(9), b"more"), Err(StreamError::NotOpen));
        let seen = world.run(Micros::from_millis(100));
        let data = Event::StreamData(channel(9), b"last words".to_vec());
        assert_eq!(seen[1 - first], [data, Event::StreamEnd(channel(9))]);
        // The other half goes on.
        world.links[1 - first].stream_write(channel(9), b"reply").expect("it is open");
        world.links[1 - first].stream_close(channel(9));
        let seen = world.run(Micros::from_millis(100));
        let data = Event::StreamData(channel(9), b"reply".to_vec());
        assert_eq!(seen[first], [data, Event::StreamEnd(channel(9))]);
    }
}

#[test]
fn a_reset_throws_away_what_waits_and_frees_the_number() {
    let mut world = World::new(UART, 1);
    world.connect();
    for link in &mut world.links {
        link.stream_open(channel(4)).expect("it is free");
    }
    world.run(Micros::from_millis(100));
    world.links[KERNEL].stream_write(channel(4), &[0; 4000]).expect("it is open");
    world.run(Micros::from_millis(60));
    world.links[HOST].stream_reset(channel(4));
    let [host, kernel] = world.run(Micros::from_millis(300));
    assert_eq!(kernel, [Event::StreamReset(channel(4))]);
    assert!(!host.iter().any(|event| matches!(event, Event::StreamEnd(_) | Event::StreamReset(_))));
    for link in &mut world.links {
        assert_eq!(link.stream_open(channel(4)), Ok(()));
    }
}

#[test]
fn resets_from_both_ends_at_once_leave_nothing_behind() {
    let mut world = World::new(UART, 1);
    world.connect();
    for link in &mut world.links {
        link.stream_open(channel(4)).expect("it is free");
    }
    world.run(Micros::from_millis(100));
    world.links.iter_mut().for_each(|link| link.stream_reset(channel(4)));
    assert_eq!(world.run(Micros::from_millis(500)).concat(), []);
    for link in &mut world.links {
        assert_eq!(link.stream_open(channel(4)), Ok(()));
    }
}

#[test]
fn a_stream_beyond_the_peers_bound_is_reset_and_the_others_live() {
    let kernel = Config { streams: 2, ..Config::kernel() };
    let mut world = World::with_configs([Config::host(), kernel], FAST, 1);
    world.connect();
    for number in 1..=3 {
        world.links[HOST].stream_open(channel(number)).expect("it is free");
    }
    let [host, _] = world.run(Micros::from_millis(100));
    assert_eq!(host, [Event::StreamReset(channel(3))]);
    assert_eq!(world.links[KERNEL].stream_open(channel(1)), Ok(()));
    assert_eq!(world.links[KERNEL].stream_open(channel(3)), Err(StreamError::TooMany));
    world.links[HOST].stream_write(channel(1), b"alive").expect("it is open");
    let [_, kernel] = world.run(Micros::from_millis(100));
    assert_eq!(kernel, [Event::StreamData(channel(1), b"alive".to_vec())]);
}

#[test]
fn a_hundred_streams_beyond_the_bound_are_refused_once_each_and_the_session_lives() {
    let host = Config { streams: 100, ..Config::host() };
    let kernel = Config { streams: 2, ..Config::kernel() };
    let mut world = World::with_configs([host, kernel], FAST, 1);
    world.connect();
    for round in 0..3 {
        for number in 1..=100 {
            assert_eq!(world.links[HOST].stream_open(channel(number)), Ok(()), "{number}, round {round}");
        }
        // Some are thrown away by the host before it knows that they are refused: the resets cross.
        for number in 50..=80 {
            world.links[HOST].stream_reset(channel(number));
        }
        world.links[HOST].send_message(vec![round]).expect("few wait");
        let before = world.links[KERNEL].stats().frames_out;
        let [host, kernel] = world.run(Micros::from_millis(3_000));
        assert_eq!(kernel, [Event::Message(vec![round])]);
        let refused: Vec<Event> =
            (3..50).chain(81..=100).map(|number| Event::StreamReset(channel(number))).collect();
        assert_eq!(host, refused);
        // One reset for each, and then silence: a reset that answered an answer would never end.
        let frames = world.links[KERNEL].stats().frames_out - before;
        assert!((98..160).contains(&frames), "{frames} frames");
        for number in [1, 2] {
            world.links[HOST].stream_reset(channel(number));
        }
        world.run(Micros::from_millis(500));
        assert_eq!(world.next(), None, "something still goes on");
    }
}

#[test]
fn a_stream_that_was_refused_is_not_opened_from_our_side_until_the_peer_knows() {
    let kernel = Config { streams: 1, ..Config::kernel() };
    let mut world = World::with_configs([Config::host(), kernel], FAST, 1);
    world.connect();
    world.links[HOST].stream_open(channel(2)).expect("it is free");
    world.run(Micros::from_millis(100));
    // There is no room for 1 when it is opened, but when the message comes that names it.
    world.links[HOST].stream_open(channel(1)).expect("it is free");
    world.links[HOST].stream_reset(channel(2));
    world.links[HOST].send_message(b"open 1".to_vec()).expect("none waits");
    let until = world.now + Micros::from_millis(1_000);
    let mut asked = None;
    while world.step(until) {
        while let Some(event) = world.links[KERNEL].poll_event() {
            if matches!(event, Event::Message(_)) {
                asked = Some(world.links[KERNEL].stream_open(channel(1)));
            }
        }
    }
    assert_eq!(asked, Some(Err(StreamError::TooMany)));
    let host: Vec<Event> = std::iter::from_fn(|| world.links[HOST].poll_event()).collect();
    assert_eq!(host, [Event::StreamReset(channel(1))]);
    // Afterwards the number works like any other.
    for link in &mut world.links {
        assert_eq!(link.stream_open(channel(1)), Ok(()));
    }
    world.links[HOST].stream_write(channel(1), b"alive").expect("it is open");
    let [_, kernel] = world.run(Micros::from_millis(100));
    assert_eq!(kernel, [Event::StreamData(channel(1), b"alive".to_vec())]);
}
