//! The ramdisk of the Linux guests in demo, tests and benchmark: busybox, and an `init` that gives a shell on the
//! guest's Xen console.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cpio::Archive;

/// What the guest says on its console once it can be talked to.
pub const READY: &str = "GUEST-UP";

/// The shell's prompt: unlike anything that a kernel prints.
pub const PROMPT: &str = "guest# ";

/// The first process: announces itself, then serves a shell for ever. `poweroff -f` and `reboot -f` end the guest.
const INIT: &str = r#"#!/bin/busybox sh
export PATH=/bin HOME=/ PS1='guest# '
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec < /dev/hvc0 > /dev/hvc0 2>&1
echo "GUEST-UP $(cat /proc/uptime)"
while :; do setsid -c sh; done
"#;

/// What Linux runs when it is asked to end from outside (`control/shutdown`): there is no init here to be told.
const ENDS: [&str; 2] = ["poweroff", "reboot"];

/// Applets that get a name of their own; the others are reached as `busybox NAME`.
const APPLETS: &[&str] = &[
    "sh", "cat", "dmesg", "echo", "free", "grep", "head", "kill", "ls", "mkdir", "mount", "poweroff", "ps",
    "reboot", "setsid", "sleep", "sync", "tail", "tr", "uname", "wc",
];

/// Builds the ramdisk, not compressed, from a static `busybox`.
///
/// # Errors
/// `busybox` cannot be read, or needs shared libraries.
pub fn build(busybox: &Path) -> Result<Vec<u8>> {
    let program = std::fs::read(busybox).with_context(|| format!("{}", busybox.display()))?;
    if !is_static(&program) {
        bail!("{} is not static: install the package busybox-static", busybox.display());
    }
    let mut archive = Archive::new();
    for directory in ["bin", "dev", "proc", "sbin", "sys", "tmp"] {
        archive.directory(directory);
    }
    // The kernel opens it before the init mounts anything.
    archive.device("dev/console", 5, 1);
    archive.file("bin/busybox", &program, true);
    for applet in APPLETS {
        archive.symlink(&format!("bin/{applet}"), "busybox");
    }
    for end in ENDS {
        let script = format!("#!/bin/busybox sh\nexec /bin/busybox {end} -f\n");
        archive.file(&format!("sbin/{end}"), script.as_bytes(), true);
    }
    archive.file("init", INIT.as_bytes(), true);
    Ok(archive.finish())
}

/// Says whether an ELF64 program needs no dynamic linker (it has no `PT_INTERP`).
pub fn is_static(program: &[u8]) -> bool {
    const PT_INTERP: u32 = 3;
    let half = |at: usize| program.get(at..at + 2).map(|b| usize::from(b[0]) | usize::from(b[1]) << 8);
    let (Some(offset), Some(size), Some(count)) =
        (program.get(32..40).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes), half(54), half(56))
    else {
        return false;
    };
    program.starts_with(b"\x7fELF")
        && (0..count).all(|n| {
            let at = offset as usize + n * size;
            program.get(at..at + 4).is_some_and(|kind| kind != PT_INTERP.to_le_bytes())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_wants_a_dynamic_linker_is_refused() {
        let here = std::env::current_exe().unwrap();
        let error = build(&here).unwrap_err().to_string();
        assert!(error.contains("busybox-static"), "{error}");
    }

    #[test]
    fn what_is_no_elf_file_is_not_static() {
        assert!(!is_static(b"#!/bin/sh\n"));
        assert!(!is_static(b""));
    }

    #[test]
    fn the_init_says_what_the_tests_wait_for() {
        assert!(INIT.contains(READY) && INIT.contains(PROMPT));
    }
}
