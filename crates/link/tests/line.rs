//! A link shared by tasks: nobody is left waiting, and no stream says anything for another one.

mod common;

use std::cell::RefCell;
use std::rc::Rc;

use link::line::{Broken, Stream};
use link::testing::Desk;
use link::{Channel, Config, DownReason, Event, Micros, SendError, StreamError};

fn channel(number: u16) -> Channel {
    Channel::new(number).expect("not 0")
}

/// A stream that both ends have opened.
fn open(desk: &mut Desk, number: u16) -> Stream {
    desk.host.stream_open(channel(number)).expect("it is free");
    let stream = desk.line.open(channel(number)).expect("it is free");
    desk.settle();
    stream
}

/// Reads a stream to its end, or until it breaks.
async fn read_all(stream: &Stream) -> (Vec<u8>, Result<usize, Broken>) {
    let mut bytes = Vec::new();
    loop {
        match stream.read(&mut bytes).await {
            Ok(1..) => {}
            end => return (bytes, end),
        }
    }
}

/// Writes a stream at the host as fast as it takes it.
fn host_writes(desk: &mut Desk, number: u16, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let taken = desk.host.stream_write(channel(number), bytes).expect("it is open");
        bytes = &bytes[taken..];
        desk.settle();
        assert!(taken > 0 || desk.host_events.contains(&Event::Writable(channel(number))), "it stands still");
    }
}

#[test]
fn a_task_reads_far_more_than_the_credit_and_sees_the_end() {
    let mut desk = Desk::new();
    let stream = open(&mut desk, 7);
    let result = desk.spawn(async move { read_all(&stream).await });
    let bytes: Vec<u8> = (0..300_000u32).map(|n| (n / 7) as u8).collect();
    assert!(bytes.len() > 10 * Config::kernel().stream_in);
    host_writes(&mut desk, 7, &bytes);
    assert!(result.borrow().is_none(), "it has not ended yet");
    desk.host.stream_close(channel(7));
    desk.settle();
    assert_eq!(result.take(), Some((bytes, Ok(0))));
}

#[test]
fn a_task_that_writes_waits_for_the_reader_and_goes_on() {
    let mut desk = Desk::new();
    let stream = open(&mut desk, 7);
    let bytes: Vec<u8> = (0..300_000u32).map(|n| (n / 7) as u8).collect();
    let written = bytes.clone();
    let result = desk.spawn(async move {
        let result = stream.write_all(&written).await;
        stream.close();
        result
    });
    desk.settle();
    assert!(result.borrow().is_none(), "the host has used nothing up");
    let mut came = Vec::new();
    while result.borrow().is_none() {
        let more = desk.host_bytes(channel(7));
        assert!(!more.is_empty(), "it stands still");
        came.extend(more);
        desk.settle();
    }
    came.extend(desk.host_bytes(channel(7)));
    assert_eq!(result.take(), Some(Ok(())));
    assert!(came == bytes, "{} of {} bytes", came.len(), bytes.len());
    assert!(desk.host_events.contains(&Event::StreamEnd(channel(7))));
}

#[test]
fn one_stream_may_be_waited_for_by_several_tasks() {
    let mut desk = Desk::new();
    let stream = Rc::new(open(&mut desk, 7));
    let reader = desk.spawn({
        let stream = stream.clone();
        async move { read_all(&stream).await }
    });
    let writer = desk.spawn({
        let stream = stream.clone();
        async move { stream.write_all(&[0; 500_000]).await }
    });
    let watchers: Vec<_> = (0..3)
        .map(|_| {
            let stream = stream.clone();
            desk.spawn(async move { stream.broken().await })
        })
        .collect();
    host_writes(&mut desk, 7, b"some");
    assert!(reader.borrow().is_none() && writer.borrow().is_none());
    assert!(watchers.iter().all(|watcher| watcher.borrow().is_none()));
    desk.host.stream_reset(channel(7));
    desk.settle();
    assert_eq!(reader.take(), Some((b"some".to_vec(), Err(Broken))));
    assert_eq!(writer.take(), Some(Err(Broken)));
    assert!(watchers.iter().all(|watcher| watcher.take() == Some(())));
}

#[test]
fn what_came_before_a_break_is_read_before_it_is_told() {
    let mut desk = Desk::new();
    let stream = open(&mut desk, 7);
    host_writes(&mut desk, 7, b"last words");
    desk.host.stream_reset(channel(7));
    desk.settle();
    let result = desk.spawn(async move { read_all(&stream).await });
    desk.settle();
    assert_eq!(result.take(), Some((b"last words".to_vec(), Err(Broken))));
}

#[test]
fn a_stream_that_is_dropped_is_reset_and_its_number_free() {
    let mut desk = Desk::new();
    for _ in 0..3 {
        let stream = open(&mut desk, 7);
        drop(stream);
        desk.settle();
        assert!(desk.host_events.contains(&Event::StreamReset(channel(7))), "{:?}", desk.host_events);
        desk.host_events.clear();
    }
}

#[test]
fn bytes_for_a_stream_that_we_closed_hold_up_neither_their_sender_nor_the_end() {
    let mut desk = Desk::new();
    let stream = open(&mut desk, 7);
    stream.close();
    host_writes(&mut desk, 7, &[1; 300_000]);
    desk.host.stream_close(channel(7));
    desk.settle();
    assert!(desk.host_events.contains(&Event::StreamEnd(channel(7))));
    // Both halves are closed: the number is free at both ends.
    open(&mut desk, 7).close();
}

#[test]
fn a_host_that_restarts_breaks_all_streams_and_the_old_ones_do_not_touch_the_new() {
    let mut desk = Desk::new();
    let old: Vec<Stream> = (1..=4).map(|number| open(&mut desk, number)).collect();
    let old = Rc::new(RefCell::new(old));
    let waiting = desk.spawn({
        let first = old.borrow_mut().remove(0);
        async move {
            let result = read_all(&first).await;
            (result, first)
        }
    });
    desk.settle();
    desk.restart_host();
    desk.settle();
    let (result, first) = waiting.take().expect("it was woken");
    assert_eq!(result, (vec![], Err(Broken)));
    assert!(matches!(desk.events[..], [Event::Down(DownReason::PeerRestarted { .. }), Event::Up { .. }]));
    // The same numbers, in the new session.
    let new: Vec<Stream> = (1..=4).map(|number| open(&mut desk, number)).collect();
    // Old ones are written to, closed and dropped: all of that concerns nobody.
    let wrote = desk.spawn({
        let old = old.borrow_mut().remove(0);
        async move { old.write_all(b"from the grave").await }
    });
    old.borrow_mut().remove(0).close();
    old.borrow_mut().clear();
    drop(first);
    desk.settle();
    assert_eq!(wrote.take(), Some(Err(Broken)));
    desk.host_events.clear();
    for (number, stream) in (1..).zip(new) {
        let result = desk.spawn(async move {
            let wrote = stream.write_all(b"alive").await;
            stream.close();
            wrote
        });
        desk.settle();
        assert_eq!(result.take(), Some(Ok(())));
        assert_eq!(desk.host_bytes(channel(number)), b"alive");
    }
}

#[test]
fn a_line_that_is_cut_for_a_while_breaks_nothing() {
    let mut desk = Desk::new();
    let stream = open(&mut desk, 7);
    let result = desk.spawn(async move { stream.write_all(&[5; 20_000]).await.map(|()| stream) });
    desk.is_cut = true;
    desk.pass(Micros::from_millis(20_000));
    assert!(desk.events.contains(&Event::Down(DownReason::Lost)), "{:?}", desk.events);
    assert!(result.borrow().is_none());
    desk.is_cut = false;
    desk.pass(Micros::from_millis(5_000));
    assert!(matches!(desk.events.last(), Some(Event::Up { resumed: true, .. })), "{:?}", desk.events);
    assert!(matches!(*result.borrow(), Some(Ok(_))));
    assert_eq!(desk.host_bytes(channel(7)), [5; 20_000]);
}

#[test]
fn streams_and_messages_are_refused_as_the_link_refuses_them() {
    let mut desk = Desk::new();
    let most = desk.line.most_streams();
    let streams: Vec<Stream> =
        (1..=most as u16).map(|number| desk.line.open(channel(number)).expect("there is room")).collect();
    assert_eq!(desk.line.open(channel(999)).err(), Some(StreamError::TooMany));
    assert_eq!(desk.line.open(channel(1)).err(), Some(StreamError::InUse));
    assert_eq!(desk.line.send(vec![0; 5 << 20]), Err(SendError::TooLong { limit: 4 << 20 }));
    drop(streams);
    // Nobody is there any more: refused, and nothing waits for a session to come.
    desk.restart_host();
    desk.line.with_link(|link| {
        let stranger = common::raw::on_line(&common::raw::hello(2, false, (77, 0), (1, 0)));
        link.receive(&stranger, desk.now);
    });
    desk.events.extend(std::iter::from_fn(|| desk.line.next_event()));
    assert!(matches!(desk.events[..], [Event::Down(DownReason::VersionMismatch { .. })]));
    assert_eq!(desk.line.open(channel(1)).err(), Some(StreamError::NotUp));
    assert_eq!(desk.line.send(vec![0]), Err(SendError::NotUp));
}

#[test]
fn whatever_leaves_something_to_transmit_wakes_the_task_that_transmits() {
    let mut desk = Desk::new();
    let line = desk.line.clone();
    let kicks = Rc::new(RefCell::new(0));
    desk.spawn({
        let (line, kicks) = (line.clone(), kicks.clone());
        async move {
            loop {
                line.kicked().await;
                *kicks.borrow_mut() += 1;
            }
        }
    });
    desk.settle();
    let mut seen = 0;
    let mut expect_kick = |desk: &mut Desk, what: &str| {
        desk.settle();
        assert!(*kicks.borrow() > seen, "{what} was not told");
        seen = *kicks.borrow();
    };
    desk.host.stream_open(channel(7)).expect("it is free");
    let stream = line.open(channel(7)).expect("it is free");
    expect_kick(&mut desk, "an opening");
    line.send(b"message".to_vec()).expect("there is room");
    expect_kick(&mut desk, "a message");
    desk.host.stream_write(channel(7), &[0; 8000]).expect("it is open");
    desk.settle();
    let stream = Rc::new(stream);
    let reads = stream.clone();
    desk.spawn(async move { reads.read(&mut Vec::new()).await });
    expect_kick(&mut desk, "credit");
    let writes = stream.clone();
    desk.spawn(async move { writes.write_all(b"bytes").await });
    expect_kick(&mut desk, "bytes of a stream");
    Rc::into_inner(stream).expect("both tasks are done").close();
    expect_kick(&mut desk, "an end");
    drop(line.open(channel(8)).expect("it is free"));
    expect_kick(&mut desk, "a reset");
}
