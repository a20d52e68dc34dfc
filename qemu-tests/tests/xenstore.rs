//! The store on a real Xen: from the host, from Linux's own xenbus, and from this kernel as a guest.

mod suite;

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use qemu_tests::cpio::Archive;
use qemu_tests::machine::{LINUX_PATIENCE, PATIENCE};
use qemu_tests::process::{self, Running};
use qemu_tests::{Boot, Console, Machine, artifacts, ramdisk};

/// Debian's tools, all in one program.
const TOOLS: &str = "/usr/bin/xenstore";

/// Nodes that the dying guest leaves: close to what its quota of memory allows.
const NODES: usize = 500;

/// With an IOMMU 4 KiB were seen to be missing, once, after domain 0 had grown by cached images (docs/accidents.md); a trial caches
/// two at most. That these are tables of what domain 0's devices may reach is an inference. Without an IOMMU nothing may be
/// missing.
fn lost_kib(boot: Boot) -> u64 {
    if boot.iommu { 8 } else { 0 }
}

fn main() -> ExitCode {
    let all: &[suite::Promise] = &[
        ("hostctl and Debian's tools see the same store", tools),
        ("this kernel as a guest says who it is and ends when it is told to", client_mode),
        ("Linux uses the store through its own xenbus, and dies with all its nodes", linux),
    ];
    suite::main_allowing(lost_kib, &[(Boot::PLAIN, all), (Boot::OTHER, all)])
}

/// Runs `hostctl xenstore` with these words; returns what it prints.
fn store(machine: &Machine, words: &[&str]) -> Result<String> {
    process::run(&mut machine.hostctl(&[&["xenstore"], words].concat()), PATIENCE)?.ok()
}

/// The path of one of a domain's nodes.
fn node(machine: &Machine, domain: &str, key: &str) -> Result<String> {
    let domid = machine.xm(&["domid", domain])?.ok()?;
    Ok(format!("/local/domain/{}/{key}", domid.trim()))
}

fn tools(machine: &Machine) -> Result<()> {
    store(machine, &["write", "/tool/test/a", r"one\n\x01", "/tool/test/b", ""])?;
    ensure!(store(machine, &["read", "-p", "/tool/test/a"])? == "/tool/test/a: one\\n\\001\n");
    let mut watch = Console::attach(&mut machine.hostctl(&["xenstore", "watch", "-n", "2", "/tool/test"]))?;
    watch.wait_for("/tool/test\n", PATIENCE)?;
    store(machine, &["write", "/tool/test/c", "2"])?;
    watch.wait_for("/tool/test/c\n", PATIENCE)?;
    watch.finish(PATIENCE)?.ok()?;

    let socket = std::env::temp_dir().join(format!("nanodom-xs-{}", std::process::id()));
    let path = socket.display().to_string();
    let proxy = Running::start(&mut machine.hostctl(&["xenstore", "proxy", "--socket", &path]))?;
    let deadline = Instant::now() + PATIENCE;
    while UnixStream::connect(&socket).is_err() {
        ensure!(Instant::now() < deadline, "the proxy does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    let debian = |words: &[&str]| {
        let mut command = Command::new(TOOLS);
        command.args(words).env("XENSTORED_PATH", &socket);
        process::run(&mut command, PATIENCE)?.ok()
    };
    ensure!(debian(&["ls", "-f", "-p"])? == store(machine, &["ls", "-f", "-p"])?);
    debian(&["write", "/tool/test/d", "from Debian"])?;
    ensure!(store(machine, &["read", "/tool/test/d"])? == "from Debian\n");
    store(machine, &["rm", "/tool/test"])?;
    debian(&["list", "/tool"]).and_then(|names| {
        ensure!(!names.contains("test"), "{names}");
        Ok(())
    })?;
    proxy.signal(rustix::process::Signal::TERM)?;
    proxy.finish(PATIENCE)?.with_code(143)?;
    ensure!(!socket.exists(), "the proxy left its socket");
    Ok(())
}

/// Starts this kernel as a guest; returns its console once the guest has said who it is.
fn start_client(machine: &Machine, words: &[&str]) -> Result<Console> {
    let kernel = artifacts::named(artifacts::KERNEL)?;
    machine.create("inner", &kernel, &[&["memory=16", "extra=xenstore=client"], words].concat())?;
    let mut console = machine.console("inner")?;
    console.wait_for("this is inner, domain ", PATIENCE)?;
    Ok(console)
}

/// Asks the guest for something, and waits until it has taken that.
fn ask(machine: &Machine, request: &str) -> Result<()> {
    let path = node(machine, "inner", "control/shutdown")?;
    store(machine, &["write", &path, request])?;
    let deadline = Instant::now() + PATIENCE;
    while store(machine, &["read", &path])? != "\n" {
        if Instant::now() > deadline {
            bail!("the guest does not take '{request}'");
        }
    }
    Ok(())
}

fn client_mode(machine: &Machine) -> Result<()> {
    let mut console = start_client(machine, &["on_reboot=restart", "on_poweroff=destroy"])?;
    let version = store(machine, &["read", &node(machine, "inner", "data/version")?])?;
    ensure!(version.starts_with("nanodom "), "{version}");
    ask(machine, "juggle")?;
    console.wait_for("asked for 'juggle', which this kernel cannot do", PATIENCE)?;
    let before = machine.xm(&["domid", "inner"])?.ok()?;
    store(machine, &["write", &node(machine, "inner", "control/shutdown")?, "reboot"])?;
    console.wait_for("reboots, as it was told to", PATIENCE)?;
    console.finish(PATIENCE)?;
    let is_next = |state: Option<&str>| {
        let domid = || machine.xm(&["domid", "inner"]).and_then(|done| done.ok());
        state.is_some() && domid().is_ok_and(|domid| domid != before)
    };
    machine.wait_state("inner", PATIENCE, is_next)?;
    let mut console = machine.console("inner")?;
    console.wait_for("this is inner, domain ", PATIENCE)?;
    store(machine, &["write", &node(machine, "inner", "control/shutdown")?, "poweroff"])?;
    console.wait_for("powers off, as it was told to", PATIENCE)?;
    machine.wait_state("inner", PATIENCE, |state| state.is_none()).map(drop)
}

/// The usual ramdisk with Debian's tools and their libraries behind it: Linux unpacks one archive after the other.
fn ramdisk_with_tools() -> Result<PathBuf> {
    let mut archive = Archive::new();
    let mut add = |path: &str| {
        let file = std::fs::read(path);
        archive.file(path, &file.with_context(|| format!("{path}: apt-get install xenstore-utils"))?, true);
        Ok::<_, anyhow::Error>(())
    };
    add(TOOLS)?;
    let libraries = process::run(Command::new("ldd").arg(TOOLS), PATIENCE)?.ok()?;
    for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
        add(library)?;
        if let Some(directory) = library.strip_suffix("libc.so.6") {
            // The C library loads it by itself when a thread is cancelled, which `watch` does at its end.
            add(&format!("{directory}libgcc_s.so.1"))?;
        }
    }
    for name in ["read", "write", "list", "watch"] {
        archive.symlink(&format!("bin/xenstore-{name}"), TOOLS);
    }
    let mut bytes = std::fs::read(artifacts::named(artifacts::RAMDISK)?)?;
    bytes.extend(archive.finish());
    let path = std::env::temp_dir().join(format!("nanodom-ramdisk-{}", std::process::id()));
    std::fs::write(&path, bytes)?;
    Ok(path)
}

fn linux(machine: &Machine) -> Result<()> {
    let disk = ramdisk_with_tools()?;
    let created = start_linux(machine, &disk);
    // hostctl has sent it; it is of no further use, and lies in the system's temporary directory.
    let _ = std::fs::remove_file(&disk);
    let mut console = created?;
    run(&mut console, "xenstore-read name", "linux\r\n")?;
    run(&mut console, "xenstore-write data/a 1 data/b 'two words'; echo $?", "0\r\n")?;
    let (a, b) = (node(machine, "linux", "data/a")?, node(machine, "linux", "data/b")?);
    ensure!(store(machine, &["read", &a, &b])? == "1\ntwo words\n");
    run(&mut console, "xenstore-read /local/domain/0/name; echo refused $?", "refused 1\r\n")?;
    begin(&mut console, "xenstore-watch -n 2 data/c", "data/c\r\n")?;
    store(machine, &["write", &node(machine, "linux", "data/c/d")?, "told"])?;
    console.wait_for("data/c/d\r\n", PATIENCE)?;
    console.wait_for(ramdisk::PROMPT, PATIENCE)?;
    // In transactions of 20, through the kernel's driver.
    let many = format!("busybox seq {NODES} | busybox sed 's,.*,data/n/& v,' | busybox xargs -n 40");
    run(&mut console, &format!("{many} xenstore-write; echo made $?"), "made 0\r\n")?;
    let all = store(machine, &["list", &node(machine, "linux", "data/n")?])?;
    ensure!(all.lines().count() == NODES, "{} nodes", all.lines().count());
    die_beside_another(machine)
}

/// Types a line at the prompt, and waits for the answer and the next prompt.
fn run(console: &mut Console, line: &str, answer: &str) -> Result<()> {
    begin(console, line, answer)?;
    console.wait_for(ramdisk::PROMPT, PATIENCE).map(drop)
}

/// Types a line at the prompt, and waits for the answer.
fn begin(console: &mut Console, line: &str, answer: &str) -> Result<()> {
    console.type_line(line)?;
    // The line's echo first, which must not pass for the answer.
    console.wait_for("\n", PATIENCE)?;
    console.wait_for(answer, PATIENCE).map(drop).with_context(|| line.to_owned())
}

fn start_linux(machine: &Machine, disk: &Path) -> Result<Console> {
    let disk = format!("ramdisk={}", disk.display());
    let words = ["memory=128", "extra=console=hvc0 quiet", &disk];
    machine.create("linux", &artifacts::vmlinuz()?, &words)?;
    let mut console = machine.console("linux")?;
    console.wait_for(ramdisk::READY, LINUX_PATIENCE)?;
    console.wait_for(ramdisk::PROMPT, PATIENCE)?;
    Ok(console)
}

/// The guest with many nodes is destroyed, while another's requests go on.
fn die_beside_another(machine: &Machine) -> Result<()> {
    let home = node(machine, "linux", "name")?.replace("/name", "");
    let console = start_client(machine, &["on_poweroff=destroy"])?;
    let destroyed = machine.start_xm(&["destroy", "linux"])?;
    for n in 0..5 {
        ask(machine, &format!("something {n}"))?;
    }
    destroyed.finish(PATIENCE)?.ok()?;
    let gone = process::run(&mut machine.hostctl(&["xenstore", "exists", &home]), PATIENCE)?;
    gone.with_code(1)?;
    ask(machine, "something else")?;
    store(machine, &["write", &node(machine, "inner", "control/shutdown")?, "halt"])?;
    console.finish(PATIENCE + Duration::from_secs(1))?;
    machine.wait_state("inner", PATIENCE, |state| state.is_none()).map(drop)
}
