//! `hostctl xenstore` and Debian's `xenstore-*` tools, side by side on two equal stores: each option, the same stdout, the same
//! success or failure, and in the end the same store.
//!
//! What differs on purpose: the words on stderr, and `ls -f` on a terminal, where Debian's tool cuts values at the edge.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use store_peers::{Peer, PeerKind};

/// A store of its own, and the programs that are tried on it.
struct Store {
    server: Server,
    socket: PathBuf,
}

/// Who serves it.
enum Server {
    Ours(Child),
    Debians { _running: Peer },
}

impl Store {
    /// One of Debian's servers.
    fn of(kind: PeerKind) -> Store {
        let peer = Peer::start(kind)
            .unwrap_or_else(|error| panic!("{kind}: {error}; is {} installed?", PeerKind::PACKAGE));
        let socket = peer.socket().to_owned();
        Store { server: Server::Debians { _running: peer }, socket }
    }

    fn start(socket: PathBuf) -> Store {
        let mut server = Command::new(env!("CARGO_BIN_EXE_hostctl"))
            .args(["xenstored", "--socket"])
            .arg(&socket)
            .stdout(Stdio::piped())
            .spawn()
            .expect("hostctl starts");
        let mut line = String::new();
        BufReader::new(server.stdout.take().expect("it is a pipe")).read_line(&mut line).expect("it speaks");
        assert!(line.starts_with("listening on "), "{line}");
        Store { server: Server::Ours(server), socket }
    }

    fn debian(&self, words: &[&str]) -> Command {
        let program = format!("/usr/bin/xenstore-{}", words[0]);
        assert!(Path::new(&program).exists(), "{program} is missing: apt-get install xenstore-utils");
        let mut command = Command::new(program);
        command.args(&words[1..]).env("XENSTORED_PATH", &self.socket);
        command
    }

    fn ours(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostctl"));
        command.args(["xenstore", "--socket"]).arg(&self.socket).args(words);
        command
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Server::Ours(server) = &mut self.server {
            // It keeps nothing, and the directory goes with the test.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn run(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs each line on one store with Debian's tools and on another with ours.
fn side_by_side(lines: &[&[&str]]) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    compare(&Store::start(dir.path().join("one")), &Store::start(dir.path().join("other")), lines);
}

fn compare(one: &Store, other: &Store, lines: &[&[&str]]) {
    for words in lines {
        let (theirs, ours) = (run(one.debian(words)), run(other.ours(words)));
        let shown = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(shown(&ours), shown(&theirs), "{words:?}");
        let text = String::from_utf8_lossy(&ours.stderr).into_owned();
        assert_eq!(ours.status.success(), theirs.status.success(), "{words:?}: {text}");
        // `exists` says no by its exit code alone.
        assert!(words[0] == "exists" || ours.status.success() == text.is_empty(), "{words:?}: {text}");
    }
    let all =
        |store: &Store| String::from_utf8(run(store.debian(&["ls", "-f", "-p"])).stdout).expect("it is text");
    assert_eq!(all(other), all(one), "after all");
}

#[test]
fn values_are_written_and_read_alike() {
    side_by_side(&[
        &["write", "/a", "plain"],
        &["read", "/a"],
        &["write", "/a/b", r"\t\n\r\\ \x41\101\7 \q\x4g", "/a/c", ""],
        &["read", "/a/b", "/a/c"],
        &["read", "-p", "/a/b", "/a/c", "/a"],
        &["read", "-R", "/a/b", "/a"],
        &["read", "--raw", "--prefix", "/a/b"],
        &["write", "-R", "/a/d", r"\n is no newline"],
        &["read", "/a/d"],
        &["write", "/bytes", r"\x00\x01\x07\x08\x1f\x7f\x80\xff"],
        &["read", "/bytes"],
        &["read", "-s", "-R", "/bytes"],
        &["write", "/a/é", "no"],
        &["read", "/no"],
        &["read", "/a", "/no", "/a/b"],
        &["read", "-p", "/a", "/no"],
        &["read"],
        &["write", "/a"],
        &["write", "/a", "1", "/b"],
    ]);
}

#[test]
fn directories_are_listed_alike() {
    side_by_side(&[
        &["write", "/d/b", "1", "/d/a", "2", "/d/c/e", "3"],
        &["list", "/d"],
        &["list", "-p", "/d", "/d/c", "/"],
        &["list", "--prefix", "/d/c"],
        &["list", "/d/a"],
        &["list", "/no"],
        &["list", "/d", "/no"],
        &["exists", "/d"],
        &["exists", "/d", "/d/a"],
        &["exists", "/d", "/no"],
        &["exists", "/no"],
        &["list"],
        &["exists"],
    ]);
}

#[test]
fn trees_are_laid_out_alike() {
    let long = "x".repeat(200);
    let medium: Vec<String> = (50..85).map(|len| "y".repeat(len)).collect();
    let deep = format!("/{}", ["deep"; 30].join("/"));
    let very_deep = format!("/{}", ["d"; 90].join("/"));
    let mut lines: Vec<Vec<&str>> = vec![
        vec!["write", "/t/long", &long, "/t/escaped", r"\n\n\n\x01\x02 and more", "/t/empty", ""],
        vec!["write", &deep, "at the bottom", &very_deep, "further down"],
    ];
    for (at, value) in medium.iter().enumerate() {
        lines.push(vec!["write", ["/m/a", "/m/b/c", "/m/b/d/e"][at % 3], value]);
        lines.push(vec!["ls", "-p", "/m"]);
        lines.push(vec!["ls", "/m"]);
    }
    lines.extend([
        vec!["chmod", "/t/empty", "n0", "r0"],
        vec!["ls"],
        vec!["ls", "/"],
        vec!["ls", "-p"],
        vec!["ls", "-f"],
        vec!["ls", "-f", "-p", "/t"],
        vec!["ls", "--flat", "--prefix", "/t", "/deep"],
        vec!["ls", "/t/"],
        vec!["ls", "/t/long"],
        vec!["ls", "-s", "/t"],
        vec!["ls", "/no"],
        vec!["ls", "/t", "/no", "/m"],
    ]);
    side_by_side(&lines.iter().map(Vec::as_slice).collect::<Vec<_>>());
}

#[test]
fn nodes_are_removed_alike() {
    side_by_side(&[
        &["write", "/a/b/c/d", "1", "/a/e", "2", "/f/g", "", "/h/i/j", "3", "/h/i/k", "4"],
        &["rm", "/a/b/c/d"],
        &["ls", "-f"],
        &["rm", "-t", "/a/b/c"],
        &["ls", "-f"],
        &["rm", "--tidy", "/a/e", "/f/g"],
        &["ls", "-f"],
        &["rm", "/h/i/no", "/h/i/j"],
        &["rm", "/no/such"],
        &["rm", "-t", "/h/i/k"],
        &["rm"],
        &["ls", "-f"],
    ]);
}

#[test]
fn permissions_are_set_alike() {
    side_by_side(&[
        &["write", "/a/b/c", "1", "/a/b/d/e", "2", "/a/f", "3"],
        &["chmod", "/a/f", "b0"],
        &["chmod", "/a/f", "r0", "w0", "n0"],
        &["ls", "-f", "-p"],
        &["chmod", "-r", "/a/b", "r0"],
        &["ls", "-p"],
        &["chmod", "-u", "/a/b/d/e", "w0"],
        &["ls", "-p", "/"],
        &["chmod", "--upto", "--recurse", "/a/b/d", "n0", "b0"],
        &["ls", "-f", "-p", "/a"],
        &["chmod", "/no", "n0"],
        &["chmod", "/a", "x0"],
        &["chmod", "/a"],
        &["chmod"],
    ]);
}

#[test]
fn watches_tell_alike() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (one, other) = (Store::start(dir.path().join("one")), Store::start(dir.path().join("other")));
    let told = |store: &Store, mut watch: Command| {
        let mut child = watch.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut stdout = child.stdout.take().expect("it is a pipe");
        // The watches are set when each has told of itself.
        let mut text = vec![0; "/w\n/v\n".len()];
        stdout.read_exact(&mut text).expect("it tells of itself");
        for words in [&["write", "/w/a", "1", "/other", "2"][..], &["write", "/v", "3"], &["rm", "/w"]] {
            assert!(run(store.ours(words)).status.success(), "{words:?}");
        }
        stdout.read_to_end(&mut text).expect("it ends");
        (child.wait().expect("it ended").code(), String::from_utf8(text).expect("it is text"))
    };
    let theirs = told(&one, one.debian(&["watch", "-n", "5", "/w", "/v"]));
    let ours = told(&other, other.ours(&["watch", "-n", "5", "/w", "/v"]));
    assert_eq!(ours, theirs);
    assert_eq!(ours.1.lines().count(), 5);
}

#[test]
fn debians_servers_answer_both_alike() {
    for kind in PeerKind::ALL {
        let long = "x".repeat(120);
        compare(
            &Store::of(kind),
            &Store::of(kind),
            &[
                &["write", "/d/a", r"one\n", "/d/b/c", &long, "/d/b/e", ""],
                &["read", "-p", "/d/a", "/d/b/c"],
                &["read", "/d/no"],
                &["list", "-p", "/d", "/d/b"],
                &["exists", "/d/a", "/d/no"],
                &["chmod", "-r", "/d/b", "r0"],
                &["chmod", "-u", "/d/b/e", "b0"],
                &["ls", "-p", "/d"],
                &["ls", "/no"],
                &["watch", "-n", "2", "/d", "/d/a"],
                &["rm", "-t", "/d/b/c"],
                &["rm", "/d/a"],
                &["ls", "-f", "-p", "/d"],
            ],
        );
    }
}
