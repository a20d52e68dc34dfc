//! Transcripts of `hostctl xenstore` against a control domain without Xen, through a real broker and the real store.

mod fake;

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use fake::{Done, Fake, finish};

fn done(code: i32, stdout: &str, stderr: &str) -> Done {
    Done { code, stdout: stdout.into(), stderr: stderr.into() }
}

fn ok(stdout: &str) -> Done {
    done(0, stdout, "")
}

/// Runs `hostctl xenstore` with the words of a line, no quotes.
fn xs(fake: &Fake, line: &str) -> Done {
    let words: Vec<&str> = std::iter::once("xenstore").chain(line.split(' ')).collect();
    fake.run(&words)
}

#[test]
fn what_is_written_is_read_back() {
    let fake = Fake::start();
    assert_eq!(xs(&fake, r"write /a/b one\n\x01\\ /a/c two"), ok(""));
    assert_eq!(xs(&fake, "read /a/b"), ok("one\\n\\001\\\\\n"));
    assert_eq!(xs(&fake, "read -p /a/b /a/c"), ok("/a/b: one\\n\\001\\\\\n/a/c: two\n"));
    assert_eq!(xs(&fake, "read -R /a/b /a/c"), ok("one\n\u{1}\\two"));
    assert_eq!(xs(&fake, r"write -R /a/b one\n"), ok(""));
    assert_eq!(xs(&fake, "read -s /a/b"), ok("one\\\\n\n"));
    // A value may look like an option behind two dashes.
    assert_eq!(xs(&fake, "write -- /a/b -5"), ok(""));
    assert_eq!(xs(&fake, "read /a/b"), ok("-5\n"));
}

#[test]
fn a_refusal_names_the_node_and_the_reason() {
    let fake = Fake::start();
    xs(&fake, "write /a 1");
    for (line, stdout, stderr) in [
        ("read /no", "", "cannot read /no: it does not exist (ENOENT)"),
        // As with Debian's tool, what was read before is printed.
        ("read /a /no", "1\n", "cannot read /no: it does not exist (ENOENT)"),
        ("list /no", "", "cannot list /no: it does not exist (ENOENT)"),
        ("ls /no", "", "cannot list /no: it does not exist (ENOENT)"),
        ("chmod /no n0", "", "cannot set the permissions of /no: it does not exist (ENOENT)"),
        (
            "write /a//b 1",
            "",
            "cannot write /a//b: the store finds the path or the request malformed (EINVAL)",
        ),
        ("rm /", "", "cannot remove /: the store finds the path or the request malformed (EINVAL)"),
    ] {
        assert_eq!(xs(&fake, line), done(1, stdout, &format!("Error: {stderr}\n")), "{line}");
    }
    let long = "x".repeat(4096);
    let error = "Error: cannot write /a: a message takes 4096 bytes, this is longer\n";
    assert_eq!(xs(&fake, &format!("write /a {long}")), done(1, "", error));
}

#[test]
fn words_that_make_no_sense_are_exit_code_2() {
    let fake = Fake::start();
    for line in
        ["write /a", "write /a 1 /b", "chmod /a", "chmod /a x1", "read", "zap", "watch -n -1 /a", "proxy"]
    {
        let done = xs(&fake, line);
        assert!(done.code == 2 && done.stdout.is_empty() && !done.stderr.is_empty(), "{line}: {done:?}");
    }
    assert!(xs(&fake, "chmod /a r70000").stderr.contains("'r70000' is no permission: a letter"));
    assert!(xs(&fake, "write /a 1 /b").stderr.contains("'/b' has no value"));
}

#[test]
fn directories_are_listed() {
    let fake = Fake::start();
    xs(&fake, "write /d/b 1 /d/a 2");
    assert_eq!(xs(&fake, "list /d"), ok("a\nb\n"));
    assert_eq!(xs(&fake, "list -p /d /"), ok("/d/a\n/d/b\n//d\n//tool\n"));
    assert_eq!(xs(&fake, "exists /d/a /d/b"), ok(""));
    assert_eq!(xs(&fake, "exists /d/a /d/c"), done(1, "", ""));
}

#[test]
fn a_directory_larger_than_a_message_is_listed_whole() {
    let fake = Fake::start();
    let names: Vec<String> = (0..600).map(|n| format!("node-{n:04}")).collect();
    for some in names.chunks(200) {
        let paths: Vec<String> = some.iter().map(|name| format!("/big/{name}")).collect();
        assert_eq!(xs(&fake, &format!("mkdir {}", paths.join(" "))), ok(""));
    }
    assert_eq!(xs(&fake, "list /big").stdout.lines().collect::<Vec<_>>(), names);
    assert_eq!(xs(&fake, "ls /big").stdout.lines().count(), 600);
}

#[test]
fn tidying_removes_empty_directories_above() {
    let fake = Fake::start();
    xs(&fake, "write /a/b/c/d 1 /a/b/e 2");
    assert_eq!(xs(&fake, "rm /a/b/c/d"), ok(""));
    assert_eq!(xs(&fake, "ls /a"), ok("b = \"\"\n c = \"\"\n e = \"2\"\n"));
    assert_eq!(xs(&fake, "rm -t /a/b/c"), ok(""));
    assert_eq!(xs(&fake, "list /a/b"), ok("e\n"));
    assert_eq!(xs(&fake, "rm --tidy /a/b/e"), ok(""));
    assert_eq!(xs(&fake, "exists /a"), done(1, "", ""));
}

#[test]
fn permissions_go_down_and_up() {
    let fake = Fake::start();
    xs(&fake, "write /a/b/c 1 /a/b/d/e 2");
    assert_eq!(xs(&fake, "chmod -r /a/b/d b0"), ok(""));
    assert_eq!(xs(&fake, "chmod --upto /a/b r0"), ok(""));
    let expected =
        "/a/b = \"\"   (r0)\n/a/b/c = \"1\"   (n0)\n/a/b/d = \"\"   (b0)\n/a/b/d/e = \"2\"   (b0)\n";
    assert_eq!(xs(&fake, "ls -f -p /a"), ok(expected));
    assert!(xs(&fake, "ls -p /").stdout.starts_with("a = \"\""));
}

#[test]
fn watch_prints_what_changes_and_ends_after_as_many_events() {
    let fake = Fake::start();
    assert_eq!(xs(&fake, "watch -n 2 /a /b"), ok("/a\n/b\n"));
    let mut watching = fake.spawn(&["xenstore", "watch", "-n", "3", "/a"]);
    let mut first = [0; 3];
    watching.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"/a\n");
    xs(&fake, "write /a/x 1 /b 2 /a/y 3");
    assert_eq!(finish(watching), ok("/a/x\n/a/y\n"));
    fake.until("the watch's stream is closed", |world| world.stores == 0);
    // Only one level: the node below is not told of.
    let mut watching = fake.spawn(&["xenstore", "--json", "watch", "-d", "0", "-n", "2", "/a"]);
    let mut first = [0; 27];
    watching.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"{\"path\":\"/a\",\"watched\":\"/a\"");
    xs(&fake, "write /a/x 1 /a 2");
    assert_eq!(finish(watching), ok("}\n{\"path\":\"/a\",\"watched\":\"/a\"}\n"));
}

#[test]
fn a_watcher_that_is_stopped_leaves_no_stream() {
    let fake = Fake::start();
    let mut watching = fake.spawn(&["xenstore", "watch", "/a"]);
    watching.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
    let pid = rustix::process::Pid::from_raw(watching.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(finish(watching), done(143, "", ""));
    fake.until("its stream is closed", |world| world.stores == 0);
}

#[test]
fn the_stores_own_commands() {
    let fake = Fake::start();
    assert!(xs(&fake, "control help").stdout.contains("check"));
    let refused = xs(&fake, "control zap -x");
    assert_eq!((refused.code, refused.stdout.as_str()), (3, ""));
    assert!(refused.stderr.starts_with("Error: the store does not carry out 'zap': "), "{refused:?}");
    assert!(refused.stderr.contains("its commands are\n"), "{refused:?}");
}

#[test]
fn json_says_the_same_to_programs() {
    let fake = Fake::start();
    for (line, expected) in [
        (r"write /a/b one\n /a/c \xff", r#"{"done":"write","paths":["/a/b","/a/c"]}"#),
        ("mkdir /a/d", r#"{"done":"mkdir","paths":["/a/d"]}"#),
        ("read /a/b /a/c", r#"[{"path":"/a/b","value":"one\n"},{"path":"/a/c","value_hex":"ff"}]"#),
        ("list /a", r#"[{"names":["b","c","d"],"path":"/a"}]"#),
        ("chmod -u /a/d r0", r#"{"done":"chmod","paths":["/a/d","/a"]}"#),
        (
            "ls -p /a",
            concat!(
                r#"[{"path":"/a/b","permissions":["n0"],"value":"one\n"},"#,
                r#"{"path":"/a/c","permissions":["n0"],"value_hex":"ff"},"#,
                r#"{"path":"/a/d","permissions":["r0"],"value":""}]"#
            ),
        ),
        ("rm /a/b", r#"{"done":"rm","paths":["/a/b"]}"#),
    ] {
        assert_eq!(xs(&fake, &format!("--json {line}")), ok(&format!("{expected}\n")), "{line}");
    }
    let exists = xs(&fake, "exists --json /a /no");
    let expected = "[{\"exists\":true,\"path\":\"/a\"},{\"exists\":false,\"path\":\"/no\"}]\n";
    assert_eq!(exists, done(1, expected, ""));
    let refused = xs(&fake, "read --json /no");
    let error = "{\"code\":1,\"error\":\"cannot read /no: it does not exist (ENOENT)\",\"hint\":null}\n";
    assert_eq!(refused, done(1, "", error));
}

#[test]
fn a_control_domain_without_a_free_stream_is_told_of() {
    let fake = Fake::start();
    fake.world.lock().unwrap().refuses_stores = true;
    let error =
        "Error: the control domain has 32 streams open and takes no more; close a console and try again\n";
    assert_eq!(xs(&fake, "ls"), done(1, "", error));
}

#[test]
fn a_socket_is_a_store_too_and_its_faults_are_told() {
    let fake = Fake::start();
    let missing = xs(&fake, "--socket no/such ls");
    assert_eq!(missing.code, 1);
    assert!(
        missing.stderr.starts_with("Error: cannot reach the store at no/such: No such file"),
        "{missing:?}"
    );

    let listener = UnixListener::bind(fake.dir.path().join("s")).unwrap();
    let with = |answer: fn(UnixStream)| {
        let child = fake.spawn(&["xenstore", "--socket", "s", "read", "/a"]);
        answer(listener.accept().unwrap().0);
        finish(child)
    };
    assert_eq!(with(drop), done(1, "", "Error: cannot read /a: the store closed the connection\n"));
    let nonsense = with(|mut socket| {
        let _ = socket.write_all(&[0xff; 64]);
        let _ = socket.read_to_end(&mut Vec::new());
    });
    assert_eq!((nonsense.code, nonsense.stdout.as_str()), (1, ""));
    assert!(nonsense.stderr.starts_with("Error: cannot read /a: "), "{nonsense:?}");

    let silent = fake.spawn(&["--timeout", "0.3", "xenstore", "--socket", "s", "read", "/a"]);
    let socket = listener.accept().unwrap();
    assert_eq!(finish(silent).code, 4);
    drop(socket);
}

#[test]
fn the_proxy_offers_the_control_domains_store_on_a_socket() {
    let fake = Fake::start();
    let mut proxy = fake.spawn(&["xenstore", "proxy", "--socket", "xs"]);
    let mut hello = [0; 16];
    proxy.stdout.as_mut().unwrap().read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"listening on xs\n");
    assert_eq!(xs(&fake, "--socket xs write /a 1"), ok(""));
    assert_eq!(xs(&fake, "read /a"), ok("1\n"));
    // Several at once, each a connection of its own.
    let mut watching = fake.spawn(&["xenstore", "--socket", "xs", "watch", "-n", "2", "/a"]);
    watching.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
    let writers: Vec<_> = (0..6)
        .map(|n| fake.spawn(&["xenstore", "--socket", "xs", "write", &format!("/w/{n}"), "x"]))
        .collect();
    assert!(writers.into_iter().all(|writer| finish(writer) == ok("")));
    assert_eq!(xs(&fake, "list /w"), ok("0\n1\n2\n3\n4\n5\n"));
    assert_eq!(xs(&fake, "--socket xs write /a 2"), ok(""));
    assert_eq!(finish(watching), ok("/a\n"));
    // Whoever speaks nonsense is cut off alone.
    let mut garbage = UnixStream::connect(fake.dir.path().join("xs")).unwrap();
    garbage.write_all(&[0xff; 64]).unwrap();
    assert_eq!(garbage.read_to_end(&mut Vec::new()).unwrap(), 0);
    assert_eq!(xs(&fake, "--socket xs read /a"), ok("2\n"));

    let pid = rustix::process::Pid::from_raw(proxy.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(finish(proxy), done(143, "", ""));
    assert!(!fake.dir.path().join("xs").exists(), "it takes its socket away");
    fake.until("its streams are closed", |world| world.stores == 0);
}
