//! Labs without QEMU: directories, names, and starts that fail. A script stands in for the program.

mod fake;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fake::{Done, Fake, Order, finish, noise};

/// A machine to start labs on: a runtime directory, a kernel, a hypervisor, and a program called QEMU.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn with_qemu(script: &str) -> Place {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let qemu = bin.join("qemu-system-x86_64");
        std::fs::write(&qemu, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&qemu, PermissionsExt::from_mode(0o755)).unwrap();
        for name in ["xen", "kernel"] {
            std::fs::write(dir.path().join(name), b"\x7fELF").unwrap();
        }
        std::fs::write(dir.path().join("g.cfg"), "kernel = 'bundle:k'").unwrap();
        Place { dir }
    }

    fn hostctl(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostctl"));
        let path = std::env::var("PATH").unwrap();
        command
            .args(line.split_whitespace())
            .env("PATH", format!("{}:{path}", self.dir.path().join("bin").display()))
            .env("XDG_RUNTIME_DIR", self.dir.path())
            .env("NANODOM_KERNEL", self.dir.path().join("kernel"))
            .env_remove("HOSTCTL_CONNECT")
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Done {
        Done::of(self.hostctl(line).output().unwrap())
    }

    fn labs(&self) -> Vec<String> {
        std::fs::read_dir(self.dir.path().join("nanodom/labs"))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| !name.starts_with('.'))
            .collect()
    }

    /// The process whose number the script wrote to `file`.
    fn pid_in(&self, file: &str) -> u32 {
        let start = Instant::now();
        loop {
            let text = std::fs::read_to_string(self.dir.path().join(file)).unwrap_or_default();
            if let Ok(pid) = text.trim().parse() {
                return pid;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "QEMU was never started");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn is_gone(pid: u32) -> bool {
    let start = Instant::now();
    while hostctl::lab::process::Process::now(pid).is_some() {
        if start.elapsed() > Duration::from_secs(10) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

#[test]
fn a_qemu_that_does_not_start_is_quoted_and_nothing_is_left() {
    let place = Place::with_qemu("echo 'no such machine' >&2; exit 1");
    let done = place.run("lab up --xen xen");
    assert_eq!((done.code, done.stdout.as_str()), (6, ""), "{}", done.stderr);
    assert!(
        done.stderr.contains("no such machine") && done.stderr.contains("QEMU could not start"),
        "{}",
        done.stderr
    );
    assert_eq!(place.labs(), Vec::<String>::new());
    assert_eq!(place.run("lab log --qemu").stdout, "no such machine\n");
}

#[test]
fn a_panic_before_the_first_answer_shows_the_console() {
    let place = Place::with_qemu("echo 'nanodom: panic at main.rs:1' > xen.log; exit 255");
    let done = place.run("lab up --xen xen");
    assert_eq!(done.code, 6);
    assert!(
        done.stderr.contains("the control domain panicked") && done.stderr.contains("panic at main.rs:1"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_machine_that_says_nothing_is_given_up_on_and_ended() {
    let place = Place::with_qemu("echo $$ > ../../../pid; exec sleep 1000");
    let done = place.run("--timeout 1 lab up --xen xen");
    assert_eq!(done.code, 6, "{}", done.stderr);
    assert!(done.stderr.contains("does not answer (waited 1 s)"), "{}", done.stderr);
    assert!(is_gone(place.pid_in("pid")));
    assert_eq!(place.labs(), Vec::<String>::new());
}

#[test]
fn of_two_starts_of_one_name_one_wins_and_the_other_says_so() {
    let place = Place::with_qemu("echo $$ > ../../../pid; exec sleep 1000");
    let first = place.hostctl("--timeout 3 lab up --xen xen").stderr(Stdio::piped()).spawn().unwrap();
    place.pid_in("pid");
    let second = place.run("lab up --xen xen");
    assert_eq!(
        (second.code, second.stderr.as_str()),
        (1, "Error: another command is starting or ending lab 'default' at this moment\n")
    );
    assert_eq!(finish(first).code, 6);
}

#[test]
fn lab_run_takes_its_lab_down_on_a_signal_and_when_killed() {
    for (signal, code) in [
        (rustix::process::Signal::TERM, 143),
        (rustix::process::Signal::INT, 130),
        (rustix::process::Signal::KILL, -1),
    ] {
        let place = Place::with_qemu("echo $$ > ../../../pid; exec sleep 1000");
        let child = place.hostctl("lab run --xen xen g.cfg").stderr(Stdio::piped()).spawn().unwrap();
        let qemu = place.pid_in("pid");
        // Into the wait for the first answer.
        std::thread::sleep(Duration::from_millis(200));
        let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
        assert_eq!(finish(child).code, code);
        assert!(is_gone(qemu), "{signal:?}");
        if code > 0 {
            let left = std::fs::read_dir(place.dir.path().join("nanodom/labs")).unwrap().count();
            assert_eq!(left, 0, "{signal:?}");
        }
    }
}

#[test]
fn a_wrong_configuration_starts_nothing() {
    let place = Place::with_qemu("echo $$ > ../../../pid; exec sleep 1000");
    let done = place.run("lab run --xen xen g.cfg disk=phy:vg/x,xvda,w");
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("domains have no devices yet"), "{}", done.stderr);
    assert!(!Path::new(&place.dir.path().join("pid")).exists());
}

#[test]
fn a_missing_part_is_named_with_what_to_do() {
    let place = Place::with_qemu("exit 1");
    for (line, text) in [
        ("lab up --xen 5.0", "there is no hypervisor '5.0': --xen takes 4.17, 4.20, full or a file"),
        ("lab up --xen xen --kernel nope", "there is no kernel nope"),
        ("lab up --xen xen --bundle nope", "no bundle nope"),
        ("lab down nope", "there is no lab 'nope'; no lab is up"),
        ("lab status nope", "there is no lab 'nope'; no lab is up"),
        ("lab log nope", "there is no lab 'nope'; no lab is up"),
    ] {
        let done = place.run(line);
        assert_eq!(done.code, 1, "{line}");
        assert!(done.stderr.contains(text), "{line}: {}", done.stderr);
    }
    assert_eq!(place.run("lab up --name ../x").code, 2);
    let not_built =
        Done::of(place.hostctl("lab up --xen full").env("NANODOM_CACHE", "/nowhere").output().unwrap());
    assert!(not_built.stderr.contains("'cargo xtask xen-full' builds it"), "{}", not_built.stderr);
    let no_kernel =
        Done::of(place.hostctl("lab up --xen xen").env("NANODOM_KERNEL", "/no/kernel").output().unwrap());
    assert!(no_kernel.stderr.contains("  /no/kernel\n"), "{}", no_kernel.stderr);
}

#[test]
fn the_only_lab_is_used_and_images_go_through_its_memory() {
    let fake = Fake::start();
    let dir = fake.lab("one", true);
    fake.world.lock().unwrap().shared_memory = Some(dir.join("shm"));
    let kernel = fake.file("big", &noise(3_000_000));
    let words = [
        "-v",
        "xm",
        "create",
        "-q",
        "/dev/null",
        "name=g",
        &format!("ramdisk={}", kernel.display()),
        "kernel=bundle:k",
    ];
    let done = Done::of(fake.hostctl(&words).env_remove("HOSTCTL_CONNECT").output().unwrap());
    assert_eq!((done.code, done.stderr.as_str()), (0, "hostctl: using lab 'one', the only one that is up\n"));
    let uploads = fake.world.lock().unwrap().uploads.clone();
    assert!(matches!(uploads[..], [(sent, true)] if sent > 2_000_000), "{uploads:?}");
}

#[test]
fn a_lab_whose_process_is_gone_is_dead_whoever_has_its_number_now() {
    let fake = Fake::start();
    fake.lab("stale", false);
    fake.lab("live", true);
    let with = |link: &str, words: &[&str]| {
        Done::of(fake.hostctl(words).env("HOSTCTL_CONNECT", link).output().unwrap())
    };
    let refused = with("lab:stale", &["xm", "list"]);
    assert_eq!(
        (refused.code, refused.stderr.as_str()),
        (1, "Error: no lab 'stale' is up; these are: live\n")
    );
    assert_eq!(with("lab:live", &["xm", "domid", "guest1"]).stdout, "1\n");
    let status = with("", &["lab", "status", "stale", "--json"]);
    assert_eq!(status.code, 6);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!((status["state"].as_str(), status["version"].as_str()), (Some("dead"), None));
    let status = with("", &["lab", "status", "live", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!((status["state"].as_str(), status["version"].as_str()), (Some("running"), Some("9.9.9")));
    assert!(status["serial_socket"].as_str().unwrap().ends_with("nanodom/labs/live/serial.sock"));
    let down = with("", &["lab", "down", "stale"]);
    assert_eq!((down.code, down.stdout.as_str()), (0, "lab 'stale' is down (it was dead already)\n"));
    let list = with("", &["lab", "list"]).stdout;
    assert!(list.contains("live") && !list.contains("stale"), "{list}");
}

#[test]
fn a_lab_without_a_name_is_the_one_of_the_link_or_the_only_one() {
    let fake = Fake::start();
    let with = |link: &str, words: &[&str]| {
        Done::of(fake.hostctl(words).env("HOSTCTL_CONNECT", link).output().unwrap())
    };
    for (name, log) in [("one", "console of one"), ("two", "console of two")] {
        std::fs::write(fake.lab(name, true).join("xen.log"), log).unwrap();
    }
    assert_eq!(with("lab:two", &["lab", "log"]).stdout, "console of two");
    assert_eq!(with("lab:two", &["lab", "log", "one"]).stdout, "console of one");
    for command in ["log", "status", "down"] {
        let done = with("", &["lab", command]);
        assert_eq!(done.code, 1, "{command}");
        assert!(done.stderr.starts_with("Error: several labs are up (one, two); "), "{}", done.stderr);
        let done = with("unix:/x", &["lab", command]);
        assert_eq!(
            (done.code, done.stderr.as_str()),
            (1, "Error: unix:/x is no lab; say which lab is meant\n"),
            "{command}"
        );
    }

    fake.lab("two", false);
    assert_eq!(with("", &["lab", "log"]).stdout, "console of one", "the only one that is up");
    assert!(with("", &["lab", "status"]).stdout.contains(": running\n"));
    fake.lab("one", false);
    let done = with("", &["lab", "down"]);
    assert!(done.stderr.starts_with("Error: several labs are there (one, two); "), "{}", done.stderr);
    assert_eq!(with("lab:two", &["lab", "down"]).stdout, "lab 'two' is down (it was dead already)\n");
    assert_eq!(with("", &["lab", "down"]).stdout, "lab 'one' is down (it was dead already)\n");
    assert!(with("", &["lab", "down"]).stderr.contains("there is no lab 'default'; no lab is up"));
}

#[test]
fn a_lost_lab_says_what_became_of_its_machine() {
    let fake = Fake::start();
    fake.lab("live", true);
    let console = |link: &str| {
        let before = fake.world.lock().unwrap().paths.len();
        let child = fake
            .hostctl(&["xm", "console", "guest1"])
            .env("HOSTCTL_CONNECT", link)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        fake.until("the console is open", |world| world.paths[before..].contains(&"console/open"));
        child
    };
    let child = console("lab:live");
    fake.order(Order::Cut);
    let done = finish(child);
    assert_eq!(
        (done.code, done.stderr.as_str()),
        (
            1,
            "Error: lost the control domain at lab:live: the other end of the line was closed (QEMU still runs)\n"
        )
    );
    let child = console("lab:live");
    std::fs::remove_file(fake.dir.path().join("nanodom/labs/live/lab.json")).unwrap();
    fake.order(Order::Cut);
    assert!(finish(child).stderr.ends_with("was closed (the lab was taken down)\n"));
}
