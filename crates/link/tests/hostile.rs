//! Whatever bytes arrive: no panic, no growth, one clear reason, and the next honest peer is served.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::raw::{self, Identity};
use link::{BootId, Channel, Cobs, Config, DownReason, Encoding, Event, Link, Micros, Piece, Violation};
use proptest::collection::vec;
use proptest::prelude::*;

/// Counts the bytes that this thread holds, and the most that it ever held.
struct Counting;

thread_local! {
    static HELD: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

fn count(more: usize, less: usize) {
    let _ = HELD.try_with(|held| {
        let now = (held.get().0 + more).saturating_sub(less);
        held.set((now, held.get().1.max(now)));
    });
}

// SAFETY: passes everything on to the system's allocator unchanged; the counting touches only a thread-local
// number that is initialised without allocating.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes held during `work`, beyond those before it.
fn peak(work: impl FnOnce()) -> usize {
    let before = HELD.get().0;
    HELD.set((before, before));
    work();
    HELD.get().1 - before
}

/// What the control domain's end may hold at worst: what the configuration says, with room for tables
/// that double as they grow.
const BOUND: usize = 512 * 1024;

const KERNEL: Identity = (1, 0);
const HOST: Identity = (5, 0);

/// A control domain's end that believes to talk to [`HOST`].
fn victim() -> Link {
    let mut link = Link::new(Config::kernel(), BootId::new(KERNEL.0), Micros(0));
    link.receive(&raw::on_line(&raw::hello(1, false, HOST, KERNEL)), Micros(1));
    assert!(matches!(link.poll_event(), Some(Event::Up { .. })));
    link
}

/// What an end said.
#[derive(Default)]
struct Heard {
    /// The sequence after the last of its records.
    next: Option<u8>,
    /// Who it is, from its hello.
    who: Option<Identity>,
}

/// Takes all that an end sends.
fn drain(link: &mut Link, now: Micros) -> Heard {
    let (mut line, mut decoder, mut heard) = ([0; 600], Cobs::new(), Heard::default());
    loop {
        let count = link.transmit(&mut line, now);
        if count == 0 {
            return heard;
        }
        let mut bytes = &line[..count];
        while let Some(piece) = decoder.decode(&mut bytes) {
            match piece {
                Piece::Frame { frame: [0xfb, _, _, _, _, sequence, ..], .. } => {
                    heard.next = Some(sequence.wrapping_add(1));
                }
                Piece::Frame { frame: frame @ [0xf8, ..], .. } => {
                    let boot = u64::from_le_bytes(frame[4..12].try_into().expect("eight bytes"));
                    let epoch = u32::from_le_bytes(frame[12..16].try_into().expect("four bytes"));
                    heard.who = Some((boot, epoch));
                }
                _ => {}
            }
        }
    }
}

/// Sends records, each in its turn, and returns the reason for which the link went down.
fn told_off_for(link: &mut Link, records: &[Vec<u8>]) -> Option<DownReason> {
    for (number, record) in records.iter().enumerate() {
        let frame = raw::data(HOST, KERNEL, 0, number as u8, number as u8, record);
        link.receive(&raw::on_line(&frame), Micros(2));
        drain(link, Micros(2));
    }
    std::iter::from_fn(|| link.poll_event()).find_map(|event| match event {
        Event::Down(reason) => Some(reason),
        _ => None,
    })
}

#[test]
fn each_breach_of_the_protocol_has_its_name_and_ends_the_session() {
    let channel = Channel::new(1).expect("not 0");
    let start = |total: &[u8], part: usize| [&[1], total, &vec![0; part]].concat();
    let long = [0xff, 0xff, 0x03]; // 65,535
    let part = |count: usize| [&[2][..], &vec![0; count]].concat();
    let fill: Vec<Vec<u8>> = [vec![start(&long, 500)], vec![part(511); 127], vec![part(138)]].concat();
    let stream_data = |count: usize| [&[8][..], &vec![0; count]].concat();
    let rows: Vec<(&str, Vec<Vec<u8>>, Violation)> = vec![
        ("an empty record", vec![vec![]], Violation::Malformed),
        ("an unknown kind", vec![vec![7]], Violation::Malformed),
        ("a channel beyond all numbers", vec![vec![0xff, 0xff, 0xff, 0x7f]], Violation::Malformed),
        ("bytes after a credit", vec![vec![3, 1, 1]], Violation::Malformed),
        ("a message that is too long", vec![start(&[0x81, 0x80, 0x04], 9)], Violation::MessageTooLong),
        ("a part of nothing", vec![vec![2, 1]], Violation::MessageOrder),
        ("a message in a message", vec![start(&long, 9), vec![0, 1]], Violation::MessageOrder),
        ("a part that is too long", vec![start(&[9], 8), vec![2, 1, 1]], Violation::Malformed),
        ("a start that is the whole", vec![start(&[9], 9)], Violation::Malformed),
        ("credit beyond counting", vec![vec![3, 0xff, 0xff, 0xff, 0xff, 0x0f]], Violation::Grant(0)),
        ("messages without credit", [fill.clone(), fill].concat(), Violation::Credit(0)),
        ("data of a stream that is not there", vec![stream_data(1)], Violation::NotOpen(channel)),
        ("data without credit", vec![vec![10, 9], stream_data(1)], Violation::Credit(1)),
        ("a stream opened twice", vec![vec![10, 9], vec![10, 9]], Violation::OpenedTwice(channel)),
        ("a stream ended twice", vec![vec![10, 9], vec![9], vec![9]], Violation::NotOpen(channel)),
        (
            "credit for a stream beyond counting",
            vec![vec![10, 9], vec![11, 0xff, 0xff, 0xff, 0xff, 0x0f]],
            Violation::Grant(1),
        ),
    ];
    for (what, records, violation) in rows {
        let mut link = victim();
        assert_eq!(told_off_for(&mut link, &records), Some(DownReason::Protocol(violation)), "{what}");
        assert!(!link.is_up());
        // The session is another one from now on, and an honest peer gets it.
        link.receive(&raw::on_line(&raw::hello(1, true, HOST, (KERNEL.0, 1))), Micros(3));
        assert!(link.is_up(), "{what}");
    }
}

#[test]
fn a_frame_beyond_the_window_ends_the_session() {
    let mut link = victim();
    link.receive(&raw::on_line(&raw::data(HOST, KERNEL, 0, 16, 0, &[0])), Micros(2));
    assert_eq!(link.poll_event(), Some(Event::Down(DownReason::Protocol(Violation::Window))));
}

/// The head of a record of this kind.
fn head(channel: u16, kind: u8) -> Vec<u8> {
    let mut number = u32::from(channel) << 3 | u32::from(kind);
    let mut head = Vec::new();
    while number > 0x7f {
        head.push(number as u8 | 0x80);
        number >>= 7;
    }
    head.push(number as u8);
    head
}

#[test]
fn floods_of_resets_and_of_streams_beyond_the_bound_cost_little_and_leave_the_session_up() {
    const OPEN: u8 = 2;
    const RESET: u8 = 4;
    let held = peak(|| {
        let mut link = victim();
        let mut sequence = 0u8;
        // Every number that there is: the first 32 find room. Nothing that we say is acknowledged, so our answers
        // never leave.
        let opens = (1..=u16::MAX).map(|channel| [head(channel, OPEN), vec![9]].concat());
        // Of streams that we refused and of those that are open; then all again, of streams that nobody knows.
        let resets = (1..=u16::MAX).chain(1..=u16::MAX).map(|channel| head(channel, RESET));
        for record in opens.chain(resets) {
            link.receive(&raw::on_line(&raw::data(HOST, KERNEL, 0, sequence, sequence, &record)), Micros(2));
            sequence = sequence.wrapping_add(1);
            drain(&mut link, Micros(2));
        }
        assert!(link.is_up());
        let message = raw::data(HOST, KERNEL, 0, sequence, sequence, b"\0still heard");
        link.receive(&raw::on_line(&message), Micros(2));
        assert_eq!(link.poll_event(), Some(Event::Message(b"still heard".to_vec())));
    });
    assert!(held < 64 * 1024, "{held} bytes");
}

#[test]
fn a_peer_that_fills_everything_it_may_stays_within_the_bound() {
    let held = peak(|| {
        let mut link = victim();
        let (mut number, mut next) = (0u8, 0);
        let mut send = |link: &mut Link, sequence: u8, record: &[u8]| {
            let frame = raw::data(HOST, KERNEL, next, sequence, number, record);
            link.receive(&raw::on_line(&frame), Micros(2));
            number = number.wrapping_add(1);
            next = drain(link, Micros(2)).next.unwrap_or(next);
        };
        let mut sequence = 0u8;
        // All streams, full; the application reads nothing.
        for channel in 1..=32u16 {
            let head = u32::from(channel) << 3;
            let head = |kind| {
                if channel < 16 {
                    vec![head as u8 | kind]
                } else {
                    vec![head as u8 | kind | 0x80, (head >> 7) as u8]
                }
            };
            send(&mut link, sequence, &[head(2), vec![100]].concat());
            sequence = sequence.wrapping_add(1);
            let channel = Channel::new(channel).expect("not 0");
            link.stream_open(channel).expect("it is free at this end");
            link.stream_write(channel, &[0; 10_000]).expect("it is open");
            // Lets the stream's opening out, which gives the credit.
            send(&mut link, sequence, &[head(3), vec![0]].concat());
            sequence = sequence.wrapping_add(1);
            for _ in 0..8192 / 500 {
                send(&mut link, sequence, &[head(0), vec![1; 500]].concat());
                sequence = sequence.wrapping_add(1);
            }
        }
        // Empty messages, as many as the credit allows; then the window, with a gap at its start.
        for _ in 0..640 {
            send(&mut link, sequence, &[0]);
            sequence = sequence.wrapping_add(1);
        }
        for ahead in 1..16 {
            send(&mut link, sequence.wrapping_add(ahead), &[0; 512]);
        }
        assert!(link.is_up());
        assert!(
            std::iter::from_fn(|| link.poll_event()).filter(|event| *event == Event::Message(vec![])).count()
                == 640
        );
    });
    assert!((300 * 1024..BOUND).contains(&held), "{held} bytes");
}

/// Bytes that are likely to mean something: delimiters, kinds, small numbers.
fn suggestive() -> impl Strategy<Value = u8> {
    prop_oneof![Just(0u8), 0xf8..=0xffu8, 0..16u8, any::<u8>()]
}

/// Bytes between frames: short and devious, or long.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(suggestive(), 0..30),
        (any::<u8>(), 0..2000usize).prop_map(|(byte, count)| vec![byte; count])
    ]
}

/// One thing that a hostile peer does.
#[derive(Clone, Debug)]
enum Move {
    Garbage(Vec<u8>),
    Records(Vec<Vec<u8>>),
    Record { skip: u8, record: Vec<u8> },
    Acks { next: u8, echo: u8, beyond: Vec<u8> },
    Hello { version: u16, answer: bool, from: Identity, to: Identity },
    Wait(u32),
    Application(u8, u16),
}

/// A record, or a few, that an honest peer might send: of streams 1 to 4, and of messages.
fn sound_records() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let bytes = || (any::<u8>(), 1..300usize).prop_map(|(byte, count)| vec![byte; count]);
    let one = prop_oneof![
        8 => (0..5u8, bytes()).prop_map(|(channel, bytes)| [vec![channel * 8], bytes].concat()),
        4 => (0..5u8, 0..128u8).prop_map(|(channel, credit)| vec![channel * 8 + 3, credit]),
        1 => (1..5u8).prop_map(|channel| vec![channel * 8 + 1]),
        1 => (1..5u8).prop_map(|channel| vec![channel * 8 + 4]),
        1 => (1..5u8).prop_map(|channel| vec![channel * 8 + 2, 100]),
    ];
    prop_oneof![
        15 => one.prop_map(|record| vec![record]),
        2 => (bytes(), bytes()).prop_map(|(first, second)| {
            let total = first.len() + second.len();
            let start = [vec![1, total as u8 | 0x80, (total >> 7) as u8], first].concat();
            vec![start, [vec![2], second].concat()]
        }),
    ]
}

fn moves() -> impl Strategy<Value = Move> {
    let identity = || (prop_oneof![Just(0u64), Just(KERNEL.0), Just(HOST.0), any::<u64>()], 0..3u32);
    prop_oneof![
        2 => garbage().prop_map(Move::Garbage),
        1 => (prop_oneof![Just(0u8), Just(1u8), any::<u8>()], vec(suggestive(), 0..40))
            .prop_map(|(skip, record)| Move::Record { skip, record }),
        40 => sound_records().prop_map(Move::Records),
        2 => (any::<u8>(), any::<u8>(), vec(any::<u8>(), 0..12))
            .prop_map(|(next, echo, beyond)| Move::Acks { next, echo, beyond }),
        1 => (prop_oneof![9 => Just(1u16), 1 => any::<u16>()], any::<bool>(), identity(), identity())
            .prop_map(|(version, answer, from, to)| Move::Hello { version, answer, from, to }),
        1 => (0..8_000_000u32).prop_map(Move::Wait),
        12 => (0..8u8, 0..5u16).prop_map(|(what, channel)| Move::Application(what, channel)),
    ]
}

/// What an application might do at any time.
fn application(link: &mut Link, what: u8, channel: u16) {
    let Some(channel) = Channel::new(channel) else {
        let _ = link.send_message(vec![0; 700]);
        return;
    };
    match what {
        0 | 1 => drop(link.stream_open(channel)),
        2 => drop(link.stream_write(channel, &[1; 3000])),
        3 => link.stream_consumed(channel, 2000),
        4 => link.stream_close(channel),
        5 => link.stream_reset(channel),
        6 => drop(link.poll_event()),
        _ => while link.poll_event().is_some() {},
    }
}

/// The hostile peer, which keeps as much of the rules as it takes to be listened to.
struct Peer {
    us: Identity,
    next: u8,
    sequence: u8,
    number: u8,
    now: Micros,
}

impl Peer {
    fn send(&mut self, link: &mut Link, skip: u8, record: &[u8]) {
        self.number = self.number.wrapping_add(1);
        let sequence = self.sequence.wrapping_add(skip);
        self.sequence = self.sequence.wrapping_add((skip == 0).into());
        let frame = raw::data(HOST, self.us, self.next, sequence, self.number, record);
        link.receive(&raw::on_line(&frame), self.now);
    }

    fn make(&mut self, link: &mut Link, this: &Move) {
        match this {
            Move::Garbage(bytes) => link.receive(bytes, self.now),
            Move::Records(records) => records.iter().for_each(|record| self.send(link, 0, record)),
            Move::Record { skip, record } => self.send(link, *skip, record),
            Move::Acks { next, echo, beyond } => {
                let mut frame = raw::data(HOST, self.us, *next, 0, 0, &[]);
                frame.truncate(3);
                frame[0] = 0xfe;
                frame.extend([*next, *echo, beyond.len() as u8]);
                frame.extend(beyond);
                link.receive(&raw::on_line(&frame), self.now);
            }
            Move::Hello { version, answer, from, to } => {
                link.receive(&raw::on_line(&raw::hello(*version, *answer, *from, *to)), self.now);
            }
            Move::Wait(micros) => {
                self.now = self.now + Micros((*micros).into());
                link.tick(self.now);
            }
            Move::Application(what, channel) => application(link, *what, *channel),
        }
        let mut heard = drain(link, self.now);
        self.next = heard.next.unwrap_or(self.next);
        // Out: says hello until it is in again, or the events that nobody takes forbid it.
        for _ in 0..3 {
            if let Some(us) = heard.who.take() {
                self.us = us;
                (self.sequence, self.next) = (0, 0);
                for channel in 1..5 {
                    self.send(link, 0, &[channel * 8 + 2, 100]);
                    application(link, 0, channel.into());
                }
            } else if link.is_up() {
                return;
            }
            link.receive(&raw::on_line(&raw::hello(1, true, HOST, self.us)), self.now);
            heard = drain(link, self.now);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_hostile_peer_neither_panics_the_link_nor_makes_it_grow(script in vec(moves(), 1..200)) {
        let held = peak(|| {
            let mut link = victim();
            let mut peer = Peer { us: KERNEL, next: 0, sequence: 0, number: 0, now: Micros(2) };
            for this in &script {
                peer.make(&mut link, this);
            }
            // An honest peer is served within three hellos, as soon as the application has taken what waited.
            while link.poll_event().is_some() {}
            let mut line = [0; 600];
            link.receive(&[0], peer.now);
            link.receive(&raw::on_line(&raw::hello(1, true, (77, 0), (0, 0))), peer.now);
            while link.poll_event().is_some() {}
            let count = link.transmit(&mut line, peer.now);
            let mut honest = Link::new(Config::host(), BootId::new(77), peer.now);
            honest.receive(&line[..count], peer.now);
            for _ in 0..4 {
                let count = honest.transmit(&mut line, peer.now);
                link.receive(&line[..count], peer.now);
                let count = link.transmit(&mut line, peer.now);
                honest.receive(&line[..count], peer.now);
            }
            assert!(link.is_up() && honest.is_up());
        });
        // The honest host's end is counted too.
        prop_assert!(held < BOUND + 64 * 1024, "{} bytes", held);
    }

    #[test]
    fn every_byte_comes_out_of_the_decoder_and_frames_survive_between_garbage(
        parts in vec((garbage(), vec(any::<u8>(), 0..520)), 1..8),
        cut in 1..97usize,
    ) {
        let mut line = Vec::new();
        let mut frames = Vec::new();
        for (garbage, body) in &parts {
            let mut frame = vec![0xfb];
            frame.extend(body);
            line.extend(garbage);
            Cobs::new().encode(&frame, &mut line);
            frames.push(frame);
        }
        let (mut out, mut found) = (Vec::<u8>::new(), Vec::<Vec<u8>>::new());
        let mut decoder = Cobs::new();
        for mut bytes in line.chunks(cut) {
            while let Some(piece) = decoder.decode(&mut bytes) {
                match piece {
                    Piece::Frame { frame, line } => {
                        out.extend(line);
                        found.push(frame.to_vec());
                    }
                    Piece::Foreign(bytes) => out.extend(bytes),
                }
            }
        }
        line.retain(|byte| *byte != 0);
        prop_assert_eq!(out, line);
        let mut found = found.into_iter();
        for frame in frames {
            prop_assert!(found.any(|candidate| candidate == frame), "a frame is missing");
        }
    }

    #[test]
    fn a_damaged_frame_is_never_taken_for_another(at in 0..60usize, flip in 1..=255u8) {
        let mut link = victim();
        let mut line = raw::on_line(&raw::data(HOST, KERNEL, 0, 0, 0, &[&[0][..], &[7; 40]].concat()));
        let at = at % line.len();
        line[at] ^= flip;
        link.receive(&line, Micros(2));
        link.receive(&[0], Micros(2));
        let delimiter = at == 0 || at == line.len() - 1;
        while let Some(event) = link.poll_event() {
            match event {
                Event::Foreign { .. } => {}
                Event::Message(bytes) if delimiter => prop_assert_eq!(bytes, vec![7; 40]),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
