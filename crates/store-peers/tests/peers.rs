//! Both servers run without Xen, and serve domain 0 on a socket and others on rings.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use store_peers::{Client, DomainState, Message, Peer, PeerKind, RING_PORT};

const READ: u32 = 2;
const WATCH: u32 = 4;
const INTRODUCE: u32 = 8;
const WRITE: u32 = 11;
const SET_PERMS: u32 = 14;
const WATCH_EVENT: u32 = 15;
const ERROR: u32 = 16;

/// Runs the check against each server that is installed.
fn with_each(check: impl Fn(PeerKind, &Peer)) {
    for kind in PeerKind::ALL {
        if !kind.is_installed() {
            eprintln!("SKIPPED: {kind} is not here: install Debian's {}", PeerKind::PACKAGE);
            continue;
        }
        check(kind, &Peer::start(kind).unwrap());
    }
}

/// The reply to a request; events before it are skipped.
fn ask(client: &mut Client, ty: u32, payload: &str) -> Message {
    client.send(&Message { ty, req_id: 7, tx_id: 0, payload: payload.into() }).unwrap();
    loop {
        let reply = client.recv().unwrap();
        if reply.ty != WATCH_EVENT {
            return reply;
        }
    }
}

fn ok(client: &mut Client, ty: u32, payload: &str) -> String {
    let reply = ask(client, ty, payload);
    let text = String::from_utf8(reply.payload).unwrap();
    assert_eq!(reply.ty, ty, "{payload:?}: {text}");
    text
}

fn introduce(peer: &Peer, control: &mut Client, domid: u16) -> Client {
    peer.xen().set_state(domid, DomainState::Running).unwrap();
    let ring = peer.xen().ring(domid).unwrap();
    ok(control, INTRODUCE, &format!("{domid}\x001\0{RING_PORT}\0"));
    Client::over(ring)
}

#[test]
fn a_server_answers_on_its_socket() {
    with_each(|kind, peer| {
        let mut client = Client::connect(peer.socket()).unwrap();
        ok(&mut client, WRITE, "/a/b\0value");
        assert_eq!(ok(&mut client, READ, "/a/b\0"), "value", "{kind}");
        assert!(std::fs::metadata(format!("/proc/{}", peer.pid())).is_ok());
    });
}

#[test]
fn a_domain_on_a_ring_is_not_privileged() {
    with_each(|kind, peer| {
        let mut control = Client::connect(peer.socket()).unwrap();
        let mut guest = introduce(peer, &mut control, 3);
        ok(&mut control, WRITE, "/local/domain/3\0");
        ok(&mut control, SET_PERMS, "/local/domain/3\0n3\0");
        // Longer than the ring, both ways.
        let long = "x".repeat(1500);
        ok(&mut guest, WRITE, &format!("name\0{long}"));
        assert_eq!(ok(&mut guest, READ, "/local/domain/3/name\0"), long, "{kind}");
        ok(&mut control, WRITE, "/secret\0");
        let refused = ask(&mut guest, READ, "/secret\0");
        assert_eq!((refused.ty, &*refused.payload), (ERROR, &b"EACCES\0"[..]), "{kind}");
    });
}

#[test]
fn a_domain_that_dies_is_told_of() {
    with_each(|kind, peer| {
        let mut control = Client::connect(peer.socket()).unwrap();
        let _guest = introduce(peer, &mut control, 5);
        ok(&mut control, WATCH, "@releaseDomain\0token\0");
        assert_eq!(control.recv().unwrap().ty, WATCH_EVENT);
        peer.xen().set_state(5, DomainState::Gone).unwrap();
        peer.xen().tell_of_domains().unwrap();
        assert_eq!(control.recv().unwrap().payload, b"@releaseDomain\0token\0", "{kind}");
    });
}

/// Says to the test below, started as a program of its own, that it is to start a server and to wait.
const STARTER: &str = "STORE_PEERS_STARTER";

#[test]
fn a_server_does_not_outlive_a_starter_that_is_killed() {
    if let Ok(word) = std::env::var(STARTER) {
        let kind = PeerKind::ALL.into_iter().find(|kind| kind.word() == word).unwrap();
        let peer = Peer::start(kind).unwrap();
        eprintln!("server={}", peer.pid());
        // The test kills this process; its pipe never says anything.
        std::io::stdin().read_line(&mut String::new()).unwrap();
        unreachable!("the starter is killed");
    }
    with_each(|kind, _| {
        let mut starter = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_server_does_not_outlive_a_starter_that_is_killed", "--nocapture"])
            .env(STARTER, kind.word())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(starter.stderr.take().unwrap());
        let pid =
            said.lines().find_map(|line| Some(line.unwrap().strip_prefix("server=")?.to_owned())).unwrap();
        let is_running =
            || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
        assert!(is_running(), "{kind}");

        starter.kill().unwrap();
        starter.wait().unwrap();
        let patience = Instant::now() + Duration::from_secs(20);
        while is_running() {
            assert!(Instant::now() < patience, "{kind} goes on without its starter");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}
