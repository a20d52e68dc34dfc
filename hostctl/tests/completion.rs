//! Completion in a real bash: its script asks hostctl, which asks the control domain.

mod fake;

use std::path::Path;
use std::process::{Command, Stdio};

use fake::Fake;

/// What bash offers for the last word of a line.
fn offers(fake: &Fake, program: &str, line: &str) -> Vec<String> {
    // As bash's readline does: the words, the number of the last, the function with command, word and the word before.
    let script = format!(
        "source <(hostctl completions --name {program} bash)
        COMP_WORDS=({line} \"$1\"); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_TYPE=9
        _clap_complete_{program} {program} \"$1\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"
        printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let (before, word) = line.rsplit_once(' ').unwrap_or(("", line));
    let script = script.replace(&format!("({line} "), &format!("({before} "));
    let hostctl = Path::new(env!("CARGO_BIN_EXE_hostctl"));
    let bin = fake.dir.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for name in ["hostctl", "xm"] {
        // It may be there from the call before.
        let _ = std::os::unix::fs::symlink(hostctl, bin.join(name));
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["--norc", "-c", &script, "bash", word])
        .env("PATH", path)
        .env("HOSTCTL_CONNECT", format!("unix:{}", fake.line().display()))
        .env("HOSTCTL_BROKER_IDLE", "2")
        .env("XDG_RUNTIME_DIR", fake.dir.path())
        .current_dir(fake.dir.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[test]
fn names_of_domains_are_offered_where_a_domain_is_meant() {
    let fake = Fake::start();
    for line in [
        "xm destroy g",
        "xm console -q g",
        "xm list Domain-0 g",
        "xm domstate g",
        "xm vcpu-pin g",
        "console-log g",
    ] {
        assert_eq!(offers(&fake, "hostctl", &format!("hostctl {line}")), ["guest1"], "{line}");
    }
    assert_eq!(offers(&fake, "xm", "xm destroy g"), ["guest1"]);
    assert_eq!(offers(&fake, "hostctl", "hostctl xm dmesg g"), [""; 0]);
}

#[test]
fn names_of_labs_are_offered_where_a_lab_is_meant() {
    let fake = Fake::start();
    fake.lab("live", true);
    fake.lab("stale", false);
    assert_eq!(offers(&fake, "hostctl", "hostctl lab down l"), ["live"]);
    assert_eq!(offers(&fake, "hostctl", "hostctl lab log s"), ["stale"]);
    assert_eq!(offers(&fake, "hostctl", "hostctl --connect lab"), ["lab:live"]);
}

#[test]
fn commands_options_and_files_are_offered() {
    let fake = Fake::start();
    assert_eq!(offers(&fake, "hostctl", "hostctl lab st"), ["status"]);
    assert_eq!(offers(&fake, "hostctl", "hostctl xm un"), ["unpause"]);
    assert_eq!(offers(&fake, "hostctl", "hostctl xm create --def"), ["--defconfig"]);
    fake.file("guest.cfg", b"");
    assert_eq!(offers(&fake, "hostctl", "hostctl xm create gue"), ["guest.cfg"]);
}

#[test]
fn without_a_machine_no_name_is_offered_and_nothing_is_said() {
    let fake = Fake::start();
    assert_eq!(offers(&fake, "hostctl", "hostctl --connect lab:gone xm destroy g"), [""; 0]);
}
