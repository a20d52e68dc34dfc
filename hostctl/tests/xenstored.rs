//! `hostctl xenstored` among clients that are many, slow, killed or hostile; and its path in the file system.

mod xenstored_server;

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use xenstored_server::*;

/// A request's bytes.
fn message(ty: u32, req_id: u32, payload: &[u8]) -> Vec<u8> {
    let words = [ty, req_id, 0, payload.len() as u32];
    words.iter().flat_map(|word| word.to_le_bytes()).chain(payload.iter().copied()).collect()
}

/// The request ids of the replies in these bytes.
fn reply_ids(mut bytes: &[u8]) -> Vec<u32> {
    let mut ids = Vec::new();
    while let Some(header) = bytes.first_chunk::<16>() {
        let word = |index: usize| u32::from_le_bytes(header[index * 4..][..4].try_into().unwrap());
        ids.push(word(1));
        bytes = &bytes[16 + word(3) as usize..];
    }
    assert!(bytes.is_empty(), "half a reply");
    ids
}

/// Waits for something that the server does by itself.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_path_in_use_is_refused_and_a_stale_socket_is_replaced() {
    let server = Server::start();
    server.connect().ask(WRITE, 0, "/kept\0yes").unwrap();
    let second = hostctl(&server.socket()).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("is in use"), "{said}");
    assert_eq!(server.connect().ask(READ, 0, "/kept\0").unwrap(), "yes");

    let server = server.kill_and_start_again();
    assert_eq!(server.connect().ask(READ, 0, "/kept\0"), Err("ENOENT".into()));
}

#[test]
fn it_ends_when_told_to_and_takes_its_socket_away() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut server = Server::with_domains(&[1]);
        let mode = std::fs::metadata(server.socket()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut client = server.connect();
        client.ask(WRITE, 0, "/a\0b").unwrap();
        assert_eq!(server.end(signal).code(), Some(0));
        assert!(client.is_cut_off());
        let left = std::fs::read_dir(server.socket().parent().unwrap()).unwrap().count();
        assert_eq!(left, 0, "both sockets are gone");
    }
}

#[test]
fn what_cannot_be_served_is_refused_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    let free = dir.path().join("free");
    for domain in ["0=x", "32752=x", "x=x", "1", "1="] {
        let output = hostctl(&free).args(["--domain", domain]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{domain}");
    }
    let second = hostctl(&free).arg("--domain").arg(format!("1={}", file.display())).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert_eq!(hostctl(&file).output().unwrap().status.code(), Some(1));
    assert!(!free.exists());
    assert_eq!(std::fs::read(&file).unwrap(), b"precious");
}

#[test]
fn garbage_ends_its_client_alone_after_the_replies_due() {
    let server = Server::start();
    let mut bystander = server.connect();
    bystander.ask(WRITE, 0, "/a\0b").unwrap();
    let mut hostile = UnixStream::connect(server.socket()).unwrap();
    let mut bytes = message(READ, 7, b"/a\0");
    bytes.extend([0xff; 16]);
    bytes.extend(message(READ, 8, b"/a\0"));
    hostile.write_all(&bytes).unwrap();
    let mut replies = Vec::new();
    hostile.read_to_end(&mut replies).unwrap();
    assert_eq!(reply_ids(&replies), [7]);
    assert_eq!(bystander.ask(READ, 0, "/a\0").unwrap(), "b");
}

#[test]
fn requests_before_the_end_of_input_are_all_answered() {
    let server = Server::start();
    let mut client = UnixStream::connect(server.socket()).unwrap();
    // Unknown types are answered too.
    let bytes: Vec<u8> = (1..=5000).flat_map(|id| message(id % 40, id, b"/no/such\0")).collect();
    let mut writer = client.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        writer.write_all(&bytes).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut replies = Vec::new();
    client.read_to_end(&mut replies).unwrap();
    sender.join().unwrap();
    // Request 4 mod 40 is WATCH, whose events have id 0; its payload here is not valid.
    assert_eq!(reply_ids(&replies), (1..=5000).collect::<Vec<u32>>());
}

#[test]
fn clients_killed_amid_a_request_leave_nothing_behind() {
    let server = Server::start();
    let mut observer = server.connect();
    observer.ask(MKDIR, 0, "/t\0").unwrap();
    let files = server.files();
    for round in 0..200 {
        let mut client = server.connect();
        let tx = client.start();
        client.ask(WRITE, tx, &format!("/t/{round}\0x")).unwrap();
        client.ask(WATCH, 0, "/t\0token\0").unwrap();
        let mut half = UnixStream::connect(server.socket()).unwrap();
        half.write_all(&message(WRITE, 1, b"/t/half\0x")[..20 - round % 20]).unwrap();
    }
    wait_until("the server lets go of dead clients", || server.files() == files);
    assert_eq!(observer.ask(DIRECTORY, 0, "/t\0").unwrap(), "");
    // A transaction that conflicts with none of theirs, and a watch with a token of theirs.
    let tx = observer.start();
    observer.ask(WRITE, tx, "/t/1\0mine").unwrap();
    observer.ask(END, tx, "T\0").unwrap();
    observer.ask(WATCH, 0, "/t\0token\0").unwrap();
}

#[test]
fn a_thousand_clients_are_served_and_all_hear_one_event() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let server = Server::start();
    let mut clients: Vec<Talker> = (0..1000).map(|_| server.connect()).collect();
    for (index, client) in clients.iter_mut().enumerate() {
        client.send(WRITE, 0, &format!("/c/{index}\0v{index}"));
        client.send(WATCH, 0, "/bell\0all\0");
    }
    for client in &mut clients {
        client.reply().unwrap();
        client.reply().unwrap();
        assert_eq!(client.event(), "/bell\0all\0");
    }
    server.connect().ask(WRITE, 0, "/bell\0rung").unwrap();
    for (index, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.event(), "/bell\0all\0");
        assert_eq!(client.ask(READ, 0, &format!("/c/{index}\0")).unwrap(), format!("v{index}"));
    }
}

#[test]
fn a_client_that_does_not_read_delays_nobody_and_costs_little() {
    let server = Server::start();
    let mut other = server.connect();
    other.ask(WRITE, 0, &format!("/large\0{}", "x".repeat(4000))).unwrap();
    let mut stuck = UnixStream::connect(server.socket()).unwrap();
    stuck.set_nonblocking(true).unwrap();
    stuck.write_all(&message(WATCH, 0, b"/\0all\0")).unwrap();
    // One reply is a hundred times its request: sent until nothing more is taken.
    let mut wants = 0;
    let mut half_sent = Vec::new();
    let mut last_taken = Instant::now();
    while half_sent.is_empty() && last_taken.elapsed() < Duration::from_secs(1) {
        let request = message(READ, wants + 1, b"/large\0");
        match stuck.write(&request) {
            Ok(sent) => {
                half_sent = request[sent..].to_vec();
                (wants, last_taken) = (wants + 1, Instant::now());
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    let before = server.memory();
    for round in 0..3000 {
        other.ask(WRITE, 0, &format!("/seen/{round}\0{round}")).unwrap();
        other.ask(RM, 0, &format!("/seen/{round}\0")).unwrap();
    }
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 2048, "{grown} KiB for a client that does not read");

    // It is not forgotten: once it reads, every request is answered, in order, and events are among the replies.
    stuck.set_nonblocking(false).unwrap();
    let mut writer = stuck.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        writer.write_all(&half_sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut replies = Vec::new();
    stuck.read_to_end(&mut replies).unwrap();
    sender.join().unwrap();
    let mut ids = reply_ids(&replies);
    assert!(ids.iter().filter(|id| **id == 0).count() > 1, "events came too");
    ids.retain(|id| *id != 0);
    assert_eq!(ids, (1..=wants).collect::<Vec<u32>>());
}

#[test]
fn the_removal_of_many_nodes_is_answered_at_once_and_its_memory_comes_back() {
    let server = Server::start();
    let mut client = server.connect();
    let mut peaks = Vec::new();
    for _ in 0..6 {
        for index in 0..20_000 {
            client.send(WRITE, 0, &format!("/many/{}/{}\0v", index / 100, index % 100));
            if index % 64 == 63 {
                (0..64).for_each(|_| drop(client.reply().unwrap()));
            }
        }
        (0..20_000 % 64).for_each(|_| drop(client.reply().unwrap()));
        peaks.push(server.memory());
        client.ask(RM, 0, "/many\0").unwrap();
        assert_eq!(server.connect().ask(READ, 0, "/many/1/1\0"), Err("ENOENT".into()));
    }
    // What one round left behind the next one uses again.
    assert!(peaks[5] < peaks[1] + peaks[1] / 4, "KiB after each round: {peaks:?}");
}

/// Whom it has answered may share its processor, which a server that never sleeps keeps for milliseconds.
#[test]
fn the_server_sleeps_between_two_steps_of_its_own_work() {
    const NODES: usize = 20_000;
    let server = Server::start();
    let mut client = server.connect();
    for index in 0..NODES {
        client.ask(WRITE, 0, &format!("/many/{}/{}\0v", index / 100, index % 100)).unwrap();
    }
    client.ask(RM, 0, "/many\0").unwrap();
    let before = server.sleeps();
    // A step is of 512 nodes, and a few thousand were done with the request. Nobody asks for anything meanwhile.
    wait_until("the server sleeps", || server.sleeps() - before > NODES as u64 / 512 / 2);
}

#[test]
fn a_domains_socket_gives_the_rights_and_the_quota_of_a_guest() {
    let server = Server::with_domains(&[5, 6]);
    let mut control = server.connect();
    control.ask(WRITE, 0, "/local/domain/5/name\0five").unwrap();
    control.ask(SET_PERMS, 0, "/local/domain/5\0n5\0").unwrap();
    let mut guest = server.connect_as(5);
    assert_eq!(guest.ask(WRITE, 0, "data/own\0x").unwrap(), "OK\0");
    assert_eq!(guest.ask(WRITE, 0, "/elsewhere\0x"), Err("EACCES".into()));
    assert_eq!(server.connect_as(6).ask(READ, 0, "/local/domain/5/data/own\0"), Err("EACCES".into()));
    let refused = (0..2000).find_map(|index| guest.ask(MKDIR, 0, &format!("data/{index}\0")).err());
    assert_eq!(refused.as_deref(), Some("ENOSPC"));

    let mut again = server.connect_as(5);
    assert_eq!(again.ask(READ, 0, "data/own\0").unwrap(), "x");
    assert!(guest.is_cut_off(), "a domain has one connection");
    control.ask(RELEASE, 0, "5\0").unwrap();
    assert!(again.is_cut_off());
    assert!(server.connect_as(5).is_cut_off(), "it was released");
}
