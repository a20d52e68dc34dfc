//! `--json`: whatever goes wrong is one object on stderr, and what is printed is JSON.

mod fake;

use fake::{Done, Fake, Order, finish};
use proto::domain::Ended;
use serde_json::{Value, json};

/// The one object on stderr.
fn object(done: &Done, what: &str) -> Value {
    serde_json::from_str(&done.stderr).unwrap_or_else(|_| panic!("{what}: {done:?}"))
}

/// The objects on stdout, one a line.
fn objects(done: &Done) -> Vec<Value> {
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    done.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[test]
fn every_command_fails_with_one_object() {
    let fake = Fake::start();
    for (line, code, error) in [
        ("xm destroy x", 3, "Domain 'x' does not exist."),
        ("xm pause x", 3, "Domain 'x' does not exist."),
        ("xm domid x", 3, "Domain 'x' does not exist."),
        ("xm domname x", 3, "Domain 'x' does not exist."),
        ("xm list x", 3, "Domain 'x' does not exist."),
        ("xm uptime x", 3, "Domain 'x' does not exist."),
        ("xm console x", 3, "Domain 'x' does not exist."),
        ("xm destroy 0", 1, "Cannot destroy privileged domain 0"),
        ("xm dmesg x", 1, "No parameter required"),
        ("xm info x y", 1, "'xm info' requires between 0 and 1 arguments."),
        ("xm create /nowhere", 1, "Unable to open config file: /nowhere"),
        ("xm zap", 1, "Subcommand zap not found!"),
        ("console-log x", 3, "Domain 'x' does not exist."),
        ("lab status x", 1, "there is no lab 'x'"),
        ("lab down x", 1, "there is no lab 'x'"),
        ("lab log x", 1, "there is no lab 'x'"),
        ("lab up --xen 5.0", 1, "there is no hypervisor '5.0'"),
        ("lab run /nowhere", 1, "Unable to open config file: /nowhere"),
        ("bundle list /nowhere", 1, "cannot read the bundle /nowhere"),
        ("bundle create /tmp/x /nowhere", 1, "/nowhere"),
        ("lab zap", 2, "unrecognized subcommand 'zap'"),
        ("--connect lab:nope xm list", 1, "no lab 'nope' is up"),
        ("--connect lab:nope log", 1, "no lab 'nope' is up"),
        ("--connect lab:nope usage", 1, "no lab 'nope' is up"),
    ] {
        let words: Vec<&str> = line.split(' ').chain(["--json"]).collect();
        let done = fake.run(&words);
        let object = object(&done, line);
        let said = object["error"].as_str().unwrap();
        assert!(said.contains(error), "{line}: {said}");
        assert_eq!((done.code, object["code"].as_i64()), (code, Some(i64::from(code))), "{line}");
        assert_eq!(done.stdout, "", "{line}");
        assert!(object["hint"].is_null() || object["hint"].as_str().is_some_and(|hint| !hint.is_empty()));
    }
}

#[test]
fn what_to_do_is_a_member_of_its_own() {
    let fake = Fake::start();
    let hint = |words: &[&str]| object(&fake.run(words), words[0])["hint"].clone();
    assert_eq!(hint(&["--json", "xm", "destroy", "x"]), "'xm list' shows the domains");
    assert_eq!(hint(&["--json", "--connect", "lab:a", "xm", "list"]), "start it with 'hostctl lab up'");
    assert_eq!(
        hint(&["xm", "create", "/dev/null", "--json"]),
        "add kernel = \"/path/to/kernel\" to its configuration"
    );
    assert_eq!(hint(&["--json", "--zap"]), "'--help' shows how it is used");
}

#[test]
fn a_time_that_passed_and_a_signal_are_errors_too() {
    let fake = Fake::start();
    fake.world.lock().unwrap().holds_creations = true;
    let create = ["--json", "xm", "create", "/dev/null", "name=g", "kernel=bundle:k"];
    let child = fake.spawn(&[&["--timeout", "1"], &create[..]].concat());
    fake.until("the creation arrives", |world| world.created.len() == 1);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    fake.order(Order::Release);
    let done = finish(child);
    let object = object(&done, "create");
    assert_eq!((done.code, &object["code"]), (4, &json!(4)));
    let notes = object["notes"].to_string();
    assert!(notes.contains("destroyed again"), "{notes}");

    let mut child = fake.spawn(&["--json", "console-log", "-f", "guest1"]);
    fake.until("the console is open", |world| world.consoles == 1);
    drop(child.stdin.take());
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let done = finish(child);
    assert_eq!((done.code, &self::object(&done, "log")["code"]), (143, &json!(143)));
}

#[test]
fn logs_are_one_object_a_line() {
    let fake = Fake::start();
    let dir = fake.lab("one", true);
    std::fs::write(dir.join("xen.log"), "(XEN) one\r\n(XEN) two\n").unwrap();
    assert_eq!(objects(&fake.run(&["--json", "log"])), [json!({ "line": "INFO up" })]);
    assert_eq!(
        objects(&fake.run(&["console-log", "guest1", "--json"])),
        [json!({ "line": "hello from guest1" })]
    );
    assert_eq!(
        objects(&fake.run(&["lab", "log", "one", "--json"])),
        [json!({ "line": "(XEN) one" }), json!({ "line": "(XEN) two" })]
    );
    let child = fake.spawn(&["console-log", "-f", "guest1", "--json"]);
    fake.until("the console is open", |world| world.consoles == 1);
    fake.order(Order::Print(b"more\nrest".to_vec()));
    fake.order(Order::End(Ended::Destroyed));
    assert_eq!(
        objects(&finish(child)),
        [json!({ "line": "hello from guest1" }), json!({ "line": "more" }), json!({ "line": "rest" })]
    );
}

#[test]
fn a_lab_that_goes_down_says_what_it_was() {
    let fake = Fake::start();
    fake.lab("one", false);
    fake.lab("two", false);
    assert_eq!(
        objects(&fake.run(&["--json", "lab", "down", "one"])),
        [json!({ "name": "one", "was": "dead" })]
    );
    assert_eq!(
        objects(&fake.run(&["lab", "down", "--all", "--json"])),
        [json!({ "name": "two", "was": "dead" })]
    );
}
