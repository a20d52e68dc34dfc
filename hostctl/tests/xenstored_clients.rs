//! Real clients of `hostctl xenstored`: Debian's tools, upstream's own test program, Python's pyxs.

mod xenstored_server;

use std::path::Path;
use std::process::{Command, Stdio};

use xenstored_server::*;

/// Of Debian's package xen-utils-4.17.
const TEST_XENSTORE: &str = "/usr/lib/xen-4.17/bin/test-xenstore";

/// Runs a client to its end; returns its exit code and what it printed.
fn run(server: &Server, program: &Path, words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(program);
    command.args(words).env("XENSTORED_PATH", server.socket()).stdin(Stdio::null());
    let output = command.output().unwrap_or_else(|error| {
        panic!("{}: {error}; `cargo xtask setup` installs it", program.display());
    });
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn debians_tools_find_what_they_expect() {
    // Permissions for domains that there are not would be left out.
    let server = Server::with_domains(&[3]);
    let table: &[(&str, i32, &str)] = &[
        ("write /a/b hello /a/c two", 0, ""),
        ("read /a/b /a/c", 0, "hello\ntwo\n"),
        ("read -p /a/b", 0, "/a/b: hello\n"),
        ("list /a", 0, "b\nc\n"),
        ("ls -f /a", 0, "/a/b = \"hello\"\n/a/c = \"two\"\n"),
        ("exists /a/b", 0, ""),
        ("exists /a/x", 1, ""),
        ("read /a/x", 1, "xenstore-read: couldn't read path /a/x\n"),
        ("chmod -r /a n0 r3", 0, ""),
        ("ls -fp /a", 0, "/a/b = \"hello\"   (n0,r3)\n/a/c = \"two\"   (n0,r3)\n"),
        ("rm -t /a/b", 0, ""),
        ("list /a", 0, "c\n"),
        ("rm /a", 0, ""),
        ("watch -n 1 /a", 0, "/a\n"),
    ];
    for (line, code, printed) in table {
        let words: Vec<&str> = line.split(' ').collect();
        let tool = format!("/usr/bin/xenstore-{}", words[0]);
        let done = run(&server, Path::new(&tool), &words[1..]);
        assert_eq!(done, (Some(*code), (*printed).to_owned()), "xenstore-{line}");
    }
}

#[test]
fn xenstore_control_is_answered_and_the_log_goes_where_it_says() {
    let server = Server::start();
    let log = server.socket().with_file_name("log");
    let control = |words: &[&str]| run(&server, Path::new("/usr/lib/xen-4.17/bin/xenstore-control"), words);
    assert_eq!(control(&["logfile", log.to_str().unwrap()]), (Some(0), "OK\n".to_owned()));
    assert_eq!(control(&["log", "on"]), (Some(0), "OK\n".to_owned()));
    server.connect().ask(WRITE, 0, "/logged\0x").unwrap();
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains("/logged"), "{text}");
    let (code, printed) = control(&["no-such-command"]);
    assert_ne!(code, Some(0), "{printed}");
}

#[test]
fn a_tool_that_watches_hears_what_another_client_writes_and_its_death_changes_nothing() {
    use std::io::{BufRead, BufReader};
    let server = Server::start();
    let files = server.files();
    let mut watch = Command::new("/usr/bin/xenstore-watch");
    watch.arg("/seen").env("XENSTORED_PATH", server.socket()).stdout(Stdio::piped());
    let mut watch = watch.spawn().unwrap_or_else(|error| {
        panic!("xenstore-watch: {error}; `cargo xtask setup` installs it");
    });
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "/seen");
    let mut client = server.connect();
    client.ask(WRITE, 0, "/seen/now\0x").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "/seen/now");
    watch.kill().unwrap();
    watch.wait().unwrap();
    while server.files() > files + 1 {
        client.ask(WRITE, 0, "/seen/later\0x").unwrap();
    }
}

#[test]
fn upstreams_test_program_passes() {
    let server = Server::start();
    let (code, printed) = run(&server, Path::new(TEST_XENSTORE), &[]);
    assert_eq!(code, Some(0), "{printed}");
    // A line for each of its tests, with the time that it took.
    assert_eq!(printed.lines().filter(|line| line.ends_with(" ns")).count(), 12, "{printed}");
    let (code, printed) = run(&server, Path::new(TEST_XENSTORE), &["--random", "1"]);
    assert_eq!(code, Some(0), "{printed}");
}

#[test]
fn pyxs_reads_writes_watches_and_commits() {
    let server = Server::with_domains(&[7]);
    let script = r#"
import pyxs, sys
with pyxs.Client(unix_socket_path=sys.argv[1]) as client:
    client[b"/py/a"] = b"1"
    assert client[b"/py/a"] == b"1"
    assert client.list(b"/py") == [b"a"]
    assert client.exists(b"/py/a") and not client.exists(b"/py/b")
    client.set_perms(b"/py/a", [b"n0", b"r7"])
    assert client.get_perms(b"/py/a") == [b"n0", b"r7"]
    client.transaction()
    client[b"/py/b"] = b"2"
    assert client.commit()
    client.transaction()
    client[b"/py/b"] = b"3"
    client.rollback()
    assert client[b"/py/b"] == b"2"
    try:
        client.read(b"/py/none")
        raise SystemExit("found what is not there")
    except pyxs.PyXSError as error:
        assert error.args[0] == 2, error
    with client.monitor() as monitor:
        monitor.watch(b"/py/w", b"token")
        first = next(monitor.wait())
        assert (first.path, first.token) == (b"/py/w", b"token"), first
    client.delete(b"/py")
    assert not client.exists(b"/py")
print("done")
"#;
    // Debian's own Python: pyxs is Debian's package.
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", script]).arg(server.socket());
    let output =
        python.output().expect("Debian's python3; `cargo xtask setup` installs it with python3-pyxs");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !said.contains("No module named 'pyxs'"),
        "python3-pyxs is missing; `cargo xtask setup` installs it"
    );
    assert_eq!((output.stdout, output.status.code()), (b"done\n".to_vec(), Some(0)), "{said}");
}
