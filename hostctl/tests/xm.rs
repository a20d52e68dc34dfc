//! `hostctl xm` against a control domain of canned answers, through a real broker: what takes a second hand beside the command.
//! What a command prints is in the transcripts of tests/cmd.

mod fake;

use fake::{Done, Fake, Order, finish, noise};
use proto::domain::{Ended, ShutdownReason};

fn done(code: i32, stdout: &str, stderr: &str) -> Done {
    Done { code, stdout: stdout.into(), stderr: stderr.into() }
}

#[test]
fn log_prints_the_control_domains_own() {
    let fake = Fake::start();
    assert_eq!(fake.run(&["log"]), done(0, "INFO up\n", ""));
}

#[test]
fn create_uploads_the_images_and_says_what_it_started() {
    let fake = Fake::start();
    fake.file("ramdisk", &noise(300_000));
    fake.file("g.cfg", b"kernel = 'bundle:k'\nramdisk = \"ramdisk\"\nmemory = 64 # MiB\nextra = 'quiet'\n");
    assert_eq!(
        fake.xm("create g.cfg name=web vcpus=2"),
        done(0, "Using config file \"./g.cfg\".\nStarted domain web (id=7)\n", "")
    );
    let world = fake.world.lock().unwrap();
    let request = &world.created[0];
    assert_eq!(
        (request.config.name.as_str(), request.config.memory_kib, request.config.vcpus),
        ("web", 65536, 2)
    );
    assert_eq!((request.config.cmdline.as_str(), request.paused), ("quiet", false));
    assert!(matches!(world.uploads[..], [(sent, false)] if sent > 200_000), "{:?}", world.uploads);
}

#[test]
fn a_kernel_that_cannot_boot_is_refused_before_anything_is_sent() {
    let fake = Fake::start();
    fake.file("text", b"hello, I am no kernel at all, but long enough to have been one");
    fake.file("empty", b"");
    for name in ["text", "empty"] {
        let refused = fake.xm(&format!("create -q /dev/null name=g kernel={name}"));
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
        assert!(
            refused.stderr.starts_with("Error: kernel /") && refused.stderr.contains(name),
            "{}",
            refused.stderr
        );
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    }
    assert!(fake.world.lock().unwrap().created.is_empty());
}

#[test]
fn create_takes_images_of_the_bundle_by_name() {
    let fake = Fake::start();
    assert_eq!(fake.xm("create -p /dev/null name=b kernel=bundle:k -q"), done(0, "", ""));
    assert!(fake.world.lock().unwrap().created[0].paused);
    assert_eq!(
        fake.xm("create -q /dev/null name=b kernel=bundle:z"),
        done(1, "", "Error: the bundle has no image 'z'; it has k\n")
    );
}

#[test]
fn the_console_types_reads_and_ends_with_the_domain() {
    let fake = Fake::start();
    let mut child = fake.spawn(&["xm", "console", "guest1"]);
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"uname\n").unwrap();
    fake.until("the command arrives", |world| world.typed == b"uname\n");
    drop(child.stdin.take());
    fake.order(Order::Print(b"bye\n".to_vec()));
    std::thread::sleep(std::time::Duration::from_millis(50));
    fake.order(Order::End(Ended::Shutdown(ShutdownReason::Poweroff)));
    assert_eq!(finish(child), done(0, "hello from guest1\r\nuname\nbye\n", ""));
}

#[test]
fn control_and_bracket_detaches_and_leaves_the_domain() {
    let fake = Fake::start();
    let mut child = fake.spawn(&["xm", "console", "guest1"]);
    fake.until("the console is open", |world| world.consoles == 1);
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"x\x1dy").unwrap();
    assert_eq!(finish(child).code, 0);
    fake.until("the console is closed", |world| world.consoles == 0);
    assert_eq!(fake.world.lock().unwrap().typed, b"x");
}

#[test]
fn several_readers_see_one_console() {
    let fake = Fake::start();
    let readers: Vec<_> = (0..3).map(|_| fake.spawn(&["xm", "console", "guest1"])).collect();
    fake.until("all are open", |world| world.consoles == 3);
    fake.order(Order::Print(b"to all\n".to_vec()));
    std::thread::sleep(std::time::Duration::from_millis(50));
    fake.order(Order::End(Ended::Destroyed));
    for reader in readers {
        assert_eq!(finish(reader).stdout, "hello from guest1\r\nto all\n");
    }
}

#[test]
fn console_log_prints_what_is_kept_and_returns() {
    let fake = Fake::start();
    assert_eq!(fake.run(&["console-log", "guest1"]), done(0, "hello from guest1\r\n", ""));
    assert_eq!(fake.run(&["console-log", "x"]), done(3, "", "Error: Domain 'x' does not exist.\n"));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let fake = Fake::start();
    let mut child = fake.spawn(&["xm", "list"]);
    drop(child.stdout.take());
    let done = finish(child);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
}
