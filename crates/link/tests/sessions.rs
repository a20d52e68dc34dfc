//! Who is there: handshakes, restarts, cuts, other versions, foreign text, and quiet.

mod common;

use common::wire::{FAST, UART};
use common::{HOST, KERNEL, World, raw, without_foreign};
use link::{BootId, Channel, Config, DownReason, Event, LINK_VERSION, Link, Micros, SendError};

const SECOND: Micros = Micros::from_millis(1_000);
/// Bytes of a hello on the line.
const HELLO: usize = 46;

#[test]
fn two_ends_find_each_other_whoever_starts_first() {
    for late in [HOST, KERNEL] {
        let mut world = World::new(FAST, 1);
        world.wires[late].cut = true;
        world.wires[1 - late].cut = true;
        world.run(Micros::from_millis(30_000));
        world.cut(false);
        world.restart(late, if late == HOST { Config::host() } else { Config::kernel() });
        world.connect();
    }
}

#[test]
fn idle_ends_send_nothing_and_have_no_deadline() {
    let mut world = World::new(FAST, 1);
    world.connect();
    world.links[HOST].send_message(b"a call".to_vec()).expect("the link is up");
    world.run(SECOND);
    let sent = [HOST, KERNEL].map(|end| world.wires[end].sent);
    for link in &world.links {
        assert_eq!(link.deadline(), None);
        assert!(!link.wants_transmit());
    }
    assert_eq!(world.next(), None);
    assert_eq!(world.run(Micros::from_millis(3_600_000)).concat(), []);
    assert_eq!(sent, [HOST, KERNEL].map(|end| world.wires[end].sent));
}

#[test]
fn a_control_domain_without_a_host_says_hello_once_and_is_quiet() {
    let mut kernel = Link::new(Config::kernel(), BootId::new(1), Micros(0));
    let mut line = [0; 256];
    assert_eq!(kernel.transmit(&mut line, Micros(0)), HELLO);
    assert!(!kernel.wants_transmit());
    assert_eq!(kernel.deadline(), None);
}

#[test]
fn a_restart_of_either_end_is_told_at_once_and_the_link_is_up_again() {
    for end in [HOST, KERNEL] {
        let mut world = World::new(UART, 1);
        world.connect();
        let old = BootId::new(if end == HOST { 1 } else { 2 });
        let config = if end == HOST { Config::host() } else { Config::kernel() };
        world.links[HOST].send_message(b"a call whose answer will never come".to_vec()).expect("up");
        world.run(Micros::from_millis(50));
        world.restart(end, config);
        let seen = world.run(Micros::from_millis(50));
        let new = BootId::new(3);
        let down = Event::Down(DownReason::PeerRestarted { old, new });
        assert_eq!(without_foreign(seen[1 - end].clone()), [down, Event::Up { peer: new, resumed: false }]);
        assert!(world.links[end].is_up());
    }
}

#[test]
fn a_restart_that_nobody_saw_is_found_by_the_first_frame() {
    let mut world = World::new(FAST, 1);
    world.connect();
    // The hello of the new control domain is lost.
    world.wires[KERNEL].cut = true;
    world.restart(KERNEL, Config::kernel());
    world.run(SECOND);
    world.wires[KERNEL].cut = false;
    assert!(world.links[HOST].is_up());
    world.links[HOST].send_message(b"anybody?".to_vec()).expect("it seems up");
    let [host, _] = world.run(Micros::from_millis(50));
    let host = without_foreign(host);
    assert!(
        matches!(host[..], [Event::Down(DownReason::PeerRestarted { .. }), Event::Up { resumed: false, .. }]),
        "{host:?}"
    );
}

#[test]
fn a_host_that_waits_for_an_answer_finds_a_restart_without_sending_anything_itself() {
    let mut world = World::new(FAST, 1);
    world.connect();
    world.links[HOST].send_message(b"takes long".to_vec()).expect("up");
    let now = world.now;
    world.links[HOST].set_waiting(true, now);
    world.run(Micros::from_millis(500));
    world.wires[KERNEL].cut = true;
    world.restart(KERNEL, Config::kernel());
    world.run(Micros::from_millis(100));
    world.wires[KERNEL].cut = false;
    let [host, _] = world.run(Micros::from_millis(1_500));
    assert!(
        matches!(host[..], [Event::Down(DownReason::PeerRestarted { .. }), Event::Up { .. }]),
        "{host:?}"
    );
}

#[test]
fn a_silent_peer_is_lost_after_the_bound_and_only_the_host_goes_on_calling() {
    let mut world = World::new(FAST, 1);
    world.connect();
    world.cut(true);
    for link in &mut world.links {
        link.send_message(b"into the void".to_vec()).expect("up");
    }
    let [host, kernel] = world.run(Config::host().lost_after + Micros::from_millis(50));
    assert_eq!(host, [Event::Down(DownReason::Lost)]);
    assert_eq!(kernel, [Event::Down(DownReason::Lost)]);
    assert_eq!(world.links[KERNEL].deadline(), None);
    assert!(!world.links[KERNEL].wants_transmit());
    let before = world.wires[HOST].sent;
    assert_eq!(world.run(Micros::from_millis(60_000)).concat(), []);
    let hellos = (world.wires[HOST].sent - before) / HELLO as u64;
    assert!((25..40).contains(&hellos), "{hellos} hellos in a minute");
    assert!(!world.links[KERNEL].wants_transmit());
}

#[test]
fn the_session_goes_on_after_a_cut_longer_than_the_bound_with_nothing_lost() {
    let mut world = World::new(FAST, 1);
    world.connect();
    let channel = Channel::new(1).expect("not 0");
    for link in &mut world.links {
        link.stream_open(channel).expect("it is free");
    }
    world.run(SECOND);
    world.cut(true);
    world.links[KERNEL].stream_write(channel, b"said during the cut").expect("it is open");
    world.links[HOST].send_message(b"asked during the cut".to_vec()).expect("up");
    world.run(Micros::from_millis(20_000));
    world.cut(false);
    let [host, kernel] = world.run(Micros::from_millis(3_000));
    let up = |peer| Event::Up { peer: BootId::new(peer), resumed: true };
    assert_eq!(host, [up(2), Event::StreamData(channel, b"said during the cut".to_vec())]);
    assert_eq!(kernel, [up(1), Event::Message(b"asked during the cut".to_vec())]);
}

#[test]
fn a_frame_that_was_half_sent_when_the_peer_was_lost_changes_nothing() {
    let mut world = World::new(FAST, 1);
    world.connect();
    world.run(SECOND);
    let start = world.now;
    let host = &mut world.links[HOST];
    for message in [b"one", b"two"] {
        host.send_message(message.to_vec()).expect("up");
    }
    // The first frame is 18 bytes long.
    assert_eq!(host.transmit(&mut [0; 25], start), 25);
    host.tick(start + Config::host().lost_after);
    assert_eq!(host.poll_event(), Some(Event::Down(DownReason::Lost)));
    host.transmit(&mut [0; 600], start + Config::host().lost_after);
    world.cut(true);
    assert_eq!(world.run(Micros::from_millis(20_000)).concat(), []);
    world.cut(false);
    let [host, kernel] = world.run(Micros::from_millis(3_000));
    assert_eq!(host, [Event::Up { peer: BootId::new(2), resumed: true }]);
    assert_eq!(kernel, [b"one", b"two"].map(|message| Event::Message(message.to_vec())));
}

#[test]
fn a_host_without_a_peer_says_so_once_and_finds_it_later() {
    let mut world = World::new(FAST, 1);
    world.cut(true);
    let [host, _] = world.run(Micros::from_millis(60_000));
    assert_eq!(host, [Event::Down(DownReason::Lost)]);
    assert_eq!(world.links[HOST].send_message(Vec::new()), Err(SendError::NotUp));
    world.cut(false);
    let [host, _] = world.run(Micros::from_millis(2_100));
    assert_eq!(host, [Event::Up { peer: BootId::new(2), resumed: false }]);
}

#[test]
fn another_version_of_the_link_is_named_and_nothing_more_is_sent() {
    let mismatch = DownReason::VersionMismatch { ours: LINK_VERSION, theirs: 9 };
    for config in [Config::host(), Config::kernel()] {
        let mut link = Link::new(config, BootId::new(1), Micros(0));
        let mut line = [0; 1024];
        link.transmit(&mut line, Micros(0));
        // What follows the version and the flags may look like anything in that version.
        let theirs = raw::on_line(&[0xf8, 9, 0, 1, 1, 2, 3]);
        for _ in 0..3 {
            link.receive(&theirs, Micros(10));
        }
        assert_eq!(link.poll_event(), Some(Event::Down(mismatch)));
        assert_eq!(link.poll_event(), None);
        // One answer, which tells the peer our version and asks for none.
        assert_eq!(link.transmit(&mut line, Micros(20)), HELLO);
        assert_eq!(link.transmit(&mut line, Micros(25)), 0);
        link.receive(&raw::on_line(&[0xf8, 9, 0, 0]), Micros(30));
        assert!(!link.wants_transmit());
        assert_eq!(link.deadline(), None);
        // An upgraded peer is welcome.
        link.receive(&raw::on_line(&raw::hello(LINK_VERSION, true, (5, 0), (1, 0))), Micros(40));
        assert_eq!(link.poll_event(), Some(Event::Up { peer: BootId::new(5), resumed: false }));
    }
}

#[test]
fn frames_and_foreign_text_on_one_line_both_arrive() {
    let mut world = World::new(UART, 1);
    world.connect();
    let mut expected_text = Vec::new();
    let (mut text, mut messages) = (Vec::new(), 0);
    for round in 0..200u32 {
        let line = format!("(XEN) d1v0 grüßt zum {round}. Mal\r\n").into_bytes();
        let now = world.now;
        world.wires[KERNEL].interject(&line, now);
        expected_text.extend(line);
        world.links[KERNEL].send_message(round.to_le_bytes().to_vec()).expect("up");
        for event in world.run(Micros::from_millis(30)).concat() {
            match event {
                Event::Foreign { bytes, lost: 0 } => text.extend(bytes),
                Event::Message(bytes) => {
                    assert_eq!(bytes, u32::to_le_bytes(messages));
                    messages += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    for event in world.run(SECOND).concat() {
        match event {
            Event::Message(bytes) => {
                assert_eq!(bytes, u32::to_le_bytes(messages));
                messages += 1;
            }
            Event::Foreign { bytes, lost: 0 } => text.extend(bytes),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(messages, 200);
    // Text that fell into the middle of a frame comes with the ruins of the frame around it; none of it is missing.
    let mut rest = &text[..];
    for wanted in expected_text.split_inclusive(|byte| *byte == b'\n') {
        let at = rest.windows(wanted.len()).position(|window| window == wanted).expect("a line is missing");
        rest = &rest[at + wanted.len()..];
    }
}

#[test]
fn a_line_that_echoes_us_does_not_make_us_talk_to_ourselves() {
    let mut link = Link::new(Config::host(), BootId::new(1), Micros(0));
    let mut line = [0; 256];
    for round in 0..100 {
        let now = Micros(round * 100_000);
        let count = link.transmit(&mut line, now);
        link.receive(&line[..count], now);
        assert!(count < 100 && !link.is_up());
    }
}

#[test]
fn a_message_longer_than_the_peer_takes_is_refused_here() {
    let mut world = World::new(FAST, 1);
    world.connect();
    let limit = Config::kernel().message_in;
    assert_eq!(world.links[HOST].send_message(vec![0; limit + 1]), Err(SendError::TooLong { limit }));
    assert_eq!(world.links[HOST].send_message(vec![9; limit]), Ok(()));
    let [_, kernel] = world.run(Micros::from_millis(2_000));
    assert_eq!(kernel, [Event::Message(vec![9; limit])]);
}

#[test]
fn messages_beyond_the_queue_are_refused_and_taken_again_later() {
    let mut world = World::new(FAST, 1);
    world.connect();
    let mut sent = 0;
    while world.links[KERNEL].send_message(vec![0; 1000]) == Ok(()) {
        sent += 1;
    }
    assert!((100..135).contains(&sent), "{sent}");
    assert!(world.links[KERNEL].is_full_for(1000));
    assert_eq!(world.links[KERNEL].send_message(vec![0; 1000]), Err(SendError::Full));
    let [host, _] = world.run(Micros::from_millis(5_000));
    assert_eq!(host.len(), sent);
    assert_eq!(world.links[KERNEL].send_message(vec![0; 1000]), Ok(()));
}

#[test]
fn messages_that_nobody_takes_stop_at_the_bound_and_go_on_when_they_are_taken() {
    let mut world = World::new(FAST, 1);
    world.connect();
    let until = world.now + Micros::from_millis(10_000);
    let mut sent = 0;
    while world.step(until) {
        while sent < 1000 && world.links[HOST].send_message(vec![0; 1000]).is_ok() {
            sent += 1;
        }
    }
    let mut taken = 0;
    while let Some(Event::Message(_)) = world.links[KERNEL].poll_event() {
        taken += 1;
    }
    assert!(taken <= 82, "{taken} messages of 1000 bytes waited at an end that takes 64 KiB");
    let [_, kernel] = world.run(Micros::from_millis(20_000));
    assert_eq!(taken + kernel.len(), sent);
}
