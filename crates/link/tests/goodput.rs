//! How much of a clean line's bit rate arrives as payload. Time is virtual, so the figures are exact.

mod common;

use common::wire::{FAST, Quality, UART};
use common::{HOST, KERNEL, World};
use link::{Channel, Event, Micros};

/// Sends a stream of 256 KiB; returns payload as a share of what the line could have carried in the time, in percent.
fn stream_goodput(quality: Quality, from: usize) -> u64 {
    const TOTAL: usize = 256 * 1024;
    let mut world = World::new(quality, 1);
    world.connect();
    let channel = Channel::new(1).expect("not 0");
    for link in &mut world.links {
        link.stream_open(channel).expect("nothing else is open");
    }
    let start = world.now;
    let (mut written, mut read) = (0, 0);
    while read < TOTAL {
        if written < TOTAL {
            let chunk = [0x55; 4096];
            let rest = chunk.len().min(TOTAL - written);
            written += world.links[from].stream_write(channel, &chunk[..rest]).expect("it is open");
        }
        assert!(world.step(start + Micros(3_600_000_000)), "the stream stands still at {read}");
        while let Some(event) = world.links[1 - from].poll_event() {
            if let Event::StreamData(of, bytes) = event {
                read += bytes.len();
                world.links[1 - from].stream_consumed(of, bytes.len());
            }
        }
    }
    let possible = world.now.since(start).0 * quality.rate / 1_000_000;
    TOTAL as u64 * 100 / possible
}

/// As [`stream_goodput`], for one message after the other.
fn message_goodput(quality: Quality, from: usize) -> u64 {
    const TOTAL: usize = 256 * 1024;
    let mut world = World::new(quality, 1);
    world.connect();
    let start = world.now;
    let (mut sent, mut read) = (0, 0);
    while read < TOTAL {
        while sent < TOTAL && world.links[from].send_message(vec![7; 16 * 1024]).is_ok() {
            sent += 16 * 1024;
        }
        assert!(world.step(start + Micros(3_600_000_000)), "messages stand still at {read}");
        while let Some(event) = world.links[1 - from].poll_event() {
            if let Event::Message(bytes) = event {
                read += bytes.len();
            }
        }
    }
    TOTAL as u64 * 100 / (world.now.since(start).0 * quality.rate / 1_000_000)
}

#[test]
fn a_clean_line_carries_at_least_seventy_percent_payload() {
    let deep = |quality: Quality| Quality { fifo: 4096, ..quality };
    let far = |quality: Quality| Quality { latency: Micros(20_000), ..quality };
    for (name, quality, floor) in [
        ("115200", UART, 93),
        ("100 kB/s", FAST, 93),
        ("115200 behind a deep buffer", deep(UART), 93),
        ("100 kB/s behind a deep buffer", deep(FAST), 90),
        ("115200 through 20 ms", far(UART), 90),
        ("100 kB/s through 20 ms", far(FAST), 70),
    ] {
        for from in [HOST, KERNEL] {
            let (stream, message) = (stream_goodput(quality, from), message_goodput(quality, from));
            println!("{name}, from {from}: stream {stream} %, messages {message} %");
            assert!(stream >= floor && message >= floor, "{name}, from {from}: {stream} %, {message} %");
        }
    }
}

#[test]
fn a_bad_line_still_carries_something() {
    for (errors, floor) in [(100, 70), (300, 45), (1000, 20)] {
        let share = stream_goodput(UART.with_errors(errors), HOST);
        println!("{errors} errors in a million bytes: {share} %");
        assert!(share >= floor, "{errors} errors in a million bytes: {share} %");
    }
}

#[test]
fn a_small_call_costs_few_bytes_beside_its_payload() {
    let mut world = World::new(UART, 1);
    world.connect();
    world.run(Micros::from_millis(1_000));
    let before = [HOST, KERNEL].map(|end| world.wires[end].sent);
    world.links[HOST].send_message(vec![1; 20]).expect("the link is up");
    let mut answered = false;
    let until = world.now + Micros::from_millis(1_000);
    while world.step(until) {
        if let Some(Event::Message(_)) = world.links[KERNEL].poll_event() {
            world.links[KERNEL].send_message(vec![2; 30]).expect("the link is up");
        }
        answered |= matches!(world.links[HOST].poll_event(), Some(Event::Message(_)));
    }
    assert!(answered);
    let cost = [HOST, KERNEL].map(|end| world.wires[end].sent - before[end]);
    // Request and one acknowledgement; the answer, which acknowledges the request.
    assert_eq!(cost, [20 + 15 + 12, 30 + 15]);
}
